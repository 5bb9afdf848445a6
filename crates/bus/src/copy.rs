//! A stream copied out of a server, whole and as of one moment, and put into another one.
//!
//! The server does both by itself (`$JS.API.STREAM.SNAPSHOT.*` and `.RESTORE.*`; the bytes between are its own): it
//! sends chunks, of which it wants each acknowledged, and ends with an empty one; put back, it takes them one by one.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::connection::Bus;

/// Bytes of a chunk: as the server's own tools have it.
const CHUNK_BYTES: usize = 128 * 1024;
/// Longest wait for the next chunk, or for one to be taken. The server reads a large stream through before it begins.
const CHUNK_MAX: Duration = Duration::from_secs(60);

/// What stands beside the bytes of a copied stream: with it the server makes the stream anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCopy {
    /// The stream's description, as the server writes it.
    pub config: Value,
    /// Its sequences and counts, as the server writes them.
    pub state: Value,
}

impl StreamCopy {
    /// Messages that are in it.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.state.get("messages").and_then(Value::as_u64).unwrap_or(0)
    }

    /// The sequence of its newest message.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.state.get("last_seq").and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Why a stream was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The server refuses; fate: refuse.
    #[error("copy stream {name}: {reason}")]
    Refused {
        /// Which stream.
        name: String,
        /// What the server said.
        reason: String,
    },
    /// It did not answer, or stopped in the midst of it; fate: begin anew.
    #[error("copy stream {name}: {reason}")]
    CutShort {
        /// Which stream.
        name: String,
        /// What happened.
        reason: String,
    },
    /// The file could not be read or written; fate: refuse.
    #[error("copy stream {name}: {source}")]
    File {
        /// Which stream.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What the server answers to either request, as far as it is looked at.
#[derive(Deserialize)]
struct Answer {
    error: Option<Refusal>,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    state: Value,
    #[serde(default)]
    deliver_subject: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

fn cut_short(name: &str, reason: impl std::fmt::Display) -> CopyError {
    CopyError::CutShort { name: name.to_owned(), reason: reason.to_string() }
}

/// A copy that was begun: it is of the moment at which it was.
pub struct StreamCopying {
    bus: Bus,
    name: String,
    copy: StreamCopy,
    chunks: async_nats::Subscriber,
    /// Connections made when it began: chunks that were on their way over an earlier one are gone.
    connections: u64,
}

impl StreamCopying {
    /// Writes the bytes, to the end.
    ///
    /// # Errors
    /// [`CopyError`]; what was written by then is of no use.
    pub async fn write(mut self, into: &mut (impl AsyncWrite + Unpin)) -> Result<StreamCopy, CopyError> {
        let name = self.name.as_str();
        let mut chunks = 0;
        loop {
            let chunk = match tokio::time::timeout(CHUNK_MAX, self.chunks.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Err(cut_short(name, "the connection ended")),
                Err(late) => return Err(cut_short(name, late)),
            };
            if *self.bus.connections.borrow() != self.connections {
                return Err(cut_short(name, "the connection was lost meanwhile"));
            }
            if chunk.payload.is_empty() {
                // The last one may say that it was not the end: a status other than 204.
                if let Some(status) = chunk.status.filter(|status| status.as_u16() >= 300) {
                    let words =
                        chunk.description.map_or_else(|| status.to_string(), |words| words.to_string());
                    return Err(cut_short(name, words));
                }
                return Ok(self.copy);
            }
            chunks += 1;
            // The server goes on within its window though a chunk is lost, and calls that a whole copy. Only its last one, which is
            // shorter, is not to be acknowledged.
            let is_in_turn = match chunk.reply.as_deref() {
                Some(reply) => place_of(reply) == Some((chunk.payload.len(), chunks)),
                None => chunk.payload.len() < CHUNK_BYTES,
            };
            if !is_in_turn {
                return Err(cut_short(name, format!("chunk {chunks} did not come")));
            }
            into.write_all(&chunk.payload)
                .await
                .map_err(|source| CopyError::File { name: name.to_owned(), source })?;
            if let Some(reply) = chunk.reply {
                let taken = self.bus.client.publish(reply, Bytes::new()).await;
                taken.map_err(|error| cut_short(name, error))?;
            }
        }
    }
}

/// A chunk's size and its number from 1: the subject by which it is acknowledged ends in them.
fn place_of(reply: &str) -> Option<(usize, usize)> {
    let mut parts = reply.rsplit('.');
    let number = parts.next()?.parse().ok()?;
    Some((parts.next()?.parse().ok()?, number))
}

impl Bus {
    /// Begins to copy a stream as it is now; `None` if there is no such stream. Consumers are not in it.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn copy_stream_out(&self, name: &str) -> Result<Option<StreamCopying>, CopyError> {
        let inbox = self.client.new_inbox();
        let connections = *self.connections.borrow();
        let chunks = self.client.subscribe(inbox.clone()).await.map_err(|error| cut_short(name, error))?;
        let question = json!({ "deliver_subject": inbox, "no_consumers": true, "chunk_size": CHUNK_BYTES });
        let answer = self.ask(name, &format!("$JS.API.STREAM.SNAPSHOT.{name}"), &question).await?;
        if let Some(Refusal { err_code, description }) = answer.error {
            if err_code == ErrorCode::STREAM_NOT_FOUND.0 {
                return Ok(None);
            }
            return Err(CopyError::Refused { name: name.to_owned(), reason: description });
        }
        let copy = StreamCopy { config: answer.config, state: answer.state };
        Ok(Some(StreamCopying { bus: self.clone(), name: name.to_owned(), copy, chunks, connections }))
    }

    /// Makes a stream of the bytes that [`Bus::copy_stream_out`] wrote. There must be none of its name.
    ///
    /// # Errors
    /// [`CopyError`]; then there is no such stream, or none that is whole: nothing may be started on it.
    pub async fn copy_stream_in(
        &self,
        name: &str,
        copy: &StreamCopy,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), CopyError> {
        let question = json!({ "config": copy.config, "state": copy.state });
        let answer = self.ask(name, &format!("$JS.API.STREAM.RESTORE.{name}"), &question).await?;
        if let Some(Refusal { description, .. }) = answer.error {
            return Err(CopyError::Refused { name: name.to_owned(), reason: description });
        }
        loop {
            let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
            while chunk.len() < CHUNK_BYTES {
                let read = from.read_buf(&mut chunk).await;
                if read.map_err(|source| CopyError::File { name: name.to_owned(), source })? == 0 {
                    break;
                }
            }
            let is_last = chunk.is_empty();
            let taken = self.send(name, &answer.deliver_subject, chunk.freeze()).await?;
            if let Ok(Answer { error: Some(Refusal { description, .. }), .. }) =
                serde_json::from_slice(&taken)
            {
                return Err(CopyError::Refused { name: name.to_owned(), reason: description });
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn ask(&self, name: &str, subject: &str, question: &Value) -> Result<Answer, CopyError> {
        let answer = self.send(name, subject, question.to_string().into()).await?;
        serde_json::from_slice(&answer).map_err(|error| cut_short(name, error))
    }

    async fn send(&self, name: &str, subject: &str, payload: Bytes) -> Result<Bytes, CopyError> {
        let request = async_nats::Request::new().payload(payload).timeout(Some(CHUNK_MAX));
        let answer = self.client.send_request(subject.to_owned(), request).await;
        answer.map(|message| message.payload).map_err(|error| cut_short(name, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_its_size_and_its_number() {
        assert_eq!(place_of("$JS.SNAPSHOT.ACK.LOG.abc.131072.7"), Some((131_072, 7)));
        assert_eq!([place_of("$JS.SNAPSHOT"), place_of(""), place_of("a.b")], [None; 3]);
    }
}
