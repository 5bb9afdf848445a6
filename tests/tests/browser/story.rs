//! The whole conversation, from the first word to the owner's return.

use std::time::Duration;

use tests::{Up, eventually};

use crate::browser::{WITHIN, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::scene;
use crate::shop::Customer;
use crate::thread::as_customer;

const FIRST: &str = "Hello, a moth ate a hole in my Fellside jumper. Can you mend it?";
const MARKUP: &str = "<script>alert(1)</script> <img src=x onerror=alert(2)> & \"quotes\"";
const SIGNS: &str = "Thank you 🧶🪡 — dat is héél fijn! שלום 👩‍👩‍👧";
const NOTE: &str = "Has mended with us twice: send the good darning wool.";
const WHILE_DOWN: &str = "I write this while the server is away.";
const ANSWER_WHILE_DOWN: &str = "And this is answered while it is away.";
const WHILE_CUT: &str = "The train went into a tunnel.";
const DRAFT: &str = "Half a sentence, not yet";
/// What a browser says when nobody listens, and when the line is cut.
const AWAY: [&str; 5] = [
    "net::ERR_CONNECTION_",
    "net::ERR_EMPTY_RESPONSE",
    "net::ERR_SOCKET_NOT_CONNECTED",
    "Connection closed before receiving a handshake response",
    // A server that is starting or draining says so.
    "the server responded with a status of 503",
];
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// Everybody in this story; browsers end with the driver.
struct Cast {
    up: Up,
    anna: Agent,
    bram: Agent,
    customer: Customer,
    _driver: Driver,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_writes_and_a_person_answers() {
    let mut cast = offered_and_accepted().await;
    both_write(&cast).await;
    pages_are_loaded_anew(&cast).await;
    the_server_restarts(&mut cast).await;
    the_line_is_cut(&cast).await;
    handed_to_a_colleague(&cast).await;
    resolved_by_keyboard(&cast).await;
    the_owner_gets_them_back(&cast).await;
    a_draft_survives(&cast).await;
    for browser in [&cast.anna.browser, &cast.bram.browser, &cast.customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&cast.up).await;
}

async fn offered_and_accepted() -> Cast {
    let up = scene::started().await;
    let mut driver = Driver::start().await;
    let url = up.url();
    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    customer.writes(FIRST).await;
    customer.has("recorded", FIRST).await;
    customer.is("waiting").await;

    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.has_no_offer().await;
    anna.goes_online().await;
    let offer = anna.offer().await;
    assert_eq!(offer.words, FIRST);
    assert_eq!(offer.queue, "Customer service");
    assert!(is_clock(&offer.countdown) && is_clock(&offer.wait), "{} {}", offer.countdown, offer.wait);
    assert!(!offer.history.is_empty(), "the offer says that there is no history");

    let bram = Agent::sign_in(driver.open("bram", &url).await, &url, "bram", &password(&up, "bram")).await;
    bram.goes_online().await;
    bram.has_no_offer().await;
    anna.declines("busy").await;
    assert_eq!(bram.offer().await.words, FIRST);
    bram.accepts().await;
    anna.has_no_offer().await;
    customer.is("with_agent").await;
    Cast { up, anna, bram, customer, _driver: driver }
}

/// Minutes and seconds, as in `0:29`.
fn is_clock(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|sign| sign.is_ascii_digit());
    text.split_once(':').is_some_and(|(minutes, seconds)| digits(minutes) && digits(seconds))
}

async fn both_write(Cast { bram, customer, .. }: &Cast) {
    customer.browser.types(&id("wb-input"), "One more").await;
    bram.browser.until("the customer is seen typing", &format!("text({:?})", id("customer-typing"))).await;
    customer.browser.types(&id("wb-input"), " thing: it is my grandmother's.").await;
    customer.browser.click(&id("wb-send")).await;
    bram.reads("from_customer", "One more thing: it is my grandmother's.").await;

    bram.browser.types(&id("reply"), "Then we").await;
    customer.browser.until("the agent is seen typing", &format!("text({:?})", id("wb-typing"))).await;
    bram.browser.types(&id("reply"), " mend it with care.").await;
    bram.browser.click(&id("reply-send")).await;
    customer.reads("Then we mend it with care.").await;

    let long = "It was knitted in the winter of 1962, by the stove. ".repeat(60);
    let long = long.trim();
    for text in [SIGNS, MARKUP, long] {
        customer.writes(text).await;
        bram.reads("from_customer", text).await;
        let answer = format!("You wrote: {text}");
        bram.writes(&answer).await;
        customer.reads(&answer).await;
    }
    bram.shows_text_only().await;
    customer.shows_text_only().await;
    same_on_both_sides(bram, customer).await;
}

async fn same_on_both_sides(agent: &Agent, customer: &Customer) {
    let at_desk = agent.thread().await;
    customer.has_all(&as_customer(&at_desk)).await;
}

async fn pages_are_loaded_anew(Cast { bram, customer, .. }: &Cast) {
    let before = bram.thread().await;
    bram.browser.reload().await;
    bram.is_live().await;
    bram.has_again(&before).await;

    let before = customer.thread().await;
    customer.comes_back().await;
    customer.has_all(&before).await;
    customer.is("with_agent").await;
}

async fn the_server_restarts(Cast { up, anna, bram, customer, .. }: &mut Cast) {
    for browser in [&anna.browser, &bram.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    up.process.signal("TERM");
    let status = up.process.wait(ENDED_WITHIN);
    assert!(status.success(), "{status}: {}", up.process.text());
    customer.is_offline().await;
    customer.writes(WHILE_DOWN).await;
    customer.has("queued", WHILE_DOWN).await;
    bram.writes(ANSWER_WHILE_DOWN).await;
    assert_eq!(bram.outgoing().await, 1);

    up.again().await;
    customer.has("recorded", WHILE_DOWN).await;
    bram.is_live().await;
    bram.reads("from_customer", WHILE_DOWN).await;
    bram.reads("from_agent", ANSWER_WHILE_DOWN).await;
    customer.reads(ANSWER_WHILE_DOWN).await;
    same_on_both_sides(bram, customer).await;
    anna.is_live().await;
    anna.browser.sees(r#"[data-testid="presence"][data-presence="online"]"#).await;
    for browser in [&anna.browser, &bram.browser, &customer.browser] {
        browser.is_quiet(&AWAY).await;
    }
}

async fn the_line_is_cut(Cast { bram, customer, .. }: &Cast) {
    customer.browser.line.cut();
    customer.is_offline().await;
    customer.writes(WHILE_CUT).await;
    customer.has("queued", WHILE_CUT).await;
    bram.writes("Are you still there?").await;
    bram.reads("from_agent", "Are you still there?").await;
    customer.browser.line.mend();
    customer.reads("Are you still there?").await;
    customer.has("recorded", WHILE_CUT).await;
    bram.reads("from_customer", WHILE_CUT).await;

    bram.browser.line.cut();
    bram.browser.sees(r#"[data-testid="state-line"][data-link="reconnecting"]"#).await;
    bram.writes("Now I was in a tunnel.").await;
    assert_eq!(bram.outgoing().await, 1);
    customer.writes("I can wait.").await;
    bram.browser.line.mend();
    bram.is_live().await;
    bram.reads("from_agent", "Now I was in a tunnel.").await;
    bram.reads("from_customer", "I can wait.").await;
    customer.reads("Now I was in a tunnel.").await;
    customer.has("recorded", "I can wait.").await;
    same_on_both_sides(bram, customer).await;
    for browser in [&bram.browser, &customer.browser] {
        browser.is_quiet(&AWAY).await;
    }
}

async fn handed_to_a_colleague(Cast { anna, bram, customer, .. }: &Cast) {
    bram.notes(NOTE).await;
    bram.writes("My colleague Anna knows all about moths.").await;
    customer.reads("My colleague Anna knows all about moths.").await;
    let before = bram.thread().await;
    bram.transfers_to("Anna").await;

    let offer = anna.offer().await;
    assert!(offer.words.contains(WHILE_CUT), "the offer has the customer's words: {}", offer.words);
    anna.accepts().await;
    anna.reads("note", NOTE).await;
    let history = anna.thread().await;
    assert_eq!(history.get(..before.len()), Some(before.as_slice()), "she sees what he saw");
    anna.writes("Moths are my favourite enemy. Send it in!").await;
    customer.reads("Moths are my favourite enemy. Send it in!").await;
    customer.writes("I will. Thank you both!").await;
    anna.reads("from_customer", "I will. Thank you both!").await;
    same_on_both_sides(anna, customer).await;
    customer.knows_nothing_of(NOTE).await;
}

async fn resolved_by_keyboard(Cast { anna, bram, customer, .. }: &Cast) {
    anna.resolves().await;
    customer.is("resolved").await;
    customer.browser.sees(r#"[data-testid="wb-entry"][data-kind="resolved"]"#).await;
    for agent in [anna, bram] {
        agent.browser.misses(&id("contact-item")).await;
        agent.has_no_offer().await;
    }
}

async fn the_owner_gets_them_back(Cast { anna, bram, customer, .. }: &Cast) {
    let again = "One last thing: where do I send it?";
    customer.writes(again).await;
    customer.has("recorded", again).await;
    let offer = anna.offer().await;
    assert!(offer.words.contains(again), "{}", offer.words);
    assert!(offer.history.contains("Moths are my favourite enemy"), "{}", offer.history);
    bram.has_no_offer().await;
    anna.accepts().await;
    customer.is("with_agent").await;
    anna.reads("from_customer", again).await;
    same_on_both_sides(anna, customer).await;
}

async fn a_draft_survives(Cast { up, anna, customer, .. }: &Cast) {
    let bus = up.bus().await;
    let stored = || async { bus.stream_usage("KV_DRAFTS").await.unwrap().last_seq };
    let before = stored().await;
    anna.browser.pastes(&id("reply"), DRAFT).await;
    eventually("the server keeps the draft", WITHIN, || async { (stored().await > before).then_some(()) })
        .await;
    // This browser forgets everything: what comes back comes from the server.
    let forget = anna.browser.run("sessionStorage.clear(); location.reload();", serde_json::json!([])).await;
    assert!(forget.is_ok(), "{forget:?}");
    anna.is_live().await;
    anna.browser.click(&id("contact-item")).await;
    anna.browser.until("the draft is there", &format!("shown({:?})?.value === {DRAFT:?}", id("reply"))).await;
    customer.knows_nothing_of(DRAFT).await;
    anna.browser.types(&id("reply"), " but now it is whole.").await;
    anna.browser.click(&id("reply-send")).await;
    customer.reads(&format!("{DRAFT} but now it is whole.")).await;
    anna.asks_for_all().await;
    same_on_both_sides(anna, customer).await;
}
