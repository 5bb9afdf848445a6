//! What agents do in these tests.

use protocol::Outcome;
use protocol::desk::{DeskCommand, DeskContact, OfferCard, ToDesk};
use protocol::ids::{ContactId, MessageId};
use tests::desk::Desk;

/// Takes the next offer.
pub(crate) async fn take(desk: &mut Desk) -> (OfferCard, DeskContact) {
    let card = desk.offer().await;
    assert_eq!(desk.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
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

pub(crate) async fn reply(desk: &mut Desk, contact: ContactId, text: &str) -> MessageId {
    let message = MessageId(uuid::Uuid::now_v7());
    let reply = DeskCommand::Reply { contact, message, text: text.to_owned(), with: None };
    assert_eq!(desk.command(reply).await, Outcome::Done);
    message
}
