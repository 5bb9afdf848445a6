//! What other systems do: acts on contacts, bots without a desk, orders that are fetched. Over HTTP, and the same over the bus.

use bus::places;
use protocol::act::Act;
use protocol::api::RemedyOrder;
use protocol::command::Command;
use protocol::content::Content;
use protocol::edge::{EdgeKind, GuestQuestion};
use protocol::integration::order::{ORDERS_PAGE_MAX, OrderRow, order_key};
use protocol::remedies::OrderAnswer;
use protocol::streams::{CONTACTS, INBOUND};
use protocol::{InputBody, Millis, RemedyId, SubjectToken};
use serde_json::{Value, json};

use crate::edge::guest::{Integrated, asked, integrate};
use crate::feed::{identity, opens};
use crate::house::{House, config, message};

const ALL: [&str; 7] = [
    "messages.write",
    "facts.write",
    "events.read",
    "contacts.read",
    "contacts.write",
    "bots.act",
    "orders.answer",
];

/// A contact whose place no input of the test has, so that the record of each input is found.
async fn contact(house: &House) -> String {
    let contact = opens(house, 1, "where is my parcel").await;
    assert_eq!(house.post("messages", message("between", "hello")).await.0, 202);
    house.until(async || house.bus.stream_usage(CONTACTS).await.unwrap().last_seq > contact.log_seq).await;
    contact.to_string()
}

async fn acts(house: &House) -> Vec<(SubjectToken, Act)> {
    let inputs = house.inputs().await.into_iter();
    inputs
        .filter_map(|input| {
            let InputBody::Integration(asked) = input.body else { return None };
            Some((asked.integration, asked.act))
        })
        .collect()
}

async fn commands(house: &House) -> Vec<Command> {
    let inputs = house.inputs().await.into_iter();
    inputs
        .filter_map(|input| {
            let InputBody::Command(asked) = input.body else { return None };
            Some(asked.command)
        })
        .collect()
}

/// A key that speaks for an integration.
async fn key_of(house: &House, integration: &str, scopes: &[&str]) -> String {
    let body = json!({"name": integration, "scopes": scopes, "integration": integration});
    let (status, made) = house.post("keys", body.to_string()).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap().to_owned();
    house.until(async || house.get_with(&key, "orders").await.0 != 401).await;
    key
}

#[tokio::test]
async fn a_contact_is_tagged_filled_in_and_annotated() {
    let house = House::open().await;
    let contact = contact(&house).await;
    let path = format!("contacts/{contact}/acts");
    let (status, done) = house.post(&path, r#"{"tags": {"add": ["vip"]}}"#).await;
    assert_eq!((status, &done["done"], &done["contact"]), (200, &json!(true), &json!(contact)), "{done}");
    let id = "cmd_01890a5d0000700080000000000000aa";
    let note = json!({"id": id, "note": "called, nobody there"}).to_string();
    let (status, first) = house.post(&path, &note).await;
    assert_eq!((status, &first["id"]), (200, &json!(id)), "{first}");
    let (status, again) = house.post(&path, &note).await;
    assert_eq!((status, &again["duplicate"], &again["input_seq"]), (200, &json!(true), &first["input_seq"]));
    let (status, refused) = house.post(&path, r#"{"tags": {"add": ["nobody-knows"]}}"#).await;
    assert_eq!((status, &refused["code"]), (422, &json!("unknown_tag")), "{refused}");
    let found = acts(&house).await;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(integration, _)| integration.as_str() == "api"), "a key without a name");
    let Act::Annotate { body, message, .. } = &found[1].1 else { panic!("{:?}", found[1]) };
    assert_eq!(message.to_string(), id.replace("cmd_", "msg_"), "the same act is the same note");
    let words = house.sealer.unseal(body).await.unwrap();
    assert_eq!(serde_json::from_slice::<Content>(&words).unwrap().text, "called, nobody there");
    house.holds_nowhere(INBOUND, &["nobody there"]).await;
    for (body, code) in [
        (json!({}), "one_act"),
        (json!({"note": "x", "tags": {"add": ["vip"]}}), "one_act"),
        (json!({"note": " "}), "text_empty"),
        (json!({"note": "x".repeat(16 * 1024 + 1)}), "text_too_long"),
        (json!({"words": "x"}), "invalid_body"),
    ] {
        let (status, refused) = house.post(&path, body.to_string()).await;
        assert_eq!((status, &refused["code"]), (422, &json!(code)), "{body}");
    }
    assert_eq!(house.post(&path, json!({"note": "x".repeat(16 * 1024)}).to_string()).await.0, 200);
    for path in ["contacts/con_9_9/acts", "contacts/nonsense/acts"] {
        assert_eq!(house.post(path, r#"{"note": "x"}"#).await.1["code"], "unknown_contact", "{path}");
    }
    let other = json!({"contact": "con_9_9", "tags": {"add": ["vip"]}});
    assert_eq!(house.post(&path, other.to_string()).await.1["code"], "unknown_contact");
    house.close().await;
}

#[tokio::test]
async fn an_integration_acts_in_its_own_name_and_only_with_the_right_to() {
    let house = House::open().await;
    let contact = contact(&house).await;
    let crm = integrate(&house, json!({"name": "crm", "scopes": ALL})).await;
    let act = json!({"contact": contact, "fields": {"cause": "late", "old": null}}).to_string();
    let done = crm.ask(&house, EdgeKind::Act, "a-1", &act).await;
    assert_eq!((&done["status"], &done["done"]), (&json!(202), &json!(true)), "{done}");
    let again = crm.ask(&house, EdgeKind::Act, "a-2", &json!({"note": "x"}).to_string()).await;
    assert_eq!(again["code"], "contact_missing");
    let refused = json!({"contact": contact, "tags": {"add": ["nobody-knows"]}}).to_string();
    assert_eq!(crm.ask(&house, EdgeKind::Act, "a-3", &refused).await["code"], "unknown_tag");
    let found = acts(&house).await;
    assert!(found.iter().all(|(integration, _)| integration.as_str() == "crm"));
    let Act::SetFields { fields, .. } = &found[0].1 else { panic!("{:?}", found[0]) };
    assert_eq!(serde_json::to_value(fields).unwrap(), json!({"cause": "late", "old": null}));
    let plain = integrate(&house, json!({"name": "plain"})).await;
    for (kind, id) in [(EdgeKind::Act, "a-1"), (EdgeKind::Command, "a-2"), (EdgeKind::Order, "rem_1_1")] {
        assert_eq!(plain.ask(&house, kind, id, &act).await["code"], "scope_missing", "{kind:?}");
    }
    house.close().await;
}

async fn events(house: &House, who: &Integrated, question: Value) -> Value {
    asked(house, who, GuestQuestion::Events, question).await
}

#[tokio::test]
async fn an_integration_reads_the_feed_over_the_bus_from_any_place_on() {
    let house = House::open().await;
    let contact = opens(&house, 1, "a secret matter").await;
    let reader = integrate(&house, json!({"name": "reader", "scopes": ALL})).await;
    let plain = integrate(&house, json!({"name": "plain"})).await;
    let deaf = integrate(&house, json!({"name": "deaf", "scopes": ["facts.write"], "accounts": []})).await;
    let mut page = Value::Null;
    house
        .until(async || {
            page = events(&house, &reader, json!({})).await;
            page["next"].as_u64() >= Some(contact.log_seq)
        })
        .await;
    let over_http = house.get("events").await.1;
    assert_eq!(page["events"], over_http["events"], "told the same, whichever way it is asked");
    let kinds: Vec<&Value> = page["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["contact.opened", "message.received", "contact.queued"]);
    assert!(page.to_string().contains("a secret matter"));
    let without = events(&house, &plain, json!({"types": ["message.received"]})).await;
    assert_eq!(without["events"].as_array().unwrap().len(), 1);
    assert!(!without.to_string().contains("secret"), "words are for who may read contacts: {without}");
    assert_eq!(events(&house, &deaf, json!({})).await["code"], "scope_missing");
    // Whoever waits is told when something happens.
    let (told, _) = tokio::join!(
        events(
            &house,
            &reader,
            json!({"after": page["next"], "wait_ms": 20_000, "types": ["contact.opened"]})
        ),
        async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            opens(&house, 2, "me too").await
        },
    );
    assert_eq!(told["events"].as_array().unwrap().len(), 1, "{told}");
    let ahead = events(&house, &reader, json!({"after": 1_000})).await;
    assert_eq!((&ahead["code"], &ahead["status"]), (&json!("cursor_ahead"), &json!(410)));
    for (question, code) in [
        (json!({"limit": 0}), "page_out_of_bounds"),
        (json!({"limit": 501}), "page_out_of_bounds"),
        (json!({"wait_ms": 20_001}), "page_out_of_bounds"),
        (json!({"types": ["remedy.given"]}), "unknown_type"),
        (json!({"types": ["contact.eaten"]}), "invalid_body"),
        (json!({"from": 1}), "invalid_body"),
    ] {
        assert_eq!(events(&house, &reader, question.clone()).await["code"], code, "{question}");
    }
    assert_eq!(events(&house, &reader, json!({"limit": 500})).await["behind"], 0);
    house.close().await;
}

/// A floor with a person and a bot.
async fn with_bot(house: &House) {
    let mut floor = config(&["shop"]);
    let bot = json!({"name": "helper", "title": "Helper", "bot": true, "queues": ["sales"], "skills": {}, "capacity": {"api": 2}});
    floor["agents"].as_array_mut().unwrap().push(bot);
    house.put_config(&floor).await;
}

fn presences(inputs: &[protocol::Input]) -> Vec<(bool, String)> {
    let presence = |input: &protocol::Input| {
        if let InputBody::AgentConnected { agent, .. } = &input.body {
            return Some((true, agent.to_string()));
        }
        let InputBody::AgentDisconnected { agent, .. } = &input.body else { return None };
        Some((false, agent.to_string()))
    };
    inputs.iter().filter_map(presence).collect()
}

#[tokio::test]
async fn a_bot_is_there_while_it_says_so_and_does_what_agents_do() {
    let house = House::open().await;
    with_bot(&house).await;
    let contact = contact(&house).await;
    let (status, held) = house.put("bots/helper", r#"{"seconds": 120}"#).await;
    assert_eq!(status, 200, "{held}");
    let agent = held["agent"].as_str().unwrap().to_owned();
    assert_eq!(house.put("bots/helper", "").await.0, 200, "it says so again");
    assert_eq!(presences(&house.inputs().await), [(true, agent.clone())]);
    let gateways = house.bus.ensure_bucket(&places::gateways()).await.unwrap();
    house.until(async || gateways.keys().await.unwrap().len() == 1).await;

    for (command, name) in [
        (json!({"do": "set_presence", "presence": "online"}), "set_presence"),
        (json!({"do": "accept", "offer": "off_7_1"}), "accept"),
        (json!({"do": "reply", "contact": contact, "text": "on its way"}), "reply"),
        (json!({"do": "transfer_to_queue", "contact": contact, "queue": "sales"}), "transfer_to_queue"),
        (json!({"do": "call_for_help", "contact": contact, "reason": "no_answer"}), "call_for_help"),
        (json!({"do": "resolve", "contact": contact, "disposition": "solved"}), "resolve"),
    ] {
        let body = json!({"command": command}).to_string();
        let (status, done) = house.post("bots/helper/commands", body).await;
        assert_eq!((status, &done["done"]), (200, &json!(true)), "{name}: {done}");
    }
    let done = commands(&house).await;
    let names: Vec<&str> = done.iter().map(Command::name).collect();
    assert_eq!(names, ["set_presence", "accept", "reply", "transfer_to_queue", "call_for_help", "resolve"]);
    house.holds_nowhere(INBOUND, &["on its way"]).await;

    for (path, body, code) in [
        ("bots/ada/commands", json!({"command": {"do": "accept", "offer": "off_7_1"}}), "unknown_bot"),
        (
            "bots/helper/commands",
            json!({"agent": "ada", "command": {"do": "accept", "offer": "off_7_1"}}),
            "unknown_bot",
        ),
        (
            "bots/helper/commands",
            json!({"command": {"do": "take_voice", "contact": contact}}),
            "invalid_body",
        ),
        (
            "bots/helper/commands",
            json!({"command": {"do": "reply", "contact": contact, "text": ""}}),
            "text_empty",
        ),
        (
            "bots/helper/commands",
            json!({"command": {"do": "reply", "contact": "con_9_9", "text": "x"}}),
            "unknown_contact",
        ),
    ] {
        assert_eq!(house.post(path, body.to_string()).await.1["code"], code, "{body}");
    }
    assert_eq!(house.put("bots/ada", "").await.1["code"], "unknown_bot", "nobody is there for a person");
    assert_eq!(house.put("bots/helper", r#"{"seconds": 121}"#).await.1["code"], "hold_out_of_range");
    // Who says nothing any more is gone.
    assert_eq!(house.put("bots/helper", r#"{"seconds": 1}"#).await.0, 200);
    let before = house.bus.stream_usage(INBOUND).await.unwrap().last_seq;
    house.until(async || house.bus.stream_usage(INBOUND).await.unwrap().last_seq > before).await;
    assert_eq!(presences(&house.inputs().await), [(true, agent.clone()), (false, agent)]);
    house.close().await;
}

#[tokio::test]
async fn a_bot_works_over_the_bus_too() {
    let house = House::open().await;
    with_bot(&house).await;
    let contact = contact(&house).await;
    let crm = integrate(&house, json!({"name": "crm", "scopes": ALL})).await;
    let held = asked(&house, &crm, GuestQuestion::Bot, json!({"agent": "helper", "seconds": 60})).await;
    assert!(held["agent"].is_string(), "{held}");
    assert_eq!(asked(&house, &crm, GuestQuestion::Bot, json!({})).await["code"], "bot_unnamed");
    let reply = json!({"agent": "helper", "command": {"do": "reply", "contact": contact, "text": "hello"}});
    let done = crm.ask(&house, EdgeKind::Command, "c-1", &reply.to_string()).await;
    assert_eq!((&done["status"], &done["done"]), (&json!(202), &json!(true)), "{done}");
    let gone = asked(&house, &crm, GuestQuestion::Bot, json!({"agent": "helper", "seconds": 0})).await;
    assert_eq!(gone["agent"], held["agent"]);
    let told: Vec<bool> = presences(&house.inputs().await).iter().map(|(there, _)| *there).collect();
    assert_eq!((told, commands(&house).await.len()), (vec![true, false], 1));
    house.close().await;
}

fn order(n: u32) -> RemedyOrder {
    let order = json!({"kind": "refund", "cents": 500, "currency": "EUR", "words": "the red one", "contact": "con_7_1", "line": n.to_string()});
    serde_json::from_value(order).unwrap()
}

/// Lays an order as the worker does.
async fn lay(house: &House, whose: &str, n: u32) -> RemedyId {
    let orders = house.bus.ensure_bucket(&places::orders()).await.unwrap();
    let remedy = RemedyId { log_seq: 7, n };
    let sealed = house.sealer.seal(identity(1), &serde_json::to_vec(&order(n)).unwrap()).await.unwrap();
    let row = OrderRow::waiting(Millis(5), identity(1), SubjectToken::new(whose).unwrap(), sealed);
    orders.create(&order_key(remedy), serde_json::to_vec(&row).unwrap().into()).await.unwrap();
    remedy
}

/// The remedies whose orders wait, once they are so many.
async fn waiting(house: &House, n: usize) -> Value {
    let mut page = Value::Null;
    house
        .until(async || {
            page = house.get("orders").await.1;
            page["orders"].as_array().is_some_and(|orders| orders.len() == n)
        })
        .await;
    page
}

#[tokio::test]
async fn an_order_is_fetched_and_answered_once() {
    let house = House::open().await;
    let (first, second) = (lay(&house, "shop", 1).await, lay(&house, "shop", 2).await);
    let other = lay(&house, "crm", 3).await;
    waiting(&house, 2).await;
    let key = key_of(&house, "shop", &["orders.answer"]).await;
    let (status, page) = house.get_with(&key, "orders").await;
    assert_eq!(status, 200, "{page}");
    let open: Vec<&Value> = page["orders"].as_array().unwrap().iter().map(|one| &one["remedy"]).collect();
    assert_eq!(open, [&json!(first), &json!(second)], "the oldest first, and nobody else's");
    assert_eq!(page["orders"][0]["order"], serde_json::to_value(order(1)).unwrap());

    let shop = integrate(&house, json!({"name": "shop", "scopes": ALL})).await;
    let done = json!({"status": "done", "reference": "WT-7Q2K"}).to_string();
    let answered = shop.ask(&house, EdgeKind::Order, &first.to_string(), &done).await;
    assert_eq!((&answered["remedy"], &answered["duplicate"]), (&json!(first), &Value::Null), "{answered}");
    // The same over HTTP is the same, and another one is refused.
    let path = format!("orders/{first}/answer");
    let (status, again) = house.put(&path, &done).await;
    assert_eq!((status, &again["duplicate"]), (200, &json!(true)), "{again}");
    for other in [
        json!({"status": "done", "reference": "WT-OTHER"}),
        json!({"status": "done"}),
        json!({"status": "failed", "reason": "sold_out"}),
    ] {
        let (status, refused) = house.put(&path, &other.to_string()).await;
        assert_eq!((status, &refused["code"]), (409, &json!("order_answered")), "{other}");
    }
    let failed = json!({"status": "failed", "reason": "sold_out"}).to_string();
    let (status, answered) = house.put(&format!("orders/{second}/answer"), &failed).await;
    assert_eq!((status, answered), (200, json!({"remedy": second})));
    // At once, and not when the answers were heard.
    let left = asked(&house, &shop, GuestQuestion::Orders, json!({})).await;
    assert_eq!(left["orders"], json!([]));
    for (path, code) in [
        (format!("orders/{other}/answer"), "unknown_order"),
        ("orders/nonsense/answer".to_owned(), "unknown_order"),
    ] {
        assert_eq!(house.put(&path, &done).await.1["code"], code, "{path}");
    }
    let pending = json!({"status": "pending"}).to_string();
    assert_eq!(
        shop.ask(&house, EdgeKind::Order, &second.to_string(), &pending).await["code"],
        "answer_not_final"
    );
    assert_eq!(shop.ask(&house, EdgeKind::Order, "o-1", &done).await["code"], "bad_subject");

    let orders = house.bus.ensure_bucket(&places::orders()).await.unwrap();
    let kept = orders.get(&order_key(first)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&kept.value).into_owned();
    assert!(!text.contains("WT-7Q2K") && !text.contains("the red one"), "{text}");
    let row: OrderRow = serde_json::from_slice(&kept.value).unwrap();
    assert_eq!(row.order, None, "what was to be done is not kept");
    let Some(OrderAnswer::Done { reference: Some(reference) }) = row.answer else { panic!("{row:?}") };
    let reference = house.sealer.unseal(&reference).await.unwrap();
    assert_eq!(serde_json::from_slice::<Content>(&reference).unwrap().text, "WT-7Q2K");
    house.close().await;
}

#[tokio::test]
async fn the_order_of_who_was_erased_is_answered_all_the_same() {
    let house = House::open().await;
    let remedies = [lay(&house, "shop", 1).await, lay(&house, "shop", 2).await];
    house.sealer.erase_identity(identity(1)).await.unwrap();
    let page = waiting(&house, 2).await;
    assert_eq!(
        (&page["orders"][0]["remedy"], &page["orders"][0]["order"]),
        (&json!(remedies[0]), &Value::Null)
    );
    let [failed, done] = remedies.map(|remedy| format!("orders/{remedy}/answer"));
    assert_eq!(house.put(&failed, r#"{"status": "failed", "reason": "nobody"}"#).await.0, 200);
    let answer = r#"{"status": "done", "reference": "WT-7Q2K"}"#;
    assert_eq!(house.put(&done, answer).await, (200, json!({"remedy": remedies[1]})));
    // No new key seals what was answered, and the same again is the same, as far as anybody knows.
    assert_eq!(house.sealer.living_keys(identity(1)).await.unwrap(), []);
    let orders = house.bus.ensure_bucket(&places::orders()).await.unwrap();
    let kept = orders.get(&order_key(remedies[1])).await.unwrap().unwrap();
    let row: OrderRow = serde_json::from_slice(&kept.value).unwrap();
    assert_eq!((row.answer, row.order), (Some(OrderAnswer::Done { reference: None }), None));
    let (status, again) = house.put(&done, answer).await;
    assert_eq!((status, &again["duplicate"]), (200, &json!(true)), "{again}");
    let (status, other) = house.put(&done, r#"{"status": "failed"}"#).await;
    assert_eq!((status, &other["code"]), (409, &json!("order_answered")));
    // Who is back is told of what comes afterwards.
    let late = lay(&house, "shop", 3).await;
    house.sealer.erase_identity(identity(1)).await.unwrap();
    house.sealer.seal(identity(1), b"hello again").await.unwrap();
    assert_eq!(house.put(&format!("orders/{late}/answer"), answer).await.0, 200);
    let kept = orders.get(&order_key(late)).await.unwrap().unwrap();
    let row: OrderRow = serde_json::from_slice(&kept.value).unwrap();
    assert!(matches!(row.answer, Some(OrderAnswer::Done { reference: Some(_) })), "{row:?}");
    house.close().await;
}

/// Rows that were laid before lie under another key, which names the integration.
#[tokio::test]
async fn the_order_of_an_earlier_version_is_fetched_and_answered() {
    let house = House::open().await;
    let orders = house.bus.ensure_bucket(&places::orders()).await.unwrap();
    let sealed = house.sealer.seal(identity(1), &serde_json::to_vec(&order(1)).unwrap()).await.unwrap();
    let row = json!({"at": 5, "identity": identity(1), "order": sealed}).to_string();
    for key in ["shop.rem_7_1", "crm.rem_7_2"] {
        orders.create(key, row.clone().into()).await.unwrap();
    }
    let page = waiting(&house, 1).await;
    let expected = json!([{"remedy": "rem_7_1", "at": 5, "order": order(1)}]);
    assert_eq!((&page["orders"], &page["more"]), (&expected, &json!(0)));
    let done = r#"{"status": "done"}"#;
    assert_eq!(house.put("orders/rem_7_2/answer", done).await.1["code"], "unknown_order", "another one's");
    assert_eq!(house.put("orders/rem_7_1/answer", done).await.0, 200);
    assert_eq!(house.put("orders/rem_7_1/answer", done).await.1["duplicate"], true);
    let kept = orders.get("shop.rem_7_1").await.unwrap().unwrap();
    let row: OrderRow = serde_json::from_slice(&kept.value).unwrap();
    assert_eq!((row.answer, row.order), (Some(OrderAnswer::Done { reference: None }), None));
    assert_eq!(orders.keys().await.unwrap().len(), 2, "it lies there once");
    house.close().await;
}

/// One order has room for a page and no more; what was answered makes room.
#[tokio::test]
async fn a_page_of_orders_is_full_at_its_limit() {
    let house = House::open().await;
    let most = u32::try_from(ORDERS_PAGE_MAX).unwrap();
    for n in 1..=most + 1 {
        lay(&house, "shop", n).await;
    }
    let mut page = Value::Null;
    house
        .until(async || {
            page = house.get("orders").await.1;
            page["more"] == 1
        })
        .await;
    assert_eq!(page["orders"].as_array().unwrap().len(), ORDERS_PAGE_MAX);
    assert_eq!(page["orders"][0]["remedy"], "rem_7_1");
    assert_eq!(house.put("orders/rem_7_1/answer", r#"{"status": "done"}"#).await.0, 200);
    house
        .until(async || {
            page = house.get("orders").await.1;
            page["more"] == 0
        })
        .await;
    assert_eq!(page["orders"][ORDERS_PAGE_MAX - 1]["remedy"], format!("rem_7_{}", most + 1));
    house.close().await;
}
