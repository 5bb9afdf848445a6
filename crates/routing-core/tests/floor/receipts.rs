//! Receipts held against a choice made once more, and a checker that can say no.

use protocol::Command;
use protocol::config::Agent;
use protocol::record::{Event, Record};
use routing_core::{Phase, State, apply_watched, recheck};

use crate::builder::{AgentWith, Floor, agent, resolve};
use crate::policies;

const DECISIONS: usize = 10_000;

/// Numbers from a seed: Knuth's MMIX generator, its upper half.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

fn staff(dice: &mut Dice) -> Vec<Agent> {
    let skilled = |n: usize, dice: &mut Dice| {
        let known = agent(&format!("agent{n}")).web(1 + u16::try_from(dice.below(3)).unwrap());
        let known = if dice.below(2) == 0 {
            known.skill("dutch", 1 + u8::try_from(dice.below(5)).unwrap())
        } else {
            known
        };
        if dice.below(3) == 0 { known.only("support") } else { known }
    };
    (0..24).map(|n| skilled(n, dice)).collect()
}

/// A busy floor under a policy, until so many offers were made.
fn busy(policy: usize, decisions: usize) -> Floor {
    let mut dice = Dice(7 + policy as u64);
    let staff = staff(&mut dice);
    let names: Vec<String> = staff.iter().map(|agent| agent.title.clone()).collect();
    let mut floor = Floor::empty();
    floor.configure(policies::config(policy, staff));
    for name in &names {
        floor.connects(name, 1).comes(name);
    }
    let mut customers = 0;
    while offers(&floor.log) < decisions {
        customers += 1;
        let category = [None, Some("dutch"), Some("urgent"), Some("broken")][dice.below(4)];
        floor.writes_about(&format!("customer{customers}"), category);
        floor.wait(dice.below(4_000) as u64);
        for _ in 0..2 {
            works(&mut floor, &names, &mut dice);
        }
    }
    floor
}

fn offers(log: &[Record]) -> usize {
    let events = log.iter().flat_map(|record| &record.events);
    events.filter(|event| matches!(event, Event::OfferMade { .. })).count()
}

fn works(floor: &mut Floor, names: &[String], dice: &mut Dice) {
    let name = &names[dice.below(names.len())];
    let held: Vec<_> = floor.state.held_by(crate::builder::agent_id(name)).collect();
    let Some(contact) = held.first().copied() else {
        floor.comes(name);
        return;
    };
    let command = match floor.state.contact(contact).unwrap().phase {
        Phase::Offered { offer, .. } if dice.below(8) > 0 => Command::Accept { offer },
        Phase::Offered { offer, .. } => Command::Decline { offer, reason: "no".into() },
        Phase::WrapUp { .. } => Command::EndWrapUp { contact },
        _ => resolve(contact),
    };
    floor.asks(name, command);
}

/// What the checker says of each decision of a log.
fn rechecked(log: &[Record], mut change: impl FnMut(&mut Event)) -> Vec<Vec<String>> {
    let mut state = State::new();
    let mut told = Vec::new();
    for (seq, record) in (1_u64..).zip(log) {
        apply_watched(&mut state, seq, record, |before, event| {
            if let Event::OfferMade { .. } = event {
                let mut event = event.clone();
                change(&mut event);
                told.push(recheck(before, record.at, &event));
            }
        })
        .unwrap();
    }
    told
}

#[test]
fn ten_thousand_decisions_are_made_again() {
    let mut checked = 0;
    for policy in 0..policies::POLICIES {
        let floor = busy(policy, DECISIONS / policies::POLICIES + 1);
        for (n, found) in rechecked(&floor.log, |_| {}).iter().enumerate() {
            assert!(found.is_empty(), "decision {n} under policy {policy}: {found:?}");
            checked += 1;
        }
    }
    assert!(checked >= DECISIONS, "{checked}");
}

#[test]
fn a_receipt_that_tells_something_else_is_found() {
    let floor = busy(0, 300);
    let finds = |change: &dyn Fn(&mut Event), what: &str| {
        let told = rechecked(&floor.log, |event| change(event));
        let found = told.iter().flatten().filter(|fault| fault.starts_with(what)).count();
        assert!(found > told.len() / 10, "{what}: {found} of {}", told.len());
    };
    finds(&|event| receipt(event, |receipt| receipt.waited_ms += 1), "the wait");
    finds(&|event| receipt(event, |receipt| receipt.idle_ms += 1), "the idle time");
    finds(&|event| receipt(event, |receipt| receipt.waiting_in_class += 1), "waiting in its class");
    finds(&|event| receipt(event, |receipt| receipt.passed_over.full += 1), "passed over");
    finds(&|event| receipt(event, |receipt| receipt.runners_up.reverse()), "the runners-up");
    let nobody = |event: &mut Event| {
        if let Event::OfferMade { agent, .. } = event {
            *agent = crate::builder::agent_id("nobody");
        }
    };
    finds(&nobody, "the agent");
}

fn receipt(event: &mut Event, change: impl FnOnce(&mut protocol::record::Receipt)) {
    if let Event::OfferMade { receipt, .. } = event {
        change(receipt);
    }
}
