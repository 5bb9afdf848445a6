//! The fence: appends that carry the expected last sequence, pipelined (law 3).
//!
//! Every message names the sequence it expects to follow, so a new leader's first append refuses the first that an
//! old leader still has on the way. The sequence alone would not refuse the second: it expects just the sequence
//! that the new leader's append has taken. So as long as the one before it is not acknowledged, a message names that
//! one's id too, and one refusal refuses all that are in flight behind it. Where several servers keep the stream, it is done otherwise
//! (`append_together.rs`).

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use async_nats::jetstream::context::{PublishAckFuture, PublishError as ClientError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use protocol::Subject;
use protocol::formats::NotYet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use traces::TraceContext;

use crate::append_together::{Queued, Together};
use crate::connection::{Bus, unless_reconnected};
use crate::publish::{
    CODES_WRONG_LAST, PublishError, RECONNECTED, is_pattern, publish_error, server_code, with_trace,
};

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
    /// A process that lives does not read it yet; nothing was stored; fate: retry, after that one is upgraded.
    #[error("append: {0}")]
    NotYet(NotYet),
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
    sent_on: u64,
    seq: u64,
    answer: oneshot::Sender<Result<u64, AppendError>>,
    _permit: OwnedSemaphorePermit,
}

/// The single writer's end of a stream.
pub struct Appender {
    bus: Bus,
    stream: String,
    last_seq: u64,
    last_id: String,
    window: Arc<Semaphore>,
    way: Way,
    outcome: Arc<Outcome>,
}

/// How messages get to the server.
enum Way {
    /// Each at once; these await their acknowledgements.
    Pipelined(mpsc::UnboundedSender<InFlight>),
    /// A batch at a time; these wait to be sent.
    Together(mpsc::UnboundedSender<Queued>),
}

/// What the acknowledgements say.
pub(crate) struct Outcome {
    pub(crate) acknowledged_seq: AtomicU64,
    pub(crate) poison: OnceLock<AppendError>,
    /// Nobody appends any more: what was not sent yet is not sent.
    pub(crate) ended: AtomicBool,
}

impl Outcome {
    pub(crate) fn poison(&self, error: &AppendError) -> AppendError {
        self.poison.get_or_init(|| error.clone()).clone()
    }
}

impl Appender {
    /// Begins after `expected_last_seq`, the sequence the stream must end with (0: the stream is empty).
    /// Nothing is sent; the first append finds out.
    #[must_use]
    pub fn open(bus: &Bus, stream: &str, expected_last_seq: u64) -> Self {
        Self::open_kept_by(bus, stream, expected_last_seq, bus.replicas)
    }

    /// As [`Appender::open`], for a stream that so many servers keep as its usage tells, whatever this process was told of them.
    #[must_use]
    pub fn open_kept_by(bus: &Bus, stream: &str, expected_last_seq: u64, replicas: usize) -> Self {
        let outcome = Arc::new(Outcome {
            acknowledged_seq: expected_last_seq.into(),
            poison: OnceLock::new(),
            ended: AtomicBool::new(false),
        });
        let way = if replicas > 1 {
            let (queue, queued) = mpsc::unbounded_channel();
            let together = Together::new(bus, stream, expected_last_seq, Arc::clone(&outcome));
            tokio::spawn(together.run(queued));
            Way::Together(queue)
        } else {
            let (in_flight, acks) = mpsc::unbounded_channel();
            tokio::spawn(await_acks(bus.connections.clone(), acks, Arc::clone(&outcome)));
            Way::Pipelined(in_flight)
        };
        Self {
            bus: bus.clone(),
            stream: stream.to_owned(),
            last_seq: expected_last_seq,
            last_id: String::new(),
            window: Arc::new(Semaphore::new(APPEND_WINDOW)),
            way,
            outcome,
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
        self.outcome.poison.get()
    }

    /// Sends one message; waits only while [`APPEND_WINDOW`] others are on the way. Cancelling this future sends
    /// nothing.
    ///
    /// # Errors
    /// [`AppendError`]; from then on every append fails at once with the same error.
    pub async fn append(
        &mut self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
    ) -> Result<AppendTicket, AppendError> {
        self.append_traced(subject, msg_id, payload, None).await
    }

    /// As [`Appender::append`]; whoever reads it finds the place in a trace below which it goes on.
    ///
    /// # Errors
    /// As [`Appender::append`].
    pub async fn append_traced(
        &mut self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
        trace: Option<&TraceContext>,
    ) -> Result<AppendTicket, AppendError> {
        let payload = self.bus.floor.admit(payload).map_err(AppendError::NotYet)?;
        let Ok(permit) = Arc::clone(&self.window).acquire_owned().await else {
            return Err(AppendError::Unknown("the window is closed".into()));
        };
        if let Some(error) = self.outcome.poison.get() {
            return Err(error.clone());
        }
        if is_pattern(subject) {
            return Err(self.outcome.poison(&AppendError::Unknown("the subject is a pattern".into())));
        }
        let bytes = payload.len();
        let message = PublishMessage::build().message_id(msg_id).expected_stream(&self.stream);
        let message = with_trace(message.payload(payload), trace);
        let subject = subject.as_str().to_owned();
        let (answer, ticket) = oneshot::channel();
        let is_on_its_way = match &self.way {
            Way::Together(queue) => {
                queue.send(Queued { subject, message, bytes, answer, _permit: permit }).is_ok()
            }
            Way::Pipelined(in_flight) => {
                let sent_on = self.bus.connection_count();
                let ack = match self.bus.js.send_publish(subject, self.fenced(message)).await {
                    Ok(ack) => ack,
                    Err(error) => return Err(self.outcome.poison(&append_error(&error))),
                };
                let seq = self.last_seq + 1;
                in_flight.send(InFlight { ack, sent_on, seq, answer, _permit: permit }).is_ok()
            }
        };
        // Nothing waited since it was sent, so a cancelled caller cannot leave the count behind.
        self.last_seq += 1;
        msg_id.clone_into(&mut self.last_id);
        if !is_on_its_way {
            return Err(AppendError::Unknown("the runtime ended".into()));
        }
        Ok(AppendTicket(ticket))
    }

    fn fenced(&self, message: PublishMessage) -> PublishMessage {
        let message = message.expected_last_sequence(self.last_seq);
        // The id is asked for only where it is needed: a restarted server has forgotten ids older than its window.
        if self.outcome.acknowledged_seq.load(Ordering::Acquire) == self.last_seq {
            message
        } else {
            message.expected_last_message_id(&self.last_id)
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.outcome.ended.store(true, Ordering::Release);
    }
}

/// Awaits the acknowledgements in the order of sending; the first failure answers all behind it.
async fn await_acks(
    connections: watch::Receiver<u64>,
    mut in_flight: mpsc::UnboundedReceiver<InFlight>,
    outcome: Arc<Outcome>,
) {
    while let Some(next) = in_flight.recv().await {
        let settled = match outcome.poison.get() {
            Some(error) => Err(behind(error)),
            None => settle(&connections, next.ack, next.sent_on, next.seq).await,
        };
        match &settled {
            Ok(seq) => outcome.acknowledged_seq.store(*seq, Ordering::Release),
            Err(error) => drop(outcome.poison(error)),
        }
        // The caller may have stopped caring for this one; its failure is kept in the poison.
        drop(next.answer.send(settled));
    }
}

/// What a failure means for an append that was sent behind the failed one.
pub(crate) fn behind(error: &AppendError) -> AppendError {
    match error {
        AppendError::Fenced | AppendError::Unknown(_) => error.clone(),
        // The one before was not stored, so this one found another end than it expected.
        AppendError::TooLarge | AppendError::Full | AppendError::NotYet(_) => AppendError::Fenced,
    }
}

/// The sequence at which it is stored, if that is the one which was expected.
pub(crate) async fn settle(
    connections: &watch::Receiver<u64>,
    ack: PublishAckFuture,
    sent_on: u64,
    seq: u64,
) -> Result<u64, AppendError> {
    let Some(answer) = unless_reconnected(connections, sent_on, ack.into_future()).await else {
        return Err(AppendError::Unknown(RECONNECTED.into()));
    };
    match answer {
        Ok(ack) => stored_at(&ack, seq),
        Err(error) => Err(append_error(&error)),
    }
}

/// The same of an acknowledgement that came.
pub(crate) fn stored_at(ack: &PublishAck, seq: u64) -> Result<u64, AppendError> {
    if ack.sequence == seq && !ack.duplicate {
        return Ok(seq);
    }
    let already = if ack.duplicate { ", already stored" } else { "" };
    Err(AppendError::Unknown(format!("expected sequence {seq}, the server says {}{already}", ack.sequence)))
}

pub(crate) fn append_error(error: &ClientError) -> AppendError {
    let wrong_last =
        matches!(error.kind(), PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId)
            || server_code(error).is_some_and(|code| CODES_WRONG_LAST.contains(&code));
    if wrong_last {
        return AppendError::Fenced;
    }
    match publish_error(error) {
        PublishError::Full => AppendError::Full,
        PublishError::TooLarge => AppendError::TooLarge,
        PublishError::Unavailable(reason) | PublishError::Refused(reason) => AppendError::Unknown(reason),
        PublishError::NotYet(not_yet) => AppendError::NotYet(not_yet),
    }
}
