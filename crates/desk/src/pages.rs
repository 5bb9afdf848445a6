//! What the desk's pages read over HTTP: the report, the policy, the wallets. Who does not lead sees only their own.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::Deadline;
use protocol::config::Role;
use protocol::delivery::AccountsAnswer;
use protocol::desk::Colleague;
use protocol::policy::Policy;
use protocol::till::{Wallets, WalletsQuestion};
use protocol::views::{
    EmpowermentQuestion, EmpowermentReport, FeedbackQuestion, FeedbackReport, FloorQuestion, FloorReport,
    HourCount, WhyQuestion,
};
use protocol::{AgentId, ContactId, Hash128, Subject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use service::{Problem, RetryAfter};

use crate::projection::Sought;
use crate::sessions::{self, NotSignedIn, Session};
use crate::{Gateway, files};

/// How long the read models or the worker have to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How long a page waits for the logs to be read after a start.
const LOGS_WAIT: Duration = Duration::from_secs(5);
/// When a page is to ask again.
const ASK_AGAIN: RetryAfter = RetryAfter(Duration::from_secs(2));
/// Days in a report, if not said.
const DAYS: u32 = 30;
/// Most days of hours in a report.
const HOURS_DAYS_MAX: u32 = 31;
/// Longest part of a name that is sought, bytes.
const NAME_BYTES_MAX: usize = 200;
/// Most days in a report.
pub(crate) const DAYS_MAX: u32 = 366;

/// What of a report is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    days: Option<u32>,
}

/// Who is sought.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// What their name contains; nothing for anybody.
    #[serde(default)]
    words: String,
}

/// Who was found.
#[derive(Serialize)]
struct Colleagues {
    colleagues: Vec<Colleague>,
    /// How many more there are of that name.
    more: u32,
}

/// The policy in force.
#[derive(Serialize)]
struct PolicyPage {
    /// Up to which record of REMEDIES.
    log_seq: u64,
    hash: Hash128,
    policy: Arc<Policy>,
}

pub(crate) async fn report(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let days = wanted.map_err(|_| wrong_days())?.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(wrong_days());
    }
    let question = EmpowermentQuestion { days, agent: own_only(&gateway, agent) };
    let silent = || silent("report_silent", "the report cannot be had now");
    let report: Option<EmpowermentReport> =
        ask(&gateway, &gateway.subjects.views_empowerment(), &question).await;
    Ok(shown(report.ok_or_else(silent)?))
}

/// What customers answered: of the queues that somebody leads, or after the contacts that they resolved themselves.
pub(crate) async fn feedback(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let days = wanted.map_err(|_| wrong_days())?.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(wrong_days());
    }
    let authority = gateway.hub.authority_of(agent);
    let leads_some = authority.leads() && !authority.leads_everything();
    let queues = leads_some.then(|| authority.scope.clone());
    let question = FeedbackQuestion { days, queues, agent: (!authority.leads()).then_some(agent) };
    let silent = || silent("report_silent", "the report cannot be had now");
    let report: Option<FeedbackReport> = ask(&gateway, &gateway.subjects.views_feedback(), &question).await;
    Ok(shown(report.ok_or_else(silent)?))
}

pub(crate) async fn wallets(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let question = WalletsQuestion { agent: own_only(&gateway, agent), identity: None };
    let silent = || silent("wallets_silent", "the wallets cannot be had now");
    let wallets: Option<Wallets> = ask(&gateway, &gateway.subjects.wallets(), &question).await;
    Ok(shown(wallets.ok_or_else(silent)?))
}

pub(crate) async fn policy(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    signed_in(&extensions)?;
    let Some((log_seq, hash, policy)) = gateway.hub.policy() else {
        let detail = "ask a lead to load one with `winterband config apply`";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_policy", "no policy is in force yet", detail));
    };
    Ok(shown(PolicyPage { log_seq, hash, policy }))
}

/// Colleagues by name, who is there first: the floor's frame does not hold them all.
pub(crate) async fn colleagues(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    named: Result<Query<Named>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let Query(Named { words }) = named.map_err(|_| wrong_words())?;
    if words.len() > NAME_BYTES_MAX {
        return Err(wrong_words());
    }
    let (colleagues, more) = gateway.hub.colleagues_named(agent, &words);
    Ok(shown(Colleagues { colleagues, more }))
}

/// The floor as it is now, for who leads: the queues that they lead.
pub(crate) async fn floor_now(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    sought: Result<Query<Sought>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let Query(sought) = sought.map_err(|_| wrong_filter())?;
    let authority = gateway.hub.authority_of(agent);
    Ok(shown(gateway.hub.supervised(gateway.now(), &authority, &sought)))
}

/// How the accounts of channels are doing, for who leads; none if nobody says.
pub(crate) async fn accounts(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
) -> Result<Response, Problem> {
    signed_in(&extensions)?;
    let answer: Option<AccountsAnswer> = ask(&gateway, &gateway.subjects.channel_accounts(), &()).await;
    Ok(shown(answer.unwrap_or_default()))
}

/// How queues went, hour by hour, for who leads.
pub(crate) async fn floor_hours(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    Ok(shown(hours(&gateway, &extensions, wanted).await?))
}

/// The same for a spreadsheet.
pub(crate) async fn floor_csv(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let report = hours(&gateway, &extensions, wanted).await?;
    let mut csv =
        "queue,from,arrived,answered,in_time,mean_wait_s,abandoned,resolved,handed_on,reopened\n".to_owned();
    for HourCount {
        queue,
        from,
        arrived,
        answered,
        in_time,
        waited_ms,
        abandoned,
        resolved,
        handed_on,
        reopened,
    } in &report.hours
    {
        let mean_s = waited_ms.checked_div(*answered).unwrap_or(0) / 1_000;
        let from = from.rfc3339();
        // Numbers, and names of queues, whose letters have not to be quoted and make no formula that does anything, even behind a `-`. Words of
        // people would have to be quoted, with a `'` before = + - @ and tab.
        let line = format!(
            "{queue},{from},{arrived},{answered},{in_time},{mean_s},{abandoned},{resolved},{handed_on},{reopened}\n"
        );
        csv.push_str(&line);
    }
    let kind = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"floor.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((kind, csv).into_response())
}

/// Why a contact is where it is, in the router's own words, for who leads or has it.
pub(crate) async fn why(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(contact): Path<String>,
) -> Result<Response, Problem> {
    let subject = gateway.subjects.explain();
    of_contact(&gateway, &extensions, &contact, &subject).await
}

/// Why a contact was offered to whom, at each offer, or how far the log was read for it.
pub(crate) async fn decisions(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(contact): Path<String>,
) -> Result<Response, Problem> {
    let subject = gateway.subjects.decisions();
    of_contact(&gateway, &extensions, &contact, &subject).await
}

/// What the router answers about a contact, for who leads or has it.
async fn of_contact(
    gateway: &Gateway,
    extensions: &Extensions,
    contact: &str,
    subject: &Subject,
) -> Result<Response, Problem> {
    let agent = signed_in(extensions)?;
    let unknown = || {
        let detail = "choose one from the list: it may have ended meanwhile";
        Problem::new(StatusCode::NOT_FOUND, "unknown_contact", "there is no such contact", detail)
    };
    let contact: ContactId = contact.parse().map_err(|_| unknown())?;
    if !gateway.hub.leads(agent, contact) && gateway.hub.may_read(agent, contact).is_none() {
        return Err(files::not_yours());
    }
    let answer: Option<serde_json::Value> = ask(gateway, subject, &WhyQuestion { contact }).await;
    Ok(shown(answer.ok_or_else(|| silent("router_silent", "the router does not answer now"))?))
}

async fn hours(
    gateway: &Gateway,
    extensions: &Extensions,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<FloorReport, Problem> {
    let agent = signed_in(extensions)?;
    let days = wanted.map_err(|_| wrong_days())?.days.unwrap_or(1);
    if !(1..=HOURS_DAYS_MAX).contains(&days) {
        return Err(wrong_days());
    }
    let silent = || silent("report_silent", "the report cannot be had now");
    let report = ask(gateway, &gateway.subjects.views_floor(), &FloorQuestion { days }).await;
    let mut report: FloorReport = report.ok_or_else(silent)?;
    let authority = gateway.hub.authority_of(agent);
    report.hours.retain(|hour| authority.leads_queue(&hour.queue));
    Ok(report)
}

fn leads_only() -> Problem {
    let detail = "ask a lead, or have `role = \"lead\"` set for you in routing.toml";
    Problem::new(StatusCode::FORBIDDEN, "leads_only", "only who leads may do this", detail)
}

fn wrong_filter() -> Problem {
    let detail = "queue is a name, state one of waiting, offered, with_agent, aside, wrap_up, agent an id; all may be left out";
    Problem::new(StatusCode::BAD_REQUEST, "wrong_filter", "this is no filter", detail)
}

/// Who asks: the door of the route has let them in.
pub(crate) fn signed_in(extensions: &Extensions) -> Result<AgentId, Problem> {
    if let Some(session) = extensions.get::<Session>() {
        return Ok(session.agent);
    }
    Err(extensions.get::<NotSignedIn>().map_or_else(sessions::signed_out, |NotSignedIn(why)| why.clone()))
}

/// Waits until the logs say who leads and what is in force.
pub(crate) async fn logs_read(gateway: &Gateway) -> Result<(), Problem> {
    let read = tokio::time::timeout(LOGS_WAIT, gateway.hub.caught_up()).await;
    read.map_err(|_| silent("starting", "this server is still reading the logs"))
}

/// What somebody is told whose role is not enough.
pub(crate) fn not_your_role(least: Role) -> Problem {
    if least == Role::Lead {
        return leads_only();
    }
    let word = serde_json::to_value(least).unwrap_or_default();
    let word = word.as_str().unwrap_or_default().to_owned();
    let detail = format!("ask for the role {word}, or somebody who has it");
    Problem::new(StatusCode::FORBIDDEN, "role_missing", "your role may not do this", detail)
        .with("role", word)
}

fn own_only(gateway: &Gateway, agent: AgentId) -> Option<AgentId> {
    (!gateway.hub.is_lead(agent)).then_some(agent)
}

pub(crate) async fn ask<T: DeserializeOwned>(
    gateway: &Gateway,
    subject: &Subject,
    question: &impl Serialize,
) -> Option<T> {
    let bytes = serde_json::to_vec(question).ok()?;
    let deadline = Deadline::after(ANSWER_WAIT);
    let asked = gateway.bus.request(subject, bytes.into(), deadline);
    let answer = tokio::time::timeout(deadline.left(), asked).await.ok()?;
    let answer = answer.inspect_err(|error| tracing::debug!(%error, "a page goes without")).ok()?;
    serde_json::from_slice(&answer)
        .inspect_err(|error| tracing::warn!(%error, "an answer for a page does not read"))
        .ok()
}

pub(crate) fn shown(page: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(page)).into_response()
}

pub(crate) fn silent(code: &'static str, title: &'static str) -> Problem {
    let detail = "look again in a moment; everything else at the desk works without it";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail).retry_after(ASK_AGAIN)
}

fn wrong_words() -> Problem {
    let detail = format!("ask as in /desk/colleagues?words=ann, with at most {NAME_BYTES_MAX} bytes");
    Problem::new(StatusCode::BAD_REQUEST, "wrong_words", "this is no part of a name", detail)
}

fn wrong_days() -> Problem {
    let detail = format!("ask as in /desk/report?days=30, for 1 to {DAYS_MAX} days");
    Problem::new(StatusCode::BAD_REQUEST, "wrong_days", "these are no days of a report", detail)
}
