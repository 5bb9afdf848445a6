//! What agents change and whose files they look into, written to the audit trail, and the trail for who supervises.
//!
//! An entry is written before what it tells of happens, and what cannot be written does not happen. So a trail that is full or away stops
//! changes and looks into files; the contacts that an agent has come by their desk's socket, and go on.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use bus::{AUDIT_PAGE_MAX, AuditError};
use protocol::audit::{About, Action, Actor};
use protocol::{AgentId, ContactId, ConversationId, ExportId, IdentityId};
use serde::Deserialize;
use service::{Problem, RetryAfter};

use crate::{Gateway, pages};

/// One entry is enough for what an agent sees of a conversation in this time.
const LOOK_COUNTS_FOR: Duration = Duration::from_secs(600);
/// Looks remembered; past it they are forgotten, and the next ones make entries anew.
const LOOKS_KEPT_MAX: usize = 50_000;
/// Entries on a page, if not said otherwise.
const PAGE: usize = 100;
/// When to try again what a full trail refused: a person has to make it larger.
const FULL_RETRY: RetryAfter = RetryAfter(Duration::from_secs(30));

/// Whose file was looked into.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum File {
    Conversation(ConversationId),
    Identity(IdentityId),
    Export(ExportId),
    Trail,
}

/// The looks of the last minutes, so that one entry tells of them.
#[derive(Default)]
pub(crate) struct Looks(Mutex<Recent<(AgentId, Action, File)>>);

/// What happened lately, by the monotonic clock.
struct Recent<K>(HashMap<K, Duration>);

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Recent<K> {
    fn has(&self, key: &K, now: Duration) -> bool {
        self.0.get(key).is_some_and(|at| now.saturating_sub(*at) < LOOK_COUNTS_FOR)
    }

    fn note(&mut self, key: K, now: Duration) {
        if self.0.len() >= LOOKS_KEPT_MAX {
            self.0.retain(|_, at| now.saturating_sub(*at) < LOOK_COUNTS_FOR);
        }
        if self.0.len() >= LOOKS_KEPT_MAX {
            self.0.clear();
        }
        self.0.insert(key, now);
    }
}

/// Writes down what an agent is about to do.
///
/// # Errors
/// When it cannot be written: then it must not happen.
pub(crate) async fn note(
    gateway: &Gateway,
    agent: AgentId,
    action: Action,
    about: About,
) -> Result<(), Problem> {
    let written = gateway.audit.append(gateway.now(), Actor::Agent(agent), action, about).await;
    written.map(drop).map_err(|error| match error {
        AuditError::Full => {
            tracing::error!(
                "the audit trail is full: changes and looks are refused until streams.audit_max is raised"
            );
            let detail =
                "nothing was done: whoever runs this system has to raise streams.audit_max; then try again";
            let title = "there is no room to write down who does this";
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "audit_full", title, detail)
                .retry_after(FULL_RETRY)
        }
        AuditError::Unavailable(reason) => {
            tracing::warn!(reason, "the audit trail was not written");
            Problem::unavailable("audit_unavailable", "who does this cannot be written down now")
        }
    })
}

/// Writes down that an agent sees a conversation, or who its customer is.
///
/// # Errors
/// When it cannot be written: then it must not be shown.
pub(crate) async fn look(
    gateway: &Gateway,
    agent: AgentId,
    action: Action,
    conversation: ConversationId,
) -> Result<(), Problem> {
    once(gateway, agent, action, File::Conversation(conversation), About::conversation(conversation)).await
}

/// Writes down that an agent is given a file of a customer.
///
/// # Errors
/// When it cannot be written: then it must not be handed out.
pub(crate) async fn look_at_file(
    gateway: &Gateway,
    agent: AgentId,
    contact: Option<ContactId>,
    identity: IdentityId,
) -> Result<(), Problem> {
    let about = About { contact, ..About::identity(identity) };
    once(gateway, agent, Action::FileSeen, File::Identity(identity), about).await
}

/// Writes down that an agent is given all that is held of a customer.
///
/// # Errors
/// When it cannot be written: then it must not be handed out.
pub(crate) async fn fetch(gateway: &Gateway, agent: AgentId, export: ExportId) -> Result<(), Problem> {
    let about = About::id(export.to_string());
    once(gateway, agent, Action::CustomerExported, File::Export(export), about).await
}

async fn once(
    gateway: &Gateway,
    agent: AgentId,
    action: Action,
    file: File,
    about: About,
) -> Result<(), Problem> {
    let key = (agent, action, file);
    let recent = || gateway.looks.0.lock().unwrap_or_else(PoisonError::into_inner);
    if recent().has(&key, gateway.kit.clock.monotonic()) {
        return Ok(());
    }
    note(gateway, agent, action, about).await?;
    recent().note(key, gateway.kit.clock.monotonic());
    Ok(())
}

/// Which part of the trail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Entries before this number; the last ones if it is not said.
    before: Option<u64>,
    limit: Option<usize>,
}

/// The trail, the last entries first asked for, for who supervises.
pub(crate) async fn page(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = pages::signed_in(&extensions)?;
    let Ok(Query(Part { before, limit })) = part else { return Err(wrong_part()) };
    let limit = limit.unwrap_or(PAGE);
    if !(1..=AUDIT_PAGE_MAX).contains(&limit) {
        return Err(wrong_part());
    }
    once(&gateway, agent, Action::AuditSeen, File::Trail, About::nothing()).await?;
    let page = gateway.audit.page_before(before, limit).await.map_err(|error| {
        tracing::warn!(%error, "the audit trail was not read");
        pages::silent("audit_silent", "the audit trail cannot be shown now")
    })?;
    Ok(pages::shown(page))
}

fn wrong_part() -> Problem {
    let detail = format!("ask as in /desk/admin/audit?before=2000&limit=100, for at most {AUDIT_PAGE_MAX}");
    Problem::new(StatusCode::BAD_REQUEST, "wrong_part", "this is no part of the trail", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_counts_for_ten_minutes_and_nothing_is_forgotten_silently() {
        let mut recent = Recent::default();
        let at = Duration::from_secs;
        recent.note(1, at(0));
        assert!(recent.has(&1, at(599)) && !recent.has(&1, at(600)) && !recent.has(&2, at(0)));
        for key in 2..=LOOKS_KEPT_MAX {
            recent.note(key, at(1));
        }
        assert_eq!(recent.0.len(), LOOKS_KEPT_MAX);
        recent.note(0, at(600));
        assert!(!recent.0.contains_key(&1) && recent.has(&2, at(600)), "only what counts no more goes first");
        recent.note(LOOKS_KEPT_MAX + 1, at(600));
        assert_eq!(recent.0.len(), 1, "then all: more entries, never fewer");
    }
}
