//! One consumer on the server and the pull requests that feed it: a life of the tail between two deaths.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::message::OutboundMessage;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Sink, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::connection::Bus;
use crate::publish::server_code;
use crate::reply::delivery;
use crate::server_rights::matches;
use crate::tail::{StartFailed, TailError, TailItem};

/// How long the server keeps the consumer of a reader that is gone.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(10);
/// How long the server keeps a pull request.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// Silent heartbeats after which the consumer is taken for dead.
const HEARTBEATS_MISSED_MAX: u32 = 3;

/// The header by which the server names the stream of a message that was asked for.
const CARRIED: &str = "Nats-Stream";

/// Where and how to begin.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) stream: String,
    pub(crate) next_seq: u64,
    pub(crate) batch: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) filter: Vec<String>,
}

/// A consumer that stands, and what the server said of the stream.
pub(crate) struct Opened {
    pub(crate) pull: Pull,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) pending: u64,
}

/// What polling gives.
pub(crate) enum Pulled {
    Item(TailItem),
    /// What lies in the stream under a subject that is not one of it.
    Foreign {
        seq: u64,
        pending: u64,
    },
    Broken(&'static str),
    Closed,
}

pub(crate) struct Pull {
    client: async_nats::Client,
    subscriber: Subscriber,
    next_subject: async_nats::Subject,
    inbox: async_nats::Subject,
    /// Those that the stream stores.
    subjects: Vec<String>,
    /// What the server still owes us, over all requests.
    outstanding: usize,
    batch: usize,
    heartbeat: Duration,
    consumer_seq: u64,
    heard: Instant,
    watchdog: Pin<Box<Sleep>>,
    reconnected: BoxFuture<'static, ()>,
}

/// Makes an ephemeral consumer in the server's memory: AckNone, from the sequence asked for.
pub(crate) async fn open_pull(bus: Bus, start: Start) -> Result<Opened, StartFailed> {
    // Taken before anything is asked, so that a reconnection in between is noticed.
    let mut connections = bus.connections.clone();
    connections.mark_unchanged();
    let away = |error: &dyn std::fmt::Display| StartFailed::Away(error.to_string());
    let handle = bus.js.get_stream_no_info(&start.stream).await.map_err(|error| away(&error))?;
    let info = handle.get_info().await.map_err(|error| {
        if server_code(&error) == Some(ErrorCode::STREAM_NOT_FOUND.0) {
            StartFailed::Missing
        } else {
            away(&error)
        }
    })?;
    let last_seq = info.state.last_sequence;
    if start.next_seq > last_seq + 1 {
        let expected = start.next_seq - 1;
        return Err(StartFailed::Permanent(TailError::WentBack { stream: start.stream, last_seq, expected }));
    }
    let inbox = async_nats::Subject::from(bus.client.new_inbox());
    let subscriber = bus.client.subscribe(inbox.clone()).await.map_err(|error| away(&error))?;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start.next_seq },
        ack_policy: AckPolicy::None,
        filter_subjects: start.filter.clone(),
        inactive_threshold: INACTIVE_THRESHOLD,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let made = bus.js.create_consumer_on_stream(config, &start.stream).await;
    let consumer = made.map_err(|error| consumer_failure(&start.stream, &error))?;
    let consumer = consumer.cached_info();
    let next_subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", start.stream, consumer.name);
    let pull = Pull {
        client: bus.client.clone(),
        subscriber,
        next_subject: next_subject.into(),
        inbox,
        subjects: info.config.subjects,
        outstanding: 0,
        batch: start.batch,
        heartbeat: start.heartbeat,
        consumer_seq: 0,
        heard: Instant::now(),
        watchdog: Box::pin(tokio::time::sleep(start.heartbeat * HEARTBEATS_MISSED_MAX)),
        reconnected: until_changed(connections).boxed(),
    };
    Ok(Opened { pull, first_seq: info.state.first_sequence, last_seq, pending: consumer.num_pending })
}

fn consumer_failure(stream: &str, error: &ConsumerError) -> StartFailed {
    match error.kind() {
        ConsumerErrorKind::JetStream(server) if server.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            StartFailed::Missing
        }
        ConsumerErrorKind::JetStream(server) if (400..500).contains(&server.code()) => {
            StartFailed::Permanent(TailError::Refused {
                stream: stream.to_owned(),
                reason: error.to_string(),
            })
        }
        ConsumerErrorKind::TimedOut
        | ConsumerErrorKind::Request
        | ConsumerErrorKind::InvalidConsumerType
        | ConsumerErrorKind::InvalidName
        | ConsumerErrorKind::JetStream(_)
        | ConsumerErrorKind::Other => StartFailed::Away(error.to_string()),
    }
}

async fn until_changed(mut connections: watch::Receiver<u64>) {
    if connections.changed().await.is_err() {
        // The connection has ended; the subscription says so itself.
        std::future::pending::<()>().await;
    }
}

impl Pull {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Pulled> {
        loop {
            if let Poll::Ready(Err(reason)) = self.poll_request(cx) {
                return Poll::Ready(Pulled::Broken(reason));
            }
            match self.subscriber.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => {
                    self.heard = Instant::now();
                    match self.take(message) {
                        Ok(Some(item)) if self.is_of_stream(&item) => {
                            return Poll::Ready(Pulled::Item(item));
                        }
                        Ok(Some(TailItem { seq, pending, .. })) => {
                            return Poll::Ready(Pulled::Foreign { seq, pending });
                        }
                        Ok(None) => {}
                        Err(reason) => return Poll::Ready(Pulled::Broken(reason)),
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Pulled::Closed),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
    }

    /// Whoever may read a stream has the server publish what is stored there to any subject. What a consumer reads keeps the subject that
    /// it had, what is asked for by its number says by a header where it comes from.
    fn is_of_stream(&self, item: &TailItem) -> bool {
        let subject = within_cell(&item.subject);
        let is_own = |pattern: &String| matches(within_cell(pattern), subject);
        item.header(CARRIED).is_none() && (self.subjects.is_empty() || self.subjects.iter().any(is_own))
    }

    /// Asks for more when half of the last batch has come.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.outstanding > self.batch / 2 {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.client).poll_ready(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Err("the connection takes nothing")),
            Poll::Ready(Ok(())) => {}
        }
        let asked = self.batch - self.outstanding;
        let request = format!(
            "{{\"batch\":{asked},\"expires\":{},\"idle_heartbeat\":{}}}",
            PULL_EXPIRES.as_nanos(),
            self.heartbeat.as_nanos()
        );
        let message = OutboundMessage {
            subject: self.next_subject.clone(),
            payload: Bytes::from(request),
            headers: None,
            reply: Some(self.inbox.clone()),
        };
        if Pin::new(&mut self.client).start_send(message).is_err() {
            return Poll::Ready(Err("the connection takes nothing"));
        }
        self.outstanding += asked;
        Poll::Ready(Ok(()))
    }

    /// Nothing to read: has the connection been a new one since, or the server silent for too long?
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Pulled> {
        if self.reconnected.poll_unpin(cx).is_ready() {
            return Poll::Ready(Pulled::Broken("the connection is a new one"));
        }
        while self.watchdog.as_mut().poll(cx).is_ready() {
            let patience = self.heartbeat * HEARTBEATS_MISSED_MAX;
            if self.heard.elapsed() >= patience {
                return Poll::Ready(Pulled::Broken("no heartbeat"));
            }
            self.watchdog.as_mut().reset(self.heard + patience);
        }
        Poll::Pending
    }

    /// A message, a sign of life, or the reason to start over.
    fn take(&mut self, message: Message) -> Result<Option<TailItem>, &'static str> {
        match message.status {
            None | Some(StatusCode::OK) => self.deliver(message).map(Some),
            Some(StatusCode::IDLE_HEARTBEAT) => {
                let delivered = header_number(&message, "Nats-Last-Consumer");
                if delivered.is_some_and(|delivered| delivered > self.consumer_seq) {
                    return Err("a delivery was lost");
                }
                Ok(None)
            }
            Some(StatusCode::TIMEOUT) => {
                // A request expired; the header says how much of it was never sent.
                let unsent =
                    header_number(&message, "Nats-Pending-Messages").ok_or("an expiry without a count")?;
                self.outstanding =
                    self.outstanding.saturating_sub(usize::try_from(unsent).unwrap_or(usize::MAX));
                Ok(None)
            }
            Some(_) => Err("the server ended the consumer"),
        }
    }

    fn deliver(&mut self, message: Message) -> Result<TailItem, &'static str> {
        let delivery = message.reply.as_deref().and_then(delivery).ok_or("a message that is no delivery")?;
        // The consumer's own count has no holes, whatever was deleted from the stream: a hole is a loss on the way.
        if delivery.consumer_seq != self.consumer_seq + 1 {
            return Err("a hole between deliveries");
        }
        self.consumer_seq = delivery.consumer_seq;
        self.outstanding = self.outstanding.saturating_sub(1);
        Ok(TailItem {
            seq: delivery.stream_seq,
            subject: message.subject.into_string(),
            payload: message.payload,
            published_at_ms: delivery.published_at_ms,
            pending: delivery.pending,
            headers: message.headers,
        })
    }
}

/// A store may have begun under another name of the cell.
fn within_cell(subject: &str) -> &str {
    let rest = subject.strip_prefix("wb.").and_then(|rest| rest.split_once('.'));
    rest.map_or(subject, |(_, rest)| rest)
}

fn header_number(message: &Message, name: &str) -> Option<u64> {
    message.headers.as_ref()?.get(name)?.as_str().parse().ok()
}
