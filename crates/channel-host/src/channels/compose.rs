//! What an entry needs to go out: its words, to whom, in answer to what; read from the log again and opened.

use bus::{FileError, UnsealError, file_pixels};
use bytes::Bytes;
use channel::{Attached, Content, Correspondent};
use protocol::Millis;
use protocol::command::Command;
use protocol::content::{Attachment, Sealed};
use protocol::input::InputBody;
use protocol::record::{Cause, EntryKind, Record};
use protocol::streams::CONTACTS;
use protocol::thread::Entry;

use crate::channels::Channels;
use crate::channels::book::Talk;
use crate::limits::LINK_MS;

/// An entry in the clear.
pub(super) struct Composed {
    pub(super) content: Option<Content>,
    pub(super) to: Correspondent,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotComposed {
    /// The log or the keys are away; fate: retry.
    Away,
    /// The customer was erased, or nobody knows who they are; fate: it failed.
    Never(&'static str),
}

/// Opens what an entry is made of. Files go as bytes if there are `files_max`; what is past it is known before any is fetched.
pub(super) async fn compose(
    channels: &Channels,
    talk: &Talk,
    entry: &Entry,
    files_max: Option<u64>,
) -> Result<Composed, NotComposed> {
    let content = match (&entry.body, &entry.kind) {
        (Some(body), _) => Some(open(channels, body).await?.ok_or(NotComposed::Never("erased"))?),
        (None, EntryKind::IncidentTold { text, .. }) => Some(Content::words(text.clone())),
        (None, _) => None,
    };
    let mut to = correspondent(channels, talk).await?;
    let is_forward =
        content.as_ref().and_then(|content| content.mail.as_ref()).is_some_and(|mail| !mail.to.is_empty());
    let last = to.last.as_ref().and_then(|last| last.mail.as_ref()).and_then(|mail| mail.raw.as_ref());
    let raw = last.filter(|_| is_forward);
    let files = content.iter().flat_map(|content| &content.attachments).chain(raw);
    let bytes = files.fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    if files_max.is_some_and(|most| bytes > most) {
        return Err(NotComposed::Never("too_large"));
    }
    if let Some(raw) = raw {
        let bytes = bytes_of(channels, talk, raw).await?.to_vec();
        to.raw = Some(bytes);
    }
    Ok(Composed { content, to })
}

/// The customer's side: who they are by their first message, or by where an agent wrote first; what they wrote last.
pub(super) async fn correspondent(channels: &Channels, talk: &Talk) -> Result<Correspondent, NotComposed> {
    let mut to =
        Correspondent { thread: talk.thread, is_first: talk.heard.len() == 1, ..Correspondent::default() };
    for seq in &talk.heard {
        let Some((body, at)) = message_at(channels, *seq).await? else { continue };
        to.last_at = to.last_at.max(at);
        let Some(content) = open(channels, &body).await? else { continue };
        let is_third = content.mail.as_ref().is_some_and(|mail| mail.third_party);
        if !is_third && let Some(identity) = &content.identity {
            to.identity.clone_from(identity);
            to.name.clone_from(&content.name);
        }
        to.last = Some(content);
    }
    if to.identity.is_empty()
        && let Some(seq) = talk.begun
        && let Some(sealed) = address_at(channels, seq).await?
        && let Some(Content { identity: Some(identity), .. }) = open(channels, &sealed).await?
    {
        to.identity = identity;
    }
    if to.identity.is_empty() { Err(NotComposed::Never("no_address")) } else { Ok(to) }
}

/// The address to which an agent wrote first.
async fn address_at(channels: &Channels, seq: u64) -> Result<Option<Sealed>, NotComposed> {
    let Some((InputBody::Command(command), _)) = input_at(channels, seq).await? else { return Ok(None) };
    let Command::Begin(begin) = command.command else { return Ok(None) };
    Ok(begin.address)
}

/// What led to a record, and when that was decided.
async fn input_at(channels: &Channels, seq: u64) -> Result<Option<(InputBody, Millis)>, NotComposed> {
    let item = channels.intake.bus.read_one(CONTACTS, seq).await.map_err(|error| {
        tracing::warn!(%error, seq, "failed to read a message again; tries again");
        NotComposed::Away
    })?;
    let Some(record) = item.and_then(|item| serde_json::from_slice::<Record>(&item.payload).ok()) else {
        return Ok(None);
    };
    let Cause::Input { input, .. } = record.cause else { return Ok(None) };
    Ok(Some((input.body, record.at)))
}

/// A message's words, and when it was written as far as its provider says so; `None` where nobody wrote: a sign, a notice.
async fn message_at(channels: &Channels, seq: u64) -> Result<Option<(Sealed, Option<Millis>)>, NotComposed> {
    let Some((InputBody::Message(message), at)) = input_at(channels, seq).await? else { return Ok(None) };
    // A clock that is ahead makes nothing later than it came.
    let at = message.sent_at.map_or(at, |sent| sent.min(at));
    Ok(Some((message.body, Some(at).filter(|_| !message.automatic))))
}

/// What is sealed; `None` if it was erased or cannot be opened by anybody.
async fn open(channels: &Channels, body: &Sealed) -> Result<Option<Content>, NotComposed> {
    match channels.intake.sealer.unseal(body).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(UnsealError::Erased | UnsealError::NoKey | UnsealError::Damaged) => Ok(None),
        Err(UnsealError::Unavailable(_)) => Err(NotComposed::Away),
    }
}

/// A file of a message, as the channel can take it.
pub(super) struct File {
    file: Attachment,
    bytes: Bytes,
    url: String,
}

impl File {
    pub(super) fn attached(&self) -> Attached<'_> {
        let pixels = file_pixels::size_of(&self.bytes, &self.file.media_type);
        Attached { file: &self.file, bytes: &self.bytes, url: &self.url, pixels }
    }
}

/// What is attached to an entry: bytes, or links that work for a while.
pub(super) async fn attached(
    channels: &Channels,
    talk: &Talk,
    composed: &Composed,
    wants_bytes: bool,
) -> Result<Vec<File>, NotComposed> {
    let mut files = Vec::new();
    let Some(content) = &composed.content else { return Ok(files) };
    for file in &content.attachments {
        let until = channels.now().plus(LINK_MS);
        let path = channels.files.link(talk.identity, file.object, &file.name, until);
        let url = format!("{}{path}", channels.intake.kit.settings.http.public_url);
        let bytes = if wants_bytes { bytes_of(channels, talk, file).await? } else { Bytes::new() };
        files.push(File { file: file.clone(), bytes, url });
    }
    Ok(files)
}

async fn bytes_of(channels: &Channels, talk: &Talk, file: &Attachment) -> Result<Bytes, NotComposed> {
    match channels.files.fetch(talk.identity, file.object).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(NotComposed::Never("file_missing")),
        Err(FileError::Erased) => Err(NotComposed::Never("erased")),
        Err(FileError::Damaged) => Err(NotComposed::Never("file_damaged")),
        Err(FileError::Unavailable(error)) => {
            tracing::warn!(error, "failed to read a file; tries again");
            Err(NotComposed::Away)
        }
    }
}
