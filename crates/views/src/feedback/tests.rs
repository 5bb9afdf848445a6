use protocol::record::QueuedWhy;
use protocol::{AgentId, Cause, ChannelKind, Hash128, IdentityId, Record, SubjectToken};

use super::*;
use crate::fold::Conversations;
use crate::store::{Origin, Store, connect_reader};

/// Ten o'clock of some day.
const TEN: u64 = 100 * DAY_MS + 10 * 3_600_000;

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

fn agent(n: u128) -> AgentId {
    AgentId(uuid::Uuid::from_u128(n))
}

fn contact(n: u64) -> ContactId {
    ContactId { log_seq: n, n: 1 }
}

fn conversation(n: u64) -> ConversationId {
    ConversationId { log_seq: n, n: 0 }
}

/// A log of contacts, each in a conversation of its own.
#[derive(Default)]
struct Log {
    records: Vec<(u64, Vec<Event>)>,
    entries: BTreeMap<u64, u64>,
}

impl Log {
    fn entry(&mut self, n: u64, entry: EntryKind) -> Event {
        let seq = self.entries.entry(n).or_default();
        *seq += 1;
        Event::EntryAdded { conversation: conversation(n), contact: contact(n), seq: *seq, entry }
    }

    fn add(&mut self, at: u64, events: Vec<Event>) -> &mut Self {
        self.records.push((at, events));
        self
    }

    fn opened(&mut self, at: u64, n: u64, queue: &str, practice: bool) -> &mut Self {
        let (conversation, contact, channel) = (conversation(n), contact(n), ChannelKind::Web);
        let conversation_opened = Event::ConversationOpened {
            conversation,
            identity: IdentityId(Hash128([u8::try_from(n).unwrap(); 16])),
            channel,
            account: token("shop"),
            thread: None,
        };
        let contact_opened = Event::ContactOpened {
            contact,
            conversation,
            channel,
            category: None,
            facts: protocol::facts::FactValues::new(),
            route: None,
            practice,
            people_only: practice,
        };
        let queued = Event::Queued {
            contact,
            queue: token(queue),
            priority: 0,
            needs: Vec::new(),
            since: Millis(at),
            preferred: None,
            why: QueuedWhy::Opened,
        };
        self.add(at, vec![conversation_opened, contact_opened, queued])
    }

    /// Opened, taken and resolved, and its customer is asked.
    fn asked(&mut self, at: u64, n: u64, queue: &str, by: AgentId, question: Question) -> &mut Self {
        self.opened(at, n, queue, false);
        self.resolved(at, n, by, question)
    }

    fn resolved(&mut self, at: u64, n: u64, by: AgentId, question: Question) -> &mut Self {
        let (disposition, fields) = (token("solved"), BTreeMap::new());
        let ends = self.entry(n, EntryKind::Resolved { agent: by, disposition, fields });
        let asks = self.entry(n, EntryKind::FeedbackAsked { question });
        let (contact, agent) = (contact(n), by);
        let wraps_up = Event::WrapUpStarted { contact, agent, until: Millis(at) };
        self.add(at, vec![Event::Assigned { contact, agent }, ends, wraps_up, asks])
    }

    /// Answers, and is asked the next one.
    fn given(&mut self, at: u64, n: u64, question: Question, score: u8, then: Option<Question>) -> &mut Self {
        let mut events = vec![self.entry(n, EntryKind::FeedbackGiven { question, score })];
        if let Some(question) = then {
            events.push(self.entry(n, EntryKind::FeedbackAsked { question }));
        }
        self.add(at, events)
    }

    fn report(&self, now: u64, question: &FeedbackQuestion) -> FeedbackReport {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.sqlite");
        let mut store = Store::<Conversations>::open(path.clone()).unwrap();
        let rows: Vec<_> = (1..)
            .zip(self.records.clone())
            .map(|(seq, (at, events))| {
                let (at, policy) = (Millis(at), Hash128([0; 16]));
                let record = Record { v: 1, at, epoch: 1, policy, cause: Cause::Timer, events };
                crate::store::Row { origin: Origin::new(seq, at.0, None), record }
            })
            .collect();
        // Record by record, as what happens over days: nothing but the rows is remembered in between.
        for row in rows.chunks(1) {
            store.apply(row).unwrap();
        }
        let mut reader = connect_reader(&path).unwrap();
        Feedback::answer(&mut reader, question, Millis(now)).unwrap()
    }
}

fn all(days: u32) -> FeedbackQuestion {
    FeedbackQuestion { days, queues: None, agent: None }
}

fn counts<T>(line: &FeedbackLine<T>) -> (u64, u64) {
    (line.asked, line.answered)
}

#[test]
fn answers_count_where_their_question_does_and_are_told_from_the_fifth_on() {
    use Question::{Recommend, Satisfaction};
    let (ada, ben) = (agent(1), agent(2));
    let mut log = Log::default();
    for (n, score) in (1..).zip([1, 4, 5, 5, 5]) {
        log.asked(TEN, n, "sales", ada, Satisfaction);
        log.given(TEN + 60_000, n, Satisfaction, score, Some(Recommend));
    }
    for (n, score) in (1..).zip([9, 6, 10, 7]) {
        log.given(TEN + 90_000, n, Recommend, score, None);
    }
    log.asked(TEN, 6, "sales", ben, Satisfaction).given(TEN, 6, Satisfaction, 2, None);
    log.asked(TEN, 7, "returns", ben, Satisfaction);
    let report = log.report(TEN + 100_000, &all(1));
    assert_eq!((report.log_seq, report.answers_min), (24, 5));
    let [returns, sales] = report.queues.as_slice() else { panic!("{:?}", report.queues) };
    assert_eq!((&returns.of, counts(returns)), (&token("returns"), (1, 0)));
    assert_eq!((&sales.of, counts(sales)), (&token("sales"), (6, 6)));
    let [first, second] = report.agents.as_slice() else { panic!("{:?}", report.agents) };
    assert_eq!((first.of, counts(first)), (ada, (5, 5)));
    assert_eq!((second.of, counts(second)), (ben, (2, 1)));
    let satisfaction = |scores| ScoreCount { question: Satisfaction, asked: 5, answered: 5, scores };
    // Four were asked for a recommendation and answered: too few, as is Ben's one answer.
    let recommend = ScoreCount { question: Recommend, asked: 5, answered: 4, scores: Vec::new() };
    assert_eq!(first.questions, [satisfaction(vec![1, 0, 0, 1, 3]), recommend]);
    let few = ScoreCount { question: Satisfaction, asked: 2, answered: 1, scores: Vec::new() };
    assert_eq!(second.questions, [few]);
    assert_eq!(sales.questions[0].scores, [1, 1, 0, 1, 3]);
}

#[test]
fn the_numbers_of_a_recommendation_are_told_from_nought_to_ten() {
    let mut log = Log::default();
    for (n, score) in (1..).zip([0, 10, 10, 6, 8]) {
        log.asked(TEN, n, "sales", agent(1), Question::Recommend);
        log.given(TEN, n, Question::Recommend, score, None);
    }
    let report = log.report(TEN, &all(1));
    assert_eq!(report.queues[0].questions[0].scores, [1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2]);
}

#[test]
fn who_had_resolved_it_is_told_whoever_has_it_when_the_answer_comes() {
    let (ada, ben) = (agent(1), agent(2));
    let mut log = Log::default();
    log.asked(TEN, 1, "sales", ada, Question::Effort);
    // It is reopened and Ben's by the time of the answer, on the next day and in another queue.
    let queued = Event::Queued {
        contact: contact(1),
        queue: token("returns"),
        priority: 0,
        needs: Vec::new(),
        since: Millis(TEN),
        preferred: None,
        why: QueuedWhy::Transferred,
    };
    let taken = Event::Assigned { contact: contact(1), agent: ben };
    log.add(TEN + 1, vec![Event::ContactReopened { contact: contact(1) }, queued, taken]);
    log.given(TEN + DAY_MS, 1, Question::Effort, 3, None);
    let report = log.report(TEN + DAY_MS, &all(2));
    assert_eq!(report.agents.iter().map(|line| (line.of, counts(line))).collect::<Vec<_>>(), [(ada, (1, 1))]);
    assert_eq!(report.queues.iter().map(|line| &line.of).collect::<Vec<_>>(), [&token("sales")]);
    let today = log.report(TEN + DAY_MS, &all(1));
    assert_eq!((today.queues, today.agents), (Vec::new(), Vec::new()), "it was asked yesterday");
}

#[test]
fn only_the_queues_and_the_agent_that_are_asked_for_are_told() {
    let (ada, ben) = (agent(1), agent(2));
    let mut log = Log::default();
    log.asked(TEN, 1, "sales", ada, Question::Effort).asked(TEN, 2, "returns", ada, Question::Effort).asked(
        TEN,
        3,
        "sales",
        ben,
        Question::Effort,
    );
    let told = |question: FeedbackQuestion| {
        let report = log.report(TEN, &question);
        let queues: Vec<_> = report.queues.iter().map(|line| (line.of.to_string(), line.asked)).collect();
        (queues, report.agents.iter().map(|line| (line.of, line.asked)).collect::<Vec<_>>())
    };
    let sales = FeedbackQuestion { queues: Some([token("sales")].into()), ..all(1) };
    assert_eq!(told(sales), (vec![("sales".to_owned(), 2)], vec![(ada, 1), (ben, 1)]));
    let own = FeedbackQuestion { agent: Some(ada), ..all(1) };
    assert_eq!(told(own), (vec![("returns".to_owned(), 1), ("sales".to_owned(), 1)], vec![(ada, 2)]));
    let none = FeedbackQuestion { queues: Some([].into()), ..all(1) };
    assert_eq!(told(none), (vec![], vec![]));
}

#[test]
fn what_is_only_practised_and_what_nobody_was_asked_counts_nowhere() {
    let mut log = Log::default();
    log.opened(TEN, 1, "sales", true).resolved(TEN, 1, agent(1), Question::Effort);
    log.given(TEN, 1, Question::Effort, 5, Some(Question::Recommend));
    log.opened(TEN, 2, "sales", false).given(TEN, 2, Question::Effort, 5, None);
    let report = log.report(TEN, &all(1));
    assert_eq!((report.queues, report.agents), (Vec::new(), Vec::new()));
}
