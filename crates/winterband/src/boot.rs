//! How a process of ours comes up: settings, bus, keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bus::places::StreamSizes;
use bus::{
    Bus, BusSettings, Credentials, Deadline, IdHasher, KeptFor, KvError, MasterKey, Sealer, SupervisedServer,
    places,
};
use protocol::SubjectToken;
use protocol::privacy::{self, Privacy, Retention};
use protocol::subjects::Subjects;
use service::spans::Traces;
use service::{Clock, Drain, Health, Kit, Metrics, Settings};

use crate::roles::Shared;
use crate::room;

/// For how long a process waits for the bus to answer at its start.
const CONNECT_DEADLINE: Duration = Duration::from_secs(20);
/// Where the master key's fingerprint stands in ACCOUNTS, and what is hashed with it.
const MASTER_KEY_ROW: &str = "master.fingerprint";
const MASTER_KEY_MARK: &[u8] = b"winterband master key";
/// How often readiness looks at the connection.
const BUS_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Checks of two seconds each, one after the other, that the server may leave unanswered: one may meet a busy moment.
const SILENT_CHECKS_MAX: u32 = 2;

/// The kit of this process, with logs on.
pub(crate) fn kit(settings: Settings) -> Result<Kit> {
    service::trace::init(&settings)?;
    if let Some(url) = settings.bus_in_the_clear() {
        tracing::warn!(url, "the bus is on another machine and not encrypted: use tls:// there");
    }
    let kit = quiet_kit(settings);
    let traces = service::spans::start(&kit.settings, &kit.metrics)?;
    Ok(Kit { traces, ..kit })
}

/// A further kit in the same process; the logs are as the first one set them.
pub(crate) fn quiet_kit(settings: Settings) -> Kit {
    let clock = Clock::system();
    let health = Health::new(clock.clone(), settings.health.stale_after);
    // What stands in a log and is of a later version must be understood by nobody here: going on without it would make up what is not so.
    let drain = Drain::new(health.clone())
        .ending_all_by(|error| protocol::formats::later_in(error.chain()).map(ToString::to_string));
    Kit { settings: Arc::new(settings), metrics: Metrics::new(), health, clock, drain, traces: Traces::off() }
}

/// The folder that holds secrets made at the first start.
pub(crate) fn secrets_folder(settings: &Settings) -> PathBuf {
    settings.data.folder.join("secrets")
}

/// The folder of the supervised server.
pub(crate) fn nats_folder(settings: &Settings) -> PathBuf {
    settings.data.folder.join("nats")
}

/// Where the bus is: the server that the settings name, or the one that `up` runs in the data folder.
pub(crate) fn bus_settings(settings: &Settings, name: &str) -> Result<BusSettings> {
    if settings.nats.url.is_empty() {
        let folder = nats_folder(settings);
        return SupervisedServer::settings_in(&folder).map(|found| found.named(name)).with_context(|| {
            format!("find the bus of {}: start `winterband up`, or set NATS_URL", folder.display())
        });
    }
    let credentials = match (&settings.nats.seed, &settings.nats.credentials) {
        (Some(seed), _) => Credentials::Nkey(bus::Secret::new(seed.reveal().trim())),
        (None, None) => Credentials::None,
        (None, Some(secret)) => {
            let Some((user, password)) = secret.reveal().trim().split_once(':') else {
                bail!("nats.credentials: expected user:password");
            };
            Credentials::Password { user: user.to_owned(), password: bus::Secret::new(password) }
        }
    };
    let (url, authority) = (settings.nats.url.clone(), settings.nats.authority.clone());
    Ok(BusSettings { url, credentials, name: name.to_owned(), authority })
}

/// Connects, and makes the streams if they are not there, unless `winterband prepare` does that.
pub(crate) async fn connect(settings: &Settings, bus: &BusSettings) -> Result<Bus> {
    let bus = Bus::connect_until(bus, Deadline::after(CONNECT_DEADLINE)).await?;
    let bus = bus.with_replicas(settings.streams.replicas);
    if settings.nats.prepared {
        return Ok(bus);
    }
    let sizes = StreamSizes {
        inbound: settings.streams.inbound_max_bytes,
        contacts: settings.streams.contacts_max_bytes,
        remedies: settings.streams.remedies_max_bytes,
        parked: settings.streams.parked_max_bytes,
        deliveries: settings.streams.deliveries_max_bytes,
    };
    for spec in places::all_streams(&subjects(settings)?, sizes) {
        bus.ensure_stream(&spec).await?;
    }
    bus.ensure_stream(&places::erasures(&subjects(settings)?)).await?;
    Ok(bus)
}

/// The subjects of this cell.
pub(crate) fn subjects(settings: &Settings) -> Result<Subjects> {
    Ok(Subjects::new(SubjectToken::new(&settings.cell.token)?))
}

/// The keys: what seals and what hashes.
pub(crate) async fn vault(settings: &Settings, bus: &Bus) -> Result<(Sealer, IdHasher)> {
    if settings.data.master_key.is_none() {
        make_folder(&secrets_folder(settings))?;
    }
    let file = master_file(settings);
    let master = MasterKey::load_or_create(&file)?;
    let hasher = IdHasher::new(&master);
    if !settings.nats.prepared {
        check_master(bus, &hasher, &file).await?;
    }
    let sealer = Sealer::open(bus, &master).await.context("open the store of sealing keys")?;
    let ours = fingerprint(&hasher);
    if !settings.nats.prepared {
        sealer.note_master(&ours).await.context("note the master key's fingerprint")?;
    }
    match sealer.master_noted().await.context("read the master key's fingerprint")? {
        Some(noted) if noted == ours => {}
        Some(_) => bail!(other_master(&file)),
        None => bail!("run `winterband prepare` first: nats.prepared says that it has"),
    }
    let Retention { words, files, mail_raw } = privacy(settings)?.least();
    Ok((sealer.keeping(KeptFor { words, files, mail_raw }), hasher))
}

/// The file of the master key.
pub(crate) fn master_file(settings: &Settings) -> PathBuf {
    settings.data.master_key.clone().unwrap_or_else(|| secrets_folder(settings).join("master.key"))
}

fn fingerprint(hasher: &IdHasher) -> String {
    hasher.content(MASTER_KEY_MARK).to_string()
}

fn other_master(file: &Path) -> String {
    format!(
        "use {}: this bus was begun with another master key; put the folder `secrets` of that machine or backup there",
        file.display()
    )
}

/// What is kept for how long.
pub(crate) fn privacy(settings: &Settings) -> Result<Privacy> {
    service::settings::read_file(settings.folder.as_deref(), privacy::FILE_NAME, Privacy::faults)
}

/// One bus, one master key: with another one the same customer would be somebody else, and nothing could be opened.
async fn check_master(bus: &Bus, hasher: &IdHasher, file: &Path) -> Result<()> {
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("make the bucket for accounts")?;
    let ours = fingerprint(hasher);
    match accounts.create(MASTER_KEY_ROW, ours.clone().into()).await {
        Ok(_) => return Ok(()),
        Err(KvError::Exists) => {}
        Err(error) => return Err(error).context("store the master key's fingerprint"),
    }
    let known = accounts.get(MASTER_KEY_ROW).await?.context("read the master key's fingerprint")?;
    if known.value != ours.as_bytes() {
        bail!(other_master(file));
    }
    Ok(())
}

/// Whether the master key on this machine is the one that the bus was begun with; `None`: it is not begun, or there is no key
/// here. Makes nothing.
pub(crate) async fn is_master_of(settings: &Settings, bus: &Bus) -> Result<Option<bool>> {
    let file = master_file(settings);
    if !file.exists() || bus.see_stream("KV_ACCOUNTS").await?.is_none() {
        return Ok(None);
    }
    let ours = fingerprint(&IdHasher::new(&MasterKey::load_or_create(&file)?));
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("open the bucket for accounts")?;
    let known = accounts.get(MASTER_KEY_ROW).await.context("read the master key's fingerprint")?;
    Ok(known.map(|known| known.value == ours.as_bytes()))
}

/// Makes a folder that only this user reads.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("make the folder {}", folder.display()))
}

/// Everything a process with roles needs.
pub(crate) async fn shared(kit: Kit, bus_settings: &BusSettings) -> Result<Shared> {
    let bus = Box::pin(connect(&kit.settings, bus_settings)).await?;
    let (sealer, hasher) = Box::pin(vault(&kit.settings, &bus)).await?;
    kit.drain.spawn("bus-watch", watch_bus(kit.clone(), bus.clone()));
    room::start(&kit, &bus);
    Ok(Shared { kit, bus, bus_settings: bus_settings.clone(), sealer, hasher })
}

/// Keeps readiness and the metric true to the bus. A connection alone proves nothing: a server that hangs keeps it open
/// for half a minute.
async fn watch_bus(kit: Kit, bus: Bus) -> Result<()> {
    let mut look = tokio::time::interval(BUS_LOOK_EVERY);
    let drained = kit.drain.token();
    let mut silent = 0;
    loop {
        tokio::select! {
            () = drained.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        let answer = tokio::select! {
            () = drained.cancelled() => return Ok(()),
            answer = bus.check() => answer,
        };
        silent = if answer.is_ok() { 0 } else { silent + 1 };
        let down = if !bus.is_connected() {
            Some("not connected to nats-server")
        } else if silent >= SILENT_CHECKS_MAX {
            Some("nats-server does not answer")
        } else {
            None
        };
        match down {
            None => kit.health.bus_up(),
            Some(reason) => kit.health.bus_down(reason),
        }
        kit.metrics.bus_connected.set(i64::from(down.is_none()));
    }
}
