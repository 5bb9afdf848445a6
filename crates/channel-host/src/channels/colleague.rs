//! What somebody of ours wrote in the provider's own app, told apart from what we sent ourselves.
//!
//! Some providers show us both and do not say which is which. What we sent is known by the provider's id, which we have from the answer to
//! the sending: its echo may overtake that answer.

use bus::Deadline;
use channel::ByColleague;
use protocol::IdentityId;
use protocol::delivery::DeliveryState;
use tokio::sync::Semaphore;

use crate::channels::Channels;
use crate::channels::book::AccountKey;
use crate::channels::carrier::Door;
use crate::channels::door::{Patience, STATUS_LOOKS_EVERY, provider_hash};
use crate::intake::NotTaken;

/// Looks that are taken at least: another process may have sent it, and this one reads a moment later that it did.
const LOOKS_MIN: u32 = 3;

/// Whether a message that a provider shows us is one that we sent.
///
/// # Errors
/// [`NotTaken::Unavailable`] while that cannot be said; the provider sends it again.
pub(super) async fn is_ours(
    channels: &Channels,
    key: &AccountKey,
    door: Option<&dyn Door>,
    (customer, provider_id, by): (IdentityId, &str, ByColleague),
    patience: Patience<'_>,
) -> Result<bool, NotTaken> {
    let hash = provider_hash(channels, key, provider_id);
    let is_known = || {
        let is_part = door.is_some_and(|door| door.has_sent(provider_id));
        let book = channels.book();
        let place = book.place_of_provider(hash);
        is_part || place.and_then(|place| book.talk(place.conversation)).is_some_and(|talk| talk.key == *key)
    };
    if is_known() {
        return Ok(true);
    }
    if by == ByColleague::Told {
        return Ok(false);
    }
    let Ok(_seat) = patience.seats.map(Semaphore::try_acquire).transpose() else {
        return Err(NotTaken::Unavailable);
    };
    wait(is_known, || is_on_its_way(channels, key, customer), patience.until).await
}

/// Whether something is handed over to this customer just now, whose id the provider has not told yet.
fn is_on_its_way(channels: &Channels, key: &AccountKey, customer: IdentityId) -> bool {
    let book = channels.book();
    book.of_customer(key, customer).any(|(conversation, _)| {
        let step = book.next(conversation).and_then(|(_, _, step)| step);
        step.is_some_and(|step| step.state == DeliveryState::Sending)
    })
}

async fn wait(
    is_known: impl Fn() -> bool,
    is_on_its_way: impl Fn() -> bool,
    until: Deadline,
) -> Result<bool, NotTaken> {
    let mut looks = 0;
    loop {
        if is_known() {
            return Ok(true);
        }
        let is_on_its_way = is_on_its_way();
        if !is_on_its_way && looks >= LOOKS_MIN {
            // It may have been noted between the two looks.
            return Ok(is_known());
        }
        if until.has_passed() {
            return if is_on_its_way { Err(NotTaken::Unavailable) } else { Ok(false) };
        }
        looks += 1;
        tokio::time::sleep(STATUS_LOOKS_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use channel::{Consent, Content, Inbound, Parsed};
    use protocol::input::{CustomerMessage, Input, InputBody};
    use protocol::streams::INBOUND;

    use super::*;
    use crate::channels::door::take_items;

    /// What is said of a message that is known from so many looks on, while something is on its way for so many.
    async fn said(known_after: u32, under_way_for: u32) -> (Result<bool, NotTaken>, u32) {
        let looks = Cell::new(0);
        let is_known = || looks.get() > known_after;
        let is_on_its_way = || {
            looks.set(looks.get() + 1);
            looks.get() <= under_way_for
        };
        let until = Deadline::after(Duration::from_millis(1200));
        let said = wait(is_known, is_on_its_way, until).await;
        (said, looks.get())
    }

    #[tokio::test]
    async fn an_echo_waits_for_the_answer_that_it_overtook_and_for_nothing_else() {
        assert_eq!(said(5, 100).await.0, Ok(true), "it came meanwhile");
        let (colleagues, looks) = said(u32::MAX, 0).await;
        assert_eq!((colleagues, looks), (Ok(false), LOOKS_MIN + 1), "nothing was on its way");
        assert_eq!(said(u32::MAX, 6).await.0, Ok(false), "what was on its way was another message");
        assert_eq!(said(u32::MAX, u32::MAX).await.0, Err(NotTaken::Unavailable), "it comes again");
    }

    /// A door by which a further part of an entry was sent.
    struct Sent;

    impl Door for Sent {
        fn receive(
            &self,
            _: &channel::Raw<'_>,
            _: protocol::Millis,
        ) -> Result<Vec<Result<channel::Parsed<()>, channel::Rejected>>, channel::Rejected> {
            Ok(Vec::new())
        }

        fn acknowledge(&self, _: &channel::Raw<'_>) -> Option<channel::Acknowledged> {
            None
        }

        fn has_sent(&self, provider_id: &str) -> bool {
            provider_id == "part"
        }

        fn fetch<'a>(
            &'a self,
            _: &'a channel::Remote,
        ) -> futures_util::future::BoxFuture<'a, crate::channels::carrier::Fetched> {
            Box::pin(async { crate::channels::carrier::Fetched::Gone("no_files") })
        }
    }

    #[tokio::test]
    async fn a_further_part_of_an_entry_is_ours_too() {
        let world = crate::channels::tests::world(false).await;
        let key = crate::channels::tests::key();
        let customer = world.channels.intake.hasher.identity(key.channel, "crm", "ann");
        for (id, by, expected) in [
            ("part", ByColleague::UnlessOurs, true),
            ("part", ByColleague::Told, true),
            ("another", ByColleague::UnlessOurs, false),
            ("another", ByColleague::Told, false),
        ] {
            let found = is_ours(&world.channels, &key, Some(&Sent), (customer, id, by), Patience::alone());
            assert_eq!(found.await, Ok(expected), "{id} {by:?}");
        }
    }

    #[tokio::test]
    async fn what_a_colleague_wrote_is_of_the_customers_conversation_and_says_nothing_of_them() {
        let world = crate::channels::tests::world(false).await;
        let key = crate::channels::tests::key();
        let of_customer = Inbound {
            provider_id: "m_1".to_owned(),
            identity: Some("ann".to_owned()),
            known: channel::known::said_in("ann@example.org"),
            content: Content::words("4"),
            language: "nl".parse().ok(),
            callback: false,
            consent: Some(Consent::Start),
            ..Inbound::default()
        };
        // Whatever an adapter says of the customer besides, it is not theirs.
        let of_colleague = Inbound {
            provider_id: "m_2".to_owned(),
            by_colleague: Some(ByColleague::UnlessOurs),
            callback: true,
            automatic: true,
            category: "orders".parse().ok(),
            ..of_customer.clone()
        };
        let of_customer = Inbound { consent: None, ..of_customer };
        let items = [of_customer, of_colleague].map(|one| Ok(Parsed::Message(Box::new(one)))).to_vec();
        let answer = take_items(&world.channels, &key, items, b"", None, None).await;
        assert!(answer.is_ok_and(|answer| answer.taken == 2));
        let stored = world.channels.intake.bus.read_range(INBOUND, 1, u64::MAX, 10).await.unwrap();
        let stored: Vec<CustomerMessage> = stored
            .iter()
            .map(|item| serde_json::from_slice::<Input>(&item.payload).unwrap())
            .filter_map(
                |input| if let InputBody::Message(message) = input.body { Some(message) } else { None },
            )
            .collect();
        let [theirs, ours] = &stored[..] else { panic!("{stored:?}") };
        assert_eq!((theirs.score, theirs.by_colleague, theirs.keys.is_some()), (Some(4), false, true));
        assert_eq!(theirs.identity, ours.identity);
        let expected = CustomerMessage {
            by_colleague: true,
            sent_at: ours.sent_at,
            ..CustomerMessage::new(
                ours.message,
                key.channel,
                key.account.clone(),
                theirs.identity,
                ours.provider_hash,
                ours.content_hash,
                ours.body.clone(),
            )
        };
        assert_eq!(*ours, expected);
        let words = world.channels.intake.sealer.unseal(&ours.body).await.unwrap();
        assert_eq!(serde_json::from_slice::<Content>(&words).unwrap(), Content::words("4"), "no address");
    }
}
