//! WhatsApp by Meta's Cloud API: customers write, our agents answer, within the window that Meta sets.

use protocol::content::Template;
use protocol::delivery::{AccountState, DeliveryState};
use protocol::desk::{DeskCommand, ReplyWith};
use protocol::streams::PARKED;
use protocol::{MessageId, Outcome};
use serde_json::{Value, json};
use tests::Product;
use tests::desk::Desk;

use crate::graph::{APP_SECRET, Graph, NUMBER, TOKEN, VERIFY_TOKEN, post_signed};
use crate::messaging::{self, OURS, PUBLIC, SID, Signer, joins, post};
use crate::scene::{self, Scene, texts};
use crate::seat::{reply, take};

const ANN: &str = "31612345678";

async fn scene() -> Scene<Graph> {
    let graph = Graph::open().await;
    let mut product = Product::empty().await;
    let secrets = ["token", "secret", "verify_token"]
        .map(|name| format!("{name} = {{ file = \"meta.{name}\" }}\n"))
        .concat();
    let table = format!(
        "[[whatsapp]]\naccount = \"shop\"\nprovider = \"meta\"\nphone_number_id = \"{NUMBER}\"\n{secrets}api = \"{}\"\n",
        graph.url
    );
    // And a number for text messages, of another provider.
    let sms = format!(
        "[[sms]]\naccount = \"shop\"\nsid = \"{SID}\"\ntoken = {{ file = \"twilio.token\" }}\nfrom = \"{OURS}\"\n"
    );
    let table = format!("{table}{sms}");
    let files = [
        ("twilio.token", messaging::TOKEN),
        ("meta.token", TOKEN),
        ("meta.secret", APP_SECRET),
        ("meta.verify_token", VERIFY_TOKEN),
    ];
    let url = joins(&mut product, &["whatsapp", "sms"], &table, &files, &[]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: graph, anna, url }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// An update with these items of these kinds.
fn update(fields: &[(&str, Value)]) -> Value {
    let mut value = json!({"messaging_product": "whatsapp", "metadata": {"display_phone_number": "3197010000001", "phone_number_id": NUMBER}});
    value
        .as_object_mut()
        .unwrap()
        .extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]})
}

fn contacts() -> (&'static str, Value) {
    ("contacts", json!([{"wa_id": ANN, "profile": {"name": "Ann"}}]))
}

/// A message of Ann's, of so many seconds ago.
fn message(id: &str, ago: u64, more: &Value) -> Value {
    let mut message = json!({"id": id, "from": ANN, "timestamp": (now() - ago).to_string()});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

fn words(id: &str, ago: u64, text: &str) -> Value {
    message(id, ago, &json!({"type": "text", "text": {"body": text}}))
}

impl Scene<Graph> {
    async fn comes(&self, update: &Value) {
        let (status, answer) = post_signed(&self.url, APP_SECRET, update).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn says(&self, messages: &[Value]) {
        self.comes(&update(&[contacts(), ("messages", messages.into())])).await;
    }
}

#[tokio::test]
async fn whatsapp_is_answered_and_how_far_the_answer_came_is_told() {
    let mut scene = scene().await;
    scene.says(&[words("wamid.1", 0, "Where is my tyre?")]).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!((card.channel.as_str(), card.customer_name.as_deref()), ("whatsapp", Some("Ann")));
    let said = reply(&mut scene.anna, contact.contact, "On its way").await;
    let sent = scene.provider.hears("On its way").await;
    assert_eq!((&sent["to"], &sent["messaging_product"]), (&json!(ANN), &json!("whatsapp")));
    scene.reaches(said, DeliveryState::Accepted).await;
    // It is known by our own id too, which comes back.
    let status = |word: &str| {
        json!({"id": "wamid.ours-1", "status": word, "timestamp": now().to_string(), "recipient_id": ANN,
        "biz_opaque_callback_data": sent["biz_opaque_callback_data"]})
    };
    scene.comes(&update(&[("statuses", json!([status("read"), status("delivered"), status("sent")]))])).await;
    scene.reaches(said, DeliveryState::Read).await;
    assert_eq!(scene.stands(said).await, DeliveryState::Read);
    // The same again is the same.
    scene.says(&[words("wamid.1", 0, "Where is my tyre?")]).await;
    assert_eq!(scene.recorded().await, 1);
}

#[tokio::test]
async fn meta_makes_sure_of_the_address_and_nobody_else_gets_in() {
    let scene = scene().await;
    let asks = async |token: &str| {
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        let answer = reqwest::get(format!("{}?{query}", scene.url)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(asks(VERIFY_TOKEN).await, (200, "1158201444".to_owned()));
    assert_eq!(asks("guessed-by-a-stranger").await.0, 401);
    let update = update(&[contacts(), ("messages", json!([words("wamid.1", 0, "give me a refund")]))]);
    let (status, answer) = post_signed(&scene.url, "another-app-s-secret", &update).await;
    assert_eq!(status, 401);
    assert!(answer.contains("wrong_signature"), "{answer}");
    assert_eq!(scene.recorded().await, 0);
}

#[tokio::test]
async fn a_bad_one_in_a_batch_is_parked_and_the_others_pass() {
    let mut scene = scene().await;
    // It does not say what kind it is.
    let bad = message("wamid.2", 0, &json!({"text": {"body": "Second"}}));
    scene.says(&[words("wamid.1", 0, "First"), bad, words("wamid.3", 0, "Third")]).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!(card.words.first().map(String::as_str), Some("First"));
    assert_eq!(
        contact.entries.iter().filter_map(|entry| entry.text.as_deref()).collect::<Vec<_>>(),
        ["First", "Third"]
    );
    let bus = scene.product.bus().await;
    let parked = bus.read_range(PARKED, 1, u64::MAX, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    // A sign under a message of ours is shown where it belongs, and asks nobody for anything.
    let thumb = json!({"type": "reaction", "reaction": {"message_id": "wamid.ours-1", "emoji": "👍"}});
    scene.says(&[message("wamid.4", 0, &thumb)]).await;
    let shown = scene.hears("a reaction", |entry| entry.text.as_deref() == Some("👍")).await;
    assert!(matches!(shown.kind, protocol::record::EntryKind::Automatic), "{:?}", shown.kind);
    assert_eq!(shown.place.unwrap().replies_to.as_deref(), Some("wamid.ours-1"));
}

#[tokio::test]
async fn after_a_day_nothing_is_written_freely_and_the_agent_is_told() {
    let mut scene = scene().await;
    scene.says(&[words("wamid.1", 24 * 3600 + 60, "I wrote yesterday")]).await;
    let (_, contact) = take(&mut scene.anna).await;
    let late = reply(&mut scene.anna, contact.contact, "Too late").await;
    assert_eq!(scene.reaches(late, DeliveryState::Failed).await.reason.as_deref(), Some("window_closed"));
    assert_eq!(scene.account().await, AccountState::Working, "it is no fault of the account");
    // An approved form goes all the same, and the agent sees the words that the customer reads.
    let variables = [("1".to_owned(), "Ann".to_owned()), ("2".to_owned(), "A.7".to_owned())].into();
    let template = Template { name: "order_late".to_owned(), language: "en".to_owned(), variables };
    let with = ReplyWith { template: Some(Box::new(template)), ..ReplyWith::default() };
    let form = MessageId(uuid::Uuid::now_v7());
    let text = "Dear Ann, order A.7 is late.".to_owned();
    let command =
        DeskCommand::Reply { contact: contact.contact, message: form, text, with: Some(Box::new(with)) };
    assert_eq!(scene.anna.command(command).await, Outcome::Done);
    scene.reaches(form, DeliveryState::Accepted).await;
    let sent = scene.provider.sent().pop().unwrap();
    assert_eq!((&sent["type"], &sent["template"]["name"]), (&json!("template"), &json!("order_late")));
    assert_eq!(sent["template"]["components"][0]["parameters"][1], json!({"type": "text", "text": "A.7"}));
    scene.says(&[words("wamid.2", 0, "Still there")]).await;
    let good = reply(&mut scene.anna, contact.contact, "In time").await;
    scene.reaches(good, DeliveryState::Accepted).await;
    // Meta knows best: what it refuses for that is told in the same word.
    let closed = json!({"error": {"message": "Re-engagement message", "type": "OAuthException", "code": 131_047, "fbtrace_id": "A"}});
    scene.provider.answers(&[(400, closed)]);
    let refused = reply(&mut scene.anna, contact.contact, "By its clock").await;
    assert_eq!(scene.reaches(refused, DeliveryState::Failed).await.reason.as_deref(), Some("window_closed"));
    assert_eq!(scene.provider.sent().len(), 2);
}

#[tokio::test]
async fn who_hides_their_number_is_answered_by_the_id_that_they_have_here() {
    let mut scene = scene().await;
    let hidden = json!({"id": "wamid.1", "from_user_id": "NL.13491208655302741918", "timestamp": now().to_string(), "type": "text", "text": {"body": "Guess who"}});
    let contacts =
        json!([{"user_id": "NL.13491208655302741918", "profile": {"name": "Ann", "username": "ann"}}]);
    scene.comes(&update(&[("contacts", contacts), ("messages", json!([hidden]))])).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!(card.customer_name.as_deref(), Some("Ann"));
    reply(&mut scene.anna, contact.contact, "You").await;
    let sent = scene.provider.hears("You").await;
    assert_eq!((sent.get("to"), &sent["recipient"]), (None, &json!("NL.13491208655302741918")));
}

#[tokio::test]
async fn a_number_and_the_id_that_came_with_it_are_one_customer() {
    let mut scene = scene().await;
    let contacts = |number: Option<&str>| {
        let mut contact = json!({"user_id": "NL.777", "profile": {"name": "Ann"}});
        number.into_iter().for_each(|number| contact["wa_id"] = number.into());
        ("contacts", json!([contact]))
    };
    scene
        .comes(&update(&[contacts(Some(ANN)), ("messages", json!([words("wamid.1", 0, "By my number")]))]))
        .await;
    let (_, first) = take(&mut scene.anna).await;
    // Later they hide it.
    let hidden = json!({"id": "wamid.2", "from_user_id": "NL.777", "timestamp": now().to_string(), "type": "text", "text": {"body": "By my name"}});
    scene.comes(&update(&[contacts(None), ("messages", json!([hidden]))])).await;
    let second = scene.goes_on(&first).await;
    let token = scene::token(&scene.product, "anna").await;
    let page =
        scene::customer(&scene.product, &token, second.conversation, |page| texts(page).len() == 2).await;
    assert_eq!(texts(&page), ["By my number", "By my name"]);
}

#[tokio::test]
async fn the_same_number_by_text_message_and_by_whatsapp_is_one_customer() {
    let mut scene = scene().await;
    scene.says(&[words("wamid.1", 0, "By WhatsApp")]).await;
    let (_, first) = take(&mut scene.anna).await;
    let from = format!("+{ANN}");
    let fields = [
        ("MessageSid", "SM1"),
        ("From", &from),
        ("To", OURS),
        ("Body", "By text message"),
        ("SmsStatus", "received"),
    ];
    let form = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let signature = Signer::start().signs(messaging::TOKEN, &format!("{PUBLIC}/in/sms/shop"), &form).await;
    let url = scene.url.replace("/in/whatsapp/", "/in/sms/");
    assert_eq!(post(&url, &signature, &form).await.0, 200);
    // The agent who has them goes on with them there.
    let second = scene.goes_on(&first).await;
    assert_eq!(second.channel.as_str(), "sms");
    let token = scene::token(&scene.product, "anna").await;
    let page =
        scene::customer(&scene.product, &token, second.conversation, |page| texts(page).len() == 2).await;
    assert_eq!(texts(&page), ["By WhatsApp", "By text message"]);
}

#[tokio::test]
async fn pictures_are_fetched_with_the_accounts_token() {
    let mut scene = scene().await;
    scene.provider.has_file("1234", b"\xff\xd8\xff\xe0 the bytes of a picture");
    let torn = json!({"type": "image", "image": {"id": "1234", "mime_type": "image/jpeg", "sha256": "x", "caption": "Torn"}});
    scene.says(&[message("wamid.1", 0, &torn)]).await;
    let (_, contact) = take(&mut scene.anna).await;
    let entry = contact.entries.iter().find(|entry| entry.text.as_deref() == Some("Torn")).unwrap();
    assert_eq!(entry.attachments[0].media_type, "image/jpeg");
}

#[tokio::test]
async fn how_a_number_is_set_up_is_tried_by_a_command() {
    let scene = scene().await;
    let folder = scene.product.folder().join("config");
    let check = ["--config", folder.to_str().unwrap(), "channel", "check", "whatsapp/shop"];
    let (code, out, err) = scene.product.command(&check).await;
    assert_eq!(code, 0, "{out}{err}");
    std::fs::write(folder.join("meta.token"), "EAAG-another-token").unwrap();
    let (code, out, _) = scene.product.command(&check).await;
    assert_eq!(code, 1);
    assert!(!out.contains("EAAG"), "{out}");
}
