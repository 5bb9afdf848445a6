//! What customers answered, asked over the bus.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bus::{Deadline, SupervisedServer};
use protocol::feedback::Question;
use protocol::formats::READS;
use protocol::record::{EntryKind, QueuedWhy};
use protocol::views::{FeedbackLine, FeedbackQuestion, FeedbackReport, ScoreCount};
use protocol::{AgentId, Cause, ContactId, Event, Millis, Record};

use crate::{DEADLINE, append, conversation, end, kit, log, record, start, subjects, token};

/// The contact of the log is Ada's, who resolves it, and its customer is asked and answers.
fn resolved_and_answered(at: Millis, agent: AgentId) -> Record {
    let (conversation, contact) = (conversation(), ContactId { log_seq: 1, n: 1 });
    let question = Question::Effort;
    let entry = |seq, entry| Event::EntryAdded { conversation, contact, seq, entry };
    let queued = Event::Queued {
        contact,
        queue: token("service"),
        priority: 0,
        needs: Vec::new(),
        since: at,
        preferred: None,
        why: QueuedWhy::Opened,
    };
    let ends = EntryKind::Resolved { agent, disposition: token("solved"), fields: BTreeMap::new() };
    let events = vec![
        queued,
        Event::Assigned { contact, agent },
        entry(2, ends),
        Event::Resolved { contact, agent },
        entry(3, EntryKind::FeedbackAsked { question }),
        entry(4, EntryKind::FeedbackGiven { question, score: 5 }),
    ];
    Record { at, cause: Cause::Timer, events, ..record(2) }
}

#[tokio::test]
async fn what_customers_answered_is_told_over_the_bus() {
    let folder = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(&folder.path().join("nats")).await.unwrap();
    let bus = log(&server).await;
    // All who read are of this build.
    bus.floor().holds(READS);
    append(&bus, 1..=1).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let (at, ada) = (Millis(u64::try_from(now.as_millis()).unwrap()), AgentId(uuid::Uuid::from_u128(7)));
    let payload = serde_json::to_vec(&resolved_and_answered(at, ada)).unwrap().into();
    bus.publish_durable(&subjects().contacts(), "r2", payload, Deadline::after(DEADLINE)).await.unwrap();
    let kit = kit(folder.path());
    start(&kit, folder.path(), &bus).await;
    // Two days, for the one that may begin meanwhile.
    let question = serde_json::to_vec(&FeedbackQuestion { days: 2, queues: None, agent: None }).unwrap();
    let deadline = Deadline::after(DEADLINE);
    let report = loop {
        let wait = deadline.at_most(Duration::from_secs(2));
        let answer = bus.request(&subjects().views_feedback(), question.clone().into(), wait).await;
        let report = answer.ok().map(|answer| serde_json::from_slice::<FeedbackReport>(&answer).unwrap());
        if let Some(report) = report.filter(|report| report.log_seq >= 2) {
            break report;
        }
        assert!(!deadline.has_passed(), "no fresh answer in {DEADLINE:?}");
    };
    let counted = ScoreCount { question: Question::Effort, asked: 1, answered: 1, scores: Vec::new() };
    assert_eq!(
        (report.queues, report.agents),
        (
            vec![FeedbackLine {
                of: token("service"),
                asked: 1,
                answered: 1,
                questions: vec![counted.clone()]
            }],
            vec![FeedbackLine { of: ada, asked: 1, answered: 1, questions: vec![counted] }]
        ),
        "one answer is counted, and not told"
    );
    end(kit).await;
    server.stop().await;
}
