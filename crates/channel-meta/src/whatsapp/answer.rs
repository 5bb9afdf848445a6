//! What an answer of the Cloud API means, and what a status says of a failure: both by the code of the error
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes).

use channel::{HttpAnswer, Verdict, Whose};
use serde_json::Value;

use crate::graph::{Refusal, UNSEEN, by_status, code, refusal, retry, subcode};

/// How long at least one customer is not written to after too much of it, ms: one message in six seconds
/// (Throughput, "pair rate limits").
pub const PAIR_MS: u64 = 6_000;

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The whole account has to wait.
    Limited,
    /// This customer was sent too much too fast.
    PairLimited,
    /// The account is not let in, or may not send: a person has to do something, and messages wait.
    Refused,
    /// Meta is overloaded.
    Unavailable,
    /// Something broke at Meta.
    Broken,
    /// It never will be sent, for this reason.
    Final(&'static str),
}

impl Meaning {
    /// A stable word.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Limited | Self::PairLimited => "limited",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Broken => "provider_error",
            Self::Final(reason) => reason,
        }
    }
}

/// What a code means; `None`: it came later than this.
pub(super) fn meaning(code: i64) -> Option<Meaning> {
    Some(match code {
        // Calls of the app, calls of the account, messages of the number, what was marked as spam, maintenance.
        4 | 17 | 613 | 80_007 | 80_008 | 130_429 | 131_048 | 131_057 => Meaning::Limited,
        131_056 => Meaning::PairLimited,
        // The token or its rights, a number that was deleted; then the account: blocked, locked, unnamed, unpaid, no certificate, not registered.
        0
        | 3
        | 10
        | 33
        | 190
        | 200..=299
        | 131_005
        | 368
        | 131_031
        | 131_037
        | 131_042
        | 131_045
        | 133_010 => Meaning::Refused,
        2 | 131_016 => Meaning::Unavailable,
        1 | 131_000 => Meaning::Broken,
        // 470 is what the older API called it.
        470 | 131_047 => Meaning::Final("window_closed"),
        // No WhatsApp there, an old app, terms not accepted; or a kind that goes to numbers alone.
        131_026 | 131_062 => Meaning::Final("not_reachable"),
        // Meta keeps it from them: an experiment, or enough of its kind for now.
        130_472 | 131_049 => Meaning::Final("limited_by_provider"),
        // Of advertisements alone: what somebody asks is answered all the same.
        131_050 => Meaning::Final("no_advertisements"),
        // Not to customers of that country.
        130_497 => Meaning::Final("region_not_allowed"),
        // A test number sends to five others alone.
        131_030 => Meaning::Final("not_in_test_list"),
        131_052 | 131_053 => Meaning::Final("file_refused"),
        132_000..=132_999 => Meaning::Final("template_refused"),
        100 | 131_008 | 131_009 | 131_021 | 131_051 => Meaning::Final("rejected"),
        _ => return None,
    })
}

pub(super) fn judge(answer: &HttpAnswer) -> Verdict {
    let Refusal { status, by_header, said } = match refusal(answer, id) {
        Ok(refusal) => refusal,
        Err(verdict) => return verdict,
    };
    let Some(meaning) = of_error(&said) else { return by_status(status, by_header) };
    let reason = meaning.reason();
    // Told with a status of the server's own fault, it may have been sent before something broke.
    let is_theirs = !(400..500).contains(&status);
    match meaning {
        Meaning::Limited => retry(Whose::Limited, by_header, reason),
        Meaning::PairLimited => {
            retry(Whose::Conversation, Some(by_header.unwrap_or_default().max(PAIR_MS)), reason)
        }
        Meaning::Refused => retry(Whose::Refused, None, reason),
        Meaning::Unavailable | Meaning::Broken if is_theirs => Verdict::Unknown { reason: "no_answer" },
        Meaning::Unavailable => retry(Whose::Limited, by_header, reason),
        Meaning::Broken | Meaning::Final(_) => Verdict::Failed { reason },
    }
}

/// As [`meaning`], but for an id that is not there: what a message goes through is the number, so the account is meant.
fn of_error(said: &Value) -> Option<Meaning> {
    match code(said)? {
        100 if subcode(said) == Some(UNSEEN) => Some(Meaning::Refused),
        code => meaning(code),
    }
}

/// The id of what was sent: `{"messages": [{"id": "wamid...."}]}`.
fn id(said: &Value) -> Option<String> {
    Some(said.pointer("/messages/0/id")?.as_str()?.to_owned())
}
