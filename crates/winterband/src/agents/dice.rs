//! Randomness from a seed, so that a rehearsal can be repeated: SplitMix64 (Steele, Lea, Flood, 2014). Pure.

/// A stream of numbers that only depends on its seed.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The dice of one agent. Its start is rolled, because streams whose starts differ by a multiple of the step are
    /// the same stream, shifted: agents would make the same ids.
    pub(super) fn of_agent(seed: u64, number: u32) -> Self {
        let start = Self::new(seed).roll() ^ u64::from(number);
        Self::new(Self::new(start).roll())
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without `end`; 0 if `end` is 0. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or_default()
    }

    /// From `first` to `last`, both included.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first.saturating_add(self.below(last.saturating_sub(first).saturating_add(1)))
    }

    /// One of several; `None` if there are none.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let n = self.below(u64::try_from(from.len()).unwrap_or(u64::MAX));
        from.get(usize::try_from(n).unwrap_or_default())
    }

    /// A version 7 UUID of this moment.
    pub(super) fn uuid(&mut self, now_ms: u64) -> uuid::Uuid {
        let mut bytes = [0; 10];
        let dice = self.roll().to_le_bytes().into_iter().chain(self.roll().to_le_bytes());
        for (byte, rolled) in bytes.iter_mut().zip(dice) {
            *byte = rolled;
        }
        uuid::Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        let mut dice = Dice::new(1_234_567);
        let rolls: Vec<u64> = (0..3).map(|_| dice.roll()).collect();
        assert_eq!(rolls, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn ranges_hold_and_agents_differ() {
        let mut dice = Dice::new(7);
        assert!((0..1000).map(|_| dice.between(3, 5)).all(|n| (3..=5).contains(&n)));
        assert_eq!((dice.below(0), dice.between(9, 9)), (0, 9));
        assert_eq!(dice.pick::<u8>(&[]), None);
        assert_ne!(Dice::of_agent(7, 1).roll(), Dice::of_agent(7, 2).roll());
        assert_eq!(Dice::of_agent(7, 1).roll(), Dice::of_agent(7, 1).roll());
    }

    #[test]
    fn agents_make_different_ids_in_the_same_moment() {
        let ids = (0..1_000).flat_map(|number| {
            let mut dice = Dice::of_agent(3, number);
            (0..200).map(move |_| dice.uuid(1_700_000_000_000))
        });
        let ids: Vec<_> = ids.collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn ids_are_version_seven_and_carry_the_moment() {
        let mut dice = Dice::new(7);
        let (one, two) = (dice.uuid(1_700_000_000_123), dice.uuid(1_700_000_000_123));
        assert_ne!(one, two);
        assert_eq!(one.get_version_num(), 7);
        assert_eq!(protocol::CommandId(one).born_ms(), Some(1_700_000_000_123));
    }
}
