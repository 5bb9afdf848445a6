//! A growing set of small numbers in 64-bit words.

#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn insert(&mut self, n: usize) {
        let word = n / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (n % 64);
        }
    }

    pub(crate) fn remove(&mut self, n: usize) {
        if let Some(bits) = self.0.get_mut(n / 64) {
            *bits &= !(1 << (n % 64));
        }
    }

    pub(crate) fn contains(&self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|bits| bits & (1 << (n % 64)) != 0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| ones(word, *bits))
    }

    pub(crate) fn iter_both<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(word, (one, two))| ones(word, one & two))
    }
}

fn ones(word: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let low = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        Some(word * 64 + low)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_a_set_across_words() {
        let mut bits = Bits::default();
        for n in [0, 63, 64, 200] {
            bits.insert(n);
        }
        bits.remove(63);
        bits.remove(9_999);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 64, 200]);
        assert!(bits.contains(64) && !bits.contains(63) && !bits.contains(9_999));
        let mut other = Bits::default();
        other.insert(64);
        assert_eq!(bits.iter_both(&other).collect::<Vec<_>>(), [64]);
    }
}
