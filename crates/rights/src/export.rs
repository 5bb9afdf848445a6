//! Everything that is held of a customer, as an archive: JSON for machines, text for people, and the files.
//!
//! It is written in parts and read in pages, so that its size is no matter; one file at a time is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use bus::{FileError, WholeExport};
use protocol::content::{Attachment, Content, Sealed};
use protocol::customer::TimelineEntry;
use protocol::record::EntryKind;
use protocol::rights::{Asker, ExportManifest, Holding};
use protocol::streams::REMEDIES;
use protocol::{ChannelKind, ContactId, ConversationId, ExportId, Hash128, IdentityId, MessageId, Millis};
use serde::Serialize;
use serde_json::Value;
use tar::{Builder, Header};

use crate::Role;
use crate::gather::Pages;

/// The version of the archive's form.
const VERSION: u8 = 1;
/// A part is kept when it is so large, bytes.
const PART_BYTES: usize = 4 << 20;
/// Records looked through at once.
const PAGE: usize = 500;
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

/// The archive while it is written.
struct Archive<'a> {
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

    async fn json(&mut self, path: String, value: &impl Serialize) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(value)?;
        self.add(path, &bytes).await
    }

    async fn finish(mut self) -> anyhow::Result<()> {
        self.builder.finish().context("end the archive")?;
        let part = std::mem::take(self.builder.get_mut());
        self.keep(&part).await?;
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
    pub(crate) fn begin_export(
        self: &Arc<Self>,
        id: ExportId,
        by: Asker,
        identities: Vec<IdentityId>,
        holdings: Vec<Holding>,
    ) -> bool {
        {
            let mut running = self.exporting();
            if running.contains(&id) {
                return true;
            }
            if running.len() >= AT_ONCE_MAX {
                return false;
            }
            running.insert(id);
        }
        let role = Arc::clone(self);
        tokio::spawn(async move {
            match Box::pin(role.export(id, by, &identities, holdings)).await {
                Ok(()) => tracing::info!(export = %id, "an export can be fetched"),
                Err(error) => {
                    tracing::warn!(export = %id, error = format!("{error:#}"), "an export failed; ask for it again");
                }
            }
            role.exporting().remove(&id);
        });
        true
    }

    async fn export(
        &self,
        id: ExportId,
        by: Asker,
        identities: &[IdentityId],
        holdings: Vec<Holding>,
    ) -> anyhow::Result<()> {
        let owner = holdings.first().map(|one| one.identity).context("nothing is held")?;
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
        let mut had = BTreeSet::new();
        while let Some(entries) = pages.next().await? {
            if !entries.is_empty() {
                n += 1;
                self.export_page(&mut archive, n, entries, &mut counts, &mut had).await?;
            }
        }
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
        archive.finish().await
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

    /// What was given, promised and thanked for: the records that name the customer or a contact of theirs.
    async fn export_given(
        &self,
        archive: &mut Archive<'_>,
        identities: &[IdentityId],
        holdings: &[Holding],
    ) -> anyhow::Result<()> {
        let mut names: BTreeSet<String> = identities.iter().map(ToString::to_string).collect();
        names.extend(holdings.iter().flat_map(|one| one.contacts.iter().map(ToString::to_string)));
        let (mut from, mut n) = (1, 0);
        loop {
            let items = self.bus.read_range(REMEDIES, from, u64::MAX, PAGE).await?;
            let Some(last) = items.last() else { return Ok(()) };
            from = last.seq + 1;
            let mut theirs = Vec::new();
            for item in &items {
                let Ok(mut record) = serde_json::from_slice::<Value>(&item.payload) else { continue };
                if is_named(&record, &names) {
                    Box::pin(self.open_within(&mut record, identities)).await?;
                    theirs.push(record);
                }
            }
            if !theirs.is_empty() {
                n += 1;
                archive.json(format!("given/{n:05}.json"), &theirs).await?;
            }
        }
    }

    /// Puts the customer's words where they stand sealed; nothing where they can no longer be read, and where they are somebody
    /// else's: a record of the timer can be about many.
    async fn open_within(&self, value: &mut Value, of: &[IdentityId]) -> anyhow::Result<()> {
        match value {
            Value::String(text) => {
                if let Ok(sealed) = text.parse::<Sealed>() {
                    let is_theirs = sealed.parts().is_some_and(|(owner, ..)| of.contains(&owner));
                    *value = if is_theirs {
                        serde_json::to_value(self.opened(&sealed).await?)?
                    } else {
                        Value::Null
                    };
                }
            }
            Value::Array(values) => {
                for value in values {
                    Box::pin(self.open_within(value, of)).await?;
                }
            }
            Value::Object(fields) => {
                for value in fields.values_mut() {
                    Box::pin(self.open_within(value, of)).await?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
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

fn is_named(value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.contains(text),
        Value::Array(values) => values.iter().any(|value| is_named(value, names)),
        Value::Object(fields) => fields.values().any(|value| is_named(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
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

    #[test]
    fn a_record_names_somebody_anywhere_in_it() {
        let names: BTreeSet<String> = ["con_1_1".to_owned()].into();
        assert!(is_named(&serde_json::json!({"a": [{"b": "con_1_1"}]}), &names));
        assert!(!is_named(&serde_json::json!({"con_1_1": "con_1_11"}), &names));
    }
}
