//! Services are found by name while they are offered, share their questions, and end.

use std::time::Duration;

use bus::{Bus, Deadline, RequestError, ServiceSpec};
use futures_util::StreamExt as _;

use crate::{SOON, World, subjects, token, within, world};

fn spec() -> ServiceSpec {
    ServiceSpec { name: token("weather"), version: "1.2.3".into(), description: "Tells the weather.".into() }
}

/// What the server's own tools would see: the answers to a `$SRV` question as JSON, however many come.
async fn ask(world: &World, verb: &str, answers: usize) -> Vec<serde_json::Value> {
    let client = raw(world).await;
    let inbox = client.new_inbox();
    let replies = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply(format!("$SRV.{verb}.weather"), inbox, "".into()).await.unwrap();
    let replies = replies.take(answers).map(|reply| serde_json::from_slice(&reply.payload).unwrap());
    within(SOON, verb, replies.collect()).await
}

pub(crate) async fn raw(world: &World) -> async_nats::Client {
    let settings = world.server.settings();
    let options = match settings.credentials {
        bus::Credentials::Nkey(seed) => async_nats::ConnectOptions::with_nkey(seed.reveal().to_owned()),
        bus::Credentials::Token(token) => async_nats::ConnectOptions::with_token(token.reveal().to_owned()),
        bus::Credentials::Password { user, password } => {
            async_nats::ConnectOptions::with_user_and_password(user, password.reveal().to_owned())
        }
        bus::Credentials::None => async_nats::ConnectOptions::new(),
    };
    options.connect(settings.url).await.unwrap()
}

#[tokio::test]
async fn no_answer_goes_where_it_would_be_taken_for_our_own_word() {
    let world = world().await;
    let (place, plain) = (subjects().till(), subjects().views_history());
    let service = world.bus.offer_service(&spec()).await.unwrap();
    let mut endpoint = service.endpoint(&token("now"), &place).await.unwrap();
    let mut requests = world.bus.serve(&plain, &token("views")).await.unwrap();
    let asker = raw(&world).await;
    let log = subjects().contacts();
    let mut heard = asker.subscribe(log.to_string()).await.unwrap();
    let ask = async |place: &protocol::Subject, reply: &str| {
        asker.publish_with_reply(place.to_string(), reply.to_owned(), "?".into()).await.unwrap();
    };
    for reply in [log.as_str(), "_INBOX", "_INBOX_shop.x", "$KV.ACCOUNTS.x"] {
        ask(&place, reply).await;
        ask(&place, reply).await;
        ask(&plain, reply).await;
        within(SOON, "a question", endpoint.next()).await.unwrap().respond("forged".into()).await.unwrap();
        within(SOON, "a question", endpoint.next()).await.unwrap().refuse(400, "forged").await.unwrap();
        within(SOON, "a question", requests.next()).await.unwrap().respond("forged".into()).await.unwrap();
    }
    world.bus.check().await.unwrap();
    // What is heard first is what we send last: nothing came before it.
    world.bus.publish_ephemeral(&log, "end".into()).await.unwrap();
    assert_eq!(within(SOON, "the end", heard.next()).await.unwrap().payload, "end");
    let inbox = asker.new_inbox();
    let mut answers = asker.subscribe(inbox.clone()).await.unwrap();
    ask(&plain, &inbox).await;
    within(SOON, "a question", requests.next()).await.unwrap().respond("asked".into()).await.unwrap();
    assert_eq!(within(SOON, "the answer", answers.next()).await.unwrap().payload, "asked");
}

#[tokio::test]
async fn a_service_is_found_asked_and_counted() {
    let world = world().await;
    let (name, place) = (token("now"), subjects().till());
    let service = world.bus.offer_service(&spec()).await.unwrap();
    let mut endpoint = service.endpoint(&name, &place).await.unwrap();
    let answering = tokio::spawn(async move {
        endpoint.next().await.unwrap().respond("rain".into()).await.unwrap();
        endpoint.next().await.unwrap().refuse(400, "no such town").await.unwrap();
        endpoint
    });
    let wait = || Deadline::after(SOON);
    let answer = world.bus.request(&place, "here?".into(), wait()).await.unwrap();
    assert_eq!(answer, "rain");
    assert_eq!(
        world.bus.request(&place, "there?".into(), wait()).await.unwrap(),
        "",
        "a refusal has no body"
    );
    let _endpoint = answering.await.unwrap();

    let ping = ask(&world, "PING", 1).await;
    assert_eq!((&ping[0]["name"], &ping[0]["version"]), (&"weather".into(), &"1.2.3".into()));
    let info = ask(&world, "INFO", 1).await;
    assert_eq!(info[0]["description"], "Tells the weather.");
    assert_eq!(info[0]["endpoints"][0]["subject"], place.as_str());
    let stats = ask(&world, "STATS", 1).await;
    let counted = &stats[0]["endpoints"][0];
    assert_eq!((&counted["num_requests"], &counted["num_errors"]), (&2.into(), &1.into()), "{counted}");
    assert_eq!(counted["last_error"], "400:no such town");

    let found = world.bus.find_service(&token("weather"), Duration::from_millis(300)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].endpoints, [("now".to_owned(), place.as_str().to_owned())]);
    let none = world.bus.find_service(&token("time"), Duration::from_millis(300)).await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn processes_of_one_name_share_the_questions_and_who_is_dropped_is_gone() {
    let world = world().await;
    let other = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let (name, place) = (token("now"), subjects().till());
    let mut services = Vec::new();
    for (bus, says) in [(&world.bus, "one"), (&other, "other")] {
        let service = bus.offer_service(&spec()).await.unwrap();
        let mut endpoint = service.endpoint(&name, &place).await.unwrap();
        services.push(service);
        tokio::spawn(async move {
            while let Some(request) = endpoint.next().await {
                request.respond(says.into()).await.unwrap();
            }
        });
    }
    assert_eq!(ask(&world, "PING", 2).await.len(), 2);
    // Short: a question that is handed to an endpoint at its end gets no answer.
    let wait = || Deadline::after(Duration::from_millis(500));
    for _ in 0..20 {
        let answer = world.bus.request(&place, "".into(), wait()).await.unwrap();
        assert!(answer == "one" || answer == "other", "one answer a question");
    }
    drop(services.pop());
    for _ in 0..20 {
        // The other one may still be handed a question until the server has heard of its end.
        if let Ok(answer) = world.bus.request(&place, "".into(), wait()).await {
            assert!(answer == "one" || answer == "other");
        }
    }
    let found = world.bus.find_service(&token("weather"), Duration::from_millis(300)).await.unwrap();
    assert_eq!(found.len(), 1);
    drop(services);
    within(SOON, "the end of the service", async {
        while !matches!(world.bus.request(&place, "".into(), wait()).await, Err(RequestError::NoResponder(_)))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
