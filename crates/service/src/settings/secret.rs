//! A secret that can be used and not shown.

use std::fmt;
use std::path::{Path, PathBuf};

use toml_edit::Value;

/// A password or key; prints as `***`, and only [`Secret::reveal`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret lies; settings never hold one themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    None,
    File(PathBuf),
    Env(String),
}

impl Reference {
    /// Reads `""`, `{ file = "..." }` or `{ env = "..." }`.
    pub(super) fn read(value: &Value) -> Option<Self> {
        if value.as_str() == Some("") {
            return Some(Self::None);
        }
        let table = value.as_inline_table()?;
        let (key, place) = table.iter().next()?;
        let place = place.as_str().filter(|place| !place.is_empty())?;
        match (key, table.len()) {
            ("file", 1) => Some(Self::File(PathBuf::from(place))),
            ("env", 1) => Some(Self::Env(place.to_owned())),
            _ => None,
        }
    }

    /// Fetches the secret; a relative file is looked for beside the settings. The error says what was found instead.
    pub(super) fn fetch(
        &self,
        folder: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Secret>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::File(file) => {
                let file = folder.map_or_else(|| file.clone(), |folder| folder.join(file));
                std::fs::read_to_string(&file).map_err(|error| format!("{} ({error})", file.display()))?
            }
            Self::Env(name) => environment(name).ok_or_else(|| format!("no variable {name}"))?,
        };
        let text = text.trim();
        if text.is_empty() { Err("an empty secret".to_owned()) } else { Ok(Some(Secret::new(text))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Option<Reference> {
        text.parse::<Value>().ok().as_ref().and_then(Reference::read)
    }

    #[test]
    fn a_secret_cannot_be_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn only_references_are_taken() {
        assert_eq!(reference("''"), Some(Reference::None));
        assert_eq!(reference("{ file = 'a/b' }"), Some(Reference::File("a/b".into())));
        assert_eq!(reference("{ env = 'KEY' }"), Some(Reference::Env("KEY".into())));
        for wrong in
            ["'hunter2'", "{}", "{ file = '' }", "{ file = 1 }", "{ file = 'a', env = 'B' }", "{ url = 'x' }"]
        {
            assert_eq!(reference(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_is_found_beside_the_settings_and_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "hunter2\n").unwrap();
        let none = |_: &str| None;
        let found = Reference::File("key".into()).fetch(Some(folder.path()), &none);
        assert_eq!(found, Ok(Some(Secret::new("hunter2"))));
        assert!(Reference::File("other".into()).fetch(Some(folder.path()), &none).is_err());
        assert_eq!(Reference::Env("KEY".into()).fetch(None, &none), Err("no variable KEY".to_owned()));
        let blank = |_: &str| Some(" \n".to_owned());
        assert_eq!(Reference::Env("KEY".into()).fetch(None, &blank), Err("an empty secret".to_owned()));
    }
}
