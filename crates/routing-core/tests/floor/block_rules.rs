//! Customers who abuse: warned, and not heard for a while.

use expect_test::expect;
use protocol::command::{Presence, Refusal};
use protocol::config::{Agent, Role};
use protocol::limits::{BLOCK_MS_MAX, BLOCK_MS_MIN, ENDED_BY_BLOCK_MAX};
use protocol::{Command, ContactId, IdentityId, MessageId, Millis};
use routing_core::State;

use crate::builder::{AgentWith, Floor, agent, identity, sealed, token};

const HOUR_MS: u64 = 3_600_000;

/// Ada takes contacts, bob too; lea leads support, sue sales.
fn floor() -> Floor {
    let lead = |name: &str, queue: &str| Agent {
        role: Role::Lead,
        scope: [token(queue)].into(),
        ..agent(name).web(0)
    };
    Floor::online([agent("ada"), agent("bob"), lead("lea", "support"), lead("sue", "sales")])
}

fn blocks(floor: &mut Floor, name: &str, contact: ContactId, ms: u64) -> Option<Refusal> {
    let until = Millis(floor.now + ms);
    floor.asks(name, Command::BlockCustomer { contact, until, reason: token("threats") });
    floor.refused()
}

fn lifts(floor: &mut Floor, name: &str, who: IdentityId) -> Option<Refusal> {
    floor.asks(name, Command::UnblockCustomer { identity: who });
    floor.refused()
}

#[test]
fn a_customer_who_is_blocked_is_told_once_and_nothing_comes_of_what_they_write() {
    let mut floor = floor();
    floor.writes("carl");
    let contact = floor.contact_of("carl");
    assert_eq!(blocks(&mut floor, "sue", contact, HOUR_MS), None);
    floor.check(expect![[r#"
        sue blocks the customer in sales for 3600000 ms: threats
        con_10_1 entry 2: told: not heard, by sue
        off_10_2: con_10_1 from ada, revoked
        con_10_1 abandoned
        done
    "#]]);
    floor.writes("carl").check(expect![[r#"
        con_10_1 entry 3: customer, not heard
    "#]]);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
    floor.wait(HOUR_MS).check(expect![[r#"
        the customer is heard again by itself
    "#]]);
    floor.writes("carl").check(expect![[r#"
        con_15_0 opened
        con_15_0 entry 4: customer
        con_15_0 waits in sales at 5 since 0 ms (Opened)
        off_15_1: con_15_0 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 3603500 ms then bob 3602500 ms; passed over 2+0+0+0
    "#]]);
}

#[test]
fn who_has_their_contact_keeps_it() {
    let mut floor = floor();
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    assert_eq!(blocks(&mut floor, "sue", contact, HOUR_MS), None);
    floor.writes("carl").check(expect![[r#"
        con_10_1 entry 4: customer, not heard
    "#]]);
    floor.replies("ada").resolves("ada").writes("carl").check(expect![[r#"
        con_10_1 entry 7: customer, not heard
    "#]]);
    assert_eq!(lifts(&mut floor, "lea", identity("carl")), Some(Refusal::NotInScope));
    assert_eq!(lifts(&mut floor, "ada", identity("carl")), Some(Refusal::NotLead));
    assert_eq!(lifts(&mut floor, "sue", identity("dora")), Some(Refusal::NotBlocked));
    assert_eq!(lifts(&mut floor, "sue", identity("carl")), None);
    floor.writes("carl").check(expect![[r#"
        con_10_1 reopened
        con_10_1 entry 8: reopened
        con_10_1 entry 9: customer
        con_10_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_21_0: con_10_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 2+0+0+0
    "#]]);
}

#[test]
fn a_block_has_an_end_within_a_year_and_is_of_who_leads_the_queue() {
    let mut floor = floor();
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    for ms in [0, BLOCK_MS_MIN - 1, BLOCK_MS_MAX + 1] {
        assert_eq!(blocks(&mut floor, "sue", contact, ms), Some(Refusal::BlockTime), "{ms}");
    }
    assert_eq!(blocks(&mut floor, "lea", contact, HOUR_MS), Some(Refusal::NotInScope));
    assert_eq!(blocks(&mut floor, "ada", contact, HOUR_MS), Some(Refusal::NotLead));
    let unknown = ContactId { log_seq: 1, n: 9 };
    assert_eq!(blocks(&mut floor, "sue", unknown, HOUR_MS), Some(Refusal::UnknownContact));
    for ms in [BLOCK_MS_MAX, BLOCK_MS_MIN] {
        assert_eq!(blocks(&mut floor, "sue", contact, ms), None, "{ms}");
    }
    assert_eq!(floor.state.blocks().count(), 1, "the later word counts");
    floor.wait(BLOCK_MS_MIN);
    assert_eq!(floor.state.blocks().count(), 0);
}

#[test]
fn a_block_outlives_a_restart_and_ends_there() {
    let mut floor = floor();
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    blocks(&mut floor, "sue", contact, HOUR_MS);
    floor.resolves("ada");
    let read: State = serde_json::from_str(&serde_json::to_string(&floor.state).unwrap()).unwrap();
    assert_eq!(read, floor.state);
    floor.state = read;
    floor.writes("carl").check(expect![[r#"
        con_10_1 entry 5: customer, not heard
    "#]]);
    floor.wait(HOUR_MS).writes("carl").check(expect![[r#"
        con_16_0 opened
        con_16_0 entry 6: customer
        con_16_0 waits in sales at 5 since 0 ms (Opened), first ada for 60000 ms
        off_16_1: con_16_0 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 3600000 ms; passed over 2+0+0+0
    "#]]);
}

#[test]
fn offered_contacts_end_too_and_who_was_asked_is_free() {
    let mut floor = floor();
    floor.goes("bob", Presence::Away).writes("carl").wait(1).writes("dora");
    let contact = floor.contact_of("carl");
    assert_eq!(blocks(&mut floor, "sue", contact, HOUR_MS), None);
    floor.check(expect![[r#"
        sue blocks the customer in sales for 3600000 ms: threats
        con_11_1 entry 2: told: not heard, by sue
        off_11_2: con_11_1 from ada, revoked
        con_11_1 abandoned
        done
        off_13_0: con_12_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 3501 ms; passed over 2+1+0+0
    "#]]);
}

#[test]
fn a_warning_is_of_who_may_write_or_leads() {
    let mut floor = floor();
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    let warns = |floor: &mut Floor, name: &str| {
        let message = MessageId(uuid::Uuid::from_u128(1));
        floor.asks(name, Command::WarnCustomer { contact, message, body: sealed() });
        floor.refused()
    };
    assert_eq!(warns(&mut floor, "ada"), None);
    floor.check(expect![[r#"
        con_10_1 entry 3: ada warned the customer
        done
    "#]]);
    assert_eq!(warns(&mut floor, "sue"), None);
    assert_eq!(warns(&mut floor, "lea"), Some(Refusal::NotInScope));
    assert_eq!(warns(&mut floor, "bob"), Some(Refusal::NotYours));
}

#[test]
fn who_is_blocked_and_known_no_more_begins_nothing() {
    let mut floor = floor().at_most(1);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    blocks(&mut floor, "sue", contact, HOUR_MS);
    floor.resolves("ada").writes("dora");
    floor.writes("carl").check(expect![[r#"
        held back
    "#]]);
}

#[test]
fn a_block_ends_what_waits_where_its_lead_leads_and_nothing_elsewhere() {
    let mut floor = floor();
    floor.goes("ada", Presence::Away).goes("bob", Presence::Away);
    floor.writes("carl").writes_in("carl", "one");
    let waiting = |floor: &Floor| floor.state.contacts().map(|(id, _)| id).collect::<Vec<_>>();
    let [chat, mail] = waiting(&floor)[..] else { panic!("two of them wait") };
    assert_eq!(blocks(&mut floor, "sue", chat, HOUR_MS), None);
    assert_eq!(waiting(&floor), [mail], "who leads support decides there");
    // Nobody makes the block of another queue their own, be it shorter or longer.
    for ms in [BLOCK_MS_MIN, HOUR_MS, 2 * HOUR_MS] {
        assert_eq!(blocks(&mut floor, "lea", mail, ms), Some(Refusal::NotInScope), "{ms}");
    }
    assert_eq!(lifts(&mut floor, "lea", identity("carl")), Some(Refusal::NotInScope));
    floor.wait(HOUR_MS);
    assert_eq!(blocks(&mut floor, "lea", mail, HOUR_MS), None);
    assert_eq!(waiting(&floor), []);
}

#[test]
fn what_waits_past_the_limit_ends_with_the_same_block_once_more() {
    let mut floor = floor();
    floor.goes("ada", Presence::Away).goes("bob", Presence::Away);
    for n in 0..=ENDED_BY_BLOCK_MAX {
        floor.writes_in("carl", &n.to_string());
    }
    let (contact, _) = floor.state.contacts().next().unwrap();
    assert_eq!(blocks(&mut floor, "lea", contact, HOUR_MS), None);
    assert_eq!(floor.state.contacts().count(), 1);
    assert_eq!(blocks(&mut floor, "lea", contact, HOUR_MS), None);
    assert_eq!(floor.state.contacts().count(), 0);
}
