//! Tags, fields, notes of other systems, and who is mentioned.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use protocol::command::Refusal;
use protocol::config::{Agent, Role, Tag};
use protocol::limits::{COMMAND_AGE_MS_MAX, MENTIONS_PER_NOTE_MAX, TAGS_PER_CONTACT_MAX};
use protocol::record::Event;
use protocol::{Act, AgentId, Command, ContactId, MessageId, Outcome, SubjectToken};
use routing_core::State;

use crate::builder::{AgentWith, Floor, agent, agent_id, sealed, token, with};

/// Ada has carl's contact of sales, bob nothing; lea leads support, sue sales.
fn floor() -> (Floor, ContactId) {
    let lead = |name: &str, queue: &str| Agent {
        role: Role::Lead,
        scope: [token(queue)].into(),
        ..agent(name).web(0)
    };
    let mut floor = Floor::online([
        agent("ada"),
        agent("bob"),
        lead("lea", "support"),
        lead("sue", "sales"),
        agent("rob").bot(),
    ]);
    floor.goes("rob", protocol::command::Presence::Away).has("ada", "carl");
    let contact = floor.contact_of("carl");
    (floor, contact)
}

fn tokens(names: &[&str]) -> BTreeSet<SubjectToken> {
    names.iter().map(|name| token(name)).collect()
}

fn tags(floor: &mut Floor, name: &str, contact: ContactId, add: &[&str], remove: &[&str]) -> Option<Refusal> {
    floor.asks(name, Command::SetTags { contact, add: tokens(add), remove: tokens(remove) });
    floor.refused()
}

fn fields(floor: &mut Floor, contact: ContactId, fields: &[(&str, Option<&str>)]) -> Option<Refusal> {
    let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (token(name), value.map(token))).collect();
    floor.asks("ada", Command::SetFields { contact, fields });
    floor.refused()
}

fn tagged(floor: &Floor, contact: ContactId) -> Vec<String> {
    let marks = floor.state.marks(contact).cloned().unwrap_or_default();
    marks.tags.iter().map(ToString::to_string).collect()
}

#[test]
fn who_has_a_contact_or_leads_it_tags_it_with_what_is_configured() {
    let (mut floor, contact) = floor();
    assert_eq!(tags(&mut floor, "ada", contact, &["vip", "late"], &[]), None);
    floor.check(expect![[r#"
        con_13_1 is marked late vip
        done
    "#]]);
    assert_eq!(tags(&mut floor, "ada", contact, &["vip"], &[]), None);
    floor.check(expect![[r#"
        done
    "#]]);
    assert_eq!(tags(&mut floor, "sue", contact, &[], &["late", "never"]), None);
    assert_eq!(tagged(&floor, contact), ["vip"]);
    assert_eq!(tags(&mut floor, "lea", contact, &["late"], &[]), Some(Refusal::NotInScope));
    assert_eq!(tags(&mut floor, "bob", contact, &["late"], &[]), Some(Refusal::NotYours));
    assert_eq!(tags(&mut floor, "ada", contact, &["late", "red"], &[]), Some(Refusal::UnknownTag));
    assert_eq!(tagged(&floor, contact), ["vip"], "all or nothing");
    floor.asks("ada", Command::Consult { contact, agent: agent_id("bob") });
    floor.asks("bob", Command::AnswerConsult { contact, yes: true });
    assert_eq!(tags(&mut floor, "bob", contact, &["late"], &[]), None, "who is with it");
}

#[test]
fn at_the_limit_of_tags_one_more_is_refused() {
    let (floor, contact) = floor();
    let name = |n: usize| format!("tag{n}");
    let mut floor = with(floor, |config| {
        let tag = |n| Tag { name: token(&name(n)), title: "A tag".into(), colour: None };
        config.tags = (0..=TAGS_PER_CONTACT_MAX).map(tag).collect();
    });
    for n in 0..TAGS_PER_CONTACT_MAX {
        assert_eq!(tags(&mut floor, "ada", contact, &[&name(n)], &[]), None);
    }
    let last = name(TAGS_PER_CONTACT_MAX);
    assert_eq!(tags(&mut floor, "ada", contact, &[&last], &[]), Some(Refusal::TooManyTags));
    assert_eq!(tags(&mut floor, "ada", contact, &[&last], &[&name(0)]), None, "one for another");
}

#[test]
fn fields_hold_what_they_can() {
    let (mut floor, contact) = floor();
    assert_eq!(fields(&mut floor, contact, &[("cause", Some("shop")), ("order", Some("N-1"))]), None);
    floor.check(expect![[r#"
        con_13_1 is marked cause=shop order=N-1
        done
    "#]]);
    assert_eq!(fields(&mut floor, contact, &[("cause", Some("weather"))]), Some(Refusal::UnknownField));
    assert_eq!(fields(&mut floor, contact, &[("colour", Some("red"))]), Some(Refusal::UnknownField));
    assert_eq!(fields(&mut floor, contact, &[("colour", None)]), Some(Refusal::UnknownField));
    assert_eq!(fields(&mut floor, contact, &[("order", None)]), None);
    let known = floor.state.marks(contact).unwrap();
    assert_eq!(known.fields, [(token("cause"), token("shop"))].into());
}

#[test]
fn marks_stay_with_a_contact_that_is_opened_again_and_in_a_snapshot() {
    let (mut floor, contact) = floor();
    tags(&mut floor, "ada", contact, &["vip"], &[]);
    floor.resolves("ada");
    assert_eq!(tagged(&floor, contact), ["vip"], "as long as it can be opened again");
    floor.writes("carl");
    assert_eq!(floor.contact_of("carl"), contact);
    assert_eq!(tagged(&floor, contact), ["vip"]);
    let read: State = serde_json::from_str(&serde_json::to_string(&floor.state).unwrap()).unwrap();
    assert_eq!(read, floor.state);
    floor.accepts("ada").resolves("ada");
    floor.wait(3 * 24 * 3_600_000).writes("dora");
    assert_eq!(floor.state.marks(contact), None, "with it");
}

fn notes(floor: &mut Floor, contact: ContactId, mentions: Vec<AgentId>) -> Option<Refusal> {
    let message = MessageId(uuid::Uuid::from_u128(1));
    floor.asks("ada", Command::Note { contact, message, body: sealed(), mentions });
    floor.refused()
}

#[test]
fn whoever_is_mentioned_in_a_note_is_told_until_they_have_looked() {
    let (mut floor, contact) = floor();
    let named = vec![agent_id("bob"), agent_id("ada"), agent_id("bob"), agent_id("lea")];
    assert_eq!(notes(&mut floor, contact, named), None);
    floor.check(expect![[r#"
        con_13_1 entry 3: note of ada
        con_13_1 entry 3: ada mentions bob lea
        done
    "#]]);
    floor.asks("bob", Command::ReadMentions { contact }).check(expect![[r#"
        con_13_1: bob has looked
        done
    "#]]);
    assert_eq!(notes(&mut floor, contact, vec![agent_id("nobody")]), Some(Refusal::UnknownColleague));
    assert_eq!(notes(&mut floor, contact, vec![agent_id("rob")]), Some(Refusal::UnknownColleague), "a bot");
    let many = |n: usize| vec![agent_id("bob"); n];
    assert_eq!(notes(&mut floor, contact, many(MENTIONS_PER_NOTE_MAX)), None);
    assert_eq!(notes(&mut floor, contact, many(MENTIONS_PER_NOTE_MAX + 1)), Some(Refusal::TooManyMentions));
}

#[test]
fn another_system_notes_down_and_gets_the_same_answer_again() {
    let (mut floor, contact) = floor();
    let act = Act::SetTags { contact, add: tokens(&["vip"]), remove: BTreeSet::new() };
    floor.acts("crm", act).check(expect![[r#"
        con_13_1 is marked vip
        crm: done
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
        crm: done
    "#]]);
    let message = MessageId(uuid::Uuid::from_u128(1));
    floor.acts("crm", Act::Annotate { contact, message, body: sealed() }).check(expect![[r#"
        con_13_1 entry 3: note of crm
        crm: done
    "#]]);
    floor.acts("crm", Act::SetTags { contact, add: tokens(&["red"]), remove: BTreeSet::new() });
    floor.check(expect![[r#"
        crm: refused UnknownTag
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
        crm: refused UnknownTag
    "#]]);
    let away = ContactId { log_seq: 1, n: 9 };
    floor.acts("crm", Act::SetFields { contact: away, fields: [(token("order"), Some(token("1")))].into() });
    floor.check(expect![[r#"
        crm: refused UnknownContact
    "#]]);
}

#[test]
fn an_act_that_is_more_than_a_day_old_is_refused() {
    let (mut floor, contact) = floor();
    floor.acts("crm", Act::SetTags { contact, add: tokens(&["vip"]), remove: BTreeSet::new() });
    let body = floor.last_input.clone().unwrap();
    let protocol::InputBody::Integration(mut late) = body else { panic!("an act") };
    late.integration = token("erp");
    floor.wait(COMMAND_AGE_MS_MAX).input(protocol::InputBody::Integration(late.clone()));
    let settled = |floor: &Floor| {
        floor.log.last().unwrap().events.iter().find_map(|event| match event {
            Event::ActSettled { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
    };
    assert_eq!(settled(&floor), Some(Outcome::Done), "the same id of another system is another act");
    late.integration = token("shop");
    floor.wait(1).input(protocol::InputBody::Integration(late));
    assert_eq!(settled(&floor), Some(Outcome::Refused { refusal: Refusal::TooOld }));
}

#[test]
fn a_practised_contact_says_so_from_its_opening_on() {
    let mut floor = Floor::online([agent("ada")]);
    let mut message = floor.message("carl", protocol::ChannelKind::Web, "shop", None);
    message.practice = true;
    floor.input(protocol::InputBody::Message(message)).accepts("ada");
    let contact = floor.contact_of("carl");
    assert!(floor.state.is_practice(contact));
    let is_opening = |event: &Event| matches!(event, Event::ContactOpened { practice: true, contact: opened, .. } if *opened == contact);
    assert!(
        floor.log.iter().flat_map(|record| &record.events).any(is_opening),
        "readers are told at its opening"
    );
    crate::empowerment::promises(&mut floor, "ada", contact);
    let context = floor.log.last().unwrap().events.iter().find_map(|event| match event {
        Event::Passed { context } => context.clone(),
        _ => None,
    });
    assert!(context.unwrap().practice, "the worker is told");
    floor.resolves("ada").writes("carl");
    assert!(floor.state.is_practice(floor.contact_of("carl")), "opened again it stays what it was");
    let floor = with(floor, |config| config.accounts[1].practice = true);
    let mut floor = floor;
    floor.mails("dora");
    assert!(floor.state.is_practice(floor.contact_of("dora")), "all that comes by the account");
    floor.writes("emil");
    assert!(!floor.state.is_practice(floor.contact_of("emil")));
}

#[test]
fn who_leads_moves_what_nobody_has() {
    let (mut floor, held) = floor();
    floor.has("bob", "dora").writes("emil");
    let waits = floor.contact_of("emil");
    let moves = |floor: &mut Floor, name: &str, contact| {
        floor.asks(name, Command::TransferToQueue { contact, queue: token("support") });
        floor.refused()
    };
    assert_eq!(moves(&mut floor, "sue", held), Some(Refusal::NotYours), "somebody has it");
    assert_eq!(moves(&mut floor, "bob", waits), Some(Refusal::NotYours), "who does not lead");
    assert_eq!(moves(&mut floor, "lea", waits), Some(Refusal::NotInScope));
    assert_eq!(moves(&mut floor, "sue", waits), None);
    floor.check(expect![[r#"
        con_17_1 entry 2: sue gave it to support
        con_17_1 waits in support at 5 since 0 ms (Transferred)
        done
    "#]]);
    floor.resolves("ada");
    floor.accepts("ada").resolves("ada").ends_wrap_up("ada").writes("finn");
    let asked = floor.contact_of("finn");
    assert_eq!(moves(&mut floor, "sue", asked), None, "somebody is asked");
    let ended = &floor.log.last().unwrap().events[0];
    let revoked = matches!(ended, Event::OfferEnded { end: protocol::record::OfferEnd::Revoked { .. }, .. });
    assert!(revoked, "{ended:?}");
}
