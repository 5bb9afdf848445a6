use std::time::{Duration, Instant};

use bus::{BusError, Credentials, Deadline, RequestError, Secret};
use bytes::Bytes;
use protocol::ConversationId;

use super::*;

#[tokio::test]
async fn typing_is_heard_and_not_stored() {
    let world = world().await;
    let other = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let mut heard = other.subscribe_ephemeral(&subjects().typing_all()).await.unwrap();
    let typing = subjects().typing(ConversationId { log_seq: 1, n: 0 });
    world.bus.publish_ephemeral(&typing, Bytes::from("...")).await.unwrap();
    let message = within(SOON, "the message", heard.next()).await.unwrap();
    assert_eq!((message.subject.as_str(), message.payload.as_ref()), (typing.as_str(), b"...".as_slice()));
}

#[tokio::test]
async fn a_question_is_answered_or_its_lack_is_told() {
    let world = world().await;
    let other = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let subject = subjects().views_history();
    let ask = |wait| {
        let subject = subject.clone();
        let bus = other.clone();
        async move { bus.request(&subject, Bytes::from("?"), Deadline::after(wait)).await }
    };
    assert!(matches!(ask(SOON).await, Err(RequestError::NoResponder(_))));
    let mut requests = world.bus.serve(&subject, &token("views")).await.unwrap();
    let (answer, ()) = tokio::join!(ask(SOON), async {
        let request = requests.next().await.unwrap();
        assert_eq!(request.payload.as_ref(), b"?");
        request.respond(Bytes::from("!")).await.unwrap();
    });
    assert_eq!(answer.unwrap().as_ref(), b"!");
    assert!(matches!(ask(Duration::from_millis(50)).await, Err(RequestError::Deadline(_))));
}

#[tokio::test]
async fn wrong_credentials_and_absent_servers_are_told_in_time() {
    let world = world().await;
    let soon = || Deadline::after(Duration::from_millis(500));
    let mut settings = world.server.settings();
    settings.credentials =
        Credentials::Password { user: "winterband".into(), password: Secret::new("guess") };
    let begin = Instant::now();
    assert!(matches!(Bus::connect_until(&settings, soon()).await, Err(BusError::Unreachable { .. })));
    settings.url = "nats://127.0.0.1:1".into();
    assert!(matches!(Bus::connect_until(&settings, soon()).await, Err(BusError::Unreachable { .. })));
    assert!(begin.elapsed() < Duration::from_secs(3));
    settings.name = "with.dot".into();
    assert!(matches!(Bus::connect_until(&settings, soon()).await, Err(BusError::Name(_))));
}

#[tokio::test]
async fn draining_sends_what_is_buffered_and_ends() {
    let world = world().await;
    let other = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let mut heard = world.bus.subscribe_ephemeral(&subjects().typing_all()).await.unwrap();
    let typing = subjects().typing(ConversationId { log_seq: 1, n: 0 });
    for _ in 0..1000 {
        other.publish_ephemeral(&typing, Bytes::from("x")).await.unwrap();
    }
    within(Duration::from_secs(6), "draining", other.drain()).await.unwrap();
    assert!(!other.is_connected());
    for _ in 0..1000 {
        within(SOON, "a message", heard.next()).await.unwrap();
    }
}

#[tokio::test]
async fn objects_are_kept_replaced_listed_and_deleted() {
    let world = world().await;
    let objects = world.bus.ensure_objects(&token("SNAPSHOTS"), 64 << 20).await.unwrap();
    assert!(objects.get("routing-1").await.unwrap().is_none());
    let large = Bytes::from((0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<_>>());
    objects.put("routing-1", large.clone()).await.unwrap();
    objects.put("routing-2", Bytes::from("small")).await.unwrap();
    let again = world.bus.ensure_objects(&token("SNAPSHOTS"), 64 << 20).await.unwrap();
    assert_eq!(again.get("routing-1").await.unwrap().unwrap(), large);
    assert_eq!(again.get("routing-2").await.unwrap().unwrap(), "small");
    objects.put("routing-2", Bytes::from("other")).await.unwrap();
    assert_eq!(again.get("routing-2").await.unwrap().unwrap(), "other");
    objects.delete("routing-1").await.unwrap();
    objects.delete("routing-1").await.unwrap();
    objects.delete("never").await.unwrap();
    assert_eq!(again.names().await.unwrap(), ["routing-2"]);
    assert!(again.get("routing-1").await.unwrap().is_none());
}
