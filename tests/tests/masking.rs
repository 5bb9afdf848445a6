//! How often masking takes real messages for what they are not.
#![expect(clippy::print_stdout, reason = "a test says when its input is not here")]

use std::path::Path;

use protocol::mask::{MaskKind, MaskKinds};

/// Messages of a bank's customers, who speak of cards, codes and passwords all day.
#[test]
fn of_thousands_of_real_messages_none_is_changed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/banking77_test.csv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: there is no {}", file.display());
        return;
    };
    let all = MaskKinds::of([MaskKind::Cards, MaskKind::Secrets, MaskKind::Ibans]);
    let changed: Vec<&str> = text.lines().filter(|line| !all.text(line).kinds().is_empty()).collect();
    assert!(text.lines().count() > 3_000);
    assert!(changed.is_empty(), "{changed:#?}");
}

/// The mails of the corpora in this repository: threads, bounces, newsletters.
#[test]
fn of_the_recorded_mails_only_what_is_a_secret_is_changed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/channel-email/fixtures");
    let (mut looked, mut changed) = (0, Vec::new());
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            looked += 1;
            if !MaskKinds::default().text(&text).kinds().is_empty() {
                changed.push(path);
            }
        }
    }
    assert!(looked > 10, "{looked} files");
    assert!(changed.is_empty(), "{changed:#?}");
}
