//! What could not be used is seen at the desk, looked at, tried again and let go there.

use serde_json::json;
use tests::Up;

use crate::axe;
use crate::browser::{Browser, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;

const SIZES: [(&str, u32, u32); 2] = [("1280", 1280, 800), ("390", 390, 844)];
const WORDS: &str = "Do you repair bicycles too?";

/// Sends bytes that end in PARKED.
async fn is_parked(up: &Up, bytes: Vec<u8>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client.post(format!("{}/api/v1/messages", up.url())).bearer_auth(up.admin_key()).body(bytes);
    let answer: serde_json::Value = sent.send().await.unwrap().json().await.unwrap();
    assert!(answer["parked"].is_string(), "{answer}");
}

/// Says yes to what is asked before anything is done.
async fn is_sure(browser: &Browser) {
    browser.sees(&id("parked-sure")).await;
    browser.click(&id("parked-do")).await;
    browser.misses(&id("parked-sure")).await;
}

/// Opens the one item of a reason.
async fn opens(browser: &Browser, reason: &str) {
    browser.click(&format!(r#"[data-reason="{reason}"] {}"#, id("parked-open"))).await;
    browser.sees(&format!(r#"[data-reason="{reason}"] {}"#, id("parked-shown"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_is_opened_and_replayed_and_is_a_contact_then() {
    let up = scene::started().await;
    let (script, shots) = (axe::script(), Shots::new(up.folder()));
    let letter = |n: u32| json!({ "account": "garage", "id": format!("b-{n}"), "from": { "value": "pim@example.org", "name": "Pim" }, "text": WORDS });
    let mut binary = vec![0_u8, 1, 2, 0xff, 0xfe];
    binary.extend(b"{\"not\": JSON");
    for bytes in [letter(1).to_string().into_bytes(), binary] {
        is_parked(&up, bytes).await;
    }
    let mut driver = Driver::start().await;
    let url = up.url();
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    let browser = &bram.browser;
    browser.says(&id("parked-badge"), "2").await;
    browser.click(&id("page-admin")).await;
    browser.click(&id("admin-section-parked")).await;

    // What is no text is shown as what it is, and let go with a reason.
    opens(browser, "malformed").await;
    browser.says(&id("parked-bytes"), "00000000  00 01 02 ff fe 7b").await;
    browser.sees(&format!(r#"{}[data-is="nothing"]"#, id("parked-becomes"))).await;
    axe::finds_nothing(browser, &script, "an item that is no text").await;
    shots.all(browser, "parked-hex", "en", &SIZES).await;
    browser.resize(1280, 800).await;
    browser.click(&id("parked-dismiss")).await;
    browser.click(&id("parked-because-unwanted")).await;
    axe::finds_nothing(browser, &script, "letting go").await;
    is_sure(browser).await;
    browser.sees(&format!(r#"{}[data-good="true"]"#, id("parked-outcome"))).await;
    browser.misses(r#"[data-reason="malformed"]"#).await;

    // What waits for an account says so, is tried again once there is one, and reaches an agent.
    opens(browser, "unknown_account").await;
    browser.says(&id("parked-bytes"), WORDS).await;
    browser.sees(&format!(r#"{}[data-is="nothing"]"#, id("parked-becomes"))).await;
    scene::with_account(&up, "garage").await;
    bram.goes_online().await;
    browser.click(&id("parked-open")).await;
    opens(browser, "unknown_account").await;
    browser.sees(&format!(r#"{}[data-is="message"]"#, id("parked-becomes"))).await;
    browser.says(&id("parked-words"), WORDS).await;
    shots.all(browser, "parked-text", "en", &SIZES).await;
    browser.resize(1280, 800).await;
    browser.click(&id("parked-all")).await;
    browser.click(&id("parked-replay-all")).await;
    is_sure(browser).await;
    browser.says(&id("parked-outcome"), "it is in contact con_").await;
    browser.sees(&id("parked-none")).await;
    axe::finds_nothing(browser, &script, "what came of it").await;
    shots.all(browser, "parked-ended", "en", &SIZES).await;
    browser.resize(1280, 800).await;
    browser.misses(&id("parked-badge")).await;
    browser.click(&id("page-back")).await;
    assert!(bram.offer().await.words.contains(WORDS));
    browser.is_quiet(&[]).await;
    scene::balances(&up).await;
}
