//! What other systems do here over HTTP: publish messages and facts, read what happens as a feed or are posted it, configure.
//!
//! A message is taken when it is durable in INBOUND, never before; one that cannot be read is kept in PARKED with its
//! bytes. What is refused is told to the sender, who still has it. README.md shows every route with curl.

mod acts;
mod admin;
mod arrivals;
mod body;
mod bots;
mod channels;
mod config;
mod consents;
mod contacts;
mod contract;
mod customers;
mod door;
mod edge;
mod empowerment;
mod feed;
mod floor;
mod follow;
mod idempotency;
pub mod integrations;
mod keys;
mod message;
mod orders;
mod park;
mod parked;
mod policy;
mod problems;
mod publish;
mod routes;
mod sessions;
mod traced;
mod trail;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use bus::{Audit, Bucket, Bus, ChannelAccounts, Consents, Exports, IdHasher, Sealer, places};
use protocol::SubjectToken;
use protocol::privacy::{self, Privacy};
use protocol::subjects::Subjects;
use service::{Kit, Rate, RateLimiter};

use crate::bots::Bots;
use crate::feed::Feeds;
use crate::floor::Floor;
use crate::keys::KeyRing;
use crate::orders::waiting::Waiting;
use crate::traced::Traced;
use crate::webhooks::Rows;

pub use contract::{asyncapi_document, openapi_document, schemas};
pub use routes::{Needs, listed};

/// The word for this role's metrics and its channel.
const NAME: &str = "api";
/// Requests answered at once; each holds its body in memory.
const REQUESTS_AT_ONCE_MAX: usize = 1024;
/// Longest that one request may take, its body's arrival included: above every wait of a handler.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(90);
/// Most bytes of a configuration: it must fit one message of the bus, and again in the record that applies it.
const CONFIG_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Keys whose rates are kept; only keys that exist count.
const RATED_KEYS_MAX: usize = 10_000;
/// How often a loop of this role shows that it lives while nothing happens.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// What the handlers share.
struct Api {
    kit: Kit,
    bus: Bus,
    sealer: Sealer,
    hasher: IdHasher,
    subjects: Subjects,
    audit: Audit,
    traced: Traced,
    accounts: Bucket,
    channels: ChannelAccounts,
    sessions: Bucket,
    keys: KeyRing,
    floor: Floor,
    rate: RateLimiter<String>,
    privacy: Privacy,
    exports: Exports,
    consents: Consents,
    feeds: Feeds,
    webhooks: Rows,
    /// Orders for remedies that wait for their integration.
    orders: Bucket,
    waiting: Waiting,
    /// What has come that suits some customers.
    arrivals: Bucket,
    bots: Bots,
}

type Shared = Arc<Api>;

/// Reads the keys, starts to follow the configuration in the log, and gives the routes under `/api/v1`.
///
/// What integrations publish over NATS is taken over `edge`, a connection of its own. Until the log is read to its end, messages are answered with 503 `starting`.
///
/// # Errors
/// When the buckets or the log cannot be reached; the process does not start then.
pub async fn start(
    kit: &Kit,
    bus: Bus,
    edge: Bus,
    sealer: Sealer,
    hasher: IdHasher,
) -> anyhow::Result<Router> {
    let cell = SubjectToken::new(&kit.settings.cell.token).context("failed to use the cell's name")?;
    let accounts = bus.ensure_bucket(&places::accounts()).await.context("failed to open the accounts")?;
    let sessions = bus.ensure_bucket(&places::sessions()).await.context("failed to open the sessions")?;
    let channels = ChannelAccounts::open(&bus, sealer.clone(), hasher.clone()).await;
    let channels = channels.context("failed to open the accounts of channels")?;
    let keys = keys::follow(kit, &accounts).await?;
    let floor = floor::follow(kit, &bus).await?;
    let subjects = Subjects::new(cell);
    let audit_max_bytes = kit.settings.streams.audit_max_bytes;
    let audit =
        Audit::open(&bus, &subjects, audit_max_bytes).await.context("failed to open the audit trail")?;
    let exports = Exports::open(&bus, sealer.clone()).await.context("open the store of exports")?;
    let consents = Consents::open(&bus).await.context("open the record of consents")?;
    let folder = kit.settings.folder.as_deref();
    let privacy = service::settings::read_file(folder, privacy::FILE_NAME, Privacy::faults)?;
    let feeds = feed::follow(kit, &bus).await?;
    let webhooks = Rows::open(&bus).await?;
    let orders = bus.ensure_bucket(&places::orders()).await.context("failed to open the orders")?;
    let waiting = orders::waiting::follow(kit, &orders).await?;
    let arrivals = bus.ensure_bucket(&places::arrivals()).await.context("failed to open the arrivals")?;
    let bots = Bots::open(&bus).await?;
    let leases = bus.ensure_bucket(&places::leases()).await.context("failed to open the leases")?;
    let per_second = Rate::per_second(kit.settings.limits.api_requests_per_second);
    let api = Api {
        kit: kit.clone(),
        bus,
        sealer,
        hasher,
        subjects,
        audit,
        traced: Traced::new(kit),
        accounts,
        channels,
        sessions,
        keys,
        floor,
        rate: RateLimiter::new(per_second, RATED_KEYS_MAX, kit.clock.clone()),
        privacy,
        exports,
        consents,
        feeds,
        webhooks: webhooks.clone(),
        orders,
        waiting,
        arrivals,
        bots,
    };
    let api = Arc::new(api);
    let registry = edge::follow(kit, &api.accounts, "integrations").await?;
    edge::start(&api, edge, registry).await?;
    bots::start(&api);
    let health = kit.health.register("api webhooks");
    health.beat();
    kit.drain.spawn("api webhooks", webhooks::lead(Arc::clone(&api), webhooks, leases, health));
    let router = routes::router(Arc::clone(&api));
    admin::start(&api, router.clone()).await?;
    Ok(router)
}
