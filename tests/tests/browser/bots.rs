//! A bot's conversation: the customer is told what it is, who leads takes it with the first keystroke.

use protocol::desk::DeskCommand;
use protocol::ids::MessageId;
use tests::desk::Desk;

use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const ALT: &str = "\u{E00A}";
const LATE: &str = "It left our house yesterday.";

fn reply(contact: protocol::ContactId, text: &str) -> DeskCommand {
    DeskCommand::Reply {
        contact,
        message: MessageId(uuid::Uuid::now_v7()),
        text: text.to_owned(),
        with: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_keystroke_makes_a_bots_conversation_ones_own() {
    let up = scene::started().await;
    scene::with_bot(&up).await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let mut helper = Desk::open_at(&url, &url, &up.admin_key(), "helper").await;
    helper.online().await;
    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;

    let carl = Customer::enter(driver.open("carl", &url).await, &url).await;
    carl.browser.misses(&id("wb-person")).await;
    carl.writes("Where is my parcel?").await;
    let card = helper.offer().await;
    helper.command(DeskCommand::Accept { offer: card.offer }).await;
    helper.command(reply(card.contact, "Let me look.")).await;
    carl.browser.says(&id("wb-state"), "automatic assistant").await;
    carl.browser.says(r#"[data-testid="wb-entry"][data-kind="agent"]"#, "Helper · automatic assistant").await;
    carl.browser.sees(&id("wb-person")).await;
    shots.all(&carl.browser, "bot-chat", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    carl.browser.resize(1280, 800).await;

    bram.browser.click(&id("page-floor")).await;
    bram.browser.sees(&id("floor-bot")).await;
    shots.all(&bram.browser, "floor-bot", "en", &[("1280", 1280, 800)]).await;
    bram.browser.click(&id("floor-watch")).await;
    bram.reads("from_agent", "Let me look.").await;
    shots.all(&bram.browser, "watching-bot", "en", &[("1280", 1280, 800)]).await;
    bram.browser.types(&id("reply"), "I").await;
    bram.browser.misses(&id("company-leave")).await;
    // The conversation goes on in the composer, with what was typed.
    bram.browser
        .until("the composer has the first letter", "one('[data-testid=\"reply\"]')?.value === 'I'")
        .await;
    carl.browser.misses(&id("wb-person")).await;

    // What the bot was about to say is a draft: one key puts it into the reply.
    helper.command(reply(card.contact, LATE)).await;
    bram.browser.says(r#"[data-kind="suggested"]"#, LATE).await;
    bram.browser.sees(&id("suggestion")).await;
    shots.all(&bram.browser, "suggestion", "en", &[("1280", 1280, 800)]).await;
    bram.browser.press(&[ALT, "i"]).await;
    bram.browser
        .until("the draft is inserted", &format!("one('[data-testid=\"reply\"]').value === 'I\\n{LATE}'"))
        .await;
    bram.browser.click(&id("reply-send")).await;
    carl.reads(&format!("I\n{LATE}")).await;

    // The next customer asks for a person with the widget's button.
    let dora = Customer::enter(driver.open("dora", &url).await, &url).await;
    dora.writes("Hello?").await;
    let card = helper.offer().await;
    helper.command(DeskCommand::Accept { offer: card.offer }).await;
    dora.browser.click(&id("wb-person")).await;
    dora.is("waiting").await;
    dora.browser.misses(&id("wb-person")).await;
    for browser in [&bram.browser, &carl.browser, &dora.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}
