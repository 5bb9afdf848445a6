//! Customers who wait: where they stand in line, and who asks to be called back instead.

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const FIRST: &str = "Where is my parcel?";
const SECOND: &str = "I would like another colour.";
const NUMBER: &str = "020 555 0100, after four";

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_sees_their_place_and_can_be_called_back() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let first = Customer::enter(driver.open("first", &url).await, &url).await;
    first.writes(FIRST).await;
    first.browser.says(&id("wb-state"), "You are next").await;
    let second = Customer::enter(driver.open("second", &url).await, &url).await;
    second.writes(SECOND).await;
    second.browser.says(&id("wb-state"), "You are number 2").await;
    shots.all(&second.browser, "waits", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    second.browser.resize(1280, 800).await;

    second.browser.click(&id("wb-callback-open")).await;
    second.browser.types(&id("wb-callback-words"), NUMBER).await;
    shots.all(&second.browser, "callback", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    second.browser.resize(1280, 800).await;
    second.browser.click(&id("wb-callback")).await;
    second.browser.sees(r#"[data-testid="wb-entry"][data-kind="callback"]"#).await;
    second.browser.misses(&id("wb-callback-open")).await;
    second.browser.click(&id("wb-leave")).await;
    second.browser.sees(r#"[data-testid="wb-entry"][data-kind="left"]"#).await;

    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.offer().await;
    // There is room for both: who left is offered all the same, after who came first.
    anna.browser.sees(&id("offer-callback")).await;
    anna.browser.says(&id("offer-words"), NUMBER).await;
    shots.all(&anna.browser, "callback-offer", "en", &[("1280", 1280, 800)]).await;
    anna.browser.click(&id("offer-accept")).await;
    first.is("with_agent").await;
    anna.accepts().await;
    anna.reads("from_customer", NUMBER).await;
    for browser in [&anna.browser, &first.browser, &second.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
