//! Files beside the settings that more than one role reads.

use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

/// Reads a file of TOML in the folder of settings; without the file, or the folder, everything is as it is by default.
///
/// # Errors
/// When it cannot be read, is not what is expected, or `faults` finds some; the process does not start then.
pub fn read_file<T: DeserializeOwned + Default>(
    folder: Option<&Path>,
    name: &str,
    faults: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<T> {
    let Some(file) = folder.map(|folder| folder.join(name)) else { return Ok(T::default()) };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let read: T = toml_edit::de::from_str(&text).with_context(|| format!("use {}", file.display()))?;
    let faults = faults(&read);
    anyhow::ensure!(faults.is_empty(), "use {}: {}", file.display(), faults.join("\n"));
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_file_that_is_not_there_is_empty_and_one_with_faults_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let read = || {
            read_file::<BTreeMap<String, u32>>(Some(folder.path()), "x.toml", |read| {
                read.get("bad").map(|bad| format!("bad is {bad}")).into_iter().collect()
            })
        };
        assert!(read().unwrap().is_empty());
        std::fs::write(folder.path().join("x.toml"), "good = 1\n").unwrap();
        assert_eq!(read().unwrap().get("good"), Some(&1));
        std::fs::write(folder.path().join("x.toml"), "bad = 2\n").unwrap();
        assert!(format!("{:#}", read().unwrap_err()).contains("bad is 2"));
        std::fs::write(folder.path().join("x.toml"), "bad = \"two\"\n").unwrap();
        assert!(read().is_err());
    }
}
