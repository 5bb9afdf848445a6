//! Erasures are destroyed again where the store of keys is older than they are: it came from a backup.

use std::collections::BTreeSet;

use anyhow::Context as _;
use protocol::IdentityId;
use protocol::formats;
use protocol::rights::{ErasureRecord, ErasureStep};
use protocol::streams::ERASURES;

use crate::Role;

/// Records read at once.
const PAGE: usize = 500;

/// Destroys what records after the one that the store of keys knows of destroyed.
pub(crate) async fn destroy(role: &Role) -> anyhow::Result<()> {
    let applied = role.sealer.erasures_applied().await?;
    let mut done = applied;
    loop {
        let items =
            role.bus.read_range(ERASURES, done + 1, u64::MAX, PAGE).await.context("read the erasures")?;
        let Some(last) = items.last() else { break };
        done = last.seq;
        for item in &items {
            let record: ErasureRecord = formats::read(ERASURES, item.seq, &item.payload)?;
            let ErasureStep::Destroyed { keys } = record.step else { continue };
            // What they agreed to came back with them.
            let whose: BTreeSet<IdentityId> = keys.iter().map(|key| key.identity).collect();
            for identity in whose {
                role.consents.forget(identity).await.context("forget again what they agreed to")?;
            }
            for key in keys.iter().filter(|key| key.generation > 0) {
                role.sealer.erase_up_to(key.identity, key.class, key.generation).await?;
            }
        }
    }
    if done > applied {
        role.sealer.note_erasures_applied(done).await?;
        tracing::info!(from = applied, to = done, "the store of keys has all erasures");
    }
    Ok(())
}
