//! Who is there.

use expect_test::expect;
use protocol::command::Presence;
use routing_core::RECLAIM_MS;

use crate::builder::{Floor, agent};

#[test]
fn online_without_a_desk_is_not_there() {
    let mut floor = Floor::of([agent("ada")]);
    floor.comes("ada").writes("carl").check(expect![[r#"
        cnv_3_0 opened by web shop
        con_3_1 opened
        con_3_1 entry 1: customer
        con_3_1 waits in sales at 5 since 0 ms (Opened)
    "#]]);
    floor.connects("ada", 1).check(expect![[r#"
        ada connected
        off_4_0: con_3_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn who_goes_loses_their_offers_and_keeps_their_contacts() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").mails("dora").goes("ada", Presence::Away).check(expect![[r#"
        ada Away
        done
        off_6_2: con_6_1 from ada, agent gone
        con_6_1 waits in support at 5 since 0 ms (OfferEnded)
    "#]]);
    floor.wait(10 * RECLAIM_MS).replies("ada").check(expect![[r#"
        con_4_1 entry 3: reply of ada
        done
    "#]]);
}

#[test]
fn who_is_unreachable_is_waited_for_and_then_their_contacts_go_on() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").wait(10).disconnects("ada", 1).check(expect![[r#"
        ada disconnected, reclaim in 60000 ms
    "#]]);
    floor.wait(RECLAIM_MS - 1).check(expect![[r#"
        ada disconnected, reclaim in 60000 ms
    "#]]);
    floor.wait(1).check(expect![[r#"
        con_6_1 entry 3: taken back from ada
        con_6_1 waits in sales at 5 since 60010 ms (Reclaimed)
        off_9_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 60010 ms, idle 60510 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn wrap_ups_of_who_stays_away_end() {
    let mut floor = Floor::online([agent("ada")]);
    floor.mails("carl").accepts("ada").resolves("ada");
    floor.disconnects("ada", 1).wait(crate::builder::WRAP_UP_MS).check(expect![[r#"
        con_4_1 resolved by ada
    "#]]);
}

#[test]
fn coming_back_in_time_changes_nothing() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").disconnects("ada", 1).wait(RECLAIM_MS - 1).connects("ada", 2).check(expect![[
        r#"
            ada connected
        "#
    ]]);
    floor.wait(10 * RECLAIM_MS).check(expect![[r#"
        ada connected
    "#]]);
}

#[test]
fn another_gateway_cannot_lose_an_agent() {
    let mut floor = Floor::online([agent("ada")]);
    floor.connects("ada", 2).disconnects("ada", 1).check(expect![[""]]);
}

#[test]
fn a_lost_gateway_loses_all_who_came_through_it() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), agent("cy")]);
    floor.connects("cy", 2).has("ada", "carl").writes("dora").loses_gateway(1).check(expect![[r#"
        ada disconnected, reclaim in 60000 ms
        bob disconnected, reclaim in 60000 ms
        off_11_2: con_11_1 from bob, agent gone
        con_11_1 waits in sales at 5 since 0 ms (OfferEnded)
        off_12_0: con_11_1 to cy for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+2+0+0
    "#]]);
}

#[test]
fn who_is_not_configured_is_not_connected() {
    let mut floor = Floor::of([agent("ada")]);
    floor.connects("zoe", 1).disconnects("zoe", 1).comes("zoe").check(expect![[r#"
        refused UnknownAgent
    "#]]);
}

#[test]
fn idle_time_begins_when_they_come() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.goes("ada", Presence::Away).comes("ada").wait(10).writes("carl").check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 510 ms then ada 10 ms; passed over 0+0+0+0
    "#]]);
}
