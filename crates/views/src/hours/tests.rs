use protocol::{AgentId, Cause, ChannelKind, ConversationId, Hash128, IdentityId, Record, SubjectToken};

use super::*;
use crate::fold::Conversations;
use crate::store::{Origin, Row, Store, connect_reader};

const AGENT: AgentId = AgentId(uuid::Uuid::from_u128(1));
/// Ten o'clock of some day.
const TEN: u64 = 100 * DAY_MS + 10 * HOUR_MS;

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

fn contact(n: u64) -> ContactId {
    ContactId { log_seq: n, n: 1 }
}

fn queued(n: u64, queue: &str, why: QueuedWhy) -> Event {
    let (queue, needs) = (token(queue), Vec::new());
    Event::Queued { contact: contact(n), queue, priority: 0, needs, since: Millis(0), preferred: None, why }
}

fn opened(n: u64, queue: &str) -> Vec<Event> {
    let conversation = ConversationId { log_seq: n, n: 0 };
    let (channel, account) = (ChannelKind::Web, token("shop"));
    vec![
        Event::ConversationOpened {
            conversation,
            identity: IdentityId(Hash128([u8::try_from(n).unwrap(); 16])),
            channel,
            account,
            thread: None,
        },
        Event::ContactOpened {
            contact: contact(n),
            conversation,
            channel,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice: false,
            people_only: false,
        },
        queued(n, queue, QueuedWhy::Opened),
    ]
}

fn report(records: Vec<(u64, Vec<Event>)>, now: u64, days: u32) -> FloorReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.sqlite");
    let mut store = Store::<Conversations>::open(path.clone()).unwrap();
    let rows: Vec<_> = (1..)
        .zip(records)
        .map(|(seq, (at, events))| {
            let (at, policy) = (Millis(at), Hash128([0; 16]));
            let record = Record { v: 1, at, epoch: 1, policy, cause: Cause::Timer, events };
            Row { origin: Origin::new(seq, at.0, None), record }
        })
        .collect();
    store.apply(&rows).unwrap();
    let mut reader = connect_reader(&path).unwrap();
    Hours::answer(&mut reader, &FloorQuestion { days }, Millis(now)).unwrap()
}

#[test]
fn each_hour_counts_what_happened_in_it() {
    let assigned = |n| Event::Assigned { contact: contact(n), agent: AGENT };
    let resolved = |n| Event::Resolved { contact: contact(n), agent: AGENT };
    let found = report(
        vec![
            (TEN, opened(1, "sales")),
            (TEN + 20_000, vec![assigned(1)]),
            (TEN + 30_000, opened(2, "sales")),
            (TEN + 50_001, vec![assigned(2)]),
            (TEN + 60_000, opened(3, "sales")),
            (TEN + 70_000, vec![Event::Abandoned { contact: contact(3) }]),
            (TEN + HOUR_MS, vec![resolved(1)]),
            // Taken back and given to another queue: it is answered once, and handed on where it goes.
            (TEN + HOUR_MS, vec![queued(2, "support", QueuedWhy::Transferred)]),
            (TEN + HOUR_MS + 9_000, vec![assigned(2)]),
            (TEN + HOUR_MS + 10_000, vec![resolved(2)]),
            (
                TEN + 2 * HOUR_MS,
                vec![
                    Event::ContactReopened { contact: contact(2) },
                    queued(2, "support", QueuedWhy::Reopened),
                ],
            ),
        ],
        TEN + 3 * HOUR_MS,
        1,
    );
    assert_eq!((found.log_seq, found.within_ms), (11, WITHIN_MS));
    let line = |queue: &str, hour: u64| HourCount {
        queue: token(queue),
        from: Millis(TEN + hour * HOUR_MS),
        arrived: 0,
        answered: 0,
        in_time: 0,
        waited_ms: 0,
        abandoned: 0,
        resolved: 0,
        handed_on: 0,
        reopened: 0,
    };
    let first = HourCount {
        arrived: 3,
        answered: 2,
        in_time: 1,
        waited_ms: 40_001,
        abandoned: 1,
        ..line("sales", 0)
    };
    let mut expected = vec![
        first,
        HourCount { resolved: 1, ..line("sales", 1) },
        HourCount { resolved: 1, handed_on: 1, ..line("support", 1) },
        HourCount { reopened: 1, ..line("support", 2) },
    ];
    let mut hours = found.hours;
    let key = |one: &HourCount| (one.from, one.queue.clone());
    hours.sort_by_key(key);
    expected.sort_by_key(key);
    assert_eq!(hours, expected);
}

#[test]
fn what_is_older_than_asked_is_left_out() {
    let records = || vec![(TEN, opened(1, "sales")), (TEN + 2 * DAY_MS, opened(2, "sales"))];
    assert_eq!(report(records(), TEN + 2 * DAY_MS, 1).hours.len(), 1);
    assert_eq!(report(records(), TEN + 2 * DAY_MS, 3).hours.len(), 2);
}

#[test]
fn what_is_only_practised_counts_nowhere() {
    let practised = |n| {
        let mut events = opened(n, "sales");
        for event in &mut events {
            if let Event::ContactOpened { practice, .. } = event {
                *practice = true;
            }
        }
        events
    };
    let assigned = |n| Event::Assigned { contact: contact(n), agent: AGENT };
    let resolved = |n| Event::Resolved { contact: contact(n), agent: AGENT };
    let found = report(
        vec![
            (TEN, practised(1)),
            (TEN + 1_000, vec![assigned(1)]),
            (TEN + 2_000, vec![queued(1, "support", QueuedWhy::Transferred)]),
            (TEN + 3_000, vec![assigned(1), resolved(1)]),
            (TEN + 4_000, practised(2)),
            (TEN + 5_000, vec![Event::Abandoned { contact: contact(2) }]),
        ],
        TEN + HOUR_MS,
        1,
    );
    assert_eq!(found.hours, []);
}
