//! Accounts of channels that come and go while the product runs: from the desk, and by files.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tests::desk::Desk;
use tests::look::DEMO_FLOOR;
use tests::{Product, eventually};

use crate::admin::{Seat, push, queue};
use crate::take;

/// For everything that has to come; nothing here takes as long, on a starved machine either.
const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: [[u8; 32]; 2] = [[41; 32], [42; 32]];

fn secret(key: [u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(key))
}

async fn product() -> Product {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("desk", &["desk"]).await;
    product.start("rest", &["views", "channels", "api"]).await;
    product
}

/// Says something as a partner's system does, signed with this key; gives the status.
async fn say(product: &Product, account: &str, key: [u8; 32], id: &str) -> u16 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let body = json!({
        "type": "message.created",
        "data": { "id": id, "from": { "id": "pim", "name": "Pim" }, "text": "hello" },
    });
    let (body, at) = (body.to_string(), now.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let client = reqwest::Client::new();
    let sent = client.post(format!("{}/in/webhook/{account}", product.url("rest")));
    let sent = sent.header("webhook-id", id).header("webhook-timestamp", at);
    sent.header("webhook-signature", signature).body(body).send().await.unwrap().status().as_u16()
}

async fn says_until(product: &Product, account: &str, key: [u8; 32], id: &str, status: u16) {
    eventually(&format!("{account} answers {status}"), PATIENCE, || async {
        (say(product, account, key, id).await == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_made_at_the_desk_works_at_once_and_is_changed_and_taken_away() {
    let product = product().await;
    let bram = Seat::of(&product, "bram").await;
    let (status, told) = bram.change(|config| push(config, "queues", queue("garage"))).await;
    assert_eq!(status, 200, "{told}");
    let nora = json!({ "agent": {
        "name": "nora", "title": "Nora", "queues": ["garage"], "skills": {}, "capacity": { "webhook": 2 },
    }});
    let (status, made) = bram.ask(Method::POST, "admin/agents", Some(&nora)).await;
    assert_eq!(status, 201, "{made}");
    let mut nora = Desk::open(&product, "rest", "desk", "nora").await;
    nora.online().await;
    let path = "admin/channels/webhook/crm";
    let change = |secret: &str| {
        json!({
            "account": { "title": "CRM", "queue": "garage", "priority": 1 },
            "settings": { "url": "https://crm.example/in", "secret": secret },
        })
    };
    // What cannot be used changes nothing, and is told without the secret.
    let (status, told) = bram.ask(Method::PUT, path, Some(&change("whsec_hunter2"))).await;
    assert_eq!((status, &told["code"]), (422, &json!("channel_faulty")), "{told}");
    assert!(!told.to_string().contains("hunter2"), "{told}");
    assert!(!bram.get("admin/config").await.to_string().contains("CRM"));
    assert_eq!(say(&product, "crm", KEYS[0], "m0").await, 404);
    let (status, told) = bram.ask(Method::PUT, path, Some(&change(&secret(KEYS[0])))).await;
    assert_eq!(status, 200, "{told}");
    says_until(&product, "crm", KEYS[0], "m1", 202).await;
    assert_eq!(take(&mut nora).await.queue, "garage");
    shown_without_secrets(&bram).await;
    // Another secret: the old one is of no use any more, and what stays is what was not changed.
    let (status, told) = bram.ask(Method::PUT, path, Some(&change(&secret(KEYS[1])))).await;
    assert_eq!(status, 200, "{told}");
    says_until(&product, "crm", KEYS[0], "m2", 401).await;
    assert_eq!(say(&product, "crm", KEYS[1], "m3").await, 202);
    let (status, told) = bram.ask(Method::PUT, path, Some(&change("set"))).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(say(&product, "crm", KEYS[1], "m4").await, 202);
    let (status, _) = bram.ask(Method::DELETE, path, None).await;
    assert_eq!(status, 204);
    says_until(&product, "crm", KEYS[1], "m5", 404).await;
    let listed = bram.get("admin/channels").await;
    assert!(!listed.to_string().contains("crm"), "{listed}");
}

async fn shown_without_secrets(bram: &Seat) {
    let listed = bram.get("admin/channels").await;
    let crm = listed["channels"].as_array().unwrap().iter().find(|one| one["name"] == "crm").unwrap();
    assert_eq!(crm["settings"], json!({ "url": "https://crm.example/in", "secret": "set" }));
    assert_eq!(crm["account"]["queue"], "garage");
    let (status, told) = bram.ask(Method::POST, "admin/channels/webhook/crm/check", Some(&json!({}))).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["findings"][0]["good"], json!(false), "nobody is there: {told}");
    let trail = bram.get("admin/audit?limit=500").await;
    let is_noted =
        |entry: &Value| entry["action"] == "channel_changed" && entry["about"]["id"] == "webhook/crm";
    assert!(trail["entries"].as_array().unwrap().iter().any(is_noted), "{trail:#}");
}

#[tokio::test]
async fn who_supervises_one_queue_sets_up_the_accounts_of_that_one() {
    let product = product().await;
    let bram = Seat::of(&product, "bram").await;
    let rik = json!({ "agent": {
        "name": "rik", "title": "Rik", "queues": ["returns"], "skills": {}, "capacity": {},
        "role": "supervisor", "scope": ["returns"],
    }});
    let (status, made) = bram.ask(Method::POST, "admin/agents", Some(&rik)).await;
    assert_eq!(status, 201, "{made}");
    let rik = Seat::of(&product, "rik").await;
    let change = |queue: &str| {
        json!({
            "account": { "title": "", "queue": queue, "priority": 1 },
            "settings": { "url": "https://crm.example/in", "secret": secret(KEYS[0]) },
        })
    };
    let (status, told) = rik.ask(Method::PUT, "admin/channels/webhook/crm", Some(&change("orders"))).await;
    assert_eq!((status, &told["code"]), (403, &json!("beyond_you")), "{told}");
    let (status, told) =
        rik.ask(Method::PUT, "admin/channels/webhook/partner", Some(&change("returns"))).await;
    assert_eq!((status, &told["code"]), (403, &json!("beyond_you")), "an account of the service: {told}");
    let (status, _) = rik.ask(Method::DELETE, "admin/channels/webhook/partner", None).await;
    assert_eq!(status, 403);
    let (status, told) = rik.ask(Method::PUT, "admin/channels/webhook/crm", Some(&change("returns"))).await;
    assert_eq!(status, 200, "{told}");
    says_until(&product, "crm", KEYS[0], "m1", 202).await;
    let anna = Seat::of(&product, "anna").await;
    for (method, path) in [(Method::GET, "admin/channels"), (Method::DELETE, "admin/channels/webhook/crm")] {
        assert_eq!(anna.ask(method, path, None).await.0, 403, "{path}");
    }
}

#[tokio::test]
async fn files_are_put_in_force_while_the_product_runs() {
    let product = product().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let account = |name: &str| {
        format!(
            "[[webhook]]\naccount = \"{name}\"\nurl = \"https://{name}.example/in\"\nsecret = {{ file = \"{name}.secret\" }}\n"
        )
    };
    let routing = format!(
        "{DEMO_FLOOR}\n[[account]]\nchannel = \"webhook\"\nname = \"crm\"\ntitle = \"CRM\"\nqueue = \"service\"\npriority = 1\n"
    );
    write("routing.toml", &routing);
    write("channels.toml", &format!("{}{}", account("partner"), account("crm")));
    write("partner.secret", &secret(KEYS[0]));
    write("crm.secret", &secret(KEYS[1]));
    let path = folder.path().display().to_string();
    let url = product.url("rest");
    let apply = async || product.command(&["config", "apply", &path, "--url", &url]).await;
    let (code, out, err) = apply().await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("2 accounts") && !out.contains("whsec_"), "{out}");
    says_until(&product, "partner", KEYS[0], "m1", 202).await;
    says_until(&product, "crm", KEYS[1], "m2", 202).await;
    // The file is the whole of its accounts: what stands there no more is taken away, and the others go on.
    write("channels.toml", &account("crm"));
    let (code, out, err) = apply().await;
    assert_eq!(code, 0, "{out}{err}");
    says_until(&product, "partner", KEYS[0], "m3", 404).await;
    assert_eq!(say(&product, "crm", KEYS[1], "m4").await, 202);
    write("channels.toml", &account("nowhere"));
    let (code, _, err) = apply().await;
    assert_eq!(code, 64, "{err}");
    assert_eq!(say(&product, "crm", KEYS[1], "m5").await, 202, "nothing changed");
}
