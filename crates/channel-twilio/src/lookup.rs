//! Whether Twilio has a message of which nobody knows: it takes no id of ours, but lists what was sent
//! (https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources).

use channel::{HttpAnswer, HttpRequest, Millis, Outbound, Verdict};
use serde::Deserialize;
use serde_json::Value;

use crate::kind::Kind;
use crate::settings::From;
use crate::{Account, date, form, outbound};

/// How much earlier than we handed it over it may have been made, ms: Twilio's clock is another, and tells whole seconds.
const EARLIER_MS: u64 = 2000;
/// Messages of one answer.
const PAGE_SIZE: &str = "50";
/// What stands before every message of a trial account (https://www.twilio.com/docs/usage/tutorials/how-to-use-your-free-trial-account).
const TRIAL: &str = "Sent from your Twilio trial account - ";

#[derive(Deserialize)]
struct List {
    messages: Vec<Value>,
}

#[derive(Deserialize)]
struct Listed {
    sid: String,
    to: Option<String>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
}

/// The words of each message that an entry was sent in; `None` where the first has none, by which it would be told from another.
fn bodies<K: Kind>(account: &Account<K>, outbound: &Outbound<'_>) -> Option<Vec<String>> {
    let is_template = outbound.content.is_some_and(|content| content.template.is_some());
    let bodies: Vec<String> = if is_template {
        // What the customer reads, and what Twilio lists.
        vec![outbound.text.unwrap_or_default().trim().to_owned()]
    } else {
        outbound::parts(account, outbound).ok()?.into_iter().map(|part| part.body).collect()
    };
    let has_words = bodies.first().is_some_and(|body| !body.is_empty());
    has_words.then_some(bodies)
}

fn earliest(since: Millis) -> Millis {
    Millis(since.0.saturating_sub(EARLIER_MS))
}

/// Asks for what went to that customer since that day; more exactly it cannot be asked.
pub(crate) fn ask<K: Kind>(
    account: &Account<K>,
    outbound: &Outbound<'_>,
    since: Millis,
) -> Option<HttpRequest> {
    bodies(account, outbound)?;
    let to = format!("{}{}", K::PREFIX, outbound.to?.identity);
    let day = earliest(since).rfc3339();
    let mut pairs = vec![("To", to.as_str())];
    if let From::Number(number) = account.sender.from() {
        pairs.push(("From", number.as_str()));
    }
    // The name has the `>`: `DateSent>=2026-12-01`.
    pairs.extend([("DateSent>", day.get(..10)?), ("PageSize", PAGE_SIZE)]);
    Some(account.get(format!("{}?{}", account.resource("/Messages.json"), form::write(&pairs))))
}

/// Twilio has an entry if each of its messages is there as often as it was sent. What is not there may still come.
pub(crate) fn found<K: Kind>(
    account: &Account<K>,
    outbound: &Outbound<'_>,
    since: Millis,
    answer: &HttpAnswer,
) -> Verdict {
    let unknown = |reason| Verdict::Unknown { reason };
    let (Some(bodies), Some(to)) = (bodies(account, outbound), outbound.to) else {
        return unknown("no_answer");
    };
    let to = format!("{}{}", K::PREFIX, to.identity);
    let HttpAnswer::Status { status: 200, body, .. } = answer else { return unknown("no_answer") };
    let Ok(list) = serde_json::from_slice::<List>(body) else { return unknown("no_answer") };
    let all = list.messages.iter().filter_map(|one| Listed::deserialize(one).ok());
    let ours: Vec<Listed> = all.filter(|one| is_ours(account, one, &to, earliest(since))).collect();
    let with = |wanted: &str| -> Vec<&Listed> { ours.iter().filter(|one| says(one, wanted)).collect() };
    let sent = |wanted: &str| bodies.iter().filter(|body| *body == wanted).count();
    let Some(first) = bodies.first() else { return unknown("no_answer") };
    let firsts = with(first);
    // More than were sent: another entry says the same.
    if firsts.is_empty() || firsts.len() > sent(first) {
        return unknown("no_answer");
    }
    // Files alone are like any others.
    if bodies.iter().any(|body| body.is_empty() || with(body).len() != sent(body)) {
        return unknown("in_part");
    }
    // The newest is listed first.
    Verdict::Accepted { provider_id: firsts.last().map(|one| one.sid.clone()) }
}

fn is_ours<K: Kind>(account: &Account<K>, one: &Listed, to: &str, earliest: Millis) -> bool {
    let is_from = match account.sender.from() {
        From::Number(number) => one.from.as_ref() == Some(number),
        From::Service(service) => one.messaging_service_sid.as_ref() == Some(service),
    };
    let is_outbound = one.direction.as_deref().is_some_and(|direction| direction.starts_with("outbound"));
    let made_at = one.date_created.as_deref().and_then(date::read);
    is_from
        && is_outbound
        && one.to.as_deref() == Some(to)
        && made_at.is_some_and(|made_at| made_at >= earliest)
}

fn says(one: &Listed, wanted: &str) -> bool {
    let body = one.body.as_deref().unwrap_or_default();
    body == wanted || body.strip_prefix(TRIAL) == Some(wanted)
}
