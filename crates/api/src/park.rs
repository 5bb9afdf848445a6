//! Keeps bytes that could not become an input, sealed with a key of their own.

use protocol::formats::FIRST;
use protocol::parked::Parked;
use protocol::{ChannelKind, IdentityId, Millis, ParkedId, SubjectToken};
use service::Problem;

use crate::{Api, NAME, problems, publish};

/// Stores the bytes in PARKED and gives the id under which they are found.
///
/// Fails with the sender's problem when they cannot be kept: the sender then knows that nobody else has them.
pub(crate) async fn park(
    api: &Api,
    bytes: &[u8],
    reason: &'static str,
    detail: String,
    account: Option<SubjectToken>,
    at: Millis,
) -> Result<ParkedId, Problem> {
    let id = ParkedId(uuid::Uuid::now_v7());
    let sealed = publish::seal(api, identity(api, id), bytes).await?;
    let channel = Some(ChannelKind::Api);
    let reason = reason.to_owned();
    let (inbound_seq, replays) = (None, None);
    let parked =
        Parked { v: FIRST, id, at, channel, account, reason, detail, inbound_seq, replays, bytes: sealed };
    let stored = publish::store(api, &api.subjects.parked(), &id.to_string(), publish::json(&parked)?).await;
    stored
        .map_err(|problem| if problem.code == "storage_full" { problems::parked_full() } else { problem })?;
    api.kit.metrics.parked_total.inc([NAME, &parked.reason]);
    tracing::warn!(parked = %id, reason = parked.reason, "a body was parked");
    Ok(id)
}

/// Nobody knows whose words they are, so they have a key of their own, which can be destroyed alone.
fn identity(api: &Api, id: ParkedId) -> IdentityId {
    api.hasher.identity(ChannelKind::Api, "parked", &id.to_string())
}
