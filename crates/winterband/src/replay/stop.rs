//! The wish to end: Ctrl-C, or SIGTERM from whoever started us.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, listened to from the moment this is made.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    /// Ends when somebody wants us to end.
    pub(crate) async fn wished(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
