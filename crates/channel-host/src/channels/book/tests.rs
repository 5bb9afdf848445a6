use protocol::input::{Input, MessageThread};
use protocol::{AgentId, ContactId};
use uuid::Uuid;

use super::*;

const TALK: ConversationId = ConversationId { log_seq: 1, n: 0 };
const CONTACT: ContactId = ContactId { log_seq: 1, n: 1 };

fn key() -> AccountKey {
    AccountKey { channel: ChannelKind::Email, account: SubjectToken::new("support").unwrap() }
}

fn record(cause: Cause, events: Vec<Event>) -> Record {
    Record { v: 1, epoch: 1, at: Millis(17), policy: Hash128([0; 16]), cause, events }
}

fn timer(events: Vec<Event>) -> Record {
    record(Cause::Timer, events)
}

fn opened() -> Event {
    Event::ConversationOpened {
        conversation: TALK,
        identity: IdentityId(Hash128([7; 16])),
        channel: ChannelKind::Email,
        account: key().account,
        thread: Some(Hash128([9; 16])),
    }
}

fn added(seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: TALK, contact: CONTACT, seq, entry }
}

fn from_agent() -> EntryKind {
    EntryKind::FromAgent { agent: AgentId(Uuid::nil()), bot: false }
}

fn heard(aliases: &[u8]) -> Record {
    let identity = IdentityId(Hash128([7; 16]));
    let message = CustomerMessage {
        thread: Some(Box::new(MessageThread {
            id: Hash128([9; 16]),
            aliases: aliases.iter().map(|n| Hash128([*n; 16])).collect(),
        })),
        ..CustomerMessage::new(
            MessageId(Uuid::nil()),
            ChannelKind::Email,
            key().account,
            identity,
            Hash128([1; 16]),
            Hash128([2; 16]),
            protocol::content::Sealed::from_parts(identity, 1, "x"),
        )
    };
    let input = Input { v: 1, made_at: Millis(17), body: InputBody::Message(message) };
    let cause = Cause::Input { seq: 3, input };
    record(cause, vec![opened(), added(1, EntryKind::FromCustomer)])
}

fn step(seq: u64, state: DeliveryState, attempt: u32) -> Delivery {
    Delivery {
        v: 1,
        at: Millis(18),
        channel: ChannelKind::Email,
        account: key().account,
        conversation: TALK,
        contact: None,
        seq,
        message: None,
        state,
        attempt,
        reason: None,
        provider_hash: None,
        again_at: None,
    }
}

fn book() -> Book {
    let sends = |_: &AccountKey, kind: &EntryKind| !matches!(kind, EntryKind::Reopened);
    Book::new(vec![ChannelKind::Email], Box::new(sends))
}

fn next_seq(book: &Book) -> Option<u64> {
    book.next(TALK).map(|(_, entry, _)| entry.seq)
}

#[test]
fn entries_go_in_order_and_each_until_it_is_settled() {
    let mut book = book();
    assert!(book.record(1, &heard(&[])).is_empty(), "the customer's own words are not sent to them");
    book.record(2, &timer(vec![added(2, from_agent())]));
    book.record(
        3,
        &timer(vec![added(3, EntryKind::Note { agent: AgentId(Uuid::nil()) }), added(4, from_agent())]),
    );
    assert_eq!(next_seq(&book), Some(2));
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Sending, 1)), Some(DeliveryState::Sending));
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Queued, 1)), Some(DeliveryState::Queued));
    assert_eq!(next_seq(&book), Some(2), "it waits to be tried again, and what is behind it waits too");
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Sending, 2)), Some(DeliveryState::Sending));
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Accepted, 2)), Some(DeliveryState::Accepted));
    assert_eq!(next_seq(&book), Some(4));
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Sent, 0)), Some(DeliveryState::Sent));
    assert_eq!(book.delivery(1, &step(2, DeliveryState::Accepted, 0)), None, "never back");
    assert_eq!(book.delivery(1, &step(4, DeliveryState::Failed, 1)), Some(DeliveryState::Failed));
    assert_eq!(next_seq(&book), None);
    assert_eq!(book.waiting().count(), 0);
}

/// Whichever log is read first, what was sent is not sent again.
#[test]
fn the_two_logs_may_be_read_in_any_order() {
    let contacts = [heard(&[]), timer(vec![added(2, from_agent())]), timer(vec![added(3, from_agent())])];
    let deliveries = [
        step(2, DeliveryState::Sending, 1),
        step(2, DeliveryState::Accepted, 1),
        step(3, DeliveryState::Sending, 1),
    ];
    for turns in 0_u32..1 << (contacts.len() + deliveries.len()) {
        if usize::try_from(turns.count_ones()).unwrap() != contacts.len() {
            continue;
        }
        let mut book = book();
        let (mut records, mut steps) = (contacts.iter(), deliveries.iter());
        for n in 0..contacts.len() + deliveries.len() {
            if turns >> n & 1 == 1 {
                book.record(u64::try_from(n).unwrap() + 1, records.next().unwrap());
            } else {
                book.delivery(1, steps.next().unwrap());
            }
        }
        let (_, entry, step) = book.next(TALK).unwrap();
        let known = step.map(|step| (step.state, step.attempt));
        assert_eq!((entry.seq, known), (3, Some((DeliveryState::Sending, 1))), "{turns:b}");
    }
}

#[test]
fn threads_are_found_by_their_aliases_also_before_the_log_shows_them() {
    let mut book = book();
    book.expect(Hash128([9; 16]), &[Hash128([5; 16])], IdentityId(Hash128([7; 16])));
    assert_eq!(book.thread_of(Hash128([5; 16])), Some(Hash128([9; 16])));
    book.record(1, &heard(&[6]));
    assert_eq!(book.thread_of(Hash128([6; 16])), Some(Hash128([9; 16])));
    assert_eq!(book.conversation_of(Hash128([9; 16])), Some(TALK));
    assert_eq!(book.thread_of(Hash128([7; 16])), None);
    book.record(2, &timer(vec![Event::ConversationForgotten { conversation: TALK }]));
    assert_eq!(book.conversation_of(Hash128([9; 16])), None);
    assert_eq!(
        book.thread_of(Hash128([6; 16])),
        Some(Hash128([9; 16])),
        "the next message of the thread is of it"
    );
}

#[test]
fn of_a_customers_messages_the_first_and_the_last_are_remembered() {
    let mut book = book();
    book.record(1, &heard(&[]));
    for seq in 2..=9 {
        let mut record = heard(&[]);
        record.events.remove(0);
        book.record(seq, &record);
    }
    assert_eq!(book.talk(TALK).unwrap().heard, [1, 6, 7, 8, 9]);
}

#[test]
fn who_gave_everything_back_is_sent_nothing_until_they_write_again() {
    let mut book = book();
    let identity = IdentityId(Hash128([7; 16]));
    book.record(1, &heard(&[]));
    book.record(2, &timer(vec![added(2, from_agent())]));
    book.delivery(1, &step(2, DeliveryState::Accepted, 1));
    assert!(!book.is_suppressed(identity));
    book.record(3, &timer(vec![added(3, from_agent())]));
    book.delivery(
        1,
        &Delivery { reason: Some(RECIPIENT_UNKNOWN.to_owned()), ..step(3, DeliveryState::Failed, 1) },
    );
    assert!(!book.is_suppressed(identity), "a copy reached nobody");
    book.delivery(
        1,
        &Delivery { reason: Some(ADDRESS_UNKNOWN.to_owned()), ..step(2, DeliveryState::Failed, 0) },
    );
    assert!(book.is_suppressed(identity));
    let mut again = heard(&[]);
    again.events = vec![added(4, EntryKind::FromCustomer)];
    book.record(4, &again);
    assert!(!book.is_suppressed(identity));
}

#[test]
fn who_wants_no_more_messages_gets_none_until_they_say_so_whatever_is_read_first() {
    let identity = IdentityId(Hash128([7; 16]));
    let says = |seq: u64, at: u64, may: Option<bool>| {
        let mut record = heard(&[]);
        record.at = Millis(at);
        record.events = vec![added(seq, EntryKind::Automatic)];
        let Cause::Input { input, .. } = &mut record.cause else { unreachable!("it is one") };
        let InputBody::Message(message) = &mut input.body else { unreachable!("it is one") };
        message.automatic = true;
        message.may_write = may;
        record
    };
    let refused = |seq: u64, at: u64| Delivery {
        at: Millis(at),
        reason: Some(OPTED_OUT.to_owned()),
        ..step(seq, DeliveryState::Failed, 1)
    };
    let handed_over = |seq: u64, at: u64| Delivery { at: Millis(at), ..step(seq, DeliveryState::Sending, 1) };
    let mut book = book();
    book.record(1, &heard(&[]));
    book.record(2, &says(3, 10_000, Some(false)));
    assert!(book.is_opted_out(identity));
    book.record(3, &says(4, 11_000, None));
    assert!(book.is_opted_out(identity), "other words do not change it");
    let mut again = says(4, 11_200, Some(true));
    again.events = Vec::new();
    book.record(4, &again);
    assert!(book.is_opted_out(identity), "what came again changes nothing");
    book.record(4, &says(5, 12_000, Some(true)));
    assert!(!book.is_opted_out(identity));
    // What their provider refused in between is older than what they said last, whenever it is told.
    book.delivery(1, &handed_over(2, 11_500));
    book.delivery(2, &refused(2, 13_000));
    assert!(!book.is_opted_out(identity));
    // What we refused ourselves is no news.
    book.delivery(3, &refused(7, 14_000));
    assert!(!book.is_opted_out(identity));
    book.delivery(4, &handed_over(8, 12_500));
    book.delivery(5, &refused(8, 13_000));
    assert!(book.is_opted_out(identity));
}

#[test]
fn a_customers_threads_are_found_open_ones_first() {
    let mut book = book();
    let identity = IdentityId(Hash128([7; 16]));
    assert_eq!(book.threads_of(&key(), identity), (None, None));
    book.record(1, &heard(&[]));
    let thread = Some(Hash128([9; 16]));
    assert_eq!(book.threads_of(&key(), identity), (thread, thread));
    let agent = AgentId(Uuid::nil());
    let resolved = EntryKind::ClosedAfterSilence { agent };
    book.record(2, &timer(vec![added(2, resolved)]));
    assert_eq!(book.threads_of(&key(), identity), (None, thread));
    assert_eq!(book.owner_of(Hash128([9; 16])), Some(identity));
}

/// However far DELIVERIES is read ahead.
#[test]
fn nothing_that_was_sent_is_sent_again_however_long_the_conversation() {
    for is_shown in [true, false] {
        let mut book = book();
        if is_shown {
            book.record(1, &heard(&[]));
        }
        for seq in 2..1000 {
            book.delivery(seq, &step(seq, DeliveryState::Sending, 1));
            book.delivery(seq, &step(seq, DeliveryState::Accepted, 1));
        }
        if !is_shown {
            book.record(1, &heard(&[]));
        }
        for seq in 2..1001 {
            book.record(seq, &timer(vec![added(seq, from_agent())]));
        }
        assert_eq!(next_seq(&book), Some(1000), "{is_shown}: the only one that is left");
        book.delivery(1000, &step(1000, DeliveryState::Accepted, 1));
        assert_eq!(next_seq(&book), None);
        assert_eq!(book.talk(TALK).unwrap().steps.len(), STEPS_KEPT_MAX, "what is over is let go");
    }
}

#[test]
fn a_conversation_that_was_forgotten_goes_when_all_of_it_is_sent() {
    let mut book = book();
    let identity = IdentityId(Hash128([7; 16]));
    book.record(1, &heard(&[]));
    book.record(
        2,
        &timer(vec![added(2, from_agent()), added(3, EntryKind::Reopened), added(4, from_agent())]),
    );
    book.record(3, &timer(vec![Event::ConversationForgotten { conversation: TALK }]));
    book.delivery(1, &step(2, DeliveryState::Accepted, 1));
    assert_eq!(next_seq(&book), Some(4), "what was said is sent all the same");
    book.delivery(2, &step(4, DeliveryState::Failed, 1));
    assert!(book.talk(TALK).is_none());
    assert_eq!(book.threads_of(&key(), identity), (None, None));
    // What is told of it later is kept nowhere; the same of one that is yet to come is.
    book.delivery(3, &step(4, DeliveryState::Delivered, 0));
    assert!(book.talk(TALK).is_none() && book.early.is_empty());
    let later = ConversationId { log_seq: 9, n: 0 };
    book.delivery(4, &Delivery { conversation: later, ..step(2, DeliveryState::Accepted, 1) });
    assert_eq!(book.early.len(), 1);
    book.record(9, &timer(vec![]));
    assert!(book.early.is_empty(), "it is of no conversation of these channels");
}

#[test]
fn what_nothing_is_sent_for_neither_waits_nor_keeps_its_conversation() {
    let mut book = book();
    book.record(1, &heard(&[]));
    assert!(book.record(2, &timer(vec![added(2, EntryKind::Reopened)])).is_empty());
    assert_eq!((next_seq(&book), book.waiting().count()), (None, 0));
    book.record(3, &timer(vec![Event::ConversationForgotten { conversation: TALK }]));
    assert!(book.talk(TALK).is_none());
}

#[test]
fn what_nobody_knows_is_not_tried_again_by_itself() {
    let mut book = book();
    book.record(1, &heard(&[]));
    book.record(2, &timer(vec![added(2, from_agent())]));
    book.delivery(1, &step(2, DeliveryState::Sending, 1));
    book.delivery(2, &step(2, DeliveryState::Unknown, 1));
    for late in [DeliveryState::Queued, DeliveryState::Sending] {
        assert_eq!(book.delivery(3, &step(2, late, 1)), None, "{late:?}");
        assert_eq!(next_seq(&book), None);
    }
}

#[test]
fn who_began_an_attempt_first_is_known() {
    let mut book = book();
    book.record(1, &heard(&[]));
    book.record(2, &timer(vec![added(2, from_agent())]));
    let begun = |book: &Book| book.step(TALK, 2).unwrap().begun.map(|begun| (begun.attempt, begun.at));
    book.delivery(5, &step(2, DeliveryState::Sending, 1));
    book.delivery(6, &step(2, DeliveryState::Sending, 1));
    assert_eq!(begun(&book), Some((1, 5)), "the later one sends nothing");
    book.delivery(7, &step(2, DeliveryState::Queued, 1));
    assert_eq!(begun(&book), Some((1, 5)));
    book.delivery(8, &step(2, DeliveryState::Sending, 2));
    book.delivery(9, &step(2, DeliveryState::Sending, 1));
    assert_eq!(begun(&book), Some((2, 8)));
}

#[test]
fn an_account_that_is_not_let_in_uses_up_no_attempt() {
    let mut book = book();
    book.record(1, &heard(&[]));
    book.record(2, &timer(vec![added(2, from_agent())]));
    for attempt in 1..=20 {
        book.delivery(1, &step(2, DeliveryState::Sending, attempt));
        book.delivery(1, &step(2, DeliveryState::Queued, attempt));
    }
    book.delivery(1, &step(2, DeliveryState::Sending, 21));
    let again = Delivery { again_at: Some(Millis(90)), ..step(2, DeliveryState::Queued, 21) };
    book.delivery(1, &again);
    let found = book.step(TALK, 2).unwrap();
    assert_eq!((found.attempt, found.untried), (21, 20));
}

#[test]
fn what_the_house_mails_by_itself_is_known_by_its_place() {
    let mut book = book();
    book.record(1, &heard(&[]));
    let told = EntryKind::SilenceWarned { closes_at: Millis(99) };
    book.record(2, &timer(vec![added(2, told)]));
    let id = place_id(TALK.log_seq, 2).unwrap();
    let place = Place { conversation: TALK, contact: Some(CONTACT), seq: 2, message: None };
    assert_eq!(book.place_of(id), Some(place));
}

const OTHER: ConversationId = ConversationId { log_seq: 50, n: 0 };

/// An agent writes first, in a conversation that opens by it.
fn begun(conversation: ConversationId, address: Option<&str>) -> Record {
    use protocol::command::{AgentCommand, Begin, Command};
    use protocol::content::Sealed;

    let identity = IdentityId(Hash128([7; 16]));
    let begin = Begin {
        channel: ChannelKind::Email,
        account: key().account,
        identity,
        address: address.map(|address| Sealed::from_parts(identity, 1, address)),
        queue: SubjectToken::new("general").unwrap(),
        contact: None,
        message: MessageId(Uuid::from_u128(3)),
        body: Sealed::from_parts(identity, 1, "hello"),
    };
    let (agent, command) = (AgentId(Uuid::nil()), Command::Begin(Box::new(begin)));
    let command = AgentCommand { id: protocol::CommandId(Uuid::nil()), agent, command };
    let input = Input { v: 1, made_at: Millis(17), body: InputBody::Command(command) };
    let opened = Event::ConversationOpened {
        conversation,
        identity,
        channel: ChannelKind::Email,
        account: key().account,
        thread: None,
    };
    let added = Event::EntryAdded { conversation, contact: CONTACT, seq: 1, entry: from_agent() };
    record(Cause::Input { seq: 3, input }, vec![opened, added])
}

#[test]
fn what_an_agent_writes_first_is_sent_and_its_record_is_where_the_address_stands() {
    let mut book = book();
    assert_eq!(book.record(7, &begun(TALK, Some("sealed"))), [TALK]);
    let (talk, entry, _) = book.next(TALK).unwrap();
    assert_eq!((talk.begun, talk.is_open, talk.heard.len(), talk.heard_at), (Some(7), true, 0, Millis(0)));
    assert_eq!((entry.seq, entry.message), (1, Some(MessageId(Uuid::from_u128(3)))));
    assert!(entry.body.is_some(), "the words stand in the cause");
    assert_eq!(book.latest_with(&key(), talk.identity).map(|talk| talk.begun), Some(Some(7)));
    let mut again = begun(TALK, None);
    again.events.remove(0);
    book.record(8, &again);
    assert_eq!(book.talk(TALK).unwrap().begun, Some(7), "who is known is told without an address");
    let mut refused = begun(TALK, Some("another"));
    refused.events.clear();
    book.record(9, &refused);
    assert_eq!(book.talk(TALK).unwrap().begun, Some(7), "what was refused tells nothing");
}

#[test]
fn a_contact_that_moves_is_open_where_it_goes_on() {
    let mut book = book();
    book.record(1, &heard(&[]));
    let mut moved = begun(OTHER, Some("sealed"));
    moved.events.insert(
        1,
        Event::ContactMoved {
            contact: CONTACT,
            from: TALK,
            conversation: OTHER,
            channel: ChannelKind::Email,
        },
    );
    let is_open = |book: &Book| [TALK, OTHER].map(|id| book.talk(id).map(|talk| talk.is_open));
    assert_eq!(is_open(&book), [Some(true), None]);
    book.record(2, &moved);
    assert_eq!(is_open(&book), [Some(false), Some(true)]);
    assert_eq!(book.latest_with(&key(), IdentityId(Hash128([7; 16]))).map(|talk| talk.begun), Some(Some(2)));
}

#[test]
fn what_a_colleague_wrote_elsewhere_is_not_the_customers() {
    let mut book = book();
    book.record(1, &heard(&[]));
    let mut record = heard(&[]);
    record.at = Millis(99);
    record.events = vec![added(2, EntryKind::FromColleague)];
    let Cause::Input { input, .. } = &mut record.cause else { unreachable!("it is one") };
    let InputBody::Message(message) = &mut input.body else { unreachable!("it is one") };
    (message.by_colleague, message.may_write) = (true, Some(false));
    assert!(book.record(2, &record).is_empty(), "it is with the customer already");
    let talk = book.talk(TALK).unwrap();
    assert_eq!((talk.heard.len(), talk.heard_at, next_seq(&book)), (1, Millis(17), None));
    assert!(!book.is_opted_out(talk.identity));
}

#[test]
fn an_answer_to_a_question_is_heard_and_opens_nothing() {
    use protocol::feedback::Question;

    let mut book = book();
    book.record(1, &heard(&[]));
    book.record(2, &timer(vec![added(2, EntryKind::ClosedAfterSilence { agent: AgentId(Uuid::nil()) })]));
    let mut record = heard(&[]);
    record.at = Millis(99);
    record.events = vec![added(3, EntryKind::FeedbackGiven { question: Question::Effort, score: 4 })];
    assert!(book.record(3, &record).is_empty(), "it is theirs");
    let talk = book.talk(TALK).unwrap();
    assert_eq!((talk.is_open, talk.heard_at), (false, Millis(99)));
    assert_eq!(talk.heard, [1, 3]);
}
