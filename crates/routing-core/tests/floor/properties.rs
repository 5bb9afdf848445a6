//! The laws of the core under random floors.

use proptest::prelude::*;
use protocol::command::Presence;
use protocol::config::Agent;
use protocol::ids::GatewayId;
use protocol::input::InputBody;
use protocol::record::{Cause, Event};
use protocol::{AgentId, ChannelKind, Command, ContactId, MessageId, Millis, OfferId};
use routing_core::{Phase, State, apply, decide, explain, next_deadline, timer};
use uuid::Uuid;

use crate::builder::{AgentWith, Floor, agent, agent_id, gateway, sealed, token};
use crate::model::{At, Model};

const AGENTS: [&str; 5] = ["ada", "bob", "cy", "dee", "eve"];
const CUSTOMERS: [&str; 7] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7"];

#[derive(Clone, Debug)]
enum Step {
    Write { customer: usize, api: bool, category: usize },
    WriteOver,
    Leave { customer: usize },
    Connect { agent: usize, gateway: u128 },
    Disconnect { agent: usize, gateway: u128 },
    LoseGateway { gateway: u128 },
    SetPresence { agent: usize, presence: Presence },
    Answer { nth: usize, accepts: bool, by: Option<usize> },
    Act { nth: usize, what: Act, by: Option<usize> },
    Again,
    Wait { ms: u64 },
    TakeOver,
    Configure { variant: usize },
    Unreadable,
}

#[derive(Clone, Debug)]
enum Act {
    Reply,
    Note,
    ToQueue(usize),
    ToAgent(usize),
    Resolve,
    EndWrapUp,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let presence = prop_oneof![
        6 => Just(Presence::Online),
        1 => Just(Presence::Away),
        1 => Just(Presence::Offline)
    ];
    let act = prop_oneof![
        2 => Just(Act::Reply),
        1 => Just(Act::Note),
        2 => (0..3_usize).prop_map(Act::ToQueue),
        2 => (0..5_usize).prop_map(Act::ToAgent),
        6 => Just(Act::Resolve),
        2 => Just(Act::EndWrapUp),
    ];
    let by = || prop_oneof![9 => Just(None), 1 => (0..5_usize).prop_map(Some)];
    let wait = prop_oneof![
        Just(0_u64),
        Just(1),
        Just(700),
        Just(9_000),
        Just(20_000),
        Just(61_000),
        Just(125_000),
        Just(3_700_000),
        Just(90_000_000)
    ];
    let step = prop_oneof![
        8 => (0..7_usize, any::<bool>(), 0..5_usize)
            .prop_map(|(customer, api, category)| Step::Write { customer, api, category }),
        1 => Just(Step::WriteOver),
        1 => (0..7_usize).prop_map(|customer| Step::Leave { customer }),
        5 => (0..5_usize, 1..4_u128).prop_map(|(agent, gateway)| Step::Connect { agent, gateway }),
        1 => (0..5_usize, 1..4_u128).prop_map(|(agent, gateway)| Step::Disconnect { agent, gateway }),
        1 => (1..4_u128).prop_map(|gateway| Step::LoseGateway { gateway }),
        6 => (0..5_usize, presence).prop_map(|(agent, presence)| Step::SetPresence { agent, presence }),
        9 => (0..9_usize, prop::bool::weighted(0.7), by())
            .prop_map(|(nth, accepts, by)| Step::Answer { nth, accepts, by }),
        9 => (0..9_usize, act, by()).prop_map(|(nth, what, by)| Step::Act { nth, what, by }),
        1 => Just(Step::Again),
        4 => wait.prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::TakeOver),
        1 => (0..4_usize).prop_map(|variant| Step::Configure { variant }),
        1 => Just(Step::Unreadable),
    ];
    prop::collection::vec(step, 80..200)
}

fn staff(variant: usize) -> Vec<Agent> {
    let mut staff = vec![
        agent("ada").web(2),
        agent("bob").skill("dutch", 4),
        agent("cy").only("sales").skill("dutch", 2),
        agent("dee").only("support").web(3).skill("dutch", 5),
        agent("eve").web(0),
    ];
    match variant {
        1 => staff.truncate(4),
        2 => staff[0].capacity = [(ChannelKind::Web, 1)].into(),
        3 => staff[1].skills.clear(),
        _ => {}
    }
    staff
}

fn nth<T>(all: impl Iterator<Item = T>, n: usize) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    let len = all.len();
    (len > 0).then(|| all.swap_remove(n % len))
}

fn play(floor: &mut Floor, step: &Step) {
    match step {
        Step::Write { customer, api, category } => {
            let category = [None, None, Some("dutch"), Some("urgent"), Some("broken")][*category];
            let (channel, account) =
                if *api { (ChannelKind::Api, "mail") } else { (ChannelKind::Web, "shop") };
            let customer = format!("{}{account}", CUSTOMERS[*customer]);
            let message = floor.message(&customer, channel, account, category);
            floor.input(InputBody::Message(message));
        }
        Step::WriteOver => {
            if let Some(InputBody::Message(mut message)) = floor.last_input.clone() {
                message.content_hash.0[0] ^= 1;
                floor.input(InputBody::Message(message));
            }
        }
        Step::Leave { customer } => {
            floor.leaves(&format!("{}shop", CUSTOMERS[*customer]));
        }
        Step::Connect { agent, gateway } => {
            floor.connects(AGENTS[*agent], *gateway);
        }
        Step::Disconnect { agent, gateway } => {
            floor.disconnects(AGENTS[*agent], *gateway);
        }
        Step::LoseGateway { gateway } => {
            floor.loses_gateway(*gateway);
        }
        Step::SetPresence { agent, presence } => {
            floor.goes(AGENTS[*agent], *presence);
        }
        Step::Answer { nth: n, accepts, by } => answer(floor, *n, *accepts, *by),
        Step::Act { nth: n, what, by } => act(floor, *n, what, *by),
        Step::Again => {
            if floor.last_input.is_some() {
                again(floor);
            }
        }
        Step::Wait { ms } => {
            floor.wait(*ms);
        }
        Step::TakeOver => {
            floor.cause(Cause::Takeover { leader: GatewayId(Uuid::from_u128(9)) });
        }
        Step::Configure { variant } => {
            floor.configure(crate::builder::config(staff(*variant)));
        }
        Step::Unreadable => {
            let seq = floor.next_inbound();
            floor.cause(Cause::Unreadable { seq, reason: "no JSON".into() });
        }
    }
}

fn again(floor: &mut Floor) {
    let strip = |state: &State| {
        let mut value = serde_json::to_value(state).unwrap();
        value["inbound_seq"].take();
        value["log_seq"].take();
        value
    };
    // What is parked may be tried again; all else happens once.
    let was_parked = matches!(floor.log.last().unwrap().events.first(), Some(Event::Parked { .. }));
    // Only a message or command can be long forgotten here: days may have passed since.
    let before = strip(&floor.state);
    let last_at = floor.state.last_at();
    floor.again();
    if !was_parked && floor.state.last_at().since(last_at) == 0 {
        let events = &floor.log.last().unwrap().events;
        assert!(matches!(events.first(), Some(Event::DuplicateSkipped | Event::Parked { .. })), "{events:?}");
        assert_eq!(before, strip(&floor.state), "a duplicate changed something");
    }
}

fn answer(floor: &mut Floor, n: usize, accepts: bool, by: Option<usize>) {
    let offers = floor.state.contacts().filter_map(|(_, contact)| match contact.phase {
        Phase::Offered { offer, agent, .. } => Some((offer, agent)),
        _ => None,
    });
    let (offer, asked) = nth(offers, n).unwrap_or((OfferId { log_seq: 1, n: 0 }, agent_id("ada")));
    let command =
        if accepts { Command::Accept { offer } } else { Command::Decline { offer, reason: "no".into() } };
    floor.asks(by.map_or_else(|| name(asked), |by| AGENTS[by]), command);
}

fn act(floor: &mut Floor, n: usize, what: &Act, by: Option<usize>) {
    let owned = floor.state.contacts().filter_map(|(id, contact)| match contact.phase {
        Phase::WithAgent { agent } | Phase::WrapUp { agent, .. } => Some((id, agent)),
        _ => None,
    });
    let (contact, owner) = nth(owned, n).unwrap_or((ContactId { log_seq: 1, n: 0 }, agent_id("bob")));
    let message = MessageId(Uuid::from_u128(1));
    let command = match what {
        Act::Reply => Command::Reply { contact, message, body: sealed() },
        Act::Note => Command::Note { contact, message, body: sealed() },
        Act::ToQueue(queue) => {
            Command::TransferToQueue { contact, queue: token(["sales", "support", "nowhere"][*queue]) }
        }
        Act::ToAgent(to) => Command::TransferToAgent { contact, agent: agent_id(AGENTS[*to]) },
        Act::Resolve => Command::Resolve { contact, disposition: token("done") },
        Act::EndWrapUp => Command::EndWrapUp { contact },
    };
    floor.asks(by.map_or_else(|| name(owner), |by| AGENTS[by]), command);
}

fn name(agent: AgentId) -> &'static str {
    AGENTS.into_iter().find(|name| agent_id(name) == agent).unwrap()
}

fn check_counts(floor: &Floor, model: &Model) {
    let totals = floor.state.totals();
    let mut sums = [0_u64; 4];
    for (_, counts) in floor.state.by_queue() {
        for (sum, n) in
            sums.iter_mut().zip([counts.waiting, counts.offered, counts.with_agents, counts.wrap_up])
        {
            *sum += u64::from(n);
        }
    }
    let counted = [
        model.count(|at| matches!(at, At::Waiting { .. })),
        model.count(|at| matches!(at, At::Offered(_))),
        model.count(|at| matches!(at, At::With(_))),
        model.count(|at| matches!(at, At::WrapUp(_))),
    ];
    assert_eq!(sums, counted, "waiting, offered, with agents, wrap-up");
    assert_eq!(totals.resolved, model.count(|at| *at == At::Resolved));
    assert_eq!(totals.abandoned, model.count(|at| *at == At::Abandoned));
    assert_eq!(totals.opened, model.opened);
    assert_eq!(totals.opened, sums.iter().sum::<u64>() + totals.resolved + totals.abandoned, "conservation");
}

/// What was read back from a snapshot has to decide as the one that went on.
fn check_twin(floor: &Floor, twin: &mut State, seen: usize) {
    for record in &floor.log[seen..] {
        let decided = match &record.cause {
            Cause::Timer => timer(twin, record.at),
            cause => Some(routing_core::transition(twin, cause.clone(), record.at).unwrap()),
        };
        assert_eq!(decided.as_ref(), Some(record), "the twin decides otherwise");
    }
}

fn check(steps: &[Step], snapshot_at: usize) {
    let mut floor = Floor::of(staff(0));
    for (n, name) in AGENTS.iter().enumerate() {
        floor.connects(name, 1 + u128::from(u8::try_from(n % 3).unwrap())).comes(name);
    }
    let mut model = Model::default();
    let (mut folded, mut twin) = (0, None);
    for (n, step) in steps.iter().enumerate() {
        if n == snapshot_at % steps.len() {
            twin = Some((read_back(&floor), floor.log.len()));
        }
        play(&mut floor, step);
        floor.wait(0);
        for record in &floor.log[folded..] {
            model.fold(record);
        }
        folded = floor.log.len();
        model.check_matched();
        check_counts(&floor, &model);
    }
    let (mut twin, seen) = twin.unwrap();
    check_twin(&floor, &mut twin, seen);
    assert_eq!(twin, floor.state, "the twin differs");
    check_follower(&floor);
    floor.wait(7 * 86_400_000);
    floor.log[folded..].iter().for_each(|record| model.fold(record));
    assert!(model.open_offers.is_empty(), "every offer ends");
    assert_eq!(next_deadline(&floor.state), None, "time alone brings all to rest");
}

fn read_back(floor: &Floor) -> State {
    let text = serde_json::to_string(&floor.state).unwrap();
    let mut twin: State = serde_json::from_str(&text).unwrap();
    assert_eq!(twin, floor.state, "a snapshot is whole");
    assert_eq!(timer(&mut twin, Millis(floor.now)), None, "a snapshot owes nothing");
    twin
}

/// Who only applies the log has the same state; what would follow is asked without changing anything.
fn check_follower(floor: &Floor) {
    let mut follower = State::new();
    for (seq, record) in (1_u64..).zip(&floor.log) {
        apply(&mut follower, seq, record).unwrap();
    }
    assert_eq!(follower, floor.state, "apply over the log");
    for (id, _) in follower.contacts() {
        assert_eq!(explain(&follower, id), explain(&floor.state, id));
    }
    let asked = Cause::Takeover { leader: gateway(1) };
    let before = follower.clone();
    decide(&follower, asked, Millis(floor.now)).unwrap();
    assert_eq!(before, follower);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// At least 128 x 80 steps.
    #[test]
    fn the_laws_hold_on_any_floor(steps in steps(), snapshot_at in 0..10_000_usize) {
        check(&steps, snapshot_at);
    }
}
