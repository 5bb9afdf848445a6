//! Frames of the widget, checked field by field, so that every refusal says what is wrong.

use channel::known::said_in;
use channel::limits::NAME_BYTES_MAX;
use channel::{Attachment, Content, ContentError, Hash128, Inbound, MessageId, Parsed, Rejected};
use serde_json::{Map, Value};

use crate::token::TOKEN_BYTES_MAX;
use crate::user::IDENTITY_BYTES_MAX;

/// Largest frame, bytes: the longest text with every byte escaped, and room for the rest.
pub const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Says whether we signed that, when the file was taken in from this page.
pub(crate) type Vouches<'a> = &'a dyn Fn(&Attachment, Hash128) -> bool;

/// Longest language tag, bytes.
pub const LANG_BYTES_MAX: usize = 35;

/// What the widget sends besides messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The first frame.
    Hello(Hello),
    /// The customer is writing.
    Typing,
    /// The customer ends the conversation.
    Leave,
    /// The customer asks for a person instead of a bot.
    Person,
    /// The customer thanks whoever helped them.
    Thank(Thanks),
    /// Asks whether we are there.
    Ping {
        /// Comes back in the answer.
        n: u64,
    },
}

/// How a widget introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The visitor token it was given before.
    pub token: Option<String>,
    /// What the page's site says of who they are, signed; the token counts for nothing then.
    pub identity: Option<String>,
    /// The last entry it has; 0 for none.
    pub after: u64,
    /// The language it speaks.
    pub lang: Option<String>,
}

/// A customer's thanks; the same id again is the same thanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thanks {
    /// Its id here.
    pub id: MessageId,
    /// The words, if there are any.
    pub words: Option<Content>,
}

/// The most text, and who says which files are this page's.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) text_bytes_max: usize,
    pub(crate) vouches: Vouches<'a>,
}

pub(crate) fn parse(bytes: &[u8], terms: Terms<'_>) -> Result<Parsed<Signal>, Rejected> {
    if bytes.len() > FRAME_BYTES_MAX {
        return refuse("frame_too_large", format!("a frame has at most {FRAME_BYTES_MAX} bytes"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("not_utf8", "a frame is text in UTF-8");
    };
    let frame: Value = match serde_json::from_str(text) {
        Ok(frame) => frame,
        // The parser's own message may quote what stands there.
        Err(error) => {
            let words = format!(
                "a frame is one JSON object: broken at line {} column {}",
                error.line(),
                error.column()
            );
            return refuse("malformed_json", words);
        }
    };
    let Value::Object(fields) = frame else {
        return refuse("not_an_object", "a frame is one JSON object");
    };
    let about = fields.get("id").and_then(Value::as_str).filter(|id| id.len() <= 64).map(str::to_owned);
    let mut fields = Fields(fields);
    read(&mut fields, terms).map_err(|rejected| Rejected { about, ..rejected })
}

fn read(fields: &mut Fields, terms: Terms<'_>) -> Result<Parsed<Signal>, Rejected> {
    let kind = fields.text("t")?;
    let parsed = match kind.as_str() {
        "hello" => Parsed::Signal(Signal::Hello(hello(fields)?)),
        "say" => Parsed::Message(Box::new(say(fields, terms)?)),
        "typing" => Parsed::Signal(Signal::Typing),
        "leave" => Parsed::Signal(Signal::Leave),
        "person" => Parsed::Signal(Signal::Person),
        "thank" => Parsed::Signal(Signal::Thank(thank(fields, terms.text_bytes_max)?)),
        "ping" => Parsed::Signal(Signal::Ping { n: fields.count("n")? }),
        _ => return refuse("unknown_frame", "t is one of hello, say, typing, leave, person, thank, ping"),
    };
    fields.none_left()?;
    Ok(parsed)
}

fn hello(fields: &mut Fields) -> Result<Hello, Rejected> {
    let hello = Hello {
        token: fields.maybe_text("token")?,
        identity: fields.maybe_text("identity")?,
        after: fields.count("after")?,
        lang: fields.maybe_text("lang")?,
    };
    if hello.token.as_ref().is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
        return refuse(
            "token_too_long",
            format!("a token has at most {TOKEN_BYTES_MAX} bytes: leave it out to get one"),
        );
    }
    if hello.identity.as_ref().is_some_and(|identity| identity.len() > IDENTITY_BYTES_MAX) {
        return refuse(
            "identity_too_long",
            format!("an identity has at most {IDENTITY_BYTES_MAX} bytes: sign fewer claims"),
        );
    }
    if hello.lang.as_ref().is_some_and(|lang| lang.len() > LANG_BYTES_MAX) {
        return refuse("lang_too_long", format!("a language tag has at most {LANG_BYTES_MAX} bytes"));
    }
    Ok(hello)
}

fn say(fields: &mut Fields, terms: Terms<'_>) -> Result<Inbound, Rejected> {
    let (message, provider_id) = id(fields)?;
    let (text, name) = (fields.text("text")?, fields.maybe_text("name")?);
    let attachments = files(fields, terms.vouches)?;
    let content = Content { text, name, attachments, ..Content::default() };
    check(&content, terms.text_bytes_max)?;
    let callback = fields.maybe_yes("callback")?;
    let known = said_in(&content.text);
    Ok(Inbound { message: Some(message), provider_id, known, content, callback, ..Inbound::default() })
}

/// What is attached: each as the answer to its upload named it, so that nobody names a file of somebody else, or says that one is
/// something that it is not.
fn files(fields: &mut Fields, vouches: Vouches<'_>) -> Result<Vec<Attachment>, Rejected> {
    let files = fields.maybe_list("attachments")?;
    files.into_iter().map(|file| attachment(file, vouches)).collect()
}

fn attachment(file: Value, vouches: Vouches<'_>) -> Result<Attachment, Rejected> {
    let Value::Object(file) = file else { return refuse("wrong_type", "each of attachments is an object") };
    let mut file = Fields(file);
    let (object, signature) = (file.hash("object")?, file.hash("signature")?);
    let (name, media_type, bytes) = (file.text("name")?, file.text("type")?, file.count("bytes")?);
    file.none_left()?;
    let file = Attachment { object, name, media_type, bytes, inline: false };
    if !vouches(&file, signature) {
        let words = "a file of it is none that was uploaded here: attach it again";
        return refuse("foreign_file", words);
    }
    Ok(file)
}

fn thank(fields: &mut Fields, text_bytes_max: usize) -> Result<Thanks, Rejected> {
    let (id, _) = id(fields)?;
    let words = fields.maybe_text("text")?.map(Content::words);
    if let Some(words) = &words {
        check(words, text_bytes_max)?;
    }
    Ok(Thanks { id, words })
}

fn id(fields: &mut Fields) -> Result<(MessageId, String), Rejected> {
    let written = fields.text("id")?;
    let id = written
        .parse::<MessageId>()
        .ok()
        // Only one way to write an id, or one message would have several; only version 7, whose age can be told.
        .filter(|id| id.to_string() == written && id.0.get_version_num() == 7);
    match id {
        Some(id) => Ok((id, written)),
        None => refuse("wrong_id", "id is msg_ and the 32 lower-case hex digits of a UUID of version 7"),
    }
}

fn check(content: &Content, text_bytes_max: usize) -> Result<(), Rejected> {
    let checked = match content.check() {
        Ok(()) if content.text.len() > text_bytes_max => {
            Err(ContentError::TextTooLong { found: content.text.len() })
        }
        checked => checked,
    };
    match checked {
        Ok(()) => Ok(()),
        Err(ContentError::Empty) => {
            refuse("empty_text", "the text is empty: write something, or attach a file")
        }
        Err(ContentError::TextTooLong { found }) => {
            let words = format!(
                "the text has {found} bytes, at most {text_bytes_max} are taken: shorten or split it"
            );
            refuse("text_too_long", words)
        }
        Err(error @ ContentError::TooManyAttachments { .. }) => {
            refuse("too_many_attachments", error.to_string())
        }
        Err(ContentError::NameTooLong { found }) => {
            let words = format!("the name has {found} bytes, at most {NAME_BYTES_MAX} are taken: shorten it");
            refuse("name_too_long", words)
        }
    }
}

fn refuse<T>(code: &'static str, words: impl Into<String>) -> Result<T, Rejected> {
    Err(Rejected::refuse(code, words))
}

/// The fields of a frame that were not read yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<String, Rejected> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => refuse("wrong_type", format!("{name} is a text")),
            None => refuse("missing_field", format!("{name} is missing: expected a text")),
        }
    }

    /// Null is as if it were not there.
    fn maybe_text(&mut self, name: &str) -> Result<Option<String>, Rejected> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => refuse("wrong_type", format!("{name} is a text or null")),
        }
    }

    fn maybe_list(&mut self, name: &str) -> Result<Vec<Value>, Rejected> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => refuse("wrong_type", format!("{name} is a list or null")),
        }
    }

    fn hash(&mut self, name: &str) -> Result<Hash128, Rejected> {
        match self.text(name)?.parse() {
            Ok(hash) => Ok(hash),
            Err(_) => refuse("wrong_type", format!("{name} is 32 hex digits")),
        }
    }

    fn maybe_yes(&mut self, name: &str) -> Result<bool, Rejected> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(yes)) => Ok(yes),
            Some(_) => refuse("wrong_type", format!("{name} is true, false or null")),
        }
    }

    fn count(&mut self, name: &str) -> Result<u64, Rejected> {
        match self.0.remove(name) {
            None => refuse("missing_field", format!("{name} is missing: expected a whole number from 0")),
            Some(value) => match value.as_u64() {
                Some(count) => Ok(count),
                None => refuse("wrong_type", format!("{name} is a whole number from 0")),
            },
        }
    }

    fn none_left(&self) -> Result<(), Rejected> {
        match self.0.keys().next() {
            None => Ok(()),
            // Not the name itself: it is a stranger's.
            Some(_) => refuse("unknown_field", "the frame has a field that its kind does not know"),
        }
    }
}
