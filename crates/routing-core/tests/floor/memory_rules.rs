//! Once, for as long as it may come again.

use expect_test::expect;
use protocol::config::Account;
use protocol::formats::READS;
use protocol::input::{InputBody, WIRE_VERSION};
use protocol::record::{Cause, Event};
use protocol::time::DAY_MS;
use protocol::{ChannelKind, Input, Millis, NoticeId, ParkedId};
use routing_core::{TransitionError, transition};

use crate::builder::{Floor, agent, config, token};

#[test]
fn the_same_message_is_one_message() {
    let mut floor = Floor::online([agent("ada")]);
    floor.writes("carl");
    for _ in 0..64 {
        floor.again();
        assert_eq!(floor.log.last().unwrap().events, [Event::DuplicateSkipped]);
    }
}

#[test]
fn the_same_id_with_other_words_is_parked() {
    let mut floor = Floor::of([agent("ada")]);
    let mut message = floor.message("carl", ChannelKind::Web, "shop", None);
    floor.input(InputBody::Message(message.clone()));
    message.content_hash.0[0] ^= 1;
    floor.input(InputBody::Message(message)).check(expect![[r#"
        parked content_differs
    "#]]);
}

#[test]
fn a_message_is_remembered_as_long_as_its_channel_retries_and_a_day() {
    for channel in ChannelKind::ALL {
        let mut with = config([agent("ada")]);
        let shop = with.accounts[0].clone();
        with.accounts.retain(|account| account.channel != channel);
        with.accounts.push(Account { channel, ..shop });
        let mut floor = Floor::empty();
        floor.configure(with);
        let message = InputBody::Message(floor.message("carl", channel, "shop", None));
        floor.input(message.clone());
        floor.wait(u64::from(channel.retry_days() + 1) * DAY_MS);
        floor.input(message.clone());
        assert_eq!(floor.log.last().unwrap().events, [Event::DuplicateSkipped]);
        let other = InputBody::Message(floor.message("dora", channel, "shop", None));
        floor.wait(DAY_MS).input(other).input(message);
        assert!(
            matches!(floor.log.last().unwrap().events[..], [Event::EntryAdded { .. }]),
            "{channel} has forgotten it"
        );
    }
}

#[test]
fn a_copy_that_waited_for_days_behind_its_message_is_known() {
    let mut floor = Floor::of([agent("ada")]);
    let body = InputBody::Message(floor.message("carl", ChannelKind::Web, "shop", None));
    let made_at = Millis(floor.now);
    floor.wait(7 * DAY_MS);
    for _ in 0..2 {
        let seq = floor.next_inbound();
        let input = Input { v: WIRE_VERSION, made_at, body: body.clone() };
        floor.cause(Cause::Input { seq, input }).wait(6 * DAY_MS);
    }
    assert_eq!(floor.log.last().unwrap().events, [Event::DuplicateSkipped]);
}

#[test]
fn a_message_to_an_unknown_account_is_parked_and_can_be_replayed() {
    let mut floor = Floor::of([agent("ada")]);
    let mut with = config([agent("ada")]);
    let message = InputBody::Message(floor.message("carl", ChannelKind::Web, "market", None));
    floor.input(message.clone()).check(expect![[r#"
        parked unknown_account
    "#]]);
    with.accounts[0].name = token("market");
    floor.configure(with).input(message).check(expect![[r#"
        cnv_4_0 opened by web market
        con_4_1 opened
        con_4_1 entry 1: customer
        con_4_1 waits in sales at 5 since 0 ms (Opened)
    "#]]);
}

#[test]
fn a_parked_item_is_replayed_once_for_good() {
    let mut floor = Floor::of([agent("ada")]);
    let mut message = floor.message("carl", ChannelKind::Web, "shop", None);
    message.replays = Some(ParkedId::of_input(floor.now, 7));
    floor.input(InputBody::Message(message.clone()));
    assert!(matches!(floor.log.last().unwrap().events.first(), Some(Event::ConversationOpened { .. })));
    floor.wait(100 * DAY_MS).writes("dora");
    let snapshot = serde_json::to_string(&floor.state).unwrap();
    floor.state = serde_json::from_str(&snapshot).unwrap();
    // Its ids are forgotten by then, and other ones would not help it.
    message.provider_hash.0[0] ^= 1;
    floor.input(InputBody::Message(message)).check(expect![[r#"
        duplicate
    "#]]);
}

#[test]
fn a_replay_that_is_parked_again_is_not_remembered() {
    let mut floor = Floor::of([agent("ada")]);
    let mut with = config([agent("ada")]);
    let mut message = floor.message("carl", ChannelKind::Web, "market", None);
    message.replays = Some(ParkedId::of_input(floor.now, 7));
    let replay = InputBody::Message(message);
    floor.input(replay.clone()).check(expect![[r#"
        parked unknown_account
    "#]]);
    with.accounts[0].name = token("market");
    floor.configure(with).input(replay);
    assert!(matches!(floor.log.last().unwrap().events.first(), Some(Event::ConversationOpened { .. })));
}

#[test]
fn a_dismissal_leaves_its_record_and_nothing_else() {
    let mut floor = Floor::online([agent("ada")]);
    let id = NoticeId(uuid::Uuid::from_u128(7));
    let body = InputBody::ParkedDismissed { id, parked: ParkedId::of_input(floor.now, 7), reason: None };
    floor.input(body);
    assert_eq!(floor.log.last().unwrap().events, []);
    floor.again().check(expect![[r#"
        duplicate
    "#]]);
}

#[test]
fn a_command_is_carried_out_once_and_answered_alike() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").resolves("ada").again().check(expect![[r#"
        duplicate
        done
    "#]]);
    floor.wait(DAY_MS).again().check(expect![[r#"
        duplicate
        done
    "#]]);
}

#[test]
fn a_refusal_is_answered_alike() {
    let mut floor = Floor::online([agent("ada"), agent("bob")]);
    floor.has("ada", "carl").gives_to("ada", "zoe").again().check(expect![[r#"
        duplicate
        refused ColleagueNotThere
    "#]]);
}

#[test]
fn a_notice_happens_once() {
    let mut floor = Floor::online([agent("ada")]);
    floor.has("ada", "carl").leaves("carl").again().check(expect![[r#"
        duplicate
    "#]]);
    floor.connects("ada", 3).again().check(expect![[r#"
        duplicate
    "#]]);
    floor.configure(config([agent("ada")])).again().check(expect![[r#"
        duplicate
    "#]]);
}

#[test]
fn a_later_version_is_parked() {
    let mut floor = Floor::of([agent("ada")]);
    let body = InputBody::Message(floor.message("carl", ChannelKind::Web, "shop", None));
    let input = Input { v: READS + 1, made_at: Millis(0), body };
    let seq = floor.next_inbound();
    floor.cause(Cause::Input { seq, input }).check(expect![[r#"
        parked later_version
    "#]]);
    let seq = floor.next_inbound();
    floor.cause(Cause::Unreadable { seq, reason: "no JSON".into() }).check(expect![[r#"
        parked unreadable
    "#]]);
}

#[test]
fn an_input_is_consumed_once() {
    let mut floor = Floor::of([agent("ada")]);
    floor.writes("carl");
    let (cause, before) = (floor.log.last().unwrap().cause.clone(), floor.state.clone());
    let seq = floor.state.inbound_seq();
    let refused = transition(&mut floor.state, cause, Millis(floor.now));
    assert_eq!(refused, Err(TransitionError::AlreadyConsumed { seq, last: seq }));
    assert_eq!(before, floor.state);
}

#[test]
fn time_never_runs_backwards() {
    let mut floor = Floor::online([agent("ada")]);
    let last = floor.state.last_at();
    floor.now -= 500;
    floor.writes("carl").check(expect![[r#"
        cnv_4_0 opened by web shop
        con_4_1 opened
        con_4_1 entry 1: customer
        con_4_1 waits in sales at 5 since 0 ms (Opened)
        off_4_2: con_4_1 to ada for 20000 ms, LongestIdle of 1, waited 0 ms, idle 0 ms; passed over 0+0+0+0
    "#]]);
    assert_eq!(floor.log.last().unwrap().at, last);
}
