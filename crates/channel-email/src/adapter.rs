//! The adapter of one inbox: a mail as a message, a status or an echo; an entry as a mail; a server's answer as a verdict.

use std::borrow::Cow;
use std::convert::Infallible;

use channel::known::{Known, PersonKey};
use channel::limits::{IDENTITY_BYTES_MAX, NAME_BYTES_MAX, PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX};
use channel::words::{Asking, is_said};
use channel::{
    Adapter, ChannelKind, Content, Correspondent, DeliveryState, EntryKind, Hash128, Inbound, MailAddress,
    MailHead, MessageId, Millis, Outbound, Parsed, Raw, Rejected, Status, StatusOf, Unsendable, Verdict,
    Whose,
};

use crate::address::{Address, head};
use crate::authentication::sender_verified;
use crate::automatic::OwnKind;
use crate::bounce::{Bounce, Kind, Lasting};
use crate::config::Limits;
use crate::inbound::{ContentKey, Mail, content_key, read};
use crate::outbound::{
    Answered, Attachment, ComposeError, Composed, Draft, Forwarded, Purpose, Sender, compose,
};
use crate::sign::Key;
use crate::thread::{own_message, read_own_mark, read_own_message_id};

/// Most ids of a thread that are kept with a message.
const REFERENCES_KEPT_MAX: usize = 20;
/// Most recipients that are kept with a message.
const PEOPLE_KEPT_MAX: usize = 30;
/// Longest subject kept with a message, bytes.
const SUBJECT_BYTES_MAX: usize = 500;

/// One inbox.
#[derive(Clone, Debug)]
pub struct Email {
    /// The account's name: signatures are bound to it.
    pub inbox: String,
    /// Its address, with the name that recipients see.
    pub address: Address,
    /// The key that signs addresses and ids.
    pub key: Key,
    /// Text below each mail; empty for none.
    pub signature: String,
    /// The mail server whose word about senders is taken; empty for none.
    pub trusted_server: String,
    /// What a customer is told before their silent conversation is closed.
    pub closing_text: String,
    /// What a customer is told who is not heard for a while; `{until}` stands for the day and time of its end.
    pub blocked_text: String,
    /// What a customer is asked once their contact is resolved.
    pub asking: Asking,
    /// Largest mail that the server takes, bytes as sent.
    pub bytes_max: usize,
    /// The limits of reading.
    pub limits: Limits,
}

/// How far a mail had come when a server said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpStep {
    /// Greeting, encryption and signing in: no mail was offered yet.
    SignIn,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA` and the mail itself.
    Content,
}

/// What a mail server said about a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpAnswer {
    /// It has it; the text may hold its own id.
    Accepted {
        /// What it said.
        text: String,
    },
    /// It does not take it, with a three-digit code and what it said.
    Refused {
        /// What it answers.
        step: SmtpStep,
        /// 400 to 599.
        code: u16,
        /// What it said, with an enhanced status in front if there is one.
        text: String,
    },
    /// It was never reached, or never let us in.
    Unreachable,
    /// The connection broke or the server fell silent before the mail itself was on its way: it has nothing of it.
    BrokenOff,
    /// The connection broke after the mail was on its way: nobody knows whether it was taken.
    NoAnswer,
}

/// A mail and what it means.
#[derive(Clone, Debug)]
pub struct Sorted {
    /// The mail; `None` if nothing of it could be read.
    pub mail: Option<Mail>,
    /// What it means.
    pub parsed: Parsed<Infallible>,
}

impl Sorted {
    /// What a mail means that cannot be read, known again by this id.
    #[must_use]
    pub fn unreadable(provider_id: String) -> Self {
        let content = Content {
            mail: Some(Box::new(MailHead { unreadable: true, ..MailHead::default() })),
            ..Content::words("(This mail could not be read. It is attached as it came.)")
        };
        let identity = Some(nobody(&provider_id));
        let inbound = Inbound { provider_id, identity, content, ..Inbound::default() };
        Self { mail: None, parsed: Parsed::Message(Box::new(inbound)) }
    }
}

impl Email {
    /// Reads a mail and says what it means. Every mail means something: what cannot be read is a message that says so.
    #[must_use]
    pub fn sort(&self, raw: &[u8]) -> Sorted {
        let Ok(mail) = read(raw, &self.limits) else {
            return Sorted::unreadable(key_text(&content_key(raw, &Mail::default())));
        };
        let parsed = self.meaning(raw, &mail);
        Sorted { mail: Some(mail), parsed }
    }

    /// A mail of this inbox to itself, in a thread of its own: when it comes back it is an echo, and its thread says what it is for. `None`: none can
    /// be written to its address.
    #[must_use]
    pub fn to_itself(&self, message: MessageId, thread: Hash128, now: Millis) -> Option<Composed> {
        let draft = Draft {
            message,
            thread,
            date: now,
            purpose: Purpose::New { subject: "This mailbox is tried".to_owned() },
            to: vec![self.address.clone()],
            cc: Vec::new(),
            text:
                "A machine of ours looks whether mails go out and come in here, and takes this one out again."
                    .to_owned(),
            html: None,
            attachments: Vec::new(),
            automatic: Some(OwnKind::Notification),
        };
        let sender =
            Sender { inbox: &self.inbox, address: self.address.clone(), key: &self.key, signature: "" };
        let mail = compose(&draft, &sender, self.bytes_max).ok()?;
        // Many servers let nobody send as no one. So reports about it come here, where they are known by its thread.
        Some(Composed { envelope_from: Some(self.address.email.clone()), ..mail })
    }

    fn meaning(&self, raw: &[u8], mail: &Mail) -> Parsed<Infallible> {
        let provider_id = key_text(&content_key(raw, mail));
        if own_message(mail, &self.key, &[&self.inbox]).is_some() {
            return Parsed::Echo { provider_id };
        }
        if let Some(status) = mail.bounce.as_ref().and_then(|bounce| self.status(bounce)) {
            return Parsed::Status(status);
        }
        let from = mail.from.as_ref().map(|from| from.email.to_ascii_lowercase());
        let identity =
            from.filter(|from| from.len() <= IDENTITY_BYTES_MAX).unwrap_or_else(|| nobody(&provider_id));
        let content = self.content(mail, identity.clone());
        let verified = content.mail.as_ref().is_some_and(|head| head.verified);
        let known = PersonKey::email(&identity).map(|by| Known { by, verified });
        Parsed::Message(Box::new(Inbound {
            provider_id,
            identity: Some(identity),
            known: known.into_iter().collect(),
            content,
            sent_at: mail.date,
            automatic: mail.auto.is_some() || mail.bounce.is_some(),
            ..Inbound::default()
        }))
    }

    /// What a report says about a mail of ours; `None` if it is about nothing that we signed.
    fn status(&self, bounce: &Bounce) -> Option<Status> {
        let marked =
            bounce.original_own_mark.as_deref().and_then(|mark| read_own_mark(&self.key, &self.inbox, mark));
        let by_id = || read_own_message_id(&self.key, &self.inbox, bounce.original_message_id.as_deref()?);
        let message = marked.or_else(by_id)?.message;
        let state = match bounce.kind {
            Kind::Failed(Lasting::Permanent | Lasting::Temporary) => DeliveryState::Failed,
            Kind::Delayed => DeliveryState::Accepted,
            Kind::Delivered => DeliveryState::Delivered,
            // It arrived; what its reader or their machine says about it is a message.
            Kind::Complaint | Kind::Vacation => return None,
        };
        let reason = if bounce.is_hard() { Some("address_unknown") } else { None };
        let soft = bounce.recipients.first().map(|one| word(&one.reason));
        let reason = (state == DeliveryState::Failed).then(|| reason.map(str::to_owned).or(soft)).flatten();
        Some(Status { about: StatusOf::Ours(message), state, reason })
    }

    fn content(&self, mail: &Mail, identity: String) -> Content {
        let new = &mail.reply.unquoted();
        let mut text = new.clone();
        if !mail.reply.quoted.is_empty() {
            text.push_str("\n\n");
            text.push_str(&mail.reply.quoted);
        }
        let mut new_bytes = (text.len() > new.len()).then_some(new.len());
        if text.trim().is_empty() {
            text =
                if mail.subject.trim().is_empty() { "(no words)".to_owned() } else { mail.subject.clone() };
            new_bytes = None;
        }
        let text = head(&text, TEXT_BYTES_MAX).to_owned();
        let new_bytes = new_bytes.map(|bytes| bytes.min(text.len()));
        let name = mail.from.as_ref().and_then(|from| from.name.as_deref());
        let mut references: Vec<String> =
            if mail.references.is_empty() { &mail.in_reply_to } else { &mail.references }.clone();
        // The first says which thread it is, the last ones which branch.
        while references.len() > REFERENCES_KEPT_MAX {
            references.remove(1);
        }
        let people = |all: &[Address]| all.iter().take(PEOPLE_KEPT_MAX).map(person).collect();
        Content {
            text,
            name: name.map(|name| head(name, NAME_BYTES_MAX).to_owned()),
            identity: Some(identity),
            attachments: Vec::new(),
            template: None,
            mail: Some(Box::new(MailHead {
                from: mail.from.as_ref().map(person),
                reply_to: people(&mail.reply_to),
                to: people(&mail.to),
                cc: people(&mail.cc),
                subject: head(&mail.subject, SUBJECT_BYTES_MAX).to_owned(),
                message_id: mail.message_id.clone(),
                references,
                new_bytes,
                verified: sender_verified(mail.from.as_ref(), &mail.authentication, &self.trusted_server),
                ..MailHead::default()
            })),
            place: None,
        }
    }

    fn draft(&self, outbound: &Outbound<'_>) -> Result<Draft, Unsendable> {
        let (Some(to), Some(conversation)) = (outbound.to, outbound.conversation) else {
            return Err(Unsendable { reason: "no_address" });
        };
        let thread = to.thread.ok_or(Unsendable { reason: "no_thread" })?;
        let head = outbound.content.and_then(|content| content.mail.as_deref());
        let forward_to = head.map(|head| head.to.as_slice()).unwrap_or_default();
        let own = self.own_words(&outbound.entry.kind);
        let text = own.as_deref().or(outbound.text);
        let purpose = if forward_to.is_empty() { answer(to, head) } else { forward(to) };
        let recipients =
            if forward_to.is_empty() { vec![self.answer_to(to)?] } else { addresses(forward_to)? };
        Ok(Draft {
            // What the house says by itself has no id: its place in the conversation is one.
            message: outbound
                .entry
                .message
                .or_else(|| place_id(conversation.log_seq, outbound.entry.seq))
                .ok_or(Unsendable { reason: "unwritable" })?,
            thread,
            date: outbound.now,
            purpose,
            to: recipients,
            cc: addresses(head.map(|head| head.cc.as_slice()).unwrap_or_default())?,
            text: text.unwrap_or_default().to_owned(),
            html: None,
            attachments: outbound
                .attached
                .iter()
                .map(|one| Attachment {
                    name: one.file.name.clone(),
                    media_type: one.file.media_type.clone(),
                    bytes: one.bytes.to_vec(),
                    content_id: None,
                })
                .collect(),
            automatic: own.is_some().then_some(OwnKind::Reply),
        })
    }
}

impl Email {
    /// What the house says by itself.
    fn own_words(&self, kind: &EntryKind) -> Option<Cow<'_, str>> {
        if let EntryKind::SilenceWarned { .. } = kind {
            Some(self.closing_text.as_str().into())
        } else if let EntryKind::Blocked { until, .. } = kind {
            Some(self.blocked_text.replace("{until}", &until.rfc3339()).into())
        } else if let EntryKind::FeedbackAsked { question } = kind {
            Some(self.asking.words(*question).into())
        } else {
            None
        }
    }

    fn answer_to(&self, to: &Correspondent) -> Result<Address, Unsendable> {
        let none = Unsendable { reason: "no_address" };
        let head = to.last.as_ref().and_then(|last| last.mail.as_deref()).filter(|head| !head.third_party);
        let reply_to =
            head.filter(|head| self.may_lead(head, to.is_first)).and_then(|head| head.reply_to.first());
        let address =
            reply_to.and_then(|person| Address::new(&person.address)).or_else(|| Address::new(&to.identity));
        Ok(address.ok_or(none)?.named(to.name.as_deref().unwrap_or_default()))
    }

    /// Whether a mail may lead the answer to its `Reply-To`: whoever writes in somebody's name must not lead it to themselves.
    /// The first mail of a thread may be a form's, which answers for its customer: within its own domain, and anywhere if no
    /// mail can be verified here.
    fn may_lead(&self, head: &MailHead, is_first: bool) -> bool {
        let domain = |person: &MailAddress| {
            Address::new(&person.address).map(|address| address.domain().to_ascii_lowercase())
        };
        let from = head.from.as_ref().and_then(domain);
        let is_within = from.is_some() && head.reply_to.first().and_then(domain) == from;
        head.verified || is_first && (self.trusted_server.is_empty() || is_within)
    }
}

impl Adapter for Email {
    type Signal = Infallible;
    type Sending = Composed;
    type Answer = SmtpAnswer;

    const KIND: ChannelKind = ChannelKind::Email;
    /// A mail server takes the same Message-ID twice, and so do most people's mailboxes.
    const IS_RESENDABLE: bool = false;

    /// The mailbox's own password says that it is our mailbox; a mail itself proves nothing.
    fn verify(&self, _: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        Ok(())
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Infallible>, Rejected>> {
        vec![Ok(self.sort(raw.body).parsed)]
    }

    fn sends(&self, kind: &EntryKind) -> bool {
        is_said(kind)
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<Composed, Unsendable> {
        let draft = self.draft(outbound)?;
        let sender = Sender {
            inbox: &self.inbox,
            address: self.address.clone(),
            key: &self.key,
            signature: &self.signature,
        };
        compose(&draft, &sender, self.bytes_max).map_err(|error| {
            let reason = match error {
                ComposeError::NoRecipient | ComposeError::BadAddress => "no_address",
                ComposeError::TooManyRecipients { .. } => "too_many_recipients",
                ComposeError::TooLarge { .. } => "too_large",
                ComposeError::NotWritten => "unwritable",
            };
            Unsendable { reason }
        })
    }

    fn judge(&self, answer: &SmtpAnswer) -> Verdict {
        let retry = |whose, reason| Verdict::Retry { whose, after_ms: None, reason };
        match answer {
            SmtpAnswer::Accepted { text } => Verdict::Accepted { provider_id: queue_id(text) },
            // RFC 5321: 421 closes the channel; RFC 4954: 432, 454, 530, 534, 535 and 538 are about signing in.
            SmtpAnswer::Refused { code: 421, .. } => retry(Whose::Limited, "limited"),
            SmtpAnswer::Refused { code: 432 | 454 | 530 | 534 | 535 | 538, .. } => {
                retry(Whose::Refused, "refused")
            }
            // No mail was offered yet, so it says nothing about this one.
            SmtpAnswer::Refused { step: SmtpStep::SignIn, code: 400..=499, .. } => {
                retry(Whose::Limited, "limited")
            }
            SmtpAnswer::Refused { step: SmtpStep::SignIn, .. } => retry(Whose::Refused, "refused"),
            SmtpAnswer::Refused { code: 400..=499, .. } | SmtpAnswer::BrokenOff => {
                retry(Whose::Conversation, "unavailable")
            }
            SmtpAnswer::Refused { step, code, text } => {
                Verdict::Failed { reason: refusal(*step, *code, text) }
            }
            SmtpAnswer::Unreachable => retry(Whose::Refused, "unreachable"),
            SmtpAnswer::NoAnswer => Verdict::Unknown { reason: "no_answer" },
        }
    }

    /// Signing in is tried instead.
    fn probe(&self, _: Millis) -> Option<Composed> {
        None
    }
}

/// RFC 3463: what an enhanced status says about why. Of an address only an answer speaks that came after it was named.
fn refusal(step: SmtpStep, code: u16, text: &str) -> &'static str {
    let is_named = matches!(step, SmtpStep::Recipient | SmtpStep::Content);
    let says = |status: &str| text.trim_start().starts_with(status);
    match code {
        // 5.1.7 and 5.1.8 are about the sender.
        _ if says("5.1.7") || says("5.1.8") => "rejected",
        _ if is_named && (says("5.1.") || says("5.2.1")) => "address_unknown",
        _ if says("5.2.2") => "mailbox_full",
        _ if says("5.3.4") || says("5.2.3") || code == 552 => "too_large",
        // Without an enhanced status the code is all there is; with another one it says something else. To a mail itself it
        // says that its words are not liked.
        550 | 551 | 553 if step == SmtpStep::Recipient && !text.trim_start().starts_with("5.") => {
            "address_unknown"
        }
        _ => "rejected",
    }
}

/// What stands after `queued as`, by which a log of that server is searched.
fn queue_id(text: &str) -> Option<String> {
    let after = text.split("queued as ").nth(1)?;
    let id = after.split(|c: char| c.is_whitespace() || c == '>').next()?;
    (!id.is_empty() && id.len() <= PROVIDER_ID_BYTES_MAX).then(|| id.to_owned())
}

fn word(reason: &crate::bounce::Reason) -> String {
    serde_json::to_value(reason).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn answer(to: &Correspondent, head: Option<&MailHead>) -> Purpose {
    let last = to.last.as_ref().and_then(|last| last.mail.as_deref());
    let own = head.map(|head| head.subject.clone()).filter(|subject| !subject.is_empty());
    let Some(last) = last else { return Purpose::New { subject: own.unwrap_or_default() } };
    Purpose::Reply(Answered {
        message_id: last.message_id.clone(),
        references: last.references.clone(),
        subject: own.unwrap_or_else(|| last.subject.clone()),
        history: None,
    })
}

fn forward(to: &Correspondent) -> Purpose {
    let last = to.last.as_ref();
    let head = last.and_then(|last| last.mail.as_deref());
    let address = |person: &MailAddress| {
        Address::new(&person.address).map(|one| one.named(person.name.as_deref().unwrap_or_default()))
    };
    let mail = Mail {
        from: head.and_then(|head| address(head.from.as_ref()?)),
        subject: head.map(|head| head.subject.clone()).unwrap_or_default(),
        text: last.map(|last| last.text.clone()).unwrap_or_default(),
        ..Mail::default()
    };
    Purpose::Forward(Box::new(Forwarded { mail, raw: to.raw.clone() }))
}

fn addresses(people: &[MailAddress]) -> Result<Vec<Address>, Unsendable> {
    let one = |person: &MailAddress| {
        let address = Address::new(&person.address).ok_or(Unsendable { reason: "no_address" })?;
        Ok(address.named(person.name.as_deref().unwrap_or_default()))
    };
    people.iter().map(one).collect()
}

fn person(address: &Address) -> MailAddress {
    let name = address.name.as_deref().map(|name| head(name, NAME_BYTES_MAX).to_owned());
    MailAddress { address: address.email.clone(), name }
}

/// Whoever cannot be told from their mail is somebody of their own.
fn nobody(provider_id: &str) -> String {
    format!("nobody {provider_id}")
}

/// The id of a mail that the house writes by itself: it says where its entry stands.
#[must_use]
pub fn place_id(log_seq: u64, seq: u64) -> Option<MessageId> {
    format!("msg_{log_seq:016x}{seq:016x}").parse().ok()
}

fn key_text(key: &ContentKey) -> String {
    match key {
        ContentKey::MessageId(id) => head(id, PROVIDER_ID_BYTES_MAX).to_owned(),
        ContentKey::Bytes(digest) => digest.to_string(),
    }
}

/// By what a participant of a thread is known again.
#[must_use]
pub fn participant(thread: Hash128, address: &str) -> String {
    format!("who {thread} {}", address.to_ascii_lowercase())
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
