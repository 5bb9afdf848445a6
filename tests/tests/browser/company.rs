//! More than one at a contact: a colleague is asked for a word, who leads watches, whispers, joins and takes over, and what was
//! handed over comes back.

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const CASE: &str = "I bring back four winter tyres.";
const WORD: &str = "We never sold tyres, and we take them back.";
const HINT: &str = "Give the whole price, at once.";
const JOINED: &str = "Bram here: I have looked at it with Anna.";
const SIZES: [(&str, u32, u32); 2] = [("1280", 1280, 800), ("390", 390, 844)];

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_whisper_and_join_and_a_customer_sees_only_who_writes() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    anna.goes_online().await;
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(CASE).await;
    anna.offer().await;
    anna.accepts().await;
    bram.goes_online().await;

    // Asked for a word: read along, whispered, and the customer knows nothing of it.
    anna.asks_for_a_word("Bram").await;
    shots.all(&bram.browser, "invitation", "en", &SIZES).await;
    bram.browser.resize(1280, 800).await;
    bram.browser.click(&id("invitation-yes")).await;
    bram.reads("from_customer", CASE).await;
    anna.browser.sees(r#"[data-testid="companion"][data-role="consulted"]"#).await;
    bram.whispers(WORD).await;
    anna.reads("whispered", WORD).await;
    shots.all(&anna.browser, "consulted", "en", &SIZES).await;
    anna.browser.resize(1280, 800).await;
    bram.browser.click(&id("company-leave")).await;
    anna.browser.misses(&id("companion")).await;
    bram.browser.misses(&id("company-contacts")).await;

    // Who leads watches from the floor, and its owner is told.
    bram.browser.click(&id("page-floor")).await;
    bram.browser.click(&id("floor-watch")).await;
    bram.reads("from_customer", CASE).await;
    anna.browser.sees(r#"[data-testid="companion"][data-role="watching"]"#).await;
    bram.whispers(HINT).await;
    anna.reads("whispered", HINT).await;
    shots.all(&bram.browser, "watching", "en", &SIZES).await;
    bram.browser.resize(1280, 800).await;

    // Joined, both write; the customer sees who.
    bram.browser.click(&id("company-join")).await;
    bram.browser.sees(&id("mode-reply")).await;
    bram.browser.click(&id("mode-reply")).await;
    bram.writes(JOINED).await;
    anna.reads("from_agent", JOINED).await;
    customer.reads(JOINED).await;
    anna.writes("And I give you the price of them.").await;
    customer.reads("And I give you the price of them.").await;
    customer.knows_nothing_of(WORD).await;
    customer.knows_nothing_of(HINT).await;
    shots.all(&customer.browser, "company-customer", "en", &SIZES).await;

    // Taken over from within: anna has it no more, and bram ends it.
    bram.browser.click(&id("company-take")).await;
    anna.browser.misses(&id("contact-item")).await;
    bram.browser.sees(&id("resolve")).await;
    bram.resolves().await;
    customer.is("resolved").await;

    for browser in [&anna.browser, &bram.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_declines_comes_back_to_who_gave_it() {
    let up = scene::started().await;
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    anna.goes_online().await;
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(CASE).await;
    anna.offer().await;
    anna.accepts().await;
    bram.goes_online().await;
    anna.transfers_to("Bram").await;
    bram.offer().await;
    bram.declines("busy").await;
    anna.browser.says(&id("notice"), "Bram did not take it").await;
    anna.browser.click(&id("contact-item")).await;
    anna.reads("from_customer", CASE).await;
    anna.browser.sees(r#"[data-testid="entry"][data-kind="handed_back"]"#).await;
    for browser in [&anna.browser, &bram.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_hundreds_of_colleagues_who_is_not_shown_is_found_by_name() {
    const LAST: &str = "Agent 99";
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    scene::staffed(&up, 300).await;
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.browser.sees(&id("floor-more")).await;
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(CASE).await;
    anna.offer().await;
    anna.accepts().await;

    // Among those who are thanked: the list is not whole, and the field over it finds who is missing.
    let options = "all('[data-testid=\"thank-who\"] option').map((one) => one.textContent)";
    anna.browser.click(&id("thank-open")).await;
    anna.browser.sees(&id("thank-who-find")).await;
    let known = anna.browser.read(options).await;
    for far in [LAST, "Agent 98"] {
        assert!(!known.as_array().unwrap().contains(&far.into()), "{far} is shown already");
    }
    anna.browser.types(&id("thank-who-find"), "agent 98").await;
    anna.browser.until("found among those to thank", &format!("{options}.includes('Agent 98')")).await;
    shots.all(&anna.browser, "colleague-thanked", "en", &SIZES).await;
    anna.browser.resize(1280, 800).await;

    // Among those to hand over to.
    let rows = "all('[data-testid^=\"transfer-agent-\"]').map((row) => row.firstElementChild.textContent)";
    anna.browser.click(&id("transfer")).await;
    anna.browser.types(&id("transfer-filter"), LAST).await;
    anna.browser.until("found by name", &format!("String({rows}) === {LAST:?}")).await;
    shots.all(&anna.browser, "colleague-found", "en", &SIZES).await;
    anna.browser.resize(1280, 800).await;
    anna.browser.click(&id("dialog-close")).await;
    anna.notes("Please have a look, @Agent 97.").await;

    for browser in [&anna.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
