//! Drafts for one's regulars as an agent sees them: what has arrived, each draft with its words, sent with one click or let go.
//!
//! That an event becomes a draft, and goes to a customer's telephone, is `channels/arrival.rs`: here no customer can be written to
//! first, so the page is given drafts in place of the gateway's once it has shown that there are none.

use serde_json::json;
use tests::Up;

use crate::axe;
use crate::browser::id;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;

const DAY_MS: u64 = 86_400_000;

/// Two drafts; one that is sent is gone, and of the other a colleague was faster.
const GIVEN: &str = r#"
const draft = (sign, name, over) => ({
  customer: `idn_${sign.repeat(32)}`, channel: 'sms', account: 'shop', name, language: 'en', form_only: false, resolved: 2, last_at: Date.now() - 864e5,
  words: 'Dear {customer}, the coats are in: choose until {until}. {agent}', ...over,
});
let drafts = [draft('a', 'Jacoba Verkerk'), draft('b', 'Wim Smit', { channel: 'whatsapp', form_only: true })];
let sent = 0;
window.asked = [];
const real = window.fetch;
window.fetch = async (path, init) => {
  const json = (status, body) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
  if (path === '/desk/regulars') {
    return json(200, { arrivals: [{ id: 'winter', title: 'Winter collection', until: Date.now() + 4 * 864e5, sent, drafts }] });
  }
  const found = /^\/desk\/regulars\/winter\/(idn_.{32})\/send$/.exec(path);
  if (found === null) return real(path, init);
  window.asked.push(JSON.parse(init.body));
  const one = drafts.find((draft) => draft.customer === found[1]);
  drafts = drafts.filter((draft) => draft !== one);
  if (one.channel === 'whatsapp') return json(409, { code: 'written_already' });
  sent += 1;
  return json(200, { sent: true });
};
return true;
"#;

async fn tells(up: &Up) {
    let now = u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let arrival = json!({
        "id": "winter", "title": "Winter collection", "queue": "service", "suits": {"tags": ["vip"]},
        "words": {"en": "Dear {customer}, the coats are in. {agent}"}, "until": now + 4 * DAY_MS,
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/arrivals", up.url());
    let told = client.post(url).bearer_auth(up.admin_key()).json(&arrival).send().await.unwrap();
    assert_eq!(told.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_for_a_regular_is_sent_with_one_click() {
    let script = axe::script();
    let up = scene::started().await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    let browser = &anna.browser;
    browser.click(&id("page-regulars")).await;
    browser.sees(&id("regulars-none")).await;
    tells(&up).await;
    browser.reload().await;
    anna.is_live().await;
    browser.says(&id("arrival"), "Winter collection").await;
    browser.says(&id("arrival"), "Nobody is left").await;

    browser.run(GIVEN, json!([])).await.unwrap();
    browser.read("void (location.hash = 'desk')").await;
    browser.click(&id("page-regulars")).await;
    browser.says(&id("regular-draft"), "Jacoba Verkerk").await;
    let filled =
        format!("one({:?})?.value.startsWith('Dear Jacoba Verkerk, the coats are in')", id("regular-words"));
    browser.until("the words are hers", &filled).await;
    axe::finds_nothing(browser, &script, "drafts for regulars").await;
    shots.all(browser, "regulars", "en", &[("1280", 1280, 800), ("390", 390, 844)]).await;
    browser.resize(1280, 800).await;

    browser.click(&id("regular-send")).await;
    browser.says(&id("regulars-said"), "Sent to Jacoba Verkerk.").await;
    browser.says(&id("arrival-sent"), "You told one customer").await;
    browser
        .until("one was asked for", "window.asked.length === 1 && /^cmd_/.test(window.asked[0].command)")
        .await;
    browser.until("her words went", "window.asked[0].text.endsWith('Anna')").await;
    browser.says(&id("regular-draft"), "Wim Smit").await;
    browser.click(&id("regular-send")).await;
    browser.says(&id("regulars-said"), "A colleague was faster").await;
    browser.misses(&id("regular-draft")).await;
}
