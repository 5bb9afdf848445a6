//! The requests of the folder `fixtures`, a parameter a line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use channel::conformance::Fixture;

pub(crate) fn fixtures(channel: &str) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(channel);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut found: Vec<Fixture> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "form"))
        .map(|path| Fixture {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            headers: Vec::new(),
            bytes: fs::read_to_string(&path).unwrap().trim_end().replace('\n', "&").into_bytes(),
            expected: fs::read_to_string(path.with_extension("expected")).unwrap(),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
