//! Every stream and bucket of the product with its limits, in one place; ARCHITECTURE.md has the same table in words.

use std::time::Duration;

use protocol::SubjectToken;
use protocol::streams;
use protocol::subjects::Subjects;

use crate::kv::BucketSpec;
use crate::streams::{Discard, StreamSpec};

/// Largest message of any stream, bytes: a configuration of ten thousand agents fits.
pub const MESSAGE_BYTES_MAX: u32 = 7 * 1024 * 1024;
/// Inputs are kept so long; a router that lags longer would lose some, so readiness is red long before.
pub const INBOUND_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the server itself remembers message ids; beyond it the core does.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Largest entry of the audit trail, bytes: ids and the name of a key.
const AUDIT_ENTRY_BYTES_MAX: u32 = 8 * 1024;
/// All snapshots together, bytes.
pub const SNAPSHOTS_BYTES_MAX: u64 = 4 * GIB;

/// What one integration may have published and nobody has taken, bytes.
pub const EDGE_BYTES_MAX: u64 = 64 * MIB;
/// What is kept of one integration's rejections, bytes; the oldest go.
pub const REJECTED_BYTES_MAX: u64 = 8 * MIB;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How large the streams may grow, bytes; from the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSizes {
    /// INBOUND.
    pub inbound: u64,
    /// CONTACTS.
    pub contacts: u64,
    /// REMEDIES.
    pub remedies: u64,
    /// PARKED.
    pub parked: u64,
    /// DELIVERIES.
    pub deliveries: u64,
}

/// The streams of one cell.
#[must_use]
pub fn all_streams(subjects: &Subjects, sizes: StreamSizes) -> [StreamSpec; 5] {
    let stream = |name: &str, subject, max_bytes, max_age| StreamSpec {
        name: name.to_owned(),
        subjects: vec![subject],
        max_bytes,
        max_age,
        max_message_bytes: MESSAGE_BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        // A full stream refuses: better no promise than a broken one.
        discard: Discard::New,
        is_permanent: false,
    };
    [
        stream(streams::INBOUND, subjects.inbound_all(), sizes.inbound, Some(INBOUND_AGE_MAX)),
        stream(streams::CONTACTS, subjects.contacts(), sizes.contacts, None),
        stream(streams::REMEDIES, subjects.remedies(), sizes.remedies, None),
        stream(streams::PARKED, subjects.parked(), sizes.parked, None),
        stream(streams::DELIVERIES, subjects.deliveries_all(), sizes.deliveries, None),
    ]
}

/// The audit trail of one cell, of this size: nobody deletes from it, not even who may do everything else on the server.
#[must_use]
pub fn audit(subjects: &Subjects, max_bytes: u64) -> StreamSpec {
    StreamSpec {
        name: streams::AUDIT.to_owned(),
        subjects: vec![subjects.audit()],
        max_bytes,
        max_age: None,
        max_message_bytes: AUDIT_ENTRY_BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        discard: Discard::New,
        is_permanent: true,
    }
}

/// Largest that the list of erasures grows, bytes: some hundred thousand of them.
const ERASURES_BYTES_MAX: u64 = 512 * MIB;
/// All exports together that wait to be fetched, bytes.
pub const EXPORTS_BYTES_MAX: u64 = 2 * GIB;

/// The stream of erasures: it outlives every store of keys, so that none that was restored brings anything back.
#[must_use]
pub fn erasures(subjects: &Subjects) -> StreamSpec {
    StreamSpec {
        name: streams::ERASURES.to_owned(),
        subjects: vec![subjects.erasures()],
        max_bytes: ERASURES_BYTES_MAX,
        max_age: None,
        max_message_bytes: MESSAGE_BYTES_MAX,
        duplicate_window: DUPLICATE_WINDOW,
        discard: Discard::New,
        is_permanent: false,
    }
}

/// What an integration published, until it is taken: the bound of what it can leave here. Messages go as soon as they are taken, by
/// their time only if nobody takes them.
#[must_use]
pub fn edge(subjects: &Subjects, integration: &SubjectToken, message_bytes_max: u32) -> StreamSpec {
    StreamSpec {
        name: format!("{}{integration}", streams::EDGE_OF),
        subjects: vec![subjects.edge_all(integration)],
        max_bytes: EDGE_BYTES_MAX,
        max_age: Some(INBOUND_AGE_MAX),
        max_message_bytes: message_bytes_max,
        // The least that the server takes: its ids are the publisher's, and ours are made of what the message says.
        duplicate_window: Duration::from_millis(100),
        discard: Discard::New,
        is_permanent: false,
    }
}

/// What of an integration was refused: the newest of it.
#[must_use]
pub fn rejected(subjects: &Subjects, integration: &SubjectToken) -> StreamSpec {
    StreamSpec {
        name: format!("{}{integration}", streams::REJECTED_OF),
        subjects: vec![subjects.rejected(integration)],
        max_bytes: REJECTED_BYTES_MAX,
        max_age: Some(INBOUND_AGE_MAX),
        max_message_bytes: 16 * 1024,
        duplicate_window: DUPLICATE_WINDOW,
        discard: Discard::Old,
        is_permanent: false,
    }
}

/// Who leads.
#[must_use]
pub fn leases() -> BucketSpec {
    bucket(streams::LEASES, None, MIB, 4 * 1024)
}

/// Which gateway processes live.
#[must_use]
pub fn gateways() -> BucketSpec {
    bucket(streams::GATEWAYS, Some(DAY), MIB, 4 * 1024)
}

/// Which processes live, and what each can read: a row of one that says nothing more goes by itself.
#[must_use]
pub fn members() -> BucketSpec {
    bucket(streams::MEMBERS, Some(crate::MEMBER_TTL), MIB, 4 * 1024)
}

/// Sign-in names and API keys, hashed.
#[must_use]
pub fn accounts() -> BucketSpec {
    bucket(streams::ACCOUNTS, None, 256 * MIB, 4 * 1024)
}

/// Signed-in sessions, hashed.
#[must_use]
pub fn sessions() -> BucketSpec {
    bucket(streams::SESSIONS, Some(7 * DAY), 256 * MIB, 4 * 1024)
}

/// Agents' unsent words, sealed.
#[must_use]
pub fn drafts() -> BucketSpec {
    bucket(streams::DRAFTS, Some(7 * DAY), 256 * MIB, 64 * 1024)
}

/// What customers agreed to.
#[must_use]
pub fn consents() -> BucketSpec {
    bucket(streams::CONSENTS, None, 256 * MIB, 256 * 1024)
}

/// Answers that are written beforehand. A value is an answer at its limits, every byte of it written as six.
#[must_use]
pub fn canned() -> BucketSpec {
    bucket(streams::CANNED, None, 64 * MIB, 64 * 1024)
}

/// What has arrived that suits some customers. A value is an arrival at its limits, every byte of it written as six. The longest window is over
/// by then.
#[must_use]
pub fn arrivals() -> BucketSpec {
    bucket(streams::ARRIVALS, Some(90 * DAY), 64 * MIB, 256 * 1024)
}

/// Who was written to because of an arrival: kept for longer than the arrival itself.
#[must_use]
pub fn approaches() -> BucketSpec {
    bucket(streams::APPROACHES, Some(100 * DAY), 256 * MIB, 4 * 1024)
}

/// Orders for remedies that an integration fetches, sealed, and its answers. One that was not answered is laid there again.
#[must_use]
pub fn orders() -> BucketSpec {
    bucket(streams::ORDERS, Some(30 * DAY), 256 * MIB, 64 * 1024)
}

/// How accounts of channels are reached.
#[must_use]
pub fn channels() -> BucketSpec {
    bucket(streams::CHANNELS, None, 64 * MIB, 64 * 1024)
}

/// How far mailboxes were read.
#[must_use]
pub fn cursors() -> BucketSpec {
    bucket(streams::CURSORS, None, 16 * MIB, 64 * 1024)
}

/// Endpoints of other systems that are posted public events, how far each has come, and its last attempts.
#[must_use]
pub fn webhooks() -> BucketSpec {
    bucket(streams::WEBHOOKS, None, 256 * MIB, 64 * 1024)
}

/// All buckets but that of sealing keys, which `Sealer` makes.
#[must_use]
pub fn all_buckets() -> [BucketSpec; 14] {
    [
        leases(),
        gateways(),
        members(),
        accounts(),
        sessions(),
        drafts(),
        consents(),
        canned(),
        arrivals(),
        approaches(),
        orders(),
        channels(),
        cursors(),
        webhooks(),
    ]
}

fn bucket(name: &str, max_age: Option<Duration>, max_bytes: u64, max_value_bytes: u32) -> BucketSpec {
    BucketSpec { name: token(name), history: 1, max_age, max_bytes, max_value_bytes }
}

/// The name of the object store for snapshots.
#[must_use]
pub fn snapshots() -> SubjectToken {
    token(streams::SNAPSHOTS)
}

/// The name of the object store for attached files and mails as they came.
#[must_use]
pub fn files() -> SubjectToken {
    token(streams::FILES)
}

/// The name of the object store for files that no message names yet.
#[must_use]
pub fn uploads() -> SubjectToken {
    token(streams::UPLOADS)
}

/// The name of the object store for exports that wait to be fetched.
#[must_use]
pub fn exports() -> SubjectToken {
    token(streams::EXPORTS)
}

/// How large the store of files may grow that no message names yet, beside one for files of this size, bytes.
#[must_use]
pub fn uploads_bytes_max(files_bytes_max: u64) -> u64 {
    files_bytes_max / 4
}

/// A stream of which a backup holds a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The stream's name on the server; buckets and object stores are streams too.
    pub stream: String,
    /// Whether it lies apart from the rest: who has both can read all.
    pub is_apart: bool,
}

/// What a backup holds, in the order in which the copies are begun, moments apart, while all of it goes on. What refers to
/// something is copied before what it refers to, so that nothing refers to what the copy does not have: how far mailboxes were read and
/// endpoints were posted to before inputs and logs; inputs, which name places in the logs, before these; what was given before the contacts
/// that it was given in. DELIVERIES is the exception, since what was handed over must be known, and what is told there of later
/// messages is taken out when it is put back. Keys come after all that they seal, and erasures last, so that none is forgotten of
/// which a key is there.
#[must_use]
pub fn copied() -> Vec<Copied> {
    let bucket = |name: &str| format!("KV_{name}");
    let open = |stream: String| Copied { stream, is_apart: false };
    vec![
        open(bucket(streams::CURSORS)),
        open(bucket(streams::WEBHOOKS)),
        open(streams::INBOUND.to_owned()),
        open(streams::PARKED.to_owned()),
        open(streams::REMEDIES.to_owned()),
        open(streams::CONTACTS.to_owned()),
        open(streams::DELIVERIES.to_owned()),
        open(format!("OBJ_{}", streams::FILES)),
        open(bucket(streams::CONSENTS)),
        open(bucket(streams::CANNED)),
        open(bucket(streams::ARRIVALS)),
        open(bucket(streams::APPROACHES)),
        open(bucket(streams::CHANNELS)),
        open(bucket(streams::ACCOUNTS)),
        open(streams::AUDIT.to_owned()),
        Copied { stream: bucket(streams::KEYS), is_apart: true },
        open(streams::ERASURES.to_owned()),
    ]
}

/// A name that stands in `protocol::streams` is a token; a test says so for each.
fn token(name: &str) -> SubjectToken {
    #[expect(clippy::expect_used, reason = "constant names, each checked by the test below")]
    SubjectToken::new(name).expect("a constant name is a token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_name_and_a_limit() {
        for spec in all_buckets() {
            assert!(spec.max_bytes > 0, "{}", spec.name);
            assert_eq!(spec.history, 1, "{}: old values would outlive an erasure", spec.name);
        }
        assert_eq!(snapshots().as_str(), streams::SNAPSHOTS);
        assert_eq!(files().as_str(), streams::FILES);
        assert_eq!(uploads().as_str(), streams::UPLOADS);
        assert_eq!(exports().as_str(), streams::EXPORTS);
    }
}
