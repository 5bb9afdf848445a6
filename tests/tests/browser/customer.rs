//! One person writes from two browsers: an agent sees that they may be one, says so, reads all of it, and takes it back.

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const AT_HOME: &str = "I am ann@example.org, my tyre has a crack.";
const AT_WORK: &str = "Ann again (ann@example.org), now from work.";

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_from_two_places_is_one_customer_as_long_as_an_agent_says_so() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    let browser = &anna.browser;
    for (name, words) in [("home", AT_HOME), ("work", AT_WORK)] {
        let customer = Customer::enter(driver.open(name, &url).await, &url).await;
        customer.writes(words).await;
        anna.offer().await;
        anna.accepts().await;
        anna.reads("from_customer", words).await;
    }
    browser.sees(&id("customer-identity")).await;
    browser.sees(&id("customer-suggestion")).await;
    shots.all(browser, "customer-suggested", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    browser.resize(1280, 800).await;
    browser.click(&id("customer-link")).await;
    browser.sees(&id("customer-part")).await;
    browser.misses(&id("customer-suggestion")).await;
    browser.click(&id("customer-everything")).await;
    for words in [AT_HOME, AT_WORK] {
        browser.says(&id("timeline-entry"), words).await;
    }
    shots.all(browser, "customer-timeline", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    browser.resize(1280, 800).await;
    browser.click(&id("dialog-close")).await;
    browser.click(&id("customer-part")).await;
    browser.misses(&id("customer-part")).await;
    browser.sees(&id("customer-suggestion")).await;
    browser.click(&id("customer-everything")).await;
    browser.says(&id("timeline-entry"), AT_WORK).await;
    let only = format!("all({:?}).every((one) => !one.textContent.includes('crack'))", id("timeline-entry"));
    browser.until("only their own words", &only).await;
}
