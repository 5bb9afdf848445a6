//! Which conversation a mail belongs to.
//!
//! What a mail says about its thread is the sender's to write. Proof is only what we signed: the address that answers
//! come to, and our own ids. Everything else joins a conversation only for somebody who is in it already, because
//! whoever knows an id (a newsletter, a forwarded mail) is not thereby part of the talk.

use protocol::{Hash128, MessageId};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::automatic;
use crate::config::ID_BYTES_MAX;
use crate::inbound::Mail;
use crate::sign::{Key, Purpose, SIGNATURE_BYTES, base32, sign, unbase32, verify};
use crate::subject::{base_subject, subject_token};

/// Longest local part of an address, bytes (RFC 5321).
pub const LOCAL_BYTES_MAX: usize = 64;
/// Letters of a token: 16 bytes of thread and 10 of signature, five bits each.
const TOKEN_LETTERS: usize = 42;
/// Most ids of a mail that are looked up.
pub const EVIDENCE_MAX: usize = 40;

/// The address that answers to a thread come to: `local+<token>@domain`. `None` when that would be longer than
/// addresses may be; then our Message-ID has to do.
#[must_use]
pub fn reply_address(key: &Key, inbox: &str, own: &Address, thread: Hash128) -> Option<Address> {
    let signature = sign(key, Purpose::Address, inbox, &thread.0);
    let token = base32(&[&thread.0[..], &signature[..]].concat());
    let local = own.local();
    if local.len() + 1 + token.len() > LOCAL_BYTES_MAX || local.starts_with('"') {
        return None;
    }
    Address::new(&format!("{local}+{token}@{}", own.domain()))
}

/// The thread that an address answers to; `None` unless we signed it for this inbox.
#[must_use]
pub fn read_reply_address(key: &Key, inbox: &str, address: &Address) -> Option<Hash128> {
    let (_, token) = address.local().rsplit_once('+')?;
    if token.len() != TOKEN_LETTERS {
        return None;
    }
    let bytes = unbase32(token)?;
    let (thread, signature) = bytes.split_at_checked(16)?;
    let thread = Hash128(thread.try_into().ok()?);
    verify(key, Purpose::Address, inbox, &thread.0, signature).then_some(thread)
}

/// A mail that we wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMessage {
    /// The thread it belongs to.
    pub thread: Hash128,
    /// Its id here.
    pub message: MessageId,
}

/// What our own header says: `<message>.<thread>.<signature>`.
#[must_use]
pub fn own_mark(key: &Key, inbox: &str, own: OwnMessage) -> String {
    let body = own_body(own);
    let signature = sign(key, Purpose::Message, inbox, &body);
    format!("{}.{}.{}", own.message.0.simple(), base32(&own.thread.0), base32(&signature))
}

/// The Message-ID of a mail of ours, without angle brackets: the same for every try to send it.
#[must_use]
pub fn own_message_id(key: &Key, inbox: &str, thread: Hash128, message: MessageId, domain: &str) -> String {
    format!("{}@{domain}", own_mark(key, inbox, OwnMessage { thread, message }))
}

/// The mail of ours that a mark names; `None` unless we signed it for this inbox.
#[must_use]
pub fn read_own_mark(key: &Key, inbox: &str, mark: &str) -> Option<OwnMessage> {
    if mark.len() > ID_BYTES_MAX {
        return None;
    }
    let mark = mark.trim().to_ascii_lowercase();
    let mut pieces = mark.split('.');
    let (Some(message), Some(thread), Some(signature), None) =
        (pieces.next(), pieces.next(), pieces.next(), pieces.next())
    else {
        return None;
    };
    let message: MessageId = format!("msg_{message}").parse().ok()?;
    let thread = Hash128(unbase32(thread)?.try_into().ok()?);
    let own = OwnMessage { thread, message };
    let signature = unbase32(signature).filter(|bytes| bytes.len() == SIGNATURE_BYTES)?;
    verify(key, Purpose::Message, inbox, &own_body(own), &signature).then_some(own)
}

/// The mail of ours that a Message-ID names; the domain does not count, because relays change it.
#[must_use]
pub fn read_own_message_id(key: &Key, inbox: &str, id: &str) -> Option<OwnMessage> {
    let id = id.trim().trim_matches(['<', '>']);
    read_own_mark(key, inbox, id.split('@').next()?)
}

fn own_body(own: OwnMessage) -> Vec<u8> {
    [&own.message.0.as_bytes()[..], &own.thread.0[..]].concat()
}

/// The mail of ours that this mail is, if it came back to one of our inboxes: then nobody wrote to us.
#[must_use]
pub fn own_message(mail: &Mail, key: &Key, inboxes: &[&str]) -> Option<OwnMessage> {
    inboxes.iter().find_map(|inbox| {
        let marked = mail.own_mark.as_deref().and_then(|mark| read_own_mark(key, inbox, mark));
        marked.or_else(|| mail.message_id.as_deref().and_then(|id| read_own_message_id(key, inbox, id)))
    })
}

/// Whether a machine says something about a mail of this thread of ours: it reports on it, or answers it by itself. What a person writes is never that.
#[must_use]
pub fn is_report_on(mail: &Mail, key: &Key, inbox: &str, own: &Address, thread: Hash128) -> bool {
    let replies = [automatic::Reason::AutoSubmitted, automatic::Reason::Autoreply];
    let by_itself =
        mail.auto.as_ref().is_some_and(|auto| auto.reasons.iter().any(|one| replies.contains(one)));
    if mail.bounce.is_none() && !by_itself {
        return false;
    }
    let bounce = mail.bounce.as_ref();
    let marked = bounce.and_then(|bounce| read_own_mark(key, inbox, bounce.original_own_mark.as_deref()?));
    let by_id =
        bounce.and_then(|bounce| read_own_message_id(key, inbox, bounce.original_message_id.as_deref()?));
    let is_its = |evidence: &Evidence| match evidence {
        Evidence::ReplyToken(of) => *of == thread,
        Evidence::OwnInReplyTo(of) | Evidence::OwnReference(of) => of.thread == thread,
        Evidence::InReplyTo(_) | Evidence::Reference(_) | Evidence::SubjectToken(_) => false,
    };
    marked.into_iter().chain(by_id).any(|of| of.thread == thread)
        || evidence(mail, key, inbox, own, SubjectTokens::Off).iter().any(is_its)
}

/// One thing that says which thread a mail belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It was sent to the signed address of a thread.
    ReplyToken(Hash128),
    /// It answers a mail that we signed.
    OwnInReplyTo(OwnMessage),
    /// It answers this id.
    InReplyTo(String),
    /// It names a mail that we signed further back.
    OwnReference(OwnMessage),
    /// It names this id further back.
    Reference(String),
    /// Its subject has this `[#...]`.
    SubjectToken(String),
}

/// Whether a `[#...]` in the subject counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectTokens {
    /// Not at all.
    #[default]
    Off,
    /// After everything else, and only for a participant.
    On,
}

/// What a mail says about its thread, strongest first; at most [`EVIDENCE_MAX`] entries. The caller looks up what
/// stands behind each, within this inbox, and asks [`decide`].
#[must_use]
pub fn evidence(mail: &Mail, key: &Key, inbox: &str, own: &Address, tokens: SubjectTokens) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = Vec::new();
    let mut add = |one: Evidence| {
        if !found.contains(&one) && found.len() < EVIDENCE_MAX {
            found.push(one);
        }
    };
    let to = mail.to.iter().chain(&mail.cc).chain(&mail.delivered_to);
    to.filter(|address| crate::automatic::is_ours(address, &own.email))
        .filter_map(|address| read_reply_address(key, inbox, address))
        .for_each(|thread| add(Evidence::ReplyToken(thread)));
    let signed = |id: &String| read_own_message_id(key, inbox, id);
    mail.in_reply_to.iter().filter_map(signed).for_each(|own| add(Evidence::OwnInReplyTo(own)));
    mail.in_reply_to.iter().for_each(|id| add(Evidence::InReplyTo(id.clone())));
    for id in mail.references.iter().rev().filter(|id| !mail.in_reply_to.contains(id)) {
        add(signed(id).map_or_else(|| Evidence::Reference(id.clone()), Evidence::OwnReference));
    }
    if tokens == SubjectTokens::On {
        subject_token(&mail.subject).into_iter().for_each(|token| add(Evidence::SubjectToken(token)));
    }
    found
}

/// What the caller knows of the thread that one piece of evidence leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What led there.
    pub evidence: Evidence,
    /// The thread.
    pub thread: Hash128,
    /// Whether the sender of the mail wrote in it or was written to before.
    pub sender_is_participant: bool,
    /// Its subject, as its last mail has it.
    pub subject: String,
}

/// What an inbox does with a mail that leads to no thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// It begins a new one.
    #[default]
    Thread,
    /// It joins the sender's open conversation, if they have one.
    OpenCase,
    /// It joins whatever conversation the sender had last, open or not.
    Customer,
}

/// The conversations that the sender has in this inbox already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfSender {
    /// The open one that was used last.
    pub open: Option<Hash128>,
    /// The one that was used last.
    pub last: Option<Hash128>,
}

/// Where a mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where to.
    pub place: Place,
    /// Threads it may have to do with: shown, never joined. Each once.
    pub linked: Vec<Hash128>,
    /// Whether the subject is another one than before, so that the agent may want to split.
    pub subject_changed: bool,
}

/// Joined or new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It begins a conversation.
    New,
    /// It joins one.
    Join {
        /// The thread.
        thread: Hash128,
        /// Why.
        why: Why,
        /// Whether the sender was not in it before: a third party that somebody gave the reply address.
        new_participant: bool,
    },
}

/// Why a mail joins a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The signed address.
    ReplyToken,
    /// An id in `In-Reply-To`.
    InReplyTo,
    /// An id in `References`.
    References,
    /// A `[#...]` in the subject.
    SubjectToken,
    /// The inbox groups by sender.
    Sender,
}

/// Decides where a mail goes. `found` is in the order of [`evidence`]; what led nowhere is left out of it.
#[must_use]
pub fn decide(found: &[Found], of_sender: OfSender, grouping: Grouping, subject: &str) -> Decision {
    let joins =
        |found: &&Found| found.sender_is_participant || matches!(found.evidence, Evidence::ReplyToken(_));
    let joined = found.iter().find(joins);
    let by_sender = match grouping {
        Grouping::Thread => None,
        Grouping::OpenCase => of_sender.open,
        Grouping::Customer => of_sender.open.or(of_sender.last),
    };
    let place = match (joined, by_sender) {
        (Some(found), _) => Place::Join {
            thread: found.thread,
            why: why(&found.evidence),
            new_participant: !found.sender_is_participant,
        },
        (None, Some(thread)) => Place::Join { thread, why: Why::Sender, new_participant: false },
        (None, None) => Place::New,
    };
    let subject_changed = joined.is_some_and(|found| changed(&found.subject, subject));
    let into = match &place {
        Place::Join { thread, .. } => Some(*thread),
        Place::New => None,
    };
    let mut linked: Vec<Hash128> = Vec::new();
    for thread in found.iter().map(|found| found.thread).filter(|thread| Some(*thread) != into) {
        if !linked.contains(&thread) {
            linked.push(thread);
        }
    }
    Decision { place, linked, subject_changed }
}

/// An empty subject is no other subject: phones send answers without one.
fn changed(before: &str, now: &str) -> bool {
    let (before, now) = (base_subject(before), base_subject(now));
    !before.is_empty() && !now.is_empty() && before != now
}

fn why(evidence: &Evidence) -> Why {
    match evidence {
        Evidence::ReplyToken(_) => Why::ReplyToken,
        Evidence::OwnInReplyTo(_) | Evidence::InReplyTo(_) => Why::InReplyTo,
        Evidence::OwnReference(_) | Evidence::Reference(_) => Why::References,
        Evidence::SubjectToken(_) => Why::SubjectToken,
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
