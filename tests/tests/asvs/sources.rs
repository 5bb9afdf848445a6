//! What points rest on that no run of the product shows: lints, the front ends' own code, and where dependencies come from.

use std::path::Path;

use serde_json::Value;

use crate::{house, read};

/// The front ends, whose sources a browser runs.
const FRONT_ENDS: [&str; 3] =
    ["crates/desk/web/src", "crates/channel-web/widget/src", "crates/channel-web/widget/shop"];
/// What makes text into markup, or into code.
const MARKUP: [&str; 9] = [
    "{@html",
    ".innerHTML",
    ".outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "createContextualFragment",
    "DOMParser",
    "eval(",
    "new Function(",
];
const LOCKS: [&str; 2] = ["crates/desk/web/package-lock.json", "crates/channel-web/widget/package-lock.json"];

/// The files of a folder and of those in it, with what stands in them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push((path.display().to_string(), text));
        }
    }
    found
}

/// What of a front end's text could become markup or code.
fn markup_in(text: &str) -> Option<&'static str> {
    MARKUP.into_iter().find(|word| text.contains(word))
}

#[test]
fn the_front_ends_write_text_and_never_markup() {
    let all: Vec<_> = FRONT_ENDS.iter().flat_map(|folder| files(&house().join(folder))).collect();
    assert!(all.len() > 50, "{} files: are these still the folders?", all.len());
    for (path, text) in all {
        assert_eq!(markup_in(&text), None, "{path}");
    }
    assert_eq!(markup_in("<p>{@html words}</p>"), Some("{@html"));
}

#[test]
fn the_password_field_hides_what_is_typed_and_may_be_filled_in() {
    let page = read("crates/desk/web/src/components/SignIn.svelte");
    assert!(page.contains("type=\"password\"") && page.contains("autocomplete=\"current-password\""));
    assert!(!page.contains("onpaste"), "a password may be pasted");
}

#[test]
fn the_lints_that_keep_memory_and_numbers_safe_are_on_everywhere() {
    let top = read("Cargo.toml");
    for lint in ["unsafe_code = \"forbid\"", "cast_possible_truncation", "cast_sign_loss", "indexing_slicing"]
    {
        assert!(top.contains(lint), "{lint}");
    }
    let crates = std::fs::read_dir(house().join("crates")).unwrap();
    let folders = crates.map(|entry| entry.unwrap().path()).chain([house().join("tests")]);
    for folder in folders.filter(|folder| folder.join("Cargo.toml").exists()) {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", folder.display());
    }
}

/// Packages of Cargo.lock that are neither ours nor from crates.io with a checksum.
fn strangers_in(lock: &str, is_ours: impl Fn(&str) -> bool) -> Vec<String> {
    let field = |package: &str, name: &str| {
        let lines = package.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        lines.map(|value| value.trim_end_matches('"').to_owned()).next()
    };
    let packages = lock.split("[[package]]").skip(1);
    let strange = packages.filter_map(|package| {
        let name = field(package, "name").unwrap_or_default();
        let from = field(package, "source");
        let is_known = match from.as_deref() {
            None => is_ours(&name),
            Some("registry+https://github.com/rust-lang/crates.io-index") => {
                field(package, "checksum").is_some_and(|sum| sum.len() == 64)
            }
            Some(_) => false,
        };
        (!is_known).then_some(name)
    });
    strange.collect()
}

#[test]
fn what_is_built_in_comes_from_its_registry_with_a_checksum() {
    let is_ours = |name: &str| name == "tests" || house().join("crates").join(name).exists();
    assert_eq!(strangers_in(&read("Cargo.lock"), is_ours), [""; 0]);
    let lock = "[[package]]\nname = \"a\"\nsource = \"git+https://x.example\"\n[[package]]\nname = \"b\"\n";
    assert_eq!(strangers_in(lock, |_| false), ["a", "b"]);
    for lock in LOCKS {
        let found: Value = serde_json::from_str(&read(lock)).unwrap();
        let packages = found["packages"].as_object().unwrap();
        let modules = packages.iter().filter(|(name, _)| !name.is_empty());
        for (name, package) in modules {
            let sum = package["integrity"].as_str().unwrap_or_default();
            assert!(sum.starts_with("sha512-"), "{lock}: {name}");
        }
    }
}
