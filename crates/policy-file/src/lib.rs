//! The policy as people write it (`empowerment.toml`): read into the form that is published, and written from it.
//!
//! Whatever is read can be written and read again as the same. What a policy says is not looked at here but by
//! `empowerment-core`, whose faults are given their lines in the text by [`place`].

mod read;
mod write;

pub use read::{parse, place};
pub use write::write;

/// The name of the file in the configuration folder.
pub const FILE_NAME: &str = "empowerment.toml";

/// The demo shop's policy, built in, so that the first start needs no folder.
pub const DEMO: &str = include_str!("../../../deploy/config/empowerment.toml");

/// Durations of the file and the fields they become, ms.
const DURATIONS: [(&str, &str); 6] = [
    ("undo", "undo_ms"),
    ("peer", "peer_ms"),
    ("lead", "lead_ms"),
    ("promise", "promise_ms"),
    ("fresh", "fresh_ms"),
    ("lasts", "lasts_ms"),
];
/// Arrays of tables of the file; the policy has each as a list of the same name with an s.
const LISTS: [&str; 4] = ["reason", "fact", "signal", "card"];
