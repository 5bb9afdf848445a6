//! What a waiting contact is worth in the order: the highest score is served first.

use protocol::config::{BreachBoost, PriorityClass, Queue};

/// How a class of contacts gains by waiting. Within a class who waits longer never scores less, so that its line keeps its
/// order for ever and only heads of lines are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scoring {
    head_start_ms: u64,
    ageing_percent: u64,
    bound_ms: Option<u64>,
    breach: Option<BreachBoost>,
}

/// Past their queue's bound contacts come before all others, by how much they are past it.
const OVERDUE_MS: u64 = 1 << 52;
/// Where priorities are worth nothing in time, each comes before all of the next: no wait is as long as this.
const STRICT_STEP_MS: u64 = 1 << 43;

impl Scoring {
    /// What holds for a queue and a priority.
    #[must_use]
    pub fn new(queue: Option<&Queue>, priorities: &[PriorityClass], priority: u8) -> Self {
        let class = priorities.iter().find(|class| class.priority == priority);
        let (head_start_ms, ageing_percent) = match class {
            Some(class) => (class.head_start_ms, u64::from(class.ageing_percent)),
            // A configuration with priorities lists all that are used; one taken out since counts as waiting alone.
            None if !priorities.is_empty() => (0, 100),
            None => (u64::from(u8::MAX - priority) * STRICT_STEP_MS, 100),
        };
        Self {
            head_start_ms,
            ageing_percent,
            bound_ms: queue.and_then(|queue| queue.wait_bound_ms),
            breach: queue.and_then(|queue| queue.breach),
        }
    }

    /// Whether who has waited for so long is past the queue's bound.
    #[must_use]
    pub fn is_overdue(&self, waited_ms: u64) -> bool {
        self.bound_ms.is_some_and(|bound| waited_ms >= bound)
    }

    /// The score after so many milliseconds of waiting, in milliseconds of waiting.
    #[must_use]
    pub fn at(&self, waited_ms: u64) -> u64 {
        if let Some(over) = self.bound_ms.and_then(|bound| waited_ms.checked_sub(bound)) {
            return OVERDUE_MS.saturating_add(over);
        }
        let aged = waited_ms.saturating_mul(self.ageing_percent) / 100;
        let pressed = self.breach.map_or(0, |breach| pressure(&breach, waited_ms));
        aged.saturating_add(self.head_start_ms).saturating_add(pressed).min(OVERDUE_MS - 1)
    }
}

/// From nothing at the beginning of the window to the whole at its end.
fn pressure(breach: &BreachBoost, waited_ms: u64) -> u64 {
    let from = breach.within_ms.saturating_sub(breach.window_ms);
    let into = waited_ms.saturating_sub(from).min(breach.window_ms);
    let grown = u128::from(breach.head_start_ms) * u128::from(into) / u128::from(breach.window_ms.max(1));
    u64::try_from(grown).unwrap_or(breach.head_start_ms)
}

#[cfg(test)]
mod tests {
    use protocol::SubjectToken;

    use super::*;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn queue() -> Queue {
        Queue::new(SubjectToken::new("a").unwrap())
    }

    fn class(priority: u8, head_start_ms: u64, ageing_percent: u32) -> PriorityClass {
        PriorityClass { priority, head_start_ms, ageing_percent }
    }

    #[test]
    fn without_a_worth_in_time_no_wait_outdoes_a_priority() {
        let [first, next, last] = [0, 1, 255].map(|priority| Scoring::new(Some(&queue()), &[], priority));
        assert!(first.at(0) > next.at(100 * 365 * DAY_MS));
        assert!(next.at(0) > last.at(100 * 365 * DAY_MS));
        assert!(next.at(2) > next.at(1));
    }

    #[test]
    fn a_head_start_is_worth_that_time_and_ageing_counts_faster() {
        let classes = [class(0, 60_000, 100), class(1, 0, 400)];
        let [one, other] = [0, 1].map(|priority| Scoring::new(Some(&queue()), &classes, priority));
        assert_eq!((one.at(10_000), other.at(10_000)), (70_000, 40_000));
        assert_eq!((one.at(20_000), other.at(20_000)), (80_000, 80_000));
        assert_eq!(Scoring::new(Some(&queue()), &classes, 7).at(5), 5, "one that was taken out since");
    }

    #[test]
    fn past_its_bound_a_contact_comes_before_every_priority() {
        let bound = Queue { wait_bound_ms: Some(600_000), ..queue() };
        let last = Scoring::new(Some(&bound), &[], 255);
        let first = Scoring::new(Some(&queue()), &[], 0);
        assert!(last.at(599_999) < first.at(0));
        assert!(last.at(600_000) > first.at(100 * 365 * DAY_MS));
        assert!(last.at(600_001) > last.at(600_000));
    }

    #[test]
    fn what_is_nearly_due_presses() {
        let breach = BreachBoost { within_ms: 100, window_ms: 40, head_start_ms: 1_000 };
        let pressed = Queue { breach: Some(breach), ..queue() };
        let scoring = Scoring::new(Some(&pressed), &[class(0, 0, 100)], 0);
        let scores = [0, 60, 61, 80, 100, 500].map(|waited| scoring.at(waited));
        assert_eq!(scores, [0, 60, 86, 580, 1_100, 1_500]);
    }
}
