//! An incident from beginning to end: said, told at the door, left for a person, answered and resolved for all at once.

use crate::browser::{Browser, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const TOLD: &str = r#"[data-testid="wb-entry"][data-kind="incident"]"#;

async fn says_incident(lead: &Browser) {
    lead.click(&id("incident-new")).await;
    lead.types(&id("incident-title"), "Payments are down").await;
    lead.click(r#"[data-testid="incident-queues"] option[value="service"]"#).await;
    lead.types(&id("incident-words-en"), "Paying does not work right now. We are on it.").await;
    lead.types(&id("incident-words-nl"), "Betalen lukt nu niet. We zijn ermee bezig.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_answers_and_resolves_many_in_one_go() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    let early = Customer::enter(driver.open("early", &url).await, &url).await;
    early.writes("Is something wrong?").await;
    early.is("waiting").await;
    let first = Customer::enter(driver.open("first", &url).await, &url).await;
    first.writes("I cannot pay.").await;
    first.is("waiting").await;

    bram.browser.click(&id("page-floor")).await;
    bram.browser.sees(r#"[data-testid="floor-contacts"] tr[data-state="waiting"]"#).await;
    says_incident(&bram.browser).await;
    shots.all(&bram.browser, "incident-form", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    bram.browser.resize(1280, 800).await;
    bram.browser.click(&id("incident-save")).await;
    // One by hand, the rest in one go.
    bram.browser.sees(r#"[data-testid="incident"][data-gathered="0"][data-alike="2"]"#).await;
    bram.browser.types(&id("floor-gather"), "Payments").await;
    bram.browser.sees(r#"[data-testid="incident"][data-gathered="1"][data-alike="1"]"#).await;
    bram.browser.click(&id("incident-gather")).await;
    bram.browser.sees(r#"[data-testid="incident"][data-gathered="2"][data-alike="0"]"#).await;
    early.browser.says(TOLD, "Paying does not work right now.").await;
    first.browser.says(TOLD, "Paying does not work right now.").await;

    // Who comes now is told at the door, and anna, who takes contacts, is not asked.
    let second = Customer::enter(driver.open("second", &url).await, &url).await;
    second.writes("Why can I not pay?").await;
    second.browser.says(TOLD, "Paying does not work right now.").await;
    second.browser.says(&id("wb-state"), "We know about this").await;
    shots.all(&second.browser, "incident-chat", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    second.browser.resize(1280, 800).await;
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.browser.says(&id("incident-bar"), "Payments are down").await;
    anna.has_no_offer().await;

    second.browser.click(&id("wb-person")).await;
    anna.offer().await;
    anna.accepts().await;
    second.is("with_agent").await;
    second.browser.misses(&id("wb-person")).await;
    anna.browser.sees(&id("belongs")).await;
    shots.all(&anna.browser, "incident-desk", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    shots.all(&bram.browser, "incident-floor", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    bram.browser.resize(1280, 800).await;

    bram.browser.click(&id("incident-answer")).await;
    bram.browser.types(&id("incident-words-en"), "One more hour.").await;
    bram.browser.click(&id("incident-save")).await;
    first.browser.says(TOLD, "One more hour.").await;
    bram.browser.click(&id("incident-resolve")).await;
    bram.browser.types(&id("incident-words-en"), "It works again.").await;
    bram.browser.click(&id("incident-save")).await;
    first.is("resolved").await;
    early.is("resolved").await;
    second.is("with_agent").await;
    bram.browser.misses(&id("incident")).await;
    anna.browser.misses(&id("incident-bar")).await;
    for browser in [&bram.browser, &anna.browser, &early.browser, &first.browser, &second.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
