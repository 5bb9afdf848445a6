//! A customer's rights at the desk: what they agree to is written down, all that is held is handed out, and erased with a certificate.

use serde_json::json;

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const WORDS: &str = "The zip of my Skutsje jacket is broken";

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_exports_and_erases_a_customer_who_asks_for_it() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    bram.goes_online().await;
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(WORDS).await;
    bram.offer().await;
    bram.accepts().await;
    bram.reads("from_customer", WORDS).await;
    let browser = &bram.browser;

    let story = id("customer-consent-story");
    browser.says(&id("customer-consents"), "not asked").await;
    browser.click(&story).await;
    browser.says(&id("customer-consents"), "agreed on").await;
    browser.click(&story).await;
    browser.says(&id("customer-consents"), "withdrawn on").await;
    browser.reload().await;
    bram.is_live().await;
    browser.says(&id("customer-consents"), "withdrawn on").await;

    browser.click(&id("customer-export")).await;
    browser.sees(&id("customer-export-fetch")).await;
    let fetch = format!(
        "void (window.archive = null, fetch(one({:?}).href).then((answer) => answer.text()).then((text) => {{ window.archive = text; }}))",
        id("customer-export-fetch")
    );
    browser.read(&fetch).await;
    let holds = |words: &str| format!("window.archive && window.archive.includes({})", json!(words));
    browser.until("the archive holds their words", &holds(WORDS)).await;
    browser.until("and says what it is", &holds("manifest.json")).await;

    // Whoever is being helped is not erased meanwhile.
    types_the_word(&bram).await;
    browser.says(&id("customer-rights"), "resolve them first").await;
    browser.press(&[crate::browser::ALT, "e"]).await;
    browser.sees(&id("resolve-dialog")).await;
    browser.press(&["1"]).await;
    browser.sees(&id("wrapup")).await;
    types_the_word(&bram).await;
    browser.says(&id("customer-erased"), "The certificate is").await;
    browser
        .until(
            "the certificate lists places",
            &format!("text({:?}).includes('CONTACTS')", id("customer-rights")),
        )
        .await;
    shots.all(browser, "rights-erased", "en", &[("1280", 1280, 800)]).await;

    browser.reload().await;
    bram.is_live().await;
    browser
        .until("their words are gone", &format!("!document.body.textContent.includes({})", json!(WORDS)))
        .await;
    scene::balances(&up).await;
}

/// Asks for it to be erased, and types what says that it is meant.
async fn types_the_word(bram: &Agent) {
    let browser = &bram.browser;
    browser.click(&id("customer-erase")).await;
    browser.types(&id("customer-erase-word"), "ERASE").await;
    browser.click(&id("customer-erase-now")).await;
}
