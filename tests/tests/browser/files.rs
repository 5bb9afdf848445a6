//! Files in the chat: a customer attaches a picture, the agent sees it and answers with a file.

use serde_json::json;

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

/// A picture of one dot.
const PNG: &[u8] = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90\x77\x53\xde\x00\x00\x00\x0c\x49\x44\x41\x54\x78\x9c\x63\x58\xe1\xaa\x03\x00\x02\xb2\x01\x1a\xea\x32\xdf\x34\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
const SIZES: [(&str, u32, u32); 2] = [("1280", 1280, 800), ("390", 390, 844)];

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_goes_to_the_agent_and_a_file_comes_back() {
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let file = |name: &str, bytes: &[u8]| {
        let path = up.folder().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (sleeve, empty, page) = (
        file("the torn sleeve.png", PNG),
        file("empty.txt", b""),
        file("page.png", b"<script>alert(1)</script>"),
    );
    let mut driver = Driver::start().await;
    let url = up.url();
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    let chat = &customer.browser;
    chat.chooses(&id("wb-files"), &[&sleeve, &empty]).await;
    chat.says(&id("wb-tray-file"), "attached").await;
    chat.says(&id("wb-tray-file"), "There is nothing in this file.").await;
    shots.all(chat, "tray", "en", &SIZES).await;
    // What failed is not left out in silence: nothing goes while it is there.
    chat.until("nothing can be sent", &format!("one({:?}).disabled", id("wb-send"))).await;
    chat.click(r#"[data-testid="wb-tray-file"][data-is="failed"] .away"#).await;
    chat.click(&id("wb-send")).await;
    chat.sees(r#"[data-testid="wb-entry"][data-status="recorded"] [data-testid="wb-file"]"#).await;
    let picture = format!("one({:?})?.naturalWidth === 1", ".files img");
    chat.until("the picture is to be seen", &picture).await;

    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.offer().await;
    anna.accepts().await;
    anna.browser.says(&id("attachment"), "the torn sleeve.png").await;
    anna.browser.chooses(&id("file-input"), &[&page]).await;
    anna.browser
        .until(
            "the file is there",
            "one('[data-testid=\"chosen-files\"] li') && !one('[data-testid=\"chosen-files\"] progress')",
        )
        .await;
    anna.writes("Like this?").await;
    customer.reads("Like this?").await;
    let theirs = r#"[data-kind="agent"] [data-testid="wb-file"]"#;
    chat.says(theirs, "page.png").await;
    assert_eq!(chat.read(&format!("one({theirs:?}).querySelector('img') === null")).await, json!(true));
    shots.all(chat, "files", "en", &SIZES).await;
    let link = chat.read(&format!("one({theirs:?}).href")).await;
    let answer = reqwest::get(link.as_str().unwrap()).await.unwrap();
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; "));
    assert_eq!(&answer.bytes().await.unwrap()[..], b"<script>alert(1)</script>");
    for browser in [&anna.browser, chat] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
