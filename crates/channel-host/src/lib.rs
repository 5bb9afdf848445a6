//! The transports that run adapters: so far the web chat's socket, with its widget and a demo shop.
//!
//! It keeps no state that the log does not have: it folds CONTACTS at every start, shows each visitor what is theirs,
//! and turns what they say into inputs. A message is answered "taken" after INBOUND has acknowledged it, never before.

mod assets;
mod door;
mod follow;
mod history;
mod limits;
mod line;
mod projection;
mod rooms;
mod socket;
mod take;
mod upgrade;
mod usage;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use bus::{Bus, IdHasher, Sealer};
use channel_web::WebChat;
use protocol::subjects::Subjects;
use protocol::{IdentityId, Millis, SubjectToken};
use service::{Kit, Rate, RateLimiter};
use tokio_util::task::TaskTracker;

use crate::door::Seats;
use crate::limits::{RATE_KEYS_MAX, SOCKETS_MAX};
use crate::rooms::Rooms;

/// What every part of the role needs.
struct Host {
    kit: Kit,
    bus: Bus,
    sealer: Sealer,
    hasher: IdHasher,
    subjects: Subjects,
    chat: WebChat,
    rooms: Arc<Rooms>,
    seats: Arc<Seats>,
    /// Frames of a visitor.
    frames: RateLimiter<IdentityId>,
    /// Contacts begun from an address.
    beginnings: RateLimiter<IpAddr>,
    /// A stream is so full that no new contact is taken.
    is_full: AtomicBool,
    sockets: TaskTracker,
}

impl Host {
    fn now(&self) -> Millis {
        Millis(self.kit.clock.unix_ms())
    }

    fn refused(&self, code: &str) {
        self.kit.metrics.refused_total.inc(["web", code]);
    }
}

/// Starts the role and gives its routes: `/chat/...` and `/shop`. Returns before the log is read; sockets wait for that.
///
/// # Errors
/// When the settings' cell is no token; the process does not start then.
#[expect(clippy::unused_async, reason = "every role starts alike")]
pub async fn start(kit: &Kit, bus: Bus, sealer: Sealer, hasher: IdHasher) -> anyhow::Result<Router> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("read the cell's name")?;
    let limits = &kit.settings.limits;
    let per_minute = |count| Rate::per_minute(count);
    let host = Arc::new(Host {
        kit: kit.clone(),
        bus,
        sealer,
        hasher,
        subjects: Subjects::new(cell),
        chat: WebChat::new(limits.text_max_bytes),
        rooms: Rooms::new(),
        seats: Seats::new(limits.ip_sockets, SOCKETS_MAX),
        frames: RateLimiter::new(
            per_minute(limits.visitor_frames_per_minute),
            RATE_KEYS_MAX,
            kit.clock.clone(),
        ),
        beginnings: RateLimiter::new(
            per_minute(limits.ip_new_conversations_per_minute),
            RATE_KEYS_MAX,
            kit.clock.clone(),
        ),
        is_full: AtomicBool::new(false),
        sockets: TaskTracker::new(),
    });
    follow::start(&host);
    usage::start(&host);
    upgrade::start_draining(&host);
    tracing::info!("channel host started");
    Ok(routes(host))
}

fn routes(host: Arc<Host>) -> Router {
    Router::new()
        .route("/chat/widget.js", get(assets::widget))
        .route("/chat/v1/socket", get(upgrade::upgrade))
        .route("/shop", get(assets::shop))
        .route("/shop/", get(assets::shop))
        .route("/shop/{*path}", get(assets::shop_part))
        .with_state(host)
}
