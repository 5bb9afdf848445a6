//! A shared computer: whoever is signed in at the site sees what is theirs, and nobody sees anything of somebody else.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use tests::Up;
use tests::look::DEMO_FLOOR;

use crate::browser::id;
use crate::driver::Driver;
use crate::scene;
use crate::shop::Customer;

const SECRET: &str = "a secret of the shop, long enough";
/// Everything that the page shows of conversations, and what stands in its field.
const SHOWN: &str = r#"
all('[data-testid="wb-entry"] .text').map((node) => node.textContent).concat(one('[data-testid="wb-input"]').value)
"#;

/// What the shop signs for a user; it ends so many seconds from now.
fn identity(sub: &str, ends_in_s: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": sub, "exp": now.saturating_add_signed(ends_in_s) });
    let [head, claims] =
        [json!({ "alg": "HS256" }), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let body = format!("{head}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

impl Customer {
    /// The page says who is there now; gives what it shows at once, before anything can have come.
    async fn becomes(&self, identity: Option<&str>) -> Vec<String> {
        let call = identity.map_or("forget()".to_owned(), |identity| format!("identify({identity:?})"));
        let shown =
            self.browser.run(&format!("Winterband.{call}; return ({SHOWN});"), json!([])).await.unwrap();
        shown.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until exactly these words are to be seen, the last of them in the field.
    async fn shows(&self, words: &[&str]) {
        self.is_online().await;
        self.browser.read_until(&format!("{words:?} is all"), SHOWN, |shown| *shown == json!(words)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_computer_shows_each_what_is_theirs() {
    let config = tempfile::tempdir().unwrap();
    let table = "[[identity]]\naccount = \"shop\"\nsecret = { file = \"shop.secret\" }\n";
    for (name, text) in [("web.toml", table), ("shop.secret", SECRET), ("routing.toml", DEMO_FLOOR)] {
        std::fs::write(config.path().join(name), text).unwrap();
    }
    let folder = config.path().to_str().unwrap().to_owned();
    let up = Up::started_with(vec![
        ("WINTERBAND_CONFIG".to_owned(), folder),
        ("WINTERBAND_WEB__DEMO_SHOP".to_owned(), "yes".to_owned()),
    ])
    .await;
    let mut driver = Driver::start().await;
    let url = up.url();
    let page = Customer::enter(driver.open("shared", &url).await, &url).await;
    page.writes("I am nobody").await;
    page.has("recorded", "I am nobody").await;
    page.browser.pastes(&id("wb-input"), "unsent of nobody").await;

    let anna = identity("anna", 600);
    assert_eq!(page.becomes(Some(&anna)).await, [""]);
    page.shows(&[""]).await;
    page.writes("I am Anna").await;
    page.has("recorded", "I am Anna").await;
    page.browser.pastes(&id("wb-input"), "unsent of Anna").await;
    // A fresh token of the same user changes nothing.
    assert_eq!(page.becomes(Some(&identity("anna", 700))).await, ["I am Anna", "unsent of Anna"]);
    assert_eq!(page.becomes(Some(&identity("ben", 600))).await, [""]);
    page.shows(&[""]).await;
    assert_eq!(page.becomes(None).await, ["unsent of nobody"]);
    page.shows(&["I am nobody", "unsent of nobody"]).await;
    assert_eq!(page.becomes(Some(&anna)).await, ["unsent of Anna"]);
    page.shows(&["I am Anna", "unsent of Anna"]).await;

    let other = Customer::enter(driver.open("other", &url).await, &url).await;
    other.becomes(Some(&anna)).await;
    other.shows(&["I am Anna", ""]).await;
    runs_out(&page, &other).await;
    other.browser.is_quiet(&[]).await;
    page.browser.is_quiet(&["identity_expired", "identity_refused"]).await;
    scene::balances(&up).await;
}

/// What is written while an identity has run out is kept for its user, and goes with a fresh one.
async fn runs_out(page: &Customer, other: &Customer) {
    page.becomes(None).await;
    page.shows(&["I am nobody", "unsent of nobody"]).await;
    let listen =
        "window.told = []; addEventListener('winterband:identity', (event) => told.push(event.detail.code));";
    page.browser.run(listen, json!([])).await.unwrap();
    page.becomes(Some(&identity("anna", -100))).await;
    page.browser.until("the page is told", "told.join() === 'identity_expired'").await;
    page.browser.run(&format!("one({:?}).value = '';", id("wb-input")), json!([])).await.unwrap();
    page.writes("Written meanwhile").await;
    page.has("queued", "Written meanwhile").await;
    assert_eq!(page.becomes(Some(&identity("ben", 600))).await, [""]);
    page.shows(&[""]).await;
    page.becomes(Some(&identity("anna", 600))).await;
    page.has("recorded", "Written meanwhile").await;
    other.reads("Written meanwhile").await;
    page.becomes(Some("garbage")).await;
    page.browser.until("the page is told", "told.join() === 'identity_expired,identity_refused'").await;
    page.browser.says(".notice", "You cannot be recognised").await;
    assert_eq!(page.browser.read(SHOWN).await, json!([""]));
}
