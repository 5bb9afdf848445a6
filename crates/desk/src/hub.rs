//! Where the logs meet the desks: what they show, and a channel to each agent who has a desk open here.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use protocol::config::{Authority, Role};
use protocol::delivery::Delivery;
use protocol::desk::{Choice, Colleague, LineContact};
use protocol::policy::Policy;
use protocol::remedies::RemedyRefusal;
use protocol::remedy::ContactContext;
use protocol::thread::Entry;
use protocol::{
    AgentId, ChannelKind, CommandId, ContactId, ConversationId, Event, GatewayId, Hash128, IdentityId,
    Millis, Record, RemedyId, RemedyRecord, SubjectToken,
};
use service::spans::TraceContext;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::deliveries::Deliveries;
use crate::line::Attach;
use crate::logs::{CaughtUp, Log, Upto};
use crate::projection::{Change, EntryPicture, FloorNow, Lacks, Projection, folded};
use crate::shown::{AgentPicture, Push, Shown};

/// Most changes that wait for one agent's desks; past it the desks are closed, come back and resume.
pub(crate) const CHANGES_WAITING_MAX: usize = 4096;

/// Below what a change is shown, if its record is traced.
pub(crate) type Trace = Option<Arc<TraceContext>>;

/// What an agent's line is told.
#[derive(Debug)]
pub(crate) enum ToLine {
    /// A record of a log changed something.
    Pushed { log: Log, seq: u64, push: Push, trace: Trace },
    /// A desk said hello.
    Attach(Attach),
    /// A desk is gone.
    Detach { socket: u64 },
    /// A desk's command is about to be published: its answer goes to that desk.
    Expect { socket: u64, command: CommandId },
    /// A command was answered without the log, or will not be answered.
    Forget { command: CommandId },
    /// The customer types.
    Typing { conversation: ConversationId },
    /// A colleague types.
    Writing { conversation: ConversationId, agent: AgentId, title: Arc<str>, note: bool },
}

/// The lines in reach and what the logs show behind one lock: what a line is shown is what it gets changes to.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    caught_up: watch::Sender<CaughtUp>,
    floor: watch::Sender<Utf8Bytes>,
    /// How many configurations have come into force.
    configured: watch::Sender<u64>,
    sockets: AtomicU64,
}

#[derive(Default)]
struct Inner {
    shown: Shown,
    lines: HashMap<AgentId, Line>,
    lines_made: u64,
}

struct Line {
    number: u64,
    to: mpsc::Sender<ToLine>,
    overflowed: CancellationToken,
}

/// The other end of a line.
pub(crate) struct NewLine {
    pub(crate) number: u64,
    pub(crate) from: mpsc::Receiver<ToLine>,
    /// Cancelled when the line did not keep up.
    pub(crate) overflowed: CancellationToken,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            caught_up: watch::Sender::new(CaughtUp::default()),
            floor: watch::Sender::new(Utf8Bytes::default()),
            configured: watch::Sender::new(0),
            sockets: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new socket; never one twice in this process.
    pub(crate) fn number_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes the floor as it was kept, before anything of its log is folded here.
    pub(crate) fn go_on_with_floor(&self, floor: Projection) {
        let mut inner = self.lock();
        if floor.is_configured() {
            self.configured.send_modify(|count| *count += 1);
        }
        inner.shown.floor = floor;
    }

    /// The floor, to be kept.
    pub(crate) fn floor_to_keep(&self) -> Projection {
        self.lock().shown.floor.clone()
    }

    /// Takes what became of messages as it was kept, before anything of its log is folded here.
    pub(crate) fn go_on_with_deliveries(&self, deliveries: Deliveries) {
        self.lock().shown.deliveries = deliveries;
    }

    /// What became of messages, to be kept.
    pub(crate) fn deliveries_to_keep(&self) -> Deliveries {
        self.lock().shown.deliveries.clone()
    }

    /// Folds a record of routing and tells the lines whose agents it concerns; gives who no longer has what.
    pub(crate) fn fold(&self, seq: u64, record: &Record, trace: &Trace) -> Vec<(AgentId, ContactId)> {
        let mut inner = self.lock();
        // Told while the lock is held: who hears of it sees the floor with it.
        if record.events.iter().any(|event| matches!(event, Event::ConfigApplied)) {
            self.configured.send_modify(|count| *count += 1);
        }
        let mut given_up = Vec::new();
        for (agent, change) in inner.shown.fold(seq, record) {
            if let Change::ContactGone { contact, .. } = &change {
                given_up.push((agent, *contact));
            }
            if inner.lines.contains_key(&agent)
                && let Some(push) = inner.shown.push(agent, change)
            {
                let trace = trace.clone();
                inner.tell(agent, ToLine::Pushed { log: Log::Contacts, seq, push, trace });
            }
        }
        given_up
    }

    /// Folds a record of the worker and tells the lines whose agents it concerns.
    pub(crate) fn fold_remedies(&self, seq: u64, record: &RemedyRecord, trace: &Trace) {
        let mut inner = self.lock();
        for (agent, change) in inner.shown.fold_remedies(seq, record) {
            if inner.lines.contains_key(&agent) {
                let push = inner.shown.push_remedies(agent, change);
                let trace = trace.clone();
                inner.tell(agent, ToLine::Pushed { log: Log::Remedies, seq, push, trace });
            }
        }
    }

    /// Folds what became of a message and tells the lines whose agents show its conversation.
    pub(crate) fn fold_delivery(&self, seq: u64, record: &Delivery, trace: &Trace) {
        let mut inner = self.lock();
        let Some(delivered) = inner.shown.deliveries.fold(seq, record) else { return };
        let conversation = record.conversation;
        for agent in inner.shown.floor.shown_to(conversation) {
            let push = Push::Delivered { conversation, delivered: delivered.clone() };
            let trace = trace.clone();
            inner.tell(agent, ToLine::Pushed { log: Log::Deliveries, seq, push, trace });
        }
    }

    /// Tells an agent's line, if there is one.
    pub(crate) fn tell(&self, agent: AgentId, what: ToLine) {
        self.lock().tell(agent, what);
    }

    /// Tells all who show a conversation that its customer types.
    pub(crate) fn typing(&self, conversation: ConversationId) {
        let mut inner = self.lock();
        for agent in inner.shown.floor.shown_to(conversation) {
            inner.tell(agent, ToLine::Typing { conversation });
        }
    }

    /// Tells all others who show a conversation that an agent types in it.
    pub(crate) fn writing(&self, conversation: ConversationId, agent: AgentId, note: bool) {
        let mut inner = self.lock();
        let Some(title) = inner.shown.floor.title_of(agent) else { return };
        for other in inner.shown.floor.shown_to(conversation) {
            if other != agent {
                let title = Arc::clone(&title);
                inner.tell(other, ToLine::Writing { conversation, agent, title, note });
            }
        }
    }

    /// Hands a desk to its agent's line; gives the other end of the line if it had to be made.
    pub(crate) fn attach(&self, agent: AgentId, attach: Attach) -> Option<NewLine> {
        let mut inner = self.lock();
        if inner.lines.contains_key(&agent) {
            inner.tell(agent, ToLine::Attach(attach));
            return None;
        }
        let (to, from) = mpsc::channel(CHANGES_WAITING_MAX);
        let overflowed = CancellationToken::new();
        inner.lines_made += 1;
        let number = inner.lines_made;
        inner.lines.insert(agent, Line { number, to, overflowed: overflowed.clone() });
        inner.tell(agent, ToLine::Attach(attach));
        Some(NewLine { number, from, overflowed })
    }

    /// Takes a line away if nothing is on its way to it; `false` if something is, and the line goes on.
    pub(crate) fn retire(&self, agent: AgentId, number: u64, from: &mpsc::Receiver<ToLine>) -> bool {
        let mut inner = self.lock();
        if !from.is_empty() {
            return false;
        }
        if inner.lines.get(&agent).is_some_and(|line| line.number == number) {
            inner.lines.remove(&agent);
        }
        true
    }

    /// Everything of an agent, as of the sequences in it.
    pub(crate) fn state_of(&self, agent: AgentId, lacks: Lacks<'_>) -> AgentPicture {
        self.lock().shown.state_of(agent, lacks)
    }

    pub(crate) fn settled(&self, agent: AgentId, command: CommandId) -> Option<Answer> {
        self.lock().shown.settled(agent, command).cloned()
    }

    /// Where a contact that this agent holds stands.
    ///
    /// # Errors
    /// When somebody else holds it, or nobody; fate: refuse.
    pub(crate) fn standing(
        &self,
        agent: AgentId,
        contact: ContactId,
    ) -> Result<ContactContext, RemedyRefusal> {
        self.lock().shown.floor.standing(agent, contact).ok_or(RemedyRefusal::NotYours)
    }

    /// Whether an agent has or had a contact.
    pub(crate) fn had(&self, agent: AgentId, contact: ContactId) -> bool {
        self.lock().shown.floor.had(agent, contact)
    }

    /// The floor, as far as this authority leads it.
    pub(crate) fn supervised(
        &self,
        now: Millis,
        authority: &Authority,
        sought: &crate::projection::Sought,
    ) -> FloorNow {
        self.lock().shown.floor.supervised(now, authority, sought)
    }

    /// What waits in an agent's own queues and can be picked, and how much more there is.
    pub(crate) fn line(&self, agent: AgentId, now: Millis) -> (Vec<LineContact>, u32) {
        self.lock().shown.floor.line(agent, now)
    }

    /// The queues that an agent serves.
    pub(crate) fn served_by(&self, agent: AgentId) -> Vec<Choice> {
        self.lock().shown.floor.served_by(agent)
    }

    /// What an account is called; `None` if it is not configured.
    pub(crate) fn account_title(&self, channel: ChannelKind, account: &SubjectToken) -> Option<Arc<str>> {
        self.lock().shown.floor.account_title(channel, account)
    }

    /// Whether an agent leads, in some queue at least.
    pub(crate) fn is_lead(&self, agent: AgentId) -> bool {
        self.lock().shown.floor.is_lead(agent)
    }

    /// What an agent may do, and where.
    pub(crate) fn authority_of(&self, agent: AgentId) -> Authority {
        self.lock().shown.floor.authority_of(agent)
    }

    /// Whether all that an agent may and does lies in these queues; none are all.
    pub(crate) fn is_within(&self, agent: AgentId, queues: &BTreeSet<SubjectToken>) -> bool {
        self.lock().shown.floor.is_within(agent, queues)
    }

    /// Whether an agent leads a contact, as far as it is open; what has ended, who leads every queue does.
    pub(crate) fn leads(&self, agent: AgentId, contact: ContactId) -> bool {
        self.lock().shown.floor.leads(agent, contact)
    }

    /// The policy in force, and up to which record of the worker's log it is.
    pub(crate) fn policy(&self) -> Option<(u64, Hash128, Arc<Policy>)> {
        let inner = self.lock();
        let remedies = &inner.shown.remedies;
        remedies.policy().map(|policy| (remedies.log_seq(), policy.hash, Arc::clone(&policy.policy)))
    }

    pub(crate) fn identity_of(&self, contact: ContactId) -> Option<IdentityId> {
        self.lock().shown.floor.identity_of(contact)
    }

    /// Whose contact something was given in.
    pub(crate) fn identity_of_remedy(&self, remedy: RemedyId) -> Option<IdentityId> {
        let inner = self.lock();
        let contact = inner.shown.remedies.contact_of(remedy)?;
        inner.shown.floor.identity_of(contact)
    }

    /// The conversation of a contact in which this agent may write to the customer.
    pub(crate) fn may_write(&self, agent: AgentId, contact: ContactId) -> Option<ConversationId> {
        self.lock().shown.floor.written(agent, contact).map(|contact| contact.conversation)
    }

    /// The conversation and identity of a contact that this agent holds or is with.
    pub(crate) fn may_read(
        &self,
        agent: AgentId,
        contact: ContactId,
    ) -> Option<(ConversationId, Option<IdentityId>)> {
        let inner = self.lock();
        inner.shown.floor.read(agent, contact).map(|contact| (contact.conversation, contact.identity()))
    }

    /// The conversations that this agent may read now, those of the latest contacts first, at most so many.
    pub(crate) fn readable(&self, agent: AgentId, most: usize) -> Vec<ConversationId> {
        self.lock().shown.floor.readable(agent, most)
    }

    /// Whether this agent may read a conversation now: they lead every queue, lead an open contact of it, or have one.
    pub(crate) fn reads(&self, agent: AgentId, conversation: ConversationId) -> bool {
        self.authority_of(agent).leads_everything()
            || self.readable(agent, usize::MAX).contains(&conversation)
    }

    /// Whether this agent leads the customer of a conversation: every queue, or that of its open contact. What they hold or are
    /// mentioned in without leading there does not count.
    pub(crate) fn leads_conversation(&self, agent: AgentId, conversation: ConversationId) -> bool {
        self.lock().shown.floor.leads_conversation(agent, conversation)
    }

    /// Whether a conversation is this agent's own work now.
    pub(crate) fn works_on(&self, agent: AgentId, conversation: ConversationId) -> bool {
        self.lock().shown.floor.works_on(agent, conversation)
    }

    /// Whether an agent is a machine.
    pub(crate) fn is_bot(&self, agent: AgentId) -> bool {
        self.lock().shown.floor.is_bot(agent)
    }

    /// The entries of a contact that this agent may read, in memory that stand before a sequence, the latest `limit` of them.
    pub(crate) fn entries_before(
        &self,
        agent: AgentId,
        contact: ContactId,
        before: u64,
        limit: usize,
    ) -> Vec<EntryPicture> {
        let inner = self.lock();
        inner.shown.floor.entries_before(agent, contact, before, limit)
    }

    /// An entry of an open contact, as far as it is in memory; who asks has to be let in before.
    pub(crate) fn entry_of(&self, contact: ContactId, seq: u64) -> Option<Arc<Entry>> {
        self.lock().shown.floor.entry_of(contact, seq)
    }

    /// The conversation of an open contact.
    pub(crate) fn conversation_of(&self, contact: ContactId) -> Option<ConversationId> {
        self.lock().shown.floor.conversation_of(contact)
    }

    pub(crate) fn picture_entry(&self, entry: Entry) -> EntryPicture {
        self.lock().shown.floor.entry_picture(&Arc::new(entry))
    }

    pub(crate) fn title_of(&self, agent: AgentId) -> Option<Arc<str>> {
        self.lock().shown.floor.title_of(agent)
    }

    /// The agents whose presence here and in the log do not agree: who should be connected, and who should not.
    pub(crate) fn mismatches(&self, gateway: GatewayId) -> (Vec<AgentId>, Vec<AgentId>) {
        let inner = self.lock();
        let unseen = |agent: &&AgentId| inner.shown.floor.link_of(**agent) == Some(None);
        let here = inner.lines.keys().filter(unseen).copied().collect();
        let connected = inner.shown.floor.connected_through(gateway);
        let gone = connected.filter(|agent| !inner.lines.contains_key(agent)).collect();
        (here, gone)
    }

    /// An agent's colleagues whose name contains these words, and how many more there are.
    pub(crate) fn colleagues_named(&self, agent: AgentId, words: &str) -> (Vec<Colleague>, u32) {
        self.lock().shown.floor.colleagues_named(agent, words)
    }

    /// Whom a note mentions, its page's mentions among them.
    pub(crate) fn mentioned_by(&self, text: &str, page: &[AgentId]) -> Vec<AgentId> {
        if !text.contains('@') {
            return page.to_vec();
        }
        let text = folded(text);
        self.lock().shown.floor.mentioned_by(&text, page)
    }

    /// The floor as a frame, if it changed since that version.
    pub(crate) fn floor_since(&self, version: u64) -> Option<(u64, protocol::desk::Floor)> {
        let inner = self.lock();
        let now = inner.shown.floor.floor_version();
        (now != version).then(|| (now, inner.shown.floor.floor()))
    }

    /// Changes with every configuration that comes into force.
    pub(crate) fn configured(&self) -> watch::Receiver<u64> {
        self.configured.subscribe()
    }

    /// The role of an agent of the configuration in force.
    pub(crate) fn rank_of(&self, agent: AgentId) -> Option<Role> {
        self.lock().shown.floor.rank_of(agent)
    }

    /// The same, and up to where the log was read that says so.
    pub(crate) fn rank_as_of(&self, agent: AgentId) -> (Option<Role>, u64) {
        let inner = self.lock();
        (inner.shown.floor.rank_of(agent), inner.shown.floor.log_seq())
    }

    /// The sign-in name of an agent of the configuration in force.
    pub(crate) fn name_of(&self, agent: AgentId) -> Option<SubjectToken> {
        self.lock().shown.floor.name_of(agent)
    }

    /// The agent of the configuration in force who has a sign-in name.
    pub(crate) fn agent_named(&self, name: &SubjectToken) -> Option<AgentId> {
        self.lock().shown.floor.agent_named(name)
    }

    /// Up to where the logs are folded.
    pub(crate) fn upto(&self) -> Upto {
        self.lock().shown.upto()
    }

    /// Whether the log holds a configuration: before it there are no agents to serve.
    pub(crate) fn is_configured(&self) -> bool {
        self.lock().shown.floor.is_configured()
    }

    /// Says that a log has been read to its end.
    pub(crate) fn set_caught_up(&self, log: Log) {
        self.caught_up.send_modify(|caught_up| caught_up.set(log));
    }

    /// Ends when routing's log has been read to its end.
    pub(crate) async fn floor_caught_up(&self) {
        self.wait_until(|caught_up| caught_up.contacts).await;
    }

    /// Ends when both logs have been read to their ends.
    pub(crate) async fn caught_up(&self) {
        self.wait_until(|caught_up| caught_up.contacts && caught_up.remedies).await;
    }

    async fn wait_until(&self, is_enough: impl Fn(&CaughtUp) -> bool) {
        // The sender lives as long as we do.
        if self.caught_up.subscribe().wait_for(is_enough).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn set_floor(&self, frame: Utf8Bytes) {
        // Also if it is the same: what a page has found by name it looks at again with each.
        self.floor.send_replace(frame);
    }

    /// The newest floor as a frame; empty before the first.
    pub(crate) fn floor(&self) -> watch::Receiver<Utf8Bytes> {
        self.floor.subscribe()
    }
}

impl Inner {
    fn tell(&mut self, agent: AgentId, what: ToLine) {
        let Some(line) = self.lines.get(&agent) else { return };
        if line.to.try_send(what).is_err() {
            line.overflowed.cancel();
            self.lines.remove(&agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::line::Outbox;

    const AGENT: AgentId = AgentId(uuid::Uuid::from_u128(1));

    fn hello(hub: &Hub) -> Option<NewLine> {
        let (frames, _) = mpsc::channel(1);
        let out = Outbox::new(frames, CancellationToken::new());
        hub.attach(AGENT, Attach { socket: hub.number_socket(), out, have: BTreeMap::new() })
    }

    #[test]
    fn a_line_that_does_not_keep_up_is_given_up_and_made_anew() {
        let hub = Hub::new();
        let line = hello(&hub).unwrap();
        assert!(hello(&hub).is_none(), "a second desk shares the line");
        for socket in 2..CHANGES_WAITING_MAX as u64 {
            hub.tell(AGENT, ToLine::Detach { socket });
        }
        assert!(!line.overflowed.is_cancelled());
        hub.tell(AGENT, ToLine::Detach { socket: 0 });
        assert!(line.overflowed.is_cancelled());
        assert!(hello(&hub).is_some_and(|again| again.number > line.number));
    }

    #[test]
    fn a_line_goes_only_when_nothing_is_on_its_way_to_it() {
        let hub = Hub::new();
        let mut line = hello(&hub).unwrap();
        assert!(!hub.retire(AGENT, line.number, &line.from));
        while line.from.try_recv().is_ok() {}
        assert!(hub.retire(AGENT, line.number, &line.from));
        let next = hello(&hub).unwrap();
        // The end of the old line does not take the new one away.
        assert!(hub.retire(AGENT, line.number, &line.from));
        assert!(hello(&hub).is_none());
        drop(next);
    }
}
