//! Words both ways.

use protocol::input::InputBody;
use serde_json::json;

use crate::page::{begun, enter, new_id};
use crate::within;
use crate::world::{MIB, World, world, world_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_taken_and_comes_back_as_an_entry() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    assert_eq!((&page.conversation, &page.state), (&json!(null), &json!("none")));
    let id = new_id();
    page.say(&id, "Do you mend <b>mittens</b>? 🧤").await;
    let mut frames = [page.next().await, page.next().await, page.next().await];
    frames.sort_by_key(|frame| frame["t"].as_str().unwrap().to_owned());
    assert_eq!((&frames[0]["t"], &frames[0]["id"]), (&json!("entry"), &json!(id)));
    assert_eq!(
        (&frames[0]["seq"], &frames[0]["text"]),
        (&json!(1), &json!("Do you mend <b>mittens</b>? 🧤"))
    );
    assert_eq!((&frames[1]["t"], &frames[1]["state"]), (&json!("state"), &json!("waiting")));
    assert_eq!((&frames[2]["t"], &frames[2]["id"]), (&json!("taken"), &json!(id)));
    assert_eq!(world.kit.metrics.messages_received_total.get(["web"]), 1);
    assert!(!on_disk(&world, b"mittens"), "words lie on the disk unsealed");
}

fn on_disk(world: &World, needle: &[u8]) -> bool {
    fn search(folder: &std::path::Path, needle: &[u8]) -> bool {
        std::fs::read_dir(folder).unwrap().any(|found| {
            let path = found.unwrap().path();
            if path.is_dir() {
                return search(&path, needle);
            }
            std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
        })
    }
    search(&world.server.store_dir(), needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_answers_with_a_name_and_notes_stay_hidden() {
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    world.agent_notes(identity, conversation, "has called before").await;
    world.agent_says(identity, conversation, "Yes, we do.").await;
    world.agent_resolves(conversation).await;
    let hidden = page.next_of("entry").await;
    assert_eq!(
        (&hidden["seq"], &hidden["kind"], &hidden["text"]),
        (&json!(2), &json!("hidden"), &json!(null))
    );
    let answer = page.next_of("entry").await;
    assert_eq!(
        (&answer["seq"], &answer["kind"], &answer["by"]),
        (&json!(3), &json!("agent"), &json!("Anna"))
    );
    assert_eq!(answer["text"], "Yes, we do.");
    assert_eq!(page.next_of("entry").await["kind"], "resolved");
    assert_eq!(page.next_of("state").await["state"], "resolved");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_64_times_at_once_is_one() {
    let world = world_with(&[("WINTERBAND_LIMITS__IP_SOCKETS", "100")], 64 * MIB).await;
    let first = enter(&world, None, 0).await;
    let id = new_id();
    let pages = (0..64).map(|_| {
        let (world, token, id) = (&world, &first.token, &id);
        async move {
            let mut page = enter(world, Some(token), 0).await;
            page.say(id, "once").await;
            let taken = page.next_of("taken").await;
            assert_eq!(taken["id"], *id);
            page
        }
    });
    let mut pages = futures_util::future::join_all(pages).await;
    pages[0].say_and_see("and then").await;
    assert_eq!(world.inbound().await.len(), 2);
    assert_eq!(world.kit.metrics.messages_received_total.get(["web"]), 2);
    assert_eq!(world.kit.metrics.duplicates_total.get(["web"]), 63);
    let mut late = enter(&world, Some(&first.token), 0).await;
    let entries = late.entries(2).await;
    assert_eq!(entries.iter().map(|(_, _, text)| text.as_str()).collect::<Vec<_>>(), ["once", "and then"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_words_under_the_same_id_are_not_swallowed() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    let id = new_id();
    for text in ["first", "second", "first"] {
        page.say(&id, text).await;
        assert_eq!(page.next_of("taken").await["id"], id);
    }
    let hashes: Vec<_> = world
        .inbound()
        .await
        .into_iter()
        .map(|body| match body {
            InputBody::Message(message) => (message.provider_hash, message.content_hash),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(hashes.len(), 2, "the repetition is one, the other words are kept for the core to judge");
    assert_eq!(hashes[0].0, hashes[1].0);
    assert_ne!(hashes[0].1, hashes[1].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_an_agent_and_writes_again_is_still_with_the_agent() {
    let world = world_with(&[("WINTERBAND_LIMITS__IP_NEW_CONVERSATIONS_PER_MINUTE", "1")], 64 * MIB).await;
    let (mut page, conversation, identity) = begun(&world).await;
    world.agent_says(identity, conversation, "Good morning").await;
    assert_eq!(page.next_of("state").await["state"], "with_agent");
    page.send(&json!({"t": "leave"})).await;
    assert_eq!(page.next_of("entry").await["kind"], "left");
    page.say_and_see("One more thing").await;
    let again = enter(&world, Some(&page.token), 0).await;
    assert_eq!(again.state, "with_agent");
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_goes_both_ways_and_is_not_stored() {
    let world = world().await;
    let (mut page, conversation, _) = begun(&world).await;
    let subject = world.subjects.typing(conversation);
    let mut heard = world.bus.subscribe_ephemeral(&subject).await.unwrap();
    page.send(&json!({"t": "typing"})).await;
    let message = within("the customer's typing", heard.next()).await.unwrap();
    assert_eq!(&message.payload[..], br#"{"who":"customer"}"#);
    let payload = bytes::Bytes::from_static(br#"{"who":"agent"}"#);
    // The host may not have subscribed yet: nobody promises that typing arrives.
    let typing = within("the agent's typing", async {
        loop {
            world.bus.publish_ephemeral(&subject, payload.clone()).await.unwrap();
            let wait = std::time::Duration::from_millis(200);
            if let Ok(frame) = tokio::time::timeout(wait, page.next()).await {
                return frame;
            }
        }
    })
    .await;
    assert_eq!(typing, json!({"t": "typing"}));
    assert_eq!(world.inbound().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_is_an_input_also_when_the_page_closes_at_once() {
    let world = world().await;
    let (mut page, _, identity) = begun(&world).await;
    page.send(&json!({"t": "leave"})).await;
    let token = page.token.clone();
    drop(page);
    let mut again = enter(&world, Some(&token), 1).await;
    assert_eq!(again.next_of("entry").await["kind"], "left");
    let inputs = world.inbound().await;
    assert!(matches!(&inputs[1], InputBody::CustomerLeft { identity: who, .. } if *who == identity));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered() {
    let world = world().await;
    let mut page = enter(&world, None, 0).await;
    page.send(&json!({"t": "ping", "n": 41})).await;
    assert_eq!(page.next().await, json!({"t": "pong", "n": 41}));
}
