//! Appends to a stream that several servers keep: what waits goes out together, as one atomic batch at a time (ADR-50 of NATS).
//!
//! On one server each message names the id of the one before it (`append.rs`). In a cluster nothing may name an id: a server of 2.15.1 that
//! has caught up from a snapshot does not know the last one any more, refuses the next message with `last msgid mismatch`, and stands
//! still until it is started again. One batch on the way needs no id. It is stored whole or not at all, and expects the sequence that the
//! one before it ended with, so a new leader's first append refuses all of it, and nothing of ours is behind it.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::PublishErrorKind;
use async_nats::header::{NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE};
use async_nats::jetstream::context::PublishError as ClientError;
use async_nats::jetstream::message::{OutboundMessage, PublishMessage};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;

use crate::append::{AppendError, Outcome, append_error, behind, settle, stored_at};
use crate::connection::{Bus, unless_reconnected};
use crate::publish::{RECONNECTED, server_code};

/// Most messages of one batch, and bytes after which it takes no more; the server takes a thousand messages.
const MESSAGES_MAX: usize = 256;
const BYTES_MAX: usize = 2 << 20;
/// How long the connection may take to take in a batch.
const SENT_WITHIN: Duration = Duration::from_secs(2);
/// How long each goes alone before a batch is tried again.
const SINGLY_FOR: Duration = Duration::from_secs(30);
/// The stream was made before batches were asked for.
const CODE_NOT_ALLOWED: u64 = 10174;

/// One append that waits to be sent.
pub(crate) struct Queued {
    pub(crate) subject: String,
    /// Without what it expects.
    pub(crate) message: PublishMessage,
    pub(crate) bytes: usize,
    pub(crate) answer: oneshot::Sender<Result<u64, AppendError>>,
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl Queued {
    fn answer(self, outcome: Result<u64, AppendError>) {
        // The caller may have stopped caring for this one; a failure is kept in the poison.
        drop(self.answer.send(outcome));
    }
}

/// The one who sends, a batch at a time.
pub(crate) struct Together {
    bus: Bus,
    stream: String,
    last_seq: u64,
    outcome: Arc<Outcome>,
    /// When it was found that the stream takes no batches: for a while each goes alone.
    singly_since: Option<Instant>,
}

/// Why a batch was not stored.
enum Refused {
    /// Nothing of it was, and each alone is told its own reason.
    Whole,
    Because(AppendError),
}

impl Together {
    pub(crate) fn new(bus: &Bus, stream: &str, last_seq: u64, outcome: Arc<Outcome>) -> Self {
        Self { bus: bus.clone(), stream: stream.to_owned(), last_seq, outcome, singly_since: None }
    }

    /// Sends until nobody appends any more.
    pub(crate) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Queued>) {
        while let Some(first) = queue.recv().await {
            // Whoever appends many at once has begun with one.
            tokio::task::yield_now().await;
            let batch = gather(first, &mut queue);
            if self.outcome.ended.load(Ordering::Acquire) {
                drop(self.outcome.poison(&AppendError::Unknown("the appender ended".into())));
            }
            self.store(batch).await;
        }
    }

    async fn store(&mut self, batch: Vec<Queued>) {
        let singly = self.singly_since.is_some_and(|since| since.elapsed() < SINGLY_FOR);
        if batch.len() > 1 && !singly && self.outcome.poison.get().is_none() {
            match self.together(&batch).await {
                Ok(()) => {
                    for queued in batch {
                        self.stored(queued);
                    }
                    return;
                }
                Err(Refused::Whole) => {}
                Err(Refused::Because(error)) => drop(self.outcome.poison(&error)),
            }
        }
        for queued in batch {
            if let Some(error) = self.outcome.poison.get() {
                let error = behind(error);
                queued.answer(Err(error));
                continue;
            }
            match self.one(&queued).await {
                Ok(()) => self.stored(queued),
                Err(error) => queued.answer(Err(self.outcome.poison(&error))),
            }
        }
    }

    fn stored(&mut self, queued: Queued) {
        self.last_seq += 1;
        self.outcome.acknowledged_seq.store(self.last_seq, Ordering::Release);
        queued.answer(Ok(self.last_seq));
    }

    async fn one(&self, queued: &Queued) -> Result<(), AppendError> {
        let sent_on = self.bus.connection_count();
        let message = queued.message.clone().expected_last_sequence(self.last_seq);
        let sent = self.bus.js.send_publish(queued.subject.clone(), message).await;
        let ack = sent.map_err(|error| append_error(&error))?;
        settle(&self.bus.connections, ack, sent_on, self.last_seq + 1).await.map(drop)
    }

    async fn together(&mut self, batch: &[Queued]) -> Result<(), Refused> {
        let Some((last, before)) = batch.split_last() else { return Ok(()) };
        // Any name will do that nobody else gives; the server takes 64 bytes.
        let name = self.bus.client.new_inbox();
        let name = name.rsplit('.').next().unwrap_or_default();
        let part = |place: usize, queued: &Queued| {
            let message = queued.message.clone();
            message.header(NATS_BATCH_ID, name).header(NATS_BATCH_SEQUENCE, place.to_string().as_str())
        };
        let sent_on = self.bus.connection_count();
        let parts = async {
            for (n, queued) in before.iter().enumerate() {
                let mut message = part(n + 1, queued);
                if n == 0 {
                    message = message.expected_last_sequence(self.last_seq);
                }
                let message = message.outbound_message(queued.subject.clone());
                let OutboundMessage { subject, payload, headers } = message;
                self.bus.client.publish_with_headers(subject, headers.unwrap_or_default(), payload).await?;
            }
            Ok::<_, async_nats::PublishError>(())
        };
        match tokio::time::timeout(SENT_WITHIN, parts).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(not_sent(&error)),
            Err(_) => {
                return Err(Refused::Because(AppendError::Unknown("the connection takes nothing".into())));
            }
        }
        let commit = part(batch.len(), last).header(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        let ack = match self.bus.js.send_publish(last.subject.clone(), commit).await {
            Ok(ack) => ack,
            Err(error) => return Err(self.refused(&error)),
        };
        let end = self.last_seq + u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match unless_reconnected(&self.bus.connections, sent_on, ack.into_future()).await {
            Some(Ok(ack)) => stored_at(&ack, end).map(drop).map_err(Refused::Because),
            Some(Err(error)) => Err(self.refused(&error)),
            None => Err(Refused::Because(AppendError::Unknown(RECONNECTED.into()))),
        }
    }

    fn refused(&mut self, error: &ClientError) -> Refused {
        let code = server_code(error);
        if code == Some(CODE_NOT_ALLOWED) {
            if self.singly_since.is_none() {
                tracing::warn!(
                    stream = self.stream,
                    "takes no batches, so that each record waits for the one before it: run `winterband prepare`"
                );
            }
            self.singly_since = Some(Instant::now());
            return Refused::Whole;
        }
        match append_error(error) {
            AppendError::TooLarge | AppendError::Full => Refused::Whole,
            // Whatever was wrong with a part is told of the whole as a batch that is not complete (10176); each alone is told what it was.
            AppendError::Unknown(_) if code.is_some() => Refused::Whole,
            error @ (AppendError::Fenced | AppendError::Unknown(_) | AppendError::NotYet(_)) => {
                Refused::Because(error)
            }
        }
    }
}

fn not_sent(error: &async_nats::PublishError) -> Refused {
    match error.kind() {
        // What was sent of it is never committed.
        PublishErrorKind::MaxPayloadExceeded => Refused::Whole,
        PublishErrorKind::InvalidSubject | PublishErrorKind::Send => {
            Refused::Because(AppendError::Unknown(error.to_string()))
        }
    }
}

/// What goes out together: what waits now.
fn gather(first: Queued, queue: &mut mpsc::UnboundedReceiver<Queued>) -> Vec<Queued> {
    let mut bytes = first.bytes;
    let mut batch = vec![first];
    while batch.len() < MESSAGES_MAX
        && bytes < BYTES_MAX
        && let Ok(next) = queue.try_recv()
    {
        bytes += next.bytes;
        batch.push(next);
    }
    batch
}
