//! `winterband backup` and `restore`: everything that is kept, copied while the product runs, and put into an empty bus.
//!
//! A backup is two folders: the log with all that is sealed, and what opens it (the sealing keys and `data/secrets`). Who has
//! one of them has nothing that can be read. Read models, sessions, drafts and what is on its way for moments are not in it.
#![expect(clippy::print_stdout, reason = "a command that a person reads")]

mod manifest;
mod prune;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use bus::places::Copied;
use bus::{Bus, StreamCopying, SupervisedServer, places};
use protocol::streams::ERASURES;
use service::Settings;
use tokio::fs::File;

use crate::boot;
use manifest::{Manifest, Part};

/// The stream of the sealing keys.
const KEYS: &str = "KV_KEYS";

/// The name of the master key in a backup.
const MASTER_KEY: &str = "master.key";

/// Where a copy goes.
#[derive(clap::Args)]
pub(crate) struct BackupArgs {
    /// An empty or new folder for the log and all that is sealed.
    #[arg(long)]
    to: PathBuf,
    /// An empty or new folder for the keys and secrets: keep it apart from the other one.
    #[arg(long)]
    keys_to: PathBuf,
}

/// Where a copy comes from.
#[derive(clap::Args)]
pub(crate) struct RestoreArgs {
    /// The folder that `backup --to` filled.
    #[arg(long)]
    from: PathBuf,
    /// The folder that `backup --keys-to` filled.
    #[arg(long)]
    keys_from: PathBuf,
    /// The folder that a later `backup --to` of the same product filled: who was erased since then is destroyed again.
    #[arg(long)]
    erasures_from: Option<PathBuf>,
    /// On how many servers each stream lies; without it as it was, and once on the server that `up` runs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=5))]
    replicas: Option<u64>,
}

/// Copies; exit code 0 if both folders are whole.
pub(crate) async fn backup(folder: Option<&Path>, args: &BackupArgs) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    for folder in [&args.to, &args.keys_to] {
        private_folder(folder)?;
    }
    ensure!(
        args.to.canonicalize()? != args.keys_to.canonicalize()?,
        "the keys go into a folder of their own: who has both can read all"
    );
    let mut open = Manifest::begin(&settings);
    let mut apart = Manifest::beside(&open);
    // First: without them all the rest is of no use.
    apart.secrets = secrets_out(&settings, &args.keys_to)?;
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-backup")?).await?;
    let mut writing = Vec::new();
    for place in places::copied() {
        // Begun one after the other and written all at once: the copies are of moments close to each other.
        if let Some(copying) = bus.copy_stream_out(&place.stream).await? {
            let folder = if place.is_apart { &args.keys_to } else { &args.to };
            let path = folder.join(manifest::file_of(&place.stream));
            let task = tokio::spawn(write(copying, place.stream.clone(), path));
            writing.push((place, tokio_util::task::AbortOnDropHandle::new(task)));
        }
    }
    for (Copied { is_apart, .. }, task) in writing {
        let part = task.await.context("copy")??;
        println!("{:<16} {:>10} messages {:>14} bytes", part.stream, part.copy.messages(), part.bytes);
        if is_apart { &mut apart } else { &mut open }.parts.push(part);
    }
    if let Err(error) = bus.drain().await {
        tracing::debug!(%error, "the connection did not end in time");
    }
    open.write(&args.to)?;
    // It says what the other folder holds, so that whoever changes something there has to have both.
    apart.beside = Some(manifest::of_folder(&args.to)?);
    apart.write(&args.keys_to)?;
    println!("the log is in {}, the keys are in {}", args.to.display(), args.keys_to.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes a folder that only this user reads, or takes an empty one and closes it.
fn private_folder(folder: &Path) -> Result<()> {
    boot::make_folder(folder)?;
    let mut inside = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    ensure!(inside.next().is_none(), "{} is not empty: name a new folder", folder.display());
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
        .with_context(|| format!("close {} to others", folder.display()))
}

async fn write(copying: StreamCopying, stream: String, path: PathBuf) -> Result<Part> {
    let made = File::options().write(true).create_new(true).mode(0o600).open(&path).await;
    let mut file = made.with_context(|| format!("make {}", path.display()))?;
    let copy = copying.write(&mut file).await?;
    file.sync_all().await.with_context(|| format!("write {}", path.display()))?;
    let fingerprint = tokio::task::spawn_blocking(move || manifest::fingerprint(&path));
    let (bytes, blake3) = fingerprint.await.context("look at what was written")??;
    Ok(Part { stream, bytes, blake3, copy })
}

/// What the names of files end in that a restore found and put aside.
const PUT_ASIDE: &str = ".before-restore";

/// Copies the files of `data/secrets` and the master key, wherever it lies; gives their names and fingerprints.
fn secrets_out(settings: &Settings, to: &Path) -> Result<Vec<manifest::Secret>> {
    let mut files = vec![(MASTER_KEY.to_owned(), boot::master_file(settings))];
    let folder = boot::secrets_folder(settings);
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.with_context(|| format!("read {}", folder.display()))?;
                if let Ok(name) = entry.file_name().into_string()
                    && name != MASTER_KEY
                    && !name.ends_with(PUT_ASIDE)
                    && entry.file_type()?.is_file()
                {
                    files.push((name, entry.path()));
                }
            }
        }
        // Where roles run apart, there may be none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
    }
    let mut secrets = Vec::new();
    for (name, path) in files {
        let file = to.join(manifest::secret_of(&name));
        copy_secret(&path, &file)?;
        let (_, blake3) = manifest::fingerprint(&file)?;
        secrets.push(manifest::Secret { name, blake3 });
    }
    Ok(secrets)
}

/// Copies a file so that only this user reads it, whatever became of its rights on the way.
fn copy_secret(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("read {}", from.display()))?;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let mut file = made.with_context(|| format!("make {}", to.display()))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(|| format!("write {}", to.display()))
}

/// Puts them where they were.
fn secrets_in(settings: &Settings, from: &Path, secrets: &[manifest::Secret]) -> Result<()> {
    let folder = boot::secrets_folder(settings);
    boot::make_folder(&folder)?;
    for manifest::Secret { name, .. } in secrets {
        let path = if name == MASTER_KEY { boot::master_file(settings) } else { folder.join(name) };
        let kept = from.join(manifest::secret_of(name));
        if path.exists() {
            // What is there may be for reading only.
            if is_same(&path, &kept)? {
                continue;
            }
            // Passwords and keys of a first start, which what is put back knows nothing of.
            let aside = folder.join(format!("{name}{PUT_ASIDE}"));
            ensure!(!aside.exists(), "{} is there already: move it away", aside.display());
            std::fs::rename(&path, &aside).with_context(|| format!("put {} aside", path.display()))?;
            tracing::info!(kept = %aside.display(), "was there and is another one: put aside");
        }
        if let Some(parent) = path.parent() {
            boot::make_folder(parent)?;
        }
        copy_secret(&kept, &path)?;
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> Result<bool> {
    let read = |file: &Path| std::fs::read(file).with_context(|| format!("read {}", file.display()));
    Ok(read(one)? == read(other)?)
}

/// Puts it back; exit code 0 if all of it is there.
pub(crate) async fn restore(folder: Option<&Path>, args: &RestoreArgs) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    // Nothing is changed before both folders are known to be whole.
    let open = Manifest::read(&args.from, &settings)?;
    let apart = Manifest::read(&args.keys_from, &settings)?;
    ensure!(
        open.backup == apart.backup,
        "the folders are of two backups: name those that one run of `backup` filled"
    );
    ensure!(
        apart.parts.iter().any(|part| part.stream == KEYS),
        "{} holds no keys: name the folder that `backup --keys-to` filled",
        args.keys_from.display()
    );
    ensure!(
        apart.beside.as_ref() == Some(&manifest::of_folder(&args.from)?),
        "{} was changed after it was written: use another backup",
        args.from.display()
    );
    let later = args.erasures_from.as_deref().map(|folder| Manifest::read(folder, &settings)).transpose()?;
    let master = boot::master_file(&settings);
    // Where the bus alone is a new one, the key that is there is that of the backup.
    ensure!(
        !master.exists() || is_same(&master, &args.keys_from.join(manifest::secret_of(MASTER_KEY)))?,
        "{} is there already: restore into an empty data folder",
        master.display()
    );
    let server = supervised(&settings).await?;
    let bus_settings = match &server {
        Some(server) => server.settings().named("winterband-restore"),
        None => boot::bus_settings(&settings, "winterband-restore")?,
    };
    let bus = Bus::connect(&bus_settings).await?;
    let found = bus.streams_named("").await?;
    ensure!(
        found.is_empty(),
        "the bus holds {} already: restore into one, or into an account of one, that holds nothing",
        found.join(", ")
    );
    let data = &settings.data.folder;
    bus::forget_folds(data)
        .with_context(|| format!("failed to empty the folder `folds` in {}", data.display()))?;
    // Before the streams: what fails here is found before hours of copying.
    secrets_in(&settings, &args.keys_from, &apart.secrets)?;
    let replicas = args.replicas.or(server.is_some().then_some(1));
    for Copied { stream, .. } in places::copied() {
        for (manifest, folder) in [(&open, &args.from), (&apart, &args.keys_from)] {
            let Some(part) = manifest.parts.iter().find(|part| part.stream == stream) else { continue };
            // Who was erased since stays erased.
            let newer = later.as_ref().zip(args.erasures_from.as_ref()).filter(|_| stream == ERASURES);
            let newer = newer.and_then(|(later, folder)| {
                let found = later.parts.iter().find(|newer| newer.stream == stream)?;
                (found.copy.last_seq() >= part.copy.last_seq()).then_some((folder, found))
            });
            let (folder, part) = newer.unwrap_or((folder, part));
            copy_in(&bus, folder, part, replicas).await?;
        }
    }
    let taken_out = prune::deliveries(&bus).await?;
    if let Err(error) = bus.drain().await {
        tracing::debug!(%error, "the connection did not end in time");
    }
    if let Some(server) = server {
        server.stop().await;
    }
    if taken_out > 0 {
        println!("{taken_out} deliveries were of messages that came after the copy of the log: taken out");
    }
    println!("all of it is back as it was at {}: start the product", open.made);
    Ok(ExitCode::SUCCESS)
}

/// The server that `up` would run, unless the settings name another one.
async fn supervised(settings: &Settings) -> Result<Option<SupervisedServer>> {
    if !settings.nats.url.is_empty() {
        return Ok(None);
    }
    boot::make_folder(&settings.data.folder)?;
    let options = crate::up::server_options();
    Ok(Some(SupervisedServer::start_with(&boot::nats_folder(settings), options).await?))
}

async fn copy_in(bus: &Bus, folder: &Path, part: &Part, replicas: Option<u64>) -> Result<()> {
    let path = folder.join(manifest::file_of(&part.stream));
    let mut file = File::open(&path).await.with_context(|| format!("read {}", path.display()))?;
    let mut copy = part.copy.clone();
    if let (Some(replicas), Some(config)) = (replicas, copy.config.as_object_mut()) {
        config.insert("num_replicas".to_owned(), replicas.into());
        if replicas == 1 {
            config.remove("placement");
        }
    }
    bus.copy_stream_in(&part.stream, &copy, &mut file)
        .await
        .with_context(|| format!("{} was not put back: empty the bus and begin anew", part.stream))?;
    println!("{:<16} {:>10} messages", part.stream, part.copy.messages());
    Ok(())
}
