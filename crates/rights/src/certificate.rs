//! What an erasure did, in words that name nobody.

use bus::IdHasher;
use protocol::rights::{Certificate, PlaceErased};
use protocol::{Hash128, Millis};

use crate::book::{Cleared, Pending};

/// What was tried to be read afterwards, and could not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    pub(crate) contacts: u64,
    pub(crate) inbound: u64,
    pub(crate) remedies: u64,
    pub(crate) files_gone: u64,
}

const KEY: &str = "its key was destroyed: what is sealed with it opens for nobody, here and in every copy";

/// Writes it; its hash is over everything else in it.
pub(crate) fn certificate(hasher: &IdHasher, erasure: &Pending, looked: Looked, now: Millis) -> Certificate {
    let Cleared { entries, drafts, parked } =
        erasure.cleared.unwrap_or(Cleared { entries: 0, drafts: 0, parked: 0 });
    let mut places = of_the_log(erasure, entries, looked);
    places.extend(beside_it(drafts, parked));
    let stays = [
        "that there were contacts, with times, queues, dispositions, amounts and facts that other systems pushed",
        "identities and links as keyed hashes: without the master key and the address itself they name nobody",
        "what was sent to the customer and to systems outside: it is theirs",
    ];
    let mut certificate = Certificate {
        erasure: erasure.id,
        by: erasure.by.clone(),
        asked_at: erasure.asked_at,
        done_at: now,
        identities: u64::try_from(erasure.identities.len()).unwrap_or(u64::MAX),
        places,
        stays: stays.map(str::to_owned).to_vec(),
        hash: Hash128([0; 16]),
    };
    certificate.hash = hash(hasher, &certificate);
    certificate
}

fn place(place: &str, data: &str, how: &str, count: Option<u64>, tried: Option<u64>) -> PlaceErased {
    PlaceErased { place: place.to_owned(), data: data.to_owned(), how: how.to_owned(), count, tried }
}

/// The keys, the streams and the files.
fn of_the_log(erasure: &Pending, entries: u64, looked: Looked) -> Vec<PlaceErased> {
    let files = u64::try_from(erasure.objects.len()).unwrap_or(u64::MAX);
    vec![
        place(
            "KEYS",
            "the keys that seal everything below",
            "destroyed, and overwritten on disk",
            Some(count(erasure)),
            None,
        ),
        place(
            "CONTACTS",
            "words, names and addresses of messages, answers and notes",
            KEY,
            Some(entries),
            Some(looked.contacts),
        ),
        place("INBOUND", "the same as they came in", KEY, Some(looked.inbound), Some(looked.inbound)),
        place(
            "REMEDIES",
            "words of what was given, promised and thanked for",
            KEY,
            Some(looked.remedies),
            Some(looked.remedies),
        ),
        place(
            "FILES and UPLOADS",
            "files, mails as they came, their HTML",
            "deleted, and the key destroyed",
            Some(files),
            Some(looked.files_gone),
        ),
    ]
}

/// What is made of them, and what waits beside them.
fn beside_it(drafts: u64, parked: u64) -> Vec<PlaceErased> {
    vec![
        place(
            "DRAFTS",
            "unsent words of agents",
            "overwritten and deleted, and the key destroyed",
            Some(drafts),
            None,
        ),
        place(
            "PARKED",
            "what could not be used and names them",
            "overwritten and deleted, and its own key destroyed",
            Some(parked),
            None,
        ),
        place("CONSENTS", "what they agreed to", "overwritten and deleted", None, None),
        place("EXPORTS", "exports that wait to be fetched", KEY, None, None),
        place(
            "deliveries on their way",
            "words of messages that are not sent yet",
            "they are opened when they are sent, which fails now",
            None,
            None,
        ),
        place("views.sqlite and remedies.sqlite", "the same words, sealed", KEY, None, None),
        place("what desk and chat keep in files", "the same words, sealed", KEY, None, None),
        place(
            "search.sqlite",
            "an index of words in the clear",
            "its rows were deleted with their pages overwritten; it was asked and holds none",
            Some(0),
            Some(0),
        ),
        place("backups of streams, stores and read models", "the same words, sealed", KEY, None, None),
        place(
            "backups of KEYS",
            "the destroyed keys, if the backup is older than this",
            "ERASURES lists them: role `rights` destroys them again when it starts on such a backup, so it is started first",
            None,
            None,
        ),
    ]
}

fn count(erasure: &Pending) -> u64 {
    let keys = erasure.destroyed.iter().flatten().filter(|key| key.generation > 0).count();
    u64::try_from(keys).unwrap_or(u64::MAX)
}

/// The keyed hash of a certificate, whatever hash stands in it.
pub(crate) fn hash(hasher: &IdHasher, certificate: &Certificate) -> Hash128 {
    let bare = Certificate { hash: Hash128([0; 16]), ..certificate.clone() };
    // Texts and numbers always have a JSON form.
    hasher.content(&serde_json::to_vec(&bare).unwrap_or_default())
}
