//! The public events in words, for the documents.

use protocol::integration::{PublicLog, PublicType};

/// The types of a log, as a sentence.
pub(super) fn types_of(log: PublicLog) -> String {
    let words = PublicType::ALL.iter().filter(|kind| kind.log() == log).map(|kind| kind.as_str());
    words.collect::<Vec<_>>().join(", ")
}
