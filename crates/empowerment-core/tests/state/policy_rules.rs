//! A new policy replaces the old one as a whole, while remedies and commands go on; commands and inputs are taken once.

use empowerment_core::{AlreadyConsumed, ApplyError, State, apply, timer, transition};
use protocol::formats::READS;
use protocol::input::REPLACES;
use protocol::limits::{CLOCK_SKEW_MS_MAX, COMMAND_AGE_MS_MAX};
use protocol::remedies::{RemedyEvent, RemedyOutcome, RemedyRefusal, TellWhat};
use protocol::remedy::{Claim, RemedyCommand, RemedyKind};
use protocol::till::TillAnswer;
use protocol::{CommandId, GatewayId, Hash128, Millis, RemedyCause};
use uuid::Uuid;

use crate::policy::{UNDO_MS, because_of, cents, euros, policy, words};
use crate::shop::{Shop, agent, gift, give, held};

#[test]
fn before_the_first_policy_nothing_is_given_and_everybody_is_told_why() {
    let mut shop = Shop::empty();
    assert_eq!(shop.refused("ada", give(1, &small())), RemedyRefusal::NoPolicy);
    let refused = TillAnswer::Refused { refusal: RemedyRefusal::NoPolicy };
    assert_eq!(shop.ask_till("ada", 1, Claim::default()), refused);
    assert_eq!(shop.log[0].policy, Hash128([0; 16]));
}

fn small() -> protocol::remedy::Gift {
    gift(RemedyKind::Refund, Some(euros(100)), because_of("not_ours"))
}

#[test]
fn a_policy_with_faults_is_refused_whole_and_the_old_one_stays() {
    let mut shop = Shop::open();
    let mut broken = policy();
    broken.cards[2].when.push("no.such_fact".into());
    broken.cards[3].when.push("customer.orders".into());
    let [RemedyEvent::PolicyRefused { faults }] = shop.puts(broken, 2) else { panic!("{:?}", shop.last()) };
    assert!(faults.len() >= 2, "all at once: {faults:?}");
    assert_eq!(shop.state.policy_hash(), Hash128([1; 16]));
    shop.gives("ada", 1, &small());
}

#[test]
fn a_policy_that_was_made_from_another_one_is_refused() {
    let mut shop = Shop::open();
    let named = |name: &str| {
        let mut policy = policy();
        policy.stands_behind = name.into();
        policy
    };
    assert_eq!(shop.puts_in_place_of(Some(1), named("Ada"), 2), [RemedyEvent::PolicyApplied]);
    let last = shop.puts_in_place_of(Some(1), named("Bob"), 3);
    let [RemedyEvent::PolicyRefused { faults }] = last else { panic!("{last:?}") };
    assert_eq!(faults.iter().map(|fault| &*fault.path).collect::<Vec<_>>(), [REPLACES]);
    assert_eq!(shop.log.last().unwrap().policy, Hash128([2; 16]), "the record names the one in force");
    assert_eq!(shop.state.policy().unwrap().stands_behind, "Ada");
    assert_eq!(shop.puts_in_place_of(Some(2), named("Bob"), 3), [RemedyEvent::PolicyApplied]);
    assert_eq!(
        shop.puts(named("Carl"), 4),
        [RemedyEvent::PolicyApplied],
        "one that says nothing replaces any"
    );
}

#[test]
fn a_policy_made_from_none_is_refused_where_there_is_one_and_one_made_from_one_where_there_is_none() {
    let mut shop = Shop::empty();
    let last = shop.puts_in_place_of(Some(1), policy(), 2);
    assert!(matches!(last, [RemedyEvent::PolicyRefused { .. }]), "{last:?}");
    assert_eq!(shop.puts_in_place_of(Some(0), policy(), 2), [RemedyEvent::PolicyApplied]);
    let last = shop.puts_in_place_of(Some(0), policy(), 3);
    assert!(matches!(last, [RemedyEvent::PolicyRefused { .. }]), "{last:?}");
}

#[test]
fn a_new_policy_decides_from_its_record_on_and_each_record_names_its_own() {
    let mut shop = Shop::open();
    let mut tight = policy();
    tight.latitude.up_to[0].cents = cents(50);
    let refund = gift(RemedyKind::Refund, Some(euros(100)), Claim::default());
    shop.gives("ada", 1, &refund);
    shop.puts(tight, 2);
    let refused = shop.refused("ada", give(2, &refund));
    assert!(matches!(refused, RemedyRefusal::Beyond { .. }), "{refused:?}");
    let hashes: Vec<_> = shop.log.iter().map(|record| record.policy.0[0]).collect();
    assert_eq!(hashes, [1, 1, 2, 2]);
}

#[test]
fn what_was_given_keeps_the_words_and_the_praise_it_was_given_with() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &small());
    let mut reworded = policy();
    reworded.cards[2].tell = words("other words {amount}");
    reworded.cards[2].praise = None;
    shop.puts(reworded, 2);
    assert_eq!(shop.last(), [RemedyEvent::PolicyApplied]);
    shop.wait(UNDO_MS);
    shop.done(remedy);
    let told = shop.last().iter().find_map(|event| match event {
        RemedyEvent::TellWanted { what: TellWhat::Remedy { words, .. }, .. } => Some(words.clone()),
        _ => None,
    });
    assert_eq!(told.unwrap(), "from never_sold: EUR 1.00 {code} (en)");
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::Praised { .. })), 1);
}

#[test]
fn the_same_command_again_gets_the_same_answer_and_happens_once() {
    let mut shop = Shop::open();
    let id = shop.new_command();
    let first = shop.command_with(id, "ada", give(1, &small()), Some(held(1, "ada")));
    let again = shop.command_with(id, "ada", give(1, &small()), Some(held(1, "ada")));
    assert_eq!(first, again);
    assert_eq!(shop.last()[0], RemedyEvent::DuplicateSkipped);
    assert_eq!(shop.count(|event| matches!(event, RemedyEvent::Granted(_))), 1);
    let other = shop.command_with(id, "bob", give(2, &small()), Some(held(2, "bob")));
    assert_ne!(first, other, "another agent's id answers for nobody");
}

#[test]
fn a_command_that_is_too_old_too_new_or_without_time_is_refused() {
    let mut shop = Shop::open();
    let old = shop.new_command();
    let try_at = |shop: &mut Shop, id| shop.command_with(id, "ada", give(1, &small()), Some(held(1, "ada")));
    let too_old = RemedyOutcome::Refused { refusal: RemedyRefusal::TooOld };
    assert_eq!(try_at(&mut shop, CommandId(Uuid::from_u128(5))), too_old);
    shop.now += COMMAND_AGE_MS_MAX + 1;
    assert_eq!(try_at(&mut shop, old), too_old);
    let start = shop.now;
    shop.now += CLOCK_SKEW_MS_MAX + 1_000;
    let ahead = shop.new_command();
    shop.now = start;
    assert_eq!(try_at(&mut shop, ahead), too_old);
    let now = shop.new_command();
    assert!(matches!(try_at(&mut shop, now), RemedyOutcome::Granted { .. }));
}

#[test]
fn a_record_of_contacts_is_consumed_once() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &small());
    let cause = shop.log.last().unwrap().cause.clone();
    let seq = shop.state.contacts_seq();
    let before = shop.state.clone();
    let again = transition(&mut shop.state, cause, Millis(shop.now));
    assert_eq!(again, Err(AlreadyConsumed { seq, last: seq }));
    assert!(shop.state == before);
}

#[test]
fn time_never_runs_backwards() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &small());
    let last = shop.state.last_at();
    shop.now -= 60_000;
    shop.takes_over();
    assert_eq!(shop.log.last().unwrap().at, last);
}

#[test]
fn a_gap_a_later_version_and_a_record_that_does_not_fit_are_not_applied() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &small());
    let [policy, given] = &shop.log[..] else { panic!() };
    let mut state = State::new();
    assert_eq!(apply(&mut state, 2, given), Err(ApplyError::Gap { last: 0, found: 2 }));
    let mut later = policy.clone();
    later.v = READS + 1;
    let found = READS + 1;
    assert_eq!(apply(&mut state, 1, &later), Err(ApplyError::LaterVersion { seq: 1, found }));
    let mut strange = policy.clone();
    strange.events = vec![RemedyEvent::Ordered { remedy: protocol::RemedyId { log_seq: 9, n: 0 } }];
    let misfit = apply(&mut state, 1, &strange).unwrap_err();
    assert!(misfit.to_string().contains("rem_9_0"), "{misfit}");
}

#[test]
fn a_leader_is_fenced_with_the_next_epoch() {
    let mut shop = Shop::open();
    let takeover = RemedyCause::Takeover { leader: GatewayId(Uuid::from_u128(7)) };
    assert_eq!(shop.cause(takeover), [RemedyEvent::Fenced { epoch: 1 }]);
    assert_eq!(shop.log.last().unwrap().epoch, 1);
    shop.takes_over();
    assert_eq!(shop.state.epoch(), 2);
}

#[test]
fn nothing_due_is_no_record() {
    let mut shop = Shop::open();
    shop.gives("ada", 1, &small());
    assert_eq!(timer(&mut shop.state, Millis(shop.now)), None);
}

#[test]
fn a_snapshot_is_whole_and_goes_on_as_the_log_does() {
    let mut shop = Shop::open();
    let remedy = shop.gives("ada", 1, &small());
    let ask = shop.asks_for("ada", 2, &gift(RemedyKind::Refund, Some(euros(90_000)), Claim::default()));
    shop.signal(1, "many_claims");
    shop.is_own("ada", 7);
    let read: State = serde_json::from_str(&serde_json::to_string(&shop.state).unwrap()).unwrap();
    assert!(read == shop.state);
    shop.state = read;
    shop.wait(UNDO_MS);
    shop.done(remedy);
    shop.routing_asks(ask, &["bob"]);
    let settled = shop.asks("bob", RemedyCommand::Answer { ask, yes: true });
    assert!(matches!(settled, RemedyOutcome::Granted { .. }));
    assert_eq!(shop.grant(remedy).agent, agent("ada"));
}
