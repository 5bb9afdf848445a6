//! What agents do in most tests of a conversation.

use protocol::Outcome;
use protocol::command::{Presence, Refusal};
use protocol::desk::{DeskCommand, DeskContact, OfferCard, ToDesk};
use protocol::ids::{ContactId, MessageId, OfferId};
use tests::Product;
use tests::desk::Desk;

pub(crate) fn token(text: &str) -> protocol::SubjectToken {
    text.parse().unwrap()
}

/// Takes an offer and waits for the contact with its entries.
pub(crate) async fn accept(desk: &mut Desk, offer: OfferId) -> DeskContact {
    assert_eq!(desk.command(DeskCommand::Accept { offer }).await, Outcome::Done);
    desk.until("the contact", |frame| match frame {
        ToDesk::Contact(contact) if contact.wrap_up_until.is_none() => Some((**contact).clone()),
        _ => None,
    })
    .await
}

/// Waits for the next offer and takes it.
pub(crate) async fn take(desk: &mut Desk) -> (OfferCard, DeskContact) {
    let card = desk.offer().await;
    assert_eq!(desk.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    // Others of theirs may change meanwhile.
    let contact = desk
        .until("the contact", |frame| match frame {
            ToDesk::Contact(contact)
                if contact.contact == card.contact && contact.wrap_up_until.is_none() =>
            {
                Some((**contact).clone())
            }
            _ => None,
        })
        .await;
    (card, contact)
}

pub(crate) fn reply_of(contact: ContactId, text: &str) -> DeskCommand {
    DeskCommand::Reply {
        contact,
        message: MessageId(uuid::Uuid::now_v7()),
        text: text.to_owned(),
        with: None,
    }
}

pub(crate) async fn reply(desk: &mut Desk, contact: ContactId, text: &str) {
    assert_eq!(desk.command(reply_of(contact, text)).await, Outcome::Done);
}

/// Resolves a contact and ends its wrap-up.
pub(crate) async fn finish(desk: &mut Desk, contact: ContactId) {
    resolve(desk, contact).await;
    assert_eq!(desk.command(DeskCommand::EndWrapUp { contact }).await, Outcome::Done);
    assert_eq!(gone(desk, contact).await, "ended");
}

pub(crate) async fn resolve(desk: &mut Desk, contact: ContactId) {
    let disposition = token("answered");
    assert_eq!(
        desk.command(DeskCommand::Resolve { contact, disposition, fields: [].into() }).await,
        Outcome::Done
    );
}

/// Waits until a contact is taken away, and gives the reason.
pub(crate) async fn gone(desk: &mut Desk, wanted: ContactId) -> String {
    desk.until("a contact goes", |frame| match frame {
        ToDesk::ContactGone { contact, why } if *contact == wanted => Some(why.clone()),
        _ => None,
    })
    .await
}

/// Waits until an offer is taken away, and gives the reason.
pub(crate) async fn offer_gone(desk: &mut Desk, wanted: OfferId) -> String {
    desk.until("an offer goes", |frame| match frame {
        ToDesk::OfferEnded { offer, how } if *offer == wanted => Some(how.clone()),
        _ => None,
    })
    .await
}

/// Sends a command that has to be refused, and gives why and the words that the agent reads.
pub(crate) async fn refused(desk: &mut Desk, command: DeskCommand) -> (Refusal, String) {
    let id = protocol::CommandId(uuid::Uuid::now_v7());
    desk.send(&protocol::desk::FromDesk::Command { id, command }).await;
    desk.until("the refusal", |frame| match frame {
        ToDesk::Settled { id: settled, outcome: Outcome::Refused { refusal }, words } if *settled == id => {
            Some((*refusal, words.clone().unwrap()))
        }
        ToDesk::Settled { id: settled, outcome: Outcome::Done, .. } if *settled == id => {
            panic!("it was carried out")
        }
        _ => None,
    })
    .await
}

/// Goes away from the desk, without a reason.
pub(crate) async fn away(desk: &mut Desk) {
    let presence = Presence::Away;
    let outcome = desk.command(DeskCommand::SetPresence { presence, reason: None, when_free: false }).await;
    assert_eq!(outcome, Outcome::Done);
}

/// The password of a demo agent, as the first start wrote it down.
pub(crate) fn password(product: &Product, name: &str) -> String {
    let text = std::fs::read_to_string(product.data().join("secrets/agents.txt")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in agents.txt")).to_owned()
}

/// A customer of another system writes.
pub(crate) async fn write(product: &Product, from: &str, text: &str) {
    let message = serde_json::json!({
        "account": "shop", "id": uuid::Uuid::now_v7().to_string(), "from": { "value": from }, "text": text
    });
    let answer = product.write("rest", &message).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}
