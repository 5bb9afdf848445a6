//! The tail: a stream read in order, without loss or doubles, through deaths of the server.
//!
//! The client library's ordered consumer needs some 16 s to recover after the server was killed; this one
//! recreates its consumer at the sequence after the last one delivered, on any error, hole or silence.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageError};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::{Subject, formats, streams};
use tokio::time::{Instant, Sleep};
use traces::{TRACEPARENT, TRACESTATE, TraceContext};

use crate::connection::Bus;
use crate::deadline::Deadline;
use crate::streams::{StreamError, unavailable};
use crate::tail_pull::{Opened, Pull, Pulled, Start, open_pull};

/// Most messages that may be asked of the server at once.
pub const BATCH_MAX: usize = 4096;
const BATCH_DEFAULT: usize = 512;
const HEARTBEAT_DEFAULT: Duration = Duration::from_millis(500);
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);
const REOPEN_PAUSE_FIRST: Duration = Duration::from_millis(10);
const REOPEN_PAUSE_MAX: Duration = Duration::from_millis(250);
/// For how long a stream may be missing while a server recovers.
const STREAM_MISSING_MAX: Duration = Duration::from_secs(30);
/// After what time a range looks whether there still is something to come.
const NOTHING_CAME: Duration = Duration::from_millis(250);

/// The streams in which whatever we write has a format; others hold what integrations wrote.
const LOGS: [&str; 5] =
    [streams::INBOUND, streams::CONTACTS, streams::REMEDIES, streams::DELIVERIES, streams::ERASURES];

/// How to tail.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Messages asked of the server at once, 1 to [`BATCH_MAX`].
    pub batch: usize,
    /// How often the server says that it is there; three silent ones and the tail starts over. At least 100 ms.
    pub heartbeat: Duration,
    /// Only these subjects or patterns; empty: all.
    pub filter: Vec<Subject>,
}

impl Default for TailOptions {
    fn default() -> Self {
        Self { batch: BATCH_DEFAULT, heartbeat: HEARTBEAT_DEFAULT, filter: Vec::new() }
    }
}

/// One stored message.
#[derive(Clone, Debug)]
pub struct TailItem {
    /// Its sequence in the stream; later items have higher ones, deleted messages leave holes.
    pub seq: u64,
    /// The subject it was stored under.
    pub subject: String,
    /// Its bytes.
    pub payload: Bytes,
    /// When the server stored it, ms since the epoch.
    pub published_at_ms: u64,
    /// How many stored messages were behind it when it was delivered: the lag.
    pub pending: u64,
    pub(crate) headers: Option<HeaderMap>,
}

impl TailItem {
    /// The id it was published with: how a writer finds out whether a lost acknowledgement was its own.
    #[must_use]
    pub fn msg_id(&self) -> Option<&str> {
        self.header("Nats-Msg-Id")
    }

    /// Whether anything of traces stands beside it, be it readable or not.
    #[must_use]
    pub fn has_trace_headers(&self) -> bool {
        [TRACEPARENT, TRACESTATE].iter().any(|name| self.header(name).is_some())
    }

    /// The place in a trace below which what is done with it hangs, if its writer noted one.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::read(self.header(TRACEPARENT), self.header(TRACESTATE))
    }

    pub(crate) fn from_raw(message: StreamMessage) -> Self {
        Self {
            seq: message.sequence,
            subject: message.subject.into_string(),
            payload: message.payload,
            published_at_ms: u64::try_from(message.time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
            pending: 0,
            headers: Some(message.headers),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name).map(|value| value.as_str())
    }
}

/// Why a tail cannot go on. Deaths of the server and of the connection are not among them: those it waits out.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// There is no such stream, for half a minute; fate: refuse.
    #[error("tail {0}: no such stream")]
    NotFound(String),
    /// The stream ends before what was read of it: it lost messages or is another one; fate: a person must look.
    #[error("tail {stream}: it ends at {last_seq}, before {expected}, which was read before")]
    WentBack {
        /// Which stream.
        stream: String,
        /// Where it ends.
        last_seq: u64,
        /// Where the reader has come to.
        expected: u64,
    },
    /// The server refuses the consumer (a malformed filter, no permission); fate: refuse.
    #[error("tail {stream}: {reason}")]
    Refused {
        /// Which stream.
        stream: String,
        /// What the server said.
        reason: String,
    },
    /// The connection was drained.
    #[error("tail {0}: the connection is closed")]
    Closed(String),
}

enum State {
    Opening(BoxFuture<'static, Result<Opened, StartFailed>>),
    Pulling(Box<Pull>),
    Pausing(Pin<Box<Sleep>>),
}

/// Why opening failed, and whether to try again.
pub(crate) enum StartFailed {
    /// Server or connection away.
    Away(String),
    /// The stream is not there (yet).
    Missing,
    /// For good.
    Permanent(TailError),
}

/// A reader of one stream. Dropping it ends the consumer on the server within seconds.
pub struct Tail {
    bus: Bus,
    start: Start,
    /// It is one of those in which everything has a format.
    is_log: bool,
    state: State,
    pause: Duration,
    missing_since: Option<Instant>,
    reopened: u64,
    last_seq_at_open: u64,
    first_seq_at_open: u64,
    pending: u64,
}

impl Tail {
    /// Begins at `from_seq` (1 or 0: at the beginning; hwm + 1: after what was read).
    ///
    /// Waits until the server answers, at most ten seconds.
    ///
    /// # Errors
    /// [`TailError::WentBack`] if the stream ends before `from_seq - 1`, or the other kinds; `Refused` also when
    /// nobody answered, fate then: retry.
    pub async fn open(
        bus: &Bus,
        stream: &str,
        from_seq: u64,
        options: TailOptions,
    ) -> Result<Self, TailError> {
        let start = Start {
            stream: stream.to_owned(),
            next_seq: from_seq.max(1),
            batch: options.batch.clamp(1, BATCH_MAX),
            heartbeat: options.heartbeat.max(HEARTBEAT_MIN),
            filter: options.filter.iter().map(|subject| subject.as_str().to_owned()).collect(),
        };
        Self::open_start(bus, start, Deadline::after(Duration::from_secs(10))).await
    }

    pub(crate) async fn open_start(bus: &Bus, start: Start, deadline: Deadline) -> Result<Self, TailError> {
        let mut pause = REOPEN_PAUSE_FIRST;
        let opened = loop {
            match open_pull(bus.clone(), start.clone()).await {
                Ok(opened) => break opened,
                Err(StartFailed::Permanent(error)) => return Err(error),
                Err(StartFailed::Missing) => return Err(TailError::NotFound(start.stream)),
                Err(StartFailed::Away(reason)) if deadline.has_passed() => {
                    return Err(TailError::Refused { stream: start.stream, reason });
                }
                Err(StartFailed::Away(_)) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(REOPEN_PAUSE_MAX);
        };
        Ok(Self {
            bus: bus.clone(),
            is_log: LOGS.contains(&start.stream.as_str()),
            start,
            last_seq_at_open: opened.last_seq,
            first_seq_at_open: opened.first_seq,
            pending: opened.pending,
            state: State::Pulling(Box::new(opened.pull)),
            pause: REOPEN_PAUSE_FIRST,
            missing_since: None,
            reopened: 0,
        })
    }

    /// The next message. Waits out any absence of the server. Cancelling it loses nothing. What the server was made to store there under
    /// a subject of another stream is skipped.
    ///
    /// # Errors
    /// [`TailError`]; the tail is of no further use then.
    pub async fn next(&mut self) -> Result<TailItem, TailError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next message; see [`Tail::next`].
    ///
    /// # Errors
    /// As [`Tail::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<TailItem, TailError>> {
        loop {
            match &mut self.state {
                State::Pulling(pull) => match pull.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Pulled::Item(item)) => {
                        self.start.next_seq = item.seq + 1;
                        self.pending = item.pending;
                        self.pause = REOPEN_PAUSE_FIRST;
                        let format = formats::stands_in(&item.payload);
                        if self.is_log && format > formats::FIRST {
                            self.bus.floor.holds(format);
                        }
                        return Poll::Ready(Ok(item));
                    }
                    Poll::Ready(Pulled::Foreign { seq, pending }) => {
                        // As if it had been deleted: nobody who may write here wrote it.
                        tracing::error!(
                            stream = self.start.stream,
                            seq,
                            "a message of another stream is skipped"
                        );
                        self.start.next_seq = seq + 1;
                        self.pending = pending;
                    }
                    Poll::Ready(Pulled::Broken(reason)) => {
                        tracing::debug!(stream = self.start.stream, reason, "tail starts over");
                        self.reopened += 1;
                        self.state = self.opening();
                    }
                    Poll::Ready(Pulled::Closed) => {
                        return Poll::Ready(Err(TailError::Closed(self.start.stream.clone())));
                    }
                },
                State::Opening(opening) => match opening.poll_unpin(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(opened)) => {
                        self.missing_since = None;
                        self.pending = opened.pending;
                        self.state = State::Pulling(Box::new(opened.pull));
                    }
                    Poll::Ready(Err(failed)) => self.pause_after(failed)?,
                },
                State::Pausing(sleep) => match sleep.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => self.state = self.opening(),
                },
            }
        }
    }

    fn opening(&self) -> State {
        State::Opening(open_pull(self.bus.clone(), self.start.clone()).boxed())
    }

    fn pause_after(&mut self, failed: StartFailed) -> Result<(), TailError> {
        match failed {
            StartFailed::Permanent(error) => return Err(error),
            StartFailed::Missing => {
                let since = *self.missing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > STREAM_MISSING_MAX {
                    return Err(TailError::NotFound(self.start.stream.clone()));
                }
            }
            StartFailed::Away(reason) => {
                tracing::debug!(stream = self.start.stream, reason, "tail waits for the server");
            }
        }
        self.state = State::Pausing(Box::pin(tokio::time::sleep(self.pause)));
        self.pause = (self.pause * 2).min(REOPEN_PAUSE_MAX);
        Ok(())
    }

    /// The sequence from which it goes on: one past the last one delivered.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.start.next_seq
    }

    /// The stream's last sequence when the tail was opened: replay until there, then live.
    #[must_use]
    pub fn last_seq_at_open(&self) -> u64 {
        self.last_seq_at_open
    }

    /// The stream's first sequence when the tail was opened; above what was asked for when older messages are gone.
    #[must_use]
    pub fn first_seq_at_open(&self) -> u64 {
        self.first_seq_at_open
    }

    /// How many messages are behind the last one delivered, as far as known.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Whether all that was stored when the tail was opened has been delivered.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.pending == 0 || self.start.next_seq > self.last_seq_at_open
    }

    /// How often it had to start over since it was opened.
    #[must_use]
    pub fn reopened(&self) -> u64 {
        self.reopened
    }
}

impl Bus {
    /// One message by its sequence; `None` if it is not there (any more).
    ///
    /// # Errors
    /// [`StreamError`]; fate: retry.
    pub async fn read_one(&self, stream: &str, seq: u64) -> Result<Option<TailItem>, StreamError> {
        let handle = self.js.get_stream_no_info(stream).await.map_err(|error| unavailable(stream, &error))?;
        raw(stream, handle.get_raw_message(seq).await)
    }

    /// The newest message; `None` if the stream is empty.
    ///
    /// # Errors
    /// [`StreamError`]; fate: retry.
    pub async fn read_last(&self, stream: &str) -> Result<Option<TailItem>, StreamError> {
        let handle = self.js.get_stream_no_info(stream).await.map_err(|error| unavailable(stream, &error))?;
        raw(stream, handle.get_last_raw_message_by_subject(">").await)
    }

    /// The messages from `from_seq` to `to_seq`, both included, as far as they are stored now and at most `limit`.
    ///
    /// # Errors
    /// [`TailError`].
    pub async fn read_range(
        &self,
        stream: &str,
        from_seq: u64,
        to_seq: u64,
        limit: usize,
    ) -> Result<Vec<TailItem>, TailError> {
        let mut items = Vec::new();
        let mut tail = match Tail::open(self, stream, from_seq, TailOptions::default()).await {
            // Asked for what is yet to come: there is none of it.
            Err(TailError::WentBack { .. }) => return Ok(items),
            opened => opened?,
        };
        while items.len() < limit && tail.next_seq() <= to_seq && !tail.caught_up() {
            let Ok(next) = tokio::time::timeout(NOTHING_CAME, tail.next()).await else {
                // What the tail was told of may have been deleted since: then nothing comes.
                let newest = self.read_last(stream).await.map(|newest| newest.map_or(0, |item| item.seq));
                if newest.is_ok_and(|newest| newest < tail.next_seq()) {
                    break;
                }
                continue;
            };
            let item = next?;
            if item.seq > to_seq {
                break;
            }
            items.push(item);
        }
        Ok(items)
    }
}

fn raw(
    stream: &str,
    result: Result<StreamMessage, RawMessageError>,
) -> Result<Option<TailItem>, StreamError> {
    match result {
        Ok(message) => Ok(Some(TailItem::from_raw(message))),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unavailable(stream, &error)),
    }
}
