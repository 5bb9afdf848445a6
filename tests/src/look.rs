//! What a test sees of the running product from outside, and the configuration it gives it.

use std::time::Duration;

use serde_json::Value;

use crate::{Product, eventually};

const COUNTED_WITHIN: Duration = Duration::from_secs(10);

/// The demo floor, as a file.
pub const DEMO_FLOOR: &str = include_str!("../../deploy/config/routing.toml");

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header Retry-After, seconds.
    pub retry_after_s: Option<u64>,
    /// The body; null if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Status and code of a problem that has a title, a detail, and the same status in its body.
    #[must_use]
    pub fn problem(&self) -> (u16, &str) {
        let text = |field: &str| self.body[field].as_str().unwrap_or_default();
        assert!(!text("title").is_empty() && !text("detail").is_empty(), "words that help: {self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        (self.status, text("code"))
    }
}

impl Product {
    /// What a part counts.
    pub async fn metrics(&self, part: &str) -> String {
        reqwest::get(format!("{}/metrics", self.url(part))).await.unwrap().text().await.unwrap()
    }

    /// One count of a part, by its name and labels without the prefix `winterband_`; 0 if it was never counted.
    pub async fn metric(&self, part: &str, name: &str) -> f64 {
        let text = self.metrics(part).await;
        let value = text.lines().find_map(|line| {
            line.strip_prefix("winterband_")?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
        });
        value.unwrap_or_default()
    }

    /// Waits until a count of a part holds.
    pub async fn metric_until(&self, part: &str, name: &str, holds: impl Fn(f64) -> bool) {
        eventually(&format!("{name} of {part}"), COUNTED_WITHIN, || async {
            holds(self.metric(part, name).await).then_some(())
        })
        .await;
    }

    /// Everything that the parts have printed and logged.
    #[must_use]
    pub fn output(&self) -> String {
        let file = |name: &str| self.folder().join(format!("{name}.out"));
        self.names().map(|name| std::fs::read_to_string(file(name)).unwrap()).collect()
    }

    /// Puts a routing configuration in force with `winterband config apply`, through the API of a part.
    pub async fn apply(&self, part: &str, routing: &str) -> (i32, String, String) {
        let file = self.folder().join("routing.toml");
        std::fs::write(&file, routing).unwrap();
        let url = self.url(part);
        self.command(&["config", "apply", file.to_str().unwrap(), "--url", &url]).await
    }

    /// Posts bytes to the API of a part with a key.
    pub async fn post(&self, part: &str, path: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
        let url = format!("{}{path}", self.url(part));
        let sent = reqwest::Client::new().post(url).bearer_auth(key).body(body).send().await.unwrap();
        read(sent).await
    }

    /// Gets from the API of a part with the administrator's key.
    pub async fn get(&self, part: &str, path: &str) -> Answer {
        let url = format!("{}{path}", self.url(part));
        read(reqwest::Client::new().get(url).bearer_auth(self.admin_key()).send().await.unwrap()).await
    }
}

async fn read(sent: reqwest::Response) -> Answer {
    let retry_after = sent.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    let status = sent.status().as_u16();
    let body = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap_or_default();
    Answer { status, retry_after_s: retry_after, body }
}
