//! Every page and dialog of the desk, looked at by axe-core in both lights: it finds nothing.

use std::path::Path;

use serde_json::json;

use crate::browser::{ALT, Browser, ENTER, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene::{self, Letter};

const ESCAPE: &str = "\u{e00c}";

/// The script that looks.
pub(crate) fn script() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/desk/web/node_modules/axe-core/axe.min.js")
        .canonicalize()
        .unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// Runs it on what is to be seen now.
pub(crate) async fn finds_nothing(browser: &Browser, axe: &str, what: &str) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let loads = format!("if (!window.axe) {{ {axe}\n; window.axe = axe; }} return true;");
        browser.run(&loads, json!([])).await.unwrap();
        // Colours that are on their way somewhere are nobody's to read.
        let still = "Promise.race([new Promise((done) => setTimeout(done, 1000)), Promise.all(document.getAnimations().filter((one) => Number.isFinite(one.effect?.getComputedTiming().endTime)).map((one) => one.finished.catch(() => {})))])";
        let look = format!(
            "void (window.found = undefined, {still}.then(() => axe.run(document, {{ resultTypes: ['violations'] }})).then((all) => {{ window.found = all; }}))"
        );
        browser.read(&look).await;
        let found = "window.found && { violations: window.found.violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 160))]), passes: window.found.passes.length }";
        let found = browser.until("axe has looked", found).await;
        assert!(found["passes"].as_u64().unwrap() > 5, "{what}, {scheme}: axe looked at nothing: {found}");
        assert_eq!(found["violations"], json!([]), "{what}, {scheme}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_out_of_reach_on_any_page() {
    let axe = script();
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let stranger = driver.open("stranger", &url).await;
    stranger.visit(&format!("{url}/desk")).await;
    stranger.sees(&id("signin-name")).await;
    finds_nothing(&stranger, &axe, "signing in").await;

    let letter = |id: &'static str, from: &'static str| Letter {
        id,
        from,
        name: "Jacoba Verkerk",
        category: "question",
        text: "Where is my parcel? I wait for it since Monday.",
    };
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    let browser = &bram.browser;
    finds_nothing(browser, &axe, "an empty desk").await;
    bram.goes_online().await;
    scene::letter(&up, &letter("one", "jacoba")).await;
    bram.offer().await;
    finds_nothing(browser, &axe, "an offer").await;
    browser.press(&[ALT, "d"]).await;
    browser.sees(&id("decline-form")).await;
    finds_nothing(browser, &axe, "declining").await;
    browser.press(&[ESCAPE]).await;
    browser.press(&[ALT, "a"]).await;
    browser.sees(&id("reply")).await;
    finds_nothing(browser, &axe, "a conversation").await;

    canned(&bram, &axe, &shots).await;

    for (key, dialog) in [("t", "transfer"), ("z", "snooze"), ("e", "resolve")] {
        browser.press(&[ALT, key]).await;
        browser.sees(&id(&format!("{dialog}-dialog"))).await;
        finds_nothing(browser, &axe, dialog).await;
        browser.press(&[ESCAPE]).await;
        browser.misses(&id(&format!("{dialog}-dialog"))).await;
    }
    for (opener, dialog) in [("help", "help-dialog"), ("settings", "settings-dialog")] {
        browser.click(&id(opener)).await;
        browser.sees(&id(dialog)).await;
        finds_nothing(browser, &axe, dialog).await;
        browser.press(&[ESCAPE]).await;
        browser.misses(&id(dialog)).await;
    }
    browser.press(&[ALT, "f"]).await;
    browser.types(&id("find-words"), "parcel").await;
    browser.says(&id("find-told"), "1 of 1").await;
    finds_nothing(browser, &axe, "finding words").await;
    browser.press(&[ESCAPE]).await;
    browser.click(&id("tab-waiting")).await;
    finds_nothing(browser, &axe, "what waits").await;
    for page in ["search", "regulars", "policy", "figures", "floor"] {
        browser.read(&format!("void (location.hash = {page:?})")).await;
        browser.sees(&id(&format!("{page}-page"))).await;
        finds_nothing(browser, &axe, page).await;
    }
    browser.read("void (location.hash = 'desk')").await;
    browser.resize(390, 844).await;
    finds_nothing(browser, &axe, "a narrow screen").await;
    bram.browser.is_quiet(&[]).await;
}

/// Canned answers: kept on their page, picked while one writes, filled in before they go.
async fn canned(bram: &Agent, axe: &str, shots: &Shots) {
    let browser = &bram.browser;
    browser.click(&id("page-canned")).await;
    browser.sees(&id("canned-page")).await;
    browser.click(&id("canned-new")).await;
    finds_nothing(browser, axe, "a new answer").await;
    browser.types(&id("canned-name"), "late").await;
    browser.types(&id("canned-title"), "It is late").await;
    browser.pastes(&id("canned-text"), "Dear {customer}, your order {order} is late.").await;
    browser.click(&id("canned-save")).await;
    browser.says(&id("canned-one"), "It is late").await;
    finds_nothing(browser, axe, "canned answers").await;
    browser.click(&id("page-back")).await;
    browser.types(&id("reply"), "/late").await;
    browser.says(&id("picker-item"), "It is late").await;
    finds_nothing(browser, axe, "picking an answer").await;
    browser.types(&id("reply"), ENTER).await;
    browser.says(&id("blanks"), "{order}").await;
    finds_nothing(browser, axe, "filling it in").await;
    browser.types(&id("reply"), ENTER).await;
    assert_eq!(bram.outgoing().await, 0, "it waits for its order");
    browser.cdp("Input.insertText", json!({ "text": "A-1001" })).await;
    browser.types(&id("reply"), ENTER).await;
    bram.reads("from_agent", "Dear Jacoba Verkerk, your order A-1001 is late.").await;
    shots.take(browser, "canned").await;
}
