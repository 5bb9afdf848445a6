//! Chance from a seed.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A stream of numbers that depends on its seed alone.
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The seed is hashed (SplitMix64, which `seed_from_u64` is): neighbouring seeds give streams that have nothing in common.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Evenly from 0 to 1, never 0: 53 bits, as many as the number holds.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn even(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 1.0) / 9_007_199_254_740_993.0
    }

    /// Exponentially with this mean, by inversion.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -self.even().ln() * mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLS: u32 = 200_000;

    fn mean(seed: u64, roll: impl Fn(&mut Dice) -> f64) -> f64 {
        let mut dice = Dice::new(seed);
        (0..ROLLS).map(|_| roll(&mut dice)).sum::<f64>() / f64::from(ROLLS)
    }

    #[test]
    fn the_means_are_what_they_should_be() {
        assert!((mean(1, Dice::even) - 0.5).abs() < 0.003);
        assert!((mean(2, |dice| dice.exponential(4.0)) - 4.0).abs() < 0.04);
        let square = |dice: &mut Dice| dice.exponential(1.0).powi(2);
        assert!((mean(3, square) - 2.0).abs() < 0.06);
    }

    #[test]
    fn neighbouring_seeds_have_nothing_in_common() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            (0..1_000).map(|_| dice.even()).collect::<Vec<_>>()
        };
        let (one, other) = (rolls(7), rolls(8));
        let product: f64 = one.iter().zip(&other).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum();
        assert!((product / 1_000.0).abs() < 0.01, "{product}");
        assert_eq!(one, rolls(7));
    }
}
