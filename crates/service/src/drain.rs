//! How a process ends: one signal stops everything, tasks get their time, and what did not end is named.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;

/// The exit code after a second signal: 128 and SIGINT, as a shell says it.
const INTERRUPTED: i32 = 130;

/// A process's tasks and the word to end; clones are the same.
#[derive(Clone, Debug)]
pub struct Drain {
    token: CancellationToken,
    tracker: TaskTracker,
    health: Health,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Debug, Default)]
struct Tasks {
    next: u64,
    running: BTreeMap<u64, String>,
}

impl Drain {
    /// Nothing runs and nothing is to end.
    pub fn new(health: Health) -> Self {
        let (token, tracker) = (CancellationToken::new(), TaskTracker::new());
        Self { token, tracker, health, tasks: Arc::default() }
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
                Ok(Err(error)) => {
                    tracing::error!(task = name, error = format!("{error:#}"), "task ended with an error");
                    drain.health.fail(name, "ended with an error");
                }
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
