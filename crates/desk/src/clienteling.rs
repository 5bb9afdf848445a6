//! Clienteling: what has arrived becomes drafts for an agent's regulars, and one click sends one.
//!
//! Arrivals are told by other systems; who an agent's regulars are, the read models say. What came of a draft stands in a bucket where the first
//! one wins, before anything is sent: so nobody is written to twice, by whomever.

mod drafts;
mod send;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bucket, WatchEvent};
use protocol::arrival::{
    Approach, Arrival, KeptArrival, RegularsAnswer, RegularsQuestion, let_go_key, sent_key,
};
use protocol::{AgentId, IdentityId, Millis, SubjectToken};

use crate::{Gateway, watching};

pub(crate) use drafts::all;
pub(crate) use send::{BODY_BYTES_MAX, let_go, send};

/// For how long it is not asked anew who an agent's regulars are.
const ANSWER_COUNTS_FOR: Duration = Duration::from_secs(60);
/// Answers that are remembered; past it they are forgotten, and asked for anew.
const ANSWERS_KEPT_MAX: usize = 200;

/// The buckets, and what is in them.
pub(crate) struct Clienteling {
    arrivals: Bucket,
    approaches: Bucket,
    known: Mutex<Known>,
    answers: Mutex<BTreeMap<(AgentId, SubjectToken), Answered>>,
}

/// What the read models said of a question, by the monotonic clock.
struct Answered {
    at: Duration,
    question: RegularsQuestion,
    answer: Arc<RegularsAnswer>,
}

#[derive(Default)]
struct Known {
    arrivals: BTreeMap<String, At<Arc<Arrival>>>,
    approaches: BTreeMap<String, At<Approach>>,
}

/// Something with its revision.
#[derive(Clone)]
struct At<T> {
    revision: u64,
    is: T,
}

impl Clienteling {
    pub(crate) fn new(arrivals: Bucket, approaches: Bucket) -> Self {
        Self { arrivals, approaches, known: Mutex::default(), answers: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those whose regulars choose first now, what ends first first.
    fn live(&self, now: Millis) -> Vec<Arc<Arrival>> {
        let known = self.known();
        let live = known.arrivals.values().filter(|one| one.is.until > now).map(|one| Arc::clone(&one.is));
        let mut live: Vec<_> = live.collect();
        live.sort_by(|one, other| (one.until, &one.id).cmp(&(other.until, &other.id)));
        live
    }

    fn find(&self, id: &SubjectToken, now: Millis) -> Option<Arc<Arrival>> {
        let known = self.known();
        known.arrivals.get(id.as_str()).map(|one| Arc::clone(&one.is)).filter(|one| one.until > now)
    }

    /// Who wrote to a customer because of it, by whichever of their identities that stands; it may have been refused.
    fn written(&self, arrival: &SubjectToken, identities: &[IdentityId]) -> Vec<Approach> {
        let known = self.known();
        let keys = identities.iter().map(|identity| sent_key(arrival, *identity));
        keys.filter_map(|key| known.approaches.get(&key).map(|one| one.is.clone())).collect()
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<(AgentId, SubjectToken), Answered>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the read models said a moment ago.
    fn answered(
        &self,
        arrival: &SubjectToken,
        question: &RegularsQuestion,
        now: Duration,
    ) -> Option<Arc<RegularsAnswer>> {
        let answers = self.answers();
        let found = answers.get(&(question.agent, arrival.clone()))?;
        let is_so = found.question == *question && now.saturating_sub(found.at) < ANSWER_COUNTS_FOR;
        is_so.then(|| Arc::clone(&found.answer))
    }

    fn remember(
        &self,
        arrival: &SubjectToken,
        question: RegularsQuestion,
        answer: Arc<RegularsAnswer>,
        now: Duration,
    ) {
        let mut answers = self.answers();
        if answers.len() >= ANSWERS_KEPT_MAX {
            answers.retain(|_, one| now.saturating_sub(one.at) < ANSWER_COUNTS_FOR);
        }
        if answers.len() >= ANSWERS_KEPT_MAX {
            answers.clear();
        }
        let key = (question.agent, arrival.clone());
        answers.insert(key, Answered { at: now, question, answer });
    }

    /// Whether an agent let the draft for a customer go.
    fn is_let_go(&self, arrival: &SubjectToken, identities: &[IdentityId], agent: AgentId) -> bool {
        let known = self.known();
        let mut keys = identities.iter().map(|identity| let_go_key(arrival, *identity, agent));
        keys.any(|key| known.approaches.contains_key(&key))
    }

    fn learn_approach(&self, key: String, revision: u64, approach: Approach) {
        let mut known = self.known();
        if known.approaches.get(&key).is_none_or(|one| one.revision <= revision) {
            known.approaches.insert(key, At { revision, is: approach });
        }
    }

    fn forget_approach(&self, key: &str, revision: u64) {
        let mut known = self.known();
        if known.approaches.get(key).is_some_and(|one| one.revision < revision) {
            known.approaches.remove(key);
        }
    }

    fn hear_arrival(&self, event: WatchEvent) {
        match event {
            WatchEvent::Put(entry) => match serde_json::from_slice::<KeptArrival>(&entry.value) {
                Ok(kept) => {
                    let at = At { revision: entry.revision, is: Arc::new(kept.arrival) };
                    drop(self.known().arrivals.insert(entry.key, at));
                }
                // It is of a later version: nobody is told of it here, and it stays.
                Err(error) => {
                    tracing::warn!(%error, key = entry.key, "an arrival cannot be read");
                    drop(self.known().arrivals.remove(&entry.key));
                }
            },
            WatchEvent::Deleted { key, .. } => drop(self.known().arrivals.remove(&key)),
            WatchEvent::CaughtUp => {}
        }
    }

    fn hear_approach(&self, event: WatchEvent) {
        match event {
            WatchEvent::Put(entry) => match serde_json::from_slice(&entry.value) {
                Ok(approach) => self.learn_approach(entry.key, entry.revision, approach),
                Err(error) => tracing::warn!(%error, "what came of a draft cannot be read"),
            },
            WatchEvent::Deleted { key, revision } => self.forget_approach(&key, revision),
            WatchEvent::CaughtUp => {}
        }
    }
}

/// Learns what has arrived.
pub(crate) async fn follow_arrivals(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk arrivals");
    let clienteling = &gateway.clienteling;
    watching::watch(&clienteling.arrivals, &health, |event| clienteling.hear_arrival(event)).await;
}

/// Learns who was written to.
pub(crate) async fn follow_approaches(gateway: Arc<Gateway>) {
    let health = gateway.kit.health.register("desk approaches");
    let clienteling = &gateway.clienteling;
    watching::watch(&clienteling.approaches, &health, |event| clienteling.hear_approach(event)).await;
}
