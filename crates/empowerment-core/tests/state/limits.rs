//! A limit on everything: at it all is well, past it there is a clear answer.

use empowerment_core::limits::{
    ASKS_PER_AGENT_MAX, FACTS_ABOUT_MAX, GRANT_WEIGHT, OWN_PER_AGENT_MAX, PROMISES_PER_AGENT_MAX,
    RECORD_WEIGHT_MAX, SEALED_TELL_BYTES_MAX, SEALED_WORDS_BYTES_MAX,
};
use empowerment_core::{State, till, transition};
use protocol::facts::FactValue;
use protocol::remedies::{RemedyEvent, RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{Claim, EmpowermentInput, FactsAbout, Gift, RemedyCommand, RemedyKind};
use protocol::till::{TillAnswer, TillQuestion};
use protocol::{Hash128, IdentityId, Millis, NoticeId, RemedyCause};
use uuid::Uuid;

use crate::policy::{PEER_MS, SOFT, euros, token};
use crate::shop::{Shop, agent, contact, facts, gift, give_or_ask, held, sealed};

fn soft(line: usize) -> Gift {
    let claim = Claim { line: Some(token(&line.to_string())), ..Claim::default() };
    gift(RemedyKind::Refund, Some(euros(SOFT)), claim)
}

#[test]
fn an_agent_has_so_many_asks_open_and_no_more() {
    let mut shop = Shop::open();
    let asks: Vec<_> = (0..ASKS_PER_AGENT_MAX).map(|n| shop.asks_for("ada", 1, &soft(n))).collect();
    let refused = shop.refused("ada", give_or_ask(1, &soft(ASKS_PER_AGENT_MAX)));
    assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    shop.asks_for("bob", 2, &soft(0));
    shop.routing_asks(asks[0], &[]);
    shop.asks_for("ada", 1, &soft(ASKS_PER_AGENT_MAX));
}

#[test]
fn an_agent_has_so_many_promises_open_and_no_more() {
    let mut shop = Shop::open();
    let due = Millis(shop.now + 3_600_000);
    let promise = || RemedyCommand::Promise { contact: contact(1), words: sealed("call"), due };
    for _ in 0..PROMISES_PER_AGENT_MAX {
        assert_eq!(shop.asks("ada", promise()), RemedyOutcome::Done);
    }
    let refused = shop.refused("ada", promise());
    assert!(matches!(refused, RemedyRefusal::BadInput { .. }), "{refused:?}");
    assert_eq!(shop.asks("bob", promise()), RemedyOutcome::Done);
}

#[test]
fn an_agent_has_so_many_identities_of_their_own_and_no_more() {
    let mut shop = Shop::open();
    for n in 0..OWN_PER_AGENT_MAX {
        let noted = shop.is_own("ada", u8::try_from(n).unwrap()).to_vec();
        assert_eq!(noted, [RemedyEvent::OwnIdentityNoted]);
    }
    assert_eq!(shop.is_own("ada", 0), [RemedyEvent::DuplicateSkipped]);
    let past = u8::try_from(OWN_PER_AGENT_MAX).unwrap();
    assert!(matches!(shop.is_own("ada", past), [RemedyEvent::FactsRefused { .. }]));
    assert_eq!(shop.is_own("bob", past), [RemedyEvent::OwnIdentityNoted]);
}

#[test]
fn what_is_due_at_once_is_done_in_records_of_bounded_size() {
    let mut shop = Shop::open();
    let frame = sealed("").as_str().len();
    let full = |line| Gift {
        words: Some(sealed(&"x".repeat(SEALED_WORDS_BYTES_MAX - frame))),
        tell: Some(sealed(&"x".repeat(SEALED_TELL_BYTES_MAX - frame))),
        ..soft(line)
    };
    let asks = 45;
    for line in 0..asks {
        shop.asks_for("ada", 1, &full(line));
    }
    shop.now += PEER_MS;
    let before = shop.log.len();
    shop.wait(0);
    let grants = |events: &[RemedyEvent]| {
        events.iter().filter(|event| matches!(event, RemedyEvent::Granted(_))).count()
    };
    let timers: Vec<_> = shop.log[before..].iter().map(|record| grants(&record.events)).collect();
    assert_eq!(timers.iter().sum::<usize>(), asks);
    assert!(timers.iter().all(|grants| *grants <= RECORD_WEIGHT_MAX / GRANT_WEIGHT), "{timers:?}");
    assert!(timers.len() > 1);
}

#[test]
fn of_too_many_customers_the_longest_untold_are_forgotten() {
    let mut shop = Shop::open();
    let state: &mut State = &mut shop.state;
    let identity = |n: usize| IdentityId(Hash128(u128::try_from(n).unwrap().to_be_bytes()));
    let mut seq = state.contacts_seq();
    let mut push = |state: &mut State, n: usize| {
        seq += 1;
        let input = EmpowermentInput::Facts {
            id: NoticeId(Uuid::from_u128(1)),
            about: FactsAbout::Identity(identity(n)),
            source: token("shop"),
            at: Millis(shop.now),
            facts: facts([("customer.orders", FactValue::Int(1))]),
        };
        let input = RemedyInput::Input { input, context: None };
        transition(state, RemedyCause::Contacts { seq, input }, Millis(shop.now)).unwrap();
    };
    let is_known = |state: &State, n| {
        let mut context = held(1, "ada");
        context.identity = identity(n);
        let claim = Claim::default();
        let question = TillQuestion { agent: agent("ada"), context, claim, currency: None };
        let TillAnswer::Till(till) = till(state, &question, Millis(shop.now)) else { panic!() };
        till.facts.iter().any(|line| line.fact.is_some())
    };
    (0..FACTS_ABOUT_MAX).for_each(|n| push(state, n));
    assert!(is_known(state, 0));
    push(state, FACTS_ABOUT_MAX);
    assert!(!is_known(state, 0) && is_known(state, 1) && is_known(state, FACTS_ABOUT_MAX));
}
