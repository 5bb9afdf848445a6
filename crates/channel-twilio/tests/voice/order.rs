//! What Twilio tells comes in any order and twice: the end is the same.

use channel::Millis;
use channel_twilio::voice::call::{Call, Command, News, State};
use channel_twilio::voice::webhook::Heard;
use channel_twilio::voice::{Caller, Leg};

use crate::{
    ANNA, BACK, BEN, CALL, anna, at, ben, ends, incoming, joins, leaves, of, seat, sid, status, told,
};

const A: Leg = Leg(1);
const B: Leg = Leg(2);

/// What is known in the end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    state: State,
    caller: Option<Caller>,
    connected_at: [Option<Millis>; 2],
    talk_ms: [u64; 2],
}

fn end(call: &Call) -> End {
    End {
        state: call.state(),
        caller: call.caller().cloned(),
        connected_at: [A, B].map(|leg| call.connected_at(leg)),
        talk_ms: [A, B].map(|leg| call.talk_ms(leg)),
    }
}

fn pressed() -> Heard {
    told(&of(None), &[("CallSid", CALL), ("CallStatus", "in-progress"), ("Digits", "1")])
}

fn left_queue(result: &str) -> Heard {
    told(&of(None), &[("CallSid", CALL), ("QueueResult", result)])
}

fn transfer() -> Command {
    Command::Transfer { from: A, leg: B, to: ben() }
}

fn consult() -> Command {
    Command::Consult { from: A, leg: B, to: ben() }
}

fn ring() -> Command {
    Command::Ring { leg: A, to: anna() }
}

/// A name, what is wanted and what is told.
type Story = (&'static str, Vec<Command>, Vec<Heard>);

/// Calls of every kind; seven things that are told, so that every order can be tried.
fn stories() -> Vec<Story> {
    [talks(), transfers(), others()].concat()
}

/// Anna picks it up, and this happens.
fn with(more: &[Heard]) -> Vec<Heard> {
    let answered = [
        incoming(),
        status(Some(A), ANNA, "in-progress", 2, 18),
        joins("leg1", ANNA, 1, 19),
        joins("customer", CALL, 2, 20),
    ];
    [&answered[..], more].concat()
}

fn hung_up() -> Heard {
    leaves("customer", CALL, 9, 80, "participant_hung_up")
}

/// Who speaks with one agent.
fn talks() -> Vec<Story> {
    vec![
        (
            "answered",
            vec![ring()],
            with(&[hung_up(), ends(CALL, 10, 80), status(Some(A), ANNA, "completed", 3, 81)]),
        ),
        (
            "ended by the agent",
            vec![ring(), Command::Hold(true)],
            with(&[
                seat("customer", CALL, "participant-hold", 3, 30, &[]),
                leaves("leg1", ANNA, 4, 50, "participant_hung_up"),
                leaves("customer", CALL, 5, 50, "moderator_ended_conference"),
            ]),
        ),
        (
            "held and not",
            vec![ring()],
            with(&[
                seat("customer", CALL, "participant-hold", 3, 30, &[]),
                seat("customer", CALL, "participant-unhold", 4, 30, &[]),
                seat("customer", CALL, "participant-hold", 5, 30, &[]),
            ]),
        ),
    ]
}

/// Who is led to another agent.
fn transfers() -> Vec<Story> {
    vec![
        (
            "transferred",
            vec![ring(), transfer()],
            with(&[
                leaves("leg1", ANNA, 3, 50, "participant_updated_via_api"),
                joins("leg2", BEN, 4, 60),
                leaves("leg2", BEN, 5, 90, "participant_hung_up"),
            ]),
        ),
        (
            "transferred to nobody",
            vec![ring(), transfer()],
            with(&[
                leaves("leg1", ANNA, 3, 50, "participant_updated_via_api"),
                status(Some(B), BEN, "ringing", 1, 55),
                status(Some(B), BEN, "no-answer", 2, 75),
            ]),
        ),
        (
            "handed over",
            vec![ring(), consult(), Command::HandOver],
            with(&[
                joins("leg2", BEN, 3, 40),
                leaves("leg1", ANNA, 4, 55, "participant_updated_via_api"),
                hung_up(),
            ]),
        ),
        (
            "taken back",
            vec![ring(), consult(), Command::TakeBack],
            with(&[
                joins("leg2", BEN, 3, 40),
                leaves("leg2", BEN, 4, 55, "participant_updated_via_api"),
                seat("customer", CALL, "participant-unhold", 5, 55, &[]),
            ]),
        ),
    ]
}

/// Who leaves, and who is called back.
fn others() -> Vec<Story> {
    vec![
        (
            "abandoned",
            vec![ring()],
            vec![
                incoming(),
                status(Some(A), ANNA, "initiated", 0, 10),
                status(Some(A), ANNA, "ringing", 1, 11),
                left_queue("hangup"),
                status(None, CALL, "completed", 1, 33),
                status(Some(A), ANNA, "canceled", 2, 34),
                status(Some(A), ANNA, "new-word", 3, 35),
            ],
        ),
        (
            "called back",
            vec![ring()],
            vec![
                incoming(),
                pressed(),
                status(None, CALL, "completed", 1, 9),
                joins("leg1", ANNA, 1, 301),
                joins("leg0", BACK, 2, 320),
                leaves("leg0", BACK, 3, 380, "participant_hung_up"),
                ends(BACK, 4, 380),
            ],
        ),
        (
            "not reached again",
            vec![ring()],
            vec![
                incoming(),
                pressed(),
                left_queue("leave"),
                status(None, CALL, "completed", 1, 9),
                status(Some(A), ANNA, "in-progress", 2, 300),
                status(Some(Leg::BACK), BACK, "ringing", 1, 305),
                status(Some(Leg::BACK), BACK, "no-answer", 2, 330),
            ],
        ),
    ]
}

/// Every order of so many (Heap's algorithm).
fn orders(count: usize, mut try_: impl FnMut(&[usize])) {
    let mut order: Vec<usize> = (0..count).collect();
    let mut turns = vec![0; count];
    try_(&order);
    let mut at = 1;
    while at < count {
        if turns[at] < at {
            order.swap(if at % 2 == 0 { 0 } else { turns[at] }, at);
            try_(&order);
            turns[at] += 1;
            at = 1;
        } else {
            turns[at] = 0;
            at += 1;
        }
    }
}

/// What is wanted comes first, or along with what is told: in its own order.
fn played(commands: &[Command], told: &[&Heard], early: usize) -> (Call, Vec<News>) {
    let mut call = Call::new(sid(CALL));
    let mut news = Vec::new();
    let mut commands = commands.iter();
    for command in commands.by_ref().take(early) {
        call.command(command.clone()).unwrap();
    }
    for heard in told {
        call.hear(heard, at(0));
        if let Some(command) = commands.next() {
            call.command(command.clone()).unwrap();
        }
        call.due();
        news.extend(call.news());
    }
    (call, news)
}

#[test]
fn in_every_order_and_twice_the_end_is_the_same() {
    for (name, commands, told) in stories() {
        assert_eq!(told.len(), 7, "{name}");
        let in_turn: Vec<&Heard> = told.iter().collect();
        let (call, _) = played(&commands, &in_turn, commands.len());
        let expected = end(&call);
        let mut count = 0;
        orders(told.len(), |order| {
            let once: Vec<&Heard> = order.iter().map(|at| &told[*at]).collect();
            // Each again, and the first at last.
            let twice: Vec<&Heard> =
                once.iter().flat_map(|heard| [*heard, *heard]).chain([once[0]]).collect();
            for early in [commands.len(), 0] {
                let (mut call, news) = played(&commands, &twice, early);
                assert_eq!(end(&call), expected, "{name}: {order:?}");
                assert_eq!(call.due(), [], "{name}: nothing is due twice");
                let mut kinds: Vec<_> = news.iter().map(kind).collect();
                kinds.sort_unstable();
                kinds.dedup();
                assert_eq!(kinds.len(), news.len(), "{name}: nothing is told twice: {news:?}");
            }
            count += 1;
        });
        assert_eq!(count, 5040, "{name}");
    }
}

fn kind(news: &News) -> (u8, u32) {
    match news {
        News::Came { .. } => (0, 0),
        News::CallBackWanted { .. } => (1, 0),
        News::Connected { leg, .. } => (2, leg.0),
        News::NotReached { leg, .. } | News::Released { leg, .. } => (3, leg.0),
        News::Ended(_) => (4, 0),
    }
}

#[test]
fn each_story_ends_as_it_is_told() {
    let ends: Vec<String> = stories()
        .iter()
        .map(|(name, commands, told)| {
            let (call, _) = played(commands, &told.iter().collect::<Vec<_>>(), commands.len());
            match call.ended() {
                Some(ended) => {
                    format!("{name}: {:?} by {:?}, {} ms", ended.why, ended.by, ended.talk_ms)
                }
                None => format!("{name}: {:?}", call.state()),
            }
        })
        .collect();
    assert_eq!(
        ends,
        [
            "answered: Completed by Customer, 60000 ms",
            "ended by the agent: Completed by Agent(Leg(1)), 30000 ms",
            "held and not: Connected { leg: Leg(1), held: true, muted: false }",
            "transferred: Transferring { to: None }",
            "transferred to nobody: Transferring { to: None }",
            "handed over: Completed by Customer, 60000 ms",
            "taken back: Connected { leg: Leg(1), held: false, muted: false }",
            "abandoned: Abandoned by Customer, 0 ms",
            "called back: Completed by Customer, 60000 ms",
            "not reached again: NotReached(NoAnswer) by Network, 0 ms",
        ]
    );
}
