use protocol::config::RoutingConfig;
use protocol::content::Sealed;
use protocol::facts::FactValues;
use protocol::input::{ConfigInput, CustomerMessage, Input, WIRE_VERSION};
use protocol::time::DAY_MS;
use protocol::{AgentId, ChannelKind, Hash128, IdentityId, MessageId, NoticeId, SubjectToken};
use uuid::Uuid;

use super::*;

const ADA: AgentId = AgentId(Uuid::from_u128(1));
const ONE: ConversationId = ConversationId { log_seq: 1, n: 0 };
const TWO: ConversationId = ConversationId { log_seq: 2, n: 0 };

fn token(word: &str) -> SubjectToken {
    SubjectToken::new(word).unwrap()
}

fn contact(n: u64) -> ContactId {
    ContactId { log_seq: n, n: 1 }
}

/// A log as the router would write it, and what is wrong with it.
#[derive(Default)]
struct Log {
    talks: Talks,
    faults: Faults,
    seq: u64,
    at: u64,
}

impl Log {
    /// In which customers are asked for satisfaction and then for effort, once in ten days, and may answer for two.
    fn asking() -> Self {
        let feedback = Feedback {
            questions: vec![Question::Satisfaction, Question::Effort],
            queues: BTreeSet::new(),
            every_ms: 10 * DAY_MS,
            answer_ms: 2 * DAY_MS,
            poor: None,
            risk_ms: DAY_MS,
        };
        let config = Box::new(RoutingConfig { feedback: Some(feedback), ..RoutingConfig::default() });
        let id = NoticeId(Uuid::nil());
        let body = InputBody::Config(ConfigInput { id, hash: Hash128([0; 16]), config, replaces: None });
        let mut log = Self::default();
        log.input(body, vec![Event::ConfigApplied]);
        log
    }

    fn write(&mut self, cause: Cause, events: Vec<Event>) -> &mut Self {
        self.seq += 1;
        let (v, at, policy) = (WIRE_VERSION, Millis(self.at), Hash128([0; 16]));
        let record = Record { v, at, epoch: 1, policy, cause, events };
        self.talks.record(self.seq, &record, &mut self.faults);
        self
    }

    fn input(&mut self, body: InputBody, events: Vec<Event>) -> &mut Self {
        let input = Input { v: WIRE_VERSION, made_at: Millis(self.at), body };
        self.write(Cause::Input { seq: self.seq, input }, events)
    }

    /// A message of a customer, that is this number or none.
    fn says(&mut self, score: Option<u8>, events: Vec<Event>) -> &mut Self {
        let identity = IdentityId(Hash128([1; 16]));
        let (id, hash) = (MessageId(Uuid::nil()), Hash128([0; 16]));
        let body = Sealed::from_parts(identity, 1, "c2VhbGVk");
        let message = CustomerMessage::new(id, ChannelKind::Web, token("shop"), identity, hash, hash, body);
        self.input(InputBody::Message(CustomerMessage { score, ..message }), events)
    }

    fn opened(&mut self, n: u64, conversation: ConversationId) -> &mut Self {
        let opens = Event::ContactOpened {
            contact: contact(n),
            conversation,
            channel: ChannelKind::Web,
            category: None,
            facts: FactValues::new(),
            route: None,
            practice: n == 9,
            people_only: false,
        };
        self.says(None, vec![opens, entry(n, conversation, EntryKind::FromCustomer)])
    }

    /// Resolved by Ada, and its customer is asked this.
    fn asked(&mut self, n: u64, conversation: ConversationId, question: Question) -> &mut Self {
        self.opened(n, conversation);
        self.resolved(n, conversation, Some(question))
    }

    fn resolved(&mut self, n: u64, conversation: ConversationId, asks: Option<Question>) -> &mut Self {
        let (disposition, fields) = (token("solved"), BTreeMap::new());
        let ends = EntryKind::Resolved { agent: ADA, disposition, fields };
        let asks = asks.map(|question| entry(n, conversation, EntryKind::FeedbackAsked { question }));
        let resolved = Event::Resolved { contact: contact(n), agent: ADA };
        let events = [entry(n, conversation, ends), resolved].into_iter().chain(asks);
        self.write(Cause::Timer, events.collect())
    }

    fn goes_on(&mut self, n: u64, from: ConversationId, to: ConversationId) -> &mut Self {
        let (contact, channel) = (contact(n), ChannelKind::Web);
        let moves = Event::ContactMoved { contact, from, conversation: to, channel };
        let came = entry(n, to, EntryKind::CameFrom { conversation: from, channel });
        self.says(None, vec![entry(n, from, EntryKind::WentOn { channel }), moves, came])
    }

    fn waits(&mut self, ms: u64) -> &mut Self {
        self.at += ms;
        self
    }

    /// The only fault, or none.
    fn fault(&mut self) -> String {
        let faults = std::mem::take(&mut self.faults).close();
        assert!(faults.len() <= 1, "{faults:?}");
        faults.into_iter().next().unwrap_or_default()
    }
}

fn entry(n: u64, conversation: ConversationId, entry: EntryKind) -> Event {
    Event::EntryAdded { conversation, contact: contact(n), seq: 1, entry }
}

fn given(n: u64, question: Question, score: u8) -> Event {
    entry(n, ONE, EntryKind::FeedbackGiven { question, score })
}

fn asked(n: u64, question: Question) -> Event {
    entry(n, ONE, EntryKind::FeedbackAsked { question })
}

#[test]
fn what_is_asked_and_answered_in_order_balances() {
    use Question::{Effort, Satisfaction};
    let mut log = Log::asking();
    log.asked(1, ONE, Satisfaction).says(Some(5), vec![given(1, Satisfaction, 5), asked(1, Effort)]);
    log.says(Some(1), vec![given(1, Effort, 1)]);
    log.waits(10 * DAY_MS).asked(2, ONE, Satisfaction);
    log.waits(2 * DAY_MS).says(Some(3), vec![given(2, Satisfaction, 3)]);
    assert_eq!(log.fault(), "");
    assert_eq!(log.talks.balance(), FeedbackCount { asked: 2, answered: 3 });
}

#[test]
fn an_answer_follows_its_question_within_its_range_and_its_time() {
    use Question::{Effort, Satisfaction};
    let answers = |wait, score, answer| {
        let mut log = Log::asking();
        log.asked(1, ONE, Satisfaction).waits(wait).says(score, vec![answer]);
        log.fault()
    };
    assert_eq!(answers(0, Some(5), given(1, Satisfaction, 5)), "");
    for (wait, score, answer, wrong) in [
        (0, Some(6), given(1, Satisfaction, 6), "which is none to its question"),
        (0, Some(4), given(1, Satisfaction, 5), "which its message does not say"),
        (0, Some(5), given(1, Effort, 5), "which nobody asked for"),
        (0, Some(5), given(2, Satisfaction, 5), "which nobody asked for"),
        (2 * DAY_MS + 1, Some(5), given(1, Satisfaction, 5), "which comes too late to be one"),
    ] {
        let fault = answers(wait, score, answer);
        assert!(fault.ends_with(wrong), "{fault}");
    }
    // Twice, and after they wrote of something else.
    let mut log = Log::asking();
    log.asked(1, ONE, Satisfaction).says(Some(5), vec![given(1, Satisfaction, 5)]);
    assert_eq!(log.fault(), "");
    assert!(log.says(Some(5), vec![given(1, Satisfaction, 5)]).fault().ends_with("which nobody asked for"));
    let mut log = Log::asking();
    log.asked(1, ONE, Satisfaction).says(None, vec![entry(1, ONE, EntryKind::FromCustomer)]);
    assert!(log.says(Some(5), vec![given(1, Satisfaction, 5)]).fault().ends_with("which nobody asked for"));
}

#[test]
fn who_was_asked_rests_and_only_what_an_agent_resolved_is_asked_after() {
    use Question::{Effort, Satisfaction};
    let after = |wait| {
        let mut log = Log::asking();
        log.asked(1, ONE, Satisfaction).waits(wait).asked(2, ONE, Satisfaction).fault()
    };
    assert_eq!(after(10 * DAY_MS), "");
    assert!(after(10 * DAY_MS - 1).ends_with("whose customer was asked not long ago"));
    assert!(Log::asking().asked(1, ONE, Effort).fault().ends_with("and not the first question"));
    assert!(Log::asking().asked(9, ONE, Satisfaction).fault().ends_with("which is only practised"));
    assert!(Log::default().asked(1, ONE, Satisfaction).fault().ends_with("though nobody is to be asked"));
    let mut unasked = Log::asking();
    unasked.opened(1, ONE).write(Cause::Timer, vec![asked(1, Satisfaction)]);
    assert!(unasked.fault().ends_with("which no agent resolves"));
    let mut twice = Log::asking();
    twice.asked(1, ONE, Satisfaction);
    twice.says(Some(5), vec![given(1, Satisfaction, 5), asked(1, Satisfaction)]);
    assert!(twice.fault().ends_with("and not what follows what was answered"));
}

#[test]
fn a_contact_goes_on_from_where_it_is_to_where_none_is_open() {
    let mut log = Log::default();
    log.opened(1, ONE).goes_on(1, ONE, TWO).says(None, vec![entry(1, TWO, EntryKind::FromCustomer)]);
    log.goes_on(1, TWO, ONE).resolved(1, ONE, None).opened(2, TWO).opened(3, ONE);
    assert_eq!(log.fault(), "");
    assert_eq!(
        log.goes_on(2, TWO, ONE).fault(),
        format!("record {} has {} go on in {ONE}, where {} is open", log.seq, contact(2), contact(3))
    );
    let mut log = Log::default();
    log.opened(1, ONE).resolved(1, ONE, None).goes_on(1, ONE, TWO);
    assert!(log.fault().ends_with("where it is not"));
}

#[test]
fn what_is_said_of_a_contact_that_went_on_stands_where_it_is() {
    let mut log = Log::default();
    log.opened(1, ONE).goes_on(1, ONE, TWO).says(None, vec![entry(1, ONE, EntryKind::FromCustomer)]);
    assert!(log.fault().ends_with(&format!("though it is in {TWO}")));
    let told = EntryKind::Told { agent: ADA, remedy: None };
    assert_eq!(log.write(Cause::Timer, vec![entry(1, ONE, told)]).fault(), "");
}
