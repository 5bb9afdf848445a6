//! A process of the product: killed by its own id, and by nothing else.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A child process with its output in a file; it ends with this value.
pub struct Process {
    child: Child,
    /// Where its output goes.
    pub output: PathBuf,
}

/// The executable under test.
#[must_use]
pub fn winterband() -> PathBuf {
    if let Some(named) = std::env::var_os("WINTERBAND_BIN") {
        return named.into();
    }
    let beside = std::env::current_exe().unwrap();
    // target/debug/deps/test-binary -> target/debug/winterband
    let found = beside.parent().unwrap().parent().unwrap().join("winterband");
    assert!(found.exists(), "build it first: cargo build -p winterband ({} is missing)", found.display());
    found
}

/// Runs a command of the executable to its end; gives exit code, standard output and standard error.
pub async fn to_its_end(
    args: &[&str],
    variables: &[(String, String)],
    folder: &Path,
) -> (i32, String, String) {
    let mut command = Command::new(winterband());
    command.args(args).envs(variables.iter().map(|(name, value)| (name, value))).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Sends a signal by its name, as in `kill -STOP`, to a process that this test started.
pub fn signal(name: &str, id: u32) {
    let id = id.to_string();
    let status = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
    assert!(status.success(), "kill -{name} {id}");
}

impl Process {
    /// Starts the executable with arguments and variables, its output in `output`.
    #[must_use]
    pub fn start(args: &[&str], variables: &[(String, String)], folder: &Path, output: &Path) -> Self {
        let file = File::options().create(true).append(true).open(output).unwrap();
        let child = Command::new(winterband())
            .args(args)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, output: output.to_owned() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub fn kill(&mut self) {
        // An error means that it has ended already, which is what is wanted.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name, as in `kill -TERM`.
    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < end,
                "{} did not end within {within:?}\n{}",
                self.child.id(),
                self.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
