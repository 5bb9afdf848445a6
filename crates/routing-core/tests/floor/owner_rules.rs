//! The same agent again, and given on.

use expect_test::expect;
use protocol::command::Presence;

use crate::builder::{AgentWith, Floor, OWNER_WAIT_MS, REOPEN_MS, WRAP_UP_MS, agent};

#[test]
fn e4_a_customer_who_comes_back_reaches_the_same_agent() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").wait(REOPEN_MS - 1);
    floor.writes("carl").check(expect![[r#"
        con_6_1 reopened
        con_6_1 entry 4: reopened
        con_6_1 entry 5: customer
        con_6_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
        off_9_0: con_6_1 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 3599999 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn late_it_is_a_new_contact_and_the_owner_is_still_first() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").wait(REOPEN_MS);
    floor.writes("carl").check(expect![[r#"
        con_9_0 opened
        con_9_0 entry 4: customer
        con_9_0 waits in sales at 5 since 0 ms (Opened), first ada for 60000 ms
        off_9_1: con_9_0 to ada for 20000 ms, Preferred of 1, waited 0 ms, idle 3600000 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn e4_an_owner_who_is_not_there_is_not_waited_for() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").goes("ada", Presence::Away);
    floor.writes("carl").check(expect![[r#"
        con_6_1 reopened
        con_6_1 entry 4: reopened
        con_6_1 entry 5: customer
        con_6_1 waits in sales at 5 since 0 ms (Reopened)
        off_10_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn e4_an_owner_who_is_full_is_waited_for_so_long_and_then_the_next_best_has_it() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").wait(10).goes("bob", Presence::Away).has("ada", "dora");
    floor.writes("emil").comes("bob").check(expect![[r#"
        bob Online
        done
        off_13_0: con_12_1 to bob for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 0 ms; passed over 0+0+1+0
    "#]]);
    floor.accepts("bob").resolves("bob").writes("carl").check(expect![[r#"
        con_6_1 reopened
        con_6_1 entry 4: reopened
        con_6_1 entry 5: customer
        con_6_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
    "#]]);
    floor.wait(OWNER_WAIT_MS - 1).check(expect![[r#"
        con_6_1 reopened
        con_6_1 entry 4: reopened
        con_6_1 entry 5: customer
        con_6_1 waits in sales at 5 since 0 ms (Reopened), first ada for 60000 ms
    "#]]);
    floor.wait(1).check(expect![[r#"
        con_6_1 is for anyone
        off_17_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 60000 ms, idle 60000 ms; passed over 0+0+1+0
    "#]]);
}

#[test]
fn an_owner_who_comes_free_takes_their_own_first() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").resolves("ada").has("ada", "dora");
    floor.writes("emil").wait(10).writes("carl").wait(10).resolves("ada").check(expect![[r#"
        con_7_1 entry 3: ada resolved it as done
        con_7_1 resolved by ada
        done
        off_11_0: con_4_1 to ada for 20000 ms, Preferred of 2, waited 10 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn an_owner_who_goes_ends_the_wait() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").resolves("ada").goes("bob", Presence::Away).has("ada", "dora");
    floor.comes("bob").writes("carl").goes("ada", Presence::Away).check(expect![[r#"
        ada Away
        done
        con_6_1 is for anyone
        off_14_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 0 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn another_matter_than_the_owner_can_do_goes_to_who_can() {
    let mut floor = Floor::online([agent("ada"), agent("bob").skill("dutch", 5)]);
    floor.has("ada", "carl").resolves("ada").wait(REOPEN_MS);
    floor.writes_about("carl", Some("dutch")).check(expect![[r#"
        con_9_0 opened
        con_9_0 entry 4: customer
        con_9_0 waits in sales dutch>=3 at 5 since 0 ms (Opened)
        off_9_1: con_9_0 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 3600500 ms; passed over 1+0+0+0
    "#]]);
}

#[test]
fn an_abandoned_contact_is_reopened() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl").leaves("carl").wait(10).writes("carl").check(expect![[r#"
        con_2_1 reopened
        con_2_1 entry 3: reopened
        con_2_1 entry 4: customer
        con_2_1 waits in sales at 5 since 0 ms (Reopened)
    "#]]);
}

#[test]
fn writing_in_wrap_up_goes_straight_back() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.mails("carl").accepts("ada").resolves("ada").wait(WRAP_UP_MS - 1).mails("carl").check(expect![[
        r#"
            con_6_1 reopened
            con_6_1 with ada
            con_6_1 entry 4: reopened
            con_6_1 entry 5: customer
        "#
    ]]);
    floor.wait(WRAP_UP_MS).check(expect![[r#"
        con_6_1 reopened
        con_6_1 with ada
        con_6_1 entry 4: reopened
        con_6_1 entry 5: customer
    "#]]);
}

#[test]
fn a_message_to_an_open_contact_is_an_entry() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").writes("carl").check(expect![[r#"
        con_4_1 entry 3: customer
    "#]]);
    floor.replies("ada").check(expect![[r#"
        con_4_1 entry 4: reply of ada
        done
    "#]]);
}

#[test]
fn a_transfer_to_a_queue_keeps_the_place_and_drops_the_needs() {
    let staff = [agent("ada").skill("dutch", 3), agent("bob").only("support")];
    let mut floor = Floor::online(staff);
    floor.writes_about("carl", Some("dutch")).accepts("ada").wait(700);
    floor.gives_to_queue("ada", "support").check(expect![[r#"
        con_6_1 entry 3: ada gave it to support
        con_6_1 waits in support at 5 since 700 ms (Transferred)
        done
        off_8_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 700 ms, idle 1200 ms; passed over 0+0+0+1
    "#]]);
}

#[test]
fn who_gave_it_on_is_asked_last() {
    let mut floor = Floor::online([agent("bob"), agent("ada")]);
    floor.has("bob", "dora").has("ada", "carl");
    floor.gives_to_queue("bob", "sales").check(expect![[r#"
        con_6_1 entry 3: bob gave it to sales
        con_6_1 waits in sales at 5 since 0 ms (Transferred)
        done
    "#]]);
    floor.resolves("ada").check(expect![[r#"
        con_8_1 entry 3: ada resolved it as done
        con_8_1 resolved by ada
        done
        off_11_0: con_6_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+1
    "#]]);
}

#[test]
fn a_colleague_is_offered_it_by_name() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), agent("cy").only("support")]);
    floor.has("ada", "carl").gives_to("ada", "cy").check(expect![[r#"
        con_8_1 entry 3: ada gave it to cy
        con_8_1 waits in sales at 5 since 0 ms (Transferred), first cy for 60000 ms
        done
        off_10_0: con_8_1 to cy for 20000 ms, Preferred of 1, waited 0 ms, idle 500 ms; passed over 1+0+0+1
    "#]]);
    floor.declines("cy").check(expect![[r#"
        off_10_0: con_8_1 from cy, declined
        con_8_1 waits in sales at 5 since 0 ms (OfferEnded)
        done
        off_11_0: con_8_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 1500 ms; passed over 1+0+0+1
    "#]]);
}

#[test]
fn a_full_colleague_is_waited_for() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), agent("cy")]);
    floor.has("ada", "carl").has("bob", "dora").gives_to("ada", "bob").check(expect![[r#"
        con_8_1 entry 3: ada gave it to bob
        con_8_1 waits in sales at 5 since 0 ms (Transferred), first bob for 60000 ms
        done
    "#]]);
    floor.wait(OWNER_WAIT_MS).check(expect![[r#"
        con_8_1 is for anyone
        off_13_0: con_8_1 to cy for 20000 ms, LongestIdle of 1, waited 60000 ms, idle 60500 ms; passed over 0+0+1+1
    "#]]);
}

#[test]
fn who_takes_what_they_declined_has_not_declined_it() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes("carl").declines("ada").accepts("bob").gives_to("bob", "ada").accepts("ada");
    floor.disconnects("ada", 1).wait(routing_core::RECLAIM_MS).check(expect![[r#"
        con_6_1 entry 5: taken back from ada
        con_6_1 waits in sales at 5 since 60000 ms (Reclaimed)
    "#]]);
    floor.connects("ada", 1).check(expect![[r#"
        ada connected
        off_13_0: con_6_1 to ada for 20000 ms, LongestIdle of 1, waited 60000 ms, idle 0 ms; passed over 0+0+0+1
    "#]]);
}

#[test]
fn who_comes_back_does_not_wait_for_a_skill_that_is_gone() {
    let able = || agent("ada").skill("dutch", 5);
    let mut floor = Floor::online([able(), agent("bob")]);
    floor.writes_about("carl", Some("dutch")).accepts("ada").resolves("ada");
    floor.goes("ada", Presence::Away);
    let mut without = crate::builder::config([agent("ada"), agent("bob")]);
    without.skills.clear();
    without.categories.clear();
    floor.configure(without).writes("carl");
    floor.offer_to("bob");
}
