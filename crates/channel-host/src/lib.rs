//! The transports that run adapters: the web chat's socket with its widget and a demo shop, and in `channels` those whose
//! providers send to us and are sent to.
//!
//! It keeps no state that the log does not have: it folds CONTACTS, shows each visitor what is theirs,
//! and turns what they say into inputs. A message is answered "taken" after INBOUND has acknowledged it, never before.

mod assets;
mod channels;
mod door;
mod files;
mod files_of_accounts;
mod follow;
mod history;
mod intake;
mod limits;
mod line;
mod pace;
mod projection;
mod rooms;
mod socket;
mod take;
mod traced;
mod upgrade;
mod users;
mod welcome;

pub use channels::{Finding, check_channel, configured, start_channels};
pub use files_of_accounts::{AccountsFile, FileAccount};
pub use users::identified;

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::routing::{get, post};
use bus::{Bus, ChannelAccounts, Files, IdHasher, Sealer, Uploads, places};
use channel_web::WebChat;
use protocol::subjects::Subjects;
use protocol::{IdentityId, Millis, SubjectToken};
use service::rate::RetryAfter;
use service::{Kit, Rate, RateLimiter};
use tokio_util::task::TaskTracker;

use crate::door::Seats;
use crate::files_of_accounts::publish_first;
use crate::intake::Intake;
use crate::limits::{
    DOWNLOADS_MAX, IP_DOWNLOADS_MAX, IP_UPLOADS_MAX, RATE_KEYS_MAX, SOCKETS_MAX, UPLOADS_MAX,
};
use crate::rooms::Rooms;
use crate::traced::Traced;
use crate::users::LiveUsers;

/// What every part of the role needs.
struct Host {
    kit: Kit,
    bus: Bus,
    sealer: Sealer,
    hasher: IdHasher,
    subjects: Subjects,
    intake: Intake,
    chat: WebChat,
    rooms: Arc<Rooms>,
    seats: Arc<Seats>,
    /// Frames of a visitor.
    frames: RateLimiter<IdentityId>,
    /// Frames and bytes from an address: a visitor is made in no time, an address is not.
    address_frames: RateLimiter<IpAddr>,
    address_bytes: RateLimiter<IpAddr>,
    /// Contacts begun from an address.
    beginnings: RateLimiter<IpAddr>,
    users: LiveUsers,
    channel_accounts: ChannelAccounts,
    files: Files,
    /// Files that no message names yet.
    unsent: Uploads,
    /// Files that are handed out at once.
    downloads: Arc<Seats>,
    /// Files that come in now, those of a visitor, and their bytes from an address.
    upload_seats: Arc<Seats>,
    uploads: RateLimiter<IdentityId>,
    upload_bytes: RateLimiter<IpAddr>,
    sockets: TaskTracker,
}

impl Host {
    fn now(&self) -> Millis {
        Millis(self.kit.clock.unix_ms())
    }

    /// Whether one more frame of so many bytes may come from an address.
    fn admit(&self, address: &IpAddr, bytes: usize) -> Result<(), RetryAfter> {
        self.address_frames.check(address)?;
        self.address_bytes.spend(address, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    fn refused(&self, code: &str) {
        self.kit.metrics.refused_total.inc(["web", code]);
    }
}

/// Starts the role and gives its routes: `/chat/...` and, where it is wanted, `/shop`. Returns before the log is read; sockets wait for that.
///
/// # Errors
/// When the settings' cell is no token, a `web.toml` that was never put in force has faults, or the bus gives no store of files; the process does not start then.
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer, hasher: IdHasher) -> anyhow::Result<Router> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?;
    let limits = &kit.settings.limits;
    let by_address =
        |per_minute| RateLimiter::new(Rate::per_minute(per_minute), RATE_KEYS_MAX, kit.clock.clone());
    let by_visitor =
        |per_minute| RateLimiter::new(Rate::per_minute(per_minute), RATE_KEYS_MAX, kit.clock.clone());
    let files_max = kit.settings.streams.files_max_bytes;
    let files = Files::open(&bus, sealer.clone(), hasher.clone(), files_max);
    let files = files.await.context("open the store of files")?;
    let unsent = Uploads::open(&bus, &files, places::uploads_bytes_max(files_max));
    let unsent = unsent.await.context("open the store of files that are not sent yet")?;
    let subjects = Subjects::new(cell);
    let intake = Intake {
        kit: kit.clone(),
        bus: bus.clone(),
        sealer: sealer.clone(),
        hasher: hasher.clone(),
        subjects: subjects.clone(),
        privacy: intake::privacy(kit)?,
        traced: Arc::new(Traced::new(kit, "chat")),
    };
    let channel_accounts = ChannelAccounts::open(&bus, sealer.clone(), hasher.clone()).await;
    let channel_accounts = channel_accounts.context("make the bucket for accounts of channels")?;
    let now = Millis(kit.clock.unix_ms());
    publish_first(&channel_accounts, AccountsFile::Web, kit.settings.folder.as_deref(), now).await?;
    let host = Arc::new(Host {
        kit: kit.clone(),
        bus,
        sealer,
        hasher,
        subjects,
        intake,
        chat: WebChat::new(limits.text_max_bytes),
        rooms: Rooms::new(),
        seats: Seats::new(limits.ip_sockets, SOCKETS_MAX),
        frames: by_visitor(limits.visitor_frames_per_minute),
        address_frames: by_address(limits.ip_frames_per_minute),
        address_bytes: by_address(limits.ip_bytes_per_minute),
        beginnings: by_address(limits.ip_new_conversations_per_minute),
        users: LiveUsers::load(&channel_accounts).await?,
        channel_accounts,
        files,
        unsent,
        downloads: Seats::new(IP_DOWNLOADS_MAX, DOWNLOADS_MAX),
        upload_seats: Seats::new(IP_UPLOADS_MAX, UPLOADS_MAX),
        uploads: by_visitor(limits.visitor_uploads_per_minute),
        upload_bytes: by_address(limits.ip_upload_bytes_per_minute),
        sockets: TaskTracker::new(),
    });
    follow::start(&host);
    upgrade::start_draining(&host);
    tracing::info!("channel host started");
    Ok(routes(host))
}

fn routes(host: Arc<Host>) -> Router {
    let demo = if host.kit.settings.has_demo_shop() { demo_routes() } else { Router::new() };
    Router::new()
        .route("/chat/widget.js", get(assets::widget))
        .route("/chat/v1/socket", get(upgrade::upgrade))
        .route("/chat/v1/files", post(files::upload).options(files::preflight))
        .route("/chat/v1/files/{identity}/{object}/{name}", get(files::hand_out))
        .route("/chat/v1/links/{object}", get(files::link_anew).options(files::preflight))
        .merge(demo)
        .with_state(host)
}

fn demo_routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/shop", get(assets::shop))
        .route("/shop/", get(assets::shop))
        .route("/shop/{*path}", get(assets::shop_part))
}
