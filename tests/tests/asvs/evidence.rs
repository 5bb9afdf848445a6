//! What there is to be named as a proof: tests in Rust, tests of the front ends, and chapters of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folders that hold nothing of ours.
const PASSED_OVER: [&str; 5] = ["node_modules", "dist", "target", "data", "fixtures"];

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Test,
    Chapter,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Where tests in Rust stand: package, then folders and file; by their names.
    tests: BTreeMap<String, Vec<Vec<String>>>,
    /// `path: title` of tests of the front ends.
    titles: BTreeSet<String>,
    /// `path#heading` of documents.
    chapters: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Evidence {
    /// Reads the checkout.
    pub(crate) fn gather(house: &Path) -> Self {
        let mut evidence = Self::default();
        for folder in ["crates", "tests", "deploy", ".config"] {
            evidence.enter(house, &house.join(folder));
        }
        for file in std::fs::read_dir(house).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_file() {
                evidence.look(house, &file);
            }
        }
        evidence
    }

    /// Of files that are made up.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut evidence = Self::default();
        for (path, text) in files {
            evidence.add(path, text);
        }
        evidence
    }

    fn enter(&mut self, house: &Path, folder: &Path) {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !PASSED_OVER.contains(&name.as_str()) && !name.starts_with('.') {
                self.enter(house, &path);
            } else if path.is_file() {
                self.look(house, &path);
            }
        }
    }

    fn look(&mut self, house: &Path, path: &Path) {
        let name = path.strip_prefix(house).unwrap().to_string_lossy().into_owned();
        let is_read = [".rs", ".ts", ".md"].iter().any(|ending| name.ends_with(ending));
        let text = if is_read { std::fs::read_to_string(path).unwrap() } else { String::new() };
        self.add(&name, &text);
    }

    fn add(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned());
        if let Some(place) = path.strip_suffix(".rs") {
            let place = place.strip_prefix("crates/").unwrap_or(place);
            for name in tests_in(text) {
                let place = place.split('/').map(str::to_owned).collect();
                self.tests.entry(name).or_default().push(place);
            }
        } else if path.ends_with(".test.ts") {
            self.titles.extend(titles_in(text).map(|title| format!("{path}: {title}")));
        } else if path.ends_with(".md") {
            let headings = text.lines().filter(|line| line.starts_with('#'));
            self.chapters
                .extend(headings.map(|line| format!("{path}#{}", line.trim_start_matches('#').trim())));
        }
    }

    /// What `package::module::test`, `path: title` or `path#heading` names.
    pub(crate) fn find(&self, name: &str) -> Option<Kind> {
        if self.titles.contains(name) {
            return Some(Kind::Test);
        }
        if self.chapters.contains(name) {
            return Some(Kind::Chapter);
        }
        let parts: Vec<&str> = name.split("::").collect();
        let [package, modules @ .., test] = parts.as_slice() else { return None };
        let stands = |place: &Vec<String>| {
            let mut folders = place.iter().skip(1);
            place.first().is_some_and(|own| own == package)
                && modules.iter().all(|module| folders.any(|folder| folder == module))
        };
        self.tests.get(*test).is_some_and(|places| places.iter().any(stands)).then_some(Kind::Test)
    }

    /// Whether there is such a file, named from the top or from `crates/`.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.files.contains(path) || self.files.contains(&format!("crates/{path}"))
    }
}

/// The functions that are marked as tests; a mark may have other lines between it and its function.
fn tests_in(text: &str) -> Vec<String> {
    let (mut found, mut is_marked) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_marked = true;
        } else if let Some(rest) = function {
            if is_marked {
                found.extend(rest.split(['(', '<']).next().map(str::to_owned));
            }
            is_marked = false;
        }
    }
    found
}

/// What stands in quotes behind `it(` or `test(`.
fn titles_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("it(").or_else(|| line.strip_prefix("test("))?;
        let quote = rest.chars().next().filter(|sign| ['\'', '"', '`'].contains(sign))?;
        rest.get(1..)?.split(quote).next()
    })
}
