//! What a mail reports about a mail of ours: it failed, waits, arrived, was complained about, or nobody is there.
//!
//! The machine's part comes first (RFC 3464, RFC 5965), then tables of phrases, because about half of the real ones
//! have words only.

mod prose;
mod status;
mod words;

use mail_parser::{Message, MimeHeaders, PartType};
use serde::{Deserialize, Serialize};

use crate::address::{head, one_line};
use crate::automatic;
use crate::headers::{Headers, read_ids};
use crate::inbound::Mail;
use crate::{Limits, Unreadable};

/// Most recipients told of one report; the others are not read.
pub const RECIPIENTS_MAX: usize = 200;
/// Longest diagnostic kept, bytes; the rest is cut.
pub const DIAGNOSTIC_BYTES_MAX: usize = 1000;
/// Longest text about one recipient in which phrases are looked for, bytes.
const ABOUT_BYTES_MAX: usize = 4 * 1024;
/// Longest text in which phrases are looked for, bytes; what is after it is the returned mail.
const NOTICE_BYTES_MAX: usize = 64 * 1024;

/// A report about a mail of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    /// What became of the mail: the worst of what is told of its recipients.
    pub kind: Kind,
    /// Whom it could not reach, or reached; may be empty.
    pub recipients: Vec<Recipient>,
    /// The id of the mail it is about, from the returned headers.
    pub original_message_id: Option<String>,
    /// What stands in our own header of the returned mail; [`crate::thread::read_own_mark`] says whether we wrote it.
    pub original_own_mark: Option<String>,
}

impl Bounce {
    /// Whether at least one address is gone for good, so that nothing more should be sent to it.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        self.recipients.iter().any(Recipient::is_hard)
    }
}

/// What became of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It did not arrive and will not.
    Failed(Lasting),
    /// It has not arrived yet; the server goes on trying.
    Delayed,
    /// It arrived.
    Delivered,
    /// Its recipient called it spam (ARF).
    Complaint,
    /// It arrived, and a program answered: its reader is away, or the answer comes later.
    Vacation,
}

/// Whether trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lasting {
    /// It will not help.
    Permanent,
    /// It may help: a full mailbox, a server that was away too long.
    Temporary,
}

/// One recipient of the mail that the report is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The address, in lower case; empty when the report hides it.
    pub address: String,
    /// The enhanced status code, such as `5.1.1`.
    pub status: Option<String>,
    /// Why.
    pub reason: Reason,
    /// What the far server said, on one line.
    pub diagnostic: String,
}

impl Recipient {
    /// Whether the address is gone for good.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        match self.reason {
            Reason::UserUnknown | Reason::HostUnknown | Reason::TakesNoMail | Reason::Moved => true,
            Reason::MailboxFull
            | Reason::Suspended
            | Reason::Blocked
            | Reason::Filtered
            | Reason::Rejected
            | Reason::TooLarge
            | Reason::Policy
            | Reason::Spam
            | Reason::Virus
            | Reason::Expired
            | Reason::Network
            | Reason::System
            | Reason::RateLimited
            | Reason::Content
            | Reason::Other => false,
        }
    }
}

/// Why a mail was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such mailbox.
    UserUnknown,
    /// There is no such domain.
    HostUnknown,
    /// The domain says that it takes no mail at all.
    TakesNoMail,
    /// The mailbox has moved.
    Moved,
    /// The mailbox is full.
    MailboxFull,
    /// The mailbox is switched off for now.
    Suspended,
    /// Our server or its reputation is not wanted.
    Blocked,
    /// The recipient's own filter.
    Filtered,
    /// Our sender address is not wanted.
    Rejected,
    /// The mail is too large.
    TooLarge,
    /// A rule of the far side: authentication, relaying, encryption.
    Policy,
    /// It was taken for spam.
    Spam,
    /// It was taken for a virus.
    Virus,
    /// The server gave up trying.
    Expired,
    /// The network or the name service.
    Network,
    /// A fault of the far server.
    System,
    /// Too much at once.
    RateLimited,
    /// The form of the mail.
    Content,
    /// None of these.
    Other,
}

/// Reads the report in a raw message; `None` when it is none.
///
/// # Errors
/// [`Unreadable`], as of [`crate::read`]; fate: park.
pub fn read_bounce(raw: &[u8]) -> Result<Option<Bounce>, Unreadable> {
    Ok(crate::read(raw, &Limits::default())?.bounce)
}

/// What was put together from the parts of a report.
struct Report<'a> {
    /// The words for people.
    notice: String,
    /// The text of the parts for machines.
    statuses: Vec<String>,
    /// The head of the mail that came back.
    returned: String,
    subject: String,
    mail: &'a Mail,
}

/// The report that a mail is, if it is one.
pub(crate) fn find(message: &Message<'_>, mail: &Mail) -> Option<Bounce> {
    let headers = Headers(message);
    let report = gather(message, mail);
    // One large provider complains without the machine's part.
    let plain_complaint =
        report.subject.starts_with("complaint about message from") && !report.returned.is_empty();
    if is_complaint(message) || plain_complaint {
        return Some(complaint(message, &report));
    }
    let told: Vec<status::Told> = report.statuses.iter().flat_map(|text| status::read(text)).collect();
    if !told.is_empty() {
        return Some(from_status(&told, &report));
    }
    if let Some(kind) = prose::notification(&mail.text) {
        return Some(bounce(kind, Vec::new(), &report));
    }
    if is_vacation(headers, &report) {
        return Some(bounce(Kind::Vacation, Vec::new(), &report));
    }
    let from_server =
        is_from_daemon(mail) || automatic::null_return_path(headers) || headers.has("X-Failed-Recipients");
    // A customer may write about a delivery that failed. Only a machine's own words make it a report.
    let by_machine = mail.auto.is_some() && prose::subject_reports(&report.subject);
    if !from_server && !by_machine && !prose::begins_like_a_report(&report.notice) {
        return None;
    }
    from_prose(headers, &report)
}

fn is_from_daemon(mail: &Mail) -> bool {
    mail.auto.as_ref().is_some_and(|auto| auto.reasons.contains(&automatic::Reason::Daemon))
}

fn gather<'a>(message: &Message<'_>, mail: &'a Mail) -> Report<'a> {
    let mut report = Report {
        notice: String::new(),
        statuses: Vec::new(),
        returned: String::new(),
        subject: mail.subject.to_lowercase(),
        mail,
    };
    for part in &message.parts {
        let kind = part
            .content_type()
            .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()));
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        match &part.body {
            PartType::Message(inner) => take_returned(inner, &mut report),
            PartType::Multipart(_) | PartType::InlineBinary(_) => {}
            PartType::Text(_) | PartType::Html(_) | PartType::Binary(_) => {
                let bytes = part.contents();
                let bytes = bytes.get(..NOTICE_BYTES_MAX).unwrap_or(bytes);
                let text = decoded(bytes).replace("\r\n", "\n");
                take_text(&kind, matches!(part.body, PartType::Html(_)), text, &mut report);
            }
        }
    }
    if report.statuses.is_empty() {
        // A filter on the way may have packed the report of another server into its own.
        let inner = message.parts.iter().filter_map(|part| part.message()).flat_map(|inner| &inner.parts);
        let inner = inner.filter(|part| part.is_content_type("message", "delivery-status"));
        report
            .statuses
            .extend(inner.map(|part| String::from_utf8_lossy(part.contents()).replace("\r\n", "\n")));
    }
    if report.notice.trim().is_empty() {
        report.notice.clone_from(&mail.text);
        if report.statuses.is_empty() && status::looks_like(&mail.text) {
            report.statuses.push(mail.text.clone());
        }
    }
    let (notice, returned) = prose::cut(&report.notice);
    let (notice, returned) = (notice.to_owned(), returned.to_owned());
    report.returned.push_str(&returned);
    report.notice = notice;
    report
}

/// The machine's part is said to be ASCII; Japanese servers write their words into it all the same.
fn decoded(bytes: &[u8]) -> String {
    let shifts = bytes.windows(2).any(|two| two == b"\x1b$");
    match mail_parser::decoders::charsets::map::charset_decoder(b"iso-2022-jp") {
        Some(decode) if shifts => decode(bytes),
        Some(_) | None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn take_text(kind: &str, is_html: bool, text: String, report: &mut Report<'_>) {
    match kind {
        "message/delivery-status" | "message/global-delivery-status" => report.statuses.push(text),
        "text/rfc822-headers" | "message/rfc822-headers" | "message/partial" | "message/global-headers" => {
            report.returned.push_str(&text);
        }
        "message/feedback-report" => {}
        // A "multipart" that is none is words between boundaries that nobody found.
        _ if kind.is_empty() || kind.starts_with("text/") || kind.starts_with("multipart/") => {
            let text = if is_html { crate::html::to_text(&text) } else { text };
            // Some servers send the machine's part as plain text.
            if status::looks_like(&text) {
                report.statuses.push(text.clone());
            }
            if is_html && !report.notice.trim().is_empty() {
                return;
            }
            if report.notice.len() < NOTICE_BYTES_MAX {
                report.notice.push_str(&text);
                report.notice.push('\n');
            }
        }
        _ => {}
    }
}

fn take_returned(inner: &Message<'_>, report: &mut Report<'_>) {
    let raw = inner.raw_message();
    let end = crate::headers::end_of_head(raw).min(NOTICE_BYTES_MAX);
    report.returned.push_str(&String::from_utf8_lossy(raw.get(..end).unwrap_or_default()));
    report.returned.push('\n');
}

fn bounce(kind: Kind, recipients: Vec<Recipient>, report: &Report<'_>) -> Bounce {
    let ids = |name: &str| prose::header(&report.returned, name);
    let id = ids("message-id").and_then(|value| read_ids(&value).into_iter().next());
    let answered = report.mail.in_reply_to.first().or(report.mail.references.last()).cloned();
    Bounce {
        kind,
        recipients,
        original_message_id: id.or(answered),
        original_own_mark: ids("winterband-message"),
    }
}

fn is_complaint(message: &Message<'_>) -> bool {
    let is_arf = |kind: &mail_parser::ContentType<'_>| {
        kind.attribute("report-type").is_some_and(|kind| kind.eq_ignore_ascii_case("feedback-report"))
    };
    message.content_type().is_some_and(is_arf)
        || message.parts.iter().any(|part| part.is_content_type("message", "feedback-report"))
}

/// Who complained is in `Original-Rcpt-To` of the feedback part, or else whom the returned mail was for.
fn complaint(message: &Message<'_>, report: &Report<'_>) -> Bounce {
    let feedback = message.parts.iter().find(|part| part.is_content_type("message", "feedback-report"));
    let feedback =
        feedback.map(|part| String::from_utf8_lossy(part.contents()).into_owned()).unwrap_or_default();
    let told =
        ["original-rcpt-to", "removal-recipient"].iter().find_map(|name| prose::header(&feedback, name));
    let told = told.or_else(|| prose::header(&report.returned, "to")).unwrap_or_default();
    let recipients = prose::addresses(&told).into_iter().take(RECIPIENTS_MAX).map(|address| Recipient {
        address,
        status: None,
        reason: Reason::Other,
        diagnostic: prose::header(&feedback, "feedback-type").unwrap_or_default(),
    });
    bounce(Kind::Complaint, recipients.collect(), report)
}

fn from_status(told: &[status::Told], report: &Report<'_>) -> Bounce {
    let recipients: Vec<Recipient> =
        told.iter().take(RECIPIENTS_MAX).map(|told| recipient_of(told, told_of(told, report))).collect();
    let any = |action: status::Action| told.iter().any(|told| told.action == action);
    let kind = if any(status::Action::Failed) {
        Kind::Failed(lasting(&recipients))
    } else if any(status::Action::Delayed) {
        Kind::Delayed
    } else {
        Kind::Delivered
    };
    bounce(kind, recipients, report)
}

/// Where the machine's part says nothing of use, the words for people about that address do.
fn told_of(told: &status::Told, report: &Report<'_>) -> String {
    let about = prose::about(&report.notice, &told.address);
    if about.is_empty() { head(&report.notice, ABOUT_BYTES_MAX).to_owned() } else { about }
}

fn recipient_of(told: &status::Told, notice: String) -> Recipient {
    let said = words::reason(&told.diagnostic).or_else(|| words::reason(&notice));
    let reason = said.unwrap_or_else(|| words::reason_of_code(told.status.as_deref(), &told.diagnostic));
    let after_data = words::after_data(&told.diagnostic) || words::after_data(&notice);
    let reason = words::weighed(reason, &told.diagnostic, told.status.as_deref(), after_data);
    let diagnostic = if told.diagnostic.is_empty() { notice } else { told.diagnostic.clone() };
    Recipient {
        address: told.address.clone(),
        status: told.status.clone(),
        reason,
        diagnostic: one_line(&diagnostic, DIAGNOSTIC_BYTES_MAX),
    }
}

fn lasting(recipients: &[Recipient]) -> Lasting {
    let passing = |recipient: &Recipient| {
        let code = recipient.status.as_deref().is_some_and(|status| status.starts_with('4'));
        code || matches!(
            recipient.reason,
            Reason::MailboxFull | Reason::Expired | Reason::Network | Reason::System | Reason::RateLimited
        )
    };
    if !recipients.is_empty() && recipients.iter().all(passing) {
        Lasting::Temporary
    } else {
        Lasting::Permanent
    }
}

fn is_vacation(headers: Headers<'_, '_>, report: &Report<'_>) -> bool {
    let replied =
        headers.word("Auto-Submitted").is_some_and(|word| word == "auto-replied" || word == "vacation");
    let says = ["X-Autoreply", "X-Autorespond", "X-Mail-Autoreply"].iter().any(|name| headers.has(name));
    let subject = prose::subject_is_absence(&report.subject);
    let report_type =
        report.mail.auto.as_ref().is_some_and(|auto| auto.reasons.contains(&automatic::Reason::Report));
    let daemon = is_from_daemon(report.mail);
    let fails = prose::subject_reports(&report.subject) || headers.has("X-Failed-Recipients");
    !fails && !report_type && (subject || ((replied || says) && !daemon))
}

fn from_prose(headers: Headers<'_, '_>, report: &Report<'_>) -> Option<Bounce> {
    let delayed = prose::is_delay(&report.notice, &report.subject);
    let own: Vec<String> = report.mail.to.iter().map(|address| address.email.to_lowercase()).collect();
    let mut found = prose::failed(&report.notice, &own);
    let named = headers.text("X-Failed-Recipients").map(|text| prose::addresses(&text)).unwrap_or_default();
    if !named.is_empty() {
        found = named
            .into_iter()
            .map(|address| (address.clone(), prose::about(&report.notice, &address)))
            .collect();
    }
    let overall = words::reason(&report.notice);
    // A reason alone is a word that any mail may hold; beside a code of a server it is a reason.
    let coded = overall.is_some() && words::is_coded(&report.notice);
    let named = headers.has("X-Failed-Recipients");
    let fails = coded || named || prose::fails(&report.notice) || prose::subject_reports(&report.subject);
    // Whom a mail server names in a mail of its own, it names because of a failure, in whatever language.
    if !fails && (found.is_empty() || !is_from_daemon(report.mail)) {
        return None;
    }
    if found.is_empty() {
        found = prose::hidden(&report.returned).into_iter().map(|address| (address, String::new())).collect();
    }
    if found.is_empty() {
        found.push((String::new(), report.notice.clone()));
    }
    let single = found.len() == 1;
    let recipients: Vec<Recipient> = found
        .into_iter()
        .take(RECIPIENTS_MAX)
        .map(|(address, about)| told_in_words(address, &about, single, overall, report))
        .collect();
    let kind = if delayed { Kind::Delayed } else { Kind::Failed(lasting(&recipients)) };
    Some(bounce(kind, recipients, report))
}

fn told_in_words(
    address: String,
    about: &str,
    single: bool,
    overall: Option<Reason>,
    report: &Report<'_>,
) -> Recipient {
    let status =
        words::status_in(about).or_else(|| single.then(|| words::status_in(&report.notice)).flatten());
    let reason = words::reason(about).or(overall);
    let reason = reason.unwrap_or_else(|| words::reason_of_code(status.as_deref(), about));
    let after_data = words::after_data(about) || (single && words::after_data(&report.notice));
    let reason = words::weighed(reason, about, status.as_deref(), after_data);
    let diagnostic = if about.trim().is_empty() { &report.notice } else { about };
    Recipient { address, status, reason, diagnostic: one_line(diagnostic, DIAGNOSTIC_BYTES_MAX) }
}
