//! What is written down about security, held to what is there: each point of OWASP's ASVS has its row in `tests/asvs.md`, each threat
//! its line in ARCHITECTURE.md, and what they name as proof exists.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and knows how long its own lists are"
)]

mod evidence;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use evidence::Evidence;

/// The points of ASVS 5.0.0 at levels 1 and 2: in each section they are numbered from 1, and those of level 3 come last.
const POINTS: [(&str, u32); 75] = [
    ("V1.1", 2),
    ("V1.2", 9),
    ("V1.3", 11),
    ("V1.4", 3),
    ("V1.5", 2),
    ("V2.1", 3),
    ("V2.2", 3),
    ("V2.3", 4),
    ("V2.4", 1),
    ("V3.2", 2),
    ("V3.3", 4),
    ("V3.4", 6),
    ("V3.5", 5),
    ("V3.7", 2),
    ("V4.1", 3),
    ("V4.2", 1),
    ("V4.3", 2),
    ("V4.4", 4),
    ("V5.1", 1),
    ("V5.2", 3),
    ("V5.3", 2),
    ("V5.4", 3),
    ("V6.1", 3),
    ("V6.2", 12),
    ("V6.3", 4),
    ("V6.4", 4),
    ("V6.5", 5),
    ("V6.6", 3),
    ("V6.8", 4),
    ("V7.1", 3),
    ("V7.2", 4),
    ("V7.3", 2),
    ("V7.4", 5),
    ("V7.5", 2),
    ("V7.6", 2),
    ("V8.1", 2),
    ("V8.2", 3),
    ("V8.3", 1),
    ("V8.4", 1),
    ("V9.1", 3),
    ("V9.2", 4),
    ("V10.1", 2),
    ("V10.2", 2),
    ("V10.3", 4),
    ("V10.4", 11),
    ("V10.5", 5),
    ("V10.6", 2),
    ("V10.7", 3),
    ("V11.1", 2),
    ("V11.2", 3),
    ("V11.3", 3),
    ("V11.4", 4),
    ("V11.5", 1),
    ("V11.6", 1),
    ("V12.1", 3),
    ("V12.2", 2),
    ("V12.3", 4),
    ("V13.1", 1),
    ("V13.2", 5),
    ("V13.3", 2),
    ("V13.4", 5),
    ("V14.1", 2),
    ("V14.2", 4),
    ("V14.3", 3),
    ("V15.1", 3),
    ("V15.2", 3),
    ("V15.3", 7),
    ("V16.1", 1),
    ("V16.2", 5),
    ("V16.3", 4),
    ("V16.4", 3),
    ("V16.5", 3),
    ("V17.1", 1),
    ("V17.2", 4),
    ("V17.3", 2),
];
/// How many that are, by the standard's own count.
const POINTS_IN_ALL: usize = 253;
/// Sections that ask for something to be written down: there a chapter is a proof.
const WRITTEN: [&str; 10] =
    ["V2.1", "V5.1", "V6.1", "V7.1", "V8.1", "V11.1", "V13.1", "V14.1", "V15.1", "V16.1"];
/// How a row begins that has no proof.
const WITHOUT_PROOF: [&str; 2] = ["not applicable: ", "not met: "];
/// Shortest reason that says something, bytes.
const REASON_BYTES_MIN: usize = 12;

/// The folder of the checkout.
fn house() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(house().join(path)).unwrap()
}

fn points() -> BTreeSet<String> {
    POINTS.into_iter().flat_map(|(section, last)| (1..=last).map(move |n| format!("{section}.{n}"))).collect()
}

/// The cells of a table's line; `None` for any other line.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What is wrong with the table of points.
fn faults(table: &str, evidence: &Evidence) -> Vec<String> {
    let (mut found, mut faults) = (BTreeMap::<String, u32>::new(), Vec::new());
    for cells in table.lines().filter_map(cells).filter(|cells| cells[0].starts_with('V')) {
        let [ids, meaning, proof] = cells[..] else {
            faults.push(format!("{}: a row has three cells", cells[0]));
            continue;
        };
        let ids: Vec<&str> = ids.split(' ').collect();
        for id in &ids {
            *found.entry((*id).to_owned()).or_default() += 1;
        }
        if !meaning.contains(char::is_alphanumeric) {
            faults.push(format!("{}: what it means here is missing", ids[0]));
        }
        faults.extend(lacks(&ids, proof, evidence).map(|fault| format!("{}: {fault}", ids[0])));
    }
    let wanted = points();
    faults.extend(wanted.iter().filter(|id| !found.contains_key(*id)).map(|id| format!("{id} is missing")));
    for (id, times) in found {
        match times {
            _ if !wanted.contains(&id) => faults.push(format!("{id} is no point of level 1 or 2")),
            1 => {}
            _ => faults.push(format!("{id} stands there {times} times")),
        }
    }
    faults
}

/// What a cell of proof lacks; what it names has to exist, also where it says what is not met.
fn lacks<'a>(ids: &[&str], proof: &'a str, evidence: &'a Evidence) -> impl Iterator<Item = String> + use<'a> {
    let is_written =
        ids.iter().all(|id| WRITTEN.iter().any(|section| id.starts_with(&format!("{section}."))));
    let reason = WITHOUT_PROOF.iter().find_map(|word| proof.strip_prefix(word));
    let lack = match reason {
        Some(reason) => (reason.len() < REASON_BYTES_MIN).then(|| "the reason is missing".to_owned()),
        None if !proof.starts_with('`') => {
            Some("begin with a proof, `not applicable:` or `not met:`".to_owned())
        }
        None => None,
    };
    let wrong = quoted(proof).filter_map(move |name| match evidence.find(name) {
        None => Some(format!("there is no {name}")),
        Some(evidence::Kind::Chapter) if !is_written => Some(format!("{name} is a text, and no test")),
        Some(_) => None,
    });
    lack.into_iter().chain(wrong)
}

/// The chapter of a document, without its heading.
fn chapter<'a>(text: &'a str, heading: &str) -> &'a str {
    let rest = text.split_once(&format!("\n## {heading}\n")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split_once("\n## ").map_or(rest, |(chapter, _)| chapter)
}

/// What is wrong with the table of threats: threat, what stands against it, the tests, and what is left.
fn faults_of_threats(chapter: &str, evidence: &Evidence) -> Vec<String> {
    let rows = chapter.lines().filter_map(cells).filter(|cells| cells.len() == 4);
    let rows: Vec<_> = rows.filter(|cells| cells[0] != "threat" && !cells[0].starts_with("--")).collect();
    let mut faults: Vec<String> = rows.iter().flat_map(|cells| faults_of_threat(cells, evidence)).collect();
    if rows.is_empty() {
        faults.push("no threats are written down".to_owned());
    }
    faults
}

fn faults_of_threat(cells: &[&str], evidence: &Evidence) -> Vec<String> {
    let (threat, against, proof, left) = (cells[0], cells[1], cells[2], cells[3]);
    let mut faults: Vec<String> =
        lacks(&[], proof, evidence).map(|fault| format!("{threat}: {fault}")).collect();
    let files: Vec<&str> = quoted(against).filter(|name| name.contains('/')).collect();
    if files.is_empty() {
        faults.push(format!("{threat}: name the file that stands against it"));
    }
    let missing = files.into_iter().filter(|file| !evidence.has_file(file));
    faults.extend(missing.map(|file| format!("{threat}: there is no {file}")));
    if left.is_empty() {
        faults.push(format!("{threat}: what is left?"));
    }
    faults
}

#[test]
fn every_point_has_a_proof_that_exists_or_a_reason() {
    let faults = faults(&read("tests/asvs.md"), &Evidence::gather(&house()));
    assert!(faults.is_empty(), "tests/asvs.md:\n{}", faults.join("\n"));
}

#[test]
fn every_threat_has_its_file_and_its_test() {
    let page = read("ARCHITECTURE.md");
    let faults = faults_of_threats(chapter(&page, "Threats"), &Evidence::gather(&house()));
    assert!(faults.is_empty(), "ARCHITECTURE.md, Threats:\n{}", faults.join("\n"));
}

#[test]
fn there_are_as_many_points_as_the_standard_says() {
    assert_eq!(points().len(), POINTS_IN_ALL);
}

/// A table in which every point has its row, changed in one place.
fn table(from: &str, to: &str) -> String {
    let row = |id: &String| format!("| {id} | means this and that here | `desk::door::only_guests` |\n");
    let whole: String = points().iter().map(row).collect();
    assert!(whole.contains(from), "{from}");
    whole.replacen(from, to, 1)
}

#[test]
fn a_bad_table_is_told() {
    let evidence = Evidence::of(&[
        ("crates/desk/src/door.rs", "#[test]\nfn only_guests() {}\nfn helper() {}\n"),
        ("crates/desk/web/tests/mail.test.ts", "it('names people', () => {});\n"),
        ("ARCHITECTURE.md", "# Architecture\n## Words\n"),
    ]);
    let told = |from: &str, to: &str| faults(&table(from, to), &evidence).join("; ");
    assert_eq!(told("V1.1.1", "V1.1.1"), "");
    assert_eq!(told("| V1.1.1 |", "| x |"), "V1.1.1 is missing");
    assert_eq!(told("| V1.1.1 |", "| V1.1.1 V1.1.2 |"), "V1.1.2 stands there 2 times");
    assert_eq!(told("| V1.1.1 |", "| V1.1.1 V1.2.10 |"), "V1.2.10 is no point of level 1 or 2");
    let proof = |to: &str| told("`desk::door::only_guests`", to);
    for good in [
        "`crates/desk/web/tests/mail.test.ts: names people`",
        "`desk::only_guests`, and what is left",
        "not applicable: there is none of it here",
        "not met: nobody has done it yet; `desk::only_guests`",
    ] {
        assert_eq!(proof(good), "", "{good}");
    }
    for wrong in [
        "`desk::door::nobody`",
        "`desk::door::helper`",
        "`desk::window::only_guests`",
        "`api::door::only_guests`",
        "`crates/desk/web/tests/mail.test.ts: names nobody`",
        "`ARCHITECTURE.md#Sentences`",
        "not met: nobody has done it yet; `desk::nobody`",
    ] {
        assert!(proof(wrong).starts_with("V1.1.1: there is no "), "{wrong}: {}", proof(wrong));
    }
    assert_eq!(proof("`ARCHITECTURE.md#Words`"), "V1.1.1: ARCHITECTURE.md#Words is a text, and no test");
    let first_of =
        |section: &str| format!("| {section}.1 | means this and that here | `desk::door::only_guests` |");
    let written = first_of("V2.1").replace("desk::door::only_guests", "ARCHITECTURE.md#Words");
    assert_eq!(told(&first_of("V2.1"), &written), "", "a section that asks for words");
    for wrong in ["", "it is so", "not met", "not met: no", "not applicable: -"] {
        assert!(proof(wrong).starts_with("V1.1.1: "), "{wrong}");
    }
    assert_eq!(told("means this and that here", "?"), "V1.1.1: what it means here is missing");
}

#[test]
fn a_bad_threat_is_told() {
    let evidence =
        Evidence::of(&[("crates/desk/src/door.rs", "#[tokio::test]\nasync fn only_guests() {}\n")]);
    let told = |row: &str| {
        let page =
            format!("\n## Threats\n\n| threat | against it | test | left |\n|--|--|--|--|\n{row}\n## Next\n");
        faults_of_threats(chapter(&page, "Threats"), &evidence).join("; ")
    };
    assert_eq!(told("| a guest | `desk/src/door.rs` | `desk::door::only_guests` | nothing |"), "");
    assert_eq!(told(""), "no threats are written down");
    assert!(told("| a guest | a door | `desk::door::only_guests` | nothing |").contains("name the file"));
    assert!(
        told("| a guest | `desk/src/wall.rs` | `desk::door::only_guests` | nothing |")
            .contains("no desk/src/wall.rs")
    );
    assert!(
        told("| a guest | `desk/src/door.rs` | `desk::door::nobody` | nothing |")
            .contains("no desk::door::nobody")
    );
    assert!(told("| a guest | `desk/src/door.rs` | see above | nothing |").contains("begin with a proof"));
    assert!(told("| a guest | `desk/src/door.rs` | `desk::door::only_guests` | |").contains("what is left?"));
}
