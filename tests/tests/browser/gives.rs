//! The story that the product is named for: the tyres and the dress, from the first words to the voucher in the customer's hands.

use std::time::Duration;

use reference_shop::Shop;
use serde_json::json;
use tests::{Up, eventually};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::browser::{Browser, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;
use crate::shop::Customer;

const TOKEN: &str = "only-for-this-test";
const TYRES: &str =
    "I bring back four winter tyres. The tyre shop that stood here has closed. They cost 600 euro.";
const DRESS: &str = "My dress has a loose seam. I wore it, and it was so expensive: 400 euro.";
const THANKS: &str = "That was a fine thing to do.";
const PROMISE: &str = "Call about the delivery";
const WITHIN: Duration = Duration::from_secs(30);

/// The product beside a shop that carries out what is given.
struct Scene {
    up: Up,
    shop: Shop,
    closes: CancellationToken,
}

impl Scene {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let books = tempfile::tempdir().unwrap().keep();
        std::fs::write(books.join("token"), TOKEN).unwrap();
        let shop = Shop::open(&books, TOKEN).unwrap();
        let closes = CancellationToken::new();
        tokio::spawn(shop.clone().serve(listener, closes.clone()));
        let token = format!("{{ file = \"{}\" }}", books.join("token").display());
        let more = vec![
            ("WINTERBAND_EMPOWERMENT__SHOP_URL".to_owned(), url),
            ("WINTERBAND_EMPOWERMENT__SHOP_TOKEN".to_owned(), token),
        ];
        let up = Up::started_with(more).await;
        scene::patient(&up).await;
        Self { up, shop, closes }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tyres_and_the_dress_are_given_by_one_agent_alone_at_once() {
    let scene = Scene::open().await;
    let shots = Shots::new(scene.up.folder());
    let mut driver = Driver::start().await;
    let url = scene.up.url();
    // A colleague is there too, so that thanks have somewhere to go.
    let bram =
        Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&scene.up, "bram")).await;
    let anna =
        Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&scene.up, "anna")).await;
    anna.goes_online().await;

    let tyres = Customer::enter(driver.open("tyres", &url).await, &url).await;
    tyres.writes(TYRES).await;
    assert_eq!(anna.offer().await.words, TYRES);
    anna.accepts().await;
    // On the screen before she asks.
    anna.browser.sees(&id("give-up-to")).await;
    gives(&anna, "not_ours", "600", "give-refund-trust").await;
    shots.take(&anna.browser, "give-undo").await;
    settles(&anna, "done").await;
    reads(&tyres, "EUR600.00").await;
    praised(&anna).await;
    shots.all(&anna.browser, "give-done", "en", &[("1280", 1280, 800)]).await;
    anna.browser.click(&id("story")).await;
    anna.browser.click(&id("story-send")).await;
    anna.browser.sees(&id("story-told")).await;
    promises(&anna).await;
    anna.resolves().await;

    let dress = Customer::enter(driver.open("dress", &url).await, &url).await;
    dress.writes(DRESS).await;
    assert_eq!(anna.offer().await.words, DRESS);
    anna.accepts().await;
    gives(&anna, "used", "400", "give-voucher-trust").await;
    settles(&anna, "done").await;
    let code = anna.browser.until("the voucher's code", &format!("text({:?})", id("remedy-code"))).await;
    reads(&dress, code.as_str().unwrap()).await;
    anna.resolves().await;

    thanks(&bram, &anna).await;
    figures(&anna, &bram, &shots).await;
    reckons(&scene, code.as_str().unwrap()).await;
    for browser in [&anna.browser, &bram.browser, &tyres.browser, &dress.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&scene.up).await;
    scene.closes.cancel();
}

/// What the customer says is put down, and the gift is given: a click to open it, a click to give.
async fn gives(agent: &Agent, reason: &str, price: &str, offer: &str) {
    agent.browser.click(&id(&format!("reason-{reason}"))).await;
    agent.browser.types(&id("claim-price"), price).await;
    let limit = format!("text({:?}).includes(\"by asking\") === false", id(offer));
    agent.browser.until("the card answers", &limit).await;
    agent.browser.click(&id(offer)).await;
    let amount = format!("one({:?}).value === {price:?}", id("give-amount"));
    agent.browser.until("the price is filled in", &amount).await;
    agent.browser.click(&id("give-send")).await;
    agent.browser.sees(&id("undo")).await;
    agent.browser.misses(&id("ask-mine")).await;
}

async fn settles(agent: &Agent, state: &str) {
    agent.browser.sees(&format!(r#"[data-testid="remedy"][data-state="{state}"]"#)).await;
}

/// Waits until the customer was told words that contain these.
async fn reads(customer: &Customer, part: &str) {
    let told = format!(
        "all('[data-testid=\"wb-entry\"] .text').some((one) => one.textContent.replace(/[\\s\\u00a0]/g, '').includes({}))",
        json!(part)
    );
    customer.browser.until(&format!("{part} is told"), &told).await;
}

async fn praised(agent: &Agent) {
    let notice = "all('[data-testid=\"notice\"], [data-testid=\"kudos-one\"]').some((one) => \
                  one.textContent.includes('That is the story this shop is built on'))";
    agent.browser.until("the praise is there at once", notice).await;
}

/// A promise is made, and kept.
async fn promises(agent: &Agent) {
    agent.browser.click(&id("promise-open")).await;
    agent.browser.types(&id("promise-words"), PROMISE).await;
    agent.browser.click(&id("promise-tomorrow")).await;
    agent.browser.click(&id("promise-send")).await;
    agent.browser.sees(&id("promise")).await;
    agent.browser.click(&id("promise-keep")).await;
    agent.browser.misses(&id("promise")).await;
}

/// A colleague thanks, and it arrives.
async fn thanks(from: &Agent, to: &Agent) {
    from.browser.click(&id("thank-open")).await;
    from.browser.types(&id("thank-words"), THANKS).await;
    choose(&from.browser, "thank-who", "Anna").await;
    from.browser.click(&id("thank-send")).await;
    let arrived = format!(
        "all({:?}).some((one) => one.textContent.includes({THANKS:?}))",
        r#"[data-testid="kudos-one"][data-from="peer"]"#
    );
    to.browser.until("a colleague's thanks arrive", &arrived).await;
}

async fn choose(browser: &Browser, mark: &str, title: &str) {
    let script = format!(
        "(() => {{ const list = one({:?}); const found = [...list.options].find((option) => option.text === {title:?}); \
         list.value = found.value; list.dispatchEvent(new Event('change', {{ bubbles: true }})); return true; }})()",
        id(mark)
    );
    browser.until("one is chosen", &script).await;
}

/// The policy reads as a person speaks; the figures are one's own, and the whole floor's for who leads.
async fn figures(anna: &Agent, lead: &Agent, shots: &Shots) {
    for (agent, scope) in [(anna, "Your own figures."), (lead, "The whole floor.")] {
        let browser = &agent.browser;
        browser.click(&id("page-figures")).await;
        browser.until("whose figures", &format!("text({:?}) === {scope:?}", id("figures-scope"))).await;
        let shown = "['The tyres', 'The dress', '\u{20ac}600.00', '\u{20ac}400.00'].every((words) => \
                     (one('[data-testid=\"figures-gestures\"]')?.textContent ?? '').includes(words))";
        browser.until("both gifts are in the figures", shown).await;
        browser.sees(&id("figures-stories")).await;
        browser.sees(&id("figures-budgets")).await;
        shots.all(browser, &format!("figures-{}", browser.name), "en", SIZES).await;
        browser.click(&id("page-back")).await;
    }
    let browser = &anna.browser;
    browser.click(&id("page-policy")).await;
    let answered = "(one('[data-testid=\"policy-card\"][data-card=\"never_sold\"]')?.textContent ?? '')\
                    .includes('answered 1 time in 30 days')";
    browser.until("the card says how often it answered", answered).await;
    browser
        .until("with its example", "document.body.textContent.includes('Four winter tyres, EUR 600')")
        .await;
    shots.all(browser, "policy", "en", SIZES).await;
    browser.click(&id("page-back")).await;
    browser.sees(&id("empty")).await;
}

const SIZES: &[(&str, u32, u32)] = &[("1280", 1280, 800), ("390", 390, 844)];

/// The shop's own books hold both, once.
async fn reckons(scene: &Scene, code: &str) {
    let taken = eventually("the shop has both orders", WITHIN, || async {
        let page = scene.shop.taken(0).unwrap();
        (page.orders.len() >= 2).then_some(page.orders)
    })
    .await;
    let mut cents: Vec<i64> = taken.iter().filter_map(|one| one.cents).collect();
    cents.sort_unstable();
    assert_eq!(cents, [40_000, 60_000]);
    let vouchers = scene.shop.vouchers().unwrap();
    assert_eq!(vouchers.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), [code]);
}
