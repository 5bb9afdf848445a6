//! The agents' gateway: signs agents in, shows them what the log says is theirs, and takes their commands.
//!
//! It keeps no state of its own. The floor is folded from CONTACTS and what was given from REMEDIES, from where a process of this build had
//! come on this machine or from the first record; commands
//! are inputs, and what is answered to them is read in the logs, so that any gateway, also one that was just started,
//! answers alike.

pub mod accounts;
mod admin;
mod answer;
mod assets;
mod audit;
mod canary;
mod canned;
mod clienteling;
mod commands;
mod consents;
mod customer;
mod deliveries;
mod drafts;
mod files;
mod floor;
mod follow;
mod frames;
mod history;
mod hub;
mod line;
mod logs;
mod mail;
mod oidc;
mod order;
mod pages;
mod presence;
mod projection;
mod protection;
mod reach;
mod remedies;
mod render;
mod rights;
mod routes;
mod search;
mod sessions;
mod shown;
mod signed;
mod signin;
mod socket;
mod strangers;
mod till;
mod traced;
mod watching;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use bus::{Audit, Bucket, Bus, Consents, Exports, Files, IdHasher, Sealer, places};
use protocol::content::Content;
use protocol::ids::GatewayId;
use protocol::privacy::{self, Privacy};
use protocol::subjects::Subjects;
use protocol::{Millis, SubjectToken};
use service::Kit;
use service::settings::read_file;
use tokio::sync::Semaphore;

use crate::accounts::{Devices, Gatekeeper};
use crate::audit::Looks;
use crate::canned::CannedAnswers;
use crate::clienteling::Clienteling;
use crate::drafts::Drafts;
use crate::hub::Hub;
use crate::oidc::Oidc;
use crate::sessions::LiveSessions;
use crate::strangers::Strangers;
use crate::traced::Traced;

pub use routes::{Needs, listed};

/// What every part of the gateway needs.
struct Gateway {
    kit: Kit,
    bus: Bus,
    sealer: Sealer,
    subjects: Subjects,
    /// This process; agents' presence hangs on its life.
    id: GatewayId,
    hub: Hub,
    gatekeeper: Gatekeeper,
    devices: Devices,
    /// The company's identity provider, if there is one.
    oidc: Option<Oidc>,
    live: LiveSessions,
    strangers: Strangers,
    audit: Audit,
    looks: Looks,
    sessions: Bucket,
    drafts: Drafts,
    canned: CannedAnswers,
    clienteling: Clienteling,
    gateways: Bucket,
    files: Files,
    /// One permit for each upload that may be under way.
    uploads: Semaphore,
    privacy: Privacy,
    exports: Exports,
    consents: Consents,
    traced: Traced,
}

impl Gateway {
    /// Takes out of an agent's words what nobody should have.
    fn mask(&self, words: &mut Content) {
        for kind in self.privacy.mask.content(words) {
            self.kit.metrics.masked_total.inc(["desk", kind.name()]);
        }
    }

    /// Whether browsers reach us by https.
    fn is_https(&self) -> bool {
        self.kit.settings.http.public_url.starts_with("https:")
    }

    fn now(&self) -> Millis {
        Millis(self.kit.clock.unix_ms())
    }
}

/// Starts the role and gives its routes: `/desk` and what is below. Returns before the log is read; sockets wait for that.
///
/// # Errors
/// When the settings' cell is no token or the buckets cannot be made; the process does not start then.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer, hasher: IdHasher) -> anyhow::Result<Router> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("make the bucket for accounts")?;
    let sessions = bus.ensure_bucket(&places::sessions()).await.context("make the bucket for sessions")?;
    let drafts = bus.ensure_bucket(&places::drafts()).await.context("make the bucket for drafts")?;
    let canned = bus.ensure_bucket(&places::canned()).await.context("make the bucket for canned answers")?;
    let arrivals = bus.ensure_bucket(&places::arrivals()).await.context("make the bucket for arrivals")?;
    let approaches =
        bus.ensure_bucket(&places::approaches()).await.context("make the bucket for approaches")?;
    let gateways = bus.ensure_bucket(&places::gateways()).await.context("make the bucket for gateways")?;
    let files_max_bytes = kit.settings.streams.files_max_bytes;
    let (devices, oidc) = (Devices::new(&hasher), Oidc::new(&kit.settings, &hasher)?);
    let files = Box::pin(Files::open(&bus, sealer.clone(), hasher, files_max_bytes));
    let files = files.await.context("open the files")?;
    let subjects = Subjects::new(cell);
    let audit_max_bytes = kit.settings.streams.audit_max_bytes;
    let audit = Audit::open(&bus, &subjects, audit_max_bytes).await.context("open the audit trail")?;
    let exports = Exports::open(&bus, sealer.clone()).await.context("open the store of exports")?;
    let consents = Consents::open(&bus).await.context("open the record of consents")?;
    let gateway = Arc::new(Gateway {
        exports,
        consents,
        traced: Traced::new(kit),
        kit: kit.clone(),
        bus,
        sealer,
        subjects,
        id: GatewayId(uuid::Uuid::now_v7()),
        hub: Hub::new(),
        gatekeeper: Box::pin(Gatekeeper::new(accounts, &kit.settings.signin, &kit.clock)).await?,
        devices,
        oidc,
        live: LiveSessions::default(),
        strangers: Strangers::new(&kit.clock),
        audit,
        looks: Looks::default(),
        sessions,
        drafts: Drafts::new(drafts),
        canned: CannedAnswers::new(canned),
        clienteling: Clienteling::new(arrivals, approaches),
        gateways,
        files,
        uploads: Semaphore::new(files::UPLOADS_MAX),
        privacy: read_file(kit.settings.folder.as_deref(), privacy::FILE_NAME, Privacy::faults)?,
    });
    follow::start(&gateway);
    presence::start(&gateway);
    floor::start(&gateway);
    tracing::info!(gateway = %gateway.id, "desk gateway started");
    Ok(routes::router(&gateway))
}
