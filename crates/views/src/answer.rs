//! Questions over the bus: several at once, each on a connection of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Request, Requests};
use protocol::views::HistoryQuestion;
use rusqlite::Connection;
use service::HealthHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::history::history;
use crate::store::{StoreError, connect_reader};

/// Questions answered at once; further ones wait their turn, and those who ask have a deadline.
const ANSWERS_AT_ONCE_MAX: usize = 4;
/// How often the loop shows that it lives while nobody asks.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// The connections that read.
#[derive(Clone)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default() }
    }

    /// The answer as bytes. Blocks.
    fn answer(&self, question: &HistoryQuestion) -> Result<Vec<u8>, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| connect_reader(&self.path), Ok)?;
        // A connection that failed is not put back.
        let answer = history(&mut connection, question)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        serde_json::to_vec(&answer).map_err(|error| StoreError::Row(error.to_string()))
    }
}

/// Answers until told to end; what is being answered then is finished.
pub(crate) async fn run(
    health: HealthHandle,
    mut requests: Requests,
    readers: Readers,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
            Some(_) = answers.join_next(), if !answers.is_empty() => {}
            request = requests.next(), if answers.len() < ANSWERS_AT_ONCE_MAX => {
                let request = request.context("failed to hear questions: the connection is closed")?;
                answers.spawn(answer(request, readers.clone()));
            }
        }
    }
    answers.join_all().await;
    health.retire();
    Ok(())
}

/// Answers one question; one that fails gets no answer, and its asker goes on without.
async fn answer(request: Request, readers: Readers) {
    let question: HistoryQuestion = match serde_json::from_slice(&request.payload) {
        Ok(question) => question,
        Err(error) => {
            tracing::warn!(
                line = error.line(),
                column = error.column(),
                "a question about history does not read"
            );
            return;
        }
    };
    let answer = tokio::task::spawn_blocking(move || readers.answer(&question)).await;
    let sent = match answer {
        Ok(Ok(bytes)) => request.respond(bytes.into()).await.map_err(anyhow::Error::from),
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = sent {
        tracing::warn!(error = format!("{error:#}"), "failed to answer a question about history");
    }
}
