//! Who is offered what.

use expect_test::expect;
use protocol::command::Presence;

use crate::builder::{AgentWith, DECLINE_REST_MS, Floor, OFFER_MS, agent};

#[test]
fn a_contact_goes_to_who_is_idle_for_longest() {
    let mut floor = Floor::online([agent("ada"), agent("bob"), agent("cy").only("support")]);
    floor.wait(5_000).writes("carl").check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 7500 ms then bob 6500 ms; passed over 1+0+0+0
    "#]]);
}

#[test]
fn a_second_contact_goes_to_the_next_and_a_third_waits() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes("carl").writes("dora").check(expect![[r#"
        cnv_7_0 opened by web shop
        con_7_1 opened
        con_7_1 entry 1: customer
        con_7_1 waits in sales at 5 since 0 ms (Opened)
        off_7_2: con_7_1 to bob for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+1+0
    "#]]);
    floor.wait(10).writes("emil").check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales at 5 since 0 ms (Opened)
    "#]]);
}

#[test]
fn an_offer_is_accepted() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl").wait(300).accepts("ada").check(expect![[r#"
        off_4_2: con_4_1 from ada, accepted
        con_4_1 with ada
        con_4_1 entry 2: ada joined
        done
    "#]]);
}

#[test]
fn who_comes_free_gets_the_first_in_order() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").wait(10).writes("dora").wait(10).writes("emil");
    floor.wait(10).writes_about("fay", Some("urgent"));
    floor.wait(10).resolves("ada").check(expect![[r#"
        con_4_1 entry 3: ada resolved it as done
        con_4_1 resolved by ada
        done
        off_9_0: con_8_1 to ada for 20000 ms, FirstInOrder of 1, waited 10 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    floor.accepts("ada").wait(10).resolves("ada").check(expect![[r#"
        con_8_1 entry 3: ada resolved it as done
        con_8_1 resolved by ada
        done
        off_11_0: con_6_1 to ada for 20000 ms, FirstInOrder of 2, waited 40 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn needs_are_levels() {
    let staff = [agent("ada").skill("dutch", 2), agent("bob"), agent("cy").skill("dutch", 3)];
    let mut floor = Floor::online(staff);
    floor.writes_about("carl", Some("dutch")).check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales dutch>=3 at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to cy for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 2+0+0+0
    "#]]);
}

#[test]
fn an_unknown_category_is_as_none() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes_about("carl", Some("weather")).check(expect![[r#"
        cnv_4_0 opened by web shop
        con_4_1 opened
        con_4_1 entry 1: customer
        con_4_1 waits in sales at 5 since 0 ms (Opened)
        off_4_2: con_4_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn capacity_counts_by_channel() {
    let mut floor = Floor::online([agent("ada").web(2)]);
    floor.writes("carl").writes("dora").writes("emil").check(expect![[r#"
        cnv_6_0 opened by web shop
        con_6_1 opened
        con_6_1 entry 1: customer
        con_6_1 waits in sales at 5 since 0 ms (Opened)
    "#]]);
    floor.mails("fay").check(expect![[r#"
        cnv_7_0 opened by api mail
        con_7_1 opened
        con_7_1 entry 1: customer
        con_7_1 waits in support at 5 since 0 ms (Opened)
        off_7_2: con_7_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn who_declined_stands_back_while_another_can_take_it() {
    let mut floor = Floor::online([agent("bob"), agent("ada")]);
    floor.has("bob", "carl");
    floor.writes("dora").check(expect![[r#"
        cnv_8_0 opened by web shop
        con_8_1 opened
        con_8_1 entry 1: customer
        con_8_1 waits in sales at 5 since 0 ms (Opened)
        off_8_2: con_8_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 500 ms; passed over 0+0+1+0
    "#]]);
    floor.wait(10).declines("ada").check(expect![[r#"
        off_8_2: con_8_1 from ada, declined
        con_8_1 waits in sales at 5 since 10 ms (OfferEnded)
        done
    "#]]);
    floor.wait(10 * DECLINE_REST_MS);
    floor.resolves("bob").check(expect![[r#"
        con_6_1 entry 3: bob resolved it as done
        con_6_1 resolved by bob
        done
        off_10_0: con_8_1 to bob for 20000 ms, FirstInOrder of 1, waited 1200010 ms, idle 0 ms; passed over 0+0+0+1
    "#]]);
}

#[test]
fn when_all_declined_they_are_asked_again_after_a_rest() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes("dora").wait(10).declines("ada").wait(10).declines("bob").check(expect![[r#"
        off_7_0: con_6_1 from bob, declined
        con_6_1 waits in sales at 5 since 20 ms (OfferEnded)
        done
    "#]]);
    floor.wait(DECLINE_REST_MS - 11).check(expect![[r#"
        off_7_0: con_6_1 from bob, declined
        con_6_1 waits in sales at 5 since 20 ms (OfferEnded)
        done
    "#]]);
    floor.wait(1).check(expect![[r#"
        con_6_1 may be asked again
        off_9_0: con_6_1 to ada for 20000 ms, LongestIdle of 1, waited 120010 ms, idle 121510 ms; passed over 0+0+0+1
    "#]]);
}

#[test]
fn when_the_last_who_did_not_decline_goes_those_whose_rest_was_over_are_asked() {
    let mut floor = Floor::online([agent("bob"), agent("ada")]);
    floor.has("bob", "emil").goes("bob", Presence::Away).writes("carl").declines("ada");
    floor.has("ada", "dora").wait(DECLINE_REST_MS).check(expect![[r#"
        con_9_1 may be asked again
    "#]]);
    floor.comes("bob").resolves("ada").check(expect![[r#"
        con_11_1 entry 3: ada resolved it as done
        con_11_1 resolved by ada
        done
    "#]]);
    floor.goes("bob", Presence::Away).check(expect![[r#"
        bob Away
        done
        off_16_0: con_9_1 to ada for 20000 ms, LongestIdle of 1, waited 120000 ms, idle 0 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn when_the_last_who_did_not_decline_goes_the_rested_are_asked() {
    let mut floor = Floor::online([agent("bob"), agent("ada")]);
    floor.has("bob", "carl").writes("dora").declines("ada").wait(DECLINE_REST_MS);
    floor.goes("bob", Presence::Away).check(expect![[r#"
        bob Away
        done
        con_8_1 may be asked again
        off_10_0: con_8_1 to ada for 20000 ms, LongestIdle of 1, waited 120000 ms, idle 120500 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn who_may_be_asked_again_stands_back_for_who_comes_and_is_asked_when_they_go() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.goes("bob", Presence::Away).writes("carl").declines("ada").wait(10);
    floor.has("ada", "dora").wait(2 * DECLINE_REST_MS).comes("bob").check(expect![[r#"
        bob Online
        done
        off_12_0: con_7_1 to bob for 20000 ms, LongestIdle of 1, waited 240010 ms, idle 0 ms; passed over 0+0+1+0
    "#]]);
    floor.goes("bob", Presence::Away).resolves("ada").check(expect![[r#"
        con_9_1 entry 3: ada resolved it as done
        con_9_1 resolved by ada
        done
        off_14_0: con_7_1 to ada for 20000 ms, FirstInOrder of 1, waited 240010 ms, idle 0 ms; passed over 0+1+0+0
    "#]]);
    floor.wait(OFFER_MS / 2).goes("ada", Presence::Away).check(expect![[r#"
        ada Away
        done
        off_14_0: con_7_1 from ada, agent gone
        con_7_1 waits in sales at 5 since 250010 ms (OfferEnded)
    "#]]);
}

#[test]
fn a_missed_offer_sends_away_and_the_contact_keeps_its_place() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.writes("carl").wait(OFFER_MS - 1).check(expect![[r#"
        cnv_6_0 opened by web shop
        con_6_1 opened
        con_6_1 entry 1: customer
        con_6_1 waits in sales at 5 since 0 ms (Opened)
        off_6_2: con_6_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 1500 ms then bob 500 ms; passed over 0+0+0+0
    "#]]);
    floor.wait(1).check(expect![[r#"
        off_6_2: con_6_1 from ada, timed out
        ada Away (missed_offer)
        con_6_1 waits in sales at 5 since 20000 ms (OfferEnded)
        off_7_0: con_6_1 to bob for 20000 ms, LongestIdle of 1, waited 20000 ms, idle 20500 ms; passed over 0+1+0+0
    "#]]);
}

#[test]
fn who_misses_two_at_once_misses_one() {
    let mut floor = Floor::online([agent("ada").web(2)]);
    floor.writes("carl").writes("dora").wait(OFFER_MS).check(expect![[r#"
        off_4_2: con_4_1 from ada, timed out
        ada Away (missed_offer)
        con_4_1 waits in sales at 5 since 20000 ms (OfferEnded)
        off_5_2: con_5_1 from ada, agent gone
        con_5_1 waits in sales at 5 since 20000 ms (OfferEnded)
    "#]]);
}

#[test]
fn a_customer_who_leaves_abandons_a_waiting_contact() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl").leaves("carl").check(expect![[r#"
        con_2_1 entry 2: customer left
        con_2_1 abandoned
    "#]]);
    floor.leaves("carl").check(expect![[""]]);
}

#[test]
fn a_customer_who_leaves_takes_the_offer_back() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl").writes("dora").leaves("carl").check(expect![[r#"
        off_4_2: con_4_1 from ada, customer gone
        con_4_1 entry 2: customer left
        con_4_1 abandoned
        off_6_0: con_5_1 to ada for 20000 ms, FirstInOrder of 1, waited 0 ms, idle 500 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn a_customer_who_leaves_stays_with_their_agent() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").leaves("carl").check(expect![[r#"
        con_4_1 entry 3: customer left
    "#]]);
}

#[test]
fn wrap_up_holds_the_slot_until_its_end() {
    let mut floor = Floor::online([agent("ada")]);
    floor.mails("carl").accepts("ada").mails("dora").resolves("ada").check(expect![[r#"
        con_4_1 entry 3: ada resolved it as done
        con_4_1 wrapped up by ada for 30000 ms
        done
    "#]]);
    floor.notes("ada").check(expect![[r#"
        con_4_1 entry 4: note of ada
        done
    "#]]);
    floor.wait(crate::builder::WRAP_UP_MS).check(expect![[r#"
        con_4_1 resolved by ada
        off_9_0: con_6_1 to ada for 20000 ms, FirstInOrder of 1, waited 30000 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
}

#[test]
fn wrap_up_can_be_ended() {
    let mut floor = Floor::online([agent("ada")]);
    floor.mails("carl").accepts("ada").resolves("ada").wait(5).ends_wrap_up("ada").check(expect![[r#"
        con_4_1 resolved by ada
        done
    "#]]);
}
