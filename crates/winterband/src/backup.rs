//! `winterband backup` and `restore`: everything that is kept, copied while the product runs, and put into an empty bus.
//!
//! A backup is two folders: the log with all that is sealed, and what opens it (the sealing keys and `data/secrets`). Who has
//! one of them has nothing that can be read. Read models, sessions, drafts and what is on its way for moments are not in it.
#![expect(clippy::print_stdout, reason = "a command that a person reads")]

mod manifest;
mod prune;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use bus::places::Copied;
use bus::{Bus, SupervisedServer, places};
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
    /// On how many servers each stream lies; without it as it was, and once on the server that `up` runs.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=5))]
    replicas: Option<u64>,
}

/// Copies; exit code 0 if both folders are whole.
pub(crate) async fn backup(folder: Option<&Path>, args: &BackupArgs) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    for folder in [&args.to, &args.keys_to] {
        boot::make_folder(folder)?;
        let mut inside = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        ensure!(inside.next().is_none(), "{} is not empty: name a new folder", folder.display());
    }
    ensure!(
        args.to.canonicalize()? != args.keys_to.canonicalize()?,
        "the keys go into a folder of their own: who has both can read all"
    );
    let bus = Bus::connect(&boot::bus_settings(&settings, "winterband-backup")?).await?;
    let mut open = Manifest::begin(&settings);
    let mut apart = Manifest::beside(&open);
    for Copied { stream, is_apart } in places::copied() {
        let (manifest, folder) = if is_apart { (&mut apart, &args.keys_to) } else { (&mut open, &args.to) };
        if let Some(part) = copy_out(&bus, folder, &stream).await? {
            println!("{:<16} {:>10} messages {:>14} bytes", part.stream, part.copy.messages(), part.bytes);
            manifest.parts.push(part);
        }
    }
    bus.drain().await?;
    apart.secrets = secrets_out(&settings, &args.keys_to)?;
    apart.write(&args.keys_to)?;
    open.write(&args.to)?;
    println!("the log is in {}, the keys are in {}", args.to.display(), args.keys_to.display());
    Ok(ExitCode::SUCCESS)
}

async fn copy_out(bus: &Bus, folder: &Path, stream: &str) -> Result<Option<Part>> {
    let path = folder.join(manifest::file_of(stream));
    let mut file = File::create(&path).await.with_context(|| format!("make {}", path.display()))?;
    let Some(copy) = bus.copy_stream_out(stream, &mut file).await? else {
        std::fs::remove_file(&path).with_context(|| format!("delete {}", path.display()))?;
        return Ok(None);
    };
    file.sync_all().await.with_context(|| format!("write {}", path.display()))?;
    let (bytes, blake3) = manifest::fingerprint(&path)?;
    Ok(Some(Part { stream: stream.to_owned(), bytes, blake3, copy }))
}

/// Copies the files of `data/secrets` and the master key, wherever it lies; gives their names and fingerprints.
fn secrets_out(settings: &Settings, to: &Path) -> Result<Vec<manifest::Secret>> {
    let mut files = vec![(MASTER_KEY.to_owned(), boot::master_file(settings))];
    let folder = boot::secrets_folder(settings);
    // Where roles run apart, there may be none.
    for entry in std::fs::read_dir(&folder).into_iter().flatten() {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        if let Ok(name) = entry.file_name().into_string()
            && name != MASTER_KEY
            && entry.file_type()?.is_file()
        {
            files.push((name, entry.path()));
        }
    }
    let mut secrets = Vec::new();
    for (name, path) in files {
        let file = to.join(manifest::secret_of(&name));
        // With the rights that it has.
        std::fs::copy(&path, &file).with_context(|| format!("copy {}", path.display()))?;
        let (_, blake3) = manifest::fingerprint(&file)?;
        secrets.push(manifest::Secret { name, blake3 });
    }
    Ok(secrets)
}

/// Puts them where they were.
fn secrets_in(settings: &Settings, from: &Path, secrets: &[manifest::Secret]) -> Result<()> {
    let folder = boot::secrets_folder(settings);
    boot::make_folder(&folder)?;
    for manifest::Secret { name, .. } in secrets {
        let path = if name == MASTER_KEY { boot::master_file(settings) } else { folder.join(name) };
        let kept = from.join(manifest::secret_of(name));
        // What is there may be for reading only.
        if path.exists() && is_same(&path, &kept)? {
            continue;
        }
        std::fs::copy(&kept, &path).with_context(|| format!("write {}", path.display()))?;
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
    let ours: Vec<String> = places::copied().into_iter().map(|one| one.stream).collect();
    if let Some(there) = found.iter().find(|name| ours.contains(name)) {
        bail!("the bus holds {there} already: restore into an empty one");
    }
    let replicas = args.replicas.or(server.is_some().then_some(1));
    for stream in &ours {
        for (manifest, folder) in [(&open, &args.from), (&apart, &args.keys_from)] {
            let Some(part) = manifest.parts.iter().find(|part| part.stream == *stream) else { continue };
            copy_in(&bus, folder, part, replicas).await?;
        }
    }
    let taken_out = prune::deliveries(&bus).await?;
    secrets_in(&settings, &args.keys_from, &apart.secrets)?;
    bus.drain().await?;
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
