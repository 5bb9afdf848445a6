//! Sends one row until it is taken, refused, or the server has been silent for too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::api::MessageTaken;
use reqwest::Method;
use tokio::time::Instant;

use super::endpoint::{Endpoint, No, in_words};
use super::retry::{Backoff, Verdict, judge};
use super::rows::Row;

/// Where messages go.
const PATH: &str = "/api/v1/messages";

/// What all sending tasks share.
#[derive(Clone)]
pub(super) struct Post {
    endpoint: Endpoint,
    began: Instant,
    give_up_after: Duration,
    /// Milliseconds from `began` to the latest answer that was neither a retry nor silence.
    heard_ms: Arc<AtomicU64>,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum Fate {
    Taken {
        is_duplicate: bool,
    },
    Refused(No),
    /// The server took nothing from anyone for too long: the run ends.
    GaveUp(String),
    /// Every row would be told the same: the run ends.
    Hopeless(No),
}

/// A row that ended.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) row: Row,
    pub(super) fate: Fate,
    pub(super) retried: u64,
}

impl Post {
    pub(super) fn new(endpoint: Endpoint, give_up_after: Duration) -> Self {
        Self { endpoint, began: Instant::now(), give_up_after, heard_ms: Arc::default() }
    }

    pub(super) async fn send(self, row: Row) -> Sent {
        let first = Instant::now();
        let mut backoff = Backoff::default();
        let mut retried = 0;
        let body = match serde_json::to_vec(&row.message) {
            Ok(body) => body,
            Err(error) => {
                let no = No { code: "not_json".to_owned(), words: error.to_string() };
                return Sent { row, fate: Fate::Refused(no), retried };
            }
        };
        let fate = loop {
            let (wait, said) = match self.endpoint.call(Method::POST, PATH, Some(&body)).await {
                Ok(answer) => match judge(answer.status, answer.retry_after) {
                    Verdict::Taken => {
                        self.hear();
                        let taken = serde_json::from_slice::<MessageTaken>(&answer.body);
                        break Fate::Taken { is_duplicate: taken.is_ok_and(|taken| taken.duplicate) };
                    }
                    Verdict::Refused => {
                        self.hear();
                        break Fate::Refused(answer.no());
                    }
                    Verdict::Hopeless => break Fate::Hopeless(answer.no()),
                    Verdict::Retry { at_least } => (backoff.next(at_least), answer.no().words),
                },
                Err(error) => (backoff.next(None), in_words(&error)),
            };
            if self.silence(first) + wait >= self.give_up_after {
                break Fate::GaveUp(said);
            }
            retried += 1;
            tokio::time::sleep(wait).await;
        };
        Sent { row, fate, retried }
    }

    fn hear(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// How long neither this row nor any other has got on.
    fn silence(&self, first: Instant) -> Duration {
        let heard = self.began + Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        heard.max(first).elapsed()
    }
}
