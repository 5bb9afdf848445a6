//! Who checks a password next. A check takes a core and 19 MiB, so there are few at a time, and nobody is to hold them all.
//!
//! An address has one check at a time and waits behind itself: however many it begins, the next address is served after the one that
//! is under way. A browser in which the agent signed in before does not stand in that line at all, so that thousands of addresses that
//! guess keep nobody out of theirs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Checks at the same time for whoever comes; each takes tens of milliseconds.
const CHECKS_AT_ONCE: usize = 2;
/// Checks at the same time for browsers that are known, and for who is signed in.
const KNOWN_AT_ONCE: usize = 1;
/// How long a check may wait for its turn.
pub(super) const TURN_WAIT: Duration = Duration::from_secs(5);

/// Who waits for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// An agent in a browser of theirs, or who is signed in.
    Known,
    /// Anybody, at an address.
    Stranger(IpAddr),
}

/// The turns that there are.
pub(super) struct Turns {
    known: Semaphore,
    strangers: Semaphore,
    /// The addresses that have a turn or wait for one; none is kept longer.
    addresses: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// The right to check one password now.
pub(super) struct Turn<'a> {
    _check: SemaphorePermit<'a>,
    _place: Option<Place<'a>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            known: Semaphore::new(KNOWN_AT_ONCE),
            strangers: Semaphore::new(CHECKS_AT_ONCE),
            addresses: Mutex::default(),
        }
    }

    /// Waits for a turn; none when it does not come within [`TURN_WAIT`].
    pub(super) async fn take(&self, who: Waits) -> Option<Turn<'_>> {
        tokio::time::timeout(TURN_WAIT, self.wait(who)).await.ok()?
    }

    async fn wait(&self, who: Waits) -> Option<Turn<'_>> {
        let (place, checks) = match who {
            Waits::Known => (None, &self.known),
            Waits::Stranger(from) => (Some(self.place(from).await?), &self.strangers),
        };
        Some(Turn { _check: checks.acquire().await.ok()?, _place: place })
    }

    async fn place(&self, from: IpAddr) -> Option<Place<'_>> {
        let line = Arc::clone(self.lock().entry(from).or_insert_with(|| Arc::new(Semaphore::new(1))));
        let mut place = Place { turns: self, from, line, permit: None };
        place.permit = Some(Arc::clone(&place.line).acquire_owned().await.ok()?);
        Some(place)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line of an address; the last one takes the line away.
struct Place<'a> {
    turns: &'a Turns,
    from: IpAddr,
    line: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut addresses = self.turns.lock();
        // It holds the line too.
        drop(self.permit.take());
        // Ours, and the one that is kept: whoever else waits would have one more, and gets it under the lock.
        if Arc::strong_count(&self.line) <= 2 {
            addresses.remove(&self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    fn stranger(last: u8) -> Waits {
        Waits::Stranger(IpAddr::from([198, 51, 100, last]))
    }

    #[tokio::test]
    async fn an_address_holds_one_turn_however_many_it_asks_for() {
        let turns = Turns::new();
        let held = turns.take(stranger(1)).await.unwrap();
        let mut more = Box::pin(join_all((0..100).map(|_| turns.take(stranger(1)))));
        assert!(more.as_mut().now_or_never().is_none(), "the same address waits behind itself");
        tokio::task::yield_now().await;
        let other = turns.take(stranger(2)).now_or_never().flatten();
        assert!(other.is_some(), "another one is served at once");
        drop((held, other));
        // Each in its turn, once the one before has ended.
        drop(more);
        assert!(turns.take(stranger(1)).now_or_never().flatten().is_some());
        assert!(turns.lock().is_empty(), "no address is kept that does not wait");
    }

    #[tokio::test]
    async fn a_known_browser_does_not_wait_for_strangers() {
        let turns = Turns::new();
        let held = [turns.take(stranger(1)).await.unwrap(), turns.take(stranger(2)).await.unwrap()];
        let mut waiting = Box::pin(join_all((3..=250).map(|last| turns.take(stranger(last)))));
        assert!(waiting.as_mut().now_or_never().is_none());
        // So many at once use up what one task may do before others come.
        tokio::task::yield_now().await;
        let known = turns.take(Waits::Known).now_or_never().flatten();
        assert!(known.is_some());
        assert!(turns.take(Waits::Known).now_or_never().is_none(), "one at a time");
        drop((held, known));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let turns = Turns::new();
        let held = turns.take(stranger(1)).await.unwrap();
        assert!(turns.take(stranger(1)).await.is_none());
        drop(held);
        let next = turns.take(stranger(1)).await;
        assert!(next.is_some());
        drop(next);
        assert!(turns.lock().is_empty());
    }
}
