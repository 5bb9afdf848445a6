//! What makes bytes a message. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::StatusCode;
use protocol::api::NewMessage;
use protocol::content::{Content, ContentError};
use protocol::facts::{FactName, FactValue, FactValues};
use protocol::limits::{
    CLOCK_SKEW_MS_MAX, FACT_TEXT_BYTES_MAX, FACTS_MAX, IDENTITY_BYTES_MAX, NAME_BYTES_MAX,
    PROVIDER_ID_BYTES_MAX, TEXT_BYTES_MAX,
};
use protocol::{Language, Millis, SubjectToken};
use serde_json::Value;
use service::Problem;

use crate::idempotency::HEADER;
use crate::problems::{self, unprocessable};

/// A message that can become an input.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) account: SubjectToken,
    pub(super) id: String,
    pub(super) from: String,
    pub(super) content: Content,
    pub(super) category: Option<SubjectToken>,
    pub(super) language: Option<Language>,
    pub(super) facts: FactValues,
    pub(super) sent_at: Option<Millis>,
    /// The sender's clock is too far off to be believed.
    pub(super) sent_at_ignored: bool,
    /// Whether it is only practised.
    pub(super) practice: bool,
}

/// Why it cannot.
#[derive(Debug)]
pub(super) enum Misfit {
    /// It is no message at all; fate: park.
    Malformed {
        /// Where in the bytes.
        line: usize,
        column: usize,
        /// The parser's words, for the sender only.
        words: String,
    },
    /// Nobody configured its account; fate: park. `None` if the account could not even be a name.
    UnknownAccount(Option<SubjectToken>),
    /// The sender can correct it; fate: refuse.
    Refused(Problem),
}

impl Misfit {
    /// Reason, account and detail for a person who looks at what is parked, and the sender's problem. The detail
    /// holds none of the sender's words.
    pub(super) fn parts(self) -> (&'static str, Option<SubjectToken>, String, Problem) {
        match self {
            Self::Malformed { line, column, words } => {
                let detail =
                    format!("not a message from line {line}, column {column} on: have the sender correct it");
                ("malformed", None, detail, problems::malformed(&words, line, column))
            }
            Self::UnknownAccount(account) => {
                let detail = "no such account for channel api: configure it and replay this".to_owned();
                ("unknown_account", account, detail, problems::unknown_account())
            }
            Self::Refused(problem) => (problem.code, None, String::new(), problem),
        }
    }
}

/// Reads and checks; `given` is the id that stood beside the bytes, `known` says which accounts are configured.
pub(super) fn read(
    bytes: &[u8],
    given: Option<&str>,
    now: Millis,
    text_max_bytes: usize,
    known: impl Fn(&SubjectToken) -> bool,
) -> Result<Fit, Misfit> {
    let new: NewMessage = serde_json::from_slice(bytes).map_err(|error| Misfit::Malformed {
        line: error.line(),
        column: error.column(),
        words: error.to_string(),
    })?;
    let id = own_id(new.id, given).map_err(Misfit::Refused)?;
    within("id", &id, PROVIDER_ID_BYTES_MAX)?;
    within("from.value", &new.from.value, IDENTITY_BYTES_MAX)?;
    let content = Content { text: new.text, name: new.from.name, ..Content::default() };
    check(&content, text_max_bytes).map_err(Misfit::Refused)?;
    let Ok(category) = new.category.as_deref().map(SubjectToken::new).transpose() else {
        let detail = "use 1 to 64 of A-Z a-z 0-9 _ and -, or leave it out";
        return Err(Misfit::Refused(unprocessable(
            "category_malformed",
            "the category is not a name",
            detail,
        )));
    };
    let Ok(language) = new.language.as_deref().map(str::parse).transpose() else {
        let detail = "use two small letters, as in nl, or leave it out";
        return Err(Misfit::Refused(unprocessable("language_malformed", "the language is not one", detail)));
    };
    let facts = facts(new.facts).map_err(Misfit::Refused)?;
    let account = SubjectToken::new(&new.account).map_err(|_| Misfit::UnknownAccount(None))?;
    if !known(&account) {
        return Err(Misfit::UnknownAccount(Some(account)));
    }
    let sent_at = new.sent_at.map(Millis).filter(|sent_at| is_believed(*sent_at, now));
    let sent_at_ignored = sent_at.is_none() && new.sent_at.is_some();
    let (from, practice) = (new.from.value, new.practice);
    Ok(Fit { account, id, from, content, category, language, facts, sent_at, sent_at_ignored, practice })
}

/// The sender's id, wherever they wrote it.
fn own_id(in_body: String, given: Option<&str>) -> Result<String, Problem> {
    match given {
        None => Ok(in_body),
        Some(given) if in_body.is_empty() || in_body == given => Ok(given.to_owned()),
        Some(_) => {
            let title = format!("{HEADER} and `id` are not the same");
            let detail = "nothing was accepted; send one of them, or the same in both";
            Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_differs", title, detail))
        }
    }
}

/// The bytes with the id in them that stood beside them, for who reads them later; as they are if that cannot be.
pub(super) fn with_id<'a>(bytes: &'a [u8], given: Option<&str>) -> Cow<'a, [u8]> {
    let with = given.and_then(|given| {
        let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        fields.insert("id".to_owned(), given.into());
        serde_json::to_vec(&fields).ok()
    });
    with.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// What the sender knows; all that cannot be a fact is told at once.
fn facts(given: BTreeMap<String, Value>) -> Result<FactValues, Problem> {
    if given.len() > FACTS_MAX {
        let detail = format!("nothing was accepted; send at most {FACTS_MAX}");
        return Err(unprocessable("too_many_facts", format!("{} facts", given.len()), detail));
    }
    let (mut facts, mut wrong) = (FactValues::new(), Vec::new());
    for (name, value) in given {
        match (name.parse::<FactName>(), fact_value(value)) {
            (Ok(name), Some(value)) => {
                facts.insert(name, value);
            }
            (Ok(_) | Err(_), Some(_) | None) => wrong.push(name.chars().take(80).collect::<String>()),
        }
    }
    if wrong.is_empty() {
        return Ok(facts);
    }
    let detail = format!(
        "nothing was accepted; a fact has a name of two words, as in customer.tier, and is true or false, a whole number, or a \
         word of at most {FACT_TEXT_BYTES_MAX} bytes"
    );
    Err(unprocessable("facts_malformed", "some facts are none", detail).with("facts", wrong))
}

fn fact_value(value: Value) -> Option<FactValue> {
    match value {
        Value::Bool(value) => Some(FactValue::Bool(value)),
        Value::Number(number) => number.as_i64().map(FactValue::Int),
        Value::String(text) => {
            Some(text).filter(|text| text.len() <= FACT_TEXT_BYTES_MAX).map(FactValue::Text)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_believed(sent_at: Millis, now: Millis) -> bool {
    sent_at.0.abs_diff(now.0) <= CLOCK_SKEW_MS_MAX
}

fn within(field: &str, text: &str, most: usize) -> Result<(), Misfit> {
    let (code, title) = if text.is_empty() {
        ("field_empty", format!("{field} is empty"))
    } else if text.len() > most {
        ("field_too_long", format!("{field} has {} bytes", text.len()))
    } else {
        return Ok(());
    };
    let detail = format!("nothing was accepted; send 1 to {most} bytes");
    let problem = unprocessable(code, title, detail).with("field", field).with("limit_bytes", most);
    Err(Misfit::Refused(problem))
}

fn check(content: &Content, text_max_bytes: usize) -> Result<(), Problem> {
    let text_max_bytes = text_max_bytes.min(TEXT_BYTES_MAX);
    let too_long = |found: usize| {
        let detail = format!("nothing was accepted; shorten it to {text_max_bytes} bytes, or split it");
        unprocessable("text_too_long", format!("the text has {found} bytes"), detail)
            .with("limit_bytes", text_max_bytes)
    };
    match content.check() {
        Ok(()) if content.text.len() > text_max_bytes => Err(too_long(content.text.len())),
        Ok(()) => Ok(()),
        Err(ContentError::TextTooLong { found }) => Err(too_long(found)),
        Err(ContentError::Empty) => Err(unprocessable(
            "text_empty",
            "the text is empty",
            "nothing was accepted; send at least one word",
        )),
        Err(ContentError::TooManyAttachments { found }) => Err(unprocessable(
            "too_many_attachments",
            format!("{found} files are attached"),
            "nothing was accepted; attach fewer",
        )),
        Err(ContentError::NameTooLong { found }) => {
            let detail = format!("nothing was accepted; send at most {NAME_BYTES_MAX} bytes as from.name");
            Err(unprocessable("name_too_long", format!("the name has {found} bytes"), detail)
                .with("limit_bytes", NAME_BYTES_MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn message() -> Value {
        json!({"account": "shop", "id": "m-1", "from": {"value": "ann@example.org", "name": "Ann"}, "text": "Hello"})
    }

    fn with(field: &str, value: impl Into<Value>) -> Value {
        let mut message = message();
        match field.split_once('.') {
            Some((outer, inner)) => message[outer][inner] = value.into(),
            None => message[field] = value.into(),
        }
        message
    }

    fn judge(bytes: &[u8]) -> Result<Fit, Misfit> {
        read(bytes, None, NOW, TEXT_BYTES_MAX, |account| account.as_str() == "shop")
    }

    /// `fit`, or the code and status that the sender gets, and whether the bytes are parked.
    fn verdict(bytes: &[u8]) -> (&'static str, u16, bool) {
        match judge(bytes) {
            Ok(_) => ("fit", 202, false),
            Err(Misfit::Refused(problem)) => (problem.code, problem.status.as_u16(), false),
            Err(misfit) => {
                let (reason, _, _, problem) = misfit.parts();
                assert_eq!(reason, problem.code);
                (problem.code, problem.status.as_u16(), true)
            }
        }
    }

    fn verdict_of(message: &Value) -> (&'static str, u16, bool) {
        verdict(&serde_json::to_vec(message).unwrap())
    }

    #[test]
    fn a_message_is_read_whole() {
        let mut message = with("category", "refund");
        message["language"] = "nl".into();
        message["facts"] = json!({"customer.tier": "gold", "order.value": 900, "order.is_late": true});
        message["sent_at"] = NOW.0.into();
        let fit = judge(&serde_json::to_vec(&message).unwrap()).unwrap();
        assert_eq!(
            (fit.account.as_str(), fit.id.as_str(), fit.from.as_str()),
            ("shop", "m-1", "ann@example.org")
        );
        assert_eq!(
            fit.content,
            Content { text: "Hello".into(), name: Some("Ann".into()), ..Content::default() }
        );
        assert_eq!(fit.category.unwrap().as_str(), "refund");
        assert_eq!(serde_json::to_value(&fit.facts).unwrap(), message["facts"]);
        assert_eq!(fit.language.unwrap().to_string(), "nl");
        assert_eq!((fit.sent_at, fit.sent_at_ignored), (Some(NOW), false));
    }

    #[test]
    fn an_id_may_stand_beside_the_bytes_and_says_the_same_if_it_stands_in_both() {
        let judge = |message: &Value, given: Option<&str>| {
            let bytes = serde_json::to_vec(message).unwrap();
            match read(&bytes, given, NOW, TEXT_BYTES_MAX, |_| true) {
                Ok(fit) => Ok(fit.id),
                Err(misfit) => Err(misfit.parts().0),
            }
        };
        let mut without = message();
        without.as_object_mut().unwrap().remove("id");
        assert_eq!(judge(&without, Some("m-2")).as_deref(), Ok("m-2"));
        assert_eq!(judge(&message(), Some("m-1")).as_deref(), Ok("m-1"));
        assert_eq!(judge(&message(), Some("m-2")), Err("idempotency_key_differs"));
        assert_eq!(judge(&without, None), Err("field_empty"));
        let bytes = serde_json::to_vec(&without).unwrap();
        let kept: Value = serde_json::from_slice(&with_id(&bytes, Some("m-1"))).unwrap();
        assert_eq!(kept, message(), "what is parked is found under its id when it is replayed");
        assert_eq!(&*with_id(&bytes, None), &bytes[..]);
        assert_eq!(&*with_id(b"{", Some("m-1")), b"{");
    }

    #[test]
    fn what_is_no_message_is_parked() {
        let malformed = ("malformed", 400, true);
        for bytes in [&b""[..], b"{", b"[]", b"null", b"{\"text\":\"\xff\xfe\"}", b"{} {}", b"\x00"] {
            assert_eq!(verdict(bytes), malformed, "{bytes:?}");
        }
        for message in [
            with("more", "unknown"),
            with("from.more", "unknown"),
            with("text", 7),
            with("sent_at", -1),
            with("sent_at", "yesterday"),
            with("from", "ann"),
        ] {
            assert_eq!(verdict_of(&message), malformed, "{message}");
        }
    }

    #[test]
    fn what_is_kept_of_a_malformed_message_tells_no_words_of_it() {
        let Err(misfit) = judge(br#"{"account":"shop","sent_at":"my secret"}"#) else {
            panic!("it was read")
        };
        let (_, _, detail, problem) = misfit.parts();
        assert!(!detail.contains("secret") && detail.contains("line 1"), "{detail}");
        assert!(problem.detail.contains("my secret"), "the sender sees what was wrong: {}", problem.detail);
    }

    #[test]
    fn an_account_that_is_unknown_or_no_name_is_parked() {
        for account in ["other", "", "a.b", "shop.>", "*", "sh op", "caf\u{e9}"] {
            assert_eq!(verdict_of(&with("account", account)), ("unknown_account", 404, true), "{account}");
        }
    }

    #[test]
    fn limits_hold_at_and_past() {
        let x = |bytes: usize| "x".repeat(bytes);
        for (field, most, code) in [
            ("text", TEXT_BYTES_MAX, "text_too_long"),
            ("id", PROVIDER_ID_BYTES_MAX, "field_too_long"),
            ("from.value", IDENTITY_BYTES_MAX, "field_too_long"),
            ("from.name", NAME_BYTES_MAX, "name_too_long"),
            ("category", 64, "category_malformed"),
        ] {
            assert_eq!(verdict_of(&with(field, x(most))), ("fit", 202, false), "{field}");
            assert_eq!(verdict_of(&with(field, x(most + 1))), (code, 422, false), "{field}");
        }
        for (field, code) in [
            ("text", "text_empty"),
            ("id", "field_empty"),
            ("from.value", "field_empty"),
            ("category", "category_malformed"),
        ] {
            assert_eq!(verdict_of(&with(field, "")), (code, 422, false), "{field}");
        }
        assert_eq!(verdict_of(&with("category", "a.>")), ("category_malformed", 422, false));
        for language in ["", "n", "NL", "nl-NL", "nld", "\u{e9}"] {
            assert_eq!(
                verdict_of(&with("language", language)),
                ("language_malformed", 422, false),
                "{language}"
            );
        }
    }

    #[test]
    fn the_settings_can_only_lower_the_texts_limit() {
        let bytes = |n: usize| serde_json::to_vec(&with("text", "x".repeat(n))).unwrap();
        let fits = |n: usize, most: usize| read(&bytes(n), None, NOW, most, |_| true).is_ok();
        assert!(fits(10, 10) && !fits(11, 10));
        assert!(!fits(TEXT_BYTES_MAX + 1, usize::MAX));
    }

    #[test]
    fn a_clock_that_is_a_day_off_is_believed_and_no_further() {
        let sent = |at: u64| {
            let fit = judge(&serde_json::to_vec(&with("sent_at", at)).unwrap()).unwrap();
            (fit.sent_at, fit.sent_at_ignored)
        };
        for at in [NOW.0 - CLOCK_SKEW_MS_MAX, NOW.0 + CLOCK_SKEW_MS_MAX] {
            assert_eq!(sent(at), (Some(Millis(at)), false));
        }
        for at in [0, NOW.0 - CLOCK_SKEW_MS_MAX - 1, NOW.0 + CLOCK_SKEW_MS_MAX + 1, u64::MAX] {
            assert_eq!(sent(at), (None, true), "taken, without its time");
        }
    }
}
