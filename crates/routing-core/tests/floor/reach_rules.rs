//! Agents who write first, colleagues who wrote elsewhere, and contacts that go on where their customer is.

use expect_test::expect;
use protocol::command::{Begin, Refusal};
use protocol::config::{Account, Agent, ChannelRule};
use protocol::customer::{CustomerKeys, CustomerWish};
use protocol::feedback::{Feedback, Question};
use protocol::input::CustomerMessage;
use protocol::record::{EntryKind, Event};
use protocol::{ChannelKind, Command, ContactId, InputBody, LinkId, MessageId};
use routing_core::{Phase, State};

use crate::builder::{AgentWith, Floor, agent, agent_id, hash, identity, sealed, token, with};

/// With a second channel into the same queue.
fn floor(agents: impl IntoIterator<Item = Agent>) -> Floor {
    let texting =
        |agent: Agent| Agent { capacity: [(ChannelKind::Web, 1), (ChannelKind::Sms, 1)].into(), ..agent };
    with(Floor::online(agents.into_iter().map(texting)), |config| {
        let shop = config.accounts[0].clone();
        config.accounts.push(Account { channel: ChannelKind::Sms, ..shop });
    })
}

fn from(floor: &mut Floor, customer: &str, channel: ChannelKind, person: &str) -> CustomerMessage {
    let keys = CustomerKeys { verified: vec![hash(person)], claimed: Vec::new() };
    CustomerMessage { keys: Some(Box::new(keys)), ..floor.message(customer, channel, "shop", None) }
}

fn writes(floor: &mut Floor, customer: &str, channel: ChannelKind, person: &str) {
    let message = from(floor, customer, channel, person);
    floor.input(InputBody::Message(message));
}

fn begin(customer: &str, queue: &str, contact: Option<ContactId>) -> Command {
    Command::Begin(Box::new(Begin {
        channel: ChannelKind::Sms,
        account: token("shop"),
        identity: identity(customer),
        address: Some(sealed()),
        queue: token(queue),
        contact,
        message: MessageId(uuid::Uuid::from_u128(7)),
        body: sealed(),
    }))
}

fn is_replayed(floor: &Floor) {
    let mut state = State::new();
    for (seq, record) in (1..).zip(&floor.log) {
        routing_core::apply(&mut state, seq, record).unwrap();
    }
    assert_eq!(state, floor.state);
    let snapshot = serde_json::to_vec(&floor.state).unwrap();
    assert_eq!(serde_json::from_slice::<State>(&snapshot).unwrap(), floor.state);
}

#[test]
fn who_waits_goes_on_elsewhere_in_the_place_that_they_had() {
    let mut floor = floor([agent("ada")]);
    floor.has("ada", "busy").wait(1_000);
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.wait(5_000);
    floor.writes("later").wait(5_000);
    writes(&mut floor, "carl-by-phone", ChannelKind::Sms, "p1");
    floor.check(expect![[r#"
        cnv_9_0 opened by sms shop
        con_7_1 entry 2: goes on by sms
        con_7_1 moves from cnv_7_0 to cnv_9_0
        con_7_1 entry 1: comes from cnv_7_0 by web
        con_7_1 entry 2: customer
        off_9_1: con_7_1 to ada for 20000 ms, LongestIdle of 1, waited 10000 ms, idle 11000 ms; passed over 0+0+0+0
    "#]]);
    // Their turn is still before who came later; and the chat that they left is as if it had ended.
    let contact = floor.contact_of("carl-by-phone");
    assert!(
        floor
            .state
            .conversation(floor.state.conversation_of(identity("carl")).unwrap())
            .unwrap()
            .open
            .is_none()
    );
    assert_eq!(floor.state.contact(contact).unwrap().opened_at.0 + 10_000, floor.now);
    is_replayed(&floor);
    floor.leaves("carl").check(expect![[r#""#]]);
    floor.resolves("ada").check(expect![[r#"
        con_5_1 entry 3: ada resolved it as done
        con_5_1 resolved by ada
        done
        off_11_0: con_8_1 to ada for 20000 ms, FirstInOrder of 1, waited 5000 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn who_has_an_agent_keeps_them() {
    let mut floor = floor([agent("ada"), agent("bob")]);
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.accepts("ada");
    writes(&mut floor, "carl-by-phone", ChannelKind::Sms, "p1");
    floor.check(expect![[r#"
        cnv_9_0 opened by sms shop
        con_7_1 entry 3: goes on by sms
        con_7_1 moves from cnv_7_0 to cnv_9_0
        con_7_1 entry 1: comes from cnv_7_0 by web
        con_7_1 entry 2: customer
    "#]]);
    // The room of the chat is free again.
    floor.writes("dora").check(expect![[r#"
        cnv_10_0 opened by web shop
        con_10_1 opened
        con_10_1 entry 1: customer
        con_10_1 waits in sales at 5 since 0 ms (Opened)
        off_10_2: con_10_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms then ada 0 ms; passed over 0+0+0+0
    "#]]);
    is_replayed(&floor);
    // And back, where they write now.
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.check(expect![[r#"
        con_7_1 entry 3: goes on by web
        con_7_1 moves from cnv_9_0 to cnv_7_0
        con_7_1 entry 4: comes from cnv_9_0 by sms
        con_7_1 entry 5: customer
    "#]]);
}

#[test]
fn an_offer_ends_where_its_customer_is_not_any_more() {
    let mut floor = floor([agent("ada")]);
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    writes(&mut floor, "carl-by-phone", ChannelKind::Sms, "p1");
    floor.check(expect![[r#"
        cnv_6_0 opened by sms shop
        off_5_2: con_5_1 from ada, customer gone
        con_5_1 waits in sales at 5 since 0 ms (OfferEnded)
        con_5_1 entry 2: goes on by sms
        con_5_1 moves from cnv_5_0 to cnv_6_0
        con_5_1 entry 1: comes from cnv_5_0 by web
        con_5_1 entry 2: customer
        off_6_1: con_5_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+0+0
    "#]]);
    is_replayed(&floor);
}

#[test]
fn another_person_another_matter_or_an_ended_contact_is_not_followed() {
    let mut floor = floor([agent("ada")]);
    floor.has("ada", "busy");
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    let first = floor.contact_of("carl");
    // Somebody else.
    writes(&mut floor, "eve", ChannelKind::Sms, "p2");
    assert_ne!(floor.contact_of("eve"), first);
    // What is only claimed lets nobody in.
    let message = from(&mut floor, "mallory", ChannelKind::Sms, "p1");
    let keys = CustomerKeys { verified: Vec::new(), claimed: vec![hash("p1")] };
    floor.input(InputBody::Message(CustomerMessage { keys: Some(Box::new(keys)), ..message }));
    assert_ne!(floor.contact_of("mallory"), first);
    // The same person about something else.
    let message = from(&mut floor, "carl-2", ChannelKind::Sms, "p1");
    floor.input(InputBody::Message(CustomerMessage { category: Some(token("urgent")), ..message }));
    assert_ne!(floor.contact_of("carl-2"), first);
    assert_eq!(floor.contact_of("carl"), first);
    // Where it has ended, what they write is new.
    floor.leaves("carl");
    writes(&mut floor, "carl-3", ChannelKind::Sms, "p3");
    writes(&mut floor, "carl-3", ChannelKind::Sms, "p1");
    assert_ne!(floor.contact_of("carl-3"), first);
}

#[test]
fn where_the_agent_has_no_room_or_no_such_channel_nothing_moves() {
    let exclusive = |config: &mut protocol::config::RoutingConfig| {
        config.channels.push(ChannelRule {
            channel: ChannelKind::Sms,
            weight: 1,
            exclusive: true,
            interruptible: false,
        });
        config.agents[0].capacity.insert(ChannelKind::Web, 2);
    };
    let mut two = with(floor([agent("ada")]), exclusive);
    writes(&mut two, "carl", ChannelKind::Web, "p1");
    two.accepts("ada");
    two.writes("dora").accepts("ada");
    writes(&mut two, "carl-by-phone", ChannelKind::Sms, "p1");
    assert_ne!(two.contact_of("carl-by-phone"), two.contact_of("carl"));
    // Alone it may go: the room that it takes now is free then.
    let mut one = with(floor([agent("ada")]), exclusive);
    writes(&mut one, "carl", ChannelKind::Web, "p1");
    let first = one.contact_of("carl");
    one.accepts("ada");
    writes(&mut one, "carl-by-phone", ChannelKind::Sms, "p1");
    assert_eq!(one.contact_of("carl-by-phone"), first);
    let mut none = with(Floor::online([agent("ada").web(1)]), |config| {
        let shop = config.accounts[0].clone();
        config.accounts.push(Account { channel: ChannelKind::Sms, ..shop });
    });
    writes(&mut none, "carl", ChannelKind::Web, "p1");
    none.accepts("ada");
    writes(&mut none, "carl-by-phone", ChannelKind::Sms, "p1");
    assert_ne!(none.contact_of("carl-by-phone"), none.contact_of("carl"));
}

#[test]
fn an_agent_writes_first_and_has_the_answer() {
    let mut floor = floor([agent("ada"), agent("bob")]);
    floor.asks("ada", begin("carl", "sales", None)).check(expect![[r#"
        cnv_7_0 opened by sms shop
        con_7_1 opened
        con_7_1 waits in sales at 5 since 0 ms (Opened)
        con_7_1 with ada
        con_7_1 entry 1: reply of ada
        done
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
        done
    "#]]);
    let message = floor.message("carl", ChannelKind::Sms, "shop", None);
    floor.input(InputBody::Message(message)).check(expect![[r#"
        con_7_1 entry 2: customer
    "#]]);
    is_replayed(&floor);
    // Once it is resolved, the next answer still comes to who began.
    floor.resolves("ada").wait(2 * 3_600_000);
    let message = floor.message("carl", ChannelKind::Sms, "shop", None);
    floor.input(InputBody::Message(message)).check(expect![[r#"
        con_11_0 opened
        con_11_0 entry 4: customer
        con_11_0 waits in sales at 5 since 0 ms (Opened), first ada for 60000 ms
        off_11_1: con_11_0 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 7200000 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn who_may_not_begin_is_told_why() {
    let mut floor = with(floor([agent("ada"), agent("bob").only("support")]), |config| {
        config.agents[1].capacity.remove(&ChannelKind::Sms);
    });
    let refused = |floor: &mut Floor, name: &str, command: Command| {
        floor.asks(name, command);
        floor.refused()
    };
    assert_eq!(refused(&mut floor, "bob", begin("carl", "sales", None)), Some(Refusal::NotAble));
    assert_eq!(refused(&mut floor, "bob", begin("carl", "support", None)), Some(Refusal::NotAble));
    assert_eq!(refused(&mut floor, "ada", begin("carl", "nowhere", None)), Some(Refusal::UnknownQueue));
    let Command::Begin(other) = begin("carl", "sales", None) else { panic!("begins") };
    let other = Command::Begin(Box::new(Begin { account: token("market"), ..*other }));
    assert_eq!(refused(&mut floor, "ada", other), Some(Refusal::UnknownAccount));
    assert_eq!(refused(&mut floor, "ada", begin("carl", "sales", None)), None);
    assert_eq!(refused(&mut floor, "ada", begin("carl", "sales", None)), Some(Refusal::AlreadyOpen));
    assert_eq!(refused(&mut floor, "ada", begin("dora", "sales", None)), Some(Refusal::NoRoom));
    let unknown = ContactId { log_seq: 1, n: 9 };
    assert_eq!(
        refused(&mut floor, "ada", begin("dora", "sales", Some(unknown))),
        Some(Refusal::UnknownContact)
    );
}

#[test]
fn an_agent_goes_on_where_the_customer_can_be_reached() {
    let mut floor = floor([agent("ada"), agent("bob")]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    floor.asks("bob", begin("carl-by-phone", "sales", Some(contact)));
    assert_eq!(floor.refused(), Some(Refusal::NotYours));
    floor.asks("ada", begin("carl-by-phone", "sales", Some(contact))).check(expect![[r#"
        cnv_10_0 opened by sms shop
        con_7_1 entry 3: goes on by sms
        con_7_1 moves from cnv_7_0 to cnv_10_0
        con_7_1 entry 1: comes from cnv_7_0 by web
        con_7_1 entry 2: reply of ada
        done
    "#]]);
    assert_eq!(floor.contact_of("carl-by-phone"), contact);
    let held = floor.state.contact(contact).unwrap();
    assert!(matches!(held.phase, Phase::WithAgent { agent, .. } if agent == agent_id("ada")));
    assert_eq!(held.channel, ChannelKind::Sms);
    is_replayed(&floor);
}

#[test]
fn a_colleague_who_wrote_elsewhere_has_answered_and_nobody_is_asked() {
    let mut floor = floor([agent("ada")]);
    let elsewhere = |floor: &mut Floor, customer: &str| {
        let message = floor.message(customer, ChannelKind::Web, "shop", None);
        floor.input(InputBody::Message(CustomerMessage { by_colleague: true, ..message }));
    };
    // Nobody wrote before: there is nothing to add it to.
    elsewhere(&mut floor, "carl");
    floor.check(expect![[r#"
        held back
    "#]]);
    floor.has("ada", "carl");
    elsewhere(&mut floor, "carl");
    floor.check(expect![[r#"
        con_6_1 entry 3: a colleague, elsewhere
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    floor.resolves("ada");
    elsewhere(&mut floor, "carl");
    floor.check(expect![[r#"
        con_6_1 entry 5: a colleague, elsewhere
    "#]]);
    is_replayed(&floor);
}

#[test]
fn who_was_only_written_to_is_told_and_asked_nothing_by_the_house() {
    let mut floor = with(floor([agent("ada")]), |config| {
        config.queues[0].close_after_ms = Some(3_600_000);
        config.queues[0].close_warning_ms = Some(600_000);
        config.feedback = Some(Feedback {
            questions: vec![Question::Satisfaction],
            queues: [].into(),
            every_ms: 86_400_000,
            answer_ms: 86_400_000,
            poor: None,
            risk_ms: 86_400_000,
        });
    });
    let begins = |floor: &mut Floor| {
        floor.asks("ada", begin("carl", "sales", None));
        assert_eq!(floor.refused(), None);
    };
    let said = |floor: &Floor| {
        let entries = floor.log.iter().flat_map(|record| &record.events).filter_map(|event| match event {
            Event::EntryAdded { entry, .. } => Some(entry),
            _ => None,
        });
        let by_the_house = |entry: &&EntryKind| {
            matches!(entry, EntryKind::SilenceWarned { .. } | EntryKind::FeedbackAsked { .. })
        };
        entries.filter(by_the_house).count()
    };
    begins(&mut floor);
    floor.wait(7_200_000);
    assert_eq!((said(&floor), floor.state.contacts().count()), (0, 0), "it ended, and nobody was warned");
    begins(&mut floor);
    floor.resolves("ada");
    assert_eq!(said(&floor), 0);
    // Once they have answered it is a contact like any.
    floor.wait(90_000_000);
    begins(&mut floor);
    let message = floor.message("carl", ChannelKind::Sms, "shop", None);
    floor.input(InputBody::Message(message)).resolves("ada");
    assert_eq!(said(&floor), 1);
    is_replayed(&floor);
}

#[test]
fn what_is_practised_does_not_go_on_where_it_is_real() {
    let mut floor = floor([agent("ada")]);
    let message = floor.message("carl", ChannelKind::Web, "shop", None);
    floor.input(InputBody::Message(CustomerMessage { practice: true, ..message })).accepts("ada");
    let contact = floor.contact_of("carl");
    floor.asks("ada", begin("carl-by-phone", "sales", Some(contact)));
    assert_eq!(floor.refused(), Some(Refusal::CannotBegin));
}

#[test]
fn in_the_conversation_that_was_left_a_machine_and_a_colleague_are_heard_where_the_contact_is() {
    let mut floor = floor([agent("ada")]);
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.accepts("ada");
    writes(&mut floor, "carl-by-phone", ChannelKind::Sms, "p1");
    let there = floor.contact_of("carl-by-phone");
    let message = from(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.input(InputBody::Message(CustomerMessage { automatic: true, ..message }));
    floor.check(expect![[r#"
        con_5_1 entry 3: a machine of the customer's
    "#]]);
    let message = from(&mut floor, "carl", ChannelKind::Web, "p1");
    floor.input(InputBody::Message(CustomerMessage { by_colleague: true, ..message }));
    floor.check(expect![[r#"
        con_5_1 entry 4: a colleague, elsewhere
    "#]]);
    assert_eq!(floor.contact_of("carl-by-phone"), there, "it was not drawn back");
    is_replayed(&floor);
}

#[test]
fn whom_a_person_parted_is_not_let_into_the_others_place() {
    let mut floor = floor([agent("ada")]);
    floor.has("ada", "busy");
    writes(&mut floor, "carl", ChannelKind::Web, "p1");
    let first = floor.contact_of("carl");
    let part = CustomerWish::Part { link: LinkId::of_key(identity("carla"), hash("p1")) };
    let held = floor.held_by("ada");
    floor.asks("ada", Command::ChangeCustomer { contact: held, wish: part });
    assert_eq!(floor.refused(), None);
    writes(&mut floor, "carla", ChannelKind::Sms, "p1");
    assert_ne!(floor.contact_of("carla"), first);
    is_replayed(&floor);
}
