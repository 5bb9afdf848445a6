//! `PUT /api/v1/policy`: the policy of what agents may give, in place of the one in force.
//!
//! Its hash is [`bus::IdHasher::content`] of its JSON as serde writes it, whose order of fields and names is fixed.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use bus::Deadline;
use protocol::api::PolicyApplied;
use protocol::audit::{About, Action};
use protocol::input::REPLACES;
use protocol::integration::PublicLog;
use protocol::policy::{Policy, PolicyFault, PolicyInput};
use protocol::remedies::RemedyInput;
use protocol::remedy::EmpowermentInput;
use protocol::till::PolicyChecked;
use protocol::{Hash128, NoticeId, RemedyCause, RemedyEvent, RemedyRecord};
use service::Problem;
use service::http::read_json;

use crate::config::Asked;
use crate::door::Caller;
use crate::{Api, CONFIG_BYTES_MAX, Shared, empowerment, problems, publish, trail};

/// How long the worker may take to look at a policy.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(5);
/// Records that are looked through at once for the one that a policy led to.
const LOOKED_MAX: usize = 256;

/// What became of a policy.
enum Settled {
    /// It is in force since this record.
    Applied(u64),
    /// The worker does not use it.
    Refused { faults: Vec<PolicyFault>, in_force: Hash128 },
}

/// Checked by the worker before it is stored, so that a faulty one is answered with its faults and changes nothing.
pub(crate) async fn put(
    State(api): State<Shared>,
    caller: Caller,
    asked: Result<Query<Asked>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<PolicyApplied>, Problem> {
    let Query(Asked { if_hash: replaces }) =
        asked.map_err(|rejection| problems::query("if_hash", &rejection))?;
    let bytes = body.map_err(|rejection| problems::body(&rejection, CONFIG_BYTES_MAX))?;
    let policy: Policy = read_json(&bytes)?;
    caller.for_all_queues()?;
    let json = publish::json(&policy)?;
    let hash = api.hasher.content(&json);
    let faults = checked(&api, json).await?;
    if !faults.is_empty() {
        return Err(faulty(&faults));
    }
    trail::note(&api, &caller, Action::PolicyPublished, About::hash(hash)).await?;
    let id = NoticeId(uuid::Uuid::now_v7());
    let input = EmpowermentInput::Policy(Box::new(PolicyInput { id, hash, policy, replaces }));
    let after = api.feeds.end(PublicLog::Remedies).last();
    empowerment::store(&api, &id.to_string(), input).await?;
    tracing::info!(%hash, "a policy was published");
    let wait = api.kit.settings.desk.command_wait;
    match tokio::time::timeout(wait, settled(&api, id, after)).await {
        Ok(Ok(Settled::Applied(log_seq))) => Ok(Json(PolicyApplied { hash, log_seq })),
        Ok(Ok(Settled::Refused { faults, in_force })) => {
            let is_late = faults.iter().any(|fault| fault.path == REPLACES);
            Err(if is_late { changed(in_force) } else { faulty(&faults) })
        }
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(open(hash)),
    }
}

/// What the worker finds wrong with a policy.
async fn checked(api: &Api, json: Vec<u8>) -> Result<Vec<PolicyFault>, Problem> {
    let subject = api.subjects.policy_check();
    let answer = api.bus.request(&subject, json.into(), Deadline::after(CHECK_WAIT_MAX)).await;
    let answer = answer.map_err(|error| {
        tracing::warn!(%error, "the worker did not look at a policy");
        let detail = "nothing changed: the empowerment role did not answer, try again when it is up";
        Problem::unavailable("worker_silent", detail.to_owned())
    })?;
    let checked: PolicyChecked = serde_json::from_slice(&answer).map_err(|error| {
        tracing::error!(line = error.line(), "the worker's answer does not read");
        Problem::internal()
    })?;
    Ok(checked.faults)
}

/// Waits for the record that a policy led to, which comes after the one that was the newest before it was stored.
///
/// # Errors
/// When the log cannot be read: what became of it is open then.
async fn settled(api: &Api, id: NoticeId, mut after: u64) -> Result<Settled, Problem> {
    let end = api.feeds.end(PublicLog::Remedies);
    let mark = id.to_string();
    let mut newer = end.newer();
    loop {
        // Marked as seen before it is read: what comes while it is read is looked for again.
        newer.borrow_and_update();
        loop {
            let records = end.read(&api.bus, after, LOOKED_MAX).await?;
            let Some((last, _)) = records.last() else { break };
            after = *last;
            for (seq, payload) in &records {
                // Most records need no further look.
                let is_named = payload.windows(mark.len()).any(|window| window == mark.as_bytes());
                if is_named && let Some(settled) = outcome(*seq, payload, id)? {
                    return Ok(settled);
                }
            }
        }
        newer.changed().await.map_err(|_| problems::bus_unavailable())?;
    }
}

/// What a record says of the policy of this input, if it is about it.
fn outcome(seq: u64, payload: &[u8], id: NoticeId) -> Result<Option<Settled>, Problem> {
    let record: RemedyRecord = serde_json::from_slice(payload).map_err(|error| {
        tracing::error!(seq, line = error.line(), "a record of what was given does not read");
        Problem::internal()
    })?;
    let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = record.cause else {
        return Ok(None);
    };
    let EmpowermentInput::Policy(input) = input else { return Ok(None) };
    if input.id != id {
        return Ok(None);
    }
    Ok(record.events.into_iter().find_map(|event| {
        if let RemedyEvent::PolicyRefused { faults } = event {
            Some(Settled::Refused { faults, in_force: record.policy })
        } else {
            (event == RemedyEvent::PolicyApplied).then_some(Settled::Applied(seq))
        }
    }))
}

/// The hash is zeros where none is in force.
fn changed(in_force: Hash128) -> Problem {
    let detail = "read it again, put your change into it, and send that";
    Problem::new(StatusCode::CONFLICT, "policy_changed", "somebody else changed the policy", detail)
        .with("hash", in_force.to_string())
}

fn faulty(faults: &[PolicyFault]) -> Problem {
    let detail = "nothing changed; correct all of `faults` and send the whole policy again";
    let faults = serde_json::to_value(faults).unwrap_or_default();
    problems::unprocessable("policy_faulty", "the policy cannot be used", detail).with("faults", faults)
}

/// It is stored and will be decided; only the answer is late.
fn open(hash: Hash128) -> Problem {
    let detail =
        "it is stored and is decided when the worker is back: each of its records names the policy in force";
    let title = "the worker has not answered yet";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome_open", title, detail).with("hash", hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Millis;
    use protocol::input::WIRE_VERSION;

    fn policy() -> Policy {
        serde_json::from_str(include_str!("../../empowerment-service/tests/real/policy.json")).unwrap()
    }

    fn record(id: NoticeId, events: Vec<RemedyEvent>) -> Vec<u8> {
        let hash = Hash128([2; 16]);
        let input = EmpowermentInput::Policy(Box::new(PolicyInput {
            id,
            hash,
            policy: policy(),
            replaces: Some(Hash128([1; 16])),
        }));
        let input = RemedyInput::Input { input, context: None };
        let cause = RemedyCause::Contacts { seq: 7, input };
        let record = RemedyRecord { v: WIRE_VERSION, at: Millis(1), epoch: 1, policy: hash, cause, events };
        serde_json::to_vec(&record).unwrap()
    }

    #[test]
    fn what_became_of_a_policy_stands_in_the_record_that_it_led_to() {
        let id = |n| NoticeId(uuid::Uuid::from_u128(n));
        let of = |payload: &[u8]| outcome(9, payload, id(1)).unwrap();
        assert!(matches!(of(&record(id(1), vec![RemedyEvent::PolicyApplied])), Some(Settled::Applied(9))));
        assert!(of(&record(id(2), vec![RemedyEvent::PolicyApplied])).is_none(), "another one's");
        let faults = vec![PolicyFault { path: REPLACES.to_owned(), message: String::new() }];
        let refused = record(id(1), vec![RemedyEvent::PolicyRefused { faults: faults.clone() }]);
        let Some(Settled::Refused { faults: told, in_force }) = of(&refused) else { panic!("it is refused") };
        assert_eq!((told, in_force), (faults, Hash128([2; 16])));
    }
}
