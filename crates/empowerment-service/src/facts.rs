//! What other systems know of a case: asked all at once, with a deadline, over HTTP or the bus.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bus::{Bus, Deadline};
use futures_util::future::join_all;
use protocol::facts::{FactName, FactValue, FactValues};
use protocol::remedy::FactsAbout;
use protocol::subjects::Subjects;
use protocol::{Millis, RemedyCause, SubjectToken};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::Metrics;
use service::settings::EmpowermentSettings;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::breaker::{Breaker, Pass};
use crate::http::Shop;
use crate::leader::Said;

/// How long an answer that nobody waits for any more is still taken: the next question has it then.
const LATE_MAX: Duration = Duration::from_secs(5);
/// Questions under way at once, over all systems; past that a system counts as silent.
const ASKED_MAX: usize = 64;

/// Who is asked, about what, for which facts.
pub(crate) type Want = (SubjectToken, FactsAbout, Vec<FactName>);

/// Whoever asks. Clones share what is known of the systems.
#[derive(Clone)]
pub(crate) struct Asker {
    /// The shop's system, and the source it is.
    shop: Option<(Shop, SubjectToken)>,
    /// All others, if they can be asked.
    bus: Option<(Bus, Subjects)>,
    deadline: Duration,
    metrics: Metrics,
    breakers: Arc<Mutex<BTreeMap<SubjectToken, Breaker>>>,
    places: Arc<Semaphore>,
}

#[derive(Serialize)]
struct Question<'a> {
    about: &'a FactsAbout,
    names: &'a [FactName],
}

#[derive(Deserialize)]
struct Reply {
    at: Millis,
    facts: BTreeMap<String, Value>,
}

/// What became of one question.
enum Told {
    Facts {
        at: Millis,
        facts: FactValues,
    },
    /// It knows nothing of whom or what was asked.
    Nothing,
    Silent,
}

impl Asker {
    /// # Errors
    /// When the integration's name is no token, which the settings have checked.
    pub(crate) fn new(
        settings: &EmpowermentSettings,
        metrics: &Metrics,
        bus: &Bus,
        subjects: &Subjects,
        shop: Option<Shop>,
    ) -> Result<Self> {
        let source = SubjectToken::new(&settings.integration)?;
        Ok(Self {
            shop: shop.map(|shop| (shop, source)),
            bus: settings.ask_nats.then(|| (bus.clone(), subjects.clone())),
            deadline: settings.facts_deadline,
            metrics: metrics.clone(),
            breakers: Arc::default(),
            places: Arc::new(Semaphore::new(ASKED_MAX)),
        })
    }

    /// Whether there is a way to ask this source; others push what they know.
    pub(crate) fn can_ask(&self, source: &SubjectToken) -> bool {
        self.bus.is_some() || self.shop.as_ref().is_some_and(|(_, shop)| shop == source)
    }

    /// Asks all at once and gives who was silent at the deadline. What was said by then is part of the state; what is said
    /// later becomes part of it.
    pub(crate) async fn ask(&self, wants: Vec<Want>, said: &mpsc::Sender<Said>) -> Vec<SubjectToken> {
        let deadline = Instant::now() + self.deadline;
        let asked = wants.into_iter().map(|want| self.ask_one(want, said.clone(), deadline));
        let mut silent: Vec<SubjectToken> = join_all(asked).await.into_iter().flatten().collect();
        silent.sort_unstable();
        silent.dedup();
        silent
    }

    /// The source, if it was silent.
    async fn ask_one(&self, want: Want, said: mpsc::Sender<Said>, deadline: Instant) -> Option<SubjectToken> {
        let source = want.0.clone();
        let pass = self.breaker(&source, Breaker::pass);
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (Ok(place), Pass::Through | Pass::Probe) = (place, pass) else {
            self.breaker(&source, |breaker| breaker.note(pass, false));
            self.count(&source, "resting");
            return Some(source);
        };
        let (answered, in_time) = oneshot::channel();
        let asker = self.clone();
        // A task of its own: it goes on when nobody waits any more.
        tokio::spawn(async move {
            let told = tokio::time::timeout(LATE_MAX, asker.put(&want)).await.unwrap_or(Told::Silent);
            let (source, about, _) = want;
            let end = match told {
                Told::Facts { at, facts } => {
                    let (noted, is_noted) = oneshot::channel();
                    let cause = RemedyCause::FactsAnswer { about, source: source.clone(), at, facts };
                    // Without a leader that listens nobody needs it.
                    if said.send(Said::Facts { cause, noted }).await.is_ok() {
                        drop(is_noted.await);
                    }
                    "answered"
                }
                Told::Nothing => "nothing",
                Told::Silent => "silent",
            };
            asker.count(&source, end);
            answered.send(end != "silent").ok();
            drop(place);
        });
        let answered = tokio::time::timeout_at(deadline, in_time).await;
        let answered = matches!(answered, Ok(Ok(true)));
        self.breaker(&source, |breaker| breaker.note(pass, answered));
        (!answered).then_some(source)
    }

    async fn put(&self, (source, about, names): &Want) -> Told {
        let question = Question { about, names };
        let shop = self.shop.as_ref().filter(|(_, shop)| shop == source);
        if let Some((shop, _)) = shop {
            return match shop.ask(Method::POST, "/facts", Some(&question), LATE_MAX).await {
                Ok((status, _)) if status == reqwest::StatusCode::NOT_FOUND => Told::Nothing,
                Ok((status, bytes)) if status.is_success() => read(&bytes, names),
                Ok(_) | Err(_) => Told::Silent,
            };
        }
        let (Some((bus, subjects)), Ok(payload)) = (&self.bus, serde_json::to_vec(&question)) else {
            return Told::Silent;
        };
        let deadline = Deadline::after(LATE_MAX);
        match bus.request(&subjects.ask_facts(source), payload.into(), deadline).await {
            Ok(answer) => read(&answer, names),
            Err(_) => Told::Silent,
        }
    }

    fn breaker<T>(&self, source: &SubjectToken, look: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        look(breakers.entry(source.clone()).or_default())
    }

    fn count(&self, source: &SubjectToken, end: &str) {
        self.metrics.facts_asked_total.inc([source.as_str(), end]);
    }
}

/// Only what was asked for and reads as a fact counts; the rest is as unknown as before.
fn read(bytes: &[u8], names: &[FactName]) -> Told {
    if bytes.len() > protocol::limits::ANSWER_BYTES_MAX {
        return Told::Silent;
    }
    let Ok(Reply { at, mut facts }) = serde_json::from_slice(bytes) else { return Told::Silent };
    let known: FactValues = names
        .iter()
        .filter_map(|name| {
            let value = facts.remove(name.as_str())?;
            Some((name.clone(), serde_json::from_value::<FactValue>(value).ok()?))
        })
        .collect();
    if known.is_empty() { Told::Nothing } else { Told::Facts { at, facts: known } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<FactName> {
        ["order.days_late", "order.status", "order.recalled"].map(|name| name.parse().unwrap()).to_vec()
    }

    #[test]
    fn only_what_was_asked_and_reads_counts() {
        let answer = br#"{"at":5,"facts":{"order.days_late":4,"order.status":null,"order.recalled":1.5,"order.secret":1}}"#;
        let Told::Facts { at, facts } = read(answer, &names()) else { panic!("it has facts") };
        assert_eq!((at, facts.len()), (Millis(5), 1));
        assert_eq!(facts.values().next(), Some(&FactValue::Int(4)));
        for (answer, is_silent) in [
            (&br#"{"at":5,"facts":{}}"#[..], false),
            (br#"{"at":5,"facts":{"order.secret":1}}"#, false),
            (br#"{"at":-5,"facts":{}}"#, true),
            (br#"{"facts":{"order.days_late":4}}"#, true),
            (br#"{"at":5,"facts":{}}{"at":5,"facts":{}}"#, true),
            (b"<html>", true),
            (b"", true),
        ] {
            let told = read(answer, &names());
            assert_eq!(matches!(told, Told::Silent), is_silent, "{:?}", String::from_utf8_lossy(answer));
            assert!(!matches!(told, Told::Facts { .. }));
        }
    }
}
