//! The projection against small logs of the worker written by hand.

use protocol::remedies::{Grant, PraisedBy, RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{ContactContext, Effort, EmpowermentInput, Gift, GiftKey};
use protocol::{
    ChannelKind, ConversationId, IdentityId, RemedyCause, RemedyEvent, RemedyRecord, StoryId, TellId,
};

use super::*;

const ANNA: AgentId = AgentId(uuid::Uuid::from_u128(1));
const BEN: AgentId = AgentId(uuid::Uuid::from_u128(2));
const CLEO: AgentId = AgentId(uuid::Uuid::from_u128(3));
const CUSTOMER: IdentityId = IdentityId(Hash128([7; 16]));
const CONTACT: ContactId = ContactId { log_seq: 2, n: 1 };
const CONVERSATION: ConversationId = ConversationId { log_seq: 2, n: 0 };
const ASK: AskId = AskId { log_seq: 1, n: 0 };

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn remedy(log_seq: u64) -> RemedyId {
    RemedyId { log_seq, n: 0 }
}

fn promise(log_seq: u64) -> PromiseId {
    PromiseId { log_seq, n: 0 }
}

fn sealed() -> Sealed {
    Sealed::from_parts(CUSTOMER, 1, "AAAA")
}

fn gift() -> Gift {
    Gift {
        kind: RemedyKind::Refund,
        occasion: Occasion::Trust,
        claim: Claim { reason: Some(token("not_ours")), ..Claim::default() },
        money: Some(Money { cents: 60_000, currency: "EUR".parse().unwrap() }),
        due: None,
        words: Some(sealed()),
        tell: None,
        on_top_of: None,
    }
}

fn context(contact: ContactId) -> ContactContext {
    ContactContext {
        contact,
        conversation: CONVERSATION,
        identity: CUSTOMER,
        channel: ChannelKind::Web,
        queue: token("general"),
        holder: Some(ANNA),
        team: None,
        language: None,
        effort: Effort::default(),
        practice: false,
        scores: protocol::feedback::Scores::default(),
    }
}

fn granted(id: RemedyId, contact: ContactId) -> RemedyEvent {
    let key = GiftKey { about: token("a"), line: None, reason: None, incident: None, on_top_of: None };
    RemedyEvent::Granted(Box::new(Grant {
        remedy: id,
        agent: ANNA,
        approved_by: None,
        context: context(contact),
        gift: gift(),
        key,
        card: Some(token("tyres")),
        wallets: Vec::new(),
        undo_until: Millis(99_000),
        language: "en".parse().unwrap(),
        facts: protocol::facts::FactValues::new(),
    }))
}

fn opened() -> RemedyEvent {
    RemedyEvent::AskOpened {
        ask: ASK,
        agent: ANNA,
        context: Box::new(context(CONTACT)),
        gift: Box::new(gift()),
        case: Some(sealed()),
        whom: Ask::AskPeer,
        card: None,
        until: Millis(30_000),
    }
}

fn asked(round: u32, agents: &[AgentId]) -> RemedyEvent {
    RemedyEvent::Asked { ask: ASK, round, agents: agents.to_vec() }
}

fn went_on(round: u32) -> RemedyEvent {
    RemedyEvent::AskWentOn { ask: ASK, round, whom: Ask::AskLead, until: Millis(60_000) }
}

/// A log that is written and folded at once.
#[derive(Default)]
struct Log {
    seq: u64,
    shown: Remedies,
}

impl Log {
    fn caused(&mut self, cause: RemedyCause, events: Vec<RemedyEvent>) -> Vec<(AgentId, Change)> {
        self.seq += 1;
        let at = Millis(self.seq * 1_000);
        self.shown
            .fold(self.seq, &RemedyRecord { v: 1, at, epoch: 1, policy: Hash128([0; 16]), cause, events })
    }

    fn write(&mut self, events: Vec<RemedyEvent>) -> Vec<(AgentId, Change)> {
        self.caused(RemedyCause::Timer, events)
    }

    /// Which states a remedy is shown in, to whom.
    fn states(&mut self, event: RemedyEvent) -> Vec<(AgentId, RemedyState)> {
        let state = |(agent, change)| {
            let Change::Remedy(given) = change else { panic!("{change:?}") };
            (agent, given.state)
        };
        self.write(vec![event]).into_iter().map(state).collect()
    }

    /// Whose desks show the ask, and how it ended for whom, in short.
    fn asks(&mut self, events: Vec<RemedyEvent>) -> Vec<(AgentId, String)> {
        let short = |(agent, change)| match change {
            Change::Ask(ask) => (agent, format!("{} asked", ask.asked.len())),
            Change::AskEnded { how, .. } => (agent, how.to_owned()),
            Change::Remedy(_) | Change::Promise(_) | Change::Kudos(_) | Change::Settled { .. } => {
                panic!("not of an ask: {change:?}")
            }
        };
        self.write(events).into_iter().map(short).collect()
    }

    fn sees(&self, agent: AgentId) -> bool {
        self.shown.asks_of(agent).next().is_some()
    }

    fn promise(&mut self, event: RemedyEvent) -> &'static str {
        let changes = self.write(vec![event]);
        let [(ANNA, Change::Promise(promised))] = &changes[..] else { panic!("{changes:?}") };
        promised.state
    }
}

fn short(found: &[(AgentId, &str)]) -> Vec<(AgentId, String)> {
    found.iter().map(|(agent, word)| (*agent, (*word).to_owned())).collect()
}

#[test]
fn a_gift_is_shown_from_grant_to_end() {
    let mut log = Log::default();
    let id = remedy(1);
    assert_eq!(log.states(granted(id, CONTACT)), [(ANNA, RemedyState::Granted)]);
    assert_eq!(log.states(RemedyEvent::Ordered { remedy: id }), [(ANNA, RemedyState::Ordered)]);
    let unknown = RemedyEvent::Unknown { remedy: id, reason: "late".to_owned(), ask_again_at: Millis(1) };
    assert_eq!(log.states(unknown), [(ANNA, RemedyState::Unknown)]);
    let failed = RemedyEvent::Failed { remedy: id, reason: "no_such_order".to_owned() };
    assert_eq!(log.states(failed), [(ANNA, RemedyState::Failed)]);
    let [given] = &log.shown.of_contact(CONTACT).cloned().collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!((given.reason.as_deref(), given.at), (Some("no_such_order"), Millis(1_000)));
    log.write(vec![RemedyEvent::Ordered { remedy: id }]);
    let done = RemedyEvent::Done { remedy: id, reference: Some(sealed()) };
    assert_eq!(log.states(done), [(ANNA, RemedyState::Done)]);
    let story = StoryId { log_seq: 9, n: 0 };
    let title = "The tyres".to_owned();
    log.write(vec![RemedyEvent::StoryTold { story, remedy: id, agent: ANNA, title, consent: false }]);
    let given = log.shown.of_contact(CONTACT).next().unwrap();
    assert!(given.told && given.reference.is_some() && given.reason.is_none());
    assert_eq!(log.states(RemedyEvent::Undone { remedy: id }), [(ANNA, RemedyState::Undone)]);
    assert_eq!(log.states(RemedyEvent::Undone { remedy: remedy(8) }), []);
}

#[test]
fn an_answer_comes_after_what_it_answers_for_and_is_found_again() {
    let mut log = Log::default();
    let command = CommandId(uuid::Uuid::from_u128(5));
    let outcome = RemedyOutcome::Granted { remedy: remedy(1), undo_until: Millis(99_000) };
    let settled = RemedyEvent::CommandSettled { command, agent: ANNA, outcome: outcome.clone() };
    let changes = log.write(vec![settled.clone(), granted(remedy(1), CONTACT)]);
    let answer = Answer::Worker(outcome);
    assert!(matches!(&changes[0], (ANNA, Change::Remedy(_))));
    assert_eq!(changes[1], (ANNA, Change::Settled { command, answer: answer.clone() }));
    assert_eq!(log.shown.settled(ANNA, command), Some(&answer));
    assert_eq!(log.shown.settled(BEN, command), None);
    // The worker repeats it for the same id: whoever waits for it hears it.
    let again = log.write(vec![RemedyEvent::DuplicateSkipped, settled]);
    assert_eq!(again, [(ANNA, Change::Settled { command, answer })]);
    log.seq -= 1;
    assert_eq!(log.write(vec![granted(remedy(2), CONTACT)]), [], "a record folded again changes nothing");
    let refused = RemedyOutcome::Refused { refusal: RemedyRefusal::NoPolicy };
    let command = CommandId(uuid::Uuid::from_u128(6));
    log.write(vec![RemedyEvent::CommandSettled { command, agent: BEN, outcome: refused.clone() }]);
    assert_eq!(log.shown.settled(BEN, command), Some(&Answer::Worker(refused)));
}

#[test]
fn an_ask_is_shown_to_its_asker_and_to_those_asked_and_to_nobody_else() {
    let mut log = Log::default();
    assert_eq!(log.asks(vec![opened()]), short(&[(ANNA, "0 asked")]));
    let shown = log.asks(vec![asked(0, &[BEN, CLEO])]);
    assert_eq!(shown, short(&[(BEN, "2 asked"), (CLEO, "2 asked"), (ANNA, "2 asked")]));
    assert!(log.sees(ANNA) && log.sees(BEN) && !log.sees(AgentId(uuid::Uuid::from_u128(4))));
    // One leaves it to the other.
    let left = log.asks(vec![RemedyEvent::AskLeft { ask: ASK, agent: BEN }]);
    assert_eq!(left, short(&[(BEN, "went_on"), (ANNA, "1 asked")]));
    assert!(!log.sees(BEN) && log.sees(CLEO));
    let yes = log.write(vec![RemedyEvent::AskAnswered { ask: ASK, by: Some(CLEO) }]);
    let ended = Change::AskEnded { ask: ASK, how: "yes", by: Some(CLEO) };
    assert_eq!(yes, [(CLEO, ended.clone()), (ANNA, ended)]);
    assert!(!log.sees(ANNA) && !log.sees(CLEO));
    assert_eq!(log.asks(vec![asked(1, &[BEN])]), [], "it is over");
}

#[test]
fn an_ask_goes_on_to_the_next_and_ends_in_silence_or_with_another_gift() {
    for (end, how) in [
        (RemedyEvent::AskAnswered { ask: ASK, by: None }, "soft_yes"),
        (RemedyEvent::AskMoot { ask: ASK, remedy: remedy(9) }, "moot"),
    ] {
        let mut log = Log::default();
        log.write(vec![opened(), asked(0, &[BEN])]);
        assert_eq!(log.asks(vec![went_on(1)]), short(&[(BEN, "went_on"), (ANNA, "0 asked")]));
        let next = log.shown.asks_of(ANNA).next().unwrap();
        assert_eq!((next.whom, next.until), (Ask::AskLead, Millis(60_000)));
        assert_eq!(log.asks(vec![asked(1, &[CLEO])]), short(&[(CLEO, "1 asked"), (ANNA, "1 asked")]));
        assert_eq!(log.asks(vec![end]), short(&[(CLEO, how), (ANNA, how)]));
    }
}

#[test]
fn an_ask_that_nobody_could_answer_rests_until_somebody_is_there() {
    let mut log = Log::default();
    log.write(vec![opened(), asked(0, &[BEN])]);
    let promised = RemedyEvent::AskPromised { ask: ASK, promise: promise(2) };
    assert_eq!(log.asks(vec![promised]), short(&[(BEN, "promised"), (ANNA, "promised")]));
    assert!(!log.sees(ANNA) && !log.sees(BEN));
    assert_eq!(log.asks(vec![went_on(1), asked(1, &[])]), [], "an empty floor does not ring");
    assert_eq!(log.asks(vec![went_on(2), asked(2, &[CLEO])]), short(&[(CLEO, "1 asked"), (ANNA, "1 asked")]));
    assert!(log.sees(ANNA) && log.sees(CLEO));
}

#[test]
fn a_promise_stays_with_its_owner_until_it_is_kept() {
    let mut log = Log::default();
    let id = promise(1);
    let made = |promise| RemedyEvent::PromiseMade {
        promise,
        agent: ANNA,
        contact: CONTACT,
        conversation: CONVERSATION,
        words: Some(sealed()),
        remedy: None,
        remind_at: Millis(5_000),
        due: Millis(9_000),
    };
    assert_eq!(log.promise(made(id)), "open");
    assert_eq!(log.promise(RemedyEvent::PromiseReminded { promise: id }), "reminded");
    let tell = TellId { log_seq: 3, n: 0 };
    let broken = RemedyEvent::PromiseBroken { promise: id, tell, risk_until: Millis(1) };
    assert_eq!(log.promise(broken), "broken");
    assert_eq!(log.shown.promises_of(ANNA).next().unwrap().state, "broken");
    assert!(log.shown.promises_of(BEN).next().is_none());
    assert_eq!(log.promise(RemedyEvent::PromiseKept { promise: id, in_time: false }), "kept");
    assert!(log.shown.promises_of(ANNA).next().is_none());
    for n in 0..=PROMISES_PER_AGENT_MAX as u64 {
        log.write(vec![made(promise(10 + n))]);
    }
    let kept: Vec<_> = log.shown.promises_of(ANNA).map(|promised| promised.promise).collect();
    assert_eq!((kept.len(), kept[0]), (PROMISES_PER_AGENT_MAX, promise(11)));
}

/// A policy as a person would write it, with one card that praises.
pub(crate) fn policy() -> Policy {
    let words = serde_json::json!({"en": "words"});
    let limit = serde_json::json!([{"per": "contact", "cents": {"EUR": 60_000}}]);
    serde_json::from_value(serde_json::json!({
        "sentence": words, "stands_behind": "Mia", "customer_word": words, "languages": ["nl", "en"],
        "currencies": ["EUR"], "helps_first": ["refund"], "undo_ms": 10_000,
        "latitude": {"up_to": limit, "beyond": "ask_peer", "hint": words, "tell": words},
        "asking": {"peer_ms": 1, "lead_ms": 1, "soft_limit": {}, "promise_ms": 1, "promise_tell": words},
        "reasons": [],
        "cards": [{
            "id": "tyres", "title": words, "when": ["true"], "answer": "yes", "hint": words,
            "praise": {"en": "You did well"},
        }],
    }))
    .unwrap()
}

#[test]
fn praise_comes_at_once_and_the_latest_of_it_stays() {
    let mut log = Log::default();
    let praised = |by| RemedyEvent::Praised { agent: ANNA, by, contact: Some(CONTACT) };
    let id = protocol::NoticeId(uuid::Uuid::nil());
    let input =
        protocol::policy::PolicyInput { id, hash: Hash128([4; 16]), policy: policy(), replaces: None };
    let input = EmpowermentInput::Policy(Box::new(input));
    let cause = RemedyCause::Contacts { seq: 1, input: RemedyInput::Input { input, context: None } };
    assert!(log.shown.policy().is_none());
    log.caused(cause, vec![RemedyEvent::PolicyApplied]);
    assert_eq!(log.shown.policy().unwrap().hash, Hash128([4; 16]));
    let changes = log.write(vec![praised(PraisedBy::Card { card: token("tyres") })]);
    let [(ANNA, Change::Kudos(kudos))] = &changes[..] else { panic!("{changes:?}") };
    let KudosFrom::Card { words } = &kudos.from else { panic!("{kudos:?}") };
    assert_eq!(words.values().collect::<Vec<_>>(), ["You did well"]);
    assert_eq!((kudos.language, kudos.contact), ("nl".parse().ok(), Some(CONTACT)));
    log.write(vec![praised(PraisedBy::Customer { words: Some(sealed()) })]);
    for n in 0..KUDOS_PER_AGENT_MAX {
        log.write(vec![praised(PraisedBy::Peer { agent: BEN, words: format!("{n}") })]);
    }
    let latest: Vec<_> = log.shown.kudos_of(ANNA).map(|kudos| kudos.from.clone()).collect();
    let newest = KudosFrom::Peer { agent: BEN, words: "19".to_owned() };
    assert_eq!((latest.len(), &latest[0]), (KUDOS_PER_AGENT_MAX, &newest));
    assert!(latest.iter().all(|from| matches!(from, KudosFrom::Peer { .. })), "the oldest went");
    assert!(log.shown.kudos_of(BEN).next().is_none());
}

#[test]
fn a_contact_keeps_its_latest_gifts() {
    let mut log = Log::default();
    for n in 0..=REMEDIES_PER_CONTACT_MAX as u64 {
        log.write(vec![granted(remedy(n), CONTACT)]);
    }
    log.write(vec![granted(remedy(900), ContactId { log_seq: 8, n: 0 })]);
    let kept: Vec<_> = log.shown.of_contact(CONTACT).map(|given| given.remedy).collect();
    assert_eq!((kept.len(), kept[0]), (REMEDIES_PER_CONTACT_MAX, remedy(1)));
}
