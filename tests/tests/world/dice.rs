//! All chance of a run comes from here, so that a seed is a run.

#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The seed is hashed first: neighbours have nothing in common.
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed ^ 0x5757_696e_7465_7242);
        let hashed = dice.roll() ^ dice.roll().rotate_left(32);
        Self(hashed)
    }

    /// The generator is splitmix64, see Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end`, `end` not included.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// An index of something with so many parts.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    /// True once in `n` times; never for 0.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.index(from.len())].clone()) }
    }
}
