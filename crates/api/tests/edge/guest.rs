//! An integration in a test.

use std::time::Duration;

use bus::{Deadline, Guest, Secret};
use protocol::SubjectToken;
use protocol::edge::{EdgeKind, GuestQuestion};
use serde_json::{Value, json};

use crate::house::House;

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Integrated {
    pub(crate) name: SubjectToken,
    pub(crate) guest: Guest,
    pub(crate) seed: Secret,
}

/// What makes an integration, with everything that is not said.
pub(crate) fn new(said: &Value) -> Value {
    let mut body = json!({"scopes": ["messages.write", "facts.write", "events.read"], "accounts": ["shop"]});
    for (name, value) in said.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Makes one and comes in as it.
pub(crate) async fn integrate(house: &House, said: Value) -> Integrated {
    let (status, made) = house.post("integrations", new(&said).to_string()).await;
    assert_eq!(status, 201, "{made}");
    let name = made["name"].as_str().unwrap().to_owned();
    let integrated = connect(house, &name, made["seed"].as_str().unwrap()).await;
    // Its lane listens a moment after its key opens.
    let stream = format!("EDGE-{name}");
    house.until(async || house.bus.stream_usage(&stream).await.is_ok()).await;
    let mut heard = Value::Null;
    house
        .until(async || {
            heard = integrated.try_ask(house, EdgeKind::Signal, "is-it-there", "no signal").await;
            heard["code"] == "malformed_json" || heard["code"] == "scope_missing"
        })
        .await;
    house.until(async || house.bus.stream_usage(&stream).await.is_ok_and(|usage| usage.messages == 0)).await;
    // What that left behind goes, so that a test begins with nothing.
    let rejected = format!("REJECTED-{name}");
    let usage = house.bus.stream_usage(&rejected).await.unwrap();
    for seq in usage.first_seq..=usage.last_seq {
        house.bus.delete_securely(&rejected, seq).await.unwrap();
    }
    integrated
}

/// Comes in with a seed.
pub(crate) async fn connect(house: &House, name: &str, seed: &str) -> Integrated {
    let (name, seed) = (SubjectToken::new(name).unwrap(), Secret::new(seed));
    let url = &house.settings_of_bus.url;
    let guest = Guest::connect(url, &name, &seed, Deadline::after(DEADLINE)).await.unwrap();
    Integrated { name, guest, seed }
}

impl Integrated {
    pub(crate) async fn publish(&self, house: &House, kind: EdgeKind, id: &str, body: &str) {
        let subject = house.subjects.edge(&self.name, kind, &SubjectToken::new(id).unwrap());
        self.guest.publish(&subject, body.to_owned().into()).await.unwrap();
    }

    /// Publishes and waits for the answer in its inbox.
    pub(crate) async fn ask(&self, house: &House, kind: EdgeKind, id: &str, body: &str) -> Value {
        let subject = house.subjects.edge(&self.name, kind, &SubjectToken::new(id).unwrap());
        let answer = self.guest.ask(&subject, body.to_owned().into(), Deadline::after(DEADLINE)).await;
        serde_json::from_slice(&answer.unwrap()).unwrap()
    }

    /// As [`Integrated::ask`] with less patience; `null` if there was no answer.
    pub(crate) async fn try_ask(&self, house: &House, kind: EdgeKind, id: &str, body: &str) -> Value {
        let subject = house.subjects.edge(&self.name, kind, &SubjectToken::new(id).unwrap());
        let deadline = Deadline::after(Duration::from_secs(2));
        let answer = self.guest.ask(&subject, body.to_owned().into(), deadline).await;
        answer.map_or(Value::Null, |answer| serde_json::from_slice(&answer).unwrap())
    }

    /// Whether its seed still lets somebody in.
    pub(crate) async fn opens(&self, house: &House) -> bool {
        let deadline = Deadline::after(Duration::from_secs(2));
        Guest::connect(&house.settings_of_bus.url, &self.name, &self.seed, deadline).await.is_ok()
    }
}

/// A page of what was refused.
pub(crate) async fn rejections(house: &House, who: &Integrated, question: Value) -> Value {
    asked(house, who, GuestQuestion::Rejections, question).await
}

/// What is answered to a question, however often it has to be put again because too many came at once.
pub(crate) async fn asked(house: &House, who: &Integrated, what: GuestQuestion, question: Value) -> Value {
    let subject = house.subjects.ext(&who.name, &SubjectToken::new(what.as_str()).unwrap());
    loop {
        let answer = who.guest.ask(&subject, question.to_string().into(), Deadline::after(DEADLINE)).await;
        let answer: Value = serde_json::from_slice(&answer.unwrap()).unwrap();
        if answer["code"] != "too_many_requests" {
            return answer;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The codes of a page.
pub(crate) fn codes(page: &Value) -> Vec<String> {
    let rejections = page["rejections"].as_array().unwrap_or_else(|| panic!("{page}"));
    rejections.iter().map(|one| one["problem"]["code"].as_str().unwrap().to_owned()).collect()
}
