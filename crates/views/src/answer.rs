//! Questions over the bus: several at once, each on a connection of its own.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Request, Requests};
use protocol::Millis;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::{Clock, HealthHandle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::store::{StoreError, connect_reader};

/// Questions answered at once; further ones wait their turn, and those who ask have a deadline.
const ANSWERS_AT_ONCE_MAX: usize = 4;
/// How often the loop shows that it lives while nobody asks.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// A kind of question and how the rows answer it.
pub(crate) trait Asked: Send + 'static {
    /// What is asked.
    type Question: DeserializeOwned + Send + 'static;
    /// What is answered.
    type Answer: Serialize;
    /// For logs and health.
    const ABOUT: &'static str;

    /// Reads the rows. Blocks.
    ///
    /// # Errors
    /// When the database refuses; nothing is answered then.
    fn answer(
        connection: &mut Connection,
        question: &Self::Question,
        now: Millis,
    ) -> Result<Self::Answer, StoreError>;
}

/// The connections that read.
pub(crate) struct Readers<A> {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    clock: Clock,
    asked: PhantomData<fn() -> A>,
}

impl<A> Clone for Readers<A> {
    fn clone(&self) -> Self {
        let Self { path, idle, clock, asked } = self;
        Self { path: path.clone(), idle: Arc::clone(idle), clock: clock.clone(), asked: *asked }
    }
}

impl<A: Asked> Readers<A> {
    pub(crate) fn new(path: PathBuf, clock: Clock) -> Self {
        Self { path, idle: Arc::default(), clock, asked: PhantomData }
    }

    /// The answer as bytes. Blocks.
    fn answer(&self, question: &A::Question) -> Result<Vec<u8>, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| connect_reader(&self.path), Ok)?;
        // A connection that failed is not put back.
        let answer = A::answer(&mut connection, question, Millis(self.clock.unix_ms()))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        serde_json::to_vec(&answer).map_err(|error| StoreError::Row(error.to_string()))
    }
}

/// Answers until told to end; what is being answered then is finished.
pub(crate) async fn run<A: Asked>(
    health: HealthHandle,
    mut requests: Requests,
    readers: Readers<A>,
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
async fn answer<A: Asked>(request: Request, readers: Readers<A>) {
    let question: A::Question = match serde_json::from_slice(&request.payload) {
        Ok(question) => question,
        Err(error) => {
            tracing::warn!(
                about = A::ABOUT,
                line = error.line(),
                column = error.column(),
                "a question does not read"
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
        tracing::warn!(about = A::ABOUT, error = format!("{error:#}"), "failed to answer a question");
    }
}
