//! What a desk sends, read and checked against the limits.

use protocol::Refusal;
use protocol::desk::{DeskCommand, FromDesk, ToDesk};
use protocol::limits::{NOTE_BYTES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX};
use serde_json::error::Category;
use service::settings::LimitSettings;

/// Longest frame of a desk, bytes: a text at its limit whose every byte is written as six.
pub(crate) const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Longest message that a socket reads at all; past it the socket is closed.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most conversations named in one hello.
pub(crate) const HAVE_MAX: usize = 1_000;
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
            | FromDesk::Ping { .. } => Ok(frame),
        }
    }

    /// Why a command's words cannot be taken; such a command is answered here and never becomes an input.
    pub(crate) fn refusal(self, command: &DeskCommand) -> Option<Refusal> {
        let words = |text: &str, max: usize| match text {
            text if text.trim().is_empty() => Some(Refusal::EmptyText),
            text if text.len() > max => Some(Refusal::TooLong),
            _ => None,
        };
        let reason = |reason: &str| (reason.len() > REASON_BYTES_MAX).then_some(Refusal::TooLong);
        match command {
            DeskCommand::Reply { text, .. } => words(text, self.text),
            DeskCommand::Note { text, .. } => words(text, self.note),
            DeskCommand::Decline { reason: why, .. } | DeskCommand::SetPresence { reason: Some(why), .. } => {
                reason(why)
            }
            DeskCommand::SetPresence { reason: None, .. }
            | DeskCommand::Accept { .. }
            | DeskCommand::TransferToQueue { .. }
            | DeskCommand::TransferToAgent { .. }
            | DeskCommand::Resolve { .. }
            | DeskCommand::EndWrapUp { .. } => None,
        }
    }
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
        let reply = |text: String| LIMITS.refusal(&DeskCommand::Reply { contact, message, text });
        assert_eq!(reply("x".repeat(TEXT_BYTES_MAX)), None);
        assert_eq!(reply("x".repeat(TEXT_BYTES_MAX + 1)), Some(Refusal::TooLong));
        assert_eq!(reply(" \n".to_owned()), Some(Refusal::EmptyText));
        let note = |text: String| LIMITS.refusal(&DeskCommand::Note { contact, message, text });
        assert_eq!(note("x".repeat(NOTE_BYTES_MAX)), None);
        assert_eq!(note("x".repeat(NOTE_BYTES_MAX + 1)), Some(Refusal::TooLong));
        let offer = OfferId { log_seq: 1, n: 0 };
        let decline = |n: usize| LIMITS.refusal(&DeskCommand::Decline { offer, reason: "x".repeat(n) });
        assert_eq!(
            (decline(REASON_BYTES_MAX), decline(REASON_BYTES_MAX + 1)),
            (None, Some(Refusal::TooLong))
        );
        let away =
            |n: usize| DeskCommand::SetPresence { presence: Presence::Away, reason: Some("x".repeat(n)) };
        assert_eq!(LIMITS.refusal(&away(REASON_BYTES_MAX)), None);
        assert_eq!(LIMITS.refusal(&away(REASON_BYTES_MAX + 1)), Some(Refusal::TooLong));
    }
}
