//! What an answer of the platform means, by the code of the error and what tells errors of one code apart
//! (https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes,
//! https://developers.facebook.com/docs/graph-api/overview/rate-limiting).

use channel::{HttpAnswer, Verdict, Whose};
use serde_json::Value;

use crate::graph::{Refusal, UNSEEN, by_status, code, refusal, retry, subcode};

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The whole account has to wait.
    Limited,
    /// The account is not let in, or may not send: a person has to do something, and messages wait.
    Refused,
    /// Meta is overloaded; or the customer blocks the page, which it tells in the same words.
    Unavailable,
    /// Something broke at Meta.
    Broken,
    /// It was sent, and what should have told us was not.
    SentAndNotTold,
    /// It never will be sent, for this reason.
    Final(&'static str),
}

/// What an error means; `None`: its code came later than this.
fn meaning(code: i64, subcode: Option<i64>) -> Option<Meaning> {
    subcode.and_then(|subcode| by_subcode(code, subcode)).or_else(|| by_code(code))
}

/// Subcodes are Meta's own numbers and mean the same below whichever code they stand; but for 33, which is a small one.
fn by_subcode(code: i64, subcode: i64) -> Option<Meaning> {
    Some(match (code, subcode) {
        // What a message goes through is the page, so the account is meant.
        (100, UNSEEN) => Meaning::Refused,
        // The standard window, on Messenger and on Instagram, and an older word for it.
        (_, 2_018_278 | 2_534_022 | 2_018_065) => Meaning::Final("window_closed"),
        // "This person isn't available right now", "This person cannot receive messages".
        (_, 1_545_041 | 2_018_108) => Meaning::Final("not_reachable"),
        // "No matching user found", "The requested user cannot be found".
        (_, 2_018_001 | 2_534_014) => Meaning::Final("address_unknown"),
        (_, 2_018_047) => Meaning::Final("file_refused"),
        // "Another app is controlling this thread now": of this conversation alone.
        (_, 2_018_300 | 2_534_037) => Meaning::Final("other_app_has_it"),
        // "The messages are all sent successfully, but the endpoint returns an error."
        (1, 1_357_046) => Meaning::SentAndNotTold,
        _ => return None,
    })
}

fn by_code(code: i64) -> Option<Meaning> {
    Some(match code {
        // Calls of the app, of who gave the token, of the page; of Messenger's API; of a page's and of Instagram's.
        4 | 17 | 32 | 613 | 80_001 | 80_002 | 80_006 => Meaning::Limited,
        // The token or its rights; 368: blocked for what was sent.
        0 | 3 | 10 | 190 | 200..=299 | 368 => Meaning::Refused,
        2 | 1200 => Meaning::Unavailable,
        1 => Meaning::Broken,
        551 => Meaning::Final("not_reachable"),
        100 => Meaning::Final("rejected"),
        _ => return None,
    })
}

pub(super) fn judge(answer: &HttpAnswer) -> Verdict {
    let Refusal { status, by_header, said } = match refusal(answer, id) {
        Ok(refusal) => refusal,
        Err(verdict) => return verdict,
    };
    let Some(meaning) = of_error(&said) else { return by_status(status, by_header) };
    // Told with a status of the server's own fault, it may have been sent before something broke.
    let is_theirs = !(400..500).contains(&status);
    match meaning {
        Meaning::Limited => retry(Whose::Limited, by_header, "limited"),
        Meaning::Refused => retry(Whose::Refused, None, "refused"),
        Meaning::SentAndNotTold => Verdict::Unknown { reason: "no_answer" },
        Meaning::Unavailable | Meaning::Broken if is_theirs => Verdict::Unknown { reason: "no_answer" },
        // Others are not held up: it may be this customer alone.
        Meaning::Unavailable => retry(Whose::Conversation, by_header, "unavailable"),
        Meaning::Broken => Verdict::Failed { reason: "provider_error" },
        Meaning::Final(reason) => Verdict::Failed { reason },
    }
}

/// What the error that an answer tells means.
pub(super) fn of_error(said: &Value) -> Option<Meaning> {
    meaning(code(said)?, subcode(said))
}

/// The id of what was sent: `{"recipient_id": "...", "message_id": "..."}`.
fn id(said: &Value) -> Option<String> {
    Some(said.get("message_id")?.as_str()?.to_owned())
}
