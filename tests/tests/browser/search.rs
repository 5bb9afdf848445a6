//! Words are searched for, found with their marks, and opened where they were said.

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene::{self, Letter};

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_and_opened_where_they_were_said() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let words = "My <b>cargo</b> bicycle leaks & squeaks";
    scene::letter(
        &up,
        &Letter { id: "leak", from: "jacoba", name: "Jacoba Verkerk", category: "question", text: words },
    )
    .await;
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.offer().await;
    anna.accepts().await;
    anna.writes("We collect the bicycle").await;

    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    for (agent, by_whom) in [(&bram, "All conversations"), (&anna, "The conversations of your contacts")] {
        let browser = &agent.browser;
        if by_whom.starts_with("All") {
            // Nothing is being written, so the key is the search's.
            browser.press(&["/"]).await;
        } else {
            browser.click(&id("page-search")).await;
        }
        browser.sees(&id("search-page")).await;
        browser.says(&id("search-scope"), by_whom).await;
        browser.types(&id("search-words"), "squeaks cargo").await;
        browser.click(&id("search-submit")).await;
        browser.says(&id("search-snippet"), words).await;
        let marks = format!(
            "all({:?}).map((one) => one.textContent).join()",
            format!("{} mark", id("search-snippet"))
        );
        browser.until("the marks", &format!("({marks}) === 'cargo,squeaks'")).await;
        let bold = format!("all({:?}).length === 0", format!("{} b", id("search-snippet")));
        browser.until("a customer's tags are words", &bold).await;
        shots
            .all(
                browser,
                &format!("search-{}", browser.name),
                "en",
                &[("1280", 1280, 800), ("390", 390, 844)],
            )
            .await;
        browser.resize(1280, 800).await;
        browser.click(&id("search-hit")).await;
        if !by_whom.starts_with("All") {
            // One's own contact opens where it is, at the hit.
            browser.says(r#"[data-testid="entry"].found"#, words).await;
            continue;
        }
        browser.says(r#"[data-testid="past-entry"][aria-current="true"]"#, words).await;
        browser.says(r#"[data-testid="past-entry"][data-kind="from_agent"]"#, "We collect the bicycle").await;
        browser.click(&id("search-results")).await;
        browser.sees(&id("search-hit")).await;
    }
}
