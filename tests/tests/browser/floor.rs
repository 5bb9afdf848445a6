//! The floor as who leads sees it: live, with reasons, and acted on from there.

use serde_json::Value;

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_sees_the_floor_and_acts_on_it() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    anna.goes_online().await;
    anna.browser.misses(&id("page-floor")).await;

    let first = Customer::enter(driver.open("first", &url).await, &url).await;
    first.writes("Where is my parcel?").await;
    anna.offer().await;
    bram.browser.click(&id("page-floor")).await;
    let offered = r#"[data-testid="floor-contacts"] tr[data-state="offered"]"#;
    bram.browser.sees(offered).await;
    // Why anna: every agent with their reason, as the router says it.
    bram.browser.click(&format!("{offered} {}", id("floor-why"))).await;
    bram.browser.sees(r#"[data-testid="why-table"] tr[data-standing="chosen"]"#).await;
    bram.browser.sees(r#"[data-testid="why-table"] tr[data-standing="not_there"]"#).await;
    // And as it was when it was decided, read again from the log.
    bram.browser.click(&id("why-past")).await;
    bram.browser.says(&id("why-decision"), "Offered to Anna").await;
    bram.browser.sees(r#"[data-testid="why-decision"] tr[data-standing="able"]"#).await;
    bram.browser.sees(r#"[data-testid="why-decision"] tr[data-standing="not_there"]"#).await;
    shots.all(&bram.browser, "floor", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    bram.browser.resize(1280, 800).await;

    // Taken back: anna has missed nothing, and nobody else is there, so it waits until she has rested.
    bram.browser.click(&format!("{offered} {}", id("floor-revoke"))).await;
    anna.has_no_offer().await;
    let waiting = r#"[data-testid="floor-contacts"] tr[data-state="waiting"]"#;
    bram.browser.sees(waiting).await;
    bram.browser.click(&format!("{waiting} {}", id("floor-take"))).await;
    first.is("with_agent").await;
    let with_agent = r#"[data-testid="floor-contacts"] tr[data-state="with_agent"]"#;
    bram.browser.sees(with_agent).await;
    bram.browser.misses(&format!("{with_agent} {}", id("floor-take"))).await;

    // Filters narrow what is shown, and the sums stay.
    let second = Customer::enter(driver.open("second", &url).await, &url).await;
    second.writes("And mine?").await;
    anna.offer().await;
    anna.accepts().await;
    bram.browser
        .until("both are there", "all('[data-testid=\"floor-contacts\"] tr[data-contact]').length === 2")
        .await;
    bram.browser.types(&id("filter-agent"), "Anna").await;
    bram.browser
        .until("only hers", "all('[data-testid=\"floor-contacts\"] tr[data-contact]').length === 1")
        .await;
    bram.browser
        .until(
            "the hours know both",
            "one('[data-testid=\"hours-chart\"]').querySelectorAll('.answered').length === 24",
        )
        .await;

    let csv = "return fetch('/desk/floor/hours.csv?days=1').then((one) => one.text())";
    let text = bram.browser.run(csv, Value::Array(Vec::new())).await.unwrap();
    let text = text.as_str().unwrap();
    assert!(text.starts_with("queue,from,arrived,answered,"), "{text}");
    assert!(text.contains("service,20"), "{text}");
    let forbidden = "return fetch('/desk/floor/now').then((one) => one.status)";
    let status = anna.browser.run(forbidden, Value::Array(Vec::new())).await.unwrap();
    assert_eq!(status, 403, "who does not lead does not see it");
    for browser in [&bram.browser, &first.browser, &second.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
