//! What the API's answer means, and what its error codes do (https://www.twilio.com/docs/api/errors).

use channel::{HttpAnswer, Verdict, Whose};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Said {
    sid: Option<String>,
    /// Of a message a word, of an error the number of HTTP.
    status: Option<Value>,
    /// Of an error.
    code: Option<u32>,
    /// Of a message.
    error_code: Option<u32>,
}

/// What an error code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// This message will never arrive, for this reason.
    Never(&'static str),
    /// The account sends too much.
    TooMuch,
    /// The account itself is wrong, for this reason: once it is set right, what waits goes.
    Account(&'static str),
}

use Meaning::{Account, Never, TooMuch};

fn meaning(code: u32) -> Option<Meaning> {
    let meaning = match code {
        // They wrote STOP.
        21610 => Never("opted_out"),
        63014 | 63033 => Never("blocked_by_customer"),
        // No number, none that takes text messages, or nobody of that channel.
        21211 | 21214 | 21217 | 21265 | 21614 | 21635 | 30005 | 30006 | 63003 | 63024 => {
            Never("address_unknown")
        }
        // Switched off, or no way there from this sender.
        21612 | 30003 | 30011 | 30017 => Never("not_reachable"),
        30036 => Never("too_old"),
        // Of a trial account, whose customers are verified one by one; of the sandbox, which they join.
        21608 => Never("not_verified"),
        63015 => Never("not_written_yet"),
        21408 => Never("region_not_allowed"),
        63016 => Never("window_closed"),
        // No such template, not for that language, paused, switched off, or with other places than were filled.
        21655 | 21656 | 63027 | 63028 | 63040 | 63041 | 63042 => Never("template_refused"),
        11751 | 21605 | 21617 | 21623 | 30019 | 63034 => Never("too_large"),
        // Twilio could not fetch a file, or it is of a type that the channel does not have.
        11200 | 12300 | 21620 | 63019 | 63029 => Never("file_refused"),
        // A carrier or Meta thinks that it is spam.
        30004 | 30007 | 30450 | 63013 => Never("filtered"),
        // Meta passes on only so much to one person.
        63032 | 63049 => Never("limited_by_provider"),
        20429 | 21611 | 30001 | 30022 | 30023 | 63017 | 63018 | 63038 => TooMuch,
        10001 | 20003 | 20005 | 20008 | 20404 | 30002 => Account("refused"),
        // No sender of this account, or one that is not registered for where it sends to.
        21212 | 21606 | 21659 | 21660 | 21701 | 21703 | 21704 | 21705 | 30018 | 30024 | 30032 | 30034
        | 63007 => Account("sender_refused"),
        _ => return None,
    };
    Some(meaning)
}

/// Why a message of ours did not arrive, as a stable word.
pub(crate) fn reason(code: u32) -> &'static str {
    match meaning(code) {
        Some(Never(reason) | Account(reason)) => reason,
        Some(TooMuch) => "limited",
        None => "not_delivered",
    }
}

pub(crate) fn judge(answer: &HttpAnswer) -> Verdict {
    let (status, body, after_ms) = match answer {
        HttpAnswer::Status { status, body, retry_after_ms, .. } => (*status, body, *retry_after_ms),
        // There is no id of ours by which it would be known again: it is not sent twice by itself.
        HttpAnswer::NoAnswer => return Verdict::Unknown { reason: "no_answer" },
        HttpAnswer::Unreachable => return retry(Whose::Refused, None, "unreachable"),
    };
    let said = serde_json::from_slice::<Said>(body).ok();
    if (200..300).contains(&status) {
        return taken(said);
    }
    if status == 408 || status >= 500 {
        return Verdict::Unknown { reason: "no_answer" };
    }
    match said.and_then(|said| said.code).and_then(meaning) {
        Some(Never(reason)) => Verdict::Failed { reason },
        Some(TooMuch) => retry(Whose::Limited, after_ms, "limited"),
        Some(Account(reason)) => retry(Whose::Refused, None, reason),
        None => match status {
            429 => retry(Whose::Limited, after_ms, "limited"),
            401 | 403 | 404 => retry(Whose::Refused, None, "refused"),
            413 => Verdict::Failed { reason: "too_large" },
            _ => Verdict::Failed { reason: "rejected" },
        },
    }
}

/// A message that was made may have failed already.
fn taken(said: Option<Said>) -> Verdict {
    let Some(said) = said else { return Verdict::Accepted { provider_id: None } };
    let word = said.status.as_ref().and_then(Value::as_str).unwrap_or_default();
    if matches!(word, "failed" | "undelivered" | "canceled") {
        return Verdict::Failed { reason: said.error_code.map_or("rejected", reason) };
    }
    Verdict::Accepted { provider_id: said.sid }
}

fn retry(whose: Whose, after_ms: Option<u64>, reason: &'static str) -> Verdict {
    Verdict::Retry { whose, after_ms, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_one_that_can_stand_in_a_record() {
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let codes = (0..100_000).filter(|code| meaning(*code).is_some()).count();
        // Each has its row in the tests beside this crate.
        assert_eq!(codes, 73);
        for code in 0..100_000 {
            assert!(is_word(reason(code)) && reason(code).len() <= 32, "{code}");
        }
        assert_eq!(reason(4_294_967_295), "not_delivered");
    }
}
