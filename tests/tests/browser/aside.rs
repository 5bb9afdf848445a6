//! What is laid aside and comes back, who goes when free, and a contact that ends with more to say.

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const HELLO: &str = "My parcel is late.";
const SAID: &str = "I ask the carrier and come back to you.";
const AGAIN: &str = "It is here now, broken.";

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_laid_aside_comes_back_and_ends_with_what_is_asked_for() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(HELLO).await;
    anna.offer().await;
    anna.accepts().await;
    anna.writes(SAID).await;
    customer.reads(SAID).await;

    anna.browser.click(&id("snooze")).await;
    shots.all(&anna.browser, "snooze", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    anna.browser.resize(1280, 800).await;
    anna.browser.click(&id("snooze-hour")).await;
    anna.browser.sees(r#"[data-testid="aside"][data-why="snoozed"]"#).await;
    anna.browser.sees(&id("contact-aside")).await;
    anna.browser.misses(&id("presence-when-free")).await;
    shots.all(&anna.browser, "aside", "en", &[("1280", 1280, 800)]).await;
    anna.browser.click(&id("aside-resume")).await;
    anna.browser.misses(&id("aside")).await;
    anna.browser.click(&id("snooze")).await;
    anna.browser.click(&id("snooze-tomorrow")).await;
    anna.browser.sees(&id("aside")).await;

    customer.writes(AGAIN).await;
    anna.reads("from_customer", AGAIN).await;
    anna.browser.misses(&id("aside")).await;
    anna.browser.click(&id("presence-when-free")).await;
    anna.browser.sees(&id("presence-next")).await;

    anna.browser.click(&id("resolve")).await;
    anna.browser.click(&id("resolve-complaint")).await;
    anna.browser.sees(&id("resolve-fields")).await;
    // What is missing is asked for by the browser itself.
    anna.browser.click(&id("resolve-now")).await;
    anna.browser.sees(&id("resolve-fields")).await;
    anna.browser.types(&id("field-cause"), "damaged").await;
    anna.browser.types(&id("field-order"), "A-1001").await;
    shots.all(&anna.browser, "resolve-fields", "en", &[("1280", 1280, 800)]).await;
    anna.browser.click(&id("resolve-now")).await;
    anna.browser.click(&id("wrapup-end")).await;
    customer.is("resolved").await;
    anna.browser.sees(r#"[data-testid="presence"][data-presence="away"]"#).await;
    anna.browser.misses(&id("presence-next")).await;
    for browser in [&anna.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
