//! What is refused, and with which word.

use expect_test::expect;
use protocol::command::Presence;
use protocol::limits::{CLOCK_SKEW_MS_MAX, COMMAND_AGE_MS_MAX, REASON_BYTES_MAX};
use protocol::{Command, CommandId, ContactId, OfferId};
use uuid::Uuid;

use crate::builder::{AgentWith, Floor, OFFER_MS, agent, agent_id, sealed, token};

fn at(ms: u64) -> CommandId {
    CommandId(Uuid::from_u128((u128::from(ms) << 80) | (7 << 76) | (2 << 62)))
}

fn online() -> Command {
    Command::SetPresence { presence: Presence::Online, reason: None, when_free: false }
}

#[test]
fn an_offer_is_answered_by_who_was_asked_and_in_time() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes("carl");
    let offer = floor.offer_to("ada");
    floor.asks("bob", Command::Accept { offer }).check(expect![[r#"
        refused NotYours
    "#]]);
    floor.now += OFFER_MS + 1;
    floor.asks("ada", Command::Accept { offer }).check(expect![[r#"
        refused OfferEnded
    "#]]);
    floor.asks("ada", Command::Decline { offer, reason: "late".into() }).check(expect![[r#"
        refused OfferEnded
    "#]]);
    floor.wait(0).asks("ada", Command::Accept { offer }).check(expect![[r#"
        refused OfferEnded
    "#]]);
    floor.asks("ada", Command::Accept { offer: OfferId { log_seq: 999, n: 0 } }).check(expect![[r#"
        refused OfferEnded
    "#]]);
}

#[test]
fn an_offer_can_be_accepted_at_its_last_moment() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl");
    floor.now += OFFER_MS;
    floor.accepts("ada").check(expect![[r#"
        off_4_2: con_4_1 from ada, accepted
        con_4_1 with ada
        con_4_1 entry 2: ada joined
        done
    "#]]);
}

#[test]
fn a_contact_is_its_owners() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl");
    let contact = floor.held_by("ada");
    let resolve = |contact, word| Command::Resolve { contact, disposition: token(word), fields: [].into() };
    floor.asks("bob", resolve(contact, "done")).check(expect![[r#"
        refused NotYours
    "#]]);
    floor.asks("ada", resolve(ContactId { log_seq: 999, n: 0 }, "done")).check(expect![[r#"
        refused UnknownContact
    "#]]);
    floor.asks("ada", resolve(contact, "whatever")).check(expect![[r#"
        refused UnknownDisposition
    "#]]);
    floor.asks("ada", Command::EndWrapUp { contact }).check(expect![[r#"
        refused NotYours
    "#]]);
    floor.asks("ada", resolve(contact, "done")).asks("ada", resolve(contact, "done")).check(expect![[r#"
        refused ContactClosed
    "#]]);
}

#[test]
fn a_contact_in_wrap_up_is_closed_for_all_but_notes() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.mails("carl").accepts("ada").resolves("ada");
    let contact = floor.held_by("ada");
    floor.replies("ada").check(expect![[r#"
        refused ContactClosed
    "#]]);
    floor.gives_to("ada", "bob").check(expect![[r#"
        refused ContactClosed
    "#]]);
    let message = protocol::MessageId(Uuid::from_u128(1));
    floor.asks("bob", Command::Note { contact, message, body: sealed(), mentions: Vec::new() }).check(
        expect![[r#"
        refused NotYours
    "#]],
    );
    floor.notes("ada").check(expect![[r#"
        con_6_1 entry 4: note of ada
        done
    "#]]);
}

#[test]
fn transfers_need_somewhere_to_go() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), agent("cy").web(0)]);
    floor.has("ada", "carl").goes("bob", Presence::Away);
    floor.gives_to("ada", "bob").check(expect![[r#"
        refused ColleagueNotThere
    "#]]);
    floor.gives_to("ada", "ada").check(expect![[r#"
        refused ColleagueNotThere
    "#]]);
    floor.gives_to("ada", "cy").check(expect![[r#"
        refused ColleagueNotThere
    "#]]);
    floor.gives_to("ada", "zoe").check(expect![[r#"
        refused ColleagueNotThere
    "#]]);
    floor.gives_to_queue("ada", "nowhere").check(expect![[r#"
        refused UnknownQueue
    "#]]);
}

#[test]
fn an_agent_who_is_not_configured_can_ask_nothing() {
    let mut floor = Floor::of([agent("ada")]);
    floor.asks("zoe", online()).check(expect![[r#"
        refused UnknownAgent
    "#]]);
    assert_eq!(floor.state.agent(agent_id("zoe")), None);
}

#[test]
fn a_reason_has_a_length() {
    let mut floor = Floor::of([agent("ada")]);
    let with =
        |n| Command::SetPresence { presence: Presence::Away, reason: Some("x".repeat(n)), when_free: false };
    floor.asks("ada", with(REASON_BYTES_MAX + 1)).check(expect![[r#"
        refused TooLong
    "#]]);
    floor.asks("ada", with(REASON_BYTES_MAX));
    assert_eq!(floor.state.agent(agent_id("ada")).unwrap().presence, Presence::Away);
    floor.connects("ada", 1).comes("ada").writes("carl");
    let offer = floor.offer_to("ada");
    let reason = "x".repeat(REASON_BYTES_MAX + 1);
    floor.asks("ada", Command::Decline { offer, reason }).check(expect![[r#"
        refused TooLong
    "#]]);
}

#[test]
fn a_command_has_an_age() {
    let mut floor = Floor::of([agent("ada")]);
    let now = floor.now;
    floor.asks_as(at(now - COMMAND_AGE_MS_MAX), "ada", online()).check(expect![[r#"
        ada Online
        done
    "#]]);
    floor.asks_as(at(now - COMMAND_AGE_MS_MAX - 1), "ada", online()).check(expect![[r#"
        refused TooOld
    "#]]);
    floor.asks_as(at(now + CLOCK_SKEW_MS_MAX), "ada", online()).check(expect![[r#"
        done
    "#]]);
    floor.asks_as(at(now + CLOCK_SKEW_MS_MAX + 1), "ada", online()).check(expect![[r#"
        refused TooOld
    "#]]);
    floor.asks_as(CommandId(Uuid::from_u128(7)), "ada", online()).check(expect![[r#"
        refused TooOld
    "#]]);
}
