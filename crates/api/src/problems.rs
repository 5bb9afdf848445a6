//! Every no of this role, in one place: its code, its words, and what to do.

use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use protocol::edge::{EdgeKind, GuestQuestion};
use protocol::formats::NotYet;
use protocol::limits::{GUEST_ASKS_AT_ONCE_MAX, INPUT_BYTES_MAX};
use protocol::signin::Scope;
use protocol::{ParkedId, SubjectToken};
use service::{Problem, RetryAfter};

const SOON: RetryAfter = RetryAfter(Duration::from_secs(2));
/// A place that is full empties by age or by a person's hand, so coming back at once is of no use.
const FULL_RETRY: RetryAfter = RetryAfter(Duration::from_secs(30));

pub(crate) fn unauthorized() -> Problem {
    let detail = "send `Authorization: Bearer <key>` with a key that an administrator made";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "there is no such key", detail)
}

/// Told apart from a key that does not exist: whoever plays canary customers learns by that whether this process knows of them at all.
pub(crate) fn unknown_canary() -> Problem {
    let detail = "look at canary.enabled, at the account, and whether both sides have the same master key";
    Problem::new(StatusCode::UNAUTHORIZED, "unknown_canary", "there is no such canary customer", detail)
}

pub(crate) fn admin_only() -> Problem {
    let detail = "use an administrator's key for this";
    Problem::new(StatusCode::FORBIDDEN, "admin_only", "only an administrator's key may do this", detail)
}

pub(crate) fn scope_missing(scope: Scope) -> Problem {
    let detail = format!("use a key with the scope {scope}, or ask an administrator for one");
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", "this key may not do this", detail)
        .with("scope", scope.as_str())
}

pub(crate) fn not_your_source(own: &SubjectToken) -> Problem {
    let detail = format!("this key speaks for {own}: say so as the source, or use another key");
    Problem::new(StatusCode::FORBIDDEN, "not_your_source", "this key may not speak for that source", detail)
}

/// Where the operator keeps who may come in at the servers, a row that changed here would open and close nothing.
pub(crate) fn made_by_operator(word: &str) -> Problem {
    let detail = format!(
        "have who runs the servers call `winterband integration {word} NAME`, then `winterband keys --integrations`, and reload every \
         nats-server"
    );
    let title = "here the operator makes and ends integrations";
    Problem::new(StatusCode::CONFLICT, "made_by_operator", title, detail)
}

pub(crate) fn agent_only() -> Problem {
    let detail = "use it to sign in as its own agent, or another key for this";
    Problem::new(StatusCode::FORBIDDEN, "agent_only", "this key signs in as one agent only", detail)
}

pub(crate) fn beyond_you() -> Problem {
    let detail = "it is for all queues: ask somebody who supervises all of them";
    Problem::new(StatusCode::FORBIDDEN, "beyond_you", "this is not yours to change", detail)
}

pub(crate) fn busy() -> Problem {
    Problem::unavailable("busy", "too many requests are being answered at once")
}

pub(crate) fn too_slow() -> Problem {
    let detail = "whether it was accepted is open; send the same again, under the same id";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "the request took too long", detail)
        .retry_after(SOON)
}

pub(crate) fn starting() -> Problem {
    Problem::unavailable("starting", "the configuration is still being read")
}

pub(crate) fn bus_unavailable() -> Problem {
    Problem::unavailable("bus_unavailable", "the bus cannot be reached")
}

pub(crate) fn storage_full() -> Problem {
    let detail = "nothing was accepted: keep it and send the same again later, under the same id; whoever runs this system \
                  has to make room";
    let title = "there is no room for new messages";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", title, detail).retry_after(FULL_RETRY)
}

/// Somebody who lives could not read what would be written.
pub(crate) fn not_all_upgraded(not_yet: &NotYet) -> Problem {
    tracing::warn!(%not_yet, "an input was refused until all are upgraded");
    Problem::unavailable("not_all_upgraded", not_yet.to_string())
}

pub(crate) fn parked_full() -> Problem {
    let detail = "the body could not be read, and there is no room to keep it for a person: nothing was accepted; \
                  correct it and send it again";
    let title = "there is no room for what cannot be read";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "parked_full", title, detail).retry_after(FULL_RETRY)
}

pub(crate) fn audit_full() -> Problem {
    let detail = "nothing was done: whoever runs this system has to raise streams.audit_max; then try again";
    let title = "there is no room to write down who does this";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "audit_full", title, detail).retry_after(FULL_RETRY)
}

pub(crate) fn audit_unavailable() -> Problem {
    Problem::unavailable("audit_unavailable", "who does this cannot be written down now")
}

pub(crate) fn audit_broken(n: u64) -> Problem {
    let detail = "run `winterband audit verify`: the trail was written by a later version, or tampered with";
    let title = "an entry of the audit trail does not read";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "audit_broken", title, detail).with("entry", n)
}

pub(crate) fn body(rejection: &BytesRejection, limit_bytes: usize) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(limit_bytes);
    }
    let detail = "nothing was accepted; send the same again";
    Problem::new(StatusCode::BAD_REQUEST, "body_not_read", "the body did not arrive whole", detail)
}

pub(crate) fn too_large(limit_bytes: usize) -> Problem {
    let detail = format!("nothing was accepted; send at most {limit_bytes} bytes at once");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large", detail)
        .with("limit_bytes", limit_bytes)
}

/// The words of the parser may contain the sender's own; they go to the sender only.
pub(crate) fn malformed(words: &str, line: usize, column: usize) -> Problem {
    let detail = format!("expected one JSON object as the documentation shows it: {words}");
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "the body is not a message", detail)
        .with("line", line)
        .with("column", column)
}

pub(crate) fn unknown_account() -> Problem {
    let detail = "use an account that is configured for channel api, or have it configured";
    Problem::new(StatusCode::NOT_FOUND, "unknown_account", "there is no such account", detail)
}

pub(crate) fn account_not_yours() -> Problem {
    let detail = "use an account of channel api that is configured and that this integration may publish for";
    Problem::new(StatusCode::NOT_FOUND, "unknown_account", "there is no such account for you", detail)
}

pub(crate) fn bad_subject() -> Problem {
    let kinds = EdgeKind::ALL.map(EdgeKind::as_str).join(", ");
    let detail = format!(
        "publish to wb.<cell>.edge.<integration>.<kind>.<id>: the kind is one of {kinds}, the id one word of 1 to 64 of A-Z a-z \
         0-9 _ and -"
    );
    unprocessable("bad_subject", "the subject is not one of an edge", detail)
}

pub(crate) fn header_refused(header: &str) -> Problem {
    let detail = "nothing was accepted; publish without any header that begins with Nats-";
    unprocessable("header_refused", format!("a header {header} asks for what an edge does not do"), detail)
}

pub(crate) fn unknown_question() -> Problem {
    let words = GuestQuestion::ALL.map(GuestQuestion::as_str).join(", ");
    let detail = format!("ask wb.<cell>.ext.<integration>.<word>: the word is one of {words}");
    Problem::new(StatusCode::NOT_FOUND, "unknown_question", "there is no such question", detail)
}

pub(crate) fn bot_unnamed() -> Problem {
    let detail = "name it as `agent`, by its sign-in name";
    unprocessable("bot_unnamed", "which bot is not said", detail)
}

pub(crate) fn asks_at_once() -> Problem {
    let detail =
        format!("wait for one of the {GUEST_ASKS_AT_ONCE_MAX} answers that are under way, and ask again");
    let title = "too many questions at once";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title, detail).retry_after(SOON)
}

pub(crate) fn cursor_ahead(last: u64) -> Problem {
    let detail = "what you read from is another stream, or an older state of it: begin again at 0";
    Problem::new(StatusCode::GONE, "cursor_ahead", "there is nothing at that place yet", detail)
        .with("last", last)
}

/// Adds where the bytes are kept.
pub(crate) fn kept(problem: Problem, id: ParkedId) -> Problem {
    let detail = format!(
        "{}; your bytes are kept as {id}: an administrator can replay them, or you send them again corrected",
        problem.detail
    );
    Problem { detail, ..problem }.with("parked", id.to_string())
}

pub(crate) fn path_malformed() -> Problem {
    let detail = "write what is not plain text in the path as UTF-8 with percent signs";
    Problem::new(StatusCode::BAD_REQUEST, "path_malformed", "the path is no text", detail)
}

/// What a query may hold, and the reader's words for what is wrong with it.
pub(crate) fn query(names: &str, rejection: &axum::extract::rejection::QueryRejection) -> Problem {
    let detail = format!("use {names} only, each once: {}", rejection.body_text());
    unprocessable("query_malformed", "the query is not as expected", detail)
}

pub(crate) fn unprocessable(
    code: &'static str,
    title: impl Into<String>,
    detail: impl Into<String>,
) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, detail)
}

/// Within the limit of a body, but not of what can be sealed or stored.
pub(crate) fn too_large_to_keep() -> Problem {
    let detail = format!(
        "nothing was accepted; what cannot be read is kept up to {INPUT_BYTES_MAX} bytes, anything else up to what the \
         bus takes: send less at once"
    );
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large_to_keep",
        "the body is too large to be kept",
        detail,
    )
    .with("limit_bytes", INPUT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_no_has_a_code_a_title_and_something_to_do() {
        let all = [
            unauthorized(),
            unknown_canary(),
            admin_only(),
            scope_missing(Scope::AuditRead),
            not_your_source(&SubjectToken::new("shop").unwrap()),
            agent_only(),
            busy(),
            too_slow(),
            starting(),
            bus_unavailable(),
            storage_full(),
            parked_full(),
            audit_full(),
            audit_unavailable(),
            audit_broken(7),
            too_large(7),
            malformed("at line 1", 1, 1),
            unknown_account(),
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(|problem| problem.code).collect();
        assert_eq!(codes.len(), all.len(), "a code names one thing");
        for problem in all {
            assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{}", problem.code);
            let passes =
                [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE].contains(&problem.status);
            assert_eq!(problem.retry_after_s.is_some(), passes, "{}", problem.code);
        }
    }
}
