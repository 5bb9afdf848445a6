//! Every history of a small floor up to a length: not drawn, but all of them.

use protocol::Command;
use protocol::command::Presence;
use routing_core::{Phase, State, apply_watched, recheck};

use crate::builder::{AgentWith, Floor, OFFER_MS, agent, resolve};
use crate::model::Model;
use crate::policies;

/// Two agents, one of whom serves one queue alone, and two customers.
const AGENTS: [&str; 2] = ["ada", "bob"];

/// What can happen next; each is done to the first for whom it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    CarlWrites,
    DoraWrites,
    CarlLeaves,
    Accepts,
    Declines,
    Resolves,
    Snoozes,
    AdaGoes,
    AdaComes,
    BobComes,
    TimePasses,
}

const MOVES: [Move; 11] = [
    Move::CarlWrites,
    Move::DoraWrites,
    Move::CarlLeaves,
    Move::Accepts,
    Move::Declines,
    Move::Resolves,
    Move::Snoozes,
    Move::AdaGoes,
    Move::AdaComes,
    Move::BobComes,
    Move::TimePasses,
];

/// How long histories are: 11 moves make 161,051 of five, and 1,771,561 of six with `WINTERBAND_SLOW`.
fn length() -> usize {
    if std::env::var_os("WINTERBAND_SLOW").is_some() { 6 } else { 5 }
}

fn begun(policy: usize) -> Floor {
    let mut floor = Floor::empty();
    floor.configure(policies::config(policy, vec![agent("ada").web(2), agent("bob").only("sales")]));
    for name in AGENTS {
        floor.connects(name, 1);
    }
    floor.comes("ada");
    floor
}

/// Tells whether it made sense: what cannot be done is not a history of its own.
fn play(floor: &mut Floor, what: Move) -> bool {
    let open = |floor: &Floor, is: fn(&Phase) -> bool| {
        floor
            .state
            .contacts()
            .find(|(_, contact)| is(&contact.phase))
            .map(|(id, contact)| (id, contact.phase))
    };
    let is_offered = |phase: &Phase| matches!(phase, Phase::Offered { .. });
    let is_held = |phase: &Phase| matches!(phase, Phase::WithAgent { .. });
    match what {
        Move::CarlWrites => drop(floor.writes("carl")),
        Move::DoraWrites => drop(floor.mails("dora")),
        Move::CarlLeaves => drop(floor.leaves("carl")),
        Move::AdaGoes => drop(floor.goes("ada", Presence::Away)),
        Move::AdaComes => drop(floor.comes("ada")),
        Move::BobComes => drop(floor.comes("bob")),
        Move::TimePasses => drop(floor.wait(OFFER_MS)),
        Move::Accepts | Move::Declines => {
            let Some((_, Phase::Offered { offer, agent, .. })) = open(floor, is_offered) else {
                return false;
            };
            let name = AGENTS.into_iter().find(|name| crate::builder::agent_id(name) == agent).unwrap();
            let no = Command::Decline { offer, reason: "no".into() };
            floor.asks(name, if what == Move::Accepts { Command::Accept { offer } } else { no });
        }
        Move::Resolves | Move::Snoozes => {
            let Some((contact, Phase::WithAgent { agent, .. })) = open(floor, is_held) else { return false };
            let name = AGENTS.into_iter().find(|name| crate::builder::agent_id(name) == agent).unwrap();
            let until = protocol::Millis(floor.now + 61_000);
            let snooze = Command::Snooze { contact, until };
            floor.asks(name, if what == Move::Resolves { resolve(contact) } else { snooze });
        }
    }
    true
}

/// Holds the laws after a history; gives whether it was one.
fn check(policy: usize, history: &[Move]) -> bool {
    let mut floor = begun(policy);
    let mut model = Model::default();
    let mut folded = 0;
    for what in history {
        if !play(&mut floor, *what) {
            return false;
        }
        floor.wait(0);
        floor.log[folded..].iter().for_each(|record| model.fold(record));
        folded = floor.log.len();
        model.check_matched();
    }
    let mut follower = State::new();
    for (seq, record) in (1_u64..).zip(&floor.log) {
        apply_watched(&mut follower, seq, record, |before, event| {
            assert_eq!(recheck(before, record.at, event), Vec::<String>::new(), "{history:?}: {event:?}");
        })
        .unwrap();
    }
    assert_eq!(follower, floor.state, "{history:?}");
    true
}

#[test]
fn every_history_of_a_small_floor_keeps_the_laws() {
    let mut checked = 0_u64;
    for policy in [0, 3] {
        let mut history = vec![0_usize; length()];
        loop {
            let moves: Vec<Move> = history.iter().map(|n| MOVES[*n]).collect();
            checked += u64::from(check(policy, &moves));
            // The next one, as an odometer turns.
            let Some(wheel) = history.iter().rposition(|n| n + 1 < MOVES.len()) else { break };
            history[wheel] += 1;
            history[wheel + 1..].fill(0);
        }
    }
    assert!(checked > 50_000, "{checked} histories made sense");
}
