//! Channels with threads: each is a conversation of its own, whoever writes in it; and answers of machines.

use expect_test::expect;
use protocol::input::MessageThread;
use protocol::{ChannelKind, InputBody};

use crate::builder::{Floor, agent, hash};

impl Floor {
    /// A message in a thread, of the customer whose thread it is.
    pub(crate) fn writes_in(&mut self, customer: &str, thread: &str) -> &mut Self {
        self.threaded(customer, thread, false)
    }

    /// Their machine answers.
    fn machine_writes_in(&mut self, customer: &str, thread: &str) -> &mut Self {
        self.threaded(customer, thread, true)
    }

    fn threaded(&mut self, customer: &str, thread: &str, automatic: bool) -> &mut Self {
        let mut message = self.message(customer, ChannelKind::Api, "mail", None);
        let thread = MessageThread { id: hash(thread), aliases: Vec::new() };
        (message.thread, message.automatic) = (Some(Box::new(thread)), automatic);
        self.input(InputBody::Message(message))
    }
}

#[test]
fn each_thread_is_a_conversation_of_its_customer() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes_in("carl", "one").accepts("ada");
    floor.writes_in("carl", "two").check(expect![[r#"
        cnv_8_0 opened by api mail
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in support at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+1+0
    "#]]);
    floor.accepts("bob");
    let (first, second) = (floor.held_by("ada"), floor.held_by("bob"));
    assert_ne!(first, second);
    floor.writes_in("carl", "one").check(expect![[r#"
        con_6_1 entry 3: customer
    "#]]);
    // Somebody whom the agent asked answers in the customer's thread: their channel files it under its customer.
    floor.writes_in("carl", "two").check(expect![[r#"
        con_8_1 entry 3: customer
    "#]]);
    // Without a thread it is the customer's one conversation of the channel.
    floor.mails("carl").check(expect![[r#"
        cnv_12_0 opened by api mail
        con_12_1 opened
        con_12_1 entry 1: customer
        con_12_1 waits in support at 5 since 0 ms (Opened)
    "#]]);
}

#[test]
fn who_names_anothers_thread_has_one_of_their_own() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes_in("carl", "one").accepts("ada");
    floor.writes_in("dora", "one").check(expect![[r#"
        cnv_6_0 opened by api mail
        con_6_1 opened
        con_6_1 entry 1: customer
        con_6_1 waits in support at 5 since 0 ms (Opened)
    "#]]);
    floor.writes_in("dora", "one").check(expect![[r#"
        con_6_1 entry 2: customer
    "#]]);
    floor.writes_in("carl", "one").check(expect![[r#"
        con_4_1 entry 3: customer
    "#]]);
}

#[test]
fn a_machine_wakes_nobody_and_opens_nothing_again() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes_in("carl", "one").accepts("ada").replies("ada");
    let contact = floor.held_by("ada");
    let due = routing_core::next_deadline(&floor.state);
    floor.machine_writes_in("carl", "one").check(expect![[r#"
        con_4_1 entry 4: a machine of the customer's
    "#]]);
    assert_eq!(routing_core::next_deadline(&floor.state), due, "no clock is stopped or started");
    floor.resolves("ada").ends_wrap_up("ada");
    floor.machine_writes_in("carl", "one").check(expect![[r#"
        con_4_1 entry 6: a machine of the customer's
    "#]]);
    assert!(floor.state.contact(contact).is_none(), "it stays resolved");
    floor.writes_in("carl", "one").check(expect![[r#"
        con_4_1 reopened
        con_4_1 entry 7: reopened
        con_4_1 entry 8: customer
        con_4_1 waits in support at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_11_0: con_4_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    // What a machine writes first may need somebody: it is a contact like any other.
    floor.machine_writes_in("shop", "orders").check(expect![[r#"
        cnv_12_0 opened by api mail
        con_12_1 opened
        con_12_1 entry 1: customer
        con_12_1 waits in support at 5 since 0 ms (Opened)
    "#]]);
}

#[test]
fn a_forgotten_thread_begins_anew_and_a_snapshot_keeps_them_apart() {
    let mut floor = Floor::online([agent("ada")]).at_most(1);
    floor.writes_in("carl", "one").accepts("ada").resolves("ada").ends_wrap_up("ada");
    let stored = serde_json::to_string(&floor.state).unwrap();
    assert_eq!(serde_json::from_str::<routing_core::State>(&stored).unwrap(), floor.state);
    floor.writes_in("carl", "two").check(expect![[r#"
        cnv_4_0 forgotten
        cnv_8_0 opened by api mail
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in support at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").resolves("ada").ends_wrap_up("ada");
    floor.state = serde_json::from_str(&serde_json::to_string(&floor.state).unwrap()).unwrap();
    floor.writes_in("carl", "two").check(expect![[r#"
        con_8_1 reopened
        con_8_1 entry 4: reopened
        con_8_1 entry 5: customer
        con_8_1 waits in support at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_12_0: con_8_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}
