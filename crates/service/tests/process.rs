//! What only a process of its own shows: crash windows and signals. The tests start this very file again as a child.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use service::{Clock, Drain, Health, failpoint};

/// Says to a child's test that it is the child.
const ROLE: &str = "SERVICE_TEST_CHILD";
const WINDOW: &str = "test.window";
const SIGABRT: i32 = 6;

fn is_child() -> bool {
    std::env::var_os(ROLE).is_some()
}

fn child(test: &str, failpoints: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "1").env_remove(failpoint::VARIABLE);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(failpoints) = failpoints {
        command.env(failpoint::VARIABLE, failpoints);
    }
    command
}

/// How often the child said "went on", and how it ended.
fn passes(failpoints: Option<&str>) -> (usize, ExitStatus) {
    let output = child("windows_crash_at_their_count", failpoints).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.matches("went on").count(), output.status)
}

#[test]
fn windows_crash_at_their_count() {
    if is_child() {
        for _ in 0..5 {
            failpoint::hit("test.other");
            failpoint::hit(WINDOW);
            std::io::stdout().write_all(b"went on\n").unwrap();
        }
        return;
    }
    let (count, status) = passes(Some("test.other:100, test.window:3"));
    assert_eq!((count, status.signal()), (2, Some(SIGABRT)));
    let (count, status) = passes(Some("test.window"));
    assert_eq!((count, status.signal()), (0, Some(SIGABRT)));
    for harmless in [None, Some(""), Some("test.window:6"), Some("another:1"), Some("test.window:x")] {
        let (count, status) = passes(harmless);
        assert_eq!((count, status.success()), (5, true), "{harmless:?}");
    }
}

fn send(signal: &str, to: &Child) {
    assert!(Command::new("kill").args([signal, &to.id().to_string()]).status().unwrap().success());
}

/// Starts the child below and waits until it says the word.
fn started() -> (Child, impl Iterator<Item = String>) {
    let mut child = child("a_signal_drains_and_a_second_one_ends", None).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("listening")));
    (child, lines)
}

#[test]
fn a_signal_drains_and_a_second_one_ends() {
    if is_child() {
        tokio::runtime::Runtime::new().unwrap().block_on(drain_in_child());
        return;
    }
    for signal in ["-TERM", "-INT"] {
        let (mut child, mut lines) = started();
        send(signal, &child);
        assert!(lines.any(|line| line.contains("draining")));
        send("-USR1", &child);
        assert!(lines.any(|line| line.contains("drained")));
        assert!(child.wait().unwrap().success(), "{signal}");
    }
    let (mut child, mut lines) = started();
    send("-TERM", &child);
    assert!(lines.any(|line| line.contains("draining")));
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Drains on a signal, with a task that ends at SIGUSR1.
async fn drain_in_child() {
    let mut user = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).unwrap();
    let drain = Drain::new(Health::new(Clock::system(), Duration::from_secs(10)));
    drain.listen_for_signals().unwrap();
    drain.spawn("slow", async move {
        user.recv().await;
        Ok(())
    });
    std::io::stdout().write_all(b"listening\n").unwrap();
    drain.started().await;
    std::io::stdout().write_all(b"draining\n").unwrap();
    let late = drain.finish(Duration::from_mins(1)).await;
    assert_eq!(late, Vec::<String>::new());
    std::io::stdout().write_all(b"drained\n").unwrap();
}
