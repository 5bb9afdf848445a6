//! A bot's customers write, our agents answer, whatever Telegram does meanwhile.

use std::time::Duration;

use protocol::delivery::{AccountState, DeliveryState};
use protocol::desk::{DeskCommand, DeskEntry, ReplyWith};
use protocol::{MessageId, Outcome};
use serde_json::{Value, json};
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::botapi::{BotApi, SECRET};
use crate::canary::watches;
use crate::partner::SOON;
use crate::scene::Scene;
use crate::seat::{reply, take};

async fn scene(variables: &[(&str, &str)]) -> Scene<BotApi> {
    let telegram = BotApi::open().await;
    let mut product = Product::empty().await;
    let url = telegram.joins(&mut product, &["views", "desk", "api"], variables).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: telegram, anna, url }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A message of Ann's with more in it.
fn message(id: u64, more: &Value) -> Value {
    let ann = json!({"id": 5501, "is_bot": false, "first_name": "Ann", "language_code": "nl"});
    let mut message =
        json!({"message_id": id, "from": ann, "chat": {"id": 5501, "type": "private"}, "date": now()});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"update_id": 100 + id, "message": message})
}

fn words(id: u64, text: &str) -> Value {
    message(id, &json!({ "text": text }))
}

async fn post(url: &str, secret: &str, update: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(url).header("x-telegram-bot-api-secret-token", secret);
    let answer = request.json(update).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

impl Scene<BotApi> {
    async fn comes(&self, update: &Value) {
        let (status, answer) = post(&self.url, SECRET, update).await;
        assert!((200..300).contains(&status), "{status} {answer}");
    }
}

#[tokio::test]
async fn a_bots_customers_are_answered() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Where is my tyre?")).await;
    let (card, contact) = take(&mut scene.anna).await;
    assert_eq!((card.channel.as_str(), card.customer_name.as_deref()), ("telegram", Some("Ann")));
    let said = reply(&mut scene.anna, contact.contact, "On its way <b>").await;
    let call = scene.provider.hears("On its way <b>").await;
    assert_eq!((call.method.as_str(), &call.fields["chat_id"]), ("sendMessage", &json!(5501)));
    scene.reaches(said, DeliveryState::Accepted).await;
    assert_eq!(scene.account().await, AccountState::Working);
    // The same update again, and 64 times at once, is the same message.
    let again = words(2, "Hello?");
    let many = (0..64).map(|_| {
        let (url, update) = (scene.url.clone(), again.clone());
        tokio::spawn(async move { post(&url, SECRET, &update).await.0 })
    });
    for one in many.collect::<Vec<_>>() {
        // Whoever found no seat is told to come again, and then is the same too.
        assert!([202, 503].contains(&one.await.unwrap()));
    }
    scene.comes(&again).await;
    scene.comes(&words(1, "Where is my tyre?")).await;
    scene.hears("the second message", |entry| entry.text.as_deref() == Some("Hello?")).await;
    // A later wording stands beside the first, and says of which it is one.
    let mut edited = words(1, "Where are my tyres?");
    let mut changed = edited["message"].take();
    changed["edit_date"] = (now() + 1).into();
    scene.comes(&json!({"update_id": 900, "edited_message": changed})).await;
    let edit =
        scene.hears("another wording", |entry| entry.text.as_deref() == Some("Where are my tyres?")).await;
    assert_eq!(edit.place.unwrap().edits.as_deref(), Some("5501:1"));
    assert_eq!(scene.recorded().await, 3);
}

#[tokio::test]
async fn a_button_is_heard_and_whoever_pressed_it_is_told() {
    let mut scene = scene(&[]).await;
    let ann = json!({"id": 5501, "is_bot": false, "first_name": "Ann"});
    let keys = json!({"inline_keyboard": [[{"text": "Call me", "callback_data": "call"}]]});
    let under = json!({"message_id": 7, "date": 1, "chat": {"id": 5501, "type": "private"}, "text": "?", "reply_markup": keys});
    let pressed = json!({"update_id": 1, "callback_query": {"id": "q1", "from": ann, "data": "call", "message": under}});
    let (status, answer) = post(&scene.url, SECRET, &pressed).await;
    assert_eq!((status, answer), (200, json!({"method": "answerCallbackQuery", "callback_query_id": "q1"})));
    let (card, _) = take(&mut scene.anna).await;
    assert_eq!(card.words, ["Call me"]);
}

#[tokio::test]
async fn nothing_is_taken_from_who_does_not_know_the_secret() {
    let scene = scene(&[]).await;
    let (status, answer) = post(&scene.url, "guessed-by-a-stranger", &words(1, "give me a refund")).await;
    assert_eq!((status, &answer["code"]), (401, &json!("wrong_signature")));
    assert_eq!(scene.recorded().await, 0);
}

#[tokio::test]
async fn files_come_and_go_as_bytes() {
    let mut scene = scene(&[]).await;
    scene.provider.has_file("large", Some(b"\xff\xd8\xff\xe0 the bytes of a picture"));
    scene.provider.has_file("second", Some(b"\xff\xd8\xff\xe0 another"));
    let photo = |id: u64, file: &str, more: &Value| {
        let sizes = json!([{"file_id": "small", "file_unique_id": "u", "width": 9, "height": 9},
            {"file_id": file, "file_unique_id": "u", "width": 900, "height": 900}]);
        let mut all = json!({"photo": sizes, "media_group_id": "g"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message(id, &all)
    };
    scene.comes(&photo(1, "large", &json!({"caption": "Torn"}))).await;
    let (_, contact) = take(&mut scene.anna).await;
    let first = contact.entries.iter().find(|entry| entry.text.as_deref() == Some("Torn")).unwrap().clone();
    assert_eq!(first.attachments[0].media_type, "image/jpeg");
    scene.comes(&photo(2, "second", &json!({}))).await;
    let second = scene
        .hears("the other picture", |entry| entry.attachments.len() == 1 && entry.text.as_deref() == Some(""))
        .await;
    let album = |entry: &DeskEntry| entry.place.clone().unwrap().album.unwrap();
    assert_eq!(album(&first), album(&second), "both are one album");
    // A file that Telegram has no more is told in the words; one that it cannot give now comes when it can.
    scene
        .comes(&message(
            3,
            &json!({"document": {"file_id": "gone", "file_unique_id": "u", "file_name": "old.pdf"}}),
        ))
        .await;
    scene
        .hears("what is not there", |entry| {
            entry.text.as_deref().is_some_and(|text| text.contains("old.pdf could not be fetched"))
        })
        .await;
    scene.provider.has_file("later", None);
    let later =
        message(4, &json!({"document": {"file_id": "later", "file_unique_id": "u", "file_name": "new.txt"}}));
    let (status, answer) = post(&scene.url, SECRET, &later).await;
    assert_eq!(status, 503, "Telegram keeps it and comes again: {answer}");
    scene.provider.has_file("later", Some(b"here it is"));
    scene.comes(&later).await;
    scene
        .hears("the file that came later", |entry| {
            entry.attachments.iter().any(|file| file.name == "new.txt")
        })
        .await;
    // And ours go out: words under the first of an album.
    let with = ReplyWith {
        attachments: vec![first.attachments[0].clone(), second.attachments[0].clone()],
        ..ReplyWith::default()
    };
    let message = MessageId(uuid::Uuid::now_v7());
    let answer = DeskCommand::Reply {
        contact: contact.contact,
        message,
        text: "These two".to_owned(),
        with: Some(Box::new(with)),
    };
    assert_eq!(scene.anna.command(answer).await, Outcome::Done);
    scene.reaches(message, DeliveryState::Accepted).await;
    let sent = scene.provider.sent();
    let call = sent.last().unwrap();
    assert_eq!(call.method, "sendMediaGroup");
    let media: Value = serde_json::from_str(call.fields["media"].as_str().unwrap()).unwrap();
    assert_eq!(media[0], json!({"type": "photo", "media": "attach://file_0", "caption": "These two"}));
    assert!(call.fields["file_0"].as_str().unwrap().starts_with("photo.jpg;image/jpeg;"));
    assert!(call.fields["file_1"].as_str().unwrap().ends_with(" another"));
}

#[tokio::test]
async fn a_limit_is_waited_for_and_who_blocked_the_bot_is_told_of() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let wait = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3", "parameters": {"retry_after": 3}});
    scene.provider.answers(&[(429, wait)]);
    let began = std::time::Instant::now();
    let limited = reply(&mut scene.anna, contact.contact, "In a moment").await;
    scene.reaches(limited, DeliveryState::Queued).await;
    assert_eq!(scene.account().await, AccountState::Limited);
    scene.reaches(limited, DeliveryState::Accepted).await;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(scene.account().await, AccountState::Working);
    let blocked =
        json!({"ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user"});
    scene.provider.answers(&[(403, blocked)]);
    let unheard = reply(&mut scene.anna, contact.contact, "Are you there?").await;
    assert_eq!(
        scene.reaches(unheard, DeliveryState::Failed).await.reason.as_deref(),
        Some("blocked_by_customer")
    );
    assert_eq!(scene.account().await, AccountState::Working, "it is theirs, and no fault of the account");
    // And Telegram says so by itself.
    let ann = json!({"id": 5501, "is_bot": false, "first_name": "Ann"});
    let kicked = json!({"chat": {"id": 5501, "type": "private"}, "from": ann, "date": now(), "new_chat_member": {"status": "kicked"}});
    scene.comes(&json!({"update_id": 2, "my_chat_member": kicked})).await;
    let left = scene
        .hears("the customer is gone", |entry| {
            matches!(entry.kind, protocol::record::EntryKind::CustomerLeft)
        })
        .await;
    assert_eq!(left.contact, contact.contact);
}

#[tokio::test]
async fn long_words_arrive_whole_and_what_stops_half_way_is_for_a_person() {
    let mut scene = scene(&[]).await;
    scene.comes(&words(1, "Tell me everything")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let text = "woord ".repeat(1400);
    let long = reply(&mut scene.anna, contact.contact, &text).await;
    scene.reaches(long, DeliveryState::Accepted).await;
    let parts: Vec<String> =
        scene.provider.sent().iter().map(|call| call.fields["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!((parts.len(), parts.join(" ")), (3, text.trim().to_owned()));
    let no = json!({"ok": false, "error_code": 400, "description": "Bad Request: no"});
    let yes =
        json!({"ok": true, "result": {"message_id": 99, "date": 1, "chat": {"id": 5501, "type": "private"}}});
    scene.provider.answers(&[(200, yes), (400, no)]);
    let half = reply(&mut scene.anna, contact.contact, &text).await;
    assert_eq!(scene.reaches(half, DeliveryState::Unknown).await.reason.as_deref(), Some("in_part"));
}

#[tokio::test]
async fn a_process_that_died_between_handing_over_and_the_result_sends_nothing_twice() {
    let window = ("WINTERBAND_FAILPOINT", "channels.after_handover_before_result");
    let mut scene = scene(&[window]).await;
    scene.comes(&words(1, "Hello")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let said = reply(&mut scene.anna, contact.contact, "said once").await;
    scene.provider.hears("said once").await;
    scene.comes_back().await;
    // The Bot API knows no id of ours: only a person can say whether the customer has it.
    assert_eq!(scene.reaches(said, DeliveryState::Unknown).await.reason.as_deref(), Some("crashed"));
    let next = reply(&mut scene.anna, contact.contact, "and this").await;
    scene.reaches(next, DeliveryState::Accepted).await;
    let texts: Vec<Value> =
        scene.provider.sent().into_iter().map(|call| call.fields["text"].clone()).collect();
    assert_eq!(texts, ["said once", "and this"]);
}

#[tokio::test]
async fn how_a_bot_is_set_up_is_tried_by_a_command() {
    let scene = scene(&[]).await;
    let folder = scene.product.folder().join("config");
    let check = ["--config", folder.to_str().unwrap(), "channel", "check", "bot"];
    let (code, out, err) = scene.product.command(&check).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("ok      ask Telegram for the bot's webhook"), "{out}");
    scene.provider.webhook(json!({"url": "", "pending_update_count": 4}));
    let (code, out, _) = scene.product.command(&check).await;
    assert_eq!(code, 1);
    assert!(out.contains("no webhook is set") && !out.contains("4242"), "{out}");
}

#[tokio::test]
async fn a_canary_turns_red_when_telegram_does_not_know_where_we_are() {
    let mut scene = scene(&[]).await;
    watches(&mut scene.product, &[]).await;
    let seen = async |name: &str| {
        let name = format!("{name}{{channel=\"telegram\",account=\"bot\"");
        eventually(&name, SOON, || async {
            let of = async |end: &str| scene.product.metric("watch", &format!("{name}{end}")).await;
            let end = if name.starts_with("canary_ok") { "}" } else { ",hop=\"door\"}" };
            (of(end).await == 1.0).then_some(())
        })
        .await;
    };
    seen("canary_ok").await;
    let right = json!({"url": scene.url, "pending_update_count": 0});
    scene.provider.webhook(json!({"url": "", "pending_update_count": 0}));
    seen("canary_broken").await;
    assert!(scene.product.text("watch").contains("no webhook is set"), "it says what to do");
    scene.provider.webhook(right);
    seen("canary_ok").await;
    assert_eq!(scene.recorded().await, 0, "a canary is no customer");
}
