//! A collection arrives: who knows whom it suits has a draft for them, one click sends it, and the answer comes back to who sent it.

use protocol::desk::DeskCommand;
use protocol::{CommandId, Outcome, SubjectToken};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually, floor_with};

use crate::messaging::{Messaging, OURS, PUBLIC, SID, Signer, TOKEN};
use crate::partner::SOON;
use crate::scene::{Scene, get, token};
use crate::seat::{reply, take};
use crate::twilio::{Twilio, words};

const DAY_MS: u64 = 86_400_000;

/// A floor on which what is resolved has ended, and where customers may be written to at any hour: tests run at night too.
async fn scene() -> Scene<Twilio> {
    let api = Messaging::open().await;
    let mut product = Product::empty().await;
    let folder = product.folder().join("config");
    std::fs::create_dir(&folder).unwrap();
    let table = format!(
        "[[sms]]\naccount = \"shop\"\nsid = \"{SID}\"\ntoken = {{ file = \"twilio.token\" }}\nfrom = \"{OURS}\"\napi = \"{}\"\n",
        api.url
    );
    let floor = floor_with(&[("sms", "shop")])
        .replace("reopen = \"24h\"", "reopen = \"0s\"")
        .replace("wrap_up = \"20s\"", "wrap_up = \"0s\"");
    for (name, text) in [
        ("channels.toml", table.as_str()),
        ("routing.toml", &floor),
        ("twilio.token", TOKEN),
        ("privacy.toml", "[clienteling]\nbetween = \"00:00-24:00\"\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    product.set("config", folder.to_str().unwrap());
    product.start("routing", &["routing"]).await;
    product.start("rest", &["views", "desk", "api"]).await;
    product.start_with("channels", &["channels"], &[("WINTERBAND_HTTP__PUBLIC_URL", PUBLIC)]).await;
    product.ready("channels").await;
    let url = format!("{}/in/sms/shop", product.url("channels"));
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: Twilio { api, signer: Signer::start() }, anna, url }
}

impl Scene<Twilio> {
    /// Anna helps Ann with something that concerns those who are asked for here; gives the conversation.
    async fn helps(&mut self, id: u32, text: &str) -> String {
        self.comes(&words(id, text)).await;
        let (_, contact) = take(&mut self.anna).await;
        reply(&mut self.anna, contact.contact, "There you are").await;
        let vip = SubjectToken::new("vip").unwrap();
        let tag = DeskCommand::SetTags {
            contact: contact.contact,
            add: [vip].into_iter().collect(),
            remove: [].into_iter().collect(),
        };
        assert_eq!(self.anna.command(tag).await, Outcome::Done);
        let disposition = SubjectToken::new("answered").unwrap();
        let resolve =
            DeskCommand::Resolve { contact: contact.contact, disposition, fields: [].into_iter().collect() };
        assert_eq!(self.anna.command(resolve).await, Outcome::Done);
        contact.conversation.to_string()
    }

    async fn tells(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1/{path}", self.product.url("rest"));
        let request = reqwest::Client::new().post(url).bearer_auth(self.product.admin_key());
        let response = request.json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The first arrival at an agent's desk, once it is as wanted.
    async fn shows(&self, token: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("the drafts are as wanted", SOON, || async {
            let response = get(&self.product, token, "/desk/regulars").await;
            let page: Value = response.error_for_status().ok()?.json().await.ok()?;
            let arrival = page["arrivals"][0].clone();
            wanted(&arrival).then_some(arrival)
        })
        .await
    }

    async fn sends(&self, token: &str, customer: &str, command: CommandId, text: &str) -> (u16, Value) {
        let url = format!("{}/desk/regulars/winter/{customer}/send", self.product.url("rest"));
        let body = json!({"command": command, "text": text});
        let response = reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

fn drafts(arrival: &Value) -> usize {
    arrival["drafts"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn an_event_becomes_a_draft_at_the_right_desk_and_one_click_sends_it() {
    let mut scene = scene().await;
    let conversation = scene.helps(1, "Have you got this coat in green?").await;
    scene.helps(2, "And in blue?").await;
    let now = u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let arrival = json!({
        "id": "winter", "title": "Winter collection", "queue": "service", "suits": {"tags": ["vip"]},
        "words": {"en": "Dear {customer}, the coats are in. {agent}"}, "until": now + DAY_MS,
    });
    assert_eq!(scene.tells("arrivals", &arrival).await.0, 202);
    let (anna, bram) = (token(&scene.product, "anna").await, token(&scene.product, "bram").await);
    scene.shows(&anna, |arrival| arrival["title"] == "Winter collection" && drafts(arrival) == 0).await;
    let consent = json!({"conversation": conversation, "purpose": "clienteling", "given": true});
    assert_eq!(scene.tells("customers/consents", &consent).await.0, 200);
    let shown = scene.shows(&anna, |arrival| drafts(arrival) == 1).await;
    let draft = &shown["drafts"][0];
    assert_eq!((&draft["channel"], &draft["resolved"]), (&json!("sms"), &json!(2)), "{draft}");
    assert_eq!(
        drafts(&scene.shows(&bram, |arrival| arrival["id"] == "winter").await),
        0,
        "they do not know Ann"
    );

    let customer = draft["customer"].as_str().unwrap();
    let command = CommandId(uuid::Uuid::now_v7());
    let text = "Dear Ann, the coats are in. Anna";
    for _ in 0..2 {
        assert_eq!(scene.sends(&anna, customer, command, text).await, (200, json!({"sent": true})));
    }
    scene.provider.api.hears(text).await;
    let (status, refused) = scene.sends(&anna, customer, CommandId(uuid::Uuid::now_v7()), text).await;
    assert_eq!((status, &refused["code"]), (409, &json!("written_already")));
    let shown = scene.shows(&anna, |arrival| drafts(arrival) == 0).await;
    assert_eq!(shown["sent"], 1);

    // The answer is nobody's to take: it comes to who wrote.
    scene.comes(&words(3, "Keep the green one for me")).await;
    scene.hears("Ann's answer", |entry| entry.text.as_deref() == Some("Keep the green one for me")).await;
    let bodies: Vec<_> =
        scene.provider.api.sent().iter().filter_map(|sent| sent.get("Body").map(str::to_owned)).collect();
    assert_eq!(bodies.iter().filter(|body| *body == text).count(), 1, "{bodies:?}");
    let (balances, ledger) = scene.product.ledger().await;
    assert!(balances, "{ledger:#}");
}
