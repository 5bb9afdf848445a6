//! The product as a person runs it: `winterband up`, one process with everything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{Bus, SupervisedServer};
use tempfile::TempDir;

use crate::eventually;
use crate::process::{self, Process};
use crate::product::free_port;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// `winterband up` on a data folder of its own.
pub struct Up {
    folder: TempDir,
    port: u16,
    /// Settings of this one.
    more: Vec<(String, String)>,
    /// The running process.
    pub process: Process,
}

impl Up {
    /// Starts it on a fresh folder and waits until it is ready.
    pub async fn started() -> Self {
        Self::started_with(Vec::new()).await
    }

    /// Starts it with some more settings, as environment variables.
    pub async fn started_with(more: Vec<(String, String)>) -> Self {
        Self::started_in(tempfile::tempdir().unwrap(), more).await
    }

    /// Starts it in a folder in which a test has prepared something.
    pub async fn started_in(folder: TempDir, more: Vec<(String, String)>) -> Self {
        let port = free_port();
        let process = start(folder.path(), port, &more);
        let up = Self { folder, port, more, process };
        up.ready().await;
        up
    }

    /// Runs a command in a folder in which nothing runs, as [`Up::command`].
    pub async fn command_in(folder: &Path, args: &[&str]) -> (i32, String, String) {
        process::to_its_end(args, &variables(folder, free_port(), &[]), folder).await
    }

    /// Starts it again where it was; the former process has ended.
    pub async fn again(&mut self) {
        self.process = start(self.folder.path(), self.port, &self.more);
        self.ready().await;
    }

    async fn ready(&self) {
        let url = format!("{}/health/ready", self.url());
        let what = format!("`winterband up` is ready, see {}", self.process.output.display());
        eventually(&what, READY_WITHIN, || async {
            reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder that goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The administrator's API key.
    #[must_use]
    pub fn admin_key(&self) -> String {
        std::fs::read_to_string(self.data().join("secrets/admin.key")).unwrap().trim().to_owned()
    }

    /// A connection of the test's own to its server.
    pub async fn bus(&self) -> Bus {
        let settings = SupervisedServer::settings_in(&self.data().join("nats")).unwrap();
        Bus::connect(&settings.named("test")).await.unwrap()
    }

    /// Runs a command of the executable to its end; gives exit code, standard output and standard error.
    pub async fn command(&self, args: &[&str]) -> (i32, String, String) {
        process::to_its_end(args, &self.variables(), self.folder.path()).await
    }

    /// Starts a command of the executable that goes on beside the test.
    #[must_use]
    pub fn beside(&self, name: &str, args: &[&str]) -> Process {
        let output = self.folder.path().join(format!("{name}.out"));
        Process::start(args, &self.variables(), self.folder.path(), &output)
    }

    fn variables(&self) -> Vec<(String, String)> {
        variables(self.folder.path(), self.port, &self.more)
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn start(folder: &Path, port: u16, more: &[(String, String)]) -> Process {
    Process::start(&["up"], &variables(folder, port, more), folder, &folder.join("up.out"))
}

fn variables(folder: &Path, port: u16, more: &[(String, String)]) -> Vec<(String, String)> {
    let mut all = vec![
        ("WINTERBAND_DATA__FOLDER".to_owned(), folder.join("data").display().to_string()),
        ("WINTERBAND_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("WINTERBAND_HTTP__PUBLIC_URL".to_owned(), url(port)),
        ("WINTERBAND_LOG__LEVEL".to_owned(), "info".to_owned()),
    ];
    all.extend_from_slice(more);
    all
}
