//! Whether a machine wrote a mail, and what our own machines say about themselves (RFC 3834).

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::headers::Headers;
use crate::inbound::Mail;

/// One sign that no person wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// `Auto-Submitted` says anything but "no".
    AutoSubmitted,
    /// `Precedence` is bulk, junk, list or auto_reply.
    Precedence,
    /// `X-Auto-Response-Suppress` asks for no answers to it: only programs write that.
    ResponseSuppress,
    /// `List-Id`, `List-Unsubscribe` or `List-Post`: one mail for many.
    List,
    /// The envelope has no sender: nobody wants to hear about it.
    NullReturnPath,
    /// A report: multipart/report.
    Report,
    /// It comes from a mail server.
    Daemon,
    /// `X-Failed-Recipients`.
    FailedRecipients,
    /// `X-Autoreply`, `X-Autorespond`, `X-Autorespond-From` or `X-Mail-Autoreply`.
    Autoreply,
    /// `X-Loop`: a program marks what it has seen.
    Loop,
    /// `Feedback-ID` or `X-Campaign...`: sent in bulk.
    Campaign,
}

/// Why a mail counts as automatic; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automatic {
    /// The signs in a fixed order, each once.
    pub reasons: Vec<Reason>,
}

impl Automatic {
    /// Whether it is for many, such as a newsletter, and not about one conversation.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason, Reason::List | Reason::Campaign))
    }
}

/// Every sign that the headers give; `None` when a person seems to have written.
pub(crate) fn find(headers: Headers<'_, '_>, from: Option<&Address>) -> Option<Automatic> {
    let word_in =
        |name, words: &[&str]| headers.word(name).is_some_and(|word| words.contains(&word.as_str()));
    let any = |names: &[&'static str]| names.iter().any(|name| headers.has(name));
    let signs = [
        (headers.word("Auto-Submitted").is_some_and(|word| word != "no"), Reason::AutoSubmitted),
        (word_in("Precedence", &["bulk", "junk", "list", "auto_reply", "auto-reply"]), Reason::Precedence),
        (suppresses(headers), Reason::ResponseSuppress),
        (any(&["List-Id", "List-Unsubscribe", "List-Post"]), Reason::List),
        (null_return_path(headers), Reason::NullReturnPath),
        (headers.text("Content-Type").is_some_and(|kind| is_report(&kind)), Reason::Report),
        (from.map_or_else(|| daemon_without_domain(headers), is_daemon), Reason::Daemon),
        (any(&["X-Failed-Recipients"]), Reason::FailedRecipients),
        (any(&["X-Autoreply", "X-Autorespond", "X-Autorespond-From", "X-Mail-Autoreply"]), Reason::Autoreply),
        (any(&["X-Loop"]), Reason::Loop),
        (
            any(&["Feedback-ID", "X-Campaign", "X-Campaign-Id", "X-CampaignID", "X-Mailgun-Tag"]),
            Reason::Campaign,
        ),
    ];
    let reasons: Vec<Reason> =
        signs.into_iter().filter_map(|(there, reason)| there.then_some(reason)).collect();
    (!reasons.is_empty()).then_some(Automatic { reasons })
}

fn suppresses(headers: Headers<'_, '_>) -> bool {
    headers.text("X-Auto-Response-Suppress").is_some_and(|value| {
        value
            .split([',', ' ', ';'])
            .any(|word| ["all", "oof", "autoreply"].iter().any(|known| word.eq_ignore_ascii_case(known)))
    })
}

/// An empty `Return-Path` is `<>`; without the header nothing is known.
pub(crate) fn null_return_path(headers: Headers<'_, '_>) -> bool {
    headers.text("Return-Path").is_some_and(|value| {
        let bare = value.trim().trim_matches(['<', '>', ' ']);
        bare.is_empty() || bare.eq_ignore_ascii_case("mailer-daemon")
    })
}

fn is_report(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("multipart/report")
}

/// Mail servers write as one of these.
#[must_use]
pub fn is_daemon(address: &Address) -> bool {
    const LOCALS: [&str; 8] = [
        "mailer-daemon",
        "postmaster",
        "post_master",
        "post-master",
        "mail-daemon",
        "mailer_daemon",
        "mailerdaemon",
        "mdaemon",
    ];
    let local = address.local().trim_matches('"').to_ascii_lowercase();
    LOCALS.iter().any(|known| local == *known || local.starts_with(&format!("{known}+")))
}

/// A server that writes `From: mailer-daemon`, which is no address.
fn daemon_without_domain(headers: Headers<'_, '_>) -> bool {
    let text = headers.text("From").unwrap_or_default() + &headers.names("From").join(" ");
    let low = text.to_ascii_lowercase();
    low.contains("mailer-daemon") || low.trim().starts_with("postmaster")
}

/// Addresses that nobody reads.
fn is_unread(address: &Address) -> bool {
    const WORDS: [&str; 6] = ["noreply", "donotreply", "nichtantworten", "neantworten", "bounce", "bounces"];
    let local: String =
        address.local().to_ascii_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == '+').collect();
    let stem = local.split('+').next().unwrap_or_default();
    WORDS.iter().any(|word| stem == *word || (word.len() > 6 && stem.ends_with(word)))
}

/// Whether an automatic answer to this mail may be sent: a person wrote it, from an address that is somebody's and
/// none of our `own`. The caller still counts: at most one per sender and day, and a breaker for loops.
#[must_use]
pub fn may_answer_automatically(mail: &Mail, own: &[&str]) -> bool {
    let Some(to) = mail.answer_to() else { return false };
    let ours = |address: &Address| own.iter().any(|one| is_ours(address, one));
    let from_ours = mail.from.as_ref().is_some_and(ours) || ours(to);
    let written = mail.auto.is_none() && mail.bounce.is_none() && mail.own_mark.is_none() && !mail.spam;
    let unread = is_daemon(to) || is_unread(to) || mail.from.as_ref().is_some_and(is_unread);
    written && !from_ours && !unread
}

/// The address itself, or one of its plus addresses.
pub(crate) fn is_ours(address: &Address, own: &str) -> bool {
    let Some(own) = Address::new(own) else { return false };
    let (local, stem) = (address.local().to_ascii_lowercase(), own.local().to_ascii_lowercase());
    let plus = local.strip_prefix(&stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('+'));
    plus && address.domain().eq_ignore_ascii_case(own.domain())
}

/// Why we send a mail without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnKind {
    /// It answers a mail.
    Reply,
    /// Nobody wrote before: a notification.
    Notification,
}

/// The headers that our automatic mail carries, so that no other machine answers it. Its envelope sender is `<>`.
#[must_use]
pub fn own_headers(kind: OwnKind) -> [(&'static str, &'static str); 3] {
    let submitted = match kind {
        OwnKind::Reply => "auto-replied",
        OwnKind::Notification => "auto-generated",
    };
    [("Auto-Submitted", submitted), ("X-Auto-Response-Suppress", "All"), ("Precedence", "auto_reply")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, read};

    fn reasons(head: &str) -> Vec<Reason> {
        let raw = format!("{head}\r\nSubject: x\r\n\r\nHello\r\n");
        read(raw.as_bytes(), &Limits::default()).unwrap().auto.map_or(Vec::new(), |auto| auto.reasons)
    }

    #[test]
    fn each_sign_has_its_name() {
        let table: [(&str, &[Reason]); 16] = [
            ("From: ann@example.com", &[]),
            ("Auto-Submitted: no", &[]),
            ("Auto-Submitted: No; because=x", &[]),
            ("Auto-Submitted: auto-generated (cron)", &[Reason::AutoSubmitted]),
            ("Precedence: Bulk", &[Reason::Precedence]),
            ("Precedence: first-class", &[]),
            ("X-Auto-Response-Suppress: DR, OOF", &[Reason::ResponseSuppress]),
            ("X-Auto-Response-Suppress: DR", &[]),
            ("List-Id: <a.example.com>", &[Reason::List]),
            ("Return-Path: <>", &[Reason::NullReturnPath]),
            ("Return-Path: <ann@example.com>", &[]),
            ("From: Mail <MAILER-DAEMON@mx.example.com>", &[Reason::Daemon]),
            ("X-Failed-Recipients: a@example.com", &[Reason::FailedRecipients]),
            ("X-Autoreply: yes", &[Reason::Autoreply]),
            ("X-Loop: support@example.com", &[Reason::Loop]),
            ("Content-Type: multipart/report; boundary=b", &[Reason::Report]),
        ];
        for (head, wanted) in table {
            assert_eq!(reasons(head), wanted, "{head}");
        }
    }

    #[test]
    fn machines_and_our_own_get_no_answer() {
        let table = [
            ("From: ann@example.com", true),
            ("From: no-reply@example.com", false),
            ("From: Ann <postmaster@example.com>", false),
            ("From: support@us.example", false),
            ("From: Support+abc@US.example", false),
            ("From: ann@example.com\r\nReply-To: support@us.example", false),
            ("From: ann@example.com\r\nX-Spam-Flag: YES", false),
            ("From: ann@example.com\r\nAuto-Submitted: auto-replied", false),
            ("Subject: no sender", false),
        ];
        for (head, wanted) in table {
            let raw = format!("{head}\r\n\r\nHello\r\n");
            let mail = read(raw.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(may_answer_automatically(&mail, &["support@us.example"]), wanted, "{head}");
        }
    }
}
