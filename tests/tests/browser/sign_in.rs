//! Signing in by the company's identity provider: a real one, in a real browser.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tests::Up;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::browser::{Browser, id};
use crate::driver::Driver;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The provider's process; it ends with the test.
struct Provider {
    port: u16,
    redirect: String,
    process: Child,
    /// What it says more: a pipe that nobody holds would end it.
    _says: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    async fn start(port: u16, redirect: &str, algorithm: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider");
        assert!(folder.join("node_modules").exists(), "run `npm ci` in tests/provider, or tests/run once");
        let mut process = Command::new("node")
            .args(["provider.mjs", &port.to_string(), redirect, algorithm])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = async { while lines.next_line().await.unwrap().unwrap() != "ready" {} };
        tokio::time::timeout(READY_WITHIN, ready).await.unwrap();
        Self { port, redirect: redirect.to_owned(), process, _says: lines }
    }

    /// Starts it again with new keys.
    async fn again(mut self, algorithm: &str) -> Self {
        self.process.kill().await.unwrap();
        Self::start(self.port, &self.redirect, algorithm).await
    }
}

/// A provider that did not answer is left alone for a while.
async fn until_it_is_asked_again(url: &str) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let leaves = async || {
        let response = client.get(format!("{url}/desk/api/signin/provider")).send().await.unwrap();
        response.headers()["location"].to_str().unwrap().contains("code_challenge=")
    };
    let asked = async {
        while !leaves().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(READY_WITHIN, asked).await.unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Browser {
    async fn goes_to_the_provider(&self, url: &str) {
        self.visit(&format!("{url}/desk")).await;
        self.says(&id("signin-provider"), "Sign in with the house").await;
        self.click(&id("signin-provider")).await;
    }

    /// Fills in the provider's form.
    async fn is(&self, who: &str) {
        self.types(&id("who"), who).await;
        self.click(&id("go")).await;
    }

    async fn is_at_the_desk(&self) {
        self.sees(r#"[data-testid="desk"] [data-testid="state-line"][data-link="live"]"#).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_signs_in_by_the_companys_provider() {
    let port = free_port();
    let settings = [
        ("WINTERBAND_OIDC__ISSUER", format!("http://127.0.0.1:{port}")),
        ("WINTERBAND_OIDC__CLIENT_ID", "desk".to_owned()),
        ("WINTERBAND_OIDC__CLIENT_SECRET", r#"{ env = "OIDC_SECRET" }"#.to_owned()),
        ("OIDC_SECRET", "a secret of the tests: + and %".to_owned()),
        ("WINTERBAND_OIDC__TITLE", "the house".to_owned()),
        ("WINTERBAND_OIDC__SCOPES", "openid profile".to_owned()),
        ("WINTERBAND_OIDC__GROUPS", r#"["desk"]"#.to_owned()),
    ];
    let up = Up::started_with(settings.map(|(name, value)| (name.to_owned(), value)).into()).await;
    let url = up.url();
    let redirect = format!("{url}/desk/api/signin/callback");
    let mut driver = Driver::start().await;

    let anna = driver.open("anna", &url).await;
    anna.resize(1280, 800).await;
    // Nobody is there yet: the desk says so, and passwords still work.
    anna.goes_to_the_provider(&url).await;
    anna.says(&id("signin-error"), "does not answer").await;
    let provider = Provider::start(port, &redirect, "RS256").await;
    until_it_is_asked_again(&url).await;
    anna.goes_to_the_provider(&url).await;
    anna.is("anna").await;
    anna.is_at_the_desk().await;
    assert_eq!(anna.read("location.pathname + location.search").await, json!("/desk/"));
    assert_eq!(anna.read("document.cookie").await, json!(""), "no script reads the session");
    // The way back is gone with the sign-in: its address opens nothing, here or anywhere.
    anna.visit(&format!("{redirect}?code=used&state=used")).await;
    anna.is_at_the_desk().await;

    let other = driver.open("other", &url).await;
    other.visit(&format!("{redirect}?code=stolen&state=stolen")).await;
    other.says(&id("signin-error"), "took too long, or began elsewhere").await;
    assert_eq!(other.read("location.search").await, json!(""));
    other.goes_to_the_provider(&url).await;
    other.is("mallory").await;
    other.says(&id("signin-error"), "Nobody at this desk has your name").await;

    let outsider = driver.open("outsider", &url).await;
    outsider.goes_to_the_provider(&url).await;
    outsider.is("outsider").await;
    outsider.says(&id("signin-error"), "may not use this desk").await;

    // Other keys and another algorithm, which the desk has not seen: it asks for them.
    let _provider = provider.again("ES256").await;
    let again = driver.open("again", &url).await;
    again.goes_to_the_provider(&url).await;
    again.is("anna").await;
    again.is_at_the_desk().await;
}
