//! Everything that is held of a customer, as an archive: JSON for machines, text for people, and the files.
//!
//! It is written in parts and read in pages, so that its size is no matter; one file at a time is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use bus::{BegunExport, FileError, WholeExport};
use protocol::content::{Attachment, Content};
use protocol::customer::TimelineEntry;
use protocol::formats::later_in;
use protocol::record::EntryKind;
use protocol::rights::{Asker, ExportManifest, Holding, KeyClass};
use protocol::{ChannelKind, ContactId, ConversationId, ExportId, Hash128, IdentityId, MessageId, Millis};
use serde::Serialize;
use serde_json::Value;
use tar::{Builder, Header};
use tokio_util::task::AbortOnDropHandle;

use crate::Role;
use crate::gather::Pages;
use crate::held_back::{Blocked, HeldBack, Message};

/// The version of the archive's form.
const VERSION: u8 = 1;
/// A part is kept when it is so large, bytes.
const PART_BYTES: usize = 4 << 20;
/// Exports put together at once.
const AT_ONCE_MAX: usize = 4;
/// Longest name of a file that is taken over, letters.
const NAME_MAX: usize = 80;

/// An entry with its words.
#[derive(Serialize)]
struct Line {
    place: u64,
    conversation: ConversationId,
    identity: IdentityId,
    channel: ChannelKind,
    contact: ContactId,
    at: Millis,
    kind: EntryKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    /// None where there were no words, or they can no longer be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

/// What somebody wrote while nobody heard them.
#[derive(Serialize)]
struct HeldBackLine {
    identity: IdentityId,
    channel: ChannelKind,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

/// Keys by whose they are, what they seal, and their generation.
type Keys = BTreeSet<(IdentityId, KeyClass, u32)>;

/// The archive while it is written.
pub(crate) struct Archive<'a> {
    role: &'a Role,
    export: ExportId,
    owner: IdentityId,
    parts: u32,
    builder: Builder<Vec<u8>>,
    files: BTreeMap<String, u64>,
    made_at: Millis,
}

impl Archive<'_> {
    async fn add(&mut self, path: String, bytes: &[u8]) -> anyhow::Result<()> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.made_at.0 / 1_000);
        self.builder.append_data(&mut header, &path, bytes).context("write the archive")?;
        self.files.insert(path, size);
        if self.builder.get_ref().len() >= PART_BYTES {
            let part = std::mem::take(self.builder.get_mut());
            self.keep(&part).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, part: &[u8]) -> anyhow::Result<()> {
        self.role.exports.keep(self.export, self.owner, self.parts, part).await?;
        self.parts += 1;
        Ok(())
    }

    pub(crate) async fn json(&mut self, path: String, value: &impl Serialize) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(value)?;
        self.add(path, &bytes).await
    }

    async fn finish(mut self, keys: &Keys) -> anyhow::Result<()> {
        self.builder.finish().context("end the archive")?;
        let part = std::mem::take(self.builder.get_mut());
        self.keep(&part).await?;
        // Who was erased meanwhile has new keys for what was kept of them since: no part of that may be fetched.
        for (identity, class, generation) in keys {
            let is_living = self.role.sealer.is_living(*identity, *class, *generation).await?;
            anyhow::ensure!(is_living, "the customer was erased, or what was read is too old by now");
        }
        let whole = WholeExport { owner: self.owner, parts: self.parts };
        Ok(self.role.exports.finish(self.export, whole).await?)
    }
}

/// How much there was.
#[derive(Default)]
struct Counts {
    entries: u64,
    unreadable: u64,
}

impl Role {
    /// Begins to put an export together, unless that goes on already; `false` if too many go on.
    ///
    /// # Errors
    /// When it cannot be written down that it was begun; fate: retry.
    pub(crate) async fn begin_export(
        self: &Arc<Self>,
        id: ExportId,
        begun: BegunExport,
        identities: Vec<IdentityId>,
        holdings: Vec<Holding>,
    ) -> anyhow::Result<bool> {
        {
            let mut running = self.exporting();
            if running.contains_key(&id) {
                return Ok(true);
            }
            if running.len() >= AT_ONCE_MAX {
                return Ok(false);
            }
            running.insert(id, None);
        }
        if let Err(error) = self.exports.begin(id, &begun).await {
            self.exporting().remove(&id);
            return Err(error.into());
        }
        let role = Arc::clone(self);
        // Nothing of the task is done before it stands among those that go on.
        let mut running = self.exporting();
        let task = tokio::spawn(async move {
            match Box::pin(role.export(id, begun.by, &identities, holdings)).await {
                Ok(()) => tracing::info!(export = %id, "an export can be fetched"),
                Err(error) => {
                    tracing::warn!(export = %id, error = format!("{error:#}"), "an export failed; ask for it again");
                    role.give_up(id).await;
                    if later_in(error.chain()).is_some() {
                        role.kit.drain.spawn("rights export", async move { Err(error) });
                    }
                }
            }
            role.exporting().remove(&id);
        });
        running.insert(id, Some(AbortOnDropHandle::new(task)));
        Ok(true)
    }

    /// Whoever led before took their exports along.
    pub(crate) async fn give_up_unfinished(&self) {
        match self.exports.unfinished().await {
            Ok(unfinished) => {
                for export in unfinished {
                    tracing::info!(%export, "an export that was not whole is given up");
                    self.give_up(export).await;
                }
            }
            // Erasures do not wait for exports.
            Err(error) => tracing::warn!(%error, "exports that are not whole are not looked for"),
        }
    }

    /// Who waits for it is told to ask again.
    async fn give_up(&self, id: ExportId) {
        if let Err(error) = self.exports.give_up(id).await {
            tracing::warn!(export = %id, %error, "what there is of an export stays until who leads next looks, or for two days");
        }
    }

    async fn export(
        &self,
        id: ExportId,
        by: Asker,
        identities: &[IdentityId],
        holdings: Vec<Holding>,
    ) -> anyhow::Result<()> {
        let owner = holdings.first().map(|one| one.identity).context("nothing is held")?;
        let keys = self.keys_of(identities).await?;
        let made_at = self.now();
        let mut archive = Archive {
            role: self,
            export: id,
            owner,
            parts: 0,
            builder: Builder::new(Vec::new()),
            files: BTreeMap::new(),
            made_at,
        };
        let (mut pages, mut n, mut counts) = (Pages::new(self, identities), 0, Counts::default());
        let (mut had, mut blocked) = (BTreeSet::new(), Blocked::default());
        while let Some(entries) = pages.next().await? {
            if !entries.is_empty() {
                n += 1;
                blocked.note(&entries);
                self.export_page(&mut archive, n, entries, &mut counts, &mut had).await?;
            }
        }
        self.export_held_back(&mut archive, identities, blocked, &mut counts, &mut had).await?;
        self.export_given(&mut archive, identities, &holdings).await?;
        let mut consents = BTreeMap::new();
        for identity in identities {
            let said = self.consents.of(*identity).await?;
            if !said.is_empty() {
                consents.insert(*identity, said);
            }
        }
        archive.json("consents.json".to_owned(), &consents).await?;
        let summary = summary(&holdings, &counts, made_at);
        archive.add("README.md".to_owned(), summary.as_bytes()).await?;
        let manifest = ExportManifest {
            v: VERSION,
            export: id,
            at: made_at,
            by,
            identities: holdings,
            entries: counts.entries,
            unreadable: counts.unreadable,
            files: archive.files.clone(),
        };
        archive.json("manifest.json".to_owned(), &manifest).await?;
        archive.finish(&keys).await
    }

    /// The keys that what is read now may be sealed with.
    async fn keys_of(&self, identities: &[IdentityId]) -> anyhow::Result<Keys> {
        let mut keys = Keys::new();
        for identity in identities {
            let living = self.sealer.living_keys(*identity).await?;
            keys.extend(living.into_iter().map(|(class, generation)| (*identity, class, generation)));
        }
        Ok(keys)
    }

    /// What they wrote while they were blocked, where no conversation has it.
    async fn export_held_back(
        &self,
        archive: &mut Archive<'_>,
        identities: &[IdentityId],
        blocked: Blocked,
        counts: &mut Counts,
        had: &mut BTreeSet<Hash128>,
    ) -> anyhow::Result<()> {
        let (mut pages, mut n) = (HeldBack::new(self, identities, blocked), 0);
        while let Some(messages) = pages.next().await? {
            if messages.is_empty() {
                continue;
            }
            n += 1;
            let (mut lines, mut files) = (Vec::new(), Vec::new());
            for Message { at, identity, channel, body } in messages {
                counts.entries += 1;
                let content = self.opened(&body).await?;
                counts.unreadable += u64::from(content.is_none());
                files.extend(files_of(identity, content.as_ref()));
                lines.push(HeldBackLine { identity, channel, at, content });
            }
            archive.json(format!("held_back/{n:05}.json"), &lines).await?;
            self.export_files(archive, files, had).await?;
        }
        Ok(())
    }

    async fn export_page(
        &self,
        archive: &mut Archive<'_>,
        n: u32,
        entries: Vec<TimelineEntry>,
        counts: &mut Counts,
        had: &mut BTreeSet<Hash128>,
    ) -> anyhow::Result<()> {
        let (mut lines, mut text, mut files) = (Vec::new(), String::new(), Vec::new());
        for TimelineEntry { place, conversation, identity, channel, entry } in entries {
            counts.entries += 1;
            let mut content = None;
            if let Some(sealed) = &entry.body {
                content = self.opened(sealed).await?;
                counts.unreadable += u64::from(content.is_none());
                let owner = sealed.parts().map(|(owner, _, _)| owner);
                files.extend(owner.into_iter().flat_map(|owner| files_of(owner, content.as_ref())));
            }
            let words = content.as_ref().map_or("", |content| content.text.as_str());
            text += &format!("{}  {}  {}\n{words}\n\n", time(entry.at), channel.as_str(), who(&entry.kind));
            let protocol::thread::Entry { at, contact, kind, message, .. } = entry;
            lines.push(Line { place, conversation, identity, channel, contact, at, kind, message, content });
        }
        archive.json(format!("timeline/{n:05}.json"), &lines).await?;
        archive.add(format!("timeline/{n:05}.txt"), text.as_bytes()).await?;
        self.export_files(archive, files, had).await
    }

    async fn export_files(
        &self,
        archive: &mut Archive<'_>,
        files: Vec<(IdentityId, Attachment)>,
        had: &mut BTreeSet<Hash128>,
    ) -> anyhow::Result<()> {
        for (owner, file) in files {
            if !had.insert(file.object) {
                continue;
            }
            match self.uploads.fetch(owner, file.object).await {
                Ok(Some(bytes)) => {
                    archive.add(format!("files/{}-{}", file.object, safe(&file.name)), &bytes).await?;
                }
                Ok(None) | Err(FileError::Erased | FileError::Damaged) => {}
                Err(error @ FileError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn files_of(owner: IdentityId, content: Option<&Content>) -> Vec<(IdentityId, Attachment)> {
    let Some(content) = content else { return Vec::new() };
    let head = content.mail.as_ref();
    let kept = head.into_iter().flat_map(|head| [&head.raw, &head.html].into_iter().flatten());
    content.attachments.iter().chain(kept).map(|file| (owner, file.clone())).collect()
}

/// A name that is a file's in any system, and nothing but a file's.
fn safe(name: &str) -> String {
    let allowed = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    name.chars().take(NAME_MAX).map(|letter| if allowed(letter) { letter } else { '_' }).collect()
}

fn time(at: Millis) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(at.0)).to_string()
}

/// The word by which the kind of an entry is written.
fn who(kind: &EntryKind) -> String {
    let written = serde_json::to_value(kind).unwrap_or_default();
    written.get("is").and_then(Value::as_str).unwrap_or("entry").replace('_', " ")
}

fn summary(holdings: &[Holding], counts: &Counts, at: Millis) -> String {
    let mut text = format!(
        "# What is held of you\n\nPut together on {}. {} entries, of which {} can no longer be read.\n\n\
         - `timeline/`: what was said, the latest first, as text and as JSON\n\
         - `files/`: the files that were sent, mails as they came\n\
         - `held_back/`: what you wrote while you were blocked, where it is in no conversation\n\
         - `given/`: what was given, promised and thanked for\n\
         - `consents.json`: what you agreed to, and when\n\
         - `manifest.json`: all of it, for machines\n\n## You are known\n\n",
        time(at),
        counts.entries,
        counts.unreadable
    );
    for one in holdings {
        let accounts: Vec<&str> = one.accounts.iter().map(protocol::SubjectToken::as_str).collect();
        text += &format!(
            "- by {} ({}) since {}, with {} conversations and {} contacts\n",
            one.channel.as_str(),
            accounts.join(", "),
            time(one.since),
            one.conversations.len(),
            one.contacts.len()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_name_leads_nowhere_else() {
        assert_eq!(safe("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(safe("a\\b\u{0}c.png"), "a_b_c.png");
        assert_eq!(safe(&"x".repeat(NAME_MAX + 1)).len(), NAME_MAX);
    }
}
