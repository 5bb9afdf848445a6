//! The projection as sockets share it: each listens to one visitor and is woken when there is something new.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use channel_web::CustomerState;
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
    /// A waiting contact was left, and nothing was said since: the next message begins another one, whatever the log
    /// shows so far.
    has_left: bool,
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

    /// Takes the projection as it was kept, before anything is folded in here.
    pub(crate) fn go_on_with(&self, projection: Projection) {
        self.lock().projection = projection;
    }

    /// Folds a record in and wakes whom it concerns.
    pub(crate) fn apply(&self, log_seq: u64, record: &Record) {
        let mut inner = self.lock();
        for identity in inner.projection.apply(log_seq, record) {
            inner.note_begun(identity);
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
        let begins = is_idle || visitor.as_ref().is_some_and(|it| it.has_left);
        if begins && !visitor.as_ref().is_some_and(|it| it.has_begun) {
            charge()?;
        }
        if let Some(visitor) = visitor {
            visitor.has_begun = begins;
            visitor.has_left = false;
        }
        Ok(())
    }

    /// A visitor left. Whom an agent has, the agent keeps: their next message begins nothing.
    pub(crate) fn left(&self, identity: IdentityId) {
        let mut inner = self.lock();
        let state = inner.projection.standing(identity).map(|it| it.state);
        if let Some(visitor) = inner.visitors.get_mut(&identity)
            && state != Some(CustomerState::WithAgent)
        {
            visitor.has_left = true;
            visitor.has_begun = false;
        }
    }

    /// All that stood in the log at the start is folded in. Ready from the first configuration on.
    pub(crate) fn caught_up(&self) {
        if !self.is_ready() && self.ask(Projection::is_configured) {
            self.ready.send_replace(true);
        }
    }

    /// Whether visitors can be told what is.
    pub(crate) fn is_ready(&self) -> bool {
        *self.ready.borrow()
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
    /// What the log shows as begun is no beginning to come: the one after it is counted anew.
    fn note_begun(&mut self, identity: IdentityId) {
        let is_idle = self.projection.standing(identity).is_none_or(|it| it.state.is_idle());
        if let Some(visitor) = self.visitors.get_mut(&identity)
            && !is_idle
        {
            visitor.has_begun = false;
        }
    }

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
    use protocol::record::{EntryKind, Event};
    use protocol::{AgentId, ChannelKind, ContactId, Hash128, Millis, SubjectToken};

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

    fn record(events: Vec<Event>) -> Record {
        let (at, cause) = (Millis(1), protocol::record::Cause::Timer);
        Record { v: 1, at, epoch: 1, policy: Hash128([0; 16]), cause, events }
    }

    fn entry(seq: u64, entry: EntryKind) -> Event {
        Event::EntryAdded { conversation: CONVERSATION, contact: CONTACT, seq, entry }
    }

    const CONVERSATION: ConversationId = ConversationId { log_seq: 1, n: 0 };
    const CONTACT: ContactId = ContactId { log_seq: 1, n: 1 };

    fn first_message(identity: IdentityId) -> Record {
        let channel = ChannelKind::Web;
        let account = SubjectToken::new("shop").unwrap();
        record(vec![
            Event::ConversationOpened {
                conversation: CONVERSATION,
                identity,
                channel,
                account,
                thread: None,
            },
            Event::ContactOpened {
                contact: CONTACT,
                conversation: CONVERSATION,
                channel,
                category: None,
                facts: protocol::facts::FactValues::new(),
                route: None,
                practice: false,
                people_only: false,
            },
            entry(1, EntryKind::FromCustomer),
        ])
    }

    fn left() -> Record {
        record(vec![entry(2, EntryKind::CustomerLeft), Event::Abandoned { contact: CONTACT }])
    }

    #[test]
    fn each_contact_is_counted_anew() {
        let rooms = Rooms::new();
        let identity = IdentityId(Hash128([1; 16]));
        let _ear = rooms.listen(identity);
        assert_eq!(rooms.begin(identity, || Ok::<_, &str>(())), Ok(()));
        rooms.apply(1, &first_message(identity));
        rooms.apply(2, &left());
        assert_eq!(rooms.begin(identity, || Err("no room")), Err("no room"));
    }

    #[test]
    fn leaving_counts_before_the_log_shows_it() {
        let rooms = Rooms::new();
        let identity = IdentityId(Hash128([1; 16]));
        let _ear = rooms.listen(identity);
        assert_eq!(rooms.begin(identity, || Ok::<_, &str>(())), Ok(()));
        rooms.left(identity);
        assert_eq!(rooms.begin(identity, || Err("no room")), Err("no room"), "the log shows nothing yet");
        rooms.apply(1, &first_message(identity));
        assert_eq!(
            rooms.begin(identity, || Err("no room")),
            Err("no room"),
            "the log shows the one that was left"
        );
        let assigned = Event::Assigned { contact: CONTACT, agent: AgentId(uuid::Uuid::from_u128(7)) };
        assert_eq!(rooms.begin(identity, || Ok::<_, &str>(())), Ok(()));
        rooms.apply(2, &record(vec![assigned, entry(2, EntryKind::FromCustomer)]));
        rooms.left(identity);
        assert_eq!(rooms.begin(identity, || Err("no room")), Ok(()), "whom an agent has, the agent keeps");
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
