//! Why a contact was offered to whom, at each offer: recomputed from the log.
//!
//! The log is read from the last snapshot before the contact was born, or from its beginning. That takes as long as it takes: who
//! asks is told how far it has come, and asks again. One contact is looked into at a time, so that the leader is not slowed down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bus::{Bus, ServiceRequest, Tail, TailOptions};
use protocol::views::{DecisionsAnswer, WhyQuestion};
use protocol::{ContactId, Record, streams};
use routing_core::{Decision, apply_and_explain};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use crate::explain::sent;
use crate::snapshot::Snapshots;

/// Largest answer, bytes: below the server's smallest usual limit of 1 MiB. Of more offers the latest are told, and of an offer
/// that alone is larger the best agents.
const ANSWER_BYTES_MAX: usize = 768 * 1024;
/// Most agents of one offer that are told, the best first.
const AGENTS_MAX: usize = 2_000;
/// How long a result is kept for who asks again, and for who has not come back for it yet.
const KEPT: Duration = Duration::from_secs(5);
/// Records between two pauses in which others have their turn.
const RECORDS_AT_ONCE: u64 = 200;

/// What comes of it: the offers as JSON and how many are left out, or `None` if the log could not be read.
type Found = Option<Written>;

/// What fits into an answer.
#[derive(Clone, Debug)]
struct Written {
    decisions: Vec<Box<RawValue>>,
    left_out: usize,
}

/// An offer, and how many agents of its table are left out.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    agents_left_out: usize,
}

/// How far it is.
#[derive(Default)]
struct Progress {
    upto: AtomicU64,
    last: AtomicU64,
}

/// The one contact that is looked into, or was last.
struct Job {
    contact: ContactId,
    progress: Arc<Progress>,
    reading: JoinHandle<()>,
    done: Option<(Instant, Found)>,
}

impl Job {
    /// A task that ended without a result panicked.
    fn outcome(&mut self) -> Option<&(Instant, Found)> {
        if self.done.is_none() && self.reading.is_finished() {
            self.done = Some((Instant::now(), None));
        }
        self.done.as_ref()
    }
}

/// Answers questions about the past of contacts.
#[derive(Clone)]
pub(crate) struct Decisions {
    bus: Bus,
    snapshots: Snapshots,
    job: Arc<Mutex<Option<Job>>>,
}

impl Decisions {
    pub(crate) fn new(bus: Bus, snapshots: Snapshots) -> Self {
        Self { bus, snapshots, job: Arc::default() }
    }

    pub(crate) async fn answer(self, request: ServiceRequest) {
        let Ok(WhyQuestion { contact }) = serde_json::from_slice(&request.payload) else {
            return sent(request.refuse(400, "not a question").await);
        };
        match serde_json::to_vec(&self.ask(contact)) {
            Ok(bytes) => sent(request.respond(bytes.into()).await),
            Err(error) => tracing::error!(%error, "decisions do not write"),
        }
    }

    /// Reads on no more: this process leads no more.
    pub(crate) fn stop(&self) {
        if let Some(job) = self.job.lock().unwrap_or_else(PoisonError::into_inner).take() {
            job.reading.abort();
        }
    }

    /// What was found, or how far it is. Another contact waits until this one is done and was fetched, or is not fetched.
    fn ask(&self, contact: ContactId) -> DecisionsAnswer<Vec<Box<RawValue>>> {
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = job.as_mut() {
            let is_asked = known.contact == contact;
            match known.outcome() {
                None if is_asked => return working(&known.progress),
                None => return DecisionsAnswer::Working { upto: 0, last: 0 },
                Some((at, _)) if at.elapsed() > KEPT => {}
                Some((_, Some(Written { decisions, left_out }))) if is_asked => {
                    return DecisionsAnswer::Done { decisions: decisions.clone(), left_out: *left_out };
                }
                Some((_, None)) if is_asked => return DecisionsAnswer::Failed,
                Some(_) => return DecisionsAnswer::Working { upto: 0, last: 0 },
            }
        }
        let progress = Arc::<Progress>::default();
        let reading = tokio::spawn(self.clone().look_into(contact, Arc::clone(&progress)));
        let answer = working(&progress);
        *job = Some(Job { contact, progress, reading, done: None });
        answer
    }

    async fn look_into(self, contact: ContactId, progress: Arc<Progress>) {
        let found = self.read(contact, &progress).await.and_then(|found| written(&found));
        let found = found.inspect_err(
            |error| tracing::warn!(%contact, error = format!("{error:#}"), "its past was not read"),
        );
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = job.as_mut().filter(|known| known.contact == contact) {
            known.done = Some((Instant::now(), found.ok()));
        }
    }

    async fn read(&self, contact: ContactId, progress: &Progress) -> Result<Vec<Decision>> {
        let end = self.bus.stream_usage(streams::CONTACTS).await?.last_seq;
        let mut state = self.snapshots.before(contact.log_seq).await.unwrap_or_default();
        progress.upto.store(state.log_seq(), Ordering::Relaxed);
        progress.last.store(end, Ordering::Relaxed);
        let mut found = Vec::new();
        if state.log_seq() >= end {
            return Ok(found);
        }
        let mut tail =
            Tail::open(&self.bus, streams::CONTACTS, state.log_seq() + 1, TailOptions::default()).await?;
        while state.log_seq() < end {
            let item = tail.next().await?;
            let record: Record = serde_json::from_slice(&item.payload)
                .with_context(|| format!("record {} does not read", item.seq))?;
            found.extend(apply_and_explain(&mut state, item.seq, &record, contact)?);
            progress.upto.store(item.seq, Ordering::Relaxed);
            if item.seq.is_multiple_of(RECORDS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Ok(found)
    }
}

fn working<T>(progress: &Progress) -> DecisionsAnswer<T> {
    let told = |number: &AtomicU64| number.load(Ordering::Relaxed);
    DecisionsAnswer::Working { upto: told(&progress.upto), last: told(&progress.last) }
}

/// The latest ones that fit into an answer, the last one in any case.
fn written(found: &[Decision]) -> Result<Written> {
    let (mut bytes, mut decisions) = (0, Vec::new());
    for decision in found.iter().rev() {
        let mut text = told(decision, AGENTS_MAX)?;
        if decisions.is_empty() && text.get().len() > ANSWER_BYTES_MAX {
            let agents = decision.table.agents.len().min(AGENTS_MAX);
            // Half as much as fits on average: names are short and long.
            text = told(decision, agents * ANSWER_BYTES_MAX / text.get().len() / 2)?;
        }
        bytes += text.get().len();
        if !decisions.is_empty() && bytes > ANSWER_BYTES_MAX {
            break;
        }
        decisions.push(text);
    }
    decisions.reverse();
    let left_out = found.len() - decisions.len();
    Ok(Written { decisions, left_out })
}

/// An offer with so many agents at most, the best first.
fn told(decision: &Decision, agents: usize) -> Result<Box<RawValue>> {
    let agents_left_out = decision.table.agents.len().saturating_sub(agents);
    let mut decision = decision.clone();
    decision.table.agents.truncate(agents);
    Ok(serde_json::value::to_raw_value(&Told { decision: &decision, agents_left_out })?)
}

#[cfg(test)]
mod tests {
    use protocol::facts::FactValues;
    use protocol::record::{ChoiceRule, PassedOver, Receipt};
    use protocol::{AgentId, Hash128, Millis};
    use routing_core::{AgentRow, Explanation, Place, Standing};

    use super::*;

    fn decision(log_seq: u64, agents: usize, words: usize) -> Decision {
        let agent = |n: usize| AgentId(uuid::Uuid::from_u128(n as u128));
        let standing = || Standing::FailsCondition { when: vec!["x".repeat(words)] };
        let row = |n| AgentRow { agent: agent(n), idle_ms: 5, standing: standing() };
        let receipt = Receipt {
            rule: ChoiceRule::LongestIdle,
            waited_ms: 1,
            idle_ms: 5,
            waiting_in_class: 1,
            runners_up: Vec::new(),
            passed_over: PassedOver::default(),
            score_ms: None,
            step: 0,
            rank: 0,
        };
        let table = Explanation {
            contact: ContactId { log_seq: 1, n: 0 },
            log_seq,
            at: Millis(0),
            policy: Hash128([0; 16]),
            place: Place::Unknown,
            facts: FactValues::new(),
            route: None,
            agents: (0..agents).map(row).collect(),
        };
        Decision { log_seq, at: Millis(0), agent: agent(0), receipt, table }
    }

    #[test]
    fn an_answer_is_bounded_and_holds_the_latest_in_any_case() {
        for (offers, agents, words, fits) in [
            (0, 5, 0, 0..=0),
            (3, 5, 9, 3..=3),
            (300, 100, 9, 30..=100),
            (2, 9_000, 9, 2..=2),
            (2, 9_000, 400, 1..=1),
        ] {
            let found: Vec<_> = (1..=offers).map(|seq| decision(seq, agents, words)).collect();
            let Written { decisions: fitting, left_out } = written(&found).unwrap();
            assert_eq!(fitting.len() + left_out, found.len());
            let bytes: usize = fitting.iter().map(|one| one.get().len()).sum();
            assert!(bytes <= ANSWER_BYTES_MAX, "{bytes} bytes of {offers} offers with {agents} agents");
            assert!(
                fits.contains(&fitting.len()),
                "{} of {offers} offers with {agents} agents",
                fitting.len()
            );
            if let Some(last) = fitting.last() {
                let last: serde_json::Value = serde_json::from_str(last.get()).unwrap();
                let shown = last["table"]["agents"].as_array().unwrap().len() as u64;
                assert_eq!(last["log_seq"], offers);
                assert_eq!(shown + last["agents_left_out"].as_u64().unwrap(), agents as u64);
            }
        }
    }
}
