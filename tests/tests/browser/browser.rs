//! One browser, driven by the W3C WebDriver protocol over HTTP.

use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tests::eventually;

use crate::driver::{Answer, Refusal};
use crate::line::Line;

/// How long a step waits for what it needs; generous, because the machine may be busy.
pub(crate) const WITHIN: Duration = Duration::from_secs(45);
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
pub(crate) const ALT: &str = "\u{e00a}";
pub(crate) const ENTER: &str = "\u{e007}";

/// What every script may use: elements of the page and of the widget's shadow root.
const LOOK: &str = r"
const shadow = document.querySelector('#winterband-widget')?.shadowRoot;
const all = (css) => [...document.querySelectorAll(css), ...(shadow?.querySelectorAll(css) ?? [])];
const one = (css) => all(css)[0] ?? null;
const shown = (css) => all(css).find((node) => node.checkVisibility()) ?? null;
const text = (css) => one(css)?.textContent.trim() ?? '';
";

/// An address of chromedriver.
pub(crate) struct WebDriver {
    base: String,
    client: reqwest::Client,
}

impl WebDriver {
    pub(crate) fn at(base: String) -> Self {
        Self { base, client: reqwest::Client::builder().no_proxy().timeout(CALL_WITHIN).build().unwrap() }
    }

    /// Posts a body, or gets without one.
    pub(crate) async fn ask(&self, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.base);
        let request = match body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].take();
        let Some(error) = value["error"].as_str() else { return Ok(value) };
        Err(Refusal {
            error: error.to_owned(),
            message: value["message"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// A browser of one person.
pub(crate) struct Browser {
    /// Whose it is.
    pub(crate) name: &'static str,
    /// How it reaches the product.
    pub(crate) line: Line,
    driver: WebDriver,
}

/// The selector of an element by its mark.
pub(crate) fn id(mark: &str) -> String {
    format!("[data-testid=\"{mark}\"]")
}

impl Browser {
    pub(crate) fn new(name: &'static str, line: Line, driver: WebDriver) -> Self {
        Self { name, line, driver }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.driver.ask(path, Some(&body)).await;
        answer.unwrap_or_else(|refusal| panic!("{}: {path}: {refusal}", self.name))
    }

    /// Goes to a page.
    pub(crate) async fn visit(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// Loads the page anew.
    pub(crate) async fn reload(&self) {
        self.post("/refresh", json!({})).await;
    }

    /// Runs a script; `arguments` are its arguments.
    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Answer {
        let body = json!({ "script": format!("{LOOK}{script}"), "args": arguments });
        self.driver.ask("/execute/sync", Some(&body)).await
    }

    /// The value of an expression.
    pub(crate) async fn read(&self, expression: &str) -> Value {
        let answer = self.run(&format!("return ({expression});"), json!([])).await;
        answer.unwrap_or_else(|refusal| panic!("{}: {expression}: {refusal}", self.name))
    }

    /// Waits until an expression is neither empty, nor zero, nor false, and gives it.
    pub(crate) async fn until(&self, what: &str, expression: &str) -> Value {
        let script = format!("return ({expression}) || null;");
        let end = Instant::now() + WITHIN;
        loop {
            // A page that is being loaded cannot be asked: that is no answer, and no fault.
            let answer = self.run(&script, json!([])).await;
            if let Ok(value) = &answer
                && !value.is_null()
            {
                return value.clone();
            }
            if Instant::now() > end {
                let page = self.page().await;
                panic!("{}: not within {WITHIN:?}: {what}\n{answer:?}\n{page}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a person could read now, for the words of a failure.
    async fn page(&self) -> String {
        let read =
            "return document.body.innerText + '\\n' + (shadow?.querySelector('.root')?.innerText ?? '');";
        let page = self.run(read, json!([])).await;
        let text = page.map_or_else(|refusal| refusal.to_string(), |page| page.to_string());
        let path = std::env::temp_dir().join(format!("winterband-browser-{}.png", self.name));
        let picture = self.picture().await;
        std::fs::write(&path, picture).unwrap();
        format!("the page says: {text}\nand looks like {}", path.display())
    }

    /// Waits until a mark is in the page and to be seen.
    pub(crate) async fn sees(&self, css: &str) {
        self.until(&format!("{css} is there"), &format!("shown({css:?}) !== null")).await;
    }

    /// Waits until an element's text contains words.
    pub(crate) async fn says(&self, css: &str, words: &str) {
        let expression = format!(
            "all({}).some((node) => (node.textContent ?? '').includes({}))",
            json!(css),
            json!(words)
        );
        self.until(&format!("{css} says {words:?}"), &expression).await;
    }

    /// Waits until nothing of this kind is to be seen.
    pub(crate) async fn misses(&self, css: &str) {
        self.until(&format!("{css} is gone"), &format!("shown({css:?}) === null")).await;
    }

    /// Does something with an element as soon as it lets itself be used.
    async fn with(&self, css: &str, action: &str, body: &Value) {
        let mut last = String::from("it is not there");
        let end = Instant::now() + WITHIN;
        while Instant::now() < end {
            match self.run(&format!("return shown({css:?});"), json!([])).await {
                Ok(found) if found[ELEMENT].is_string() => {
                    let element = found[ELEMENT].as_str().unwrap();
                    match self.driver.ask(&format!("/element/{element}/{action}"), Some(body)).await {
                        Ok(_) => return,
                        // It moved, was drawn anew, or something went over it: look again.
                        Err(refusal) => last = refusal.to_string(),
                    }
                }
                Ok(_) => {}
                Err(refusal) => last = refusal.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}: {action} on {css}: {last}\n{}", self.name, self.page().await);
    }

    /// Clicks on what is to be seen of it.
    pub(crate) async fn click(&self, css: &str) {
        self.with(css, "click", &json!({})).await;
    }

    /// Types key by key.
    pub(crate) async fn types(&self, css: &str, text: &str) {
        self.with(css, "value", &json!({ "text": text })).await;
    }

    /// Chooses files by their paths, in a field that a button opens: it is never to be seen itself.
    pub(crate) async fn chooses(&self, css: &str, paths: &[&str]) {
        self.until(&format!("{css} is there"), &format!("one({css:?}) !== null")).await;
        let found = self.run(&format!("return one({css:?});"), json!([])).await;
        let element = found.unwrap()[ELEMENT].as_str().unwrap().to_owned();
        self.post(&format!("/element/{element}/value"), json!({ "text": paths.join("\n") })).await;
    }

    /// Puts text in at once, as a paste does; unlike keys it may hold any sign.
    pub(crate) async fn pastes(&self, css: &str, text: &str) {
        self.click(css).await;
        self.cdp("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses keys together, wherever the focus is.
    pub(crate) async fn press(&self, keys: &[&str]) {
        let down = keys.iter().map(|key| json!({ "type": "keyDown", "value": key }));
        let up = keys.iter().rev().map(|key| json!({ "type": "keyUp", "value": key }));
        let actions: Vec<Value> = down.chain(up).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", json!({ "actions": [keyboard] })).await;
    }

    /// Strikes one key after the other, wherever the focus is.
    pub(crate) async fn keys(&self, keys: &str) {
        let strike = |key: char| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(strike).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", json!({ "actions": [keyboard] })).await;
    }

    /// A command of the browser's own protocol.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Makes the window this large, pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        let expression = format!("innerWidth === {width} && innerHeight === {height}");
        self.until("the window has its size", &expression).await;
    }

    /// `light` or `dark`, as the system would say.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let calm = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": [feature, calm] })).await;
    }

    /// What is to be seen, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = self.driver.ask("/screenshot", None).await.unwrap();
        base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// What the browser recorded of itself since the last look: its trace, event by event.
    pub(crate) async fn trace(&self) -> Vec<Value> {
        let log = self.driver.ask("/se/log", Some(&json!({ "type": "performance" }))).await.unwrap();
        let messages = log.as_array().unwrap().iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let is_traced = |event: &Value| event["message"]["method"] == "Tracing.dataCollected";
        events.filter(is_traced).map(|mut event| event["message"]["params"].take()).collect()
    }

    /// Holds the console's errors since the last look against those that are expected.
    pub(crate) async fn is_quiet(&self, expected: &[&str]) {
        let log = self.post("/se/log", json!({ "type": "browser" })).await;
        let messages = log.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        let errors: Vec<&str> = messages.map(|line| line["message"].as_str().unwrap()).collect();
        let wrong: Vec<&&str> =
            errors.iter().filter(|error| !expected.iter().any(|part| error.contains(part))).collect();
        assert!(wrong.is_empty(), "{}: the console says {wrong:#?}", self.name);
    }

    /// Waits until what is read twice in a row satisfies.
    pub(crate) async fn read_until(
        &self,
        what: &str,
        expression: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("{}: {what}", self.name), WITHIN, || async {
            let value = self.run(&format!("return ({expression});"), json!([])).await.ok()?;
            holds(&value).then_some(value)
        })
        .await
    }
}
