//! What a browser keeps for us and brings back: words that we signed, for a time. Any gateway reads what another one wrote.

use bus::IdHasher;
use protocol::Millis;

/// What is between the words, and between them and the signature; no word has one in it.
const BETWEEN: char = '.';

/// Signs words for one purpose; those of another purpose do not read.
pub(crate) struct Signer {
    key: [u8; 32],
    bytes_max: usize,
}

impl Signer {
    /// `bytes_max`: the longest text that is looked at.
    pub(crate) fn new(hasher: &IdHasher, purpose: &str, bytes_max: usize) -> Self {
        Self { key: hasher.key_for(purpose), bytes_max }
    }

    /// The words as a text that counts until a time. No word may have a dot in it.
    pub(crate) fn write(&self, words: &[&str], until: Millis) -> String {
        debug_assert!(words.iter().all(|word| !word.contains(BETWEEN)), "a word would be two");
        let mut said = String::new();
        for word in words {
            said.push_str(word);
            said.push(BETWEEN);
        }
        said.push_str(&until.0.to_string());
        let signature = blake3::keyed_hash(&self.key, said.as_bytes()).to_hex();
        format!("{said}{BETWEEN}{signature}")
    }

    /// The words of a text of ours; none if it is not, or has other ones, or its time is over.
    pub(crate) fn read<'a, const N: usize>(&self, text: &'a str, now: Millis) -> Option<[&'a str; N]> {
        if text.len() > self.bytes_max {
            return None;
        }
        let (said, signature) = text.rsplit_once(BETWEEN)?;
        let signature = blake3::Hash::from_hex(signature).ok()?;
        // Compared in constant time.
        if blake3::keyed_hash(&self.key, said.as_bytes()) != signature {
            return None;
        }
        let (words, until) = said.rsplit_once(BETWEEN)?;
        let until = until.parse().ok().map(Millis)?;
        let words: Vec<&str> = words.split(BETWEEN).collect();
        if now < until { words.try_into().ok() } else { None }
    }

    #[cfg(test)]
    pub(crate) fn of_key(key: [u8; 32], bytes_max: usize) -> Self {
        Self { key, bytes_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_signed_reads_within_its_time_and_nothing_else_does() {
        let signer = Signer::of_key([7; 32], 120);
        let text = signer.write(&["a", "", "b"], Millis(1_000));
        assert_eq!(signer.read(&text, Millis(999)), Some(["a", "", "b"]));
        assert_eq!(signer.read::<3>(&text, Millis(1_000)), None, "its time is over");
        assert_eq!(signer.read::<2>(&text, Millis(1)), None, "another number of words");
        assert_eq!(Signer::of_key([8; 32], 120).read::<3>(&text, Millis(1)), None, "another key");
        for wrong in [text.replace(".1000.", ".9000."), text.replace("a..b", "a.b."), format!("{text}.")] {
            assert_ne!(wrong, text);
            assert_eq!(signer.read::<3>(&wrong, Millis(1)), None, "{wrong}");
        }
        for wrong in ["", ".", "...", "a..b.1000", "a..b.1000.00"] {
            assert_eq!(signer.read::<3>(wrong, Millis(1)), None, "{wrong}");
        }
    }

    #[test]
    fn no_longer_text_is_looked_at() {
        let text = Signer::of_key([7; 32], 0).write(&["a"], Millis(9));
        let read = |bytes_max| Signer::of_key([7; 32], bytes_max).read::<1>(&text, Millis(1));
        assert_eq!(read(text.len()), Some(["a"]));
        assert_eq!(read(text.len() - 1), None);
    }
}
