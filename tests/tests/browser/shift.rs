//! A whole shift in a few minutes: one agent, contact after contact, while messages come in at speed. The page neither grows nor
//! slows down; the bounds stand in the desk's README.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::Up;

use crate::browser::{ALT, Browser, ENTER, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::scene;

/// Contacts of a shift: the whole with `--slow`, else a part.
const WHOLE: usize = 200;
const SMALL: usize = 60;
/// Contacts after which the page has seen everything once: growth is counted from there.
const WARM: usize = 10;
/// How much more the page's scripts may hold at the end, bytes after a collection.
const HEAP_GROWTH_MAX: i64 = 16 * 1024 * 1024;
/// How many nodes of the page there may be more at the end, those that scripts still hold included.
const NODES_GROWTH_MAX: i64 = 4_000;
/// Elements in the page.
const ELEMENTS_MAX: u64 = 1_500;
/// What the page does about a key, from a key to the picture that shows it, and from sending to the words in the conversation:
/// 19 of 20, ms. The last two are generous, since other tests keep the machine busy and pictures are drawn without a card here.
const WORK_MS_MAX: f64 = 50.0;
const KEY_MS_MAX: f64 = 500.0;
const SHOWN_MS_MAX: f64 = 500.0;
/// How often somebody else writes meanwhile.
const CHATTER_EVERY: Duration = Duration::from_millis(250);

/// Counts in the page: every key that took longer than a frame, and how long sent words take to stand there.
const WATCH: &str = r#"
window.keys = [];
window.work = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.name !== 'keydown') continue;
    window.keys.push(entry.duration);
    window.work.push(entry.processingEnd - entry.processingStart);
  }
}).observe({ type: 'event', durationThreshold: 16, buffered: true });
window.sent = [];
let at = null;
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.dataset.testid === 'reply' && event.target.value.trim() !== '') at = performance.now();
}, true);
new MutationObserver((changes) => {
  const isWords = (node) => node.nodeType === 1 && (node.matches('[data-testid="outgoing"], [data-kind="from_agent"]'));
  if (at === null || !changes.some((change) => [...change.addedNodes].some(isWords))) return;
  const from = at;
  at = null;
  requestAnimationFrame(() => setTimeout(() => window.sent.push(performance.now() - from)));
}).observe(document.body, { childList: true, subtree: true });
return true;
"#;

/// What the page holds once nothing is left to collect.
struct Held {
    heap: i64,
    nodes: i64,
    elements: u64,
}

impl Held {
    async fn by(browser: &Browser) -> Self {
        for _ in 0..2 {
            browser.cdp("HeapProfiler.collectGarbage", json!({})).await;
        }
        let heap = browser.cdp("Runtime.getHeapUsage", json!({})).await["usedSize"].as_f64().unwrap();
        let nodes = browser.cdp("Memory.getDOMCounters", json!({})).await["nodes"].as_i64().unwrap();
        let elements = browser.read("document.getElementsByTagName('*').length").await.as_u64().unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "bytes of a page's memory")]
        let heap = heap as i64;
        Self { heap, nodes, elements }
    }
}

/// The customers, by the HTTP API.
#[derive(Clone)]
struct Customers {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Customers {
    fn of(up: &Up) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { client, url: format!("{}/api/v1/messages", up.url()), key: up.admin_key() }
    }

    async fn write(&self, from: &str, text: &str) {
        let body = json!({
            "account": "shop",
            "id": uuid::Uuid::now_v7(),
            "from": { "value": from, "name": format!("Customer {from}") },
            "category": "question",
            "text": text,
        });
        let sent = self.client.post(&self.url).bearer_auth(&self.key).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), 202);
    }
}

/// Somebody who writes and writes, beside all that is done; gives how many messages.
async fn chatters(customers: Customers, is_over: Arc<AtomicBool>) -> u32 {
    let mut said = 0_u32;
    let mut pace = tokio::time::interval(CHATTER_EVERY);
    while !is_over.load(Ordering::Relaxed) {
        pace.tick().await;
        customers.write("chatter", &format!("And another thing, number {said}.")).await;
        said += 1;
    }
    said
}

/// One contact from the offer to the end of the wrap-up, by keys alone.
async fn works(anna: &Agent, customers: &Customers, n: usize) {
    let browser = &anna.browser;
    let from = format!("c{n}");
    customers.write(&from, &format!("Where is parcel {n}?")).await;
    browser.sees(&id("offer")).await;
    browser.press(&[ALT, "a"]).await;
    browser.says(&id("conversation-name"), &format!("Customer {from}")).await;
    browser.until("the composer has the focus", "document.activeElement?.dataset.testid === 'reply'").await;
    browser.keys(&format!("Good morning, I look for {n}.{ENTER}")).await;
    anna.reads("from_agent", &format!("Good morning, I look for {n}.")).await;
    customers.write(&from, &format!("Thank you, {n}.")).await;
    anna.reads("from_customer", &format!("Thank you, {n}.")).await;
    browser.keys("/its").await;
    browser.says(&id("picker-item"), "It is on its way").await;
    browser.keys(ENTER).await;
    let filled = format!("one({:?})?.value.startsWith('Dear Customer {from},')", id("reply"));
    browser.until("the answer is filled in", &filled).await;
    browser.keys(ENTER).await;
    anna.reads("from_agent", &format!("Dear Customer {from}, it is on its way. Anna")).await;
    anna.resolves().await;
}

/// The value below which 19 of 20 are, where `unseen` more were too small to be seen.
fn p95(values: &Value, unseen: usize) -> f64 {
    let mut seen: Vec<f64> = values.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    seen.sort_by(f64::total_cmp);
    let over = (seen.len() + unseen) / 20;
    seen.len().checked_sub(over + 1).and_then(|at| seen.get(at)).copied().unwrap_or(0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_neither_fills_nor_slows_the_page() {
    let total = if tests::slow() { WHOLE } else { SMALL };
    let rate = ("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND".to_owned(), "100000".to_owned());
    let up = Up::started_with(vec![rate]).await;
    scene::patient(&up).await;
    let canned = up.bus().await.ensure_bucket(&bus::places::canned()).await.unwrap();
    let answer =
        r#"{"title":"It is on its way","text":"Dear {customer}, it is on its way. {agent}","language":"en"}"#;
    canned.put("way", answer.into()).await.unwrap();
    let mut driver = Driver::start().await;
    let url = up.url();
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    let customers = Customers::of(&up);
    customers.write("chatter", "Are you there?").await;
    anna.offer().await;
    anna.accepts().await;
    anna.browser.run(WATCH, json!([])).await.unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let chatter = tokio::spawn(chatters(customers.clone(), Arc::clone(&is_over)));
    let begun = std::time::Instant::now();
    let mut warm = None;
    for n in 0..total {
        works(&anna, &customers, n).await;
        if n + 1 == WARM {
            warm = Some(Held::by(&anna.browser).await);
        }
    }
    let took = begun.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let said = chatter.await.unwrap();
    let (before, after) = (warm.unwrap(), Held::by(&anna.browser).await);
    let pressed = anna.browser.read("performance.eventCounts.get('keydown')").await.as_u64().unwrap();
    let keys = anna.browser.read("window.keys").await;
    let slow = keys.as_array().unwrap().len();
    let quick = usize::try_from(pressed).unwrap().saturating_sub(slow);
    let (key, work) = (p95(&keys, quick), p95(&anna.browser.read("window.work").await, quick));
    let sent = anna.browser.read("window.sent").await;
    let shown = p95(&sent, 0);
    let (heap, nodes) = (after.heap - before.heap, after.nodes - before.nodes);
    #[expect(clippy::print_stdout, reason = "the figures that are asked for")]
    {
        println!(
            "{total} contacts and {said} other messages in {took:.0?}: {} KiB of scripts, {} KiB more than after {WARM} contacts; \
             {} nodes, {nodes} more; {} elements; {pressed} keys, 19 of 20 worked at for {work:.0} ms and painted within {key:.0} ms (0: within a frame); \
             {} replies, 19 of 20 shown within {shown:.0} ms",
            after.heap / 1024,
            heap / 1024,
            after.nodes,
            after.elements,
            sent.as_array().unwrap().len()
        );
    }
    assert!(sent.as_array().unwrap().len() >= total * 2, "not all replies were seen: {sent}");
    assert!(heap <= HEAP_GROWTH_MAX, "the page's scripts hold {heap} bytes more");
    assert!(nodes <= NODES_GROWTH_MAX, "there are {nodes} nodes more");
    assert!(after.elements <= ELEMENTS_MAX, "{} elements stand in the page", after.elements);
    assert!(work <= WORK_MS_MAX, "19 of 20 keys held the page up for {work} ms");
    assert!(key <= KEY_MS_MAX, "19 of 20 keys were painted within {key} ms only");
    assert!(shown <= SHOWN_MS_MAX, "19 of 20 replies stood there within {shown} ms only");
    // Who the customer is may be asked for as their contact ends: it is not the agent's to read any more.
    anna.browser.is_quiet(&["/desk/customer/"]).await;
    scene::balances(&up).await;
}
