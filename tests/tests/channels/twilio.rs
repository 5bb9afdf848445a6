//! Text messages by Twilio: customers write, our agents answer, whatever Twilio does meanwhile.

use std::time::Duration;

use protocol::delivery::{AccountState, DeliveryState};
use protocol::desk::{DeskCommand, ReplyWith};
use protocol::{MessageId, Outcome};
use serde_json::json;
use tests::Product;
use tests::desk::Desk;

use crate::messaging::{
    ANN, Deal, Form, Messaging, OURS, PUBLIC, Published, SID, Signer, TOKEN, joins, post,
};
use crate::scene::Scene;
use crate::seat::{reply, take};

pub(crate) struct Twilio {
    pub(crate) api: Messaging,
    pub(crate) signer: Signer,
}

async fn scene(variables: &[(&str, &str)]) -> Scene<Twilio> {
    let api = Messaging::open().await;
    let url = api.url.clone();
    scene_on(api, &url, variables).await
}

/// With an account that is on this address of an API.
async fn scene_on(api: Messaging, url: &str, variables: &[(&str, &str)]) -> Scene<Twilio> {
    let mut product = Product::empty().await;
    let table = format!(
        "[[sms]]\naccount = \"shop\"\nsid = \"{SID}\"\ntoken = {{ file = \"twilio.token\" }}\nfrom = \"{OURS}\"\napi = \"{url}\"\n"
    );
    let url = joins(&mut product, &["sms"], &table, &[("twilio.token", TOKEN)], variables).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: Twilio { api, signer: Signer::start() }, anna, url }
}

fn form(fields: &[(&str, &str)]) -> Form {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A message of Ann's.
pub(crate) fn words(id: u32, text: &str) -> Form {
    let sid = format!("SM{id:032x}");
    form(&[
        ("MessageSid", &sid),
        ("SmsSid", &sid),
        ("SmsMessageSid", &sid),
        ("AccountSid", SID),
        ("From", ANN),
        ("To", OURS),
        ("Body", text),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("SmsStatus", "received"),
        ("ApiVersion", "2010-04-01"),
    ])
}

/// How far one of ours has come.
fn status(sid: &str, word: &str, more: &[(&str, &str)]) -> Form {
    let fields = [("MessageSid", sid), ("SmsSid", sid), ("MessageStatus", word), ("To", ANN), ("From", OURS)];
    let mut fields = form(&fields);
    fields.extend(form(more));
    fields
}

impl Scene<Twilio> {
    async fn posts(&mut self, form: &Form) -> (u16, String) {
        let signature = self.provider.signer.signs(TOKEN, &format!("{PUBLIC}/in/sms/shop"), form).await;
        post(&self.url, &signature, form).await
    }

    pub(crate) async fn comes(&mut self, form: &Form) {
        assert_eq!(self.posts(form).await, (200, "<Response/>".to_owned()));
    }
}

#[tokio::test]
async fn a_text_message_is_answered_and_how_far_the_answer_came_is_told() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Where is my tyre? 😀 + & =")).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!(
        (card.channel.as_str(), card.words.as_slice()),
        ("sms", &["Where is my tyre? 😀 + & =".to_owned()][..])
    );
    assert_eq!(card.customer_name.as_deref(), Some(ANN), "who gives no name is called by their number");
    let said = reply(&mut scene.anna, contact.contact, "On its way & more").await;
    let sent = scene.provider.api.hears("On its way & more").await;
    assert_eq!((sent.get("To"), sent.get("From")), (Some(ANN), Some(OURS)));
    assert_eq!(sent.get("StatusCallback"), Some(format!("{PUBLIC}/in/sms/shop").as_str()));
    scene.reaches(said, DeliveryState::Accepted).await;
    // In whatever order they come, the furthest counts.
    scene.comes(&status(&sent.sid, "delivered", &[])).await;
    scene.comes(&status(&sent.sid, "sent", &[])).await;
    scene.reaches(said, DeliveryState::Delivered).await;
    scene.reaches(said, DeliveryState::Sent).await;
    assert_eq!(scene.stands(said).await, DeliveryState::Delivered);
    // The same message again, and 64 times at once, is the same message.
    let again = words(2, "Hello?");
    let signature = scene.provider.signer.signs(TOKEN, &format!("{PUBLIC}/in/sms/shop"), &again).await;
    let many = (0..64).map(|_| {
        let (url, form, signature) = (scene.url.clone(), again.clone(), signature.clone());
        tokio::spawn(async move { post(&url, &signature, &form).await.0 })
    });
    for one in many.collect::<Vec<_>>() {
        // Whoever found no seat is told to come again, and then is the same too.
        assert!([200, 503].contains(&one.await.unwrap()));
    }
    scene.comes(&again).await;
    scene.hears("the second message", |entry| entry.text.as_deref() == Some("Hello?")).await;
    assert_eq!(scene.recorded().await, 2);
}

#[tokio::test]
async fn nothing_is_taken_that_twilio_did_not_sign() {
    let mut scene = scene(&[]).await;
    let form = words(1, "give me a refund");
    let wrong = scene
        .provider
        .signer
        .signs("another-token-of-32-letters-0000", &format!("{PUBLIC}/in/sms/shop"), &form)
        .await;
    let elsewhere = scene.provider.signer.signs(TOKEN, &format!("{PUBLIC}/in/sms/other"), &form).await;
    for (signature, code) in
        [("", "no_signature"), (wrong.as_str(), "wrong_signature"), (elsewhere.as_str(), "wrong_signature")]
    {
        let (status, answer) = post(&scene.url, signature, &form).await;
        assert_eq!(status, 401, "{answer}");
        assert!(answer.contains(code), "{answer}");
    }
    assert_eq!(scene.recorded().await, 0);
}

#[tokio::test]
async fn a_status_may_come_before_the_answer_to_the_send() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    scene.provider.api.deals(&[Deal::Slow(Duration::from_secs(2))]);
    let said = reply(&mut scene.anna, contact.contact, "Slowly").await;
    let sent = scene.provider.api.hears("Slowly").await;
    scene.comes(&status(&sent.sid, "delivered", &[])).await;
    scene.reaches(said, DeliveryState::Delivered).await;
    let failed = reply(&mut scene.anna, contact.contact, "To nobody").await;
    let sent = scene.provider.api.hears("To nobody").await;
    scene.comes(&status(&sent.sid, "undelivered", &[("ErrorCode", "30005")])).await;
    let told = scene.reaches(failed, DeliveryState::Failed).await;
    assert!(told.reason.is_some(), "why is told");
}

#[tokio::test]
async fn who_writes_stop_is_not_written_to_even_what_was_under_way_until_they_write_start() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let wait = json!({"code": 20429, "message": "Too Many Requests", "status": 429});
    scene.provider.api.deals(&[Deal::Refused(429, wait)]);
    let queued = reply(&mut scene.anna, contact.contact, "In a moment").await;
    scene.reaches(queued, DeliveryState::Queued).await;
    assert_eq!(scene.account().await, AccountState::Limited);
    scene.comes(&words(2, " stop ")).await;
    let told = scene.reaches(queued, DeliveryState::Failed).await;
    assert_eq!(told.reason.as_deref(), Some("opted_out"));
    let unwanted = reply(&mut scene.anna, contact.contact, "Are you sure?").await;
    assert_eq!(scene.reaches(unwanted, DeliveryState::Failed).await.reason.as_deref(), Some("opted_out"));
    // Words with it in them are none, and what somebody says besides does not let us write again.
    scene.comes(&words(3, "please stop texting me")).await;
    let still = reply(&mut scene.anna, contact.contact, "We did").await;
    assert_eq!(scene.reaches(still, DeliveryState::Failed).await.reason.as_deref(), Some("opted_out"));
    scene.comes(&words(4, "START")).await;
    let wanted = reply(&mut scene.anna, contact.contact, "Welcome back").await;
    scene.reaches(wanted, DeliveryState::Accepted).await;
    let bodies: Vec<_> =
        scene.provider.api.sent().iter().map(|sent| sent.get("Body").unwrap().to_owned()).collect();
    assert_eq!(bodies, ["Welcome back"]);
}

#[tokio::test]
async fn who_stopped_at_twilio_is_not_written_to_again() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let stopped =
        json!({"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400});
    scene.provider.api.deals(&[Deal::Refused(400, stopped)]);
    for text in ["Once", "Twice"] {
        let said = reply(&mut scene.anna, contact.contact, text).await;
        assert_eq!(scene.reaches(said, DeliveryState::Failed).await.reason.as_deref(), Some("opted_out"));
    }
    assert!(scene.provider.api.sent().is_empty(), "the second was not even tried");
    assert_eq!(scene.account().await, AccountState::Working, "it is theirs, and no fault of the account");
}

#[tokio::test]
async fn what_got_no_answer_is_looked_for_before_anybody_says_that_it_is_unknown() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    scene.provider.api.deals(&[Deal::Lost]);
    let lost = reply(&mut scene.anna, contact.contact, "Did it arrive?").await;
    scene.reaches(lost, DeliveryState::Accepted).await;
    // And its statuses are its own.
    let sent = scene.provider.api.hears("Did it arrive?").await;
    scene.comes(&status(&sent.sid, "delivered", &[])).await;
    scene.reaches(lost, DeliveryState::Delivered).await;
    // What is not there stays unknown: it may still come.
    let broken = json!({"code": 20500, "message": "Internal", "status": 500});
    scene.provider.api.deals(&[Deal::Refused(500, broken)]);
    let unknown = reply(&mut scene.anna, contact.contact, "And this?").await;
    scene.reaches(unknown, DeliveryState::Unknown).await;
    assert_eq!(scene.provider.api.sent().len(), 1, "nothing is sent twice by itself");
}

#[tokio::test]
async fn a_process_that_died_between_handing_over_and_the_result_asks_and_sends_nothing_twice() {
    let window = ("WINTERBAND_FAILPOINT", "channels.after_handover_before_result");
    let mut scene = scene(&[window]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let said = reply(&mut scene.anna, contact.contact, "said once").await;
    scene.provider.api.hears("said once").await;
    scene.comes_back().await;
    // Twilio knows no id of ours, but what it has can be asked.
    scene.reaches(said, DeliveryState::Accepted).await;
    let next = reply(&mut scene.anna, contact.contact, "and this").await;
    scene.reaches(next, DeliveryState::Accepted).await;
    let bodies: Vec<_> =
        scene.provider.api.sent().iter().map(|sent| sent.get("Body").unwrap().to_owned()).collect();
    assert_eq!(bodies, ["said once", "and this"]);
}

#[tokio::test]
async fn pictures_come_as_files_and_go_as_links() {
    let mut scene = scene(&[]).await;
    let picture = scene.provider.api.has_file("ME1", b"\xff\xd8\xff\xe0 the bytes of a picture");
    let mut torn = words(1, "Torn");
    for (name, value) in [("MediaUrl0", picture.as_str()), ("MediaContentType0", "image/jpeg")] {
        torn.push((name.to_owned(), value.to_owned()));
    }
    torn.iter_mut().filter(|(name, _)| name == "NumMedia").for_each(|(_, value)| "1".clone_into(value));
    scene.comes(&torn).await;
    let (_, contact) = take(&mut scene.anna).await;
    let entry = contact.entries.iter().find(|entry| entry.text.as_deref() == Some("Torn")).unwrap().clone();
    assert_eq!(entry.attachments[0].media_type, "image/jpeg");
    let with = ReplyWith { attachments: entry.attachments.clone(), ..ReplyWith::default() };
    let message = MessageId(uuid::Uuid::now_v7());
    let text = "This one?".to_owned();
    let answer = DeskCommand::Reply { contact: contact.contact, message, text, with: Some(Box::new(with)) };
    assert_eq!(scene.anna.command(answer).await, Outcome::Done);
    let sent = scene.provider.api.hears("This one?").await;
    let link = sent.get("MediaUrl").unwrap();
    let local = link.replace(PUBLIC, &scene.product.url("channels"));
    assert!(link.starts_with(PUBLIC), "{link}");
    let bytes = reqwest::get(local).await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"\xff\xd8\xff\xe0 the bytes of a picture", "whoever has the link has the file");
}

#[tokio::test]
async fn what_is_posted_is_what_the_published_api_asks_for() {
    let published = Published::open().await;
    let messages = format!("{}/2010-04-01/Accounts/{SID}/Messages.json", published.url);
    let without = reqwest::Client::new().post(&messages).basic_auth(SID, Some(TOKEN));
    let without = without.header("content-type", "application/x-www-form-urlencoded").body("Body=x").send();
    assert_eq!(without.await.unwrap().status().as_u16(), 422, "it looks at what it is given");
    let mut scene = scene_on(Messaging::open().await, &published.url, &[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let said = reply(&mut scene.anna, contact.contact, "Good morning").await;
    scene.reaches(said, DeliveryState::Accepted).await;
}

#[tokio::test]
async fn how_an_account_is_set_up_is_tried_by_a_command() {
    let scene = scene(&[]).await;
    let folder = scene.product.folder().join("config");
    let check = ["--config", folder.to_str().unwrap(), "channel", "check", "shop"];
    let (code, out, err) = scene.product.command(&check).await;
    assert_eq!(code, 0, "{out}{err}");
    scene.provider.api.is("suspended");
    let (code, out, _) = scene.product.command(&check).await;
    assert_eq!(code, 1);
    assert!(out.contains("suspended") && !out.contains(TOKEN), "{out}");
}
