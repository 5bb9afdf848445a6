//! Durable before it is answered: what a failure to store or to seal means for the caller.

use std::time::Duration;

use bus::{Deadline, PublishError, Published, RoomLevel, SealError};
use bytes::Bytes;
use protocol::content::Sealed;
use protocol::{IdentityId, Subject, streams};
use service::Problem;

use crate::{Api, problems};

/// How long a message is tried to be stored: a server's restart takes one or two seconds, an election eight.
const PUBLISH_WAIT_MAX: Duration = Duration::from_secs(15);

/// Stores a message; the answer is given after the acknowledgement.
pub(crate) async fn store(
    api: &Api,
    subject: &Subject,
    msg_id: &str,
    payload: Vec<u8>,
) -> Result<Published, Problem> {
    let deadline = Deadline::after(PUBLISH_WAIT_MAX);
    let stream = if *subject == api.subjects.parked() { streams::PARKED } else { streams::INBOUND };
    let span = api.traced.sending(stream);
    let trace = span.context();
    api.bus.publish_traced(subject, msg_id, Bytes::from(payload), trace.as_ref(), deadline).await.map_err(
        |error| match error {
            PublishError::Full => problems::storage_full(),
            PublishError::TooLarge => problems::too_large_to_keep(),
            PublishError::Unavailable(reason) => no_answer(api, "store", &reason),
            PublishError::NotYet(not_yet) => problems::not_all_upgraded(&not_yet),
            PublishError::Refused(reason) => {
                tracing::error!(reason, "the bus refuses inputs");
                Problem::internal()
            }
        },
    )
}

/// Seals personal data before it leaves this process.
pub(crate) async fn seal(api: &Api, identity: IdentityId, plain: &[u8]) -> Result<Sealed, Problem> {
    api.sealer.seal(identity, plain).await.map_err(|error| match error {
        SealError::TooLarge => problems::too_large_to_keep(),
        SealError::Unavailable(reason) => no_answer(api, "seal", &reason),
        SealError::WrongMasterKey | SealError::NoRandom => {
            tracing::error!(%error, "inputs cannot be sealed");
            Problem::internal()
        }
    })
}

/// A server that meets a full disk does not say so: it answers no more.
fn no_answer(api: &Api, what: &str, reason: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%reason, what, "the bus did not answer, the sender of an input was told to come back");
    match api.bus.room().level() {
        RoomLevel::NothingOfCustomers => problems::storage_full(),
        RoomLevel::All | RoomLevel::NoNewContacts => problems::bus_unavailable(),
    }
}

/// What is ours always becomes JSON; should it not, the caller is told and a person looks.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "failed to write JSON");
        Problem::internal()
    })
}
