//! What is not taken, and what the page is told.

use protocol::limits::TEXT_BYTES_MAX;
use serde_json::json;

use crate::page::{enter, knock, new_id};
use crate::within;
use crate::world::{MIB, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_frame_has_its_answer_and_the_socket_lives_on() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let id = new_id();
    for (frame, code) in [
        ("{".to_owned(), "malformed_json"),
        ("[]".to_owned(), "not_an_object"),
        (r#"{"t":"shout"}"#.to_owned(), "unknown_frame"),
        (r#"{"t":"hello","token":null,"after":0,"lang":"en"}"#.to_owned(), "hello_twice"),
    ] {
        page.send_text(&frame).await;
        let answer = page.next().await;
        assert_eq!((&answer["t"], &answer["code"]), (&json!("error"), &json!(code)), "{frame}");
        assert!(!answer["words"].as_str().unwrap().is_empty());
    }
    for (frame, code) in [
        (json!({"t": "say", "id": "msg_*.>", "text": "x"}), "wrong_id"),
        (json!({"t": "say", "id": id, "text": "x", "extra": 1}), "unknown_field"),
        (json!({"t": "say", "id": id, "text": "x".repeat(TEXT_BYTES_MAX + 1)}), "text_too_long"),
        (json!({"t": "say", "id": id, "text": " "}), "empty_text"),
    ] {
        page.send(&frame).await;
        let answer = page.next().await;
        assert_eq!((&answer["t"], &answer["code"]), (&json!("refused"), &json!(code)));
        assert_eq!((&answer["id"], &answer["retry_after_ms"]), (&frame["id"], &json!(null)));
    }
    page.send_bytes(b"{\"t\":\"say\",\"text\":\"caf\xe9\"}").await;
    assert_eq!(page.next().await["code"], "not_utf8");
    assert_eq!(world.kit.metrics.refused_total.get(["web", "text_too_long"]), 1);
    page.say_and_see(&"x".repeat(TEXT_BYTES_MAX)).await;
    assert_eq!(world.inbound().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_is_told_so() {
    let world = world().await;
    for account in ["nobody", "a.b", "*", "%3E", ""] {
        let mut page = knock(&world, account, None).await.unwrap();
        assert_eq!(page.next().await["code"], "unknown_account", "{account}");
        assert_eq!(page.next().await, json!({"closed": 1008}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_has_to_be_hello() {
    let world = world().await;
    let mut page = knock(&world, "shop", None).await.unwrap();
    page.say(&new_id(), "me first").await;
    assert_eq!(page.next().await["code"], "no_hello");
    assert_eq!(page.next().await, json!({"closed": 1008}));
    assert_eq!(world.inbound().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_sites_and_crowds_do_not_get_in() {
    let variables =
        [("WINTERBAND_LIMITS__IP_SOCKETS", "2"), ("WINTERBAND_WEB__SITES", "[\"https://shop.example\"]")];
    let world = world_with(&variables, 64 * MIB).await;
    assert_eq!(knock(&world, "shop", Some("https://evil.example")).await.err(), Some(403));
    let own = format!("http://{}", world.address);
    let first = knock(&world, "shop", Some(&own)).await.unwrap();
    let _second = knock(&world, "shop", Some("https://shop.example")).await.unwrap();
    assert_eq!(knock(&world, "shop", None).await.err(), Some(429));
    drop(first);
    let freed = async { while knock(&world, "shop", None).await.is_err() {} };
    within("a seat to be free", Box::pin(freed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_held_back_and_then_cut_off() {
    let world = world_with(&[("WINTERBAND_LIMITS__VISITOR_FRAMES_PER_MINUTE", "3")], 64 * MIB).await;
    let mut page = enter(&world, None, 0).await;
    for n in 0..3 {
        page.say_and_see(&format!("message {n}")).await;
    }
    let id = new_id();
    page.say(&id, "one more").await;
    let refused = page.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("too_many_frames")));
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
    for _ in 0..100 {
        page.send(&json!({"t": "typing"})).await;
    }
    assert_eq!(page.next_of("error").await["code"], "too_many_frames");
    assert_eq!(page.next().await, json!({"closed": 1008}));
    assert_eq!(world.inbound().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_begins_only_so_many_conversations() {
    let world = world_with(&[("WINTERBAND_LIMITS__IP_NEW_CONVERSATIONS_PER_MINUTE", "2")], 64 * MIB).await;
    let mut first = enter(&world, None, 0).await;
    first.say_and_see("one").await;
    enter(&world, None, 0).await.say_and_see("two").await;
    let mut third = enter(&world, None, 0).await;
    third.say(&new_id(), "three").await;
    let refused = third.next_of("refused").await;
    assert_eq!(refused["code"], "too_many_new");
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
    // Who has a conversation goes on with it.
    first.say_and_see("and one more").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_is_told_and_the_message_kept_by_its_page() {
    let world = world_with(&[], 64 << 10).await;
    let mut page = enter(&world, None, 0).await;
    let refused = loop {
        page.say(&new_id(), &"x".repeat(8 * 1024)).await;
        let answer = page.next().await;
        if answer["t"] == "refused" {
            break answer;
        }
    };
    assert_eq!(refused["code"], "inbound_full");
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
    // What is said after it does not overtake it.
    page.say(&new_id(), "short").await;
    assert_eq!(page.next_of("refused").await["code"], "inbound_full");
}
