//! Random histories: what agents, customers, the shop and routing may do, in any order.

use proptest::prelude::*;
use protocol::facts::FactValue;
use protocol::policy::{Per, Policy};
use protocol::remedy::{Claim, RemedyKind};

use crate::policy::{limit, policy, token};
use crate::shop::facts;

pub(crate) const AGENTS: [&str; 4] = ["ada", "bob", "cy", "lea"];
pub(crate) const AMOUNTS: [Option<i64>; 9] = [
    None,
    Some(1),
    Some(2_500),
    Some(9_000),
    Some(15_000),
    Some(24_000),
    Some(60_000),
    Some(400_000),
    Some(-5),
];
pub(crate) const REASONS: [Option<&str>; 5] =
    [None, Some("not_ours"), Some("used"), Some("defect"), Some("late")];
pub(crate) const WAITS: [u64; 8] = [0, 1, 3_000, 10_000, 61_000, 301_000, 3_600_000, 21_600_000];

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Give { by: usize, customer: u8, kind: usize, amount: usize, claim: (usize, u8), occasion: usize, how: u8 },
    Undo { nth: usize, by: usize },
    Retry { nth: usize, by: usize },
    Order { nth: usize, answer: u8 },
    StrangeOrder { nth: usize, answer: u8 },
    Routing { nth: usize, whom: u8 },
    Answer { nth: usize, by: usize, yes: bool },
    Told { nth: usize },
    Promise { by: usize, ms: usize },
    Keep { nth: usize, by: usize },
    Thank { by: usize, whom: usize },
    Story { nth: usize, by: usize },
    Signal { customer: u8, name: bool },
    Contest { nth: u8 },
    Own { by: usize, customer: u8 },
    Fact { customer: u8, which: u8 },
    Policy { variant: u8 },
    TakeOver,
    Again,
    Snapshot,
    Wait { ms: usize },
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (by, nth) = (|| 0..AGENTS.len(), || 0..12_usize);
    let customer = || 1..5_u8;
    let step = prop_oneof![
        12 => (by(), customer(), 0..7_usize, 0..AMOUNTS.len(), (0..REASONS.len(), any::<u8>()), 0..6_usize, any::<u8>())
            .prop_map(|(by, customer, kind, amount, claim, occasion, how)| {
                Step::Give { by, customer, kind, amount, claim, occasion, how }
            }),
        1 => (nth(), by()).prop_map(|(nth, by)| Step::Undo { nth, by }),
        2 => (nth(), by()).prop_map(|(nth, by)| Step::Retry { nth, by }),
        8 => (nth(), any::<u8>()).prop_map(|(nth, answer)| Step::Order { nth, answer }),
        1 => (nth(), any::<u8>()).prop_map(|(nth, answer)| Step::StrangeOrder { nth, answer }),
        5 => (nth(), any::<u8>()).prop_map(|(nth, whom)| Step::Routing { nth, whom }),
        5 => (nth(), by(), any::<bool>()).prop_map(|(nth, by, yes)| Step::Answer { nth, by, yes }),
        3 => nth().prop_map(|nth| Step::Told { nth }),
        1 => (by(), 0..WAITS.len()).prop_map(|(by, ms)| Step::Promise { by, ms }),
        1 => (nth(), by()).prop_map(|(nth, by)| Step::Keep { nth, by }),
        1 => (by(), by()).prop_map(|(by, whom)| Step::Thank { by, whom }),
        1 => (nth(), by()).prop_map(|(nth, by)| Step::Story { nth, by }),
        1 => (customer(), any::<bool>()).prop_map(|(customer, name)| Step::Signal { customer, name }),
        1 => any::<u8>().prop_map(|nth| Step::Contest { nth }),
        1 => (by(), customer()).prop_map(|(by, customer)| Step::Own { by, customer }),
        3 => (customer(), any::<u8>()).prop_map(|(customer, which)| Step::Fact { customer, which }),
        1 => (0..4_u8).prop_map(|variant| Step::Policy { variant }),
        1 => Just(Step::TakeOver),
        1 => Just(Step::Again),
        1 => Just(Step::Snapshot),
        6 => (0..WAITS.len()).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 60..140)
}

pub(crate) fn nth<T>(all: impl Iterator<Item = T>, n: usize) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    let len = all.len();
    (len > 0).then(|| all.swap_remove(n % len))
}

pub(crate) fn variant(variant: u8) -> Policy {
    let mut policy = policy();
    match variant {
        1 => policy.cards.truncate(4),
        2 => policy.latitude.up_to = vec![limit(Per::TeamDay, 40_000)],
        3 => policy.asking.soft_limit.clear(),
        _ => {}
    }
    policy
}

pub(crate) fn claim(n: usize, bits: u8) -> Claim {
    let tokens = |bit: u8, name: &str| (bits & bit != 0).then(|| token(name));
    Claim {
        reason: REASONS[n].map(token),
        wish: (bits & 1 != 0).then_some(RemedyKind::Voucher),
        order: tokens(2, if bits & 4 == 0 { "A-1" } else { "A-2" }),
        line: (bits & 24 == 24).then(|| token("2")),
        incident: tokens(32, "flood"),
        price: None,
        facts: if bits & 0xc0 == 0xc0 {
            facts([("claim.fraud_evidence", FactValue::Bool(bits & 1 != 0))])
        } else {
            facts([])
        },
    }
}
