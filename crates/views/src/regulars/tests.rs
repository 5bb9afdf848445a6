use protocol::arrival::Suits;
use protocol::content::Sealed;
use protocol::customer::CustomerKeys;
use protocol::facts::FactValues;
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::record::QueuedWhy;
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, Hash128, Input, MessageId};

use super::*;
use crate::fold::Conversations;
use crate::store::{Origin, Row, Store, connect_reader};

const ANNA: AgentId = AgentId(uuid::Uuid::from_u128(1));
const BEN: AgentId = AgentId(uuid::Uuid::from_u128(2));
const NOW: Millis = Millis(1_000 * DAY_MS);

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

fn customer(n: u8) -> IdentityId {
    IdentityId(Hash128([n; 16]))
}

/// Writes a log, and asks of it.
#[derive(Default)]
struct Log {
    rows: Vec<Row<Record>>,
    known: BTreeSet<IdentityId>,
}

impl Log {
    fn record(&mut self, at: Millis, cause: Cause, events: Vec<Event>) -> u64 {
        let seq = u64::try_from(self.rows.len()).unwrap() + 1;
        let record = Record { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([0; 16]), cause, events };
        self.rows.push(Row { origin: Origin::new(seq, at.0, None), record });
        seq
    }

    fn message(&self, identity: IdentityId, channel: ChannelKind) -> CustomerMessage {
        let id = MessageId(uuid::Uuid::from_u128(u128::try_from(self.rows.len()).unwrap()));
        let body = Sealed::from_parts(identity, 1, "words");
        let (provider, content) = (Hash128([1; 16]), Hash128([2; 16]));
        CustomerMessage::new(id, channel, token("shop"), identity, provider, content, body)
    }

    fn wrote(&mut self, at: Millis, message: CustomerMessage, events: Vec<Event>) -> u64 {
        let seq = u64::try_from(self.rows.len()).unwrap() + 1;
        let input = Input { v: WIRE_VERSION, made_at: at, body: InputBody::Message(message) };
        self.record(at, Cause::Input { seq, input }, events)
    }

    /// A contact from its first words to its end, by who had it.
    fn contact(&mut self, at: Millis, message: CustomerMessage, tag: &str, practice: bool, end: EntryKind) {
        let seq = u64::try_from(self.rows.len()).unwrap() + 1;
        let (identity, channel) = (message.identity, message.channel);
        let conversation = ConversationId { log_seq: u64::from(identity.0.0[0]), n: 9 };
        let contact = ContactId { log_seq: seq, n: 1 };
        let entry = |n, entry| Event::EntryAdded { conversation, contact, seq: 2 * seq + n, entry };
        let mut events = Vec::new();
        if self.known.insert(identity) {
            let account = token("shop");
            events.push(Event::ConversationOpened { conversation, identity, channel, account, thread: None });
        }
        events.push(Event::ContactOpened {
            contact,
            conversation,
            channel,
            category: None,
            facts: FactValues::new(),
            route: None,
            practice,
            people_only: false,
        });
        events.push(entry(0, EntryKind::FromCustomer));
        self.wrote(at, message, events);
        let (EntryKind::Resolved { agent, .. } | EntryKind::ClosedAfterSilence { agent }) = end else {
            panic!("{end:?} is no end")
        };
        let (tags, fields) = (BTreeSet::from([token(tag)]), BTreeMap::new());
        let marked = Event::ContactMarked { contact, conversation, tags, fields };
        self.record(at, Cause::Timer, vec![marked, entry(1, end), Event::Resolved { contact, agent }]);
    }

    /// A contact about coats that an agent resolved.
    fn helped(&mut self, agent: AgentId, days_ago: u64, message: CustomerMessage) {
        self.contact(ago(days_ago), message, "coats", false, resolved(agent));
    }

    /// A message by text.
    fn text(&self, n: u8) -> CustomerMessage {
        self.message(customer(n), ChannelKind::Sms)
    }

    fn regulars(&self, agent: AgentId) -> Vec<Regular> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.sqlite");
        Store::<Conversations>::open(path.clone()).unwrap().apply(&self.rows).unwrap();
        let suits = Suits { tags: BTreeSet::from([token("coats")]), ..Suits::default() };
        let question = RegularsQuestion { agent, suits, queue: token("general") };
        Regulars::answer(&mut connect_reader(&path).unwrap(), &question, NOW).unwrap().regulars
    }

    /// Where each can be written to, in order.
    fn found(&self, agent: AgentId) -> Vec<(u8, u32, Vec<ChannelKind>)> {
        let shown = |one: Regular| {
            let channels = one.ways.iter().map(|way| way.channel).collect();
            (one.name().unwrap().0.0[0], one.resolved, channels)
        };
        self.regulars(agent).into_iter().map(shown).collect()
    }
}

fn ago(days: u64) -> Millis {
    Millis(NOW.0 - days * DAY_MS)
}

fn resolved(agent: AgentId) -> EntryKind {
    EntryKind::Resolved { agent, disposition: token("done"), fields: BTreeMap::new() }
}

const SMS: ChannelKind = ChannelKind::Sms;

#[test]
fn a_regular_is_who_was_helped_twice_within_a_year_by_the_same_agent() {
    let mut log = Log::default();
    for days in [365, 3] {
        log.helped(ANNA, days, log.text(1));
    }
    // One of them is too long ago.
    for days in [366, 2] {
        log.helped(ANNA, days, log.text(2));
    }
    log.helped(ANNA, 9, log.text(3));
    log.helped(BEN, 8, log.text(3));
    for days in [7, 6, 5] {
        log.helped(BEN, days, log.text(4));
    }
    for days in [4, 1] {
        log.helped(ANNA, days, log.text(5));
    }
    assert_eq!(log.found(ANNA), [(5, 2, vec![SMS]), (1, 2, vec![SMS])], "the latest first");
    assert_eq!(log.found(BEN), [(4, 3, vec![SMS])]);
}

#[test]
fn what_was_practised_or_ended_in_silence_makes_nobody_a_regular() {
    let mut log = Log::default();
    for days in [5, 4] {
        log.contact(ago(days), log.text(1), "coats", true, resolved(ANNA));
        let silent = EntryKind::ClosedAfterSilence { agent: ANNA };
        log.contact(ago(days), log.text(2), "coats", false, silent);
        log.contact(ago(days), log.text(3), "shoes", false, resolved(ANNA));
        log.contact(ago(days), log.text(4), "shoes", false, resolved(ANNA));
    }
    assert_eq!(log.found(ANNA), []);
    // One about coats is enough.
    log.helped(ANNA, 1, log.text(4));
    assert_eq!(log.found(ANNA), [(4, 3, vec![SMS])]);
}

#[test]
fn who_was_helped_in_another_queue_is_no_regular_of_this_one() {
    let mut log = Log::default();
    for (n, queue) in [(1, "general"), (2, "other")] {
        for days in [5, 4] {
            let contact = ContactId { log_seq: u64::try_from(log.rows.len()).unwrap() + 1, n: 1 };
            log.helped(ANNA, days, log.text(n));
            let (queue, needs, since) = (token(queue), Vec::new(), ago(days));
            let why = QueuedWhy::Opened;
            let queued = Event::Queued { contact, queue, priority: 0, needs, since, preferred: None, why };
            log.record(ago(days), Cause::Timer, vec![queued, Event::Resolved { contact, agent: ANNA }]);
        }
    }
    assert_eq!(log.found(ANNA), [(1, 2, vec![SMS])]);
}

#[test]
fn when_somebody_asked_for_silence_is_told_whichever_way_they_are_written_to() {
    let mut log = Log::default();
    let with_key = |message: CustomerMessage| {
        let keys = CustomerKeys { verified: vec![Hash128([7; 16])], claimed: Vec::new() };
        CustomerMessage { keys: Some(Box::new(keys)), ..message }
    };
    for days in [9, 8] {
        log.helped(ANNA, days, with_key(log.text(1)));
    }
    log.helped(ANNA, 7, with_key(log.message(customer(2), ChannelKind::Telegram)));
    let since = |log: &Log| log.regulars(ANNA).first().and_then(|one| one.silent_since);
    assert_eq!(since(&log), None);
    log.wrote(ago(3), CustomerMessage { may_write: Some(false), ..log.text(1) }, Vec::new());
    assert_eq!(log.found(ANNA), [(1, 3, vec![ChannelKind::Telegram])]);
    assert_eq!(since(&log), Some(ago(3)));
    log.wrote(ago(2), CustomerMessage { may_write: Some(true), ..log.text(1) }, Vec::new());
    assert_eq!(since(&log), None);
}

#[test]
fn a_contact_that_is_open_again_is_resolved_no_more() {
    let mut log = Log::default();
    for days in [5, 4] {
        log.helped(ANNA, days, log.text(1));
    }
    assert_eq!(log.found(ANNA).len(), 1);
    let contact = ContactId { log_seq: 3, n: 1 };
    log.record(ago(3), Cause::Timer, vec![Event::ContactReopened { contact }]);
    assert_eq!(log.found(ANNA), []);
}

#[test]
fn a_customer_of_several_channels_is_one_and_is_written_to_where_they_wrote_last() {
    let mut log = Log::default();
    let with_key = |message: CustomerMessage| {
        let keys = CustomerKeys { verified: vec![Hash128([7; 16])], claimed: Vec::new() };
        CustomerMessage { keys: Some(Box::new(keys)), language: Some("nl".parse().unwrap()), ..message }
    };
    log.helped(ANNA, 9, with_key(log.text(2)));
    log.helped(ANNA, 8, with_key(log.message(customer(1), ChannelKind::Whatsapp)));
    log.helped(ANNA, 7, with_key(log.message(customer(3), ChannelKind::Web)));
    assert_eq!(log.found(ANNA), [(1, 3, vec![ChannelKind::Whatsapp, SMS])], "a chat is with who is there");
    let [regular] = log.regulars(ANNA).try_into().unwrap();
    assert_eq!(regular.identities.len(), 3);
    assert_eq!(regular.ways[0].language, Some("nl".parse().unwrap()));
    assert_eq!(regular.ways[0].wrote_at, ago(8));
    assert!(regular.ways.iter().all(|way| way.sample.is_some()));
    // They write again, elsewhere.
    log.helped(BEN, 6, with_key(log.text(2)));
    assert_eq!(log.found(ANNA), [(1, 3, vec![SMS, ChannelKind::Whatsapp])]);
}

#[test]
fn who_asked_for_silence_is_written_to_again_only_when_they_say_so() {
    let mut log = Log::default();
    for days in [9, 8] {
        log.helped(ANNA, days, log.text(1));
    }
    let says = |log: &mut Log, may: bool, events: Vec<Event>| {
        let message = CustomerMessage { may_write: Some(may), ..log.text(1) };
        log.wrote(ago(3), message, events);
    };
    says(&mut log, false, vec![Event::DuplicateSkipped]);
    assert_eq!(log.found(ANNA).len(), 1);
    says(&mut log, false, Vec::new());
    assert_eq!(log.found(ANNA), []);
    says(&mut log, true, Vec::new());
    assert_eq!(log.found(ANNA).len(), 1);
    // What somebody of ours wrote elsewhere is not the customer's word.
    let message = CustomerMessage { by_colleague: true, may_write: Some(false), ..log.text(1) };
    log.wrote(ago(2), message, Vec::new());
    assert_eq!(log.found(ANNA).len(), 1);
}

#[test]
fn so_many_are_told_and_no_more_the_latest() {
    let mut log = Log::default();
    let most = u8::try_from(TOLD_MAX).unwrap();
    for n in (1..=most + 1).rev() {
        for _ in 0..2 {
            log.helped(ANNA, u64::from(n), log.text(n));
        }
    }
    let found: Vec<u8> = log.found(ANNA).into_iter().map(|(n, ..)| n).collect();
    assert_eq!(found, (1..=most).collect::<Vec<_>>());
}
