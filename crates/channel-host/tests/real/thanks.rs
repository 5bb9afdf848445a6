//! Thanks, the language of a page, and what a customer is told of a remedy.

use bus::RoomLevel;
use protocol::content::{Content, Sealed};
use protocol::input::InputBody;
use protocol::remedy::EmpowermentInput;
use protocol::{IdentityId, NoticeId};
use serde_json::{Value, json};

use crate::page::{begun, enter, knock, new_id};
use crate::world::{MIB, World, world, world_with};

fn thank(id: &str, text: Option<&str>) -> Value {
    json!({"t": "thank", "id": id, "text": text})
}

/// The thanks in INBOUND, in order.
async fn thanked(world: &World) -> Vec<(NoticeId, IdentityId, Option<Sealed>)> {
    let all = world.inbound_all().await.into_iter().filter_map(|body| match body {
        InputBody::Empowerment(EmpowermentInput::Thanks { id, identity, words }) => {
            Some((id, identity, words))
        }
        _ => None,
    });
    all.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thanks_are_taken_once_with_their_words_sealed() {
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    world.agent_says(identity, conversation, "Gladly").await;
    world.agent_resolves(conversation).await;
    let (plain, worded) = (new_id(), new_id());
    for frame in [thank(&plain, None), thank(&worded, Some("You saved my winter")), thank(&plain, None)] {
        page.send(&frame).await;
        assert_eq!(page.next_of("taken").await["id"], frame["id"]);
    }
    let found = thanked(&world).await;
    let [(first, of, None), (second, same, Some(words))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((of, same), (&identity, &identity));
    let named = |id: &NoticeId| format!("msg_{}", id.0.simple());
    assert_eq!((named(first), named(second)), (plain, worded), "the page's own ids");
    let opened: Content = serde_json::from_slice(&world.sealer.unseal(words).await.unwrap()).unwrap();
    assert_eq!(opened, Content::words("You saved my winter".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn thanks_that_cannot_be_taken_are_refused_and_come_again() {
    let world = world_with(&[("WINTERBAND_LIMITS__VISITOR_FRAMES_PER_MINUTE", "3")], 64 * MIB).await;
    let mut nobody = enter(&world, None, 0).await;
    let id = new_id();
    nobody.send(&thank(&id, None)).await;
    let refused = nobody.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["code"]), (&json!(id), &json!("nobody_to_thank")));
    assert_eq!(refused["retry_after_ms"], json!(null));

    let (mut page, _, _) = begun(&world).await;
    assert_eq!(world.look(95).await, RoomLevel::NothingOfCustomers);
    page.send(&thank(&id, None)).await;
    assert_eq!(page.next_of("refused").await["code"], "inbound_full");
    assert_eq!(world.look(0).await, RoomLevel::All);
    page.send(&thank(&id, None)).await;
    assert_eq!(page.next_of("taken").await["id"], id);
    // The visitor's rate counts them like messages.
    page.send(&thank(&new_id(), None)).await;
    let refused = page.next_of("refused").await;
    assert_eq!(refused["code"], "too_many_frames");
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(thanked(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_carries_the_language_of_its_page() {
    let world = world().await;
    for lang in [json!("nl-BE"), json!("English"), json!(null)] {
        let mut page = knock(&world, "shop", None).await.unwrap();
        page.send(&json!({"t": "hello", "token": null, "after": 0, "lang": lang})).await;
        page.next_of("welcome").await;
        page.say_and_see("Hoi").await;
    }
    let languages = world.inbound().await.into_iter().map(|body| match body {
        InputBody::Message(message) => message.language.map(|language| language.to_string()),
        other => panic!("{other:?}"),
    });
    assert_eq!(languages.collect::<Vec<_>>(), [Some("nl".to_owned()), None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_is_told_comes_as_a_message_of_the_agent_who_gave() {
    let world = world().await;
    let (mut page, conversation, identity) = begun(&world).await;
    world.agent_says(identity, conversation, "One moment").await;
    world.agent_resolves(conversation).await;
    world.tells(identity, conversation, "Your money is on its way").await;
    let told = loop {
        let entry = page.next_of("entry").await;
        if entry["seq"] == 4 {
            break entry;
        }
    };
    assert_eq!(
        (&told["kind"], &told["by"], &told["text"]),
        (&json!("agent"), &json!("Anna"), &json!("Your money is on its way"))
    );
    let mut again = enter(&world, Some(&page.token), 0).await;
    assert_eq!(again.state, "resolved", "it opens nothing");
    assert_eq!(again.entries(4).await[3].2, "Your money is on its way");
}
