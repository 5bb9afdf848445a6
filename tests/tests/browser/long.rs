//! A conversation of thousands of messages: a part of it stands in the page, it scrolls without holding the browser up, and what
//! is read stays where it is while older messages come.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tests::Up;

use crate::browser::{ALT, ENTER, id};
use crate::busy_floor::tasks_ms;
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::pages::Shots;
use crate::scene;

/// Messages: the whole with `--slow`, else a part.
const WHOLE: u64 = 5_000;
const SMALL: u64 = 600;
/// Rows of the conversation that stand in the page at once.
const ROWS_MAX: u64 = 120;
/// Elements of the whole page.
const ELEMENTS_MAX: u64 = 1_500;
/// No task of the page may take longer, ms of the processor.
const TASK_MS_MAX: f64 = 200.0;

/// Scrolls up by so many pixels until it stands at the first message, and holds the place of what it reads at each step: the row
/// in view has to move by what was scrolled, whatever is loaded or measured meanwhile.
const SCROLL: &str = r#"
window.scrolled = null;
const box = one('[data-testid="thread"]');
const jumps = window.jumps = [];
let rows = 0, elements = 0, steps = 0;
const look = () => { const l = box.querySelector('.rows'); return [box.scrollTop, l.offsetTop, l.style.paddingTop, l.getBoundingClientRect().height, [...l.children].slice(0,60).map((n) => n.dataset.row + ':' + Math.round(n.getBoundingClientRect().top - top0) + '+' + n.getBoundingClientRect().height).filter((x, i, a) => i < 4 || x.includes('-' + seq0 + ':') || x.includes('-' + (seq0 + 1) + ':') || x.includes('-' + (seq0 - 1) + ':')).join(' ')]; };
let top0 = 0, seq0 = 0;
const step = () => {
  if (jumps.length >= 3) { window.scrolled = { jumps }; return; }
  const top = box.getBoundingClientRect().top;
  const all = [...box.querySelectorAll('[data-testid="entry"]')];
  rows = Math.max(rows, all.length);
  elements = Math.max(elements, document.getElementsByTagName('*').length);
  if (all[0].dataset.seq === '1' && box.scrollTop === 0) {
    window.scrolled = { jumps, rows, elements, steps };
    return;
  }
  const row = all.find((node) => node.getBoundingClientRect().top >= top);
  const { seq } = row.dataset;
  // Where its words end: its name may go once an older message of the same person stands before it.
  const before = row.getBoundingClientRect().bottom;
  const from = box.scrollTop;
  top0 = top; seq0 = Number(seq); const was = look();
  box.scrollTop -= arguments[0];
  const by = from - box.scrollTop;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const now = box.querySelector(`[data-testid="entry"][data-seq="${seq}"]`);
    const moved = now === null ? null : now.getBoundingClientRect().bottom - before;
    if (moved === null || Math.abs(moved - by) > 2) jumps.push([steps, seq, by, moved, was, look()]);
    steps += 1;
    setTimeout(step, by === 0 ? 50 : 0);
  }));
};
window.onerror = (m) => { window.broke = String(m); };
step();
"#;

/// So many messages of one customer; words of very different lengths.
async fn talks(up: &Up, count: u64) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (url, key) = (format!("{}/api/v1/messages", up.url()), up.admin_key());
    let words = "The tyres are not here yet, and the snow is. ";
    let sent = futures_util::stream::iter(1..=count).map(|n| {
        let body = json!({
            "account": "shop",
            "id": format!("talk-{n}"),
            "from": { "value": "petra", "name": "Petra Lang" },
            "category": "question",
            "text": format!("Number {n}. {}", words.repeat(usize::try_from((n * 7) % 11).unwrap())),
        });
        let request = client.post(&url).bearer_auth(&key).json(&body);
        async move { request.send().await.unwrap().status() }
    });
    // In order: a number is to stand where it belongs.
    let statuses: Vec<_> = sent.buffered(1).collect().await;
    assert!(statuses.iter().all(|status| *status == 202), "{:?}", statuses.iter().find(|one| **one != 202));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_scrolls_and_stays_where_it_is_read() {
    let count = if tests::slow() { WHOLE } else { SMALL };
    let rate = ("WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND".to_owned(), "100000".to_owned());
    let up = Up::started_with(vec![rate]).await;
    scene::patient(&up).await;
    let shots = Shots::new(up.folder());
    let mut driver = Driver::start().await;
    let url = up.url();
    talks(&up, 1).await;
    let anna =
        Agent::sign_in(driver.open_traced("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.offer().await;
    anna.accepts().await;
    talks(&up, count).await;
    let browser = &anna.browser;
    let last = format!("[data-testid=\"entry\"][data-seq=\"{}\"]", count + 1);
    browser.sees(&last).await;
    // A page that begins anew has the latest only.
    browser.reload().await;
    anna.is_live().await;
    browser.sees(&last).await;
    browser.trace().await;

    browser.run(SCROLL, json!([500])).await.unwrap();
    let mut tasks = Vec::new();
    let end = std::time::Instant::now() + std::time::Duration::from_mins(5);
    let found = loop {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        tasks.extend(tasks_ms(&browser.trace().await));
        let found = browser.read("window.scrolled").await;
        if found != Value::Null {
            break found;
        }
        assert!(std::time::Instant::now() < end, "it never came to the first message");
    };
    shots.take(browser, "long-conversation").await;
    let longest = tasks.iter().copied().fold(0.0, f64::max);
    #[expect(clippy::print_stdout, reason = "the figures that are asked for")]
    {
        println!(
            "{count} messages: {} steps of 500 px, at most {} rows and {} elements in the page, {} tasks, the longest {longest:.1} ms",
            found["steps"],
            found["rows"],
            found["elements"],
            tasks.len()
        );
    }
    assert_eq!(found["jumps"], json!([]), "what is read stays where it is");
    assert!(found["rows"].as_u64().unwrap() <= ROWS_MAX, "{found}");
    assert!(found["elements"].as_u64().unwrap() <= ELEMENTS_MAX, "{found}");
    assert!(tasks.len() > 100, "{} tasks were recorded", tasks.len());
    assert!(longest <= TASK_MS_MAX, "a task took {longest:.1} ms");

    // Words are found from the newest back, and the way to the newest is one key.
    browser.press(&[ALT, "f"]).await;
    browser.types(&id("find-words"), "number 7.").await;
    browser.sees(r#"[data-testid="entry"].found"#).await;
    let middle = "(() => { const row = one('.found').getBoundingClientRect(), box = one('[data-testid=\"thread\"]').getBoundingClientRect(); return row.top >= box.top && row.bottom <= box.bottom; })()";
    browser.until("it is in view", middle).await;
    browser.types(&id("find-words"), ENTER).await;
    browser.says(&id("find-told"), "1 of 1").await;
    browser.click(&id("find-close")).await;
    browser.click(&id("to-newest")).await;
    browser.sees(&last).await;
    browser.is_quiet(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_reply_is_taken_back_or_goes_also_when_its_page_is_left() {
    let up = scene::started().await;
    let mut driver = Driver::start().await;
    let url = up.url();
    talks(&up, 1).await;
    let anna = Agent::sign_in(driver.open("anna", &url).await, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    anna.offer().await;
    anna.accepts().await;
    let browser = &anna.browser;
    browser.click(&id("settings")).await;
    browser.types(&id("undo-seconds"), "for 10 seconds").await;
    browser.click(&id("dialog-close")).await;
    let value = format!("one({:?})?.value", id("reply"));

    anna.writes("To the wrong one").await;
    browser.sees(&id("outgoing-held")).await;
    browser.press(&[ALT, "u"]).await;
    browser.until("the words are back", &format!("{value} === 'To the wrong one'")).await;
    assert_eq!(anna.outgoing().await, 0);

    // Whoever leaves the page meant it: it goes at once, and once.
    browser.click(&id("reply-send")).await;
    browser.sees(&id("outgoing-held")).await;
    browser.visit("about:blank").await;
    browser.visit(&format!("{url}/desk")).await;
    anna.is_live().await;
    assert_eq!(browser.read(&format!("all({:?}).length", id("outgoing-held"))).await, 0);
    anna.reads("from_agent", "To the wrong one").await;
    browser.until("the composer stays empty", &format!("{value} === ''")).await;

    // What ends the contact asks for it first.
    anna.writes("Goodbye").await;
    browser.press(&[ALT, "e"]).await;
    browser.click(&id("resolve-send-now")).await;
    anna.reads("from_agent", "Goodbye").await;
    browser.press(&["1"]).await;
    browser.sees(&id("wrapup")).await;
    scene::balances(&up).await;
}
