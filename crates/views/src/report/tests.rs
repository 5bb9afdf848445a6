use protocol::content::Sealed;
use protocol::feedback::Scores;
use protocol::policy::Ask;
use protocol::remedies::{Grant, RemedyCause, RemedyEvent, RemedyRecord};
use protocol::remedy::{Claim, ContactContext, Effort, Gift, GiftKey, Occasion, RemedyKind};
use protocol::{
    AgentId, AskId, ChannelKind, ContactId, ConversationId, Hash128, IdentityId, PromiseId, RemedyId,
    StoryId, SubjectToken, TellId,
};

use super::*;
use crate::remedies::Remedies;
use crate::store::{Origin, Store, connect_reader};

const NOW: Millis = Millis(100 * DAY_MS);

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

fn agent(n: u128) -> AgentId {
    AgentId(uuid::Uuid::from_u128(n))
}

fn remedy(n: u64) -> RemedyId {
    RemedyId { log_seq: n, n: 0 }
}

fn context() -> ContactContext {
    ContactContext {
        contact: ContactId { log_seq: 5, n: 1 },
        conversation: ConversationId { log_seq: 5, n: 0 },
        identity: IdentityId(Hash128([7; 16])),
        channel: ChannelKind::Web,
        queue: token("returns"),
        holder: Some(agent(1)),
        team: None,
        language: None,
        effort: Effort::default(),
        scores: Scores::default(),
        practice: false,
    }
}

fn gift(kind: RemedyKind, cents: i64) -> Gift {
    let money = Some(Money { cents, currency: "EUR".parse().unwrap() });
    Gift {
        kind,
        occasion: Occasion::Trust,
        claim: Claim::default(),
        money,
        due: None,
        words: None,
        tell: None,
        on_top_of: None,
    }
}

fn granted(n: u64, by: AgentId, kind: RemedyKind, cents: i64) -> RemedyEvent {
    RemedyEvent::Granted(Box::new(Grant {
        remedy: remedy(n),
        agent: by,
        approved_by: None,
        context: context(),
        gift: gift(kind, cents),
        key: GiftKey { about: token("x"), line: None, reason: None, incident: None, on_top_of: None },
        card: Some(token("never_sold")),
        wallets: Vec::new(),
        undo_until: NOW,
        language: "en".parse().unwrap(),
        facts: Default::default(),
    }))
}

fn opened(n: u64) -> RemedyEvent {
    RemedyEvent::AskOpened {
        ask: AskId { log_seq: n, n: 0 },
        agent: agent(1),
        context: Box::new(context()),
        gift: Box::new(gift(RemedyKind::Refund, 90_000)),
        card: Some(token("never_sold")),
        case: None,
        whom: Ask::AskPeer,
        until: NOW,
    }
}

/// Folds one record a list of events, the first of them ten days before the others, and asks.
fn told(records: &[Vec<RemedyEvent>], asked: Option<AgentId>) -> EmpowermentReport {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("remedies.sqlite");
    let mut store = Store::<Remedies>::open(path.clone()).unwrap();
    let rows: Vec<_> = (1..)
        .zip(records)
        .map(|(seq, events)| crate::store::Row {
            origin: Origin::new(seq, seq, None),
            record: RemedyRecord {
                v: 1,
                at: Millis(NOW.0 - if seq == 1 { 10 * DAY_MS } else { 1 }),
                epoch: 1,
                policy: Hash128([1; 16]),
                cause: RemedyCause::Timer,
                events: events.clone(),
            },
        })
        .collect();
    store.apply(&rows).unwrap();
    let mut reader = connect_reader(&path).unwrap();
    Report::answer(&mut reader, &EmpowermentQuestion { days: 7, agent: asked }, NOW).unwrap()
}

#[test]
fn gifts_are_counted_by_card_within_the_days_and_without_those_taken_back() {
    let report = told(
        &[
            vec![granted(1, agent(1), RemedyKind::Refund, 1)],
            vec![granted(2, agent(1), RemedyKind::Refund, 60_000)],
            vec![granted(3, agent(2), RemedyKind::Refund, 10_000)],
            vec![granted(4, agent(1), RemedyKind::Voucher, 40_000)],
            vec![RemedyEvent::Undone { remedy: remedy(4) }],
        ],
        None,
    );
    assert_eq!(report.log_seq, 5);
    let [line] = report.gestures.as_slice() else { panic!("{:?}", report.gestures) };
    assert_eq!((line.count, line.cents, line.kind), (2, 70_000, RemedyKind::Refund));
    assert_eq!(line.card, Some(token("never_sold")));
    assert_eq!((&line.queue, line.channel), (&token("returns"), ChannelKind::Web));
}

#[test]
fn who_does_not_lead_sees_only_their_own_figures() {
    let records = [
        vec![],
        vec![granted(2, agent(1), RemedyKind::Refund, 5), granted(3, agent(2), RemedyKind::Refund, 7)],
    ];
    assert_eq!(told(&records, Some(agent(2))).gestures[0].cents, 7);
    assert!(told(&records, Some(agent(3))).gestures.is_empty());
}

#[test]
fn what_is_unknown_or_failed_stays_listed_until_it_is_settled() {
    let unknown =
        |n| RemedyEvent::Unknown { remedy: remedy(n), reason: "no_answer".into(), ask_again_at: NOW };
    let failed = RemedyEvent::Failed { remedy: remedy(3), reason: "no_such_order".into() };
    let report = told(
        &[
            vec![granted(1, agent(1), RemedyKind::Refund, 100), unknown(1)],
            vec![granted(2, agent(1), RemedyKind::Refund, 200), unknown(2)],
            vec![granted(3, agent(1), RemedyKind::Refund, 300), failed],
            vec![RemedyEvent::Done { remedy: remedy(2), reference: None }],
        ],
        None,
    );
    assert_eq!(report.unknown.iter().map(|line| line.remedy).collect::<Vec<_>>(), [remedy(1)]);
    assert_eq!(report.unknown[0].reason, "no_answer");
    assert_eq!(report.failed.iter().map(|line| line.remedy).collect::<Vec<_>>(), [remedy(3)]);
}

#[test]
fn asks_and_promises_are_counted_by_how_they_went() {
    let ask = |n| AskId { log_seq: n, n: 0 };
    let promise = |n| PromiseId { log_seq: n, n: 0 };
    let made = |n| RemedyEvent::PromiseMade {
        promise: promise(n),
        agent: agent(1),
        contact: context().contact,
        conversation: context().conversation,
        words: Some(Sealed::from_parts(context().identity, 1, "AAAA")),
        remedy: None,
        remind_at: NOW,
        due: NOW,
    };
    let broken = RemedyEvent::PromiseBroken {
        promise: promise(7),
        tell: TellId { log_seq: 9, n: 0 },
        risk_until: NOW,
    };
    let report = told(
        &[
            vec![],
            vec![opened(2), opened(3), opened(4)],
            vec![RemedyEvent::AskAnswered { ask: ask(2), by: Some(agent(2)) }],
            vec![RemedyEvent::AskAnswered { ask: ask(3), by: None }],
            vec![RemedyEvent::AskPromised { ask: ask(4), promise: promise(6) }, made(6), made(7)],
            vec![RemedyEvent::PromiseKept { promise: promise(6), in_time: true }, broken],
            // Kept at last, but it was broken.
            vec![RemedyEvent::PromiseKept { promise: promise(7), in_time: false }],
        ],
        None,
    );
    let [line] = report.asks.as_slice() else { panic!("{:?}", report.asks) };
    assert_eq!((line.asked, line.yes, line.soft_yes, line.promised), (3, 1, 1, 1));
    assert_eq!(report.promises, PromiseCount { made: 2, kept: 1, broken: 1 });
}

#[test]
fn the_story_book_tells_the_latest_first() {
    let story = |n, title: &str| RemedyEvent::StoryTold {
        story: StoryId { log_seq: n, n: 0 },
        remedy: remedy(2),
        agent: agent(1),
        title: title.to_owned(),
        consent: false,
    };
    let report = told(
        &[
            vec![],
            vec![granted(2, agent(1), RemedyKind::Refund, 60_000)],
            vec![story(3, "Four tyres")],
            vec![story(4, "Four tyres, once more")],
        ],
        Some(agent(2)),
    );
    let titles: Vec<_> = report.stories.iter().map(|line| line.title.as_str()).collect();
    assert_eq!(titles, ["Four tyres, once more", "Four tyres"]);
    assert_eq!(report.stories[0].money, Some(Money { cents: 60_000, currency: "EUR".parse().unwrap() }));
}
