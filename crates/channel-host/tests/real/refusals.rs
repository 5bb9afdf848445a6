//! What is not taken, and what the page is told.

use bus::RoomLevel;
use protocol::limits::TEXT_BYTES_MAX;
use protocol::streams::{CONTACTS, INBOUND};
use serde_json::json;

use crate::page::{begun, enter, knock, knock_for, new_id};
use crate::within;
use crate::world::{MIB, world, world_sized, world_with};

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
async fn who_leaves_and_begins_again_is_counted_again() {
    let world = world_with(&[("WINTERBAND_LIMITS__IP_NEW_CONVERSATIONS_PER_MINUTE", "2")], 64 * MIB).await;
    let mut page = enter(&world, None, 0).await;
    for _ in 0..2 {
        page.say_and_see("here I am").await;
        page.send(&json!({"t": "leave"})).await;
        while page.next_of("entry").await["kind"] != "left" {}
    }
    page.say(&new_id(), "and again").await;
    assert_eq!(page.next_of("refused").await["code"], "too_many_new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_sends_only_so_much_however_many_visitors_it_is() {
    for (name, value, text) in [
        ("WINTERBAND_LIMITS__IP_FRAMES_PER_MINUTE", "3", "x".to_owned()),
        ("WINTERBAND_LIMITS__IP_BYTES_PER_MINUTE", "16KiB", "x".repeat(5 * 1024)),
    ] {
        let world = world_with(&[(name, value)], 64 * MIB).await;
        for _ in 0..3 {
            enter(&world, None, 0).await.say_and_see(&text).await;
        }
        let mut next = enter(&world, None, 0).await;
        let id = new_id();
        next.say(&id, &text).await;
        let refused = next.next_of("refused").await;
        assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("network_busy")), "{name}");
        assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
        // What others did is no reason to be cut off, and nothing overtakes what is held back.
        for _ in 0..110 {
            next.say(&id, &text).await;
            assert_eq!(next.next_of("refused").await["code"], "network_busy");
        }
        assert_eq!(world.inbound().await.len(), 3, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_the_clients_are_counted() {
    let variables =
        [("WINTERBAND_LIMITS__IP_SOCKETS", "1"), ("WINTERBAND_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]")];
    let world = world_with(&variables, 64 * MIB).await;
    let _first = knock_for(&world, "192.0.2.1").await.unwrap();
    let _second = knock_for(&world, "192.0.2.2").await.unwrap();
    assert_eq!(knock_for(&world, "192.0.2.1").await.err(), Some(429));
    assert_eq!(knock_for(&world, "198.51.100.9, 192.0.2.2").await.err(), Some(429), "the client's own word");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_believes_a_client_about_its_address() {
    let world = world_with(&[("WINTERBAND_LIMITS__IP_SOCKETS", "1")], 64 * MIB).await;
    let _first = knock_for(&world, "192.0.2.1").await.unwrap();
    assert_eq!(knock_for(&world, "192.0.2.2").await.err(), Some(429));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_a_stream_is_left_for_agents() {
    const SMALL: u64 = 512 << 10;
    for (stream, inbound, contacts) in [(INBOUND, SMALL, 64 * MIB), (CONTACTS, 64 * MIB, SMALL)] {
        let world = world_sized(&[], inbound, contacts).await;
        let (mut page, conversation, identity) = begun(&world).await;
        let used = async || world.bus.stream_usage(stream).await.unwrap().used_percent();
        while used().await < 95 {
            let before = world.bus.stream_usage(CONTACTS).await.unwrap().last_seq;
            world.agent_notes(identity, conversation, &"n".repeat(2048)).await;
            // The log follows a little later.
            within("the note's record", async {
                while world.bus.stream_usage(CONTACTS).await.unwrap().last_seq == before {}
            })
            .await;
        }
        assert_eq!(world.look(0).await, RoomLevel::NothingOfCustomers);
        page.say(&new_id(), "?").await;
        assert_eq!(page.next_of("refused").await["code"], "inbound_full", "{stream}");
        page.send(&json!({"t": "leave"})).await;
        assert_eq!(page.next_of("error").await["code"], "inbound_full", "{stream}");
        assert!(used().await < 98, "{stream}");
        world.agent_says(identity, conversation, "I am still here").await;
        while page.next_of("entry").await["text"] != "I am still here" {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_new_contacts_are_refused_first_and_agents_never() {
    let world = world().await;
    let (mut known, conversation, identity) = begun(&world).await;
    let mut new = enter(&world, None, 0).await;
    assert_eq!(world.look(90).await, RoomLevel::NoNewContacts);
    let id = new_id();
    new.say(&id, "may I come in").await;
    let refused = new.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("inbound_full")));
    known.say_and_see("I was here before").await;
    assert_eq!(world.look(95).await, RoomLevel::NothingOfCustomers);
    known.say(&new_id(), "and still am").await;
    assert_eq!(known.next_of("refused").await["code"], "inbound_full");
    world.agent_says(identity, conversation, "so am I").await;
    while known.next_of("entry").await["text"] != "so am I" {}
    assert_eq!(world.kit.metrics.refused_total.get(["web", "inbound_full"]), 2);
    assert_eq!(world.look(89).await, RoomLevel::All);
    new.say(&id, "may I come in").await;
    assert_eq!(new.next_of("taken").await["id"], json!(id));
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
