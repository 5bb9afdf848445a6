//! Why a contact was offered to whom, at each offer: recomputed from the log.
//!
//! The log is read from the last snapshot before the contact was born, or from its beginning. That takes as long as it takes: who
//! asks is told how far it has come, and asks again. One contact is looked into at a time, so that the leader is not slowed down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use bus::{Bus, ServiceRequest, Tail, TailOptions};
use protocol::views::{DecisionsAnswer, WhyQuestion};
use protocol::{ContactId, Record, streams};
use routing_core::{Decision, apply_and_explain};

use crate::explain::sent;
use crate::snapshot::Snapshots;

/// Most offers of one contact that are told, the latest ones: an answer has to fit into a message.
const DECISIONS_MAX: usize = 20;
/// Records between two pauses in which others have their turn.
const RECORDS_AT_ONCE: u64 = 200;

/// The one contact that is looked into, or was last.
#[derive(Default)]
struct Job {
    contact: Option<ContactId>,
    upto: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
    found: Option<Vec<Decision>>,
}

/// Answers questions about the past of contacts.
#[derive(Clone)]
pub(crate) struct Decisions {
    bus: Bus,
    snapshots: Snapshots,
    job: Arc<Mutex<Job>>,
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

    /// What is found, once; else how far it is. Another contact waits until this one is done.
    fn ask(&self, contact: ContactId) -> DecisionsAnswer<Vec<Decision>> {
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if job.contact == Some(contact)
            && let Some(decisions) = job.found.take()
        {
            job.contact = None;
            return DecisionsAnswer::Done { decisions };
        }
        // What nobody came back for makes room.
        if job.contact.is_none() || job.found.is_some() {
            *job = Job { contact: Some(contact), ..Job::default() };
            let (upto, last) = (Arc::clone(&job.upto), Arc::clone(&job.last));
            tokio::spawn(self.clone().look_into(contact, upto, last));
        }
        let is_looked_into = job.contact == Some(contact);
        let told = |number: &AtomicU64| if is_looked_into { number.load(Ordering::Relaxed) } else { 0 };
        DecisionsAnswer::Working { upto: told(&job.upto), last: told(&job.last) }
    }

    async fn look_into(self, contact: ContactId, upto: Arc<AtomicU64>, last: Arc<AtomicU64>) {
        let found = self.read(contact, &upto, &last).await;
        let found = found.inspect_err(
            |error| tracing::warn!(%contact, error = format!("{error:#}"), "the past was not read"),
        );
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if job.contact == Some(contact) {
            // Who asks after a failure begins anew.
            match found {
                Ok(decisions) => job.found = Some(decisions),
                Err(_) => *job = Job::default(),
            }
        }
    }

    async fn read(&self, contact: ContactId, upto: &AtomicU64, last: &AtomicU64) -> Result<Vec<Decision>> {
        let end = self.bus.stream_usage(streams::CONTACTS).await?.last_seq;
        let mut state = self.snapshots.before(contact.log_seq).await.unwrap_or_default();
        upto.store(state.log_seq(), Ordering::Relaxed);
        last.store(end, Ordering::Relaxed);
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
            if found.len() > DECISIONS_MAX {
                found.remove(0);
            }
            upto.store(item.seq, Ordering::Relaxed);
            if item.seq.is_multiple_of(RECORDS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Ok(found)
    }
}
