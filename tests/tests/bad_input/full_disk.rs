//! The disk fills up: customers are refused before agents, nothing is said to be taken that is not stored, and with room
//! again it goes on by itself.

use std::time::Duration;

use protocol::command::Outcome;
use protocol::desk::{DeskCommand, FromDesk, ToDesk};
use protocol::ids::{CommandId, ContactId};
use serde_json::{Value, json};
use tests::chat::Chat;
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::full_stream::note;
use crate::small_disk::{SmallDisk, small_disk};
use crate::{message, with};

const TEST: &str = "full_disk::a_full_disk_refuses_customers_before_agents_and_loses_nothing";
const PATH: &str = "/api/v1/messages";
/// Left free beside the ballast for the notes of an agent, bytes.
const LEFT: u64 = 512 * 1024;
/// More notes than fit there.
const NOTES_MAX: u64 = LEFT / (16 * 1024);
const SOON: Duration = Duration::from_secs(10);
/// A new start of nats-server included.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_full_disk_refuses_customers_before_agents_and_loses_nothing() {
    let Some((folder, disk)) = small_disk(TEST) else { return };
    let mut product = Product::empty_in(folder).await;
    // A command that finds no room is told so after this time.
    product.set("desk.command_wait", "2s");
    product.start("routing", &["routing"]).await;
    product.start("rest", &["desk", "views", "chat", "api"]).await;
    let kept = product.post("rest", PATH, &product.admin_key(), "{\"text\": \"kept before").await;
    assert_eq!(kept.problem(), (400, "malformed"));
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    let mut known = Chat::open(&product, "rest").await;
    let mut new = Chat::open(&product, "rest").await;
    anna.online().await;
    known.say("here before it was full").await;
    let card = anna.offer().await;
    assert_eq!(anna.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    let refused = message().to_string();

    nearly_full(&product, &disk, &refused, &mut new).await;
    known.say("and still here").await;
    assert_eq!(anna.command(note(card.contact)).await, Outcome::Done);
    brimful(&product, &disk, &refused, &mut known).await;
    let unsettled = fill_to_the_brim(&mut anna, card.contact).await;
    product.metric_until("rest", "commands_total{outcome=\"full\"}", |count| count >= 1.0).await;

    disk.empty();
    eventually("what was refused is taken", RECOVERED_WITHIN, || async {
        let answer = product.post("rest", PATH, &product.admin_key(), refused.clone()).await;
        (answer.status == 202).then_some(())
    })
    .await;
    assert!(
        product.nats.starts() >= 2,
        "a server that met a full disk writes no more until it is started anew"
    );
    known.reconnect().await;
    known.say("with room again").await;
    new.reconnect().await;
    new.say("may I come in now").await;
    anna.reconnect(anna.threads.have()).await;
    for (id, command) in unsettled {
        assert_eq!(anna.command_as(id, command).await, Outcome::Done, "sent again by the desk");
    }
    // Of `known` three, of `new` one, and the one over the API.
    let all = |ledger: &Value| ledger["messages"]["recorded"] == 5;
    let ledger = product.ledger_until("all that was taken is recorded", RECOVERED_WITHIN, all).await;
    assert_eq!(ledger["messages"]["received"], json!(5), "and nothing twice: {ledger:#}");
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    assert_eq!(out.lines().count(), 1, "{out}");
}

/// New contacts are refused, a person is told once, and the product is ready all the same.
async fn nearly_full(product: &Product, disk: &SmallDisk, refused: &str, new: &mut Chat) {
    disk.fill_to(92);
    let answer = eventually("new messages are refused", SOON, || async {
        let answer = product.post("rest", PATH, &product.admin_key(), refused.to_owned()).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    assert_eq!(answer.problem(), (507, "storage_full"));
    assert_eq!(answer.retry_after_s, Some(30));
    product
        .metric_until("rest", "refused_total{channel=\"api\",reason=\"storage_full\"}", |n| n >= 1.0)
        .await;
    new.send(&json!({ "t": "say", "id": Chat::message_id(), "text": "may I come in" })).await;
    assert_eq!(new.until("refused").await["code"], "inbound_full");
    product.metric_until("rest", "disk_used_ratio", |used| (0.92..0.95).contains(&used)).await;
    let (status, report) = product.health("rest").await.unwrap();
    assert_eq!((status, room(&report).as_str()), (200, "disk 92 % full: new contacts are refused"));
    let alarms = product.text("rest").matches("the disk of nats-server fills up").count();
    assert_eq!(alarms, 1, "one leap, one alarm");
}

/// Nothing of customers is taken; what cannot be read, either, since it could not be kept.
async fn brimful(product: &Product, disk: &SmallDisk, refused: &str, known: &mut Chat) {
    disk.fill_but(LEFT);
    eventually("everything of customers is refused", SOON, || async {
        let (_, report) = product.health("rest").await?;
        room(&report).ends_with("everything of customers is refused").then_some(())
    })
    .await;
    known.send(&json!({ "t": "say", "id": Chat::message_id(), "text": "am I heard" })).await;
    assert_eq!(known.until("refused").await["code"], "inbound_full");
    for body in [refused.to_owned(), with("text", "x".repeat(8 * 1024)).to_string(), "{".to_owned()] {
        let answer = product.post("rest", PATH, &product.admin_key(), body).await;
        assert_eq!(answer.problem(), (507, "storage_full"));
        assert!(answer.body.get("parked").is_none() && answer.retry_after_s.is_some(), "{answer:?}");
    }
}

/// Notes at their limit, which are taken, until the server meets the end of its disk; gives those without an answer.
async fn fill_to_the_brim(anna: &mut Desk, contact: ContactId) -> Vec<(CommandId, DeskCommand)> {
    let mut unsettled = Vec::new();
    for n in 0..NOTES_MAX {
        let (id, command) = (CommandId(uuid::Uuid::now_v7()), note(contact));
        anna.send(&FromDesk::Command { id, command: command.clone() }).await;
        let fault = anna
            .until("an answer", |frame| match frame {
                ToDesk::Settled { id: settled, .. } if *settled == id => Some(None),
                ToDesk::Error { code, .. } => Some(Some(code.clone())),
                _ => None,
            })
            .await;
        let Some(code) = fault else { continue };
        assert!(n > 0, "an agent's command is taken while there is room");
        unsettled.push((id, command));
        match code.as_str() {
            "storage_full" => return unsettled,
            // In INBOUND, and the log had no room for its record.
            "not_settled_yet" => {}
            code => panic!("{code}"),
        }
    }
    panic!("never full");
}

/// What the process says of the room that is left.
fn room(report: &Value) -> String {
    let loops = report["loops"].as_array().unwrap();
    loops.iter().find(|part| part["name"] == "room").unwrap()["detail"].as_str().unwrap().to_owned()
}
