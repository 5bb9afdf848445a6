//! chromedriver: one process for a test; with this value it and its browsers end.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::eventually;

use crate::browser::{Browser, WebDriver};
use crate::line::Line;

const STARTED_WITHIN: Duration = Duration::from_secs(30);
const ENDED_WITHIN: Duration = Duration::from_secs(5);
const INSTALL: &str =
    "install Debian's packages chromium and chromium-driver, or run tests/run, which does it";
/// Nothing but the pages under test, and the same pictures every time.
const SWITCHES: [&str; 12] = [
    "--headless=new",
    // The tests may run as root, where chromium has no sandbox of its own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
];

/// A running chromedriver.
///
/// It stays in the test's process group, so that a runner which ends a test that hangs ends the browsers with it.
pub(crate) struct Driver {
    child: Child,
    port: u16,
    chromium: PathBuf,
    folder: TempDir,
    browsers: Vec<u32>,
}

/// An executable on PATH; without it there is nothing to test.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not on PATH: {INSTALL}"))
}

impl Driver {
    /// Starts it on a port of its own choice.
    pub(crate) async fn start() -> Self {
        let (driver, chromium) = (installed("chromedriver"), installed("chromium"));
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("chromedriver.out");
        let file = File::create(&output).unwrap();
        let child = Command::new(driver)
            .arg("--port=0")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut driver = Self { child, port: 0, chromium, folder, browsers: Vec::new() };
        let what = format!("chromedriver started, see {}", output.display());
        driver.port = eventually(&what, STARTED_WITHIN, || async { port_in(&output) }).await;
        driver
    }

    /// Opens a browser with a profile and a line of its own: another person at another machine.
    pub(crate) async fn open(&mut self, name: &'static str, url: &str) -> Browser {
        self.open_with(name, url, json!({}), json!({ "browser": "ALL" })).await
    }

    /// As [`Driver::open`], and the browser records its own tasks from its start.
    pub(crate) async fn open_traced(&mut self, name: &'static str, url: &str) -> Browser {
        // Every task of every thread with how long it took.
        let traced = json!({ "perfLoggingPrefs": {
            "traceCategories": "disabled-by-default-devtools.timeline,devtools.timeline,toplevel",
            "enableNetwork": false,
            "enablePage": false,
        } });
        self.open_with(name, url, traced, json!({ "browser": "ALL", "performance": "ALL" })).await
    }

    async fn open_with(&mut self, name: &'static str, url: &str, more: Value, logs: Value) -> Browser {
        let line = Line::to(url).await;
        let profile = self.folder.path().join(name);
        let mut switches: Vec<String> = SWITCHES.map(str::to_owned).to_vec();
        switches.push(format!("--user-data-dir={}", profile.display()));
        switches.push(line.switch());
        let mut options = json!({
            "binary": self.chromium,
            "args": switches,
            "prefs": { "intl.accept_languages": "en-GB,en" },
        });
        if let (Some(options), Value::Object(more)) = (options.as_object_mut(), more) {
            options.extend(more);
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": logs,
            "goog:chromeOptions": options,
            // An alert is a fault that the next call reports.
            "unhandledPromptBehavior": "ignore",
        } } });
        let driver = WebDriver::at(format!("http://127.0.0.1:{}/session", self.port));
        let made = driver.ask("", Some(&wanted)).await.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        if let Some(id) = made["capabilities"]["goog:processID"].as_u64() {
            self.browsers.push(u32::try_from(id).unwrap());
        }
        let id = made["sessionId"].as_str().unwrap();
        Browser::new(name, line, WebDriver::at(format!("http://127.0.0.1:{}/session/{id}", self.port)))
    }

    /// Asks it to close its browsers and end.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(ENDED_WITHIN))?;
        write!(stream, "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read_exact(&mut [0]).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let asked = self.shut_down();
        let end = Instant::now() + ENDED_WITHIN;
        while asked.is_ok() && Instant::now() < end {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for id in &self.browsers {
            // One that has ended already is what is wanted.
            drop(Command::new("kill").arg("-KILL").arg(id.to_string()).stderr(Stdio::null()).status());
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn port_in(output: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(output).ok()?;
    let (_, after) = text.split_once("started successfully on port ")?;
    after.split('.').next()?.parse().ok()
}

/// The value of an answer, or why there is none.
pub(crate) type Answer = Result<Value, Refusal>;

/// Why chromedriver did not do it.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The protocol's word for it, as in `stale element reference`.
    pub(crate) error: String,
    /// What exactly.
    pub(crate) message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.message.lines().next().unwrap_or_default())
    }
}
