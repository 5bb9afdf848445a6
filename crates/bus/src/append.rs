//! The fence: appends that carry the expected last sequence, pipelined (law 3).
//!
//! Every message names the sequence it expects to follow. One refusal therefore refuses all that are in flight
//! behind it, and a new leader's first append refuses whatever an old leader still has on the way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use async_nats::jetstream::context::{PublishAckFuture, PublishError as ClientError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use protocol::Subject;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::connection::Bus;
use crate::publish::{CODES_WRONG_LAST, PublishError, publish_error, server_code};

/// Appends on the way at once; a larger window is slower and a fence then refuses more.
pub const APPEND_WINDOW: usize = 256;

/// Why an append failed. Each kind ends the appender: open a new one after reading the stream's end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote, or an earlier append of ours landed unseen; fate: read the end, compare ids, then step
    /// down or go on.
    #[error("append: the stream does not end where expected")]
    Fenced,
    /// It may or may not be stored; fate: read the end and compare ids.
    #[error("append: outcome unknown ({0})")]
    Unknown(String),
    /// Larger than the stream takes; nothing was stored; fate: park.
    #[error("append: the message is too large")]
    TooLarge,
    /// The stream is at its limit; nothing was stored; fate: refuse new input.
    #[error("append: the stream is full")]
    Full,
}

/// One append on the way. It resolves to the stored sequence, also when an earlier ticket was dropped.
#[must_use = "an append whose outcome nobody reads may have failed"]
pub struct AppendTicket(oneshot::Receiver<Result<u64, AppendError>>);

impl Future for AppendTicket {
    type Output = Result<u64, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.unwrap_or_else(|_| Err(AppendError::Unknown("the runtime ended".into()))))
    }
}

struct InFlight {
    ack: PublishAckFuture,
    seq: u64,
    answer: oneshot::Sender<Result<u64, AppendError>>,
    _permit: OwnedSemaphorePermit,
}

/// The single writer's end of a stream.
pub struct Appender {
    bus: Bus,
    stream: String,
    last_seq: u64,
    window: Arc<Semaphore>,
    in_flight: mpsc::UnboundedSender<InFlight>,
    poison: Arc<OnceLock<AppendError>>,
}

impl Appender {
    /// Begins after `expected_last_seq`, the sequence the stream must end with (0: the stream is empty).
    /// Nothing is sent; the first append finds out.
    #[must_use]
    pub fn open(bus: &Bus, stream: &str, expected_last_seq: u64) -> Self {
        let (in_flight, acks) = mpsc::unbounded_channel();
        let poison = Arc::new(OnceLock::new());
        tokio::spawn(await_acks(acks, Arc::clone(&poison)));
        Self {
            bus: bus.clone(),
            stream: stream.to_owned(),
            last_seq: expected_last_seq,
            window: Arc::new(Semaphore::new(APPEND_WINDOW)),
            in_flight,
            poison,
        }
    }

    /// The sequence the next append will have, if all before it succeed.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }

    /// Why this appender ended, if it did.
    #[must_use]
    pub fn poisoned(&self) -> Option<&AppendError> {
        self.poison.get()
    }

    /// Sends one message; waits only while [`APPEND_WINDOW`] others are on the way. Cancelling this future sends
    /// nothing.
    ///
    /// # Errors
    /// [`AppendError`]; from then on every append fails at once with the same error.
    pub async fn append(&mut self, subject: &Subject, msg_id: &str, payload: Bytes) -> Result<AppendTicket, AppendError> {
        let Ok(permit) = Arc::clone(&self.window).acquire_owned().await else {
            return Err(AppendError::Unknown("the window is closed".into()));
        };
        if let Some(error) = self.poison.get() {
            return Err(error.clone());
        }
        let message = PublishMessage::build()
            .payload(payload)
            .message_id(msg_id)
            .expected_stream(&self.stream)
            .expected_last_sequence(self.last_seq);
        let ack = match self.bus.js.send_publish(subject.as_str().to_owned(), message).await {
            Ok(ack) => ack,
            Err(error) => return Err(self.poison.get_or_init(|| append_error(&error)).clone()),
        };
        // From here on nothing waits, so a cancelled caller cannot leave the count behind what was sent.
        self.last_seq += 1;
        let (answer, ticket) = oneshot::channel();
        if self.in_flight.send(InFlight { ack, seq: self.last_seq, answer, _permit: permit }).is_err() {
            return Err(AppendError::Unknown("the runtime ended".into()));
        }
        Ok(AppendTicket(ticket))
    }
}

/// Awaits the acknowledgements in the order of sending; the first failure answers all behind it.
async fn await_acks(mut in_flight: mpsc::UnboundedReceiver<InFlight>, poison: Arc<OnceLock<AppendError>>) {
    while let Some(next) = in_flight.recv().await {
        let outcome = match poison.get() {
            Some(error) => Err(behind(error)),
            None => settle(next.ack, next.seq).await,
        };
        if let Err(error) = &outcome {
            poison.get_or_init(|| error.clone());
        }
        // The caller may have stopped caring for this one; its failure is kept in the poison.
        drop(next.answer.send(outcome));
    }
}

/// What a failure means for an append that was sent behind the failed one.
fn behind(error: &AppendError) -> AppendError {
    match error {
        AppendError::Fenced | AppendError::Unknown(_) => error.clone(),
        // The one before was not stored, so this one found another end than it expected.
        AppendError::TooLarge | AppendError::Full => AppendError::Fenced,
    }
}

async fn settle(ack: PublishAckFuture, seq: u64) -> Result<u64, AppendError> {
    match ack.await {
        Ok(ack) if ack.sequence == seq && !ack.duplicate => Ok(seq),
        Ok(ack) => Err(AppendError::Unknown(format!(
            "expected sequence {seq}, the server says {}{}",
            ack.sequence,
            if ack.duplicate { ", already stored" } else { "" }
        ))),
        Err(error) => Err(append_error(&error)),
    }
}

fn append_error(error: &ClientError) -> AppendError {
    let wrong_last = error.kind() == PublishErrorKind::WrongLastSequence
        || server_code(error).is_some_and(|code| CODES_WRONG_LAST.contains(&code));
    if wrong_last {
        return AppendError::Fenced;
    }
    match publish_error(error) {
        PublishError::Full => AppendError::Full,
        PublishError::TooLarge => AppendError::TooLarge,
        PublishError::Unavailable(reason) | PublishError::Refused(reason) => AppendError::Unknown(reason),
    }
}
