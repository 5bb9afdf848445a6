use protocol::config::{Account, Agent};
use protocol::content::Sealed;
use protocol::input::{ConfigInput, CustomerMessage, Input};
use protocol::{Hash128, MessageId, Millis, NoticeId};
use uuid::Uuid;

use super::*;

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn identity(n: u8) -> IdentityId {
    IdentityId(Hash128([n; 16]))
}

fn conversation(n: u64) -> ConversationId {
    ConversationId { log_seq: n, n: 0 }
}

fn agent() -> AgentId {
    AgentId(Uuid::from_u128(1))
}

fn record(body: Option<InputBody>, events: Vec<Event>) -> Record {
    let cause = match body {
        Some(body) => Cause::Input { seq: 1, input: Input { v: 1, made_at: Millis(0), body } },
        None => Cause::Timer,
    };
    Record { v: 1, at: Millis(5), epoch: 1, policy: Hash128([0; 16]), cause, events }
}

fn opened(n: u8, channel: ChannelKind) -> Event {
    Event::ConversationOpened {
        conversation: conversation(n.into()),
        identity: identity(n),
        channel,
        account: token("shop"),
        thread: None,
    }
}

fn added(n: u8, seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: conversation(n.into()), contact: contact(n), seq, entry }
}

fn contact(n: u8) -> ContactId {
    ContactId { log_seq: n.into(), n: 1 }
}

fn resolved() -> EntryKind {
    EntryKind::Resolved { agent: agent(), disposition: token("solved"), fields: [].into() }
}

fn assigned(n: u8) -> Event {
    Event::Assigned { contact: contact(n), agent: agent() }
}

/// A contact that waits, with its customer's first message.
fn wait(log: &mut Log, n: u8, seq: u64) {
    let opened = Event::ContactOpened {
        contact: contact(n),
        conversation: conversation(n.into()),
        channel: ChannelKind::Web,
        category: None,
        facts: protocol::facts::FactValues::new(),
        route: None,
        practice: false,
        people_only: false,
    };
    log.feed(vec![opened, added(n, seq, EntryKind::FromCustomer)]);
}

fn accept(log: &mut Log, n: u8, seq: u64) {
    log.feed(vec![assigned(n), added(n, seq, EntryKind::Joined { agent: agent() })]);
}

/// A log that is fed entry by entry.
#[derive(Default)]
struct Log {
    projection: Projection,
    log_seq: u64,
}

impl Log {
    fn feed(&mut self, events: Vec<Event>) -> BTreeSet<IdentityId> {
        self.log_seq += 1;
        let changed = self.projection.apply(self.log_seq, &record(None, events));
        // All of it must hold as well of what was kept after each record and gone on with; of thousands that would take minutes.
        if self.log_seq < 100 {
            self.projection = serde_json::from_slice(&serde_json::to_vec(&self.projection).unwrap()).unwrap();
        }
        changed
    }

    fn state(&self, n: u8) -> CustomerState {
        self.projection.standing(identity(n)).unwrap().state
    }

    fn seqs_after(&self, n: u8, seq: u64) -> Vec<u64> {
        match self.projection.after(identity(n), seq) {
            After::Entries(entries) => entries.iter().map(|entry| entry.seq).collect(),
            After::Nothing => Vec::new(),
            After::Older { before, .. } => panic!("asked for what is before {before}"),
        }
    }
}

#[test]
fn a_visitor_sees_their_own_entries_in_order() {
    let mut log = Log::default();
    let changed = log.feed(vec![opened(1, ChannelKind::Web), added(1, 1, EntryKind::FromCustomer)]);
    assert_eq!(changed, BTreeSet::from([identity(1)]));
    log.feed(vec![opened(2, ChannelKind::Web), added(2, 1, EntryKind::FromCustomer)]);
    let changed = log.feed(vec![assigned(1), added(1, 2, EntryKind::Joined { agent: agent() })]);
    assert_eq!(changed, BTreeSet::from([identity(1)]));
    assert_eq!(log.seqs_after(1, 0), [1, 2]);
    assert_eq!(log.seqs_after(1, 1), [2]);
    assert_eq!(log.seqs_after(1, 2), [0; 0]);
    assert_eq!(log.seqs_after(2, 0), [1]);
    let standing = log.projection.standing(identity(1)).unwrap();
    let expected = Standing { conversation: conversation(1), state: CustomerState::WithAgent, last_seq: 2 };
    assert_eq!(standing, expected);
    assert_eq!(log.projection.standing(identity(9)), None);
    assert_eq!(log.projection.identity(conversation(2)), Some(identity(2)));
}

#[test]
fn whose_conversation_is_forgotten_begins_anew() {
    let mut log = Log::default();
    log.feed(vec![opened(1, ChannelKind::Web), added(1, 1, EntryKind::FromCustomer)]);
    log.feed(vec![added(1, 2, EntryKind::CustomerLeft), Event::Abandoned { contact: contact(1) }]);
    let forgotten = Event::ConversationForgotten { conversation: conversation(1) };
    let changed =
        log.feed(vec![forgotten, opened(2, ChannelKind::Web), added(2, 1, EntryKind::FromCustomer)]);
    assert_eq!(changed, BTreeSet::from([identity(1), identity(2)]), "whoever looks at it has to be told");
    assert_eq!(log.projection.standing(identity(1)), None);
    assert_eq!(log.projection.identity(conversation(1)), None);
    assert_eq!(log.projection.after(identity(1), 0), After::Nothing);
    let again = Event::ConversationOpened {
        conversation: conversation(3),
        identity: identity(1),
        channel: ChannelKind::Web,
        account: token("shop"),
        thread: None,
    };
    log.feed(vec![again, added(3, 1, EntryKind::FromCustomer)]);
    assert_eq!(log.seqs_after(1, 0), [1]);
    assert_eq!(log.projection.standing(identity(1)).unwrap().conversation, conversation(3));
}

#[test]
fn other_channels_are_not_kept() {
    let mut log = Log::default();
    let changed = log.feed(vec![opened(1, ChannelKind::Api), added(1, 1, EntryKind::FromCustomer)]);
    assert!(changed.is_empty());
    assert_eq!(log.projection.standing(identity(1)), None);
}

#[test]
fn a_record_read_twice_counts_once() {
    let mut log = Log::default();
    let first = record(None, vec![opened(1, ChannelKind::Web), added(1, 1, EntryKind::FromCustomer)]);
    assert!(!log.projection.apply(7, &first).is_empty());
    assert!(log.projection.apply(7, &first).is_empty());
    assert_eq!(log.seqs_after(1, 0), [1]);
    assert_eq!(log.projection.applied(), 7);
}

#[test]
fn the_words_of_an_entry_stand_in_its_cause() {
    let mut projection = Projection::default();
    let body = Sealed::from_parts(identity(1), 1, "abc");
    let message = MessageId(Uuid::from_u128(9));
    let said = CustomerMessage::new(
        message,
        ChannelKind::Web,
        token("shop"),
        identity(1),
        Hash128([1; 16]),
        Hash128([2; 16]),
        body.clone(),
    );
    let events = vec![opened(1, ChannelKind::Web), added(1, 1, EntryKind::FromCustomer)];
    projection.apply(1, &record(Some(InputBody::Message(said)), events));
    let After::Entries(entries) = projection.after(identity(1), 0) else { panic!("no entries") };
    assert_eq!((entries[0].message, entries[0].body.clone()), (Some(message), Some(body)));
}

#[test]
fn the_latest_entries_are_kept_and_no_more() {
    let mut log = Log::default();
    log.feed(vec![opened(1, ChannelKind::Web)]);
    let kept = u64::try_from(ENTRIES_KEPT_MAX).unwrap();
    for seq in 1..=kept {
        log.feed(vec![added(1, seq, EntryKind::FromCustomer)]);
    }
    assert_eq!(log.seqs_after(1, 0)[0], 1, "at the limit everything is there");
    log.feed(vec![added(1, kept + 1, EntryKind::FromCustomer)]);
    assert_eq!(
        log.projection.after(identity(1), 0),
        After::Older { conversation: conversation(1), before: 2 }
    );
    assert_eq!(log.seqs_after(1, 1).len(), BATCH_MAX);
    assert_eq!(log.seqs_after(1, kept), [kept + 1]);
}

#[test]
fn the_words_of_the_longest_ended_go_first() {
    let mut log = Log::default();
    let end = |log: &mut Log, n: u64| {
        let id = ConversationId { log_seq: n, n: 0 };
        let identity = IdentityId(Hash128(u128::from(n).to_be_bytes()));
        let contact = ContactId { log_seq: n, n: 1 };
        let open = Event::ConversationOpened {
            conversation: id,
            identity,
            channel: ChannelKind::Web,
            account: token("shop"),
            thread: None,
        };
        let entry = Event::EntryAdded { conversation: id, contact, seq: 1, entry: resolved() };
        log.feed(vec![open, entry, Event::Resolved { contact, agent: agent() }]);
        identity
    };
    let kept = u64::try_from(ENDED_KEPT_MAX).unwrap();
    let identities: Vec<_> = (1..=kept).map(|n| end(&mut log, n)).collect();
    assert!(matches!(log.projection.after(identities[0], 0), After::Entries(_)), "at the limit it is there");
    // The first comes back: it is not among the ended any more, and the second goes in its place.
    let contact = ContactId { log_seq: 1, n: 1 };
    let id = ConversationId { log_seq: 1, n: 0 };
    let back = Event::EntryAdded { conversation: id, contact, seq: 2, entry: EntryKind::Reopened };
    log.feed(vec![Event::ContactReopened { contact }, back]);
    end(&mut log, kept + 1);
    end(&mut log, kept + 2);
    assert!(matches!(log.projection.after(identities[0], 0), After::Entries(_)));
    assert!(matches!(log.projection.after(identities[1], 0), After::Older { before: 2, .. }));
    assert_eq!(log.projection.standing(identities[1]).unwrap().last_seq, 1);
}

#[test]
fn the_state_follows_the_contact() {
    let mut log = Log::default();
    log.feed(vec![opened(1, ChannelKind::Web)]);
    assert_eq!(log.state(1), CustomerState::None);
    wait(&mut log, 1, 1);
    assert_eq!(log.state(1), CustomerState::Waiting);
    accept(&mut log, 1, 2);
    log.feed(vec![added(1, 3, EntryKind::FromCustomer)]);
    log.feed(vec![added(1, 4, EntryKind::Note { agent: agent() })]);
    assert_eq!(log.state(1), CustomerState::WithAgent);
    let queued = |why| Event::Queued {
        contact: contact(1),
        queue: token("q"),
        priority: 0,
        needs: Vec::new(),
        since: Millis(0),
        preferred: None,
        why,
    };
    let transferred = EntryKind::TransferredToQueue { agent: agent(), queue: token("q") };
    log.feed(vec![added(1, 5, transferred), queued(protocol::record::QueuedWhy::Transferred)]);
    assert_eq!(log.state(1), CustomerState::Waiting);
    accept(&mut log, 1, 6);
    let reclaimed = EntryKind::Reclaimed { agent: agent() };
    log.feed(vec![added(1, 7, reclaimed), queued(protocol::record::QueuedWhy::Reclaimed)]);
    assert_eq!(log.state(1), CustomerState::Waiting);
    // Another contact's events of the same record change nothing here.
    log.feed(vec![added(1, 8, EntryKind::FromCustomer), assigned(2)]);
    assert_eq!(log.state(1), CustomerState::Waiting);
    log.feed(vec![added(1, 9, EntryKind::CustomerLeft), Event::Abandoned { contact: contact(1) }]);
    assert_eq!(log.state(1), CustomerState::Resolved);
}

#[test]
fn who_leaves_an_agent_is_still_with_the_agent() {
    let mut log = Log::default();
    log.feed(vec![opened(1, ChannelKind::Web)]);
    wait(&mut log, 1, 1);
    accept(&mut log, 1, 2);
    log.feed(vec![added(1, 3, EntryKind::CustomerLeft)]);
    assert_eq!(log.state(1), CustomerState::WithAgent, "the agent has it until it is resolved");
    log.feed(vec![added(1, 4, EntryKind::FromCustomer)]);
    assert_eq!(log.state(1), CustomerState::WithAgent);
}

#[test]
fn who_comes_back_during_the_wrap_up_is_with_the_agent_at_once() {
    let mut log = Log::default();
    log.feed(vec![opened(1, ChannelKind::Web)]);
    wait(&mut log, 1, 1);
    accept(&mut log, 1, 2);
    let wrap_up = Event::WrapUpStarted { contact: contact(1), agent: agent(), until: Millis(99) };
    log.feed(vec![added(1, 3, resolved()), wrap_up]);
    assert_eq!(log.state(1), CustomerState::Resolved);
    log.feed(vec![added(1, 4, EntryKind::CustomerLeft)]);
    assert_eq!(log.state(1), CustomerState::Resolved);
    log.feed(vec![
        Event::ContactReopened { contact: contact(1) },
        assigned(1),
        added(1, 5, EntryKind::Reopened),
        added(1, 6, EntryKind::FromCustomer),
    ]);
    assert_eq!(log.state(1), CustomerState::WithAgent);
    log.feed(vec![added(1, 7, resolved()), Event::Resolved { contact: contact(1), agent: agent() }]);
    assert_eq!(log.state(1), CustomerState::Resolved);
}

#[test]
fn a_forgotten_conversation_goes_on_where_it_was() {
    let mut log = Log::default();
    log.feed(vec![
        opened(1, ChannelKind::Web),
        added(1, 1, EntryKind::FromCustomer),
        added(1, 2, resolved()),
    ]);
    log.projection.conversations.get_mut(&conversation(1)).unwrap().entries.clear();
    log.feed(vec![added(1, 3, EntryKind::Reopened)]);
    assert_eq!(
        log.projection.after(identity(1), 0),
        After::Older { conversation: conversation(1), before: 3 }
    );
    assert_eq!(log.seqs_after(1, 2), [3]);
}

#[test]
fn accounts_and_names_come_from_the_configuration() {
    let mut projection = Projection::default();
    assert!(!projection.is_configured());
    let account = |channel, name| Account {
        channel,
        name: token(name),
        title: "T".into(),
        queue: token("q"),
        priority: 0,
        practice: false,
    };
    let person = Agent { title: "Anna".into(), ..Agent::new(agent(), token("anna")) };
    let config = |accounts, agents| {
        let config = RoutingConfig { accounts, agents, ..RoutingConfig::default() };
        let id = NoticeId(Uuid::from_u128(2));
        Some(InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([0; 16]),
            config: Box::new(config),
        }))
    };
    let accounts = vec![account(ChannelKind::Web, "shop"), account(ChannelKind::Api, "till")];
    projection.apply(1, &record(config(accounts, vec![person]), vec![Event::ConfigApplied]));
    assert!(projection.is_configured());
    assert!(projection.has_account(&token("shop")));
    assert!(!projection.has_account(&token("till")));
    let refused = vec![Event::ConfigRefused { faults: Vec::new() }];
    projection.apply(2, &record(config(Vec::new(), Vec::new()), refused));
    assert!(projection.has_account(&token("shop")), "a refused configuration changes nothing");
    projection.apply(3, &record(config(Vec::new(), Vec::new()), vec![Event::ConfigApplied]));
    assert!(!projection.has_account(&token("shop")));
    let title = |entry: &EntryKind| projection.title(entry).map(|title| title.to_string());
    assert_eq!(
        title(&EntryKind::FromAgent { agent: agent(), bot: false }),
        Some("Anna".into()),
        "who left keeps the name"
    );
    assert_eq!(title(&EntryKind::Note { agent: agent() }), None);
}
