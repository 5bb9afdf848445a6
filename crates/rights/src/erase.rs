//! An erasure, step by step. Each can be done twice; what was done is written down.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use bus::UnsealError;
use protocol::content::Sealed;
use protocol::limits::IDENTITIES_MAX;
use protocol::rights::{DestroyedKey, ErasureStep, HoldingsQuestion, KeyClass, TracesAnswer, TracesQuestion};
use protocol::streams::{INBOUND, REMEDIES};
use protocol::{ErasureId, Hash128, IdentityId};
use service::failpoint;

use crate::Role;
use crate::book::Pending;
use crate::certificate::{Looked, certificate};
use crate::gather::Pages;
use crate::held_back::{Blocked, HeldBack};
use crate::sealed_in::sealed_in;

/// Records read at once.
const PAGE: usize = 500;

impl Role {
    /// Carries an erasure on by one step.
    pub(crate) async fn carry_on(&self, erasure: Pending) -> anyhow::Result<()> {
        if erasure.cleared.is_none() {
            return self.clear(&erasure).await;
        }
        failpoint::hit("rights.cleared");
        let Some(keys) = &erasure.destroyed else {
            self.require_all_ended(&erasure.identities).await?;
            self.remove_files(erasure.id, &erasure.objects).await?;
            for identity in &erasure.identities {
                self.consents.forget(*identity).await.context("forget what a customer agreed to")?;
            }
            let keys = self.destroy(erasure.id, &erasure.identities).await?;
            let seq = self.note(erasure.id, ErasureStep::Destroyed { keys }, 0).await?;
            return self
                .sealer
                .note_erasures_applied(seq)
                .await
                .context("note what the store of keys is without");
        };
        failpoint::hit("rights.destroyed");
        let looked = self.look(&erasure, keys).await?;
        let certificate = certificate(&self.hasher, &erasure, looked, self.now());
        self.note(erasure.id, ErasureStep::Done { certificate: Box::new(certificate) }, 0).await?;
        tracing::info!(erasure = %erasure.id, "a customer was erased");
        Ok(())
    }

    /// Whoever wrote again after it was asked for is being helped: their contact ends first, as it would have to before.
    async fn require_all_ended(&self, identities: &[IdentityId]) -> anyhow::Result<()> {
        for some in identities.chunks(IDENTITIES_MAX) {
            let question = HoldingsQuestion { identities: some.to_vec(), ..HoldingsQuestion::default() };
            let answer = self.holdings(&question).await;
            let answer = answer.map_err(|_| anyhow::anyhow!("the read models do not answer yet"))?;
            let is_over = answer.holdings.iter().all(|one| one.open.is_empty());
            anyhow::ensure!(is_over, "a contact of the customer is open: it ends first");
        }
        Ok(())
    }

    async fn destroy(&self, id: ErasureId, identities: &[IdentityId]) -> anyhow::Result<Vec<DestroyedKey>> {
        let mut keys = Vec::with_capacity(identities.len());
        for identity in identities {
            for (class, generation) in self.sealer.newest_generations(*identity).await? {
                let destroyed = self.sealer.erase_up_to(*identity, class, generation).await;
                destroyed.with_context(|| format!("destroy a key for {id}"))?;
                keys.push(DestroyedKey { identity: *identity, class, generation });
            }
        }
        Ok(keys)
    }

    /// Tries to read what was erased, wherever it lay.
    async fn look(&self, erasure: &Pending, keys: &[DestroyedKey]) -> anyhow::Result<Looked> {
        let destroyed: BTreeMap<IdentityId, u32> = keys
            .iter()
            .filter(|key| key.class == KeyClass::Words)
            .map(|key| (key.identity, key.generation))
            .collect();
        let mut looked = Looked { files_gone: self.files_gone(&erasure.objects).await?, ..Looked::default() };
        let mut pages = Pages::new(self, &erasure.identities);
        let mut blocked = Blocked::default();
        while let Some(entries) = pages.next().await? {
            blocked.note(&entries);
            for sealed in entries.iter().filter_map(|one| one.entry.body.as_ref()) {
                looked.contacts += self.require_unreadable(sealed, &destroyed).await?;
            }
        }
        let mut held_back = HeldBack::new(self, &erasure.identities, blocked);
        while let Some(messages) = held_back.next().await? {
            for message in &messages {
                looked.contacts += self.require_unreadable(&message.body, &destroyed).await?;
            }
        }
        looked.inbound = self.look_through(INBOUND, &destroyed).await?;
        looked.remedies = self.look_through(REMEDIES, &destroyed).await?;
        let words = keys.iter().filter(|key| key.class == KeyClass::Words).copied().collect();
        let question = TracesQuestion { keys: words };
        let traces: Option<TracesAnswer> = self.ask(&self.subjects.views_traces(), &question).await;
        let traces = traces.context("the index of the search does not answer")?;
        if traces.rows > 0 {
            bail!("the index of the search still holds {} rows", traces.rows);
        }
        Ok(looked)
    }

    async fn files_gone(&self, objects: &[Hash128]) -> anyhow::Result<u64> {
        let mut gone = 0;
        for object in objects {
            gone += u64::from(!self.uploads.has(*object).await?);
        }
        Ok(gone)
    }

    async fn look_through(&self, stream: &str, destroyed: &BTreeMap<IdentityId, u32>) -> anyhow::Result<u64> {
        let (mut from, mut tried) = (1, 0);
        loop {
            let items = self.bus.read_range(stream, from, u64::MAX, PAGE).await?;
            let Some(last) = items.last() else { return Ok(tried) };
            from = last.seq + 1;
            for sealed in items.iter().flat_map(|item| sealed_in(&item.payload)) {
                tried += self.require_unreadable(&sealed, destroyed).await?;
            }
        }
    }

    /// Counts what is the customer's and was written before the erasure; fails if it opens.
    async fn require_unreadable(
        &self,
        sealed: &Sealed,
        destroyed: &BTreeMap<IdentityId, u32>,
    ) -> anyhow::Result<u64> {
        let Some((identity, generation, _)) = sealed.parts() else { return Ok(0) };
        if destroyed.get(&identity).is_none_or(|up_to| generation > *up_to) {
            return Ok(0);
        }
        match self.sealer.unseal(sealed).await {
            Ok(_) => bail!("words that were erased can be read: their key is there again"),
            Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => Ok(1),
            Err(error @ UnsealError::Unavailable(_)) => Err(error.into()),
        }
    }
}
