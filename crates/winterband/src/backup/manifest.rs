//! What a folder of a backup says of itself.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bus::StreamCopy;
use serde::{Deserialize, Serialize};
use service::Settings;
use uuid::Uuid;

/// Written last: a folder without it is not whole.
const FILE: &str = "backup.json";
/// The version of what is written here.
const VERSION: u8 = 1;

/// One folder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    v: u8,
    /// Which backup: both folders of one have the same.
    pub(super) backup: Uuid,
    /// When it was begun, in UTC, for people.
    pub(super) made: String,
    /// The version that wrote it.
    by: String,
    cell: String,
    pub(super) parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<Secret>,
    /// The hash of what the other folder says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<String>,
}

/// One stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) stream: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
    pub(super) copy: StreamCopy,
}

/// One file of `data/secrets`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) blake3: String,
}

/// The file with a stream's bytes.
pub(super) fn file_of(stream: &str) -> String {
    format!("{stream}.stream")
}

/// The file with a secret.
pub(super) fn secret_of(name: &str) -> String {
    format!("secret-{name}")
}

/// A file's size and the hash of its bytes.
pub(super) fn fingerprint(path: &Path) -> Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path).with_context(|| format!("read {}", path.display()))?;
    let bytes = std::io::copy(&mut file, &mut hasher).with_context(|| format!("read {}", path.display()))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// The hash of what a folder says of itself.
pub(super) fn of_folder(folder: &Path) -> Result<String> {
    fingerprint(&folder.join(FILE)).map(|(_, hash)| hash)
}

impl Manifest {
    /// Of a backup that begins now.
    pub(super) fn begin(settings: &Settings) -> Self {
        let now = std::time::SystemTime::now();
        Self {
            v: VERSION,
            backup: Uuid::now_v7(),
            made: humantime::format_rfc3339_seconds(now).to_string(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
            cell: settings.cell.token.clone(),
            parts: Vec::new(),
            secrets: Vec::new(),
            beside: None,
        }
    }

    /// Of the other folder of the same one.
    pub(super) fn beside(other: &Self) -> Self {
        let Self { v, backup, made, by, cell, parts: _, secrets: _, beside: _ } = other;
        let (made, by, cell) = (made.clone(), by.clone(), cell.clone());
        Self { v: *v, backup: *backup, made, by, cell, parts: Vec::new(), secrets: Vec::new(), beside: None }
    }

    /// Writes it; from here on the folder is whole.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let mut file = tempfile::NamedTempFile::new_in(folder).context("make the file of contents")?;
        serde_json::to_writer_pretty(&mut file, self).context("write the file of contents")?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(&path).with_context(|| format!("write {}", path.display()))?;
        std::fs::File::open(folder)?.sync_all().with_context(|| format!("write {}", folder.display()))
    }

    /// Reads it, and every file that it names.
    ///
    /// # Errors
    /// When the folder is not whole, not as it was written, of another cell, or of a later version; fate: refuse.
    pub(super) fn read(folder: &Path, settings: &Settings) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("{} is no whole backup: it has no {FILE}", folder.display()))?;
        let version = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|found| found.get("v").and_then(serde_json::Value::as_u64));
        ensure!(
            version == Some(u64::from(VERSION)),
            "{} says version {version:?}, and this program reads {VERSION}: use the one that wrote it, or a later one",
            path.display()
        );
        let found: Self =
            serde_json::from_slice(&bytes).with_context(|| format!("read {}", path.display()))?;
        ensure!(
            found.cell == settings.cell.token,
            "the backup is of cell {}, and cell.token is {}: set it to the same",
            found.cell,
            settings.cell.token
        );
        for part in &found.parts {
            check(&folder.join(file_of(&part.stream)), &part.blake3)?;
        }
        for secret in &found.secrets {
            check(&folder.join(secret_of(&secret.name)), &secret.blake3)?;
        }
        Ok(found)
    }
}

fn check(path: &Path, blake3: &str) -> Result<()> {
    let (_, found) = fingerprint(path)?;
    ensure!(found == blake3, "{} is not as it was written: use another backup", path.display());
    Ok(())
}
