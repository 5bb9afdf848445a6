//! Durable publishing: acknowledged by the server, tried again with the same id until a deadline.

use std::error::Error as _;
use std::future::IntoFuture;
use std::time::Duration;

use async_nats::jetstream::context::{PublishAckFuture, PublishError as ClientError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use protocol::Subject;
use protocol::formats::NotYet;
use tokio::sync::watch;
use traces::TraceContext;

use crate::connection::{Bus, unless_reconnected};
use crate::deadline::Deadline;

/// Longest that one message is tried again: half the window in which the server knows its id.
const RETRY_MAX: Duration = Duration::from_secs(60);
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(10);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Error codes of the server that stand for a limit of storage reached: of the account, the server, its storage, and the
/// stream (10077, also any other write that failed). A disk that is full has no code: the server just falls silent.
const CODES_FULL: [u64; 4] = [10002, 10023, 10047, 10077];
/// What is said when the connection was lost before the acknowledgement came.
pub(crate) const RECONNECTED: &str = "the connection was lost";
const CODE_TOO_LARGE: u64 = 10054;
/// A message of this id is on its way to the other servers of a cluster: whether it gets there, the next try is told.
const CODE_ON_ITS_WAY: u64 = 10158;
/// Expected last sequence does not match; the second one is how a cluster says it for a subject in flight.
pub(crate) const CODES_WRONG_LAST: [u64; 2] = [10071, 10164];

/// Where a message was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its sequence in the stream.
    pub seq: u64,
    /// The server had seen the id before, and stored nothing now; after a lost acknowledgement that may have been our
    /// own first try.
    pub duplicate: bool,
    /// How often it was sent before this answer came, the last time not counted.
    pub retries: u32,
}

/// Why a message was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The stream, the account or the server is at its limit; fate: refuse or park.
    #[error("store a message: there is no room")]
    Full,
    /// The message exceeds the stream's or the server's limit; fate: refuse.
    #[error("store a message: it is too large")]
    TooLarge,
    /// No acknowledgement until the deadline: it may or may not be stored; fate: retry with the same id.
    #[error("store a message: no acknowledgement in time ({0})")]
    Unavailable(String),
    /// A process that lives does not read it yet; fate: refuse, it can be done after the upgrade.
    #[error("store a message: {0}")]
    NotYet(NotYet),
    /// The server will never take it; fate: park.
    #[error("store a message: refused by the server ({0})")]
    Refused(String),
}

/// A message on its way, whose acknowledgement has to be awaited: dropping it would hide a failure.
#[must_use = "an acknowledgement that nobody awaits hides a failure"]
pub struct PendingPublish {
    ack: PublishAckFuture,
    connections: watch::Receiver<u64>,
    sent_on: u64,
}

impl PendingPublish {
    /// Waits for the acknowledgement, at most two seconds and not beyond the life of the connection.
    ///
    /// # Errors
    /// [`PublishError`]; after `Unavailable` publish again with the same id.
    pub async fn acknowledged(self) -> Result<Published, PublishError> {
        let answer = unless_reconnected(&self.connections, self.sent_on, self.ack.into_future()).await;
        let answer = answer.ok_or_else(|| PublishError::Unavailable(RECONNECTED.into()))?;
        let ack = answer.map_err(|error| publish_error(&error))?;
        Ok(Published { seq: ack.sequence, duplicate: ack.duplicate, retries: 0 })
    }
}

impl Bus {
    /// Stores a message under `subject`, once per `msg_id` within the stream's window, trying until `deadline`
    /// (but no longer than a minute, so that a late try cannot outlive the window).
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_durable(
        &self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
        deadline: Deadline,
    ) -> Result<Published, PublishError> {
        self.publish_traced(subject, msg_id, payload, None, deadline).await
    }

    /// As [`Bus::publish_durable`]; whoever reads it finds the place in a trace below which it goes on.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish_traced(
        &self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
        trace: Option<&TraceContext>,
        deadline: Deadline,
    ) -> Result<Published, PublishError> {
        let payload = self.floor.admit(payload).map_err(PublishError::NotYet)?;
        let deadline = deadline.at_most(RETRY_MAX);
        let mut pause = RETRY_PAUSE_FIRST;
        let mut reason = "no time left".to_owned();
        let mut retries = 0;
        while !deadline.has_passed() {
            let attempt =
                async { self.send_one(subject, msg_id, payload.clone(), trace).await?.acknowledged().await };
            reason = match tokio::time::timeout_at(deadline.tokio(), attempt).await {
                Ok(Err(PublishError::Unavailable(reason))) => reason,
                Ok(result) => return result.map(|published| Published { retries, ..published }),
                Err(_) => "no answer".to_owned(),
            };
            retries += 1;
            tokio::time::sleep(pause.min(deadline.left())).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
        Err(PublishError::Unavailable(reason))
    }

    /// Sends a message without waiting; acknowledgements come in the order of sending.
    /// Keep at most some hundreds on the way: more is slower.
    ///
    /// # Errors
    /// [`PublishError::TooLarge`], `Refused` for a pattern, or `Unavailable` if the connection's buffer stays full for
    /// two seconds.
    pub async fn publish_pipelined(
        &self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
    ) -> Result<PendingPublish, PublishError> {
        self.send_one(subject, msg_id, payload, None).await
    }

    async fn send_one(
        &self,
        subject: &Subject,
        msg_id: &str,
        payload: Bytes,
        trace: Option<&TraceContext>,
    ) -> Result<PendingPublish, PublishError> {
        if is_pattern(subject) {
            return Err(PublishError::Refused("the subject is a pattern".into()));
        }
        let message = with_trace(PublishMessage::build().payload(payload).message_id(msg_id), trace);
        let sent_on = self.connection_count();
        let sent = self.js.send_publish(subject.as_str().to_owned(), message).await;
        sent.map(|ack| PendingPublish { ack, connections: self.connections.clone(), sent_on })
            .map_err(|error| publish_error(&error))
    }
}

/// Notes a place in a trace beside a message; without one nothing is added.
pub(crate) fn with_trace(message: PublishMessage, trace: Option<&TraceContext>) -> PublishMessage {
    let headers = trace.map(TraceContext::headers).unwrap_or_default();
    headers.into_iter().fold(message, |message, (name, value)| message.header(name, value))
}

/// The server would store a message under a literal wildcard.
pub(crate) fn is_pattern(subject: &Subject) -> bool {
    subject.as_str().contains(['*', '>'])
}

/// The server's error code, if the failure came from there.
pub(crate) fn server_code(error: &(dyn std::error::Error + 'static)) -> Option<u64> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(server) = error.downcast_ref::<async_nats::jetstream::Error>() {
            return Some(server.error_code().0);
        }
        cause = error.source();
    }
    None
}

pub(crate) fn publish_error(error: &ClientError) -> PublishError {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => PublishError::TooLarge,
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => PublishError::Unavailable(error.to_string()),
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence => {
            PublishError::Refused(error.to_string())
        }
        PublishErrorKind::Other => match error.source().and_then(server_code) {
            Some(code) if CODES_FULL.contains(&code) => PublishError::Full,
            Some(CODE_TOO_LARGE) => PublishError::TooLarge,
            Some(CODE_ON_ITS_WAY) => PublishError::Unavailable("the same message is on its way".into()),
            Some(code) => PublishError::Refused(format!("code {code}")),
            None => PublishError::Unavailable(error.to_string()),
        },
    }
}
