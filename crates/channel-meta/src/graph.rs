//! What every answer of the Graph API has: an error with its code and subcode
//! (https://developers.facebook.com/docs/graph-api/guides/error-handling).

use channel::{HttpAnswer, Verdict, Whose};
use serde_json::Value;

/// The subcode of an id that does not exist or may not be seen, below code 100.
pub(crate) const UNSEEN: i64 = 33;

/// The code of the error that an answer tells.
pub(crate) fn code(said: &Value) -> Option<i64> {
    said.get("error")?.get("code")?.as_i64()
}

/// What tells errors of one code apart.
pub(crate) fn subcode(said: &Value) -> Option<i64> {
    said.get("error")?.get("error_subcode")?.as_i64()
}

/// An answer that takes nothing.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// How long it has us wait, ms.
    pub(crate) by_header: Option<u64>,
    pub(crate) said: Value,
}

/// Looks whether an answer takes nothing, and why.
///
/// # Errors
/// What it means where it takes what was sent, or where there is none; `id` finds the id of what was taken.
pub(crate) fn refusal(answer: &HttpAnswer, id: fn(&Value) -> Option<String>) -> Result<Refusal, Verdict> {
    let (status, body, by_header) = match answer {
        HttpAnswer::Status { status, body, retry_after_ms, .. } => (*status, body, *retry_after_ms),
        // Nothing can be looked up there: it is not sent twice by itself.
        HttpAnswer::NoAnswer => return Err(Verdict::Unknown { reason: "no_answer" }),
        HttpAnswer::Unreachable => return Err(retry(Whose::Refused, None, "unreachable")),
    };
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    if (200..300).contains(&status) && said.get("error").is_none() {
        return Err(Verdict::Accepted { provider_id: id(&said) });
    }
    Ok(Refusal { status, by_header, said })
}

/// Where no code is told, or one that nobody knows.
pub(crate) fn by_status(status: u16, by_header: Option<u64>) -> Verdict {
    match status {
        429 => retry(Whose::Limited, by_header, "limited"),
        401 | 403 | 404 => retry(Whose::Refused, None, "refused"),
        413 => Verdict::Failed { reason: "too_large" },
        200..=299 | 408 | 500..=599 => Verdict::Unknown { reason: "no_answer" },
        _ => Verdict::Failed { reason: "rejected" },
    }
}

pub(crate) fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}
