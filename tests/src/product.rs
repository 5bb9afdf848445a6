//! The product on one machine: a real nats-server and the roles as processes of their own.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{Bus, SupervisedServer};
use serde_json::Value;
use tempfile::TempDir;

use crate::eventually;
use crate::process::{self, Process};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(12);

/// A running product whose parts can be killed one by one.
pub struct Product {
    // In the order in which they end: nobody writes into a folder that is being deleted.
    parts: BTreeMap<String, Part>,
    /// The server; it comes back when it is killed.
    pub nats: SupervisedServer,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

struct Part {
    process: Option<Process>,
    roles: Vec<String>,
    port: u16,
    variables: Vec<(String, String)>,
}

/// A port below those that the system gives to outgoing connections: a part that was killed finds its own free again.
pub fn free_port() -> u16 {
    const FIRST: u64 = 12_000;
    const COUNT: u64 = 20_000;
    loop {
        let chance = RandomState::new().build_hasher().finish();
        let port = u16::try_from(FIRST + chance % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Product {
    /// A nats-server on a fresh data folder, and no role yet.
    pub async fn empty() -> Self {
        Self::empty_in(tempfile::tempdir().unwrap()).await
    }

    /// As [`Product::empty`], in a folder of the test's choice.
    pub async fn empty_in(folder: TempDir) -> Self {
        let nats = SupervisedServer::start(&folder.path().join("data/nats")).await.unwrap();
        Self { folder, nats, parts: BTreeMap::new(), settings: Vec::new() }
    }

    /// Routing, desk, and the rest as one process each.
    pub async fn started() -> Self {
        let mut product = Self::empty().await;
        product.start("routing", &["routing"]).await;
        product.start("desk", &["desk"]).await;
        product.start("rest", &["views", "chat", "api"]).await;
        product
    }

    /// A setting for every process started from here on, as in `("limits.text_max", "1KiB")`.
    pub fn set(&mut self, key: &str, value: &str) {
        let name = format!("WINTERBAND_{}", key.to_uppercase().replace('.', "__"));
        self.settings.push((name, value.to_owned()));
    }

    /// Starts some roles as one process under a name and waits until it is ready.
    pub async fn start(&mut self, name: &str, roles: &[&str]) {
        self.start_with(name, roles, &[]).await;
        self.ready(name).await;
    }

    /// Starts some roles with further variables, without waiting.
    pub async fn start_with(&mut self, name: &str, roles: &[&str], variables: &[(&str, &str)]) {
        let part = Part {
            process: None,
            roles: roles.iter().map(ToString::to_string).collect(),
            port: free_port(),
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        self.parts.insert(name.to_owned(), part);
        self.again(name);
        tokio::task::yield_now().await;
    }

    /// Starts a part again, on its port.
    pub fn again(&mut self, name: &str) {
        let folder = self.folder.path().to_owned();
        let common = self.variables();
        let part = self.parts.get_mut(name).unwrap();
        let mut variables = common;
        variables.push(("WINTERBAND_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{}", part.port)));
        variables.push(("WINTERBAND_HTTP__PUBLIC_URL".to_owned(), format!("http://127.0.0.1:{}", part.port)));
        variables.extend(part.variables.iter().cloned());
        let mut args = vec!["serve"];
        args.extend(part.roles.iter().map(String::as_str));
        let output = folder.join(format!("{name}.out"));
        part.process = Some(Process::start(&args, &variables, &folder, &output));
    }

    /// Takes away the variables that only this part had, such as a crash window.
    pub fn disarm(&mut self, name: &str) {
        self.parts.get_mut(name).unwrap().variables.clear();
    }

    /// Gives a part further variables for its next start.
    pub fn arm(&mut self, name: &str, variable: &str, value: &str) {
        self.parts.get_mut(name).unwrap().variables.push((variable.to_owned(), value.to_owned()));
    }

    /// The process of a part.
    pub fn process(&mut self, name: &str) -> &mut Process {
        self.parts.get_mut(name).unwrap().process.as_mut().unwrap()
    }

    /// What a part has printed so far, over all its starts.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.parts[name].process.as_ref().map(Process::text).unwrap_or_default()
    }

    /// Waits until a part says that it is ready.
    pub async fn ready(&mut self, name: &str) {
        let url = format!("{}/health/ready", self.url(name));
        let part = self.parts.get_mut(name).unwrap();
        let process = part.process.as_mut().unwrap();
        let what = format!("{name} is ready, see {}", process.output.display());
        let text = || std::fs::read_to_string(&process.output).unwrap_or_default();
        let ready = async {
            eventually(&what, READY_WITHIN, || async {
                reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success())
            })
            .await;
        };
        let waited = tokio::time::timeout(READY_WITHIN - Duration::from_secs(1), ready).await;
        assert!(waited.is_ok(), "{name} is not ready:\n{}", text());
    }

    /// What a part says about its health: the status, and the report.
    pub async fn health(&self, name: &str) -> Option<(u16, Value)> {
        let answer = reqwest::get(format!("{}/health/ready", self.url(name))).await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// Which of these parts leads the routing, once one does.
    pub async fn leader(&self, names: &[&str]) -> String {
        eventually("a part leads the routing", READY_WITHIN, || async {
            for name in names {
                let leads = self.health(name).await.is_some_and(|(_, report)| {
                    let loops = report["loops"].as_array().unwrap();
                    loops.iter().any(|part| part["name"] == "routing" && part["detail"] == "leading")
                });
                if leads {
                    return Some((*name).to_owned());
                }
            }
            None
        })
        .await
    }

    /// Ends a part as an operator does, and waits until it has ended.
    pub fn stop(&mut self, name: &str) {
        self.process(name).signal("TERM");
        let status = self.process(name).wait(STOPPED_WITHIN);
        assert!(status.success(), "{name} ended with {status}");
    }

    /// The names of the parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// Where a part answers.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.parts[name].port)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("WINTERBAND_DATA__FOLDER".to_owned(), self.data().display().to_string()),
            ("WINTERBAND_LOG__LEVEL".to_owned(), "info".to_owned()),
        ];
        variables.extend(self.settings.iter().cloned());
        variables
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder that goes with the product.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The administrator's API key.
    #[must_use]
    pub fn admin_key(&self) -> String {
        std::fs::read_to_string(self.data().join("secrets/admin.key")).unwrap().trim().to_owned()
    }

    /// A connection of the test's own.
    pub async fn bus(&self) -> Bus {
        Bus::connect(&self.nats.settings().named("test")).await.unwrap()
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

    /// The ledger, and whether it balances.
    pub async fn ledger(&self) -> (bool, Value) {
        let (code, out, err) = self.command(&["ledger", "--json"]).await;
        let json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        (code == 0, json)
    }

    /// Waits until the ledger says so.
    pub async fn ledger_until(&self, what: &str, within: Duration, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, within, || async {
            let (balances, ledger) = self.ledger().await;
            assert!(balances, "{ledger:#}");
            holds(&ledger).then_some(ledger)
        })
        .await
    }

    /// Publishes a message through the HTTP API.
    pub async fn write(&self, part: &str, message: &Value) -> reqwest::Response {
        let url = format!("{}/api/v1/messages", self.url(part));
        let client = reqwest::Client::new();
        client.post(url).bearer_auth(self.admin_key()).json(message).send().await.unwrap()
    }
}
