//! The shape of the house: who may use whom, held against the manifests; what the cores must not touch.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The arrows of ARCHITECTURE.md: a crate, and what it may use of ours.
const ARROWS: [(&str, &[&str]); 29] = [
    ("protocol", &[]),
    ("conditions", &["protocol"]),
    ("routing-core", &["conditions", "protocol"]),
    ("empowerment-core", &["conditions", "protocol"]),
    ("forecast", &["protocol", "routing-core"]),
    ("simulator", &["forecast", "protocol", "routing-core"]),
    // The last two in its tests alone: routing runs beside it, and the shop on the other side.
    (
        "empowerment-service",
        &["bus", "empowerment-core", "protocol", "service", "reference-shop", "routing-service"],
    ),
    ("reference-shop", &[]),
    ("channel", &["protocol"]),
    ("channel-email", &["channel", "protocol"]),
    ("channel-meta", &["channel"]),
    ("channel-telegram", &["channel"]),
    ("channel-twilio", &["channel"]),
    ("channel-web", &["channel"]),
    ("channel-webhook", &["channel", "webhook-signature"]),
    ("webhook-signature", &[]),
    (
        "channel-host",
        &[
            "bus",
            "channel",
            "channel-email",
            "channel-meta",
            "channel-telegram",
            "channel-twilio",
            "channel-web",
            "channel-webhook",
            "forecast",
            "protocol",
            "service",
        ],
    ),
    ("traces", &[]),
    ("bus", &["protocol", "traces"]),
    ("service", &["traces"]),
    ("policy-file", &["protocol", "service"]),
    ("rights", &["bus", "protocol", "service"]),
    ("watch", &["bus", "channel-web", "protocol", "service", "webhook-signature"]),
    ("routing-service", &["bus", "protocol", "routing-core", "service"]),
    ("views", &["bus", "protocol", "service"]),
    ("desk", &["bus", "forecast", "policy-file", "protocol", "service"]),
    ("api", &["bus", "conditions", "protocol", "service", "webhook-signature"]),
    (
        "winterband",
        &[
            "api",
            "bus",
            "conditions",
            "channel-host",
            "desk",
            "empowerment-core",
            "empowerment-service",
            "policy-file",
            "protocol",
            "rights",
            "routing-core",
            "routing-service",
            "service",
            "simulator",
            "views",
            "watch",
        ],
    ),
    (
        "tests",
        &[
            "bus",
            "channel-host",
            "channel-web",
            "desk",
            "empowerment-core",
            "protocol",
            "reference-shop",
            "routing-core",
            "views",
        ],
    ),
];

/// What may stand at the top.
const TOP: [&str; 8] =
    ["ARCHITECTURE.md", "Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "crates", "deploy", "tests"];

/// Not kept: what builds and runs leave behind.
const LEFT_BEHIND: [&str; 2] = ["target", "data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn folders(of: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(of).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The dependencies of a manifest that are crates of ours, development ones included.
fn ours(manifest: &str, known: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies")
            && let Some((name, _)) = line.split_once('=')
            && known.contains(name.trim())
        {
            found.insert(name.trim().to_owned());
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn arrows_are_as_drawn() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let known: BTreeSet<&str> = arrows.keys().copied().collect();
    let mut found = folders(&root().join("crates"));
    found.insert("tests".to_owned());
    let drawn: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    assert_eq!(found, drawn, "crates on disk and crates drawn");
    for (name, may_use) in arrows {
        let folder = if name == "tests" { root().join(name) } else { root().join("crates").join(name) };
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}: folder and crate have one name");
        for used in ours(&manifest, &known) {
            assert!(may_use.contains(&used.as_str()), "{name} uses {used}, which no arrow allows");
        }
    }
}

#[test]
fn only_the_bus_names_nats() {
    for name in folders(&root().join("crates")) {
        let manifest = std::fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        assert_eq!(manifest.contains("async-nats"), name == "bus", "{name}");
    }
}

#[test]
fn cores_have_no_clock_dice_or_random_order() {
    let banned =
        ["SystemTime", "Instant::now", "HashMap", "HashSet", "std::fs", "std::net", "tokio", "rand::"];
    for core in [
        "channel-meta",
        "channel-telegram",
        "channel-twilio",
        "protocol",
        "conditions",
        "routing-core",
        "empowerment-core",
        "channel",
        "channel-web",
        "channel-webhook",
        "policy-file",
    ] {
        let mut files = Vec::new();
        sources(&root().join("crates").join(core).join("src"), &mut files);
        assert!(!files.is_empty());
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for word in banned {
                    assert!(!line.contains(word), "{}: {word} in a core: {line}", file.display());
                }
            }
        }
    }
}

#[test]
fn the_top_holds_what_it_should() {
    let found = folders(&root());
    let kept = found.iter().filter(|name| !name.starts_with('.') && !LEFT_BEHIND.contains(&name.as_str()));
    let kept: Vec<&str> = kept.map(String::as_str).collect();
    let unknown: Vec<_> = kept.iter().filter(|name| !TOP.contains(name)).collect();
    assert!(unknown.is_empty(), "at the top: {unknown:?}");
}

#[test]
fn nothing_is_left_open() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("tests"), &mut files);
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[", "ignore"),
        concat!("FIX", "ME"),
    ];
    for file in files.iter().filter(|file| !file.components().any(|part| part.as_os_str() == "node_modules"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        for word in words {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let text = std::fs::read_to_string(root().join("deploy/CHANGELOG.md")).unwrap();
    let newest = text.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
    assert_eq!(newest.split(' ').next(), Some(env!("CARGO_PKG_VERSION")), "{newest}");
}
