//! A customer in the demo shop, by what they see and press.

use serde_json::{Value, json};

use crate::browser::{Browser, ENTER, id};
use crate::thread::{self, Line};

/// A customer before the shop's page.
pub(crate) struct Customer {
    pub(crate) browser: Browser,
    url: String,
}

/// Only the elements that carry words in every state: a system line's own text is the widget's.
const ENTRIES: &str = r#"
all('[data-testid="wb-entry"]').map((node) => ({
  seq: Number(node.dataset.seq ?? 0),
  kind: node.dataset.kind,
  status: node.dataset.status ?? null,
  text: node.querySelector('.text')?.textContent ?? null,
}))
"#;

impl Customer {
    /// Comes to the shop and opens the chat.
    pub(crate) async fn enter(browser: Browser, url: &str) -> Self {
        browser.resize(1280, 800).await;
        browser.visit(&format!("{url}/shop")).await;
        browser.click(&id("wb-open")).await;
        browser.sees(&id("wb-panel")).await;
        let customer = Self { browser, url: url.to_owned() };
        customer.is_online().await;
        customer
    }

    /// Comes back to the shop's page; an open chat opens by itself.
    pub(crate) async fn comes_back(&self) {
        self.browser.visit(&format!("{}/shop", self.url)).await;
        self.browser.sees(&id("wb-panel")).await;
        self.is_online().await;
    }

    pub(crate) async fn is_online(&self) {
        self.browser.sees(r#"[data-testid="wb-state"][data-link="online"]"#).await;
    }

    /// Waits until the line is known to be lost.
    pub(crate) async fn is_offline(&self) {
        self.browser.sees(r#"[data-testid="wb-state"][data-link="offline"]"#).await;
    }

    /// `waiting`, `with_agent` or `resolved`.
    pub(crate) async fn is(&self, state: &str) {
        self.browser.sees(&format!(r#"[data-testid="wb-state"][data-state="{state}"]"#)).await;
    }

    /// Writes and sends.
    pub(crate) async fn writes(&self, text: &str) {
        self.browser.pastes(&id("wb-input"), text).await;
        self.browser.types(&id("wb-input"), ENTER).await;
    }

    /// Waits until words stand in the chat once, in a state: `recorded`, or `queued` while they wait here.
    pub(crate) async fn has(&self, status: &str, words: &str) {
        let expression = format!(
            "(() => {{ const found = {ENTRIES}.filter((one) => one.text === {}); \
             return found.length === 1 && found[0].status === {status:?}; }})()",
            json!(words)
        );
        self.browser.until(&format!("{words:.60?} is {status}"), &expression).await;
    }

    /// Waits until the agent's words are there, once.
    pub(crate) async fn reads(&self, words: &str) {
        self.has("recorded", words).await;
    }

    /// The chat as it stands; nothing may be on its way.
    pub(crate) async fn thread(&self) -> Vec<Line> {
        let found = self.browser.read(ENTRIES).await;
        let pending = found.as_array().unwrap().iter().filter(|one| one["seq"] == 0).count();
        assert_eq!(pending, 0, "{}: everything is recorded", self.browser.name);
        thread::lines(&found)
    }

    /// Waits until the chat is as it should be.
    pub(crate) async fn has_all(&self, expected: &[Line]) {
        let what = format!("the chat holds {} entries as at the desk", expected.len());
        let holds = |value: &Value| thread::lines(value) == expected;
        self.browser.read_until(&what, ENTRIES, holds).await;
    }

    /// Neither the page nor what it keeps knows these words.
    pub(crate) async fn knows_nothing_of(&self, words: &str) {
        let everything = "document.documentElement.outerHTML + shadow.innerHTML + JSON.stringify(localStorage) \
                          + JSON.stringify(sessionStorage)";
        let everything = self.browser.read(everything).await;
        assert!(!everything.as_str().unwrap().contains(words), "a note for colleagues reached the customer");
    }

    /// Nothing of an agent's words became markup.
    pub(crate) async fn shows_text_only(&self) {
        assert_eq!(self.browser.read("shadow.querySelectorAll('script, img, iframe').length").await, 0);
    }
}
