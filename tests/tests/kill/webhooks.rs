//! A process that dies while it posts to a webhook: nothing is owed for ever, and what is posted twice can be told by its id.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tests::{Product, eventually};
use tokio_util::task::AbortOnDropHandle;

const WITHIN: Duration = Duration::from_secs(60);
/// The fourth is the second event of the second record.
const WINDOW: &str = "api.after_webhook_before_note:4";

/// What was posted, by `webhook-id`, in the order in which it came first, and how often.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    came: Vec<(String, Value)>,
    refuses_from: Option<u64>,
}

impl Receiver {
    async fn open() -> (Self, String, AbortOnDropHandle<()>) {
        let receiver = Self::default();
        let router = axum::Router::new().route("/in", axum::routing::post(take)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, url, AbortOnDropHandle::new(serving))
    }

    /// Answers 503 to this number and those after it, or to none.
    fn refuses_from(&self, number: Option<u64>) {
        self.0.lock().unwrap().refuses_from = number;
    }

    fn came(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().came.clone()
    }

    fn times(&self, number: u64) -> usize {
        self.came().iter().filter(|(_, event)| event["number"] == number).count()
    }

    /// The numbers of what came, each id once: what came again is the same to the letter.
    fn numbers(&self) -> Vec<u64> {
        let (mut known, mut numbers) = (BTreeMap::new(), Vec::new());
        for (id, event) in self.came() {
            match known.get(&id) {
                Some(before) => assert_eq!(before, &event, "{id} is another event by now"),
                None => {
                    numbers.push(event["number"].as_u64().unwrap());
                    known.insert(id, event);
                }
            }
        }
        numbers
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, Json(event): Json<Value>) -> StatusCode {
    let id = headers.get("webhook-id").unwrap().to_str().unwrap().to_owned();
    let mut books = receiver.0.lock().unwrap();
    let number = event["number"].as_u64().unwrap();
    books.came.push((id, event));
    let refuses = books.refuses_from.is_some_and(|from| number >= from);
    if refuses { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}

/// A router, an API that posts to this machine, and an endpoint of two types: each customer who writes makes two events of one record.
async fn posting(url: &str, variables: &[(&str, &str)]) -> (Product, String) {
    let mut product = Product::empty().await;
    product.set("webhooks.allowed_networks", r#"["127.0.0.0/8"]"#);
    product.set("webhooks.retry_first", "100ms");
    product.set("webhooks.retry_longest", "1s");
    product.start("routing", &["routing"]).await;
    product.start_with("rest", &["api"], variables).await;
    product.ready("rest").await;
    let asked = json!({"url": url, "types": ["contact.opened", "message.received"]}).to_string();
    let made = product.post("rest", "/api/v1/webhooks", &product.admin_key(), asked).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["webhook"]["id"].as_str().unwrap().to_owned();
    (product, id)
}

async fn writes(product: &Product, customers: RangeInclusive<u64>) {
    for n in customers {
        let from = json!({"value": format!("customer-{n}@example.org")});
        let message =
            json!({"account": "shop", "id": format!("m-{n}"), "from": from, "text": "Where is it?"});
        assert_eq!(product.write("rest", &message).await.status(), 202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_just_before_a_death_is_posted_again_under_its_id_and_nothing_is_left_out() {
    let (receiver, url, _guard) = Receiver::open().await;
    let (mut product, id) = posting(&url, &[("WINTERBAND_FAILPOINT", WINDOW)]).await;
    writes(&product, 1..=2).await;
    let status = product.process("rest").wait(WITHIN);
    assert!(!status.success(), "it died in the window: {status}");
    assert_eq!(receiver.numbers(), [1, 2, 3, 4], "the fourth was taken, and nobody noted that");
    product.disarm("rest");
    product.again("rest");
    product.ready("rest").await;
    writes(&product, 3..=3).await;
    eventually("all are posted", WITHIN, || async { (receiver.numbers().len() == 6).then_some(()) }).await;
    assert_eq!(receiver.numbers(), [1, 2, 3, 4, 5, 6]);
    assert!(receiver.times(4) >= 2, "it was not noted");
    for (came, event) in receiver.came() {
        assert_eq!(came, format!("{id}_{}", event["number"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_comes_back_between_two_events_of_one_record_still_owes_the_second() {
    let (receiver, url, _guard) = Receiver::open().await;
    let (mut product, _) = posting(&url, &[]).await;
    receiver.refuses_from(Some(4));
    writes(&product, 1..=3).await;
    eventually("the fourth is tried in vain", WITHIN, || async { (receiver.times(4) >= 2).then_some(()) })
        .await;
    product.process("rest").kill();
    receiver.refuses_from(None);
    product.again("rest");
    product.ready("rest").await;
    eventually("all are posted", WITHIN, || async { (receiver.numbers().len() == 6).then_some(()) }).await;
    assert_eq!(receiver.numbers(), [1, 2, 3, 4, 5, 6]);
    let of =
        |number: u64| receiver.came().into_iter().find(|(_, event)| event["number"] == number).unwrap().1;
    assert_eq!(
        (of(3)["contact"].clone(), of(3)["type"].clone()),
        (of(4)["contact"].clone(), json!("contact.opened"))
    );
}
