//! The shop over HTTP, as the product calls it: in process, and as a process that is killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reference_shop::{At, Fault, Shop, TakenPage, When};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "a token for tests";
/// For an answer that must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// After which an answer counts as missing.
const TIMEOUT: Duration = Duration::from_millis(300);

struct Open {
    shop: Shop,
    url: String,
    client: reqwest::Client,
    serving: JoinHandle<std::io::Result<()>>,
    cancel: CancellationToken,
}

async fn open(folder: &Path) -> Open {
    let shop = Shop::open(folder, TOKEN).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cancel = CancellationToken::new();
    let serving = tokio::spawn(shop.clone().serve(listener, cancel.clone()));
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    Open { shop, url, client, serving, cancel }
}

impl Open {
    async fn put(&self, id: &str, body: &Value) -> (StatusCode, Value) {
        put(&self.client, &self.url, id, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(TOKEN).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn facts(&self, about: Value, names: &[&str]) -> (StatusCode, Value) {
        let question = json!({ "about": about, "names": names });
        let asked = self.client.post(format!("{}/facts", self.url)).bearer_auth(TOKEN).json(&question);
        let answer = asked.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// As a machine that loses its power.
    async fn die(self) {
        self.serving.abort();
        drop(self.serving.await);
    }
}

async fn put(
    client: &reqwest::Client,
    url: &str,
    id: &str,
    body: &Value,
) -> reqwest::Result<(StatusCode, Value)> {
    let answer = client.put(format!("{url}/orders/{id}")).bearer_auth(TOKEN).json(body).send().await?;
    Ok((answer.status(), answer.json().await?))
}

fn refund(contact: &str, cents: i64) -> Value {
    json!({ "kind": "refund", "cents": cents, "currency": "EUR", "reason": "not_ours", "contact": contact })
}

fn on_order(kind: &str, order: &str, cents: i64) -> Value {
    json!({ "kind": kind, "cents": cents, "currency": "EUR", "order": order, "reason": "defect", "contact": "con_1_0" })
}

#[tokio::test]
async fn the_same_order_gets_the_same_answer_and_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    assert_eq!(open.get("/orders/rem_1_0").await.0, StatusCode::NOT_FOUND);
    let (status, first) = open.put("rem_1_0", &refund("con_1_0", 60_000)).await;
    assert_eq!((status, &first["status"]), (StatusCode::OK, &json!("done")));
    let mut with_nulls = refund("con_1_0", 60_000);
    with_nulls["due"] = Value::Null;
    assert_eq!(open.put("rem_1_0", &with_nulls).await, (StatusCode::OK, first.clone()));
    assert_eq!(open.get("/orders/rem_1_0").await, (StatusCode::OK, first.clone()));

    let reused = open.put("rem_1_0", &refund("con_1_0", 1)).await;
    assert_eq!(reused, (StatusCode::CONFLICT, json!({ "status": "failed", "reason": "id_reused" })));
    let given = open.put("rem_2_0", &refund("con_1_0", 60_000)).await;
    assert_eq!(given, (StatusCode::CONFLICT, json!({ "status": "failed", "reason": "already_given" })));
    let mut knowing = refund("con_1_0", 500);
    knowing["on_top_of"] = json!("rem_1_0");
    assert_eq!(open.put("rem_3_0", &knowing).await.0, StatusCode::OK);
    assert_eq!(open.put("rem_4_0", &refund("con_9_0", 60_000)).await.0, StatusCode::OK, "another customer");

    let (_, list) = open.get("/orders?after=0").await;
    let list: TakenPage = serde_json::from_value(list).unwrap();
    let ids: Vec<&str> = list.orders.iter().map(|taken| taken.id.as_str()).collect();
    assert_eq!(ids, ["rem_1_0", "rem_3_0", "rem_4_0"]);
    assert_eq!(list.orders[0].reference.as_deref(), first["reference"].as_str());
    let (_, rest) = open.get(&format!("/orders?after={}", list.orders[1].n)).await;
    assert_eq!((rest["orders"].as_array().unwrap().len(), &rest["next"]), (1, &json!(list.next)));
    let (_, none) = open.get(&format!("/orders?after={}", u64::MAX)).await;
    assert_eq!(none, json!({ "orders": [], "next": u64::MAX }));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_of_the_same_at_once_are_one_refund() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let tries = (0..64).map(|n| {
        let (client, url) = (open.client.clone(), open.url.clone());
        // Half come again under the same id, half as another desk's order for the same thing.
        let id = if n % 2 == 0 { "rem_1_0".to_owned() } else { format!("rem_{n}_0") };
        tokio::spawn(async move { put(&client, &url, &id, &refund("con_1_0", 60_000)).await.unwrap() })
    });
    let mut done = BTreeSet::new();
    let mut refused = 0;
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            (StatusCode::OK, answer) => drop(done.insert(answer["reference"].as_str().unwrap().to_owned())),
            (status, answer) => {
                assert_eq!((status, &answer["reason"]), (StatusCode::CONFLICT, &json!("already_given")));
                refused += 1;
            }
        }
    }
    assert_eq!(done.len(), 1, "one reference for all");
    assert!(refused >= 31, "{refused}");
    assert_eq!(open.shop.taken(0).unwrap().orders.len(), 1);
}

#[tokio::test]
async fn what_was_written_and_not_answered_is_answered_the_same_after_a_death() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    first.shop.faults().set(At::Put, Fault::Drop, When::After);
    let body = json!({ "kind": "voucher", "cents": 40_000, "currency": "EUR", "contact": "con_1_0" });
    assert!(put(&first.client, &first.url, "rem_1_0", &body).await.is_err(), "broken off");
    first.die().await;

    let second = open(folder.path()).await;
    let (status, answer) = second.put("rem_1_0", &body).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("done")));
    assert_eq!(second.get("/orders/rem_1_0").await.1, answer);
    let vouchers = second.shop.vouchers().unwrap();
    assert_eq!(vouchers.len(), 1);
    assert_eq!(
        (vouchers[0].code.as_str(), vouchers[0].cents),
        (answer["reference"].as_str().unwrap(), 40_000)
    );
}

#[tokio::test]
async fn what_cannot_be_done_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let failed =
        |reason: &str| (StatusCode::UNPROCESSABLE_ENTITY, json!({ "status": "failed", "reason": reason }));
    let too_much = on_order("refund", "A-1003", 8_001);
    assert_eq!(open.put("rem_1_0", &too_much).await, failed("more_than_paid"));
    assert_eq!(open.get("/orders/rem_1_0").await.0, StatusCode::NOT_FOUND);
    assert_eq!(open.put("rem_1_0", &on_order("refund", "A-1003", 8_000)).await.0, StatusCode::OK, "in full");
    let mut more = on_order("refund", "A-1003", 1);
    more["on_top_of"] = json!("rem_1_0");
    assert_eq!(open.put("rem_2_0", &more).await, failed("more_than_paid"));
    more["kind"] = json!("voucher");
    assert_eq!(open.put("rem_2_0", &more).await.0, StatusCode::OK, "a voucher returns no payment");
    assert_eq!(open.put("rem_3_0", &on_order("refund", "B-77", 60_000)).await.0, StatusCode::OK, "not ours");

    assert_eq!(open.put("rem_4_0", &refund("con_2_0", -1)).await, failed("bad_amount"));
    assert_eq!(open.put("rem_4_0", &json!({ "kind": "refund" })).await, failed("malformed"));
    assert_eq!(open.put("rem_4_0", &json!(["refund"])).await, failed("malformed"));
    let mut surplus = refund("con_2_0", 1);
    surplus["gift"] = json!(true);
    assert_eq!(open.put("rem_4_0", &surplus).await, failed("malformed"));
    let ids: Vec<String> = open.shop.taken(0).unwrap().orders.into_iter().map(|taken| taken.id).collect();
    assert_eq!(ids, ["rem_1_0", "rem_2_0", "rem_3_0"]);
}

#[tokio::test]
async fn only_who_has_the_token_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let order = format!("{}/orders/rem_1_0", open.url);
    let without = open.client.put(&order).json(&refund("con_1_0", 1)).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    for wrong in ["", "a token for test", "a token for testsx", "A token for tests"] {
        let given =
            open.client.put(&order).bearer_auth(wrong).json(&refund("con_1_0", 1)).send().await.unwrap();
        assert_eq!(given.status(), StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
    assert!(open.shop.taken(0).unwrap().orders.is_empty());
}

#[tokio::test]
async fn facts_are_of_the_order_its_customer_and_whom_the_shop_knows() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let names = ["order.days_late", "order.delivered", "order.status", "order.recalled", "order.paid_cents"];
    let of = async |order: &str| open.facts(json!({ "order": order }), &names).await.1["facts"].clone();
    assert_eq!(
        of("A-1001").await,
        json!({ "order.days_late": 0, "order.delivered": true, "order.status": "delivered",
                "order.recalled": false, "order.paid_cents": 40_000 })
    );
    let late = of("A-1005").await;
    assert_eq!((&late["order.days_late"], &late["order.status"]), (&json!(2), &json!("sent")));
    assert_eq!(of("A-1004").await["order.recalled"], json!(true));
    let (_, answer) = open.facts(json!({ "order": "A-1001" }), &["customer.tier", "order.colour"]).await;
    assert_eq!(answer["facts"], json!({ "customer.tier": "regular" }), "what is not known is left out");
    assert!(answer["at"].as_u64().unwrap() > 1_704_067_200_000);
    assert_eq!(open.facts(json!({ "order": "B-1" }), &names).await.0, StatusCode::NOT_FOUND);

    let identity = "idn_00000000000000000000000000000001";
    let customer = ["customer.orders_last_year", "customer.failures_90d"];
    assert_eq!(open.facts(json!({ "identity": identity }), &customer).await.0, StatusCode::NOT_FOUND);
    for (who, orders, failures) in [("C-1", 8, 0), ("C-6", 3, 3)] {
        let link = format!("{}/customers/{identity}", open.url);
        let linked = open.client.put(link).bearer_auth(TOKEN).json(&json!({ "customer": who })).send().await;
        assert_eq!(linked.unwrap().status(), StatusCode::NO_CONTENT);
        let (_, answer) = open.facts(json!({ "identity": identity }), &customer).await;
        let expected = json!({ "customer.orders_last_year": orders, "customer.failures_90d": failures });
        assert_eq!(answer["facts"], expected, "{who}");
    }
    open.put("rem_1_0", &on_order("refund", "A-1001", 40_000)).await;
    assert_eq!(of("A-1001").await["order.status"], json!("returned"));
}

#[tokio::test]
async fn the_page_shows_what_was_done_and_neither_codes_nor_markup() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let mut body = json!({ "kind": "voucher", "cents": 40_000, "currency": "EUR", "contact": "con_1_0" });
    body["order"] = json!("<script>alert(1)</script>");
    body["words"] = json!("for Mrs Jansen, who was so patient");
    let (_, answer) = open.put("rem_1_0", &body).await;
    let page = reqwest::get(&open.url).await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = page.text().await.unwrap();
    let code = answer["reference"].as_str().unwrap();
    assert!(page.contains("EUR 400.00") && page.contains("rem_1_0") && page.contains("A-1001"), "{page}");
    assert!(page.contains(code.get(..7).unwrap()) && !page.contains(code), "{page}");
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("Jansen"), "{page}");
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    let hasty = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap();
    let try_once = async |n: u32, fault, when| {
        open.shop.faults().set(At::Put, fault, when);
        let (id, body) = (format!("rem_{n}_0"), refund(&format!("con_{n}_0"), 100));
        let sent = hasty.put(format!("{}/orders/{id}", open.url)).bearer_auth(TOKEN).json(&body).send().await;
        let text = match sent {
            Ok(answer) => Ok((answer.status().as_u16(), answer.text().await.unwrap())),
            Err(error) => Err(error.is_timeout()),
        };
        open.shop.faults().clear();
        (text, open.get(&format!("/orders/{id}")).await.0 == StatusCode::OK)
    };
    assert_eq!(try_once(1, Fault::Never, When::Before).await, (Err(true), false));
    assert_eq!(try_once(2, Fault::Never, When::After).await, (Err(true), true));
    assert_eq!(try_once(3, Fault::Late(PATIENCE), When::After).await, (Err(true), true));
    assert_eq!(try_once(4, Fault::Drop, When::Before).await, (Err(false), false));
    assert_eq!(try_once(5, Fault::Drop, When::After).await, (Err(false), true));
    assert_eq!(try_once(6, Fault::Broken, When::Before).await, (Ok((500, String::new())), false));
    let (nonsense, taken) = try_once(7, Fault::Nonsense, When::After).await;
    assert!(nonsense.unwrap().1.starts_with("<html>") && taken);
    let (twice, taken) = try_once(8, Fault::TwiceBody, When::After).await;
    assert!(twice.unwrap().1.matches("\"status\"").count() == 2 && taken);
    let (pending, taken) = try_once(9, Fault::Pending, When::After).await;
    assert_eq!((pending, taken), (Ok((202, "{\"status\":\"pending\"}".to_owned())), true), "and done later");
}

#[tokio::test]
async fn a_shop_that_closes_lets_running_requests_end() {
    let folder = tempfile::tempdir().unwrap();
    let open = open(folder.path()).await;
    open.shop.faults().set(At::Put, Fault::Late(TIMEOUT), When::After);
    let (client, url) = (open.client.clone(), open.url.clone());
    let running = tokio::spawn(async move { put(&client, &url, "rem_1_0", &refund("con_1_0", 100)).await });
    while open.shop.taken(0).unwrap().orders.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    open.cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap().0, StatusCode::OK);
    open.serving.await.unwrap().unwrap();
}

/// The executable, listening on a port of the system's choice.
fn process(folder: &Path) -> (Child, String) {
    let token = folder.join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_reference-shop"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("books"))
        .arg("--token-file")
        .arg(token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    (child, url)
}

#[tokio::test]
async fn a_killed_process_answers_the_same_again_and_a_signal_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let (mut child, url) = process(folder.path());
    let first = put(&client, &url, "rem_1_0", &refund("con_1_0", 60_000)).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, url) = process(folder.path());
    assert_eq!(put(&client, &url, "rem_1_0", &refund("con_1_0", 60_000)).await.unwrap(), first);
    drop(client);
    for signal in ["-TERM", "-INT"] {
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success(), "{signal}");
        child = process(folder.path()).0;
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_short_token_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "short").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_reference-shop"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .arg("--token-file")
        .arg(&token)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("shorter than 16"));
}
