//! The same message, 64 times at once, is one message.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::api::MessageTaken;
use serde_json::{Value, json};
use tests::Product;
use tests::chat::Chat;

const TIMES: usize = 64;
const SOCKETS: usize = 8;

fn one_message(ledger: &Value) -> bool {
    let messages = &ledger["messages"];
    assert!(messages["recorded"].as_u64().unwrap() <= 1, "{ledger:#}");
    messages["recorded"] == 1 && messages["pending"] == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_post_64_times_at_once_is_one_message() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["api"]).await;
    let (url, key) = (format!("{}/api/v1/messages", product.url("rest")), product.admin_key());
    let body = json!({
        "account": "shop", "id": "the-same", "from": { "value": "ada@example.org" }, "text": "Where is it?",
    });
    let posts: Vec<_> = (0..TIMES)
        .map(|_| {
            let (url, key, body) = (url.clone(), key.clone(), body.clone());
            tokio::spawn(async move {
                let answer =
                    reqwest::Client::new().post(url).bearer_auth(key).json(&body).send().await.unwrap();
                let (status, text) = (answer.status(), answer.text().await.unwrap());
                assert_eq!(status, 202, "{text}");
                serde_json::from_str::<MessageTaken>(&text).unwrap()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for post in posts {
        answers.push(post.await.unwrap());
    }
    let ids: BTreeSet<_> = answers.iter().map(|taken| taken.message).collect();
    let places: BTreeSet<_> = answers.iter().map(|taken| taken.input_seq).collect();
    assert_eq!((ids.len(), places.len()), (1, 1), "all are told of the same message");
    assert_eq!(answers.iter().filter(|taken| !taken.duplicate).count(), 1);
    let ledger = product.ledger_until("the message is recorded", Duration::from_secs(15), one_message).await;
    assert_eq!(ledger["contacts"]["accepted"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_64_times_through_the_chat_are_one_message() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["chat"]).await;
    // One page in many tabs: the same visitor, and each tab sends the same message eight times without waiting.
    let first = Chat::open(&product, "rest").await;
    let mut tabs = vec![first];
    while tabs.len() < SOCKETS {
        let token = tabs[0].token.clone();
        let mut tab = Chat::knock(&product, "rest", "shop").await;
        tab.token = token;
        tab.hello().await;
        tabs.push(tab);
    }
    let id = Chat::message_id();
    let frame = json!({ "t": "say", "id": id, "text": "Where is it?" });
    for _ in 0..TIMES / SOCKETS {
        for tab in &mut tabs {
            tab.send(&frame).await;
        }
    }
    for tab in &mut tabs {
        for _ in 0..TIMES / SOCKETS {
            assert_eq!(tab.until("taken").await["id"], json!(id));
        }
        tab.entries_until(1).await;
        assert_eq!(tab.entries[0]["id"], json!(id));
    }
    let ledger = product.ledger_until("the message is recorded", Duration::from_secs(15), one_message).await;
    assert_eq!(ledger["contacts"]["accepted"], 1);
    // Nothing more comes: what follows has the next number.
    let next = tabs[0].say("Hello?").await;
    tabs[0].entries_until(2).await;
    assert_eq!(tabs[0].entries[1]["id"], json!(next));
}
