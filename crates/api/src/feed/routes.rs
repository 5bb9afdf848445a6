//! `GET /api/v1/events`: what happened, from a cursor on, with a long poll.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use protocol::integration::{FeedPage, PublicLog, PublicType};
use protocol::limits::{EVENTS_PAGE_DEFAULT as PAGE, EVENTS_PAGE_MAX as PAGE_MAX};
use protocol::signin::Scope;
use serde::Deserialize;
use service::Problem;
use service::rate::RetryAfter;

use crate::door::Caller;
use crate::feed::{self, Ask};
use crate::{Api, Shared, problems};

/// Longest wait for something to happen, seconds.
pub(crate) const WAIT_MAX_S: u64 = 60;
/// Requests of one key that may wait at once.
pub(crate) const WAITS_PER_KEY_MAX: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    wait: u64,
    #[serde(default)]
    log: PublicLog,
    #[serde(default)]
    types: String,
}

pub(crate) async fn get(
    State(api): State<Shared>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<FeedPage>, Problem> {
    let Query(asked) =
        asked.map_err(|rejection| problems::query("after, limit, wait, log and types", &rejection))?;
    let types = types(&asked.types, asked.log)?;
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        let detail = format!("use limit=1 to limit={PAGE_MAX}, and after=<next> for more");
        return Err(problems::unprocessable("limit_out_of_range", format!("the limit is {limit}"), detail));
    }
    if asked.wait > WAIT_MAX_S {
        let detail = format!("use wait=0 to wait={WAIT_MAX_S} seconds, and ask again when nothing came");
        return Err(problems::unprocessable(
            "wait_out_of_range",
            format!("the wait is {} s", asked.wait),
            detail,
        ));
    }
    if caller.canary().is_some() && (asked.log != PublicLog::Contacts || asked.wait > 0) {
        return Err(problems::scope_missing(Scope::EventsRead));
    }
    not_ahead(&api, asked.log, asked.after).await?;
    if caller.canary().is_some() {
        return feed::position(&api, asked.after).await.map(Json);
    }
    let words = caller.may(Scope::ContactsRead).is_ok();
    let ask = Ask { log: asked.log, after: asked.after, limit, types: &types };
    let first = feed::page(&api, ask, words).await?;
    if !first.events.is_empty() || first.behind > 0 || asked.wait == 0 {
        return Ok(Json(first));
    }
    let _place = api.feeds.wait(caller.id(), WAITS_PER_KEY_MAX).ok_or_else(too_many_waiting)?;
    wait(&api, ask, words, Duration::from_secs(asked.wait), first).await.map(Json)
}

/// Asks again whenever the log has grown, until there is something or the time is up.
pub(crate) async fn wait(
    api: &Api,
    ask: Ask<'_>,
    words: bool,
    at_most: Duration,
    mut found: FeedPage,
) -> Result<FeedPage, Problem> {
    let mut newer = api.feeds.end(ask.log).newer();
    let deadline = tokio::time::Instant::now() + at_most;
    let ended = api.kit.drain.token();
    while found.events.is_empty() {
        if *newer.borrow_and_update() <= found.next {
            tokio::select! {
                _ = newer.changed() => {}
                () = tokio::time::sleep_until(deadline) => break,
                // Whoever waits comes again, to the process that comes after this one.
                () = ended.cancelled() => break,
            }
        }
        found = feed::page(api, Ask { after: found.next, ..ask }, words).await?;
        if tokio::time::Instant::now() >= deadline {
            break;
        }
    }
    Ok(found)
}

/// A reader that has read more than there is reads another log than before: its books do not fit ours any more.
pub(crate) async fn not_ahead(api: &Api, log: PublicLog, after: u64) -> Result<(), Problem> {
    if after <= api.feeds.end(log).last() {
        return Ok(());
    }
    // Perhaps it read at another process of ours, which is further.
    let last = newest(api, log).await?;
    if after <= last { Ok(()) } else { Err(cursor_ahead(last)) }
}

/// Where a log ends now, as the server knows it.
pub(crate) async fn newest(api: &Api, log: PublicLog) -> Result<u64, Problem> {
    let usage = api.bus.stream_usage(log.stream()).await.map_err(|error| {
        tracing::warn!(%error, "failed to look at the log");
        problems::bus_unavailable()
    })?;
    Ok(usage.last_seq)
}

fn cursor_ahead(last: u64) -> Problem {
    let title = "the log ends before your cursor";
    let detail = "it was restored from a backup, or it is another one: what you hold may not have happened here. Take stock, \
                  and read on from `last`, or from 0 to begin anew";
    Problem::new(StatusCode::GONE, "cursor_ahead", title, detail).with("last", last)
}

fn too_many_waiting() -> Problem {
    let title = "too many requests of this key wait already";
    let detail = format!("let at most {WAITS_PER_KEY_MAX} wait at once, or ask with wait=0");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", title, detail)
        .retry_after(RetryAfter(Duration::from_secs(1)))
}

/// Reads the types of a query; none: all.
pub(crate) fn types(text: &str, log: PublicLog) -> Result<BTreeSet<PublicType>, Problem> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse::<PublicType>().ok().filter(|kind| kind.log() == log).ok_or_else(|| unknown_type(log))
        })
        .collect()
}

pub(crate) fn unknown_type(log: PublicLog) -> Problem {
    let there = PublicType::ALL.iter().filter(|kind| kind.log() == log).map(|kind| kind.as_str());
    let detail = format!("this log has {}", there.collect::<Vec<_>>().join(", "));
    problems::unprocessable("unknown_type", "there is no such type of event in this log", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_log() {
        let of = |text| types(text, PublicLog::Contacts).map_err(|problem| problem.code);
        assert_eq!(of(""), Ok(BTreeSet::new()));
        let both = BTreeSet::from([PublicType::ContactOpened, PublicType::MessageSent]);
        assert_eq!(of("message.sent, contact.opened,"), Ok(both));
        assert_eq!(of("contact.eaten"), Err("unknown_type"));
        assert_eq!(of("remedy.given"), Err("unknown_type"));
        assert!(types("remedy.given", PublicLog::Remedies).is_ok());
    }
}
