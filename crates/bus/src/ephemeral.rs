//! What may be lost: typing, hints, questions with a deadline. Nothing here is stored.

use std::time::Duration;

use async_nats::StatusCode;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use protocol::{Subject, SubjectToken};

use crate::connection::{Bus, BusError};
use crate::deadline::Deadline;

/// A message that nobody stored.
#[derive(Clone, Debug)]
pub struct EphemeralMessage {
    /// The subject it was sent to.
    pub subject: String,
    /// Its bytes.
    pub payload: Bytes,
}

/// Messages as they come; those that come while the bus is away are lost.
pub struct EphemeralMessages(async_nats::Subscriber);

impl EphemeralMessages {
    pub(crate) fn new(subscriber: async_nats::Subscriber) -> Self {
        Self(subscriber)
    }

    /// The next message; `None` when the connection was drained.
    pub async fn next(&mut self) -> Option<EphemeralMessage> {
        StreamExt::next(&mut self.0)
            .await
            .map(|m| EphemeralMessage { subject: m.subject.to_string(), payload: m.payload })
    }

    /// As a stream.
    pub fn into_stream(self) -> impl Stream<Item = EphemeralMessage> + Send + Unpin {
        self.0.map(|m| EphemeralMessage { subject: m.subject.to_string(), payload: m.payload })
    }
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody serves that subject now; fate: retry.
    #[error("ask {0}: nobody serves it")]
    NoResponder(String),
    /// No answer until the deadline; fate: retry if the question can be put twice.
    #[error("ask {0}: no answer in time")]
    Deadline(String),
    /// The question could not be sent; fate: retry.
    #[error("ask {subject}: {reason}")]
    Send {
        /// Who was asked.
        subject: String,
        /// What the connection said.
        reason: String,
    },
}

/// Questions put to this process, shared with the others of its group.
pub struct Requests {
    subscriber: async_nats::Subscriber,
    client: async_nats::Client,
}

/// One question.
pub struct Request {
    /// The subject it was put to.
    pub subject: String,
    /// Its bytes.
    pub payload: Bytes,
    reply: Option<async_nats::Subject>,
    client: async_nats::Client,
}

impl Requests {
    /// The next question; `None` when the connection was drained.
    pub async fn next(&mut self) -> Option<Request> {
        let message = self.subscriber.next().await?;
        Some(Request {
            subject: message.subject.to_string(),
            payload: message.payload,
            reply: message.reply,
            client: self.client.clone(),
        })
    }
}

impl Request {
    /// Where the answer is wanted, as the asker named it: before a stranger is answered, somebody has to look at it.
    #[must_use]
    pub fn reply(&self) -> Option<&str> {
        self.reply.as_deref()
    }

    /// Answers in an inbox of ours; a question that asked for no answer, or for one elsewhere, gets none.
    ///
    /// # Errors
    /// [`BusError::Send`] if the connection takes nothing or the answer exceeds 8 MiB; the asker then runs into its deadline.
    pub async fn respond(self, answer: Bytes) -> Result<(), BusError> {
        let Some(reply) = self.reply else { return Ok(()) };
        if !is_inbox(&reply) {
            tracing::debug!(
                subject = self.subject,
                "an answer that was wanted elsewhere than in an inbox is none"
            );
            return Ok(());
        }
        self.client.publish(reply, answer).await.map_err(|error| BusError::Send(error.to_string()))
    }

    /// Answers a stranger, at the subject that was found to be theirs.
    ///
    /// # Errors
    /// As [`Request::respond`].
    pub async fn respond_to(self, place: &Subject, answer: Bytes) -> Result<(), BusError> {
        let sent = self.client.publish(place.as_str().to_owned(), answer).await;
        sent.map_err(|error| BusError::Send(error.to_string()))
    }
}

/// Whether somebody waits there for an answer, rather than that a stream or another role would take it for its own: whoever may put
/// a question must not have the one who answers publish in their place.
pub(crate) fn is_inbox(reply: &str) -> bool {
    reply.starts_with("_INBOX.")
}

impl Bus {
    /// Sends a message that nobody stores.
    ///
    /// # Errors
    /// [`BusError::Send`] if the connection takes nothing or the message exceeds 8 MiB.
    pub async fn publish_ephemeral(&self, subject: &Subject, payload: Bytes) -> Result<(), BusError> {
        self.client
            .publish(subject.as_str().to_owned(), payload)
            .await
            .map_err(|error| BusError::Send(error.to_string()))
    }

    /// Hears messages that nobody stores; `subjects` may be a pattern. The server knows of it when this returns.
    ///
    /// # Errors
    /// [`BusError::Send`] if the pattern is malformed or the bus is away; fate: retry.
    pub async fn subscribe_ephemeral(&self, subjects: &Subject) -> Result<EphemeralMessages, BusError> {
        let subscriber = self
            .client
            .subscribe(subjects.as_str().to_owned())
            .await
            .map_err(|error| BusError::Send(error.to_string()))?;
        self.round_trip().await?;
        Ok(EphemeralMessages(subscriber))
    }

    /// Serves questions on `subject`; each goes to one process of `group`. The server knows of it when this returns.
    ///
    /// # Errors
    /// [`BusError::Send`] if subject or group is malformed or the bus is away; fate: retry.
    pub async fn serve(&self, subject: &Subject, group: &SubjectToken) -> Result<Requests, BusError> {
        let subscriber = self
            .client
            .queue_subscribe(subject.as_str().to_owned(), group.as_str().to_owned())
            .await
            .map_err(|error| BusError::Send(error.to_string()))?;
        self.round_trip().await?;
        Ok(Requests { subscriber, client: self.client.clone() })
    }

    /// Puts a question and waits for its answer until `deadline`.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Deadline,
    ) -> Result<Bytes, RequestError> {
        let name = || subject.as_str().to_owned();
        let timeout = deadline.left().max(Duration::from_millis(1));
        let request = async_nats::client::Request::new().payload(payload).timeout(Some(timeout));
        let answer = self.client.send_request(name(), request).await.map_err(|error| match error.kind() {
            async_nats::RequestErrorKind::NoResponders => RequestError::NoResponder(name()),
            async_nats::RequestErrorKind::TimedOut => RequestError::Deadline(name()),
            async_nats::RequestErrorKind::InvalidSubject
            | async_nats::RequestErrorKind::MaxPayloadExceeded
            | async_nats::RequestErrorKind::Other => {
                RequestError::Send { subject: name(), reason: error.to_string() }
            }
        })?;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(RequestError::NoResponder(name()));
        }
        Ok(answer.payload)
    }

    /// Waits until the server has taken everything sent so far. `flush` alone only empties our own buffer.
    async fn round_trip(&self) -> Result<(), BusError> {
        self.check().await
    }
}
