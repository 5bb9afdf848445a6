//! The product's HTTP API as its tools call it: where it is, with which key, and what it answered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::retry::{Backoff, Verdict, judge};

/// How long one call may take; afterwards it counts as not answered.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take to stand.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Where the first start puts the administrator's key.
const KEY_FILE_DEFAULT: &str = "data/secrets/admin.key";
/// The environment variable that may hold the key.
const KEY_VARIABLE: &str = "WINTERBAND_API_KEY";
/// Most characters of an answer that is no problem document which are shown.
const WORDS_MAX: usize = 200;

/// Where the server is and who asks.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EndpointArgs {
    /// The server's address.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The file with the API key; without it WINTERBAND_API_KEY, then data/secrets/admin.key.
    #[arg(long)]
    key_file: Option<PathBuf>,
}

impl EndpointArgs {
    /// Reads the key and makes the client; nothing is called yet.
    ///
    /// # Errors
    /// When the address is none or the key cannot be read; the caller ends with the exit code for wrong usage.
    pub(crate) fn open(&self) -> anyhow::Result<Endpoint> {
        let base = self.url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).with_context(|| format!("failed to read --url {base:?}"))?;
        anyhow::ensure!(
            url.scheme() == "http" && url.has_host(),
            "--url {base:?}: expected http://<host>:<port>; put a proxy before it for https"
        );
        let client = Client::builder()
            .timeout(CALL_DEADLINE)
            .connect_timeout(CONNECT_DEADLINE)
            .tcp_nodelay(true)
            .build()
            .context("failed to make an HTTP client")?;
        Ok(Endpoint { client, base, key: self.key()? })
    }

    fn key(&self) -> anyhow::Result<String> {
        match (&self.key_file, std::env::var(KEY_VARIABLE)) {
            (Some(file), _) => read_key(file),
            (None, Ok(key)) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
            (None, _) => read_key(Path::new(KEY_FILE_DEFAULT))
                .with_context(|| format!("no key: name one with --key-file or {KEY_VARIABLE}")),
        }
    }
}

fn read_key(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("failed to read the key file {}", file.display()))?;
    let key = text.trim();
    anyhow::ensure!(!key.is_empty(), "the key file {} is empty", file.display());
    anyhow::ensure!(
        key.bytes().all(|byte| byte.is_ascii_graphic()),
        "the key file {} holds something else than one key",
        file.display()
    );
    Ok(key.to_owned())
}

/// A server that can be called.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: Client,
    base: String,
    key: String,
}

/// What the server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// A no, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct No {
    /// The stable name, `http_<status>` if the server gave none.
    pub(crate) code: String,
    /// For people.
    pub(crate) words: String,
}

#[derive(Deserialize)]
struct ProblemWords {
    title: String,
    code: String,
    #[serde(default)]
    detail: String,
}

impl Answer {
    /// The reason of an answer that is not 2xx.
    pub(crate) fn no(&self) -> No {
        match serde_json::from_slice::<ProblemWords>(&self.body) {
            Ok(problem) if problem.detail.is_empty() => No { code: problem.code, words: problem.title },
            Ok(problem) => No { code: problem.code, words: format!("{}: {}", problem.title, problem.detail) },
            Err(_) => {
                let text = String::from_utf8_lossy(&self.body);
                let words: String = text.trim().chars().take(WORDS_MAX).collect();
                let words = if words.is_empty() { "the server gave no reason".to_owned() } else { words };
                No { code: format!("http_{}", self.status), words }
            }
        }
    }
}

impl Endpoint {
    /// The address of the WebSocket at a path.
    pub(crate) fn socket_url(&self, path: &str) -> String {
        format!("ws{}{path}", self.base.trim_start_matches("http"))
    }

    /// Calls once.
    ///
    /// # Errors
    /// When there is no answer: connection refused, broken or too slow; the fate is *retry*.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_vec());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.bytes().await?.to_vec();
        Ok(Answer { status, retry_after: seconds.map(Duration::from_secs), body })
    }

    /// Calls until the answer is a 2xx or a no that stays one; statuses in `also_retry` count as passing.
    ///
    /// # Errors
    /// The server's no, or that it did not answer for `give_up_after`.
    pub(crate) async fn insist(
        &self,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        also_retry: &[u16],
        give_up_after: Duration,
    ) -> anyhow::Result<Answer> {
        let end = Instant::now() + give_up_after;
        let mut backoff = Backoff::default();
        loop {
            let (wait, said) = match self.call(method.clone(), path, body).await {
                Ok(answer) => match judge(answer.status, answer.retry_after) {
                    Verdict::Taken => return Ok(answer),
                    Verdict::Retry { at_least } => (backoff.next(at_least), answer.no().words),
                    Verdict::Refused | Verdict::Hopeless if also_retry.contains(&answer.status) => {
                        (backoff.next(None), answer.no().words)
                    }
                    Verdict::Refused | Verdict::Hopeless => {
                        let No { code, words } = answer.no();
                        anyhow::bail!("{method} {path} is refused with {} {code}: {words}", answer.status);
                    }
                },
                Err(error) => (backoff.next(None), in_words(&error)),
            };
            let secs = give_up_after.as_secs();
            anyhow::ensure!(
                Instant::now() + wait < end,
                "{method} {path} did not succeed within {secs} s: {said}"
            );
            tokio::time::sleep(wait).await;
        }
    }
}

/// The innermost cause: the outer ones only repeat the address.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.is_timeout() { format!("no answer in time ({cause})") } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_no_is_told_in_the_servers_words() {
        let problem = r#"{"type":"about:blank","title":"too long","status":422,"code":"text_too_long","detail":"shorten it"}"#;
        let no = answer(422, problem).no();
        assert_eq!((no.code.as_str(), no.words.as_str()), ("text_too_long", "too long: shorten it"));
        let no = answer(502, "Bad gateway\n").no();
        assert_eq!((no.code.as_str(), no.words.as_str()), ("http_502", "Bad gateway"));
        assert_eq!(answer(500, "").no().words, "the server gave no reason");
        assert_eq!(answer(500, &"x".repeat(999)).no().words.len(), WORDS_MAX);
    }

    #[test]
    fn an_address_is_http_and_its_sockets_are_ws() {
        let args = |url: &str| EndpointArgs { url: url.to_owned(), key_file: Some("/nonexistent".into()) };
        for bad in ["127.0.0.1:8080", "https://example.org", "", "http://"] {
            let told = format!("{:#}", args(bad).open().err().expect(bad));
            assert!(told.contains("--url"), "{told}");
        }
        let told = format!("{:#}", args("http://127.0.0.1:8080/").open().err().expect("no key"));
        assert!(told.contains("/nonexistent"), "{told}");
        let endpoint =
            Endpoint { client: Client::new(), base: "http://127.0.0.1:80".to_owned(), key: String::new() };
        assert_eq!(endpoint.socket_url("/desk/api/socket"), "ws://127.0.0.1:80/desk/api/socket");
    }
}
