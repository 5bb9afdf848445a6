//! The agents' gateway: signs agents in, shows them what the log says is theirs, and takes their commands.
//!
//! It keeps no state of its own. The floor is folded from CONTACTS and what was given from REMEDIES at every start; commands
//! are inputs, and what is answered to them is read in the logs, so that any gateway, also one that was just started,
//! answers alike.

pub mod accounts;
mod answer;
mod assets;
mod audit;
mod canned;
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
mod order;
mod pages;
mod presence;
mod projection;
mod remedies;
mod render;
mod rights;
mod search;
mod sessions;
mod shown;
mod signin;
mod socket;
mod strangers;
mod till;
mod watching;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};
use bus::{Audit, Bucket, Bus, Consents, Exports, Files, IdHasher, Sealer, places};
use protocol::content::Content;
use protocol::ids::GatewayId;
use protocol::privacy::{self, Privacy};
use protocol::subjects::Subjects;
use protocol::{Millis, SubjectToken};
use service::Kit;
use service::settings::read_file;
use tokio::sync::Semaphore;

use crate::accounts::Gatekeeper;
use crate::audit::Looks;
use crate::canned::CannedAnswers;
use crate::drafts::Drafts;
use crate::hub::Hub;
use crate::sessions::LiveSessions;
use crate::strangers::Strangers;

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
    live: LiveSessions,
    strangers: Strangers,
    audit: Audit,
    looks: Looks,
    sessions: Bucket,
    drafts: Drafts,
    canned: CannedAnswers,
    gateways: Bucket,
    files: Files,
    /// One permit for each upload that may be under way.
    uploads: Semaphore,
    privacy: Privacy,
    exports: Exports,
    consents: Consents,
}

impl Gateway {
    /// Takes out of an agent's words what nobody should have.
    fn mask(&self, words: &mut Content) {
        for kind in self.privacy.mask.content(words) {
            self.kit.metrics.masked_total.inc(["desk", kind.name()]);
        }
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
    let gateways = bus.ensure_bucket(&places::gateways()).await.context("make the bucket for gateways")?;
    let files_max_bytes = kit.settings.streams.files_max_bytes;
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
        kit: kit.clone(),
        bus,
        sealer,
        subjects,
        id: GatewayId(uuid::Uuid::now_v7()),
        hub: Hub::new(),
        gatekeeper: Box::pin(Gatekeeper::new(accounts, &kit.settings.signin, &kit.clock)).await?,
        live: LiveSessions::default(),
        strangers: Strangers::new(&kit.clock),
        audit,
        looks: Looks::default(),
        sessions,
        drafts: Drafts::new(drafts),
        canned: CannedAnswers::new(canned),
        gateways,
        files,
        uploads: Semaphore::new(files::UPLOADS_MAX),
        privacy: read_file(kit.settings.folder.as_deref(), privacy::FILE_NAME, Privacy::faults)?,
    });
    follow::start(&gateway);
    presence::start(&gateway);
    floor::start(&gateway);
    tracing::info!(gateway = %gateway.id, "desk gateway started");
    Ok(routes(gateway))
}

fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/desk", get(assets::index))
        .route("/desk/", get(assets::index))
        .route("/desk/{*path}", get(assets::file))
        .route("/desk/report", get(pages::report))
        .route("/desk/floor/now", get(pages::floor_now))
        .route("/desk/floor/accounts", get(pages::accounts))
        .route("/desk/floor/hours", get(pages::floor_hours))
        .route("/desk/floor/hours.csv", get(pages::floor_csv))
        .route("/desk/why/{contact}", get(pages::why))
        .route("/desk/why/{contact}/decisions", get(pages::decisions))
        .route("/desk/search", post(search::search).layer(DefaultBodyLimit::max(search::BODY_BYTES_MAX)))
        .route("/desk/history/{conversation}", get(search::part))
        .route("/desk/customer/{conversation}", get(customer::page))
        .route("/desk/admin/audit", get(audit::page))
        .route(
            "/desk/customer/{conversation}/erase",
            post(rights::erase).layer(DefaultBodyLimit::max(rights::BODY_BYTES_MAX)),
        )
        .route("/desk/customer/{conversation}/export", post(rights::export))
        .route(
            "/desk/customer/{conversation}/consents",
            post(consents::change).layer(DefaultBodyLimit::max(rights::BODY_BYTES_MAX)),
        )
        .route("/desk/erasures/{id}", get(rights::erasure))
        .route("/desk/exports/{id}", get(rights::exported))
        .route("/desk/canned", get(canned::all))
        .route(
            "/desk/canned/{name}",
            put(canned::keep).delete(canned::remove).layer(DefaultBodyLimit::max(canned::BODY_BYTES_MAX)),
        )
        .route("/desk/policy", get(pages::policy))
        .route("/desk/wallets", get(pages::wallets))
        .route("/desk/api/signin", post(signin::sign_in).layer(DefaultBodyLimit::max(signin::BODY_BYTES_MAX)))
        .route("/desk/api/signout", post(signin::sign_out))
        .route("/desk/api/me", get(signin::me))
        .route("/desk/api/socket", get(socket::upgrade))
        .route("/desk/api/files/{contact}", post(files::upload))
        .route("/desk/api/files/{contact}/{object}", get(files::download))
        .route("/desk/api/files/{contact}/{object}/{name}", get(customer::file))
        .route("/desk/api/mail/{contact}/{seq}/html", get(mail::html))
        .with_state(gateway)
}
