//! A partner's app: its customers write, our agents answer, whatever the partner's system does meanwhile.

use std::time::Duration;

use bus::{Files, IdHasher, MasterKey, Sealer};
use protocol::delivery::{AccountState, AccountsAnswer, Delivery, DeliveryState};
use protocol::streams::DELIVERIES;
use protocol::subjects::Subjects;
use protocol::{ChannelKind, Millis};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::partner::{Partner, SOON, post_events, post_signed};
use crate::seat::{reply, take};

struct Scene {
    product: Product,
    partner: Partner,
    anna: Desk,
    url: String,
}

async fn scene(variables: &[(&str, &str)]) -> Scene {
    let partner = Partner::open().await;
    let (product, url) = partner.product(&["views", "desk", "api"], variables).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, partner, anna, url }
}

fn created(id: &str, from: &str, text: &str) -> Value {
    json!({"type": "message.created", "data": {"id": id, "from": {"id": from, "name": "Ann"}, "text": text}})
}

async fn deliveries(product: &Product) -> Vec<Delivery> {
    let bus = product.bus().await;
    let items = bus.read_range(DELIVERIES, 1, u64::MAX, 10_000).await.unwrap();
    items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
}

/// Waits until a message of ours has come so far.
async fn reaches(product: &Product, message: protocol::MessageId, state: DeliveryState) {
    eventually(&format!("a message is {}", state.as_str()), SOON, || async {
        deliveries(product)
            .await
            .into_iter()
            .find(|delivery| delivery.message == Some(message) && delivery.state == state)
    })
    .await;
}

async fn account(product: &Product) -> AccountState {
    let bus = product.bus().await;
    let subject = Subjects::new("c1".parse().unwrap()).channel_accounts();
    let answer = bus.request(&subject, "{}".into(), bus::Deadline::after(SOON)).await.unwrap();
    serde_json::from_slice::<AccountsAnswer>(&answer).unwrap().accounts[0].state
}

#[tokio::test]
async fn a_partners_customers_are_answered() {
    let Scene { product, partner, mut anna, url } = scene(&[]).await;
    let (status, answer) = post_events(&url, "evt_1", &created("m-1", "cust-17", "Where is my tyre?")).await;
    assert_eq!((status, &answer["taken"]), (202, &json!(1)));
    let (card, contact) = take(&mut anna).await;
    assert_eq!(card.queue, "Customer service");
    let said = reply(&mut anna, contact.contact, "On its way").await;
    let heard = partner.hears("On its way").await;
    assert_eq!(
        (heard.id.as_str(), &heard.body["data"]["to"]),
        (said.to_string().as_str(), &json!("cust-17"))
    );
    assert_eq!(heard.body["data"]["by"], "Anna");
    reaches(&product, said, DeliveryState::Accepted).await;
    // The same again, also by another delivery, is the same; its own words shown again are not taken.
    for id in ["evt_1", "evt_2"] {
        assert_eq!(post_events(&url, id, &created("m-1", "cust-17", "Where is my tyre?")).await.0, 202);
    }
    assert_eq!(post_events(&url, "evt_3", &heard.body).await.0, 202);
    // Statuses in whatever order: it only moves forward.
    for state in ["read", "delivered", "sent"] {
        let status = json!({"type": "message.status", "data": {"id": said.to_string(), "state": state}});
        assert_eq!(post_events(&url, state, &status).await.0, 202);
    }
    reaches(&product, said, DeliveryState::Read).await;
    // Other systems are told each word of the provider's, and nothing of our own trying.
    let told = eventually("the feed tells what became of it", SOON, || async {
        let page = product.get("rest", "/api/v1/events?log=deliveries").await.body;
        let told = page["events"].as_array()?.clone();
        (told.len() >= 4).then_some(told)
    })
    .await;
    let contact = json!(contact.contact);
    assert!(told.iter().all(|event| event["contact"] == contact && event["data"]["message"] == json!(said)));
    let states: Vec<_> = told.iter().map(|event| event["data"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "read", "delivered", "sent"]);
    assert_eq!(account(&product).await, AccountState::Working);
    // One bad item of three: the others pass, and it is kept.
    let batch = json!([created("m-2", "cust-17", "and one"), {"type": "nonsense", "data": {}}, created("m-3", "cust-17", "two")]);
    let (status, answer) = post_events(&url, "evt_4", &batch).await;
    assert_eq!((status, answer), (202, json!({"taken": 2, "parked": 1})));
    let (_, ledger) = product.ledger().await;
    assert_eq!(ledger["messages"]["recorded"], 3, "{ledger:#}");
}

#[tokio::test]
async fn nothing_is_taken_from_a_stranger() {
    let Scene { product, url, .. } = scene(&[]).await;
    let body = created("m-1", "cust-17", "give me a refund").to_string();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let forged =
        [("webhook-id", "evt_1"), ("webhook-timestamp", now.as_str()), ("webhook-signature", "v1,AAAA")];
    let (status, answer) = post_signed(&url, forged, body.clone()).await;
    assert_eq!((status, &answer["code"]), (401, &json!("wrong_signature")));
    let unsigned = [("a", "b"), ("c", "d"), ("e", "f")];
    assert_eq!(post_signed(&url, unsigned, "{ no json".to_owned()).await.0, 401, "before anything is read");
    let elsewhere = url.replace("partner", "other");
    assert_eq!(post_events(&elsewhere, "evt_1", &created("m-1", "c", "x")).await.0, 404);
    assert_eq!(post_events(&url, "evt_1", &json!("no event")).await.0, 202, "kept for a person");
    let (_, ledger) = product.ledger().await;
    assert_eq!(ledger["messages"]["recorded"], 0, "{ledger:#}");
    let metrics =
        reqwest::get(format!("{}/metrics", product.url("channels"))).await.unwrap().text().await.unwrap();
    for code in ["wrong_signature", "no_signature"] {
        let line = format!("winterband_refused_total{{channel=\"webhook\",reason=\"{code}\"}} 1");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn one_conversation_that_is_refused_holds_up_no_other() {
    let Scene { product, partner, mut anna, url } = scene(&[]).await;
    post_events(&url, "1", &created("m-1", "slow", "hello")).await;
    let (_, slow) = take(&mut anna).await;
    post_events(&url, "2", &created("m-2", "quick", "hello")).await;
    let (_, quick) = take(&mut anna).await;
    partner.swallows(Some("never answered"));
    let first = reply(&mut anna, slow.contact, "never answered").await;
    partner.hears("never answered").await;
    reply(&mut anna, slow.contact, "behind it").await;
    reply(&mut anna, quick.contact, "at once").await;
    partner.hears("at once").await;
    assert!(
        partner.got().iter().all(|got| got.body["data"]["text"] != "behind it"),
        "a conversation goes in order"
    );
    partner.swallows(None);
    // The answer is waited for, then the same message goes again under the same id.
    let again = eventually("it is sent again", Duration::from_secs(60), || async {
        let got = partner.got();
        let same: Vec<_> = got.into_iter().filter(|got| got.id == first.to_string()).collect();
        (same.len() == 2).then_some(same)
    })
    .await;
    assert_eq!(again[0].body["data"]["text"], again[1].body["data"]["text"]);
    partner.hears("behind it").await;
    reaches(&product, first, DeliveryState::Accepted).await;
    // What is refused for good fails, and what comes after it goes all the same.
    partner.answers(&[422]);
    let failed = reply(&mut anna, quick.contact, "not wanted").await;
    reaches(&product, failed, DeliveryState::Failed).await;
    reply(&mut anna, quick.contact, "but this").await;
    partner.hears("but this").await;
    // An account that is not let in waits as a whole, and is told.
    partner.answers(&[401]);
    let kept = reply(&mut anna, quick.contact, "kept meanwhile").await;
    reaches(&product, kept, DeliveryState::Queued).await;
    assert_eq!(account(&product).await, AccountState::Refused);
    reaches(&product, kept, DeliveryState::Accepted).await;
    assert_eq!(account(&product).await, AccountState::Working);
}

#[tokio::test]
async fn a_message_for_which_we_are_never_let_in_starves_no_other() {
    let Scene { product, partner, mut anna, url } = scene(&[]).await;
    post_events(&url, "1", &created("m-1", "odd", "hello")).await;
    let (_, odd) = take(&mut anna).await;
    post_events(&url, "2", &created("m-2", "usual", "hello")).await;
    let (_, usual) = take(&mut anna).await;
    partner.locks_out("never");
    let never = reply(&mut anna, odd.contact, "never").await;
    reaches(&product, never, DeliveryState::Queued).await;
    // The account is shut now. When one message tries again it is the other one, though it comes later.
    let said = reply(&mut anna, usual.contact, "but this").await;
    partner.hears("but this").await;
    reaches(&product, said, DeliveryState::Accepted).await;
    let got = partner.got();
    let texts: Vec<&str> = got.iter().filter_map(|got| got.body["data"]["text"].as_str()).collect();
    assert_eq!(texts[..2], ["never", "but this"], "the other one tried first");
}

#[tokio::test]
async fn statuses_of_other_systems_messages_hold_up_no_request_for_long() {
    let Scene { product: _product, url, .. } = scene(&[]).await;
    let strange = |_| {
        let id = protocol::MessageId(uuid::Uuid::now_v7()).to_string();
        json!({"type": "message.status", "data": {"id": id, "state": "read"}})
    };
    let many: Vec<Value> = (0..10).map(strange).collect();
    let began = std::time::Instant::now();
    let (status, answer) = post_events(&url, "evt_1", &json!(many)).await;
    assert_eq!((status, &answer["taken"]), (202, &json!(10)), "counted and let go");
    // Each by itself would wait for five seconds.
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let requests = (0..40).map(|n| {
        let (url, one) = (url.clone(), strange(n));
        tokio::spawn(async move { post_events(&url, &format!("evt-{n}"), &one).await.0 })
    });
    let mut statuses = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        statuses.push(request.await.unwrap());
    }
    assert!(statuses.iter().all(|status| [202, 503].contains(status)), "{statuses:?}");
    assert!(
        statuses.contains(&202) && statuses.contains(&503),
        "a few wait, the others come again: {statuses:?}"
    );
}

#[tokio::test]
async fn a_process_that_died_between_handing_over_and_the_result_loses_and_doubles_nothing() {
    let window = ("WINTERBAND_FAILPOINT", "channels.after_handover_before_result");
    let Scene { mut product, partner, mut anna, url } = scene(&[window]).await;
    post_events(&url, "1", &created("m-1", "cust-17", "hello")).await;
    let (_, contact) = take(&mut anna).await;
    let said = reply(&mut anna, contact.contact, "said once").await;
    partner.hears("said once").await;
    eventually("the process died", SOON, || {
        let ended = product.process("channels").ended();
        async move { ended }
    })
    .await;
    let states: Vec<DeliveryState> =
        deliveries(&product).await.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [DeliveryState::Sending], "it stood there before it was tried");
    product.arm("channels", "WINTERBAND_FAILPOINT", "");
    product.again("channels");
    reaches(&product, said, DeliveryState::Accepted).await;
    let ids: Vec<String> = partner.got().into_iter().map(|got| got.id).collect();
    assert_eq!(ids, [said.to_string(), said.to_string()], "the same id: the partner knows it is the same");
    let attempts: Vec<u32> = deliveries(&product).await.iter().map(|delivery| delivery.attempt).collect();
    assert_eq!(attempts, [1, 2, 2]);
}

#[tokio::test]
async fn credentials_are_tried_by_a_command() {
    let Scene { product, partner, .. } = scene(&[]).await;
    let folder = product.folder().join("config");
    let config = ["--config", folder.to_str().unwrap(), "channel", "check"];
    let (code, out, err) = product.command(&[&config[..], &["partner"]].concat()).await;
    assert_eq!((code, out.trim()), (0, "ok      send a signed ping: answered 200"), "{err}");
    partner.answers(&[401]);
    let (code, out, _) = product.command(&[&config[..], &["partner"]].concat()).await;
    assert_eq!(code, 1);
    assert!(out.contains("compare the secret on both sides"), "{out}");
    let (code, _, err) = product.command(&[&config[..], &["other"]].concat()).await;
    assert_eq!(code, 1);
    assert!(err.contains("no account is called other; there are webhook/partner"), "{err}");
}

#[tokio::test]
async fn a_link_to_a_file_works_for_its_time_and_runs_nothing() {
    let Scene { product, .. } = scene(&[]).await;
    let bus = product.bus().await;
    let master = MasterKey::load_or_create(&product.data().join("secrets/master.key")).unwrap();
    let hasher = IdHasher::new(&master);
    let identity = hasher.identity(ChannelKind::Webhook, "partner", "cust-17");
    let sealer = Sealer::open(&bus, &master).await.unwrap();
    let files = Files::open(&bus, sealer.clone(), hasher, 1 << 30).await.unwrap();
    let page = b"<script>alert(1)</script>";
    let object = files.keep(identity, page).await.unwrap();
    assert_eq!(files.keep(identity, page).await.unwrap(), object, "the same file is kept once");
    let base = product.url("channels");
    let link =
        |name: &str, until: u64| format!("{base}{}", files.link(identity, object, name, Millis(until)));
    let later = 4_000_000_000_000;
    let good = link("a page.html", later);
    let answer = reqwest::get(&good).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    assert_eq!(answer.headers()["content-disposition"], "attachment");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(answer.bytes().await.unwrap(), &page[..]);
    let other = IdHasher::new(&master).identity(ChannelKind::Webhook, "partner", "cust-18");
    for bad in [
        link("a page.html", 1),
        good.replace("4000000000000", "4000000000001"),
        good.replace("a%20page", "another"),
        good.replace(&identity.to_string(), &other.to_string()),
    ] {
        assert_eq!(reqwest::get(&bad).await.unwrap().status(), 403, "{bad}");
    }
    // Erased: nobody reads it any more.
    sealer.erase_identity(identity).await.unwrap();
    eventually("the file is gone", SOON, || async {
        (reqwest::get(&good).await.unwrap().status() == 410).then_some(())
    })
    .await;
}
