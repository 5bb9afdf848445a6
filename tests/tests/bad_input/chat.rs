//! Wrong frames at the widget's socket.

use protocol::limits::TEXT_BYTES_MAX;
use serde_json::{Value, json};
use tests::Product;
use tests::chat::Chat;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

fn counter(code: &str) -> String {
    format!("refused_total{{channel=\"web\",reason=\"{code}\"}}")
}

pub(crate) async fn wrong_frames(product: &Product) {
    unknown_accounts(product).await;
    let mut chat = Chat::open(product, "rest").await;
    let mut counted = 0;
    for (frame, code) in wrong() {
        let before = product.metric("rest", &counter(code)).await;
        let about = frame.get("id").and_then(Value::as_str).map(str::to_owned);
        chat.send(&frame).await;
        let told = chat.until(if about.is_some() { "refused" } else { "error" }).await;
        assert_eq!(told["code"], code, "{told}");
        assert!(told["words"].as_str().unwrap().len() > 10, "{told}");
        assert_eq!(told["id"].as_str(), about.as_deref());
        product.metric_until("rest", &counter(code), |count| count > before).await;
        counted += 1;
    }
    assert!(counted > 10);
    for (bytes, code) in [
        (b"{\"t\":".to_vec(), "malformed_json"),
        (b"{\"t\":\"say\",\"text\":\"Scheveningen \xff\"}".to_vec(), "not_utf8"),
        (vec![b' '; 128 * 1024 + 1], "frame_too_large"),
    ] {
        chat.send_raw(Message::binary(bytes)).await;
        assert_eq!(chat.until("error").await["code"], code);
    }
    // The same socket still takes what is right, at the very limit.
    chat.say(&"x".repeat(TEXT_BYTES_MAX)).await;
    chat.say(&"\u{1f6b2}".repeat(TEXT_BYTES_MAX / 4)).await;
    // A text that is no UTF-8 breaks the rules of WebSocket itself: the socket ends, and the next one goes on.
    let broken = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    chat.send_raw(Message::Frame(broken)).await;
    while chat.next().await.is_some() {}
    chat.reconnect().await;
    chat.entries_until(2).await;
}

fn wrong() -> Vec<(Value, &'static str)> {
    let id = Chat::message_id();
    let say = |field: &str, value: Value| {
        let mut frame = json!({ "t": "say", "id": id, "text": "Scheveningen" });
        frame[field] = value;
        frame
    };
    let emoji = "\u{1f6b2}".repeat(16 * 1024);
    let mut wrong = vec![
        (json!("a text"), "not_an_object"),
        (json!({}), "missing_field"),
        (json!({ "t": "shout" }), "unknown_frame"),
        (json!({ "t": "ping", "n": -1 }), "wrong_type"),
        (json!({ "t": "typing", "in": "cnv_1_0" }), "unknown_field"),
        (json!({ "t": "hello", "token": null, "after": 0 }), "hello_twice"),
        (say("colour", json!("red")), "unknown_field"),
        (say("text", json!(7)), "wrong_type"),
        (say("text", json!(" ")), "empty_text"),
        (say("text", json!("x".repeat(TEXT_BYTES_MAX + 1))), "text_too_long"),
        (say("text", json!(emoji)), "text_too_long"),
        (say("name", json!("n".repeat(201))), "name_too_long"),
    ];
    for id in ["msg_*", ">", "a.b", "msg_ 1", "MSG_0192f0c1000070008000000000000001"] {
        wrong.push((say("id", json!(id)), "wrong_id"));
    }
    wrong
}

async fn unknown_accounts(product: &Product) {
    for account in ["market", "*", "%3E", "a.b", "sh%20op", "", "shop.%3E"] {
        let mut chat = Chat::knock(product, "rest", account).await;
        let told = chat.until("error").await;
        assert_eq!(told["code"], "unknown_account", "{account}: {told}");
        assert!(chat.next().await.is_none(), "and the socket ends");
    }
    product.metric_until("rest", &counter("unknown_account"), |count| count >= 7.0).await;
}
