//! Canary customers come through every hop, are told of at the hop that breaks, and are nobody to everybody else.

use std::collections::BTreeSet;

use protocol::canary::CanaryHop;
use protocol::{Cause, Event, InputBody, Record};
use serde_json::json;
use tests::chat::Chat;
use tests::desk::Desk;
use tests::{Product, eventually, log};

use super::{SOON, doctor};

/// What a round may add to the log that is kept for good, bytes; ARCHITECTURE says how much that is in a year.
const ROUND_BYTES_MAX: usize = 1_500;
const WEB: (&str, &str) = ("web", "shop");
const WEBHOOK: (&str, &str) = ("webhook", "partner");
const API: (&str, &str) = ("api", "shop");
/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn comes_through(product: &Product, (channel, account): (&str, &str)) {
    let name = format!("canary_ok{{channel=\"{channel}\",account=\"{account}\"}}");
    product.metric_until("rest", &name, |ok| ok == 1.0).await;
}

async fn breaks_at(product: &Product, (channel, account): (&str, &str), hop: CanaryHop) {
    let hop = hop.as_str();
    let name = format!("canary_broken{{channel=\"{channel}\",account=\"{account}\",hop=\"{hop}\"}}");
    product.metric_until("rest", &name, |broken| broken == 1.0).await;
}

/// Each role of the way in a process of its own. Where the canary of the webhook is posted to is not where it listens.
async fn floor() -> Product {
    let mut product = Product::empty().await;
    product.set("watch.look_every", "200ms");
    product.set("canary.every", "500ms");
    product.set("canary.within", "2s");
    for role in ["routing", "desk", "chat"] {
        product.start(role, &[role]).await;
    }
    let folder = product.folder().join("config");
    std::fs::create_dir(&folder).unwrap();
    let account = "[[webhook]]\naccount = \"partner\"\nsecret = { file = \"partner.secret\" }\n";
    std::fs::write(folder.join("channels.toml"), format!("{account}url = \"{NOWHERE}/partner\"\n")).unwrap();
    std::fs::write(folder.join("partner.secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let settings =
        [("WINTERBAND_CONFIG", folder.to_str().unwrap()), ("WINTERBAND_CANARY__RECEIVER_URL", NOWHERE)];
    product.start_with("channels", &["channels"], &settings).await;
    product.ready("channels").await;
    product.set("canary.chat_url", &product.url("chat"));
    product.set("canary.channels_url", &product.url("channels"));
    product.start("api", &["api"]).await;
    product.set("canary.api_url", &product.url("api"));
    product.start("rest", &["views", "watch"]).await;
    product
}

#[tokio::test]
async fn a_canary_is_told_of_at_the_hop_that_broke() {
    let mut product = floor().await;
    comes_through(&product, WEB).await;
    comes_through(&product, API).await;
    breaks_at(&product, WEBHOOK, CanaryHop::Delivery).await;
    product.arm("channels", "WINTERBAND_CANARY__RECEIVER_URL", &product.url("rest"));
    product.stop("channels");
    breaks_at(&product, WEBHOOK, CanaryHop::Door).await;
    product.again("channels");
    comes_through(&product, WEBHOOK).await;
    let all = &[WEB, WEBHOOK, API][..];
    for (role, whose, hop) in [
        ("routing", all, CanaryHop::Routing),
        ("desk", all, CanaryHop::Desk),
        ("chat", &[WEB][..], CanaryHop::Door),
        ("channels", &[WEBHOOK][..], CanaryHop::Door),
        ("api", &[API][..], CanaryHop::Door),
    ] {
        product.process(role).signal("STOP");
        for account in whose {
            breaks_at(&product, *account, hop).await;
        }
        if hop == CanaryHop::Desk {
            let (code, found) = doctor(&product).await;
            let said: Vec<&String> =
                found.iter().filter(|[_, about, _]| about == "canaries").map(|[_, _, words]| words).collect();
            let is_seen_nowhere = |words: &&String| words.contains("is seen at no desk");
            assert!(code == 1 && said.len() == 3 && said.iter().all(is_seen_nowhere), "{found:#?}");
        }
        product.process(role).signal("CONT");
        for account in all {
            comes_through(&product, *account).await;
        }
    }
}

fn is_canary(record: &Record) -> bool {
    matches!(&record.cause, Cause::Input { input, .. } if matches!(input.body, InputBody::Canary(_)))
}

#[tokio::test]
async fn a_canary_is_nobody_to_agents_counts_and_other_systems() {
    let mut product = floor().await;
    product.arm("channels", "WINTERBAND_CANARY__RECEIVER_URL", &product.url("rest"));
    product.stop("channels");
    product.again("channels");
    product.ready("channels").await;
    let mut anna = Desk::open(&product, "api", "desk", "anna").await;
    anna.online().await;
    let mut ann = Chat::open(&product, "chat").await;
    ann.say("hello").await;
    let real = anna.offer().await.contact;
    for account in [WEB, WEBHOOK, API] {
        comes_through(&product, account).await;
    }
    let bus = product.bus().await;
    eventually("rounds go on", SOON, || async {
        let rounds = log::records(&bus).await.iter().filter(|(_, record)| is_canary(record)).count();
        (rounds > 12).then_some(())
    })
    .await;

    let (mut contacts, mut conversations, mut bytes) = (BTreeSet::new(), 0, Vec::new());
    for (_, record) in log::records(&bus).await {
        if is_canary(&record) {
            assert!(matches!(record.events[..], [Event::CanaryHeard { .. }]), "{record:#?}");
            bytes.push(serde_json::to_vec(&record).unwrap().len());
        }
        for event in record.events {
            if let Event::ContactOpened { contact, .. } = event {
                contacts.insert(contact);
            } else if let Event::ConversationOpened { .. } = event {
                conversations += 1;
            }
        }
    }
    assert_eq!(
        (contacts, conversations),
        (BTreeSet::from([real]), 1),
        "nothing was opened but for who wrote"
    );
    let round = 2 * bytes.iter().sum::<usize>() / bytes.len();
    assert!(round < ROUND_BYTES_MAX, "a round adds {round} bytes");

    for told in ["/api/v1/events", "/api/v1/contacts"] {
        let answer = product.get("api", told).await;
        let text = answer.body.to_string();
        assert!(answer.status == 200 && text.contains(&real.to_string()), "{told}: {text}");
        assert!(!text.contains("canary") && !text.contains("partner"), "{told}: {text}");
    }
    for counted in ["messages_received_total", "messages_sent_total"] {
        assert_eq!(product.metric("chat", &format!("{counted}{{channel=\"web\"}}")).await, 1.0, "{counted}");
    }
    assert_eq!(product.metric("channels", "messages_received_total{channel=\"webhook\"}").await, 0.0);
    assert_eq!(product.metric("api", "messages_received_total{channel=\"api\"}").await, 0.0);
    assert_eq!(log::last_seq(&bus, "DELIVERIES").await, Some(0), "nothing was sent to the partner");
    let (balances, ledger) = product.ledger().await;
    assert!(balances && ledger["messages"]["received"] == json!(1), "{ledger:#}");
}

#[tokio::test]
async fn a_canarys_key_at_the_api_says_nothing_but_what_a_canary_says() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("api", &["api"]).await;
    let (hasher, shop) = (log::hasher(&product.data()), "shop".parse().unwrap());
    let (key, own) =
        (hasher.canary_bearer(&shop), hasher.canary(protocol::ChannelKind::Api, &shop).to_string());
    let (client, url) = (reqwest::Client::new(), product.url("api"));
    let said = |account: &str, id: &str, from: &str| json!({ "account": account, "id": id, "from": { "value": from }, "text": "hello" });
    let round = protocol::MessageId(uuid::Uuid::now_v7()).to_string();
    let another = said("another", &round, &own);
    for (shown, message, expected) in [
        (format!("{key}0"), said("shop", &round, &own), 401),
        (key.clone(), said("shop", &round, "ann"), 403),
        (key.clone(), said("shop", "m-1", &own), 403),
        (key.clone(), another, 404),
        (key.clone(), said("shop", &round, &own), 202),
    ] {
        let post = client.post(format!("{url}/api/v1/messages")).bearer_auth(shown).json(&message);
        assert_eq!(post.send().await.unwrap().status(), expected, "{message}");
    }
    let bus = product.bus().await;
    assert_eq!(product.write("api", &said("shop", "m-1", "ann")).await.status(), 202);
    eventually("the feed tells of who writes", SOON, || async {
        let page = product.get("api", "/api/v1/events").await.body;
        page["events"].as_array().is_some_and(|events| !events.is_empty()).then_some(())
    })
    .await;
    for (path, expected) in [
        ("events?log=remedies", 403),
        ("events?wait=1", 403),
        ("contacts", 403),
        ("keys", 403),
        ("parked", 403),
        ("config", 403),
    ] {
        let get = client.get(format!("{url}/api/v1/{path}")).bearer_auth(&key);
        assert_eq!(get.send().await.unwrap().status(), expected, "{path}");
    }
    for query in ["", "?types=contact.opened&limit=1"] {
        let get = client.get(format!("{url}/api/v1/events{query}")).bearer_auth(&key);
        let page: serde_json::Value = get.send().await.unwrap().json().await.unwrap();
        assert!(page["events"] == json!([]) && page["behind"] == json!(0), "{query}: {page}");
    }
    product.set("canary.enabled", "false");
    product.start("off", &["api"]).await;
    for (part, account) in [("api", "nowhere"), ("off", "shop")] {
        let key = hasher.canary_bearer(&account.parse().unwrap());
        let get = client.get(format!("{}/api/v1/events", product.url(part))).bearer_auth(key);
        assert_eq!(get.send().await.unwrap().status(), 401, "{account} at {part}");
    }
    eventually("its message is heard", SOON, || async {
        log::records(&bus).await.iter().any(|(_, record)| is_canary(record)).then_some(())
    })
    .await;
    assert_eq!(
        log::last_seq(&bus, "PARKED").await.unwrap_or_default(),
        0,
        "nothing of it is kept for a person"
    );
}
