//! The order of one desk's commands when some of them could not be taken.
//!
//! What was dropped or found no bus is sent again by the desk. Until then, what the desk asked for later must not
//! overtake it: a reply that comes after its contact's end is a reply that the customer never gets.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::CommandId;
use tokio::time::Instant;

/// Most commands of one desk that are awaited again; past it a command is put off as well, but loses its place.
pub(crate) const PUT_OFF_MAX: usize = 1_000;
/// How long the first of them is awaited. A desk sends again after 12 s at the latest; one that does not has given up,
/// and then the later ones go on.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Where a command stands among those of its desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u64);

/// The commands of one desk that are to come again; shared by its socket, which drops, and its lane, which publishes.
#[derive(Debug, Default)]
pub(crate) struct Order(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    came: u64,
    /// Of those that wait for their turn or are put off: one that is sent again meanwhile keeps its place.
    places: BTreeMap<CommandId, Place>,
    put_off: BTreeMap<Place, CommandId>,
    /// When the first of them was put off, or became the first.
    first_since: Option<Instant>,
}

impl Order {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a command that came: the one it had if it came before and is not done, else behind all others.
    pub(crate) fn place_of(&self, id: CommandId) -> Place {
        let mut inner = self.lock();
        // Its turn may be long in coming, behind slow ones: it counts as sent again from here.
        inner.came_again(id);
        if let Some(place) = inner.places.get(&id) {
            return *place;
        }
        inner.came += 1;
        let place = Place(inner.came);
        inner.places.insert(id, place);
        place
    }

    /// Whether a command has to wait for one before it; then it is put off itself. `is_settled` tells which of those
    /// before were answered all the same: an acknowledgement may have been lost and the command not.
    pub(crate) fn must_wait(
        &self,
        id: CommandId,
        place: Place,
        is_settled: impl Fn(CommandId) -> bool,
    ) -> bool {
        let mut inner = self.lock();
        while let Some(first) = inner.put_off.first_entry().filter(|first| is_settled(*first.get())) {
            let answered = first.remove();
            inner.places.remove(&answered);
            inner.first_since = Some(Instant::now());
        }
        if inner.first_since.is_some_and(|since| since.elapsed() > GRACE) && !inner.put_off.is_empty() {
            tracing::warn!(commands = inner.put_off.len(), "a desk did not send again what was put off");
            for given_up in std::mem::take(&mut inner.put_off).into_values() {
                inner.places.remove(&given_up);
            }
        }
        let waits = inner.put_off.first_key_value().is_some_and(|(first, _)| *first < place);
        if waits {
            inner.put_off(id, place);
        }
        waits
    }

    /// A command was not taken and is to come again.
    pub(crate) fn put_off(&self, id: CommandId, place: Place) {
        self.lock().put_off(id, place);
    }

    /// A command is taken or answered: nobody waits for it any more.
    pub(crate) fn done(&self, id: CommandId) {
        let mut inner = self.lock();
        if let Some(place) = inner.places.remove(&id)
            && inner.put_off.remove(&place).is_some()
        {
            inner.first_since = Some(Instant::now());
        }
    }
}

impl Inner {
    fn put_off(&mut self, id: CommandId, place: Place) {
        if self.put_off.len() < PUT_OFF_MAX || self.put_off.contains_key(&place) {
            self.places.insert(id, place);
            self.put_off.insert(place, id);
        } else {
            self.places.remove(&id);
        }
        self.came_again(id);
    }

    /// What is tried again has not been given up by its desk.
    fn came_again(&mut self, id: CommandId) {
        if self.put_off.first_key_value().is_some_and(|(_, first)| *first == id) {
            self.first_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a lane does with a command that could be published.
    fn goes(order: &Order, n: u128) -> bool {
        let id = id(n);
        let goes = !order.must_wait(id, order.place_of(id), |_| false);
        if goes {
            order.done(id);
        }
        goes
    }

    fn id(n: u128) -> CommandId {
        CommandId(uuid::Uuid::from_u128(n))
    }

    fn fails(order: &Order, n: u128) {
        order.put_off(id(n), order.place_of(id(n)));
    }

    #[test]
    fn nothing_overtakes_what_is_to_come_again() {
        let order = Order::default();
        assert!(goes(&order, 1));
        fails(&order, 2);
        assert!(!goes(&order, 3) && !goes(&order, 4));
        // Sent again out of order, they go in order.
        assert!(!goes(&order, 4) && !goes(&order, 3));
        fails(&order, 2);
        assert!(!goes(&order, 3));
        assert!(goes(&order, 2));
        assert!(!goes(&order, 5), "3 and 4 come first");
        assert!(!goes(&order, 4) && goes(&order, 3) && goes(&order, 4) && goes(&order, 5));
        assert!(goes(&order, 6));
    }

    #[test]
    fn what_came_before_the_one_that_was_dropped_goes_on() {
        let order = Order::default();
        let (first, second) = (order.place_of(id(1)), order.place_of(id(2)));
        fails(&order, 3);
        assert!(!order.must_wait(id(1), first, |_| false) && !order.must_wait(id(2), second, |_| false));
        assert!(!goes(&order, 4));
    }

    #[test]
    fn one_whose_acknowledgement_alone_was_lost_is_not_awaited() {
        let order = Order::default();
        fails(&order, 1);
        let place = order.place_of(id(2));
        assert!(order.must_wait(id(2), place, |_| false));
        assert!(!order.must_wait(id(2), place, |settled| settled == id(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_desk_that_gave_a_command_up_goes_on_after_the_grace() {
        let order = Order::default();
        fails(&order, 1);
        tokio::time::advance(GRACE).await;
        assert!(!goes(&order, 2));
        fails(&order, 1);
        tokio::time::advance(GRACE).await;
        assert!(!goes(&order, 2), "it was tried again meanwhile");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(goes(&order, 2) && goes(&order, 3));
    }

    #[test]
    fn one_that_is_sent_again_before_its_turn_keeps_its_place() {
        let order = Order::default();
        let (one, two) = (order.place_of(id(1)), order.place_of(id(2)));
        fails(&order, 3);
        // No room for the copy.
        fails(&order, 1);
        assert!(order.must_wait(id(2), two, |_| false), "1 is to come again");
        assert!(!order.must_wait(id(1), one, |_| false), "and is here: 3 comes after it");
        order.done(id(1));
        assert!(!order.must_wait(id(2), two, |_| false));
        order.done(id(2));
        assert!(goes(&order, 3));
        assert!(order.lock().places.is_empty(), "nothing is kept of what is done");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_came_again_and_waits_for_its_turn_is_not_given_up() {
        let order = Order::default();
        fails(&order, 1);
        tokio::time::advance(GRACE).await;
        order.place_of(id(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!goes(&order, 2), "the lane has not come to 1 yet");
        assert!(goes(&order, 1) && goes(&order, 2));
    }

    #[test]
    fn so_many_are_remembered() {
        let order = Order::default();
        for n in 0..=PUT_OFF_MAX as u128 {
            fails(&order, n);
        }
        assert_eq!(order.lock().put_off.len(), PUT_OFF_MAX);
        // The one without a place goes when the others are through.
        assert!(!goes(&order, PUT_OFF_MAX as u128));
        for n in 0..PUT_OFF_MAX as u128 {
            assert!(goes(&order, n));
        }
        assert!(goes(&order, PUT_OFF_MAX as u128));
    }
}
