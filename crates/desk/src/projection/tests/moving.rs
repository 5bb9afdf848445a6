//! A contact that goes on in another conversation, and one that an agent began.

use protocol::command::Begin;
use protocol::config::Account;
use protocol::feedback::Question;

use super::*;

const ELSEWHERE: ConversationId = ConversationId { log_seq: 40, n: 0 };
const REACHED: IdentityId = IdentityId(Hash128([8; 16]));

fn begin(log: &Log, contact: Option<ContactId>) -> Cause {
    let begin = Begin {
        channel: ChannelKind::Whatsapp,
        account: token("care"),
        identity: REACHED,
        address: Some(Sealed::from_parts(REACHED, 1, "BBBB")),
        queue: token("general"),
        contact,
        message: MessageId(uuid::Uuid::from_u128(70)),
        body: Sealed::from_parts(REACHED, 1, "CCCC"),
    };
    log.asked(command(7), ANNA, Command::Begin(Box::new(begin)))
}

fn at(contact: ContactId, seq: u64, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation: ELSEWHERE, contact, seq, entry }
}

fn from_anna() -> EntryKind {
    EntryKind::FromAgent { agent: ANNA, bot: false }
}

/// Anna's contact goes on elsewhere.
fn moves(log: &mut Log) -> Vec<(AgentId, Change)> {
    let went_on = log.entry(EntryKind::WentOn { channel: ChannelKind::Whatsapp });
    let events = vec![
        went_on,
        Event::ContactMoved {
            contact: CONTACT,
            from: CONVERSATION,
            conversation: ELSEWHERE,
            channel: ChannelKind::Whatsapp,
        },
        at(CONTACT, 1, EntryKind::CameFrom { conversation: CONVERSATION, channel: ChannelKind::Api }),
        at(CONTACT, 2, from_anna()),
    ];
    log.write(begin(log, Some(CONTACT)), events)
}

#[test]
fn a_contact_that_goes_on_elsewhere_keeps_all_but_its_words_and_whose_they_are() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let changes = moves(&mut log);
    assert!(changes.contains(&(ANNA, Change::Taken(CONTACT))), "{changes:?}");
    let [contact] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!((contact.conversation, contact.channel), (ELSEWHERE, ChannelKind::Whatsapp));
    assert_eq!((seqs(&contact.entries), contact.category.clone()), (vec![1, 2], Some(token("refund"))));
    assert_eq!(contact.from_customer.len(), 1, "where they said their name");
    assert_eq!(log.floor.identity_of(CONTACT), Some(REACHED));
    assert_eq!((log.floor.shown_to(CONVERSATION), log.floor.shown_to(ELSEWHERE)), (vec![], vec![ANNA]));
    assert_eq!(
        log.floor.readable(ANNA, 9),
        [ELSEWHERE, CONVERSATION],
        "what was said before is theirs to read"
    );
    assert_eq!(log.floor.readable(ANNA, 1), [ELSEWHERE]);
    assert_eq!(log.floor.readable(BEN, 9), [ELSEWHERE, CONVERSATION], "he leads it");
    let standing = log.floor.standing(ANNA, CONTACT).unwrap();
    assert_eq!((standing.identity, standing.effort.contacts_before), (REACHED, 0));
}

#[test]
fn what_a_customer_answered_is_known_of_their_conversation() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let given = log.entry(EntryKind::FeedbackGiven { question: Question::Effort, score: 2 });
    log.write(log.said(), vec![given]);
    assert_eq!(log.floor.standing(ANNA, CONTACT).unwrap().scores.effort, Some(2));
    moves(&mut log);
    assert_eq!(log.floor.standing(ANNA, CONTACT).unwrap().scores.effort, Some(2), "they are who they were");
}

#[test]
fn a_contact_that_an_agent_begins_has_its_address_until_the_customer_says_their_name() {
    let new = ContactId { log_seq: 40, n: 1 };
    let mut log = Log::started();
    let opened = Event::ContactOpened {
        contact: new,
        conversation: ELSEWHERE,
        channel: ChannelKind::Whatsapp,
        category: None,
        facts: protocol::facts::FactValues::new(),
        route: None,
        practice: false,
        people_only: false,
    };
    let events = vec![opened, Event::Assigned { contact: new, agent: ANNA }, at(new, 1, from_anna())];
    log.write(begin(&log, None), events);
    let [contact] = &log.contacts_of(ANNA)[..] else { panic!("one contact") };
    assert_eq!(contact.entries[0].entry.message, Some(MessageId(uuid::Uuid::from_u128(70))));
    assert_eq!(contact.address.as_ref().and_then(Sealed::parts).map(|(of, ..)| of), Some(REACHED));
    assert_eq!(log.floor.identity_of(new), Some(REACHED));
}

#[test]
fn an_agent_writes_first_in_the_queues_that_they_serve() {
    let mut log = Log::started();
    let names = |agent| log.floor.served_by(agent).into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(ANNA), [token("general")]);
    assert_eq!(names(AgentId(uuid::Uuid::from_u128(77))), []);
    let account = Account {
        channel: ChannelKind::Sms,
        name: token("care"),
        title: "Customer care".to_owned(),
        queue: token("general"),
        priority: 0,
        practice: false,
    };
    let config = RoutingConfig { accounts: vec![account], ..RoutingConfig::default() };
    let config = ConfigInput {
        replaces: None,
        id: NoticeId(uuid::Uuid::nil()),
        hash: Hash128([1; 16]),
        config: Box::new(config),
    };
    let cause = log.input(InputBody::Config(config));
    log.write(cause, vec![Event::ConfigApplied]);
    let title = |channel, name| log.floor.account_title(channel, &token(name));
    assert_eq!(title(ChannelKind::Sms, "care").as_deref(), Some("Customer care"));
    assert_eq!(title(ChannelKind::Whatsapp, "care"), None);
    assert_eq!(log.floor.account_title(ChannelKind::Sms, &token("nowhere")), None);
}
