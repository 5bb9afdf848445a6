//! Wrong frames at the desk's socket, and commands that are not carried out.

use protocol::command::{Outcome, Refusal};
use protocol::desk::{DeskCommand, FromDesk, ToDesk};
use protocol::ids::{CommandId, ContactId, MessageId};
use protocol::limits::{NOTE_BYTES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX};
use serde_json::json;
use tests::desk::Desk;
use tests::{Product, log};
use tokio_tungstenite::tungstenite::Message;

const TWO_DAYS_S: u64 = 2 * 24 * 3600;

pub(crate) async fn wrong_frames(product: &Product) {
    let mut anna = Desk::open(product, "rest", "desk", "anna").await;
    let id = CommandId(uuid::Uuid::now_v7());
    let command =
        |asked: serde_json::Value| json!({ "t": "command", "id": id, "command": asked }).to_string();
    for (text, code) in [
        ("{\"t\":".to_owned(), "malformed_json"),
        ("[]".to_owned(), "not_a_frame"),
        (json!({ "t": "shout" }).to_string(), "not_a_frame"),
        (json!({ "t": "ping", "n": 1, "m": 2 }).to_string(), "not_a_frame"),
        (json!({ "t": "typing", "contact": "con_1_*" }).to_string(), "not_a_frame"),
        (command(json!({ "do": "accept", "offer": "off_1_0", "as": "bram" })), "not_a_frame"),
        (command(json!({ "do": "transfer_to_queue", "contact": "con_1_0", "queue": "a.>" })), "not_a_frame"),
        (" ".repeat(128 * 1024 + 1), "frame_too_large"),
    ] {
        let counter = format!("refused_total{{channel=\"desk\",reason=\"{code}\"}}");
        let before = product.metric("desk", &counter).await;
        anna.send_text(text).await;
        assert_eq!(error(&mut anna).await, code);
        product.metric_until("desk", &counter, |count| count > before).await;
    }
    anna.send_raw(Message::binary(b"{}".to_vec())).await;
    assert_eq!(error(&mut anna).await, "binary_frame");
    no_key_no_desk(product).await;
    limits(&mut anna).await;
    clocks(&mut anna).await;
}

/// The code of the next error; its words say what to do.
async fn error(desk: &mut Desk) -> String {
    desk.until("an error", |frame| match frame {
        ToDesk::Error { code, words } if words.len() > 5 => Some(code.clone()),
        _ => None,
    })
    .await
}

async fn no_key_no_desk(product: &Product) {
    let url = format!("{}/desk/api/socket", product.url("desk"));
    for session in ["Bearer guessed", "Bearer ", "Basic YTpi"] {
        let asked = reqwest::Client::new().get(&url).header("authorization", session);
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
        let asked = upgrade.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value));
        let answer = asked.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{session}");
    }
}

/// Words at the limit pass, one past is refused; nobody holds the contact, so the core has the last word.
async fn limits(anna: &mut Desk) {
    anna.online().await;
    let card = anna.offer().await;
    let (offer, contact) = (card.offer, card.contact);
    let decline = |length: usize| DeskCommand::Decline { offer, reason: "r".repeat(length) };
    assert_eq!(refusal(anna, decline(REASON_BYTES_MAX + 1)).await, Refusal::TooLong);
    assert_eq!(anna.command(DeskCommand::Accept { offer }).await, Outcome::Done);
    let message = MessageId(uuid::Uuid::now_v7());
    let reply = |text: String| DeskCommand::Reply { contact, message, text, with: None };
    assert_eq!(refusal(anna, reply("x".repeat(TEXT_BYTES_MAX + 1))).await, Refusal::TooLong);
    assert_eq!(refusal(anna, reply("\u{1f6b2}".repeat(16 * 1024))).await, Refusal::TooLong);
    assert_eq!(refusal(anna, reply(" ".to_owned())).await, Refusal::EmptyText);
    assert_eq!(anna.command(reply("\u{1f6b2}".repeat(TEXT_BYTES_MAX / 4))).await, Outcome::Done);
    let note = |text: String| DeskCommand::Note { contact, message, text, mentions: Vec::new() };
    assert_eq!(refusal(anna, note("x".repeat(NOTE_BYTES_MAX + 1))).await, Refusal::TooLong);
    assert_eq!(anna.command(note("x".repeat(NOTE_BYTES_MAX))).await, Outcome::Done);
    let nowhere = ContactId { log_seq: u64::MAX, n: u32::MAX };
    let resolve =
        |contact| DeskCommand::Resolve { contact, disposition: crate::token("answered"), fields: [].into() };
    assert_eq!(refusal(anna, resolve(nowhere)).await, Refusal::UnknownContact);
    anna.send(&FromDesk::Draft { contact, text: "x".repeat(NOTE_BYTES_MAX + 1) }).await;
    assert_eq!(error(anna).await, "draft_too_long");
    assert_eq!(anna.command(resolve(contact)).await, Outcome::Done);
    assert_eq!(anna.command(DeskCommand::EndWrapUp { contact }).await, Outcome::Done);
}

/// An id that a clock far off has made could come again after it is forgotten: it is refused.
async fn clocks(anna: &mut Desk) {
    let away = || DeskCommand::SetPresence {
        presence: protocol::command::Presence::Away,
        reason: None,
        when_free: false,
    };
    let now_s = log::now_ms() / 1000;
    for seconds in [now_s - TWO_DAYS_S, now_s + TWO_DAYS_S, 0] {
        let born = uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0);
        let outcome = anna.command_as(CommandId(uuid::Uuid::new_v7(born)), away()).await;
        assert_eq!(outcome, Outcome::Refused { refusal: Refusal::TooOld });
    }
    assert_eq!(anna.command(away()).await, Outcome::Done);
}

async fn refusal(desk: &mut Desk, command: DeskCommand) -> Refusal {
    match desk.command(command).await {
        Outcome::Refused { refusal } => refusal,
        Outcome::Done => panic!("it was carried out"),
    }
}
