//! What the records of ERASURES come to.

use std::collections::BTreeMap;

use anyhow::Context as _;
use bus::Deadline;
use protocol::formats;
use protocol::input::WIRE_VERSION;
use protocol::rights::{Asker, DestroyedKey, ErasureRecord, ErasureState, ErasureStep};
use protocol::streams::ERASURES;
use protocol::{ErasureId, Hash128, IdentityId, Millis};

use crate::Role;

/// Records read at once.
const PAGE: usize = 500;
/// Erasures that may wait to be carried out.
pub(crate) const PENDING_MAX: usize = 1_000;
/// How long a record is tried to be stored.
const STORE_WITHIN: std::time::Duration = std::time::Duration::from_secs(15);

/// All erasures.
#[derive(Default)]
pub(crate) struct Book {
    pending: BTreeMap<ErasureId, Pending>,
    done: BTreeMap<ErasureId, Done>,
    /// Up to which record this is true.
    seq: u64,
}

/// One that is carried out.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) id: ErasureId,
    pub(crate) by: Asker,
    /// A keyed hash of how the customer was named.
    pub(crate) about: Option<Hash128>,
    pub(crate) asked_at: Millis,
    pub(crate) identities: Vec<IdentityId>,
    pub(crate) objects: Vec<Hash128>,
    pub(crate) cleared: Option<Cleared>,
    pub(crate) destroyed: Option<Vec<DestroyedKey>>,
}

/// What was found in the clear before the keys were destroyed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleared {
    pub(crate) entries: u64,
    pub(crate) drafts: u64,
    pub(crate) parked: u64,
}

/// One that is finished: its certificate stands in a record.
struct Done {
    asked_at: Millis,
    about: Option<Hash128>,
    identities: usize,
    seq: u64,
}

impl Book {
    /// Up to which record of ERASURES it is true.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn fold(&mut self, seq: u64, record: ErasureRecord) {
        self.seq = self.seq.max(seq);
        let ErasureRecord { erasure: id, at, step, .. } = record;
        if let ErasureStep::Asked { by, identities, about } = step {
            if !self.done.contains_key(&id) {
                self.pending.entry(id).or_insert(Pending {
                    id,
                    by,
                    about,
                    asked_at: at,
                    identities,
                    objects: Vec::new(),
                    cleared: None,
                    destroyed: None,
                });
            }
            return;
        }
        let Some(pending) = self.pending.get_mut(&id) else { return };
        match step {
            ErasureStep::Asked { .. } => {}
            ErasureStep::Found { objects } => pending.objects.extend(objects),
            ErasureStep::Cleared { entries, drafts, parked } => {
                pending.cleared.get_or_insert(Cleared { entries, drafts, parked });
            }
            ErasureStep::Destroyed { keys } => {
                pending.destroyed.get_or_insert(keys);
            }
            ErasureStep::Done { .. } => {
                let (asked_at, about) = (pending.asked_at, pending.about);
                let done = Done { asked_at, about, identities: pending.identities.len(), seq };
                self.pending.remove(&id);
                self.done.insert(id, done);
            }
        }
    }

    /// The oldest behind this one, or the oldest of all: one that cannot go on holds up no other.
    pub(crate) fn next_after(&self, tried: Option<(Millis, ErasureId)>) -> Option<Pending> {
        let place = |one: &&Pending| (one.asked_at, one.id);
        let behind = self.pending.values().filter(|one| tried.is_some_and(|tried| place(one) > tried));
        behind.min_by_key(place).or_else(|| self.pending.values().min_by_key(place)).cloned()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= PENDING_MAX
    }

    /// Whether an id is that of an erasure of somebody who was named otherwise.
    pub(crate) fn is_of_another(&self, id: ErasureId, about: Hash128) -> bool {
        let pending = self.pending.get(&id).map(|pending| pending.about);
        let known = pending.or_else(|| self.done.get(&id).map(|done| done.about));
        // Records of earlier versions do not say it.
        known.flatten().is_some_and(|known| known != about)
    }

    /// How far one is, and the record that holds its certificate.
    fn find(&self, id: ErasureId) -> Option<(ErasureState, Option<u64>)> {
        let state = |asked_at, identities| ErasureState { id, asked_at, identities, certificate: None };
        if let Some(pending) = self.pending.get(&id) {
            return Some((state(pending.asked_at, pending.identities.len()), None));
        }
        self.done.get(&id).map(|done| (state(done.asked_at, done.identities), Some(done.seq)))
    }
}

impl Role {
    /// How far an erasure is; `None` if there is none of that name.
    pub(crate) async fn state_of(&self, id: ErasureId) -> anyhow::Result<Option<ErasureState>> {
        let Some((mut state, seq)) = self.book().find(id) else { return Ok(None) };
        if let Some(seq) = seq {
            let item = self.bus.read_one(ERASURES, seq).await?.context("a record of the erasures is gone")?;
            let record: ErasureRecord = formats::read(ERASURES, seq, &item.payload)?;
            if let ErasureStep::Done { certificate } = record.step {
                state.certificate = Some(certificate);
            }
        }
        Ok(Some(state))
    }

    /// Writes a step down; gives the record's place. `n` tells apart records of the same step.
    pub(crate) async fn note(&self, erasure: ErasureId, step: ErasureStep, n: usize) -> anyhow::Result<u64> {
        let name = match &step {
            ErasureStep::Asked { .. } => "asked",
            ErasureStep::Found { .. } => "found",
            ErasureStep::Cleared { .. } => "cleared",
            ErasureStep::Destroyed { .. } => "destroyed",
            ErasureStep::Done { .. } => "done",
        };
        let record = ErasureRecord { v: WIRE_VERSION, erasure, at: self.now(), step };
        let payload = serde_json::to_vec(&record)?.into();
        let deadline = Deadline::after(STORE_WITHIN);
        let msg_id = format!("{erasure}-{name}-{n}");
        let stored = self.bus.publish_durable(&self.subjects.erasures(), &msg_id, payload, deadline).await;
        let stored = stored.context("write down a step of an erasure")?;
        self.catch_up().await?;
        Ok(stored.seq)
    }

    /// Reads on where the book ends: what this process wrote comes in its turn, behind what another one wrote before.
    pub(crate) async fn catch_up(&self) -> anyhow::Result<()> {
        let _turn = self.reading.lock().await;
        loop {
            let from = self.book().seq() + 1;
            let items = self.bus.read_range(ERASURES, from, u64::MAX, PAGE).await?;
            if items.is_empty() {
                return Ok(());
            }
            for item in items {
                let record = formats::read(ERASURES, item.seq, &item.payload)?;
                self.book().fold(item.seq, record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u128, at: u64, step: ErasureStep) -> ErasureRecord {
        ErasureRecord { v: WIRE_VERSION, erasure: ErasureId(uuid::Uuid::from_u128(n)), at: Millis(at), step }
    }

    fn asked() -> ErasureStep {
        asked_about(None)
    }

    fn asked_about(about: Option<Hash128>) -> ErasureStep {
        ErasureStep::Asked { by: Asker::Retention, identities: vec![IdentityId(Hash128([1; 16]))], about }
    }

    #[test]
    fn an_id_is_of_whom_it_was_asked_for_first() {
        let mut book = Book::default();
        let (anna, ben) = (Hash128([1; 16]), Hash128([2; 16]));
        book.fold(1, record(1, 20, asked_about(Some(anna))));
        book.fold(2, record(2, 20, asked()));
        let id = |n| ErasureId(uuid::Uuid::from_u128(n));
        assert!(book.is_of_another(id(1), ben) && !book.is_of_another(id(1), anna));
        assert!(!book.is_of_another(id(2), ben), "a record of an earlier version does not say it");
        assert!(!book.is_of_another(id(3), ben));
    }

    #[test]
    fn erasures_go_on_where_their_records_end_the_oldest_first() {
        let mut book = Book::default();
        book.fold(1, record(1, 20, asked()));
        book.fold(2, record(2, 10, asked()));
        book.fold(3, record(2, 30, ErasureStep::Found { objects: vec![Hash128([7; 16])] }));
        book.fold(4, record(2, 31, ErasureStep::Cleared { entries: 1, drafts: 0, parked: 0 }));
        let next = book.next_after(None).unwrap();
        assert_eq!((next.id.0.as_u128(), next.objects.len()), (2, 1));
        assert!(next.cleared.is_some() && next.destroyed.is_none());
        // The same once more, as a new leader would write it that did not see its own acknowledgement.
        book.fold(5, record(2, 40, asked()));
        assert_eq!(book.next_after(None).unwrap().asked_at, Millis(10));
    }
}
