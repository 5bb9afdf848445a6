//! How a process ends: one signal stops everything, tasks get their time, and what did not end is named.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;

/// How long a process that must not go on still tells why by its readiness, before it ends.
const TELLS_WHY_FOR: Duration = Duration::from_secs(2);

/// Whether an error of a task ends the whole process, and the sentence that says so.
pub type EndsAll = fn(&anyhow::Error) -> Option<String>;

/// The exit code after a second signal: 128 and SIGINT, as a shell says it.
const INTERRUPTED: i32 = 130;

/// A process's tasks and the word to end; clones are the same.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
    tracker: TaskTracker,
    health: Health,
    tasks: Arc<Mutex<Tasks>>,
    ends_all: Option<EndsAll>,
}

#[derive(Debug, Default)]
struct Tasks {
    next: u64,
    running: BTreeMap<u64, String>,
    /// Why the process must not go on.
    why: Option<String>,
}

impl Drain {
    /// Nothing runs and nothing is to end.
    pub fn new(health: Health) -> Self {
        let (token, tracker) = (CancellationToken::new(), TaskTracker::new());
        Self { token, tracker, health, tasks: Arc::default(), ends_all: None }
    }

    /// The same, with errors that end the whole process.
    #[must_use]
    pub fn ending_all_by(self, ends_all: EndsAll) -> Self {
        Self { ends_all: Some(ends_all), ..self }
    }

    /// Why the process ends, if a task of it must not go on and nothing else may either.
    pub fn why(&self) -> Option<String> {
        self.lock().why.clone()
    }

    /// What a task's error means: that alone readiness is red, or that the process ends.
    async fn failed(&self, name: String, error: &anyhow::Error) {
        tracing::error!(task = name, error = format!("{error:#}"), "task ended with an error");
        let Some(why) = self.ends_all.and_then(|ends_all| ends_all(error)) else {
            self.health.fail(name, "ended with an error");
            return;
        };
        self.health.fail(name, why.clone());
        self.lock().why.get_or_insert(why);
        // Whoever looks at readiness sees why, and what restarts it does so no more often than this.
        tokio::time::sleep(TELLS_WHY_FOR).await;
        self.start();
    }

    /// The token that is cancelled when the process is to end; tasks wait on it.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// A token that is cancelled with the process's, and that can be cancelled alone.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Tells every task to end.
    pub fn start(&self) {
        self.token.cancel();
    }

    /// Ends when the process is told to end.
    pub async fn started(&self) {
        self.token.cancelled().await;
    }

    /// Runs a task under a name. One that ends with an error or panics is logged and turns readiness red.
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        let id = {
            let mut tasks = self.lock();
            let id = tasks.next;
            tasks.next += 1;
            tasks.running.insert(id, name.clone());
            id
        };
        // A task of its own, so that a panic comes back as a value.
        let inner = tokio::spawn(task);
        let drain = self.clone();
        self.tracker.spawn(async move {
            match inner.await {
                Ok(Ok(())) => tracing::debug!(task = name, "task ended"),
                Ok(Err(error)) => drain.failed(name, &error).await,
                // The message went to standard error by the panic hook.
                Err(error) => {
                    tracing::error!(task = name, panicked = error.is_panic(), "task broke");
                    drain.health.fail(name, "broke");
                }
            }
            drain.lock().running.remove(&id);
        });
    }

    /// Starts the drain on SIGINT or SIGTERM; a second one ends the process at once, with exit code 130.
    ///
    /// # Errors
    /// When the signals cannot be listened to; the process does not start then.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        tokio::spawn(listen(self.token(), interrupt, terminate));
        Ok(())
    }

    /// Starts the drain if nobody did and waits for the tasks; gives the names of those that did not end in time.
    pub async fn finish(&self, deadline: Duration) -> Vec<String> {
        self.start();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        let late: Vec<String> = self.lock().running.values().cloned().collect();
        if !late.is_empty() {
            tracing::warn!(tasks = late.join(", "), "tasks did not end in time and are left");
        }
        late
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(token: CancellationToken, mut interrupt: Signal, mut terminate: Signal) {
    let first = either(&mut interrupt, &mut terminate).await;
    tracing::info!(signal = first, "draining; the same again ends at once");
    token.cancel();
    let second = either(&mut interrupt, &mut terminate).await;
    tracing::warn!(signal = second, "ending at once");
    std::process::exit(INTERRUPTED);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn drain() -> (Drain, Health) {
        let health = Health::new(Clock::system(), Duration::from_secs(10));
        health.bus_up();
        (Drain::new(health.clone()), health)
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_ends_all_is_told_and_then_ends_the_process() {
        let (drain, health) = drain();
        let drain = drain
            .ending_all_by(|error| error.downcast_ref::<std::fmt::Error>().map(|_| "it is later".into()));
        drain.spawn("other", async { anyhow::bail!("an error of its own") });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!((drain.why(), drain.token().is_cancelled()), (None, false));
        drain.spawn("log", async { Err(anyhow::Error::from(std::fmt::Error).context("read the log")) });
        while drain.why().is_none() {
            tokio::task::yield_now().await;
        }
        assert!(!drain.token().is_cancelled(), "readiness tells first");
        assert!(health.report().reasons.contains(&"log: it is later".to_owned()));
        drain.started().await;
        assert_eq!(drain.finish(Duration::from_secs(1)).await, Vec::<String>::new());
        assert_eq!(drain.why().as_deref(), Some("it is later"));
    }

    #[tokio::test]
    async fn tasks_end_when_told() {
        let (drain, health) = drain();
        let (token, child) = (drain.token(), drain.child_token());
        drain.spawn("a", async move {
            token.cancelled().await;
            Ok(())
        });
        drain.spawn("b", async move {
            child.cancelled().await;
            Ok(())
        });
        assert_eq!(drain.finish(Duration::from_secs(10)).await, Vec::<String>::new());
        assert!(health.report().ready);
    }

    #[tokio::test]
    async fn a_task_that_stays_is_named() {
        let (drain, _health) = drain();
        drain.spawn("stuck", std::future::pending());
        drain.spawn("done", async { Ok(()) });
        while drain.lock().running.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(drain.finish(Duration::ZERO).await, ["stuck"]);
    }

    #[tokio::test]
    async fn an_error_and_a_panic_turn_readiness_red() {
        let (drain, health) = drain();
        drain.spawn("desk", async { anyhow::bail!("the port is taken") });
        drain.spawn("views", async { panic!("a fault of ours") });
        assert_eq!(drain.finish(Duration::from_secs(10)).await, Vec::<String>::new());
        assert_eq!(health.report().reasons, ["desk: ended with an error", "views: broke"]);
    }
}
