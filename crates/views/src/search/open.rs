//! Opens what is sealed in records on their way into the index.

use std::time::Duration;

use bus::{Sealer, UnsealError};
use futures_util::StreamExt as _;
use protocol::content::{Content, Sealed};
use protocol::thread::entries;
use protocol::{Event, Record};
use service::{HealthHandle, Metrics};

use super::index::{Search, Spoken, Words, said_in};
use crate::follow::Prepare;
use crate::store::Row;

/// Records opened at once: a customer not seen lately costs a question to the store of keys.
const OPENED_AT_ONCE: usize = 32;
/// Pause before the store of keys is asked again.
const KEYS_PAUSE: Duration = Duration::from_secs(1);

/// Opens with the keys of this process; the sealer remembers them by identity.
pub(crate) struct Opener {
    sealer: Sealer,
    metrics: Metrics,
}

impl Opener {
    pub(crate) fn new(sealer: Sealer, metrics: Metrics) -> Self {
        Self { sealer, metrics }
    }

    async fn row(&self, row: Row<Record>, health: &HealthHandle) -> Row<Spoken> {
        let record = &row.record;
        let mut spoken = Spoken::default();
        for event in &record.events {
            if let Event::ConversationOpened { conversation, identity, channel, .. } = event {
                spoken.opened.push((*conversation, *identity, *channel));
            } else if let Event::ContactMarked { contact, conversation, tags, .. } = event {
                spoken.tagged.push((*conversation, *contact, tags.clone()));
            }
        }
        for (conversation, entry) in entries(record) {
            let (Some((said, agent)), Some(sealed)) = (said_in(&entry.kind), &entry.body) else { continue };
            let Some((identity, generation, _)) = sealed.parts() else { continue };
            let Some(content) = self.open(sealed, health).await else { continue };
            spoken.words.push(Words {
                conversation,
                contact: entry.contact,
                seq: entry.seq,
                at: entry.at,
                said,
                agent,
                key: (identity, generation),
                name: content.name.clone().filter(|_| agent.is_none()),
                text: words_of(content),
            });
        }
        Row { origin: row.origin, record: spoken }
    }

    /// The words; `None` if nobody can open them any more. A store of keys that does not answer is waited for: words passed
    /// over now would be missing for good.
    async fn open(&self, sealed: &Sealed, health: &HealthHandle) -> Option<Content> {
        loop {
            match self.sealer.unseal(sealed).await {
                Ok(bytes) => {
                    let content = serde_json::from_slice(&bytes).ok();
                    self.count(if content.is_some() { "indexed" } else { "unreadable" });
                    return content;
                }
                Err(UnsealError::Erased) => {
                    self.count("erased");
                    return None;
                }
                Err(error @ (UnsealError::NoKey | UnsealError::Damaged)) => {
                    tracing::warn!(%error, "words cannot be searched for: is the store of keys the one of this log? Then rebuild");
                    self.count("unreadable");
                    return None;
                }
                Err(UnsealError::Unavailable(error)) => {
                    tracing::warn!(%error, "the search's index waits for the store of keys");
                    health.set_detail("waits for the store of keys");
                    tokio::time::sleep(KEYS_PAUSE).await;
                }
            }
        }
    }

    fn count(&self, end: &'static str) {
        self.metrics.search_entries_total.inc([end]);
    }
}

/// All that is searched for in a message: its subject, its words, and what its files are called.
fn words_of(content: Content) -> String {
    let subject = content.mail.map(|mail| mail.subject).filter(|subject| !subject.is_empty());
    let files = content.attachments.into_iter().map(|file| file.name);
    subject.into_iter().chain([content.text]).chain(files).collect::<Vec<_>>().join("\n")
}

impl Prepare<Search> for Opener {
    async fn prepare(&self, rows: Vec<Row<Record>>, health: &HealthHandle) -> Vec<Row<Spoken>> {
        let opened = rows.into_iter().map(|row| self.row(row, health));
        futures_util::stream::iter(opened).buffered(OPENED_AT_ONCE).collect().await
    }
}
