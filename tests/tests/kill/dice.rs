//! Chance that can be had again: a seeded generator (SplitMix64, Steele et al. 2014).

use std::hash::{BuildHasher, Hasher, RandomState};

/// The variable that names a seed to run again.
const VARIABLE: &str = "WINTERBAND_SEED";

pub(crate) struct Dice(u64);

impl Dice {
    /// From the variable, or new; printed either way.
    pub(crate) fn rolled() -> Self {
        let named = std::env::var(VARIABLE).ok().map(|text| text.parse().unwrap());
        let seed = named.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        eprintln!("{VARIABLE}={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap();
            items.swap(last, other);
        }
    }
}
