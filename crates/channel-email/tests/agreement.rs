//! How far we agree with others' collections of mail, counted; the floors are what was reached.
//!
//! The collections lie beside the checkout, not in it. Where they are missing there is nothing to compare, and the
//! test says so.

#![expect(clippy::print_stderr, reason = "the table is for whoever runs the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use channel_email::bounce::{Bounce, Kind, read_bounce};
use channel_email::{Limits, read, reply};
use serde_json::Value;

mod mime4j;

/// Differences that are looked at and stay, each with the reason.
const KNOWN: [(&str, &str); 32] = [
    (
        "lhost-amazonworkmail-02",
        "\"user unknown\" is called a filter there because of 5.2.1; elsewhere in the folder it is not",
    ),
    ("lhost-apachejames-01", "\"no such user here\" is called a filter there"),
    ("lhost-ezweb-02", "\"user unknown\" of one carrier is called suspended there"),
    ("lhost-fml-03", "a list's alert about a loop: no recipient failed"),
    ("lhost-postfix-07", "\"user unknown\" is called a filter there"),
    ("lhost-receivingses-02", "5.1.1 \"mailbox does not exist\" is called a filter there"),
    ("lhost-sendmail-14", "a person passes a bounce on: the writer is no server"),
    ("lhost-x1-01", "\"user unknown\" without a code is called a filter there"),
    ("lhost-x1-02", "\"user unknown\" without a code is called a filter there"),
    ("lhost-x2-01", "\"doesn't have an account\" is called a filter there"),
    ("lhost-zoho-02", "5.2.1 \"user unknown\" is called a filter there"),
    ("rfc3464-01", "the mail says 5.1.1 user unknown, the table says mailbox full"),
    ("rfc3464-35", "\"user unknown\" of one of three recipients is called a filter there"),
    ("aol_01", "names without a domain; the domain would be a guess"),
    ("llnl_01", "the failed address is in prose, and the help that follows names another"),
    ("simple_42", "the address is masked with dots, which is none by their rules"),
    ("simple_43", "no address is told; ours comes from the returned mail"),
    ("yale_01", "names without a domain, and a list of suggestions"),
    ("test_too_many_lines", "the test lowers a limit to one line first"),
    ("badbound", "what stands before a boundary that never comes is shown, not dropped"),
    ("missing-boundary", "what stands before a boundary that never comes is shown, not dropped"),
    ("missing-inner-boundary", "what stands before a boundary that never comes is shown, not dropped"),
    ("multipartemptypart", "an empty multipart is shown as the text it is"),
    ("multipartnopart", "an empty multipart is shown as the text it is"),
    ("malformedHeaderStartsBody-noheader", "no tree without a header; our reader shows the text"),
    (
        "malformedHeaderStartsBody-nocrlfcrlf",
        "a line without a colon ends the head there and is skipped here",
    ),
    (
        "frag",
        "a photo whose base64 breaks off: mail-parser leaves it encoded, our reader gives their bytes and 56 more",
    ),
    (
        "multi-frag",
        "their picture goes on into the broken boundary behind it; ours ends where the picture ends",
    ),
    ("jt-0498", "mail-parser leaves broken quoted-printable as it came; every word is shown"),
    ("multi-bad", "another first boundary; every word is shown"),
    ("intermediate-boundaries", "mail-parser: a boundary counts in the middle of a line and splits the text"),
    ("misplaced-boundary", "mail-parser: a boundary counts in the middle of a line and splits the text"),
];

/// The reason of a difference, by the name that it begins with.
fn known(difference: &str) -> &'static str {
    let bare = difference.trim_start_matches('"');
    let name = bare.split([':', '"']).next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    KNOWN.iter().find(|(known, _)| *known == stem).map_or("NOT LOOKED AT YET", |(_, reason)| reason)
}

fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("WINTERBAND_SHARED").map_or_else(beside, PathBuf::from);
    let folder = root.join("fixtures/email").join(name);
    if !folder.is_dir() {
        eprintln!("{name}: no such folder beside the checkout, nothing compared");
        return None;
    }
    Some(folder)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or(Value::Null)
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

/// Prints the differences and the share, and holds the share to its floor, thousandths.
fn tell(name: &str, agreed: usize, all: usize, floor: usize, differences: &[String]) {
    for difference in differences {
        eprintln!("  {name}: {difference}\n      {}", known(difference));
    }
    eprintln!("{name}: {agreed} of {all}");
    assert!(agreed * 1000 >= floor * all, "{name}: {agreed} of {all} is below {floor} thousandths");
}

fn class(bounce: Option<&Bounce>) -> &'static str {
    match bounce {
        None => "none",
        Some(bounce) => match bounce.kind {
            Kind::Complaint => "complaint",
            Kind::Vacation => "vacation",
            Kind::Delivered => "delivered",
            Kind::Failed(_) | Kind::Delayed if bounce.is_hard() => "hard",
            Kind::Failed(_) | Kind::Delayed => "soft",
        },
    }
}

fn expected_class(records: &[Value]) -> &'static str {
    let any = |reason: &str| records.iter().any(|record| record["reason"] == reason);
    match () {
        () if any("feedback") => "complaint",
        () if any("vacation") => "vacation",
        () if any("delivered") => "delivered",
        () if records.iter().any(|record| record["hard_bounce"] == true) => "hard",
        () => "soft",
    }
}

#[test]
fn sisimai_classes() {
    let Some(folder) = folder("bounces-sisimai") else { return };
    let expected = json(&folder.join("expected.json"));
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    for (file, records) in expected.as_object().into_iter().flatten() {
        let records = records.as_array().cloned().unwrap_or_default();
        let found = read_bounce(&bytes(&folder.join(file))).ok().flatten();
        let (ours, theirs) = (class(found.as_ref()), expected_class(&records));
        all += 1;
        if ours == theirs {
            agreed += 1;
        } else {
            let reasons: Vec<&str> = records.iter().filter_map(|record| record["reason"].as_str()).collect();
            let said = found.as_ref().and_then(|found| found.recipients.first()).map(|recipient| {
                (recipient.reason, recipient.diagnostic.chars().take(160).collect::<String>())
            });
            differences.push(format!("{file}: {ours}, not {theirs} {reasons:?}: {said:?}"));
        }
    }
    tell("bounces-sisimai class", agreed, all, 950, &differences);
}

#[test]
fn flufl_addresses() {
    let Some(folder) = folder("bounces-flufl") else { return };
    let expected = json(&folder.join("expected.json"));
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    for (file, record) in expected.as_object().into_iter().flatten() {
        let set = |key: &str| -> BTreeSet<String> {
            record[key]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_lowercase)
                .collect()
        };
        let wanted: BTreeSet<String> = set("permanent").union(&set("temporary")).cloned().collect();
        let found = read_bounce(&bytes(&folder.join(file))).ok().flatten();
        let failed = found.filter(|found| matches!(found.kind, Kind::Failed(_) | Kind::Delayed));
        let ours: BTreeSet<String> = failed
            .into_iter()
            .flat_map(|found| found.recipients)
            .map(|one| one.address)
            .filter(|one| !one.is_empty())
            .collect();
        all += 1;
        if ours == wanted {
            agreed += 1;
        } else {
            differences.push(format!("{file}: {ours:?}, not {wanted:?}"));
        }
    }
    tell("bounces-flufl addresses", agreed, all, 955, &differences);
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn talon_texts() {
    let Some(folder) = folder("reply-talon") else { return };
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    for case in json(&folder.join("cases.json")).as_array().into_iter().flatten() {
        if case["content_type"] != "text/plain" {
            continue;
        }
        all += 1;
        let ours = plain(&reply::split(case["input"].as_str().unwrap_or_default()).unquoted());
        let theirs = plain(case["expected"].as_str().unwrap_or_default());
        if ours == theirs {
            agreed += 1;
        } else {
            differences.push(format!("{}: {ours:?}, not {theirs:?}", case["name"]));
        }
    }
    tell("reply-talon text", agreed, all, 955, &differences);
}

#[test]
fn talon_mails() {
    let Some(folder) = folder("reply-talon") else { return };
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    for (file, record) in json(&folder.join("expected.json")).as_object().into_iter().flatten() {
        let raw = bytes(&folder.join(file));
        let (ours, theirs) = if let Some(theirs) = record["reply_ignoring_whitespace"].as_str() {
            let fold = reply::fold_html(&String::from_utf8_lossy(&raw));
            (dense(&channel_email::html::to_text(&fold.reply)), dense(theirs))
        } else {
            let ours = read(&raw, &Limits::default()).map(|mail| mail.reply.unquoted()).unwrap_or_default();
            (plain(&ours), plain(record["reply"].as_str().unwrap_or_default()))
        };
        all += 1;
        if ours == theirs {
            agreed += 1;
        } else {
            differences
                .push(format!("{file}: {:?}, not {theirs:?}", ours.chars().take(200).collect::<String>()));
        }
    }
    tell("reply-talon mails", agreed, all, 1000, &differences);
}

#[test]
fn talon_html() {
    let Some(folder) = folder("reply-talon") else { return };
    let (mut agreed, mut all, mut differences) = (0, 0, Vec::new());
    let words = |html: &str| dense(&channel_email::html::to_text(html));
    for case in json(&folder.join("cases.json")).as_array().into_iter().flatten() {
        if case["content_type"] != "text/html" {
            continue;
        }
        all += 1;
        let ours = words(&reply::fold_html(case["input"].as_str().unwrap_or_default()).reply);
        let theirs = words(case["expected"].as_str().unwrap_or_default());
        if ours == theirs {
            agreed += 1;
        } else {
            differences.push(format!("{}: {ours:?}, not {theirs:?}", case["name"]));
        }
    }
    tell("reply-talon html", agreed, all, 1000, &differences);
}
