//! The audit trail: what is written to it here, and `GET /api/v1/audit`.
//!
//! An entry is written before what it tells of happens. So nothing happens that stands nowhere; what fails afterwards has an entry too
//! many, which says what was tried. When the trail is full or away, what it would have told of is refused.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use bus::{AUDIT_PAGE_MAX, AuditError, AuditReadError};
use protocol::Millis;
use protocol::audit::{About, Action, AuditPage};
use serde::Deserialize;
use service::Problem;

use crate::door::Caller;
use crate::problems::{self, unprocessable};
use crate::{Api, Shared};

/// Entries in one answer, if not said otherwise.
const PAGE: usize = 100;

/// Which part of the trail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Entries after this number.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// Writes down what a caller is about to do.
///
/// # Errors
/// When it cannot be written: then it must not happen.
pub(crate) async fn note(api: &Api, caller: &Caller, action: Action, about: About) -> Result<(), Problem> {
    let at = Millis(api.kit.clock.unix_ms());
    api.audit.append(at, caller.actor(), action, about).await.map(drop).map_err(|error| match error {
        AuditError::Full => {
            tracing::error!(
                "the audit trail is full: changes and looks are refused until streams.audit_max is raised"
            );
            problems::audit_full()
        }
        AuditError::Unavailable(reason) => {
            tracing::warn!(reason, "the audit trail was not written");
            problems::audit_unavailable()
        }
    })
}

pub(crate) async fn list(
    State(api): State<Shared>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<AuditPage>, Problem> {
    let Query(part) = part.map_err(|rejection| {
        let detail = format!("use after=<n> and limit=<n>: {}", rejection.body_text());
        unprocessable("query_malformed", "the query is not as expected", detail)
    })?;
    let limit = part.limit.unwrap_or(PAGE);
    if !(1..=AUDIT_PAGE_MAX).contains(&limit) {
        let detail = format!("use limit=1 to limit={AUDIT_PAGE_MAX}, and after=<next> for more");
        return Err(unprocessable("limit_out_of_range", format!("the limit is {limit}"), detail));
    }
    api.audit.page(part.after, limit).await.map(Json).map_err(|error| match error {
        AuditReadError::Unreadable(n) => {
            tracing::error!(entry = n, "an entry of the audit trail does not read");
            problems::audit_broken(n)
        }
        AuditReadError::Stream(_) | AuditReadError::Tail(_) => {
            tracing::warn!(%error, "the audit trail was not read");
            problems::bus_unavailable()
        }
    })
}
