//! Parked items of a customer: nobody would look for them there.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Deadline, TailItem, UnsealError};
use protocol::content::Sealed;
use protocol::formats::{self, ReadError};
use protocol::input::WIRE_VERSION;
use protocol::limits::IDENTITY_BYTES_MAX;
use protocol::parked::{DismissReason, Parked};
use protocol::streams::PARKED;
use protocol::{ChannelKind, IdentityId, Input, InputBody, NoticeId, SubjectToken};

use crate::Role;
use crate::clear::Known;
use crate::sealed_in::sealed_in;

/// Items read at once.
const PAGE: usize = 200;
/// How long the note in the log is tried to be stored.
const STORE_WITHIN: Duration = Duration::from_secs(15);
/// Most words in quotes that are looked at.
const QUOTED_MAX: usize = 5_000;

impl Role {
    /// Lets go of all that hold words of these, or name an address of theirs; gives how many.
    pub(crate) async fn clear_parked(
        &self,
        whose: &BTreeSet<IdentityId>,
        known: &Known,
    ) -> anyhow::Result<u64> {
        let (mut from, mut cleared) = (1, 0);
        loop {
            let items =
                self.bus.read_range(PARKED, from, u64::MAX, PAGE).await.context("read what is parked")?;
            let Some(last) = items.last() else { return Ok(cleared) };
            from = last.seq + 1;
            for item in &items {
                let parked = match formats::read::<Parked>(PARKED, item.seq, &item.payload) {
                    Ok(parked) => parked,
                    Err(ReadError::Later(later)) => return Err(later.into()),
                    Err(ReadError::Broken { .. }) => continue,
                };
                if self.is_theirs(&parked, whose, known).await? {
                    self.dismiss(item, &parked).await?;
                    cleared += 1;
                }
            }
        }
    }

    async fn is_theirs(
        &self,
        parked: &Parked,
        whose: &BTreeSet<IdentityId>,
        known: &Known,
    ) -> anyhow::Result<bool> {
        let bytes = match self.sealer.unseal(&parked.bytes).await {
            Ok(bytes) => bytes,
            Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => return Ok(false),
            Err(error @ UnsealError::Unavailable(_)) => return Err(error.into()),
        };
        let is_sealed =
            |sealed: &Sealed| sealed.parts().is_some_and(|(identity, _, _)| whose.contains(&identity));
        if sealed_in(&bytes).iter().any(is_sealed) {
            return Ok(true);
        }
        let text = String::from_utf8_lossy(&bytes);
        if self.names(&text, parked.channel.unwrap_or(ChannelKind::Api), whose, &known.accounts) {
            return Ok(true);
        }
        Ok(names_an_address(&text, &known.addresses))
    }

    /// Whether anything in quotes is what one of these is called by an account of theirs: what is parked need not even be JSON.
    fn names(
        &self,
        text: &str,
        channel: ChannelKind,
        whose: &BTreeSet<IdentityId>,
        accounts: &BTreeSet<SubjectToken>,
    ) -> bool {
        let quoted = text.split('"').filter(|word| (1..=IDENTITY_BYTES_MAX).contains(&word.len()));
        quoted.take(QUOTED_MAX).any(|word| {
            let of = |account: &SubjectToken| self.hasher.identities(channel, account.as_str(), word);
            accounts.iter().any(|account| of(account).iter().any(|identity| whose.contains(identity)))
        })
    }

    /// As a person dismisses it: the log names it, then its bytes and its key go.
    async fn dismiss(&self, item: &TailItem, parked: &Parked) -> anyhow::Result<()> {
        let (id, reason) = (NoticeId(parked.id.0), Some(DismissReason::Erased));
        let body = InputBody::ParkedDismissed { id, parked: parked.id, reason };
        let input = Input { v: WIRE_VERSION, made_at: self.now(), body };
        let (subject, msg_id) = (self.subjects.inbound_parked(), format!("dismiss-{}", parked.id));
        let payload = serde_json::to_vec(&input)?.into();
        let stored = self.bus.publish_durable(&subject, &msg_id, payload, Deadline::after(STORE_WITHIN));
        stored.await.context("note that a parked item is dismissed")?;
        self.bus.delete_securely(PARKED, item.seq).await.context("delete a parked item")?;
        if let Some((own, _, _)) = parked.bytes.parts() {
            self.sealer.erase_identity(own).await.context("destroy the key of a parked item")?;
        }
        Ok(())
    }
}

/// Whether a mail address of these stands there as a whole: what is within another one is somebody else's.
fn names_an_address(text: &str, addresses: &BTreeSet<String>) -> bool {
    let is_of_address = |letter: char| letter.is_alphanumeric() || "@._%+-".contains(letter);
    let mut words = text.split(|letter| !is_of_address(letter)).map(|word| word.trim_matches('.'));
    words.any(|word| word.contains('@') && addresses.contains(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_within_another_one_is_somebody_elses() {
        let jan = BTreeSet::from(["jan@x.nl".to_owned(), "10042".to_owned()]);
        for theirs in ["From: Jan <Jan@X.nl>", r#"{"from":"jan@x.nl"}"#, "write to jan@x.nl."] {
            assert!(names_an_address(theirs, &jan), "{theirs}");
        }
        for other in ["From: marjan@x.nl", "jan@x.nl.example", "jan+shop@x.nl", "order 10042", ""] {
            assert!(!names_an_address(other, &jan), "{other}");
        }
    }
}
