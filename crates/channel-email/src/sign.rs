//! Short signatures: what says in an address or an id that we wrote it.
//!
//! HMAC-SHA256 over a purpose, the inbox and the body, cut to 80 bits: an attacker has to guess over the wire, one mail
//! for each try. Letters are those that survive a change of case.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes kept of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 10;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The key that signs addresses and ids; never printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of 256 random bits; the caller keeps it as long as mail may come back, which is years.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What a signature is for; one made for one purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A reply address.
    Address,
    /// A Message-ID or the header that repeats it.
    Message,
}

/// The signature of a body for an inbox.
pub(crate) fn sign(key: &Key, purpose: Purpose, inbox: &str, body: &[u8]) -> [u8; SIGNATURE_BYTES] {
    let whole = started(key, purpose, inbox, body).map(|mac| mac.finalize().into_bytes());
    let mut cut = [0; SIGNATURE_BYTES];
    for (to, from) in cut.iter_mut().zip(whole.iter().flatten()) {
        *to = *from;
    }
    cut
}

/// Whether we signed it; takes the same time whatever is wrong.
pub(crate) fn verify(key: &Key, purpose: Purpose, inbox: &str, body: &[u8], signature: &[u8]) -> bool {
    signature.len() == SIGNATURE_BYTES
        && started(key, purpose, inbox, body).is_some_and(|mac| mac.verify_truncated_left(signature).is_ok())
}

/// HMAC takes keys of every length, so there always is one.
fn started(key: &Key, purpose: Purpose, inbox: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
    let purpose: &[u8] = match purpose {
        Purpose::Address => b"winterband/email/address/1",
        Purpose::Message => b"winterband/email/message/1",
    };
    for field in [purpose, inbox.as_bytes(), body] {
        // The length first, so that no two lists of fields give the same bytes.
        mac.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(field);
    }
    Some(mac)
}

/// Five bits a letter, lower case, without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(bits: u32) -> char {
    let at = usize::try_from(bits & 31).unwrap_or(0);
    LETTERS.get(at).copied().map_or('a', char::from)
}

/// The bytes again, in either case; `None` if a letter is none of ours or bits are left over that are not zero.
pub(crate) fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.bytes() {
        let value = LETTERS.iter().position(|letter| *letter == c.to_ascii_lowercase())?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    (bits < 5 && held & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_go_there_and_back() {
        for length in 0..40u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37) ^ 0xa5).collect();
            let text = base32(&bytes);
            assert_eq!(unbase32(&text.to_ascii_uppercase()), Some(bytes));
        }
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(unbase32("m0"), None);
        assert_eq!(unbase32("mz"), None, "bits left over");
    }

    #[test]
    fn a_signature_is_for_one_purpose_inbox_and_body() {
        let key = Key::new([7; 32]);
        let made = sign(&key, Purpose::Address, "help", b"body");
        assert!(verify(&key, Purpose::Address, "help", b"body", &made));
        assert!(!verify(&key, Purpose::Message, "help", b"body", &made));
        assert!(!verify(&key, Purpose::Address, "other", b"body", &made));
        assert!(!verify(&key, Purpose::Address, "help", b"bodz", &made));
        assert!(!verify(&key, Purpose::Address, "help", b"body", &made[..9]));
        assert!(!verify(&Key::new([8; 32]), Purpose::Address, "help", b"body", &made));
        assert_eq!(format!("{key:?}"), "Key(..)");
    }
}
