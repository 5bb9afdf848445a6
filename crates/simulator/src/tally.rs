//! What was seen of a run.

use forecast::Kept;

/// The waits of many, ms.
#[derive(Clone, Debug, Default)]
pub struct Waits(Vec<f32>);

impl Waits {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits of a wait are enough")]
    pub(crate) fn add(&mut self, ms: f64) {
        self.0.push(ms as f32);
    }

    /// Adds those of another run.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The mean, ms; 0 of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().map(|ms| f64::from(*ms)).sum::<f64>() / count(self.0.len()).max(1.0)
    }

    /// The share that is longer than so many ms.
    #[must_use]
    pub fn share_over(&self, ms: f64) -> f64 {
        let over = self.0.iter().filter(|wait| f64::from(**wait) > ms).count();
        count(over) / count(self.0.len()).max(1.0)
    }

    /// The wait that a share does not exceed, ms; 0 of none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
        let place = (count(sorted.len()) * share) as usize;
        sorted.get(place.min(sorted.len().saturating_sub(1))).copied().map_or(0.0, f64::from)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

/// What became of one stream's customers after the warm-up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Who came.
    pub arrived: u64,
    /// Who found no place to wait and left at once.
    pub blocked: u64,
    /// Who waited and left.
    pub abandoned: u64,
    /// Who got an agent.
    pub assigned: u64,
    /// The waits of all who had a place, until an agent or leaving.
    pub waits: Waits,
    /// The waits of those who got an agent.
    pub served_waits: Waits,
    /// How long each who was served to the end was there in all.
    pub sojourns: Waits,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.blocked += other.blocked;
        self.abandoned += other.abandoned;
        self.assigned += other.assigned;
        self.waits.extend(&other.waits);
        self.served_waits.extend(&other.served_waits);
        self.sojourns.extend(&other.sojourns);
    }

    /// The share of those who came.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    pub fn share(&self, of: u64) -> f64 {
        of as f64 / self.arrived.max(1) as f64
    }
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By stream.
    pub streams: Vec<Tally>,
    /// How long it was watched, ms.
    pub watched_ms: f64,
    /// The mean number in line.
    pub line: f64,
    /// The share of the agents' time in which each had at least one contact, by agent.
    pub busy: Vec<f64>,
    /// How often what waiting customers were told came true, where they were told.
    pub kept: Kept,
}

impl Outcome {
    /// All streams together.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.streams.iter().for_each(|stream| all.add(stream));
        all
    }

    /// The mean share of time in which agents are busy.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.busy.iter().sum::<f64>() / count(self.busy.len()).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_summed_up() {
        let mut waits = Waits::default();
        assert_eq!((waits.mean(), waits.share_over(0.0), waits.percentile(0.9)), (0.0, 0.0, 0.0));
        (0..10).for_each(|n| waits.add(f64::from(n)));
        assert_eq!((waits.mean(), waits.share_over(0.0), waits.percentile(0.9)), (4.5, 0.9, 9.0));
        assert_eq!(waits.percentile(1.0), 9.0);
    }
}
