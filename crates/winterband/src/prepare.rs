//! `prepare`: makes what has to be there before roles that run apart begin, so that none of them needs the right to.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::integrations;
use bus::{Audit, Bus, BusSettings, Exports, Files, Uploads, places};
use protocol::subjects::Subjects;
use service::{Kit, Settings};

use crate::first_start::{self, Floor, Signins};
use crate::roles::Shared;
use crate::{boot, keys};

/// Servers of a cluster do not all know at once of a stream that was made; every step can be done again.
const ATTEMPTS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Can be called again at any time, beside roles that run.
#[expect(clippy::print_stdout, reason = "a tool's answer")]
pub(crate) async fn run(folder: Option<&Path>) -> Result<ExitCode> {
    let mut settings = Settings::load(folder)?;
    if settings.nats.url.is_empty() {
        bail!("set nats.url (NATS_URL): `winterband up` makes what it needs itself");
    }
    // It is the one that makes it.
    settings.nats.prepared = false;
    let floor = Floor::read(folder)?;
    let kit = boot::kit(settings)?;
    let bus_settings = boot::bus_settings(&kit.settings, keys::PREPARES_AS)?;
    let mut attempt = 1;
    let signins = loop {
        match Box::pin(make(&kit, &bus_settings, &floor)).await {
            Ok(signins) => break signins,
            Err(error) if attempt == ATTEMPTS_MAX => return Err(error),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), attempt, "not all could be made; it tries again")
            }
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    };
    println!("Streams, buckets and the first accounts are there.");
    tell(&signins)
}

/// What a person reads on a terminal is gone; what goes into a log is read by whoever reads those, so that it names files alone.
#[expect(clippy::print_stdout, reason = "a tool's answer")]
fn tell(signins: &Signins) -> Result<ExitCode> {
    let is_person = std::io::stdout().is_terminal();
    match signins.agents.as_slice() {
        [] => {}
        agents if is_person => {
            println!("First passwords:");
            for one in agents {
                println!("    {:<10} {}", one.name.as_str(), one.password);
            }
        }
        _ => println!(
            "First passwords are in {}; run this at a terminal to read them.",
            signins.agents_file.display()
        ),
    }
    if let Some(file) = &signins.api_key_file {
        if is_person {
            let key = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
            println!("The administrator's API key:\n    {}", key.trim());
        } else {
            println!("The administrator's API key is in {}.", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(kit: &Kit, bus_settings: &BusSettings, floor: &Floor) -> Result<Signins> {
    let bus = boot::connect(&kit.settings, bus_settings).await?;
    let (sealer, hasher) = boot::vault(&kit.settings, &bus).await?;
    let bus_settings = bus_settings.clone();
    let shared = Shared { kit: kit.clone(), bus, bus_settings, sealer, hasher };
    make_places(&shared).await?;
    let signins = first_start::prepare(&shared, floor).await?;
    if let Err(error) = shared.bus.drain().await {
        tracing::debug!(%error, "ended before the connection was drained");
    }
    Ok(signins)
}

async fn make_places(shared: &Shared) -> Result<()> {
    let Shared { kit, bus, sealer, hasher, .. } = shared;
    let settings = &kit.settings;
    for spec in places::all_buckets() {
        bus.ensure_bucket(&spec).await.with_context(|| format!("make the bucket {}", spec.name))?;
    }
    let subjects = boot::subjects(settings)?;
    Audit::open(bus, &subjects, settings.streams.audit_max_bytes).await.context("make the audit trail")?;
    make_edges(bus, &subjects, settings).await?;
    make_stores(bus, settings, sealer, hasher).await
}

/// What integrations publish to depends on settings that may have changed.
async fn make_edges(bus: &Bus, subjects: &Subjects, settings: &Settings) -> Result<()> {
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("open the accounts")?;
    let all = integrations::list(&accounts).await;
    for one in all.map_err(|problem| anyhow::anyhow!("{} ({})", problem.title, problem.code))? {
        integrations::make_streams(bus, subjects, settings, &one.name).await?;
    }
    Ok(())
}

async fn make_stores(
    bus: &Bus,
    settings: &Settings,
    sealer: &bus::Sealer,
    hasher: &bus::IdHasher,
) -> Result<()> {
    let room = settings.streams.files_max_bytes;
    let store = places::snapshots();
    let snapshots = bus.ensure_objects(&store, places::SNAPSHOTS_BYTES_MAX);
    snapshots.await.context("make the store of snapshots")?;
    let files =
        Files::open(bus, sealer.clone(), hasher.clone(), room).await.context("make the store of files")?;
    let uploads = Uploads::open(bus, &files, places::uploads_bytes_max(room));
    uploads.await.context("make the store of uploads")?;
    Exports::open(bus, sealer.clone()).await.context("make the store of exports")?;
    Ok(())
}
