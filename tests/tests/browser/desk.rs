//! An agent at the desk, by what they see and press.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::browser::{ALT, Browser, ENTER, id};
use crate::thread::{self, Line};

/// An agent before the desk's page.
pub(crate) struct Agent {
    pub(crate) browser: Browser,
}

/// What an offer tells before the agent decides.
pub(crate) struct Offer {
    pub(crate) words: String,
    pub(crate) queue: String,
    pub(crate) countdown: String,
    pub(crate) wait: String,
    pub(crate) history: String,
}

const THREAD: &str = r#"
all('[data-testid="entry"]').map((node) => ({
  seq: Number(node.dataset.seq),
  kind: node.dataset.kind,
  text: node.querySelector('[data-testid="entry-text"]')?.textContent ?? null,
}))
"#;

impl Agent {
    /// Opens the desk and signs in; the session's first question, who one is, has no answer yet.
    pub(crate) async fn sign_in(browser: Browser, url: &str, name: &str, password: &str) -> Self {
        browser.resize(1280, 800).await;
        browser.visit(&format!("{url}/desk")).await;
        // Replies go at once: that they can be taken back is a test of its own, and not for all others to wait for.
        browser.read("localStorage.setItem('winterband.desk.undo', '0')").await;
        browser.reload().await;
        browser.types(&id("signin-name"), name).await;
        browser.types(&id("signin-password"), password).await;
        browser.click(&id("signin-submit")).await;
        let agent = Self { browser };
        agent.is_live().await;
        agent.browser.is_quiet(&["/desk/api/me"]).await;
        agent
    }

    /// Waits until the desk is connected.
    pub(crate) async fn is_live(&self) {
        self.browser.sees(r#"[data-testid="desk"] [data-testid="state-line"][data-link="live"]"#).await;
    }

    pub(crate) async fn goes_online(&self) {
        self.browser.click(&id("presence-online")).await;
        self.browser.sees(r#"[data-testid="presence"][data-presence="online"]"#).await;
    }

    /// Waits for the one offer and reads it.
    pub(crate) async fn offer(&self) -> Offer {
        self.browser.sees(&id("offer")).await;
        let read = |mark: &str| {
            let expression = format!("text({:?})", id(mark));
            async move { self.browser.read(&expression).await.as_str().unwrap().to_owned() }
        };
        Offer {
            words: read("offer-words").await,
            queue: read("offer-queue").await,
            countdown: read("offer-countdown").await,
            wait: read("offer-wait").await,
            history: read("offer-history").await,
        }
    }

    pub(crate) async fn has_no_offer(&self) {
        self.browser.misses(&id("offer")).await;
    }

    /// Declines with one of the reasons.
    pub(crate) async fn declines(&self, reason: &str) {
        self.browser.click(&id("offer-decline")).await;
        self.browser.click(&id(&format!("decline-reason-{reason}"))).await;
        self.has_no_offer().await;
    }

    /// Accepts; the conversation opens by itself.
    pub(crate) async fn accepts(&self) {
        self.browser.click(&id("offer-accept")).await;
        self.has_no_offer().await;
        self.browser.sees(&id("reply")).await;
    }

    /// Writes to the customer.
    pub(crate) async fn writes(&self, text: &str) {
        self.browser.pastes(&id("reply"), text).await;
        self.browser.click(&id("reply-send")).await;
    }

    /// Writes to colleagues.
    pub(crate) async fn notes(&self, text: &str) {
        self.browser.click(&id("mode-note")).await;
        self.browser.types(&id("note"), text).await;
        self.browser.types(&id("note"), ENTER).await;
        self.reads("note", text).await;
        self.browser.click(&id("mode-reply")).await;
    }

    /// Waits until the conversation holds words, once, recorded.
    pub(crate) async fn reads(&self, kind: &str, words: &str) {
        let expression = format!(
            "{THREAD}.filter((one) => one.kind === {kind:?} && one.text === {}).length === 1",
            json!(words)
        );
        self.browser.until(&format!("{kind} reads {words:.60?}"), &expression).await;
    }

    /// The conversation as it stands, checked to be dense and free of doubles.
    pub(crate) async fn thread(&self) -> Vec<Line> {
        let lines = thread::lines(&self.browser.read(THREAD).await);
        let seqs: Vec<u64> = lines.iter().map(|line| line.seq).collect();
        let dense: Vec<u64> = (1..).take(seqs.len()).collect();
        assert_eq!(seqs, dense, "{}: every entry once, in order", self.browser.name);
        lines
    }

    /// Asks for older entries until the conversation stands there from its beginning.
    pub(crate) async fn asks_for_all(&self) {
        let first = format!("({THREAD})[0]?.seq");
        let mut at = self.browser.until("an entry", &first).await;
        while at != 1 {
            self.browser.click(&id("older")).await;
            let earlier = format!("({first}) < {at} && ({first})");
            at = self.browser.until("older entries", &earlier).await;
        }
    }

    /// Waits until the conversation is again as it was, with nothing on its way.
    pub(crate) async fn has_again(&self, before: &[Line]) {
        self.browser.sees(&id("reply")).await;
        let holds = |value: &Value| thread::lines(value) == before;
        self.browser.read_until("the conversation is as it was", THREAD, holds).await;
        assert_eq!(self.outgoing().await, 0);
    }

    /// Words of the agent's that are not recorded yet.
    pub(crate) async fn outgoing(&self) -> u64 {
        self.browser.read(&format!("all({:?}).length", id("outgoing"))).await.as_u64().unwrap()
    }

    /// Resolves the open conversation with the first disposition and ends the wrap-up, by keys alone.
    pub(crate) async fn resolves(&self) {
        self.browser.press(&[ALT, "e"]).await;
        self.browser.sees(&id("resolve-dialog")).await;
        self.browser.press(&["1"]).await;
        self.browser.misses(&id("resolve-dialog")).await;
        self.browser.sees(&id("wrapup")).await;
        self.browser.press(&[ALT, "w"]).await;
        self.browser.misses(&id("wrapup")).await;
    }

    /// Hands the open conversation to a colleague.
    pub(crate) async fn transfers_to(&self, colleague: &str) {
        self.browser.click(&id("transfer")).await;
        let mark = format!(
            "all('[data-testid^=\"transfer-agent-\"]').find((one) => !one.disabled && one.textContent.includes({colleague:?}))\
             ?.dataset.testid"
        );
        let mark = self.browser.until("the colleague can be chosen", &mark).await;
        self.browser.click(&id(mark.as_str().unwrap())).await;
        self.browser.misses(&id("transfer-dialog")).await;
        self.browser.misses(&id("reply")).await;
    }

    /// Asks a colleague for a word on the open conversation.
    pub(crate) async fn asks_for_a_word(&self, colleague: &str) {
        self.browser.click(&id("transfer")).await;
        let mark = format!(
            "all('[data-testid^=\"consult-\"]').find((one) => !one.disabled && one.ariaLabel.includes({colleague:?}))?.dataset.testid"
        );
        let mark = self.browser.until("the colleague can be asked", &mark).await;
        self.browser.click(&id(mark.as_str().unwrap())).await;
        self.browser.misses(&id("transfer-dialog")).await;
    }

    /// Writes to the owner of the open conversation only.
    pub(crate) async fn whispers(&self, text: &str) {
        self.browser.types(&id("note"), text).await;
        self.browser.types(&id("note"), ENTER).await;
        self.reads("whispered", text).await;
    }

    /// Nothing of a customer's words became markup.
    pub(crate) async fn shows_text_only(&self) {
        let made =
            self.browser.read("all('[data-testid=\"thread\"] :is(script, img, iframe, style)').length").await;
        assert_eq!(made, 0);
    }
}

/// The sign-in passwords that the first start made, by name.
pub(crate) fn password(up: &tests::Up, name: &str) -> String {
    let text = std::fs::read_to_string(up.data().join("secrets/agents.txt")).unwrap();
    let pairs: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let names: BTreeSet<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let found = pairs.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} among {names:?}")).1.to_owned()
}
