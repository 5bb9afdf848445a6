//! Wrong messages over HTTP, and what becomes of those that are parked.

use protocol::input::InputBody;
use protocol::limits::TEXT_BYTES_MAX;
use serde_json::{Value, json};
use tests::look::DEMO_FLOOR;
use tests::{Product, log};

use crate::{message, with};

const PATH: &str = "/api/v1/messages";

struct Case {
    name: &'static str,
    body: Vec<u8>,
    status: u16,
    /// Of the problem; empty for what is taken.
    code: &'static str,
}

impl Case {
    fn new(name: &'static str, body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Self {
        Self { name, body: body.into(), status, code }
    }

    fn of(name: &'static str, message: &Value, status: u16, code: &'static str) -> Self {
        Self::new(name, message.to_string(), status, code)
    }

    /// What cannot be read or has no place to go is kept for a person.
    fn is_parked(&self) -> bool {
        matches!(self.code, "malformed" | "unknown_account")
    }
}

fn cases() -> Vec<Case> {
    let emoji = |bytes: usize| "\u{1f6b2}".repeat(bytes / 4);
    let mut nameless = message();
    nameless.as_object_mut().unwrap().remove("from");
    let mut cases = vec![
        Case::new("malformed", "{\"text\":\"Scheveningen", 400, "malformed"),
        Case::new("empty", "", 400, "malformed"),
        Case::new("not an object", "[1]", 400, "malformed"),
        Case::new("not UTF-8", b"{\"text\":\"Scheveningen \xff\xfe\"}", 400, "malformed"),
        Case::of("unknown field", &with("colour", "red"), 400, "malformed"),
        Case::of("missing field", &nameless, 400, "malformed"),
        Case::of("wrong type", &with("text", 7), 400, "malformed"),
        Case::of("text at the limit", &with("text", "x".repeat(TEXT_BYTES_MAX)), 202, ""),
        Case::of("one past", &with("text", "x".repeat(TEXT_BYTES_MAX + 1)), 422, "text_too_long"),
        Case::of("emoji at the limit", &with("text", emoji(TEXT_BYTES_MAX)), 202, ""),
        Case::of("64 KiB of emoji", &with("text", emoji(64 * 1024)), 422, "text_too_long"),
        Case::of("no words", &with("text", " \n"), 422, "text_empty"),
        Case::of("body too large", &with("text", "x".repeat(1 << 20)), 413, "body_too_large"),
        Case::new("too large to park", "x".repeat(512 * 1024), 413, "too_large_to_keep"),
        Case::of("unknown account", &with("account", "market"), 404, "unknown_account"),
        Case::of("id with dots and wildcards", &with("id", "a.*.>"), 202, ""),
        Case::of("id of spaces and quotes", &with("id", " \" '\t"), 202, ""),
        Case::of("a clock in 1970", &with("sent_at", 1), 202, ""),
        Case::of("a clock in 2100", &with("sent_at", 4_102_444_800_000_u64), 202, ""),
        Case::of("a clock before time", &with("sent_at", -1), 400, "malformed"),
    ];
    let facts = [
        ("facts with one word", serde_json::json!({"tier": "gold"})),
        ("a fact that is no value", serde_json::json!({"customer.tier": ["gold"]})),
        ("a fact of half a cent", serde_json::json!({"order.value": 0.5})),
        ("a fact as long as a letter", serde_json::json!({"customer.tier": "x".repeat(65)})),
    ];
    cases.extend(facts.map(|(name, facts)| Case::of(name, &with("facts", facts), 422, "facts_malformed")));
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("a.b{n}"), n.into())).collect();
    cases.push(Case::of("101 facts", &with("facts", many), 422, "too_many_facts"));
    cases.push(Case::of(
        "facts that nobody declared",
        &with("facts", serde_json::json!({"a.b": 1})),
        202,
        "",
    ));
    for hostile in ["*", ">", "a.b", "shop.>", "sh op", "$JS.API.>", ""] {
        cases.push(Case::of("account as a subject", &with("account", hostile), 404, "unknown_account"));
        cases.push(Case::of("category as a subject", &with("category", hostile), 422, "category_malformed"));
    }
    cases
}

/// Sends them all; gives how many were parked.
pub(crate) async fn wrong_messages(product: &Product) -> usize {
    let key = product.admin_key();
    let mut parked = 0;
    for case in cases() {
        let name = case.name;
        let counter = match (case.is_parked(), case.code) {
            (true, code) => format!("parked_total{{channel=\"api\",reason=\"{code}\"}}"),
            (false, "") => "messages_received_total{channel=\"api\"}".to_owned(),
            (false, code) => format!("refused_total{{channel=\"api\",reason=\"{code}\"}}"),
        };
        let before = product.metric("rest", &counter).await;
        let answer = product.post("rest", PATH, &key, case.body.clone()).await;
        assert_eq!(answer.status, case.status, "{name}: {answer:?}");
        if case.status == 202 {
            assert!(answer.body["input_seq"].as_u64().is_some(), "{name}: {answer:?}");
        } else {
            assert_eq!(answer.problem().1, case.code, "{name}: {answer:?}");
        }
        assert_eq!(answer.body.get("parked").is_some(), case.is_parked(), "{name}: {answer:?}");
        let counted = product.metric("rest", &counter).await - before;
        assert!((counted - 1.0).abs() < f64::EPSILON, "{name} counts once as {counter}, not {counted}");
        parked += usize::from(case.is_parked());
    }
    keys(product).await;
    clocks(product).await;
    other_content(product).await;
    parked
}

async fn keys(product: &Product) {
    let unauthorized = "refused_total{channel=\"api\",reason=\"unauthorized\"}";
    for key in ["wrong", "*", &"k".repeat(600)] {
        let answer = product.post("rest", PATH, key, message().to_string()).await;
        assert_eq!(answer.problem(), (401, "unauthorized"), "{answer:?}");
    }
    let url = product.url("rest") + PATH;
    let answer = reqwest::Client::new().post(url).body(message().to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    product.metric_until("rest", unauthorized, |count| (count - 4.0).abs() < f64::EPSILON).await;
}

/// A time that cannot be believed is not kept; the words are.
async fn clocks(product: &Product) {
    let ignored = "refused_total{channel=\"api\",reason=\"sent_at_ignored\"}";
    assert!((product.metric("rest", ignored).await - 2.0).abs() < f64::EPSILON);
    let inputs = log::inputs(&product.bus().await).await;
    let believed = inputs.iter().filter(|(_, input)| match &input.body {
        InputBody::Message(message) => message.sent_at.is_some(),
        _ => false,
    });
    assert_eq!(believed.count(), 0);
}

/// The same id with the same content is the same message, with other content a matter for a person.
async fn other_content(product: &Product) {
    let key = product.admin_key();
    let mut message = message();
    let first = product.post("rest", PATH, &key, message.to_string()).await;
    let again = product.post("rest", PATH, &key, message.to_string()).await;
    assert_eq!((again.status, &again.body["message"]), (202, &first.body["message"]));
    assert_eq!(again.body["duplicate"], true);
    message["text"] = json!("Scheveningen, no: Kijkduin");
    let other = product.post("rest", PATH, &key, message.to_string()).await;
    assert_eq!((other.status, &other.body["duplicate"]), (202, &json!(false)), "{other:?}");
    let differs = "parked_total{channel=\"api\",reason=\"content_differs\"}";
    product.metric_until("routing", differs, |count| (count - 1.0).abs() < f64::EPSILON).await;
}

/// What is parked is listed without its words, shown to who asks for them, and taken once it can be.
pub(crate) async fn parked_is_visible_and_replayable(product: &Product, parked: usize) {
    let listed = product.get("rest", "/api/v1/parked?limit=500").await;
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), parked + 1, "with the one of other content: {listed:?}");
    assert!(!listed.body.to_string().contains("Scheveningen"));
    let (code, out, err) = product.command(&["parked"]).await;
    assert_eq!(code, 0, "{err}");
    for item in items {
        assert!(out.contains(item["id"].as_str().unwrap()), "{out}");
        assert!(item.get("bytes").is_none() && item["detail"].as_str().unwrap().len() > 10, "{item}");
    }
    let of = |account: &Value, reason: &str| {
        let found = items.iter().find(|item| item["account"] == *account && item["reason"] == reason);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let unreadable = of(&Value::Null, "malformed");
    let (_, shown, _) = product.command(&["parked", "show", &unreadable]).await;
    assert!(shown.contains("Scheveningen"), "{shown}");
    let key = product.admin_key();
    let replay = |id: &str| format!("/api/v1/parked/{id}/replay");
    let answer = product.post("rest", &replay(&unreadable), &key, "").await;
    assert_eq!(answer.problem(), (400, "malformed"), "still wrong, and parked already");
    let market = of(&json!("market"), "unknown_account");
    let answer = product.post("rest", &replay(&market), &key, "").await;
    assert_eq!(answer.problem(), (404, "unknown_account"));
    let account =
        "\n[[account]]\nchannel = 'api'\nname = 'market'\ntitle = 'Market'\nqueue = 'orders'\npriority = 2\n";
    let (code, _, err) = product.apply("rest", &format!("{DEMO_FLOOR}{account}")).await;
    assert_eq!(code, 0, "{err}");
    let answer = product.post("rest", &replay(&market), &key, "").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let again = product.post("rest", &replay(&market), &key, "").await;
    assert_eq!(again.problem(), (404, "not_parked"), "it is a message now, and parked no more");
    let nobody = protocol::ParkedId(uuid::Uuid::now_v7());
    let answer = product.post("rest", &replay(&nobody.to_string()), &key, "").await;
    assert_eq!(answer.problem(), (404, "not_parked"));
}
