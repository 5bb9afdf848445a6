//! What a raw message says.

use std::collections::BTreeSet;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use protocol::{Hash128, Millis};
use sha2::{Digest, Sha256};

use crate::address::{Address, head, one_line};
use crate::authentication::{Results, read_results};
use crate::automatic::{self, Automatic};
use crate::bounce::{self, Bounce};
use crate::config::{ID_BYTES_MAX, Limits, SUBJECT_CHARS_MAX};
use crate::headers::{Headers, end_of_head, with_readable_head};
use crate::parts::{self, Part};
use crate::reply::{self, ReplyParts};

/// The header that repeats our own id, because some relays write a Message-ID of theirs.
pub const OWN_HEADER: &str = "Winterband-Message";

/// A mail, as far as it could be read. Nothing in it is trusted: every field is the sender's to write, unless it says
/// that it was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Its id without angle brackets.
    pub message_id: Option<String>,
    /// What it answers, as it says.
    pub in_reply_to: Vec<String>,
    /// The thread it is in, oldest first, as it says.
    pub references: Vec<String>,
    /// Who wrote it: the first address of `From`, else that of `Sender`.
    pub from: Option<Address>,
    /// Where answers should go.
    pub reply_to: Vec<Address>,
    /// `To`.
    pub to: Vec<Address>,
    /// `Cc`.
    pub cc: Vec<Address>,
    /// The mailboxes it was delivered to, by `Delivered-To`, `X-Original-To` and `Envelope-To`.
    pub delivered_to: Vec<Address>,
    /// The sender on the envelope; `None` for `<>` and where none is told.
    pub return_path: Option<Address>,
    /// Its subject on one line; empty when there is none.
    pub subject: String,
    /// When it was written, as it says.
    pub date: Option<Millis>,
    /// Its words as plain text, made from the html when there are no others.
    pub text: String,
    /// Whether the text was longer than the limit.
    pub text_cut: bool,
    /// The text as reply, signature and quoted history.
    pub reply: ReplyParts,
    /// Its html as it came. It is dangerous until [`crate::html::clean`] has seen it.
    pub html: Option<String>,
    /// Attachments, inline images and messages within, in order.
    pub parts: Vec<Part>,
    /// How many parts were not kept because of a limit.
    pub left_out: usize,
    /// How many bytes at the end of the message were not looked at because of the limit.
    pub cut_bytes: usize,
    /// Why it counts as written by a machine.
    pub auto: Option<Automatic>,
    /// What it reports about a mail of ours.
    pub bounce: Option<Bounce>,
    /// What stands in the header of our own mails; [`crate::thread::own_message`] says whether we wrote it.
    pub own_mark: Option<String>,
    /// What receiving servers say about the sender, topmost first; see [`crate::authentication::sender_verified`].
    pub authentication: Vec<Results>,
    /// Whether a filter on the way took it for spam.
    pub spam: bool,
    /// The language it says it is in, such as `de`: a hint, nothing more.
    pub language: Option<String>,
}

impl Mail {
    /// Where an answer goes: the first of `Reply-To`, else the sender.
    #[must_use]
    pub fn answer_to(&self) -> Option<&Address> {
        self.reply_to.first().or(self.from.as_ref())
    }
}

/// Why nothing of a message can be shown. Fate: park, with its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing but white space.
    #[error("read the message: it is empty")]
    Empty,
}

/// Reads a raw message. What is missing or malformed is left out; only an empty one is refused.
///
/// # Errors
/// [`Unreadable`]; fate: park.
pub fn read(raw: &[u8], limits: &Limits) -> Result<Mail, Unreadable> {
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::Empty);
    }
    let (seen, unseen) = raw.split_at_checked(limits.message_bytes_max).unwrap_or((raw, &[]));
    let readable = with_readable_head(without_envelope(seen));
    let message = MessageParser::default().parse(readable.as_ref()).filter(has_head);
    let mut mail = message.map(|message| from_message(&message, limits)).unwrap_or_default();
    if shows_nothing(&mail) {
        // What has not even one header of use is words from its first byte on.
        mail.text = String::from_utf8_lossy(seen).replace("\r\n", "\n").replace(['\r', '\u{0}'], "\n");
    }
    mail.cut_bytes = unseen.len();
    if mail.text.len() > limits.text_bytes_max {
        mail.text = head(&mail.text, limits.text_bytes_max).to_owned();
        mail.text_cut = true;
    }
    mail.reply = reply::split(&mail.text);
    Ok(mail)
}

/// Names of headers hold no spaces: a first line of prose with a colon in it is none.
fn has_head(message: &Message<'_>) -> bool {
    message.headers().iter().any(|header| !header.name.as_str().trim_end().contains(char::is_whitespace))
}

fn shows_nothing(mail: &Mail) -> bool {
    let bare =
        mail.text.trim().is_empty() && mail.html.is_none() && mail.parts.is_empty() && mail.left_out == 0;
    bare && mail.from.is_none() && mail.subject.is_empty() && mail.to.is_empty() && mail.message_id.is_none()
}

/// A line that mailbox files put in front is no header.
fn without_envelope(raw: &[u8]) -> &[u8] {
    let start = raw.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let raw = raw.get(start..).unwrap_or(raw);
    if !raw.starts_with(b"From ") && !raw.starts_with(b">From ") {
        return raw;
    }
    let end = raw.iter().position(|byte| *byte == b'\n').map_or(raw.len(), |at| at + 1);
    raw.get(end..).unwrap_or_default()
}

fn from_message(message: &Message<'_>, limits: &Limits) -> Mail {
    let headers = Headers(message);
    let mut mail = from_headers(headers);
    let (html, html_is_part) = match html_of(message) {
        Some(html) if html.len() > limits.html_bytes_max => (None, true),
        html => (html, false),
    };
    mail.text = text_of(message);
    take_parts(message, limits, html.as_deref(), &mut mail);
    if without_boundary(message, 0) || (mail.text.is_empty() && mail.parts.is_empty() && html.is_none()) {
        mail.text = body_as_text(message);
    }
    if mail.text.trim().is_empty() && html.is_none() {
        use_first_text_part(&mut mail);
    }
    if html_is_part {
        add_html_part(message, limits, &mut mail);
    }
    mail.html = html;
    mail.bounce = bounce::find(message, &mail);
    mail
}

fn from_headers(headers: Headers<'_, '_>) -> Mail {
    let from = headers.addresses("From").into_iter().next();
    let from = from.or_else(|| headers.addresses("Sender").into_iter().next());
    let delivered = ["Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"];
    let subject = headers.text("Subject").unwrap_or_default();
    Mail {
        message_id: headers.ids("Message-ID").into_iter().next(),
        in_reply_to: headers.ids("In-Reply-To"),
        references: headers.ids("References"),
        auto: automatic::find(headers, from.as_ref()),
        from,
        reply_to: headers.addresses("Reply-To"),
        to: headers.addresses("To"),
        cc: headers.addresses("Cc"),
        delivered_to: delivered.iter().flat_map(|name| texts_as_addresses(headers, name)).collect(),
        return_path: texts_as_addresses(headers, "Return-Path").into_iter().next(),
        subject: one_line(&subject, usize::MAX).chars().take(SUBJECT_CHARS_MAX).collect(),
        date: date_of(headers.0),
        own_mark: headers.text(OWN_HEADER).filter(|mark| !mark.is_empty() && mark.len() <= ID_BYTES_MAX),
        authentication: headers
            .raws("Authentication-Results")
            .filter_map(|text| read_results(&text))
            .collect(),
        spam: is_spam(headers),
        language: language_of(headers),
        ..Mail::default()
    }
}

fn texts_as_addresses(headers: Headers<'_, '_>, name: &'static str) -> Vec<Address> {
    headers.texts(name).flat_map(|text| crate::address::read_addresses(&text)).collect()
}

fn date_of(message: &Message<'_>) -> Option<Millis> {
    let date = message.date().filter(|date| date.is_valid())?;
    let seconds = u64::try_from(date.to_timestamp()).ok()?;
    Some(Millis(seconds.saturating_mul(1000)))
}

fn is_spam(headers: Headers<'_, '_>) -> bool {
    let word_is =
        |name, words: &[&str]| headers.word(name).is_some_and(|word| words.contains(&word.as_str()));
    word_is("X-Spam-Flag", &["yes", "true"])
        || word_is("X-Spam-Status", &["yes"])
        || word_is("X-Spam", &["yes", "true"])
        || word_is("X-Rspamd-Action", &["reject", "add", "rewrite"])
        || headers.text("X-Microsoft-Antispam-Mailbox-Delivery").is_some_and(|text| text.contains("dest:J"))
}

fn language_of(headers: Headers<'_, '_>) -> Option<String> {
    let told = headers.word("Content-Language")?;
    let language = told.split(['-', '_']).next().unwrap_or_default();
    let plain = (2..=3).contains(&language.len()) && language.chars().all(|c| c.is_ascii_lowercase());
    plain.then(|| language.to_owned())
}

/// In a tree whose ends are missing the words may seem to be attached: a text that has no name is not a file.
fn use_first_text_part(mail: &mut Mail) {
    let unnamed = |part: &Part| part.media_type == "text/plain" && part.name.starts_with("attachment-");
    let Some(at) = mail.parts.iter().position(unnamed) else { return };
    let part = mail.parts.remove(at);
    mail.text = String::from_utf8_lossy(&part.bytes).replace("\r\n", "\n").replace(['\r', '\u{0}'], "\n");
}

/// Whether the outermost part says that it has parts, and none were found.
fn without_boundary(message: &Message<'_>, number: usize) -> bool {
    let root = message.parts.first().filter(|_| number == 0);
    root.is_some_and(|root| {
        let says = root.content_type().is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("multipart"));
        says && !matches!(root.body, PartType::Multipart(_))
    })
}

/// Where the boundary between parts is never found, everything below the head is shown as it is.
fn body_as_text(message: &Message<'_>) -> String {
    let raw = message.raw_message();
    let body = raw.get(end_of_head(raw)..).unwrap_or_default();
    String::from_utf8_lossy(body).replace("\r\n", "\n").replace(['\r', '\u{0}'], "\n").trim().to_owned()
}

/// The plain words: the text parts; where there is none, what the html says.
fn text_of(message: &Message<'_>) -> String {
    let mut pieces: Vec<String> = Vec::new();
    for part in message.text_body.iter().filter_map(|id| message.part(*id)) {
        match &part.body {
            PartType::Text(text) => pieces.push(text.trim_end_matches(['\r', '\n']).to_owned()),
            PartType::Html(html) => pieces.push(crate::html::to_text(html)),
            PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => {}
        }
    }
    let text = pieces.join("\n\n");
    text.replace("\r\n", "\n").replace(['\r', '\u{0}'], "\n")
}

/// The html bodies; text between them, as some programs send around images, is put in its place.
fn html_of(message: &Message<'_>) -> Option<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut any = false;
    for part in message.html_body.iter().filter_map(|id| message.part(*id)) {
        match &part.body {
            PartType::Html(html) => {
                any = true;
                pieces.push(html.to_string());
            }
            PartType::Text(text) => pieces.push(crate::html::from_text(text)),
            PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => {}
        }
    }
    any.then(|| pieces.join("\n"))
}

fn take_parts(message: &Message<'_>, limits: &Limits, html: Option<&str>, mail: &mut Mail) {
    let bodies: BTreeSet<u32> = message.text_body.iter().chain(&message.html_body).copied().collect();
    for (number, part) in message.parts.iter().enumerate() {
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        let words = matches!(part.body, PartType::Text(_) | PartType::Html(_)) && bodies.contains(&id);
        if words || without_boundary(message, number) || matches!(part.body, PartType::Multipart(_)) {
            continue;
        }
        if mail.parts.len() >= limits.parts_max || part.contents().len() > limits.part_bytes_max {
            mail.left_out += 1;
            continue;
        }
        let number = mail.parts.len() + 1;
        mail.parts.push(parts::take(message.raw_message(), part, number, html));
    }
}

/// Html that is too long to be shown can still be fetched.
fn add_html_part(message: &Message<'_>, limits: &Limits, mail: &mut Mail) {
    let bytes = html_of(message).unwrap_or_default().into_bytes();
    if mail.parts.len() >= limits.parts_max || bytes.len() > limits.part_bytes_max {
        mail.left_out += 1;
        return;
    }
    let (name, media_type) = ("message.html".to_owned(), "text/html".to_owned());
    mail.parts.push(Part { name, media_type, bytes, content_id: None, inline: false });
}

/// What makes two deliveries to one inbox the same mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContentKey {
    /// The sender's id.
    MessageId(String),
    /// There is none: SHA-256 of the bytes, cut to 128 bits, without the headers that the way adds.
    Bytes(Hash128),
}

/// The material of the key by which an inbox keeps a mail once. The same id in two inboxes is two deliveries, so the
/// caller adds the inbox.
#[must_use]
pub fn content_key(raw: &[u8], mail: &Mail) -> ContentKey {
    if let Some(id) = &mail.message_id {
        return ContentKey::MessageId(id.clone());
    }
    let (top, body) = raw.split_at_checked(end_of_head(raw)).unwrap_or((raw, &[]));
    let mut hasher = Sha256::new();
    let mut keeping = true;
    for line in top.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            keeping = !is_of_the_way(line);
        }
        if keeping {
            hasher.update(line.trim_ascii_end());
            hasher.update(b"\n");
        }
    }
    hasher.update(body);
    let mut cut = [0; 16];
    for (to, from) in cut.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    ContentKey::Bytes(Hash128(cut))
}

fn is_of_the_way(line: &[u8]) -> bool {
    const NAMES: [&str; 5] = ["received", "delivered-to", "x-original-to", "envelope-to", "return-path"];
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || line.starts_with(b"From ")
}
