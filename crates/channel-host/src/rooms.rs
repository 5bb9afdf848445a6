//! The projection as sockets share it: each listens to one visitor and is woken when there is something new.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use protocol::record::Record;
use protocol::{ConversationId, IdentityId};
use tokio::sync::{Notify, watch};

use crate::projection::Projection;

/// The projection and who listens.
pub(crate) struct Rooms {
    inner: Mutex<Inner>,
    ready: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    projection: Projection,
    visitors: HashMap<IdentityId, Present>,
}

/// A visitor with at least one socket.
#[derive(Default)]
struct Present {
    listeners: Vec<Weak<Listener>>,
    /// A beginning was counted that the log does not show yet.
    has_begun: bool,
}

/// One socket's ear. What is new is read from the projection, so that a slow socket holds no queue of its own.
pub(crate) struct Ear {
    rooms: Arc<Rooms>,
    identity: IdentityId,
    listener: Arc<Listener>,
}

#[derive(Default)]
struct Listener {
    wake: Notify,
    typing: AtomicBool,
}

impl Ear {
    /// Waits until something is new. What came before the call is not missed.
    pub(crate) async fn woken(&self) {
        self.listener.wake.notified().await;
    }

    /// Whether an agent was typing since this was last asked.
    pub(crate) fn take_typing(&self) -> bool {
        self.listener.typing.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut inner = self.rooms.lock();
        if let Some(visitor) = inner.visitors.get_mut(&self.identity) {
            visitor.listeners.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(&self.listener)));
            if visitor.listeners.is_empty() {
                inner.visitors.remove(&self.identity);
            }
        }
    }
}

impl Rooms {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), ready: watch::Sender::new(false) })
    }

    /// Asks the projection something; keep it short, everybody waits.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Projection) -> T) -> T {
        question(&self.lock().projection)
    }

    /// Folds a record in and wakes whom it concerns.
    pub(crate) fn apply(&self, log_seq: u64, record: &Record) {
        let mut inner = self.lock();
        for identity in inner.projection.apply(log_seq, record) {
            inner.wake(identity, false);
        }
    }

    /// An agent is typing.
    pub(crate) fn typing(&self, conversation: ConversationId) {
        let mut inner = self.lock();
        if let Some(identity) = inner.projection.identity(conversation) {
            inner.wake(identity, true);
        }
    }

    /// A new ear for a visitor; it ends when it is dropped.
    pub(crate) fn listen(self: &Arc<Self>, identity: IdentityId) -> Ear {
        let listener = Arc::new(Listener::default());
        self.lock().visitors.entry(identity).or_default().listeners.push(Arc::downgrade(&listener));
        Ear { rooms: Arc::clone(self), identity, listener }
    }

    /// Asks for leave before a visitor's message begins a contact; `charge` is called once for each contact, however
    /// many messages and sockets of the visitor are there before the log shows it.
    pub(crate) fn begin<E>(
        &self,
        identity: IdentityId,
        charge: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut inner = self.lock();
        let is_idle = inner.projection.standing(identity).is_none_or(|it| it.state.is_idle());
        let visitor = inner.visitors.get_mut(&identity);
        if is_idle && !visitor.as_ref().is_some_and(|it| it.has_begun) {
            charge()?;
        }
        if let Some(visitor) = visitor {
            visitor.has_begun = is_idle;
        }
        Ok(())
    }

    /// All that stood in the log at the start is folded in. Ready from the first configuration on.
    pub(crate) fn caught_up(&self) {
        if !*self.ready.borrow() && self.ask(Projection::is_configured) {
            self.ready.send_replace(true);
        }
    }

    /// Waits until visitors can be told what is.
    pub(crate) async fn ready(&self) {
        // The sender lives as long as `self`, so this ends only when it is so.
        if self.ready.subscribe().wait_for(|is| *is).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wake(&mut self, identity: IdentityId, typing: bool) {
        let Some(visitor) = self.visitors.get(&identity) else { return };
        for listener in visitor.listeners.iter().filter_map(Weak::upgrade) {
            if typing {
                listener.typing.store(true, Ordering::Release);
            }
            listener.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Hash128;

    use super::*;

    #[test]
    fn a_visitor_whose_last_socket_left_is_forgotten() {
        let rooms = Rooms::new();
        let identity = IdentityId(Hash128([1; 16]));
        let (one, two) = (rooms.listen(identity), rooms.listen(identity));
        assert_eq!(rooms.lock().visitors[&identity].listeners.len(), 2);
        drop(one);
        assert_eq!(rooms.lock().visitors[&identity].listeners.len(), 1);
        drop(two);
        assert!(rooms.lock().visitors.is_empty());
    }

    #[test]
    fn a_beginning_counts_once_for_all_sockets_of_a_visitor() {
        let rooms = Rooms::new();
        let identity = IdentityId(Hash128([1; 16]));
        let _ears = (rooms.listen(identity), rooms.listen(identity));
        assert_eq!(rooms.begin(identity, || Err("no room")), Err("no room"));
        assert_eq!(rooms.begin(identity, || Ok::<_, &str>(())), Ok(()));
        assert_eq!(rooms.begin(identity, || Err("no room")), Ok(()), "it has begun");
        let other = IdentityId(Hash128([2; 16]));
        assert_eq!(rooms.begin(other, || Err("no room")), Err("no room"));
    }

    #[tokio::test]
    async fn a_wake_before_the_wait_is_not_missed() {
        let rooms = Rooms::new();
        let identity = IdentityId(Hash128([1; 16]));
        let ear = rooms.listen(identity);
        rooms.lock().wake(identity, true);
        ear.woken().await;
        assert!(ear.take_typing());
        assert!(!ear.take_typing());
    }
}
