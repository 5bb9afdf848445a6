//! What the Bot API's answer means (https://core.telegram.org/bots/api#making-requests).

use channel::{HttpAnswer, Verdict, Whose};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Said {
    result: Option<Value>,
    #[serde(default)]
    description: String,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    /// Seconds.
    retry_after: Option<u64>,
}

pub(crate) fn judge(answer: &HttpAnswer) -> Verdict {
    let (status, body, by_header) = match answer {
        HttpAnswer::Status { status, body, retry_after_ms, .. } => (*status, body, *retry_after_ms),
        // There is no id of ours by which it would be known again: it is not sent twice by itself.
        HttpAnswer::NoAnswer => return Verdict::Unknown { reason: "no_answer" },
        HttpAnswer::Unreachable => return retry(Whose::Refused, None, "unreachable"),
    };
    let said = serde_json::from_slice::<Said>(body).ok();
    let description = said.as_ref().map(|said| said.description.to_ascii_lowercase()).unwrap_or_default();
    match status {
        200..=299 => Verdict::Accepted { provider_id: said.and_then(|said| id(&said.result?)) },
        429 => {
            let seconds = said.and_then(|said| said.parameters?.retry_after);
            retry(
                Whose::Limited,
                seconds.map(|seconds| seconds.saturating_mul(1000)).or(by_header),
                "limited",
            )
        }
        // 404: no bot has this token.
        401 | 404 => retry(Whose::Refused, None, "refused"),
        403 => Verdict::Failed { reason: forbidden(&description) },
        413 => Verdict::Failed { reason: "too_large" },
        400 if description.contains("chat not found") || description.contains("peer_id_invalid") => {
            Verdict::Failed { reason: "address_unknown" }
        }
        400 if description.contains("too long") || description.contains("too big") => {
            Verdict::Failed { reason: "too_large" }
        }
        408 | 500..=599 => Verdict::Unknown { reason: "no_answer" },
        _ => Verdict::Failed { reason: "rejected" },
    }
}

fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}

/// Why somebody cannot be written to, by the words that Telegram says: it has no codes for it.
fn forbidden(description: &str) -> &'static str {
    if description.contains("blocked by the user") {
        "blocked_by_customer"
    } else if description.contains("deactivated") {
        "address_unknown"
    } else if description.contains("initiate conversation") {
        "not_written_yet"
    } else {
        "rejected"
    }
}

/// The id of what was sent: of an album its first.
fn id(result: &Value) -> Option<String> {
    let message = result.as_array().map_or(Some(result), |all| all.first())?;
    Some(format!("{}:{}", message.get("chat")?.get("id")?.as_i64()?, message.get("message_id")?.as_i64()?))
}
