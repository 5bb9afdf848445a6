//! A conversation as the log tells it, for tests.

use protocol::command::{AgentCommand, Outcome};
use protocol::content::Sealed;
use protocol::input::{CustomerMessage, WIRE_VERSION};
use protocol::record::{ChoiceRule, EntryKind, OfferEnd, PassedOver, QueuedWhy, Receipt};
use protocol::remedy::Wish;
use protocol::{
    AgentId, Cause, ChannelKind, Command, CommandId, ContactId, ConversationId, Event, Hash128, IdentityId,
    Input, InputBody, MessageId, Millis, OfferId, Record, RemedyId, SubjectToken, TellId,
};
use rusqlite::Connection;

use crate::store::{Origin, Row};

pub(crate) fn conversation_id() -> ConversationId {
    ConversationId { log_seq: 1, n: 0 }
}

pub(crate) fn contact_id() -> ContactId {
    ContactId { log_seq: 1, n: 1 }
}

fn identity() -> IdentityId {
    IdentityId(Hash128([7; 16]))
}

pub(crate) fn agent() -> AgentId {
    AgentId(uuid_of(1))
}

pub(crate) fn remedy_id() -> RemedyId {
    RemedyId { log_seq: 2, n: 0 }
}

fn uuid_of(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed::from_parts(identity(), 1, text)
}

fn row(seq: u64, cause: Cause, events: Vec<Event>) -> Row<Record> {
    let record =
        Record { v: WIRE_VERSION, at: Millis(1000 + seq), epoch: 1, policy: Hash128([0; 16]), cause, events };
    Row { origin: Origin::new(seq, 5000 + seq, Some("id")), record }
}

fn input(seq: u64, body: InputBody) -> Cause {
    Cause::Input { seq, input: Input { v: WIRE_VERSION, made_at: Millis(seq), body } }
}

fn wrote(seq: u64, text: &str) -> Cause {
    input(
        seq,
        InputBody::Message(CustomerMessage::new(
            MessageId(uuid_of(u128::from(seq))),
            ChannelKind::Web,
            token("shop"),
            identity(),
            Hash128([1; 16]),
            Hash128([2; 16]),
            sealed(text),
        )),
    )
}

fn command(seq: u64, command: Command) -> Cause {
    let id = CommandId(uuid_of(u128::from(seq)));
    input(seq, InputBody::Command(AgentCommand { id, agent: agent(), command }))
}

fn entry(seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: conversation_id(), contact: contact_id(), seq, entry }
}

fn settled(seq: u64) -> Event {
    Event::CommandSettled { command: CommandId(uuid_of(u128::from(seq))), outcome: Outcome::Done }
}

fn queued(why: QueuedWhy) -> Event {
    Event::Queued {
        contact: contact_id(),
        queue: token("sales"),
        priority: 0,
        needs: Vec::new(),
        since: Millis(1001),
        preferred: None,
        why,
    }
}

fn opened() -> Vec<Event> {
    vec![
        Event::ConversationOpened {
            conversation: conversation_id(),
            identity: identity(),
            channel: ChannelKind::Web,
            account: token("shop"),
            thread: None,
        },
        Event::ContactOpened {
            contact: contact_id(),
            conversation: conversation_id(),
            channel: ChannelKind::Web,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        },
        entry(1, EntryKind::FromCustomer),
        queued(QueuedWhy::Opened),
    ]
}

fn offer() -> OfferId {
    OfferId { log_seq: 1, n: 2 }
}

/// Opened, offered, accepted, answered, resolved: five records, four entries.
pub(crate) fn conversation() -> Vec<Row<Record>> {
    let (contact, agent, offer) = (contact_id(), agent(), offer());
    let receipt = Receipt {
        rule: ChoiceRule::LongestIdle,
        waited_ms: 0,
        idle_ms: 0,
        waiting_in_class: 1,
        score_ms: None,
        step: 0,
        rank: 0,
        runners_up: Vec::new(),
        passed_over: PassedOver::default(),
    };
    let reply = Command::Reply { contact, message: MessageId(uuid_of(99)), body: sealed("second") };
    let disposition = token("done");
    vec![
        row(1, wrote(1, "first"), opened()),
        row(
            2,
            Cause::Timer,
            vec![Event::OfferMade { offer, contact, agent, expires_at: Millis(9000), receipt }],
        ),
        row(
            3,
            command(2, Command::Accept { offer }),
            vec![
                Event::OfferEnded { offer, contact, agent, end: OfferEnd::Accepted },
                Event::Assigned { contact, agent },
                entry(2, EntryKind::Joined { agent }),
                settled(2),
            ],
        ),
        row(4, command(3, reply), vec![entry(3, EntryKind::FromAgent { agent, bot: false }), settled(3)]),
        row(
            5,
            command(4, Command::Resolve { contact, disposition: disposition.clone(), fields: [].into() }),
            vec![
                entry(4, EntryKind::Resolved { agent, disposition, fields: [].into() }),
                Event::Resolved { contact, agent },
                settled(4),
            ],
        ),
    ]
}

/// The customer writes again after the end of [`conversation`].
pub(crate) fn reopened(seq: u64) -> Row<Record> {
    row(
        seq,
        wrote(seq, "again"),
        vec![
            Event::ContactReopened { contact: contact_id() },
            entry(5, EntryKind::Reopened),
            entry(6, EntryKind::FromCustomer),
            queued(QueuedWhy::Reopened),
        ],
    )
}

/// The customer is told after the end of [`conversation`] what was given.
pub(crate) fn told(seq: u64) -> Row<Record> {
    let tell = TellId { log_seq: 3, n: 0 };
    let wish = Wish::Tell {
        tell,
        conversation: conversation_id(),
        contact: contact_id(),
        agent: agent(),
        remedy: Some(remedy_id()),
        message: MessageId(uuid_of(98)),
        body: sealed("given"),
    };
    let entry = entry(5, EntryKind::Told { agent: agent(), remedy: Some(remedy_id()) });
    row(seq, input(seq, InputBody::Wish(wish)), vec![entry, Event::CustomerTold { tell, told: true }])
}

/// The router forgets it, since another customer begins one.
pub(crate) fn forgotten(seq: u64) -> Row<Record> {
    row(seq, Cause::Timer, vec![Event::ConversationForgotten { conversation: conversation_id() }])
}

/// A conversation of so many messages of the customer, each of these words.
pub(crate) fn long_conversation(messages: u64, words: &str) -> Vec<Row<Record>> {
    let mut rows = vec![row(1, wrote(1, words), opened())];
    rows.extend((2..=messages).map(|n| row(n, wrote(n, words), vec![entry(n, EntryKind::FromCustomer)])));
    rows
}

/// The customer writes in [`conversation`] once more, in this contact.
pub(crate) fn entry_of(seq: u64, contact: ContactId) -> Row<Record> {
    let added =
        Event::EntryAdded { conversation: conversation_id(), contact, seq, entry: EntryKind::FromCustomer };
    row(seq, wrote(seq, "later"), vec![added])
}

/// So many contacts of one conversation, opened one after another.
pub(crate) fn many_contacts(contacts: u32) -> Vec<Row<Record>> {
    let mut rows = vec![row(1, wrote(1, "x"), opened())];
    rows.extend((2..=contacts).map(|n| {
        let contact = ContactId { log_seq: u64::from(n), n: 0 };
        let conversation = conversation_id();
        let opened = Event::ContactOpened {
            contact,
            conversation,
            channel: ChannelKind::Web,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        };
        row(u64::from(n), Cause::Timer, vec![opened])
    }));
    rows
}

/// Every row of every table, to compare two databases by.
pub(crate) fn dump(connection: &Connection) -> Vec<String> {
    ["progress", "conversations", "contacts", "entries", "customer_keys", "customer_links", "customer_parted"]
        .iter()
        .flat_map(|table| {
            let mut select = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
            let columns = select.column_count();
            let rows = select
                .query_map([], |row| {
                    (0..columns)
                        .map(|n| row.get::<_, rusqlite::types::Value>(n))
                        .collect::<Result<Vec<_>, _>>()
                })
                .unwrap();
            rows.map(|row| format!("{table} {:?}", row.unwrap())).collect::<Vec<_>>()
        })
        .collect()
}
