//! What is done while the keys are still there: files are found, drafts and parked items go.

use std::collections::BTreeSet;

use anyhow::Context as _;
use bus::{UnsealError, WatchEvent};
use protocol::content::{Content, Sealed};
use protocol::rights::ErasureStep;
use protocol::{ErasureId, Hash128, IdentityId, SubjectToken};

use crate::Role;
use crate::book::Pending;
use crate::gather::Pages;
use crate::held_back::{Blocked, HeldBack};

/// Names of files in one record.
const OBJECTS_AT_ONCE: usize = 5_000;

/// What the customer's own words say, held only while they are erased.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) entries: u64,
    pub(crate) objects: BTreeSet<Hash128>,
    /// Addresses and numbers, in small letters.
    pub(crate) addresses: BTreeSet<String>,
    /// By which accounts they wrote.
    pub(crate) accounts: BTreeSet<SubjectToken>,
}

impl Known {
    fn note(&mut self, content: &Content) {
        self.entries += 1;
        self.objects.extend(content.attachments.iter().map(|file| file.object));
        self.addresses.extend(content.identity.as_ref().map(|one| one.to_lowercase()));
        let Some(head) = &content.mail else { return };
        self.objects.extend([&head.raw, &head.html].into_iter().flatten().map(|file| file.object));
        // Of a third party's mail the address is not the customer's.
        if !head.third_party {
            self.addresses.extend(head.from.as_ref().map(|from| from.address.to_lowercase()));
        }
    }
}

impl Role {
    /// Reads all words that can be opened, for what they name.
    pub(crate) async fn known(&self, identities: &[IdentityId]) -> anyhow::Result<Known> {
        let mut known = Known::default();
        let mut pages = Pages::new(self, identities);
        let mut blocked = Blocked::default();
        while let Some(entries) = pages.next().await? {
            blocked.note(&entries);
            for sealed in entries.iter().filter_map(|one| one.entry.body.as_ref()) {
                if let Some(content) = self.opened(sealed).await? {
                    known.note(&content);
                }
            }
        }
        let mut held_back = HeldBack::new(self, identities, blocked);
        while let Some(messages) = held_back.next().await? {
            for message in &messages {
                if let Some(content) = self.opened(&message.body).await? {
                    known.note(&content);
                }
            }
        }
        known.accounts = pages.accounts;
        Ok(known)
    }

    /// The words; none where they can no longer be read.
    pub(crate) async fn opened(&self, sealed: &Sealed) -> anyhow::Result<Option<Content>> {
        match self.sealer.unseal(sealed).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => Ok(None),
            Err(error @ UnsealError::Unavailable(_)) => Err(error.into()),
        }
    }

    /// Finds what belongs to the customer besides words, writes it down, and takes away drafts and parked items.
    pub(crate) async fn clear(&self, erasure: &Pending) -> anyhow::Result<()> {
        let known = self.known(&erasure.identities).await?;
        let noted: BTreeSet<Hash128> = erasure.objects.iter().copied().collect();
        let new: Vec<Hash128> = known.objects.difference(&noted).copied().collect();
        for (n, objects) in new.chunks(OBJECTS_AT_ONCE).enumerate() {
            let step = ErasureStep::Found { objects: objects.to_vec() };
            self.note(erasure.id, step, noted.len() + n).await?;
        }
        let whose: BTreeSet<IdentityId> = erasure.identities.iter().copied().collect();
        let drafts = self.clear_drafts(&whose).await?;
        let parked = self.clear_parked(&whose, &known).await?;
        let step = ErasureStep::Cleared { entries: known.entries, drafts, parked };
        self.note(erasure.id, step, 0).await.map(drop)
    }

    async fn clear_drafts(&self, whose: &BTreeSet<IdentityId>) -> anyhow::Result<u64> {
        let mut watcher = self.drafts.watch_all().await.context("look through the drafts")?;
        let mut found = Vec::new();
        loop {
            match watcher.next().await? {
                WatchEvent::Put(entry) => {
                    let sealed =
                        std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse::<Sealed>().ok());
                    let owner = sealed.as_ref().and_then(Sealed::parts).map(|(identity, _, _)| identity);
                    if owner.is_some_and(|owner| whose.contains(&owner)) {
                        found.push(entry.key);
                    }
                }
                WatchEvent::Deleted { .. } => {}
                WatchEvent::CaughtUp => break,
            }
        }
        for key in &found {
            self.drafts.erase(key).await.context("take a draft away")?;
        }
        Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
    }

    /// Deletes the files that were found.
    pub(crate) async fn remove_files(&self, id: ErasureId, objects: &[Hash128]) -> anyhow::Result<()> {
        for object in objects {
            self.uploads.remove(*object).await.with_context(|| format!("delete a file for {id}"))?;
        }
        Ok(())
    }
}
