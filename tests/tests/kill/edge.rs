//! A process that dies after an integration's message became an input and before it left the edge: taken once, and answered.

use std::time::Duration;

use bus::{Deadline, Guest, Secret, ServerUser, places};
use protocol::SubjectToken;
use protocol::api::{IntegrationMade, IntegrationsListed};
use protocol::edge::EdgeKind;
use protocol::subjects::Subjects;
use serde_json::{Value, json};
use tests::{Product, eventually};

const WITHIN: Duration = Duration::from_secs(60);
const MESSAGES: usize = 10;
const WINDOW: &str = "edge.after_input_before_delete:4";

fn all_recorded(ledger: &Value) -> bool {
    let messages = &ledger["messages"];
    assert!(messages["recorded"].as_u64().unwrap() <= MESSAGES as u64, "{ledger:#}");
    messages["recorded"] == MESSAGES && messages["pending"] == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_from_the_edge_just_before_a_death_is_taken_once() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    product.start_with("rest", &["api"], &[("WINTERBAND_FAILPOINT", WINDOW)]).await;
    product.ready("rest").await;
    let http = reqwest::Client::new();
    let (url, key) = (format!("{}/api/v1/integrations", product.url("rest")), product.admin_key());
    let asked = json!({"name": "shop", "scopes": ["messages.write"], "accounts": ["shop"]});
    let made = http.post(&url).bearer_auth(&key).json(&asked).send().await.unwrap();
    let made: IntegrationMade = made.json().await.unwrap();
    let listed: IntegrationsListed =
        http.get(&url).bearer_auth(&key).send().await.unwrap().json().await.unwrap();
    let subjects = Subjects::new(SubjectToken::new("c1").unwrap());
    let users =
        ServerUser::of(&subjects, listed.integrations.iter().map(|one| (&one.name, &one.integration)));
    assert!(product.nats.user_list().admit(&users).unwrap());
    let bus = product.bus().await;
    eventually("the edge is there", WITHIN, || async { bus.stream_usage("EDGE-shop").await.ok() }).await;
    let seed = Secret::new(&made.seed.unwrap());
    let url = product.nats.settings().url;
    let guest = Guest::connect(&url, &made.name, &seed, Deadline::after(WITHIN)).await.unwrap();
    let subject = |n: usize| {
        subjects.edge(&made.name, EdgeKind::Message, &SubjectToken::new(&format!("m-{n}")).unwrap())
    };
    let body = |n: usize| {
        json!({"account": "shop", "id": format!("m-{n}"), "from": {"value": "ada@example.org"}, "text": "Where?"})
            .to_string()
    };
    for n in 0..MESSAGES {
        guest.publish(&subject(n), body(n).into()).await.unwrap();
    }
    let status = product.process("rest").wait(WITHIN);
    assert!(!status.success(), "it died in the window: {status}");
    let left = bus.stream_usage("EDGE-shop").await.unwrap().messages;
    assert_eq!(left, MESSAGES as u64 - 3, "three are done, the fourth is an input and still lies here");
    // Another integration was being taken away when its process died: its row is gone, and its streams are not.
    let gone = SubjectToken::new("gone").unwrap();
    bus.ensure_stream(&places::rejected(&subjects, &gone)).await.unwrap();
    bus.ensure_edge_stream(&places::edge(&subjects, &gone, 1024)).await.unwrap();
    product.disarm("rest");
    product.again("rest");
    product.ready("rest").await;
    eventually("the edge is empty", WITHIN, || async {
        let usage = bus.stream_usage("EDGE-shop").await.ok()?;
        (usage.messages == 0).then_some(())
    })
    .await;
    let streams =
        async || [bus.streams_named("EDGE-").await.unwrap(), bus.streams_named("REJECTED-").await.unwrap()];
    eventually("what was left of the other one is gone", WITHIN, || async {
        (streams().await == [["EDGE-shop"], ["REJECTED-shop"]]).then_some(())
    })
    .await;
    let ledger = product.ledger_until("all are recorded", WITHIN, all_recorded).await;
    assert_eq!(ledger["contacts"]["accepted"], 1, "one customer, one contact");
    let again = guest.ask(&subject(4), body(4).into(), Deadline::after(WITHIN)).await.unwrap();
    let again: Value = serde_json::from_slice(&again).unwrap();
    // Answered as it was, or as one that is known; either way nothing more comes of it.
    assert_eq!(again["status"], 202, "{again}");
    let ledger = product.ledger_until("nothing more came of it", WITHIN, all_recorded).await;
    assert_eq!(ledger["contacts"]["accepted"], 1);
}
