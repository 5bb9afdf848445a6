//! What a desk sends, read and checked against the limits.

use protocol::Refusal;
use protocol::desk::{DeskCommand, DeskGift, FromDesk, ReplyWith, ToDesk};
use protocol::facts::FactValue;
use protocol::limits::{
    ATTACHMENTS_MAX, FACT_TEXT_BYTES_MAX, FACTS_MAX, NOTE_BYTES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX,
    TITLE_BYTES_MAX,
};
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::remedy::Claim;
use serde_json::error::Category;
use service::settings::LimitSettings;

use crate::answer::{Answer, AnsweredBy};

/// Longest frame of a desk, bytes: a text at its limit whose every byte is written as six.
pub(crate) const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Longest message that a socket reads at all; past it the socket is closed.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most conversations named in one hello.
pub(crate) const HAVE_MAX: usize = 1_000;
/// Longest words of a gift, a promise, and a case put to colleagues, bytes; sealed they fit into what the worker takes.
pub(crate) const WORDS_BYTES_MAX: usize = 4 * 1024;
/// Longest thanks to a colleague, bytes: everybody's desk keeps the latest of them in memory.
pub(crate) const THANKS_BYTES_MAX: usize = 1_000;
/// Longest explanation of what is wrong with a frame, characters.
const WORDS_CHARS_MAX: usize = 200;

/// A frame that is not carried out; the desk is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) words: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into() }
    }

    pub(crate) fn frame(self) -> ToDesk {
        ToDesk::Error { code: self.code.to_owned(), words: self.words }
    }
}

/// How long texts may be, bytes: the settings', and never more than the wire's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextLimits {
    text: usize,
    note: usize,
    draft: usize,
}

impl TextLimits {
    pub(crate) fn new(limits: &LimitSettings) -> Self {
        Self {
            text: limits.text_max_bytes.min(TEXT_BYTES_MAX),
            note: limits.note_max_bytes.min(NOTE_BYTES_MAX),
            draft: limits.draft_max_bytes.min(NOTE_BYTES_MAX),
        }
    }

    /// Reads a frame.
    pub(crate) fn read(self, text: &str) -> Result<FromDesk, Fault> {
        if text.len() > FRAME_BYTES_MAX {
            let words = format!("the frame has {} bytes, at most {FRAME_BYTES_MAX} are taken", text.len());
            return Err(Fault::new("frame_too_large", words));
        }
        let frame = serde_json::from_str(text).map_err(|error| {
            let words = error.to_string().chars().take(WORDS_CHARS_MAX).collect::<String>();
            match error.classify() {
                Category::Data => Fault::new("not_a_frame", words),
                Category::Io | Category::Syntax | Category::Eof => Fault::new("malformed_json", words),
            }
        })?;
        match &frame {
            FromDesk::Hello { have } if have.len() > HAVE_MAX => {
                let words = format!("hello names {} conversations, at most {HAVE_MAX} are taken", have.len());
                Err(Fault::new("too_many_conversations", words))
            }
            FromDesk::Draft { text, .. } if text.len() > self.draft => {
                let words = format!("the draft has {} bytes, at most {} are kept", text.len(), self.draft);
                Err(Fault::new("draft_too_long", words))
            }
            FromDesk::Hello { .. }
            | FromDesk::Command { .. }
            | FromDesk::Typing { .. }
            | FromDesk::Draft { .. }
            | FromDesk::Older { .. }
            | FromDesk::Till { .. }
            | FromDesk::Line {}
            | FromDesk::Ping { .. } => Ok(frame),
        }
    }

    /// Why a command's words cannot be taken; such a command is answered here and never becomes an input.
    pub(crate) fn refusal(self, command: &DeskCommand) -> Option<Answer> {
        let reason = |reason: &str| (reason.len() > REASON_BYTES_MAX).then_some(Refusal::TooLong);
        let by_routing = |refusal: Option<Refusal>| refusal.map(|why| AnsweredBy::Routing.refusing(why));
        let by_worker = |refusal| Some(Answer::Worker(RemedyOutcome::Refused { refusal: refusal? }));
        match command {
            DeskCommand::Reply { text: said, with, .. } => by_routing(self.reply(said, with.as_deref())),
            DeskCommand::Begin(begin) => by_routing(self.reply(&begin.text, begin.with.as_deref())),
            DeskCommand::WarnCustomer { text: said, .. } => by_routing(bad_text(said, self.text)),
            DeskCommand::Note { text: said, .. } | DeskCommand::Whisper { text: said, .. } => {
                by_routing(bad_text(said, self.note))
            }
            DeskCommand::Decline { reason: why, .. } | DeskCommand::SetPresence { reason: Some(why), .. } => {
                by_routing(reason(why))
            }
            DeskCommand::Give { gift, case, .. } => {
                by_worker(self.gift(gift).or_else(|| {
                    case.as_deref().and_then(|case| bad_words("the case", case, WORDS_BYTES_MAX))
                }))
            }
            DeskCommand::Promise { words, .. } => {
                by_worker(bad_words("the promise", words, WORDS_BYTES_MAX.min(self.note)))
            }
            DeskCommand::Thank { words, .. } => by_worker(bad_words("the thanks", words, THANKS_BYTES_MAX)),
            DeskCommand::Story { title, .. } => by_worker(bad_words("the title", title, TITLE_BYTES_MAX)),
            DeskCommand::Contest { reason, .. } => {
                by_worker(bad_words("the reason", reason, REASON_BYTES_MAX))
            }
            DeskCommand::SetPresence { reason: None, .. }
            | DeskCommand::Accept { .. }
            | DeskCommand::TransferToQueue { .. }
            | DeskCommand::TransferToAgent { .. }
            | DeskCommand::Resolve { .. }
            | DeskCommand::EndWrapUp { .. }
            | DeskCommand::Pick { .. }
            | DeskCommand::SetTags { .. }
            | DeskCommand::SetFields { .. }
            | DeskCommand::ReadMentions { .. }
            | DeskCommand::BlockCustomer { .. }
            | DeskCommand::UnblockCustomer { .. }
            | DeskCommand::Snooze { .. }
            | DeskCommand::Resume { .. }
            | DeskCommand::Revoke { .. }
            | DeskCommand::TakeOver { .. }
            | DeskCommand::Consult { .. }
            | DeskCommand::AnswerConsult { .. }
            | DeskCommand::Watch { .. }
            | DeskCommand::ChangeCustomer { .. }
            | DeskCommand::Join { .. }
            | DeskCommand::Leave { .. }
            | DeskCommand::TakeVoice { .. }
            | DeskCommand::SetIncident { .. }
            | DeskCommand::GatherForIncident { .. }
            | DeskCommand::AnswerIncident { .. }
            | DeskCommand::ResolveIncident { .. }
            | DeskCommand::CloseIncident { .. }
            | DeskCommand::CallForHelp { .. }
            | DeskCommand::Fail { .. }
            | DeskCommand::Undo { .. }
            | DeskCommand::Answer { .. }
            | DeskCommand::Retry { .. }
            | DeskCommand::Keep { .. } => None,
        }
    }

    /// Files can go without words, and what stands in the places of a form is bounded as it is.
    fn reply(self, said: &str, with: Option<&ReplyWith>) -> Option<Refusal> {
        if with.and_then(|with| with.template.as_ref()).is_some_and(|template| !template.is_good()) {
            return Some(Refusal::TooLong);
        }
        match with.map_or(0, |with| with.attachments.len()) {
            0 => bad_text(said, self.text),
            1..=ATTACHMENTS_MAX => (said.len() > self.text).then_some(Refusal::TooLong),
            _ => Some(Refusal::TooLong),
        }
    }

    fn gift(self, gift: &DeskGift) -> Option<RemedyRefusal> {
        let words = gift.words.as_deref();
        let tell = gift.tell.as_deref();
        bad_claim(&gift.claim)
            .or_else(|| words.and_then(|words| bad_words("what is given", words, WORDS_BYTES_MAX)))
            .or_else(|| tell.and_then(|tell| bad_words("the message", tell, self.text)))
    }
}

/// Why words for routing cannot be taken.
fn bad_text(text: &str, max: usize) -> Option<Refusal> {
    match text {
        text if text.trim().is_empty() => Some(Refusal::EmptyText),
        text if text.len() > max => Some(Refusal::TooLong),
        _ => None,
    }
}

/// Why words cannot be taken.
fn bad_words(what: &str, words: &str, max: usize) -> Option<RemedyRefusal> {
    let says = match words.len() {
        _ if words.trim().is_empty() => format!("{what} is empty: write something"),
        found if found > max => format!("{what} has {found} bytes, at most {max} are taken: shorten it"),
        _ => return None,
    };
    Some(RemedyRefusal::BadInput { says })
}

/// Why a claim cannot be taken.
pub(crate) fn bad_claim(claim: &Claim) -> Option<RemedyRefusal> {
    let too_long = |value: &FactValue| match value {
        FactValue::Text(text) => text.len() > FACT_TEXT_BYTES_MAX,
        FactValue::Bool(_) | FactValue::Int(_) => false,
    };
    let says = if claim.facts.len() > FACTS_MAX {
        format!("the claim has {} facts, at most {FACTS_MAX} are taken", claim.facts.len())
    } else {
        let (name, _) = claim.facts.iter().find(|(_, value)| too_long(value))?;
        format!("{name} has more than {FACT_TEXT_BYTES_MAX} bytes: a fact is a word of a list")
    };
    Some(RemedyRefusal::BadInput { says })
}

#[cfg(test)]
mod tests {
    use protocol::command::Presence;
    use protocol::{ContactId, MessageId, OfferId};

    use super::*;

    const LIMITS: TextLimits = TextLimits { text: TEXT_BYTES_MAX, note: NOTE_BYTES_MAX, draft: 100 };

    fn code(text: &str) -> &'static str {
        LIMITS.read(text).map_or_else(|fault| fault.code, |_| "read")
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_told_apart() {
        assert_eq!(code(r#"{"t":"ping","n":1}"#), "read");
        assert_eq!(code(r#"{"t":"hello"}"#), "read");
        for malformed in ["", "{", "{'t':1}", r#"{"t":"ping","n":1} x"#] {
            assert_eq!(code(malformed), "malformed_json", "{malformed}");
        }
        for wrong in [
            "[]",
            r#"{"t":"shout"}"#,
            r#"{"t":"ping","n":-1}"#,
            r#"{"t":"ping","n":1,"more":2}"#,
            r#"{"t":"typing","contact":"con_1_*"}"#,
            r#"{"t":"command","id":"cmd_1","command":{"do":"accept","offer":"off_1_0"}}"#,
            r#"{"t":"command","id":"cmd_0192f0c1000070008000000000000001","command":{"do":"accept","offer":"off_1_0","as":"agt"}}"#,
            r#"{"t":"command","id":"cmd_0192f0c1000070008000000000000001","command":{"do":"transfer_to_queue","contact":"con_1_0","queue":"a.>"}}"#,
        ] {
            assert_eq!(code(wrong), "not_a_frame", "{wrong}");
        }
        let long = format!(r#"{{"t":"{}"}}"#, "x".repeat(2_000));
        assert!(LIMITS.read(&long).is_err_and(|fault| fault.words.chars().count() <= WORDS_CHARS_MAX));
    }

    #[test]
    fn limits_hold_at_and_past() {
        let ping = |bytes: usize| format!("{}{}", r#"{"t":"ping","n":1}"#, " ".repeat(bytes - 18));
        assert_eq!(code(&ping(FRAME_BYTES_MAX)), "read");
        assert_eq!(code(&ping(FRAME_BYTES_MAX + 1)), "frame_too_large");
        let draft =
            |bytes: usize| format!(r#"{{"t":"draft","contact":"con_1_0","text":"{}"}}"#, "x".repeat(bytes));
        assert_eq!(code(&draft(100)), "read");
        assert_eq!(code(&draft(101)), "draft_too_long");
        let hello = |n: usize| {
            let have: Vec<String> = (0..n).map(|n| format!("\"cnv_{n}_0\":1")).collect();
            format!(r#"{{"t":"hello","have":{{{}}}}}"#, have.join(","))
        };
        assert_eq!(code(&hello(HAVE_MAX)), "read");
        assert_eq!(code(&hello(HAVE_MAX + 1)), "too_many_conversations");
    }

    #[test]
    fn a_text_at_its_limit_fits_into_a_frame_however_it_is_written() {
        let escaped = "\\u0001".repeat(TEXT_BYTES_MAX);
        let reply = format!(
            r#"{{"t":"command","id":"cmd_0192f0c1000070008000000000000001","command":{{"do":"reply","contact":"con_1_0","message":"msg_0192f0c1000070008000000000000002","text":"{escaped}"}}}}"#
        );
        assert_eq!(code(&reply), "read");
    }

    #[test]
    fn words_of_commands_have_limits() {
        let (contact, message) = (ContactId { log_seq: 1, n: 0 }, MessageId(uuid::Uuid::from_u128(1)));
        let refused = |why| Some(AnsweredBy::Routing.refusing(why));
        let reply = |text: String| LIMITS.refusal(&DeskCommand::Reply { contact, message, text, with: None });
        assert_eq!(reply("x".repeat(TEXT_BYTES_MAX)), None);
        assert_eq!(reply("x".repeat(TEXT_BYTES_MAX + 1)), refused(Refusal::TooLong));
        assert_eq!(reply(" \n".to_owned()), refused(Refusal::EmptyText));
        let file = protocol::content::Attachment {
            object: protocol::Hash128([1; 16]),
            name: "a".to_owned(),
            media_type: "image/png".to_owned(),
            bytes: 1,
            inline: false,
        };
        let with = |files: usize, text: &str| {
            let with = ReplyWith { attachments: vec![file.clone(); files], ..ReplyWith::default() };
            let (text, with) = (text.to_owned(), Some(Box::new(with)));
            LIMITS.refusal(&DeskCommand::Reply { contact, message, text, with })
        };
        assert_eq!((with(1, ""), with(ATTACHMENTS_MAX, "x")), (None, None));
        assert_eq!(with(0, ""), refused(Refusal::EmptyText));
        assert_eq!(with(ATTACHMENTS_MAX + 1, "x"), refused(Refusal::TooLong));
        let note = |text: String| {
            LIMITS.refusal(&DeskCommand::Note { contact, message, text, mentions: Vec::new() })
        };
        assert_eq!(note("x".repeat(NOTE_BYTES_MAX)), None);
        assert_eq!(note("x".repeat(NOTE_BYTES_MAX + 1)), refused(Refusal::TooLong));
        let offer = OfferId { log_seq: 1, n: 0 };
        let decline = |n: usize| LIMITS.refusal(&DeskCommand::Decline { offer, reason: "x".repeat(n) });
        assert_eq!(
            (decline(REASON_BYTES_MAX), decline(REASON_BYTES_MAX + 1)),
            (None, refused(Refusal::TooLong))
        );
        let away = |n: usize| DeskCommand::SetPresence {
            presence: Presence::Away,
            reason: Some("x".repeat(n)),
            when_free: false,
        };
        assert_eq!(LIMITS.refusal(&away(REASON_BYTES_MAX)), None);
        assert_eq!(LIMITS.refusal(&away(REASON_BYTES_MAX + 1)), refused(Refusal::TooLong));
    }

    fn gift(words: Option<usize>, tell: Option<usize>, claim: Claim) -> DeskCommand {
        let text = |bytes: usize| "x".repeat(bytes);
        let gift = DeskGift {
            kind: protocol::remedy::RemedyKind::Gesture,
            occasion: protocol::remedy::Occasion::Trust,
            claim,
            money: None,
            due: None,
            words: words.map(text),
            tell: tell.map(text),
            on_top_of: None,
        };
        let contact = ContactId { log_seq: 1, n: 0 };
        DeskCommand::Give { contact, gift: Box::new(gift), ask: false, case: None }
    }

    fn says(command: &DeskCommand) -> Option<String> {
        let Answer::Worker(RemedyOutcome::Refused { refusal }) = LIMITS.refusal(command)? else {
            panic!("not the worker's refusal")
        };
        Some(refusal.to_string())
    }

    #[test]
    fn words_for_the_worker_have_limits_and_are_told_what_to_do() {
        let none = Claim::default;
        assert_eq!(says(&gift(Some(WORDS_BYTES_MAX), Some(TEXT_BYTES_MAX), none())), None);
        let long = says(&gift(Some(WORDS_BYTES_MAX + 1), None, none())).unwrap();
        assert_eq!(long, "what is given has 4097 bytes, at most 4096 are taken: shorten it");
        assert!(says(&gift(None, Some(TEXT_BYTES_MAX + 1), none())).is_some());
        assert_eq!(says(&gift(Some(0), None, none())).unwrap(), "what is given is empty: write something");
        let (agent, contact) = (protocol::AgentId(uuid::Uuid::nil()), ContactId { log_seq: 1, n: 0 });
        let thank = |n: usize| DeskCommand::Thank { agent, contact: Some(contact), words: "x".repeat(n) };
        assert_eq!(says(&thank(THANKS_BYTES_MAX)), None);
        assert!(says(&thank(THANKS_BYTES_MAX + 1)).is_some() && says(&thank(0)).is_some());
        let remedy = protocol::RemedyId { log_seq: 1, n: 0 };
        let story = |n: usize| DeskCommand::Story { remedy, title: "x".repeat(n), consent: false };
        assert_eq!(says(&story(TITLE_BYTES_MAX)), None);
        assert!(says(&story(TITLE_BYTES_MAX + 1)).is_some());
        let promise =
            |n: usize| DeskCommand::Promise { contact, words: "x".repeat(n), due: protocol::Millis(1) };
        assert_eq!(says(&promise(WORDS_BYTES_MAX)), None);
        assert!(says(&promise(WORDS_BYTES_MAX + 1)).is_some());
        assert_eq!(says(&DeskCommand::Undo { remedy }), None);
    }

    #[test]
    fn a_claim_has_so_many_facts_of_such_a_length() {
        let claim = |facts: usize, bytes: usize| {
            let fact =
                |n: usize| (format!("claim.f{n}").parse().unwrap(), FactValue::Text("x".repeat(bytes)));
            Claim { facts: (0..facts).map(fact).collect(), ..Claim::default() }
        };
        assert_eq!(says(&gift(None, None, claim(FACTS_MAX, FACT_TEXT_BYTES_MAX))), None);
        assert!(says(&gift(None, None, claim(FACTS_MAX + 1, 1))).is_some());
        assert!(says(&gift(None, None, claim(1, FACT_TEXT_BYTES_MAX + 1))).is_some());
    }
}
