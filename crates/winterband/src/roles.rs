//! The roles and how each is started.

use axum::Router;
use bus::{Bus, BusSettings, IdHasher, Sealer};
use clap::ValueEnum;
use service::Kit;

/// What the names of our connections begin with.
pub(crate) const PRODUCT: &str = "winterband";
/// What comes behind it for the one that a process has beside those of its roles, if it has one role; its user hears no other's answers.
const WATCH: &str = "watch";
/// What comes behind it for what integrations publish.
const EDGE: &str = "edge";

/// A part of the product that can run as a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Keeps the customer's rights: erasures, exports, what is kept for a time; one leads, others stand by.
    Rights,
    /// Decides who gets which contact; one leads, others stand by.
    Routing,
    /// Decides what may be given and has it carried out; one leads, others stand by.
    Empowerment,
    /// The read models.
    Views,
    /// The agents' gateway and desk.
    Desk,
    /// The chat widget's gateway and the demo shop.
    Chat,
    /// The channels whose providers send to us and are sent to; one leads the sending.
    Channels,
    /// The HTTP API for other systems.
    Api,
    /// Watches over the others: the ledger, and when what is kept for good is full.
    Watch,
}

impl Role {
    /// All of them, in the order of starting: the keys are put right first.
    pub(crate) const ALL: [Self; 9] = [
        Self::Rights,
        Self::Routing,
        Self::Empowerment,
        Self::Views,
        Self::Desk,
        Self::Chat,
        Self::Channels,
        Self::Api,
        Self::Watch,
    ];

    /// The word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rights => "rights",
            Self::Routing => "routing",
            Self::Empowerment => "empowerment",
            Self::Views => "views",
            Self::Desk => "desk",
            Self::Chat => "chat",
            Self::Channels => "channels",
            Self::Api => "api",
            Self::Watch => "watch",
        }
    }
}

/// The name of the connection that a process has beside those of its roles.
pub(crate) fn shared_name(roles: &[Role]) -> String {
    match roles {
        [one] => format!("{PRODUCT}-{}-{WATCH}", one.name()),
        _ => PRODUCT.to_owned(),
    }
}

impl Role {
    /// The names of all connections that a process of this role alone has.
    pub(crate) fn connections(self) -> Vec<String> {
        let mut names = vec![shared_name(&[self]), format!("{PRODUCT}-{}", self.name())];
        if self == Self::Api {
            names.push(format!("{PRODUCT}-{EDGE}"));
        }
        names
    }
}

/// What roles share in a process.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) kit: Kit,
    pub(crate) bus: Bus,
    pub(crate) bus_settings: BusSettings,
    pub(crate) sealer: Sealer,
    pub(crate) hasher: IdHasher,
}

/// Roles that run.
pub(crate) struct Running {
    /// The routes of those that have any.
    pub(crate) router: Router,
    buses: Vec<Bus>,
}

impl Running {
    /// Ends the connections, all at once, after the tasks that use them.
    pub(crate) async fn drain(self) {
        let drains = self.buses.iter().map(Bus::drain);
        for outcome in futures_util::future::join_all(drains).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "ended before a connection was drained");
            }
        }
    }
}

/// Starts the roles, each on a connection of its own: none waits behind what another one reads.
pub(crate) async fn start(shared: &Shared, roles: &[Role]) -> anyhow::Result<Running> {
    let mut running = Running { router: Router::new(), buses: vec![shared.bus.clone()] };
    // It destroys again what a store of keys from a backup brought back, before others here open anything.
    let (first, rest): (Vec<Role>, Vec<Role>) = roles.iter().partition(|role| **role == Role::Rights);
    for role in first.into_iter().chain(rest) {
        let router = start_one(shared, role, roles, &mut running).await?;
        running.router = running.router.merge(router);
    }
    watch::certificates::look(&shared.kit);
    Ok(running)
}

impl Running {
    async fn connect(&mut self, shared: &Shared, name: &str) -> anyhow::Result<Bus> {
        let replicas = shared.kit.settings.streams.replicas;
        let bus = Bus::connect(&shared.bus_settings.named(&format!("{PRODUCT}-{name}"))).await?;
        let bus = bus.with_room(shared.bus.room()).with_floor(shared.bus.floor()).with_replicas(replicas);
        self.buses.push(bus.clone());
        Ok(bus)
    }
}

/// Where canary customers find the doors of channels: those of this process need no setting.
fn doors(kit: &Kit, roles: &[Role]) -> watch::Doors {
    let own = |role| roles.contains(&role).then(|| kit.settings.http.here.clone());
    let canary = &kit.settings.canary;
    watch::Doors {
        chat: canary.chat_url.clone().or_else(|| own(Role::Chat)),
        channels: canary.channels_url.clone().or_else(|| own(Role::Channels)),
        api: canary.api_url.clone().or_else(|| own(Role::Api)),
    }
}

/// Where canary customers are posted to.
fn receiver(kit: &Kit, roles: &[Role]) -> Option<String> {
    let own = || roles.contains(&Role::Watch).then(|| kit.settings.http.here.clone());
    kit.settings.canary.receiver_url.clone().or_else(own)
}

async fn start_one(
    shared: &Shared,
    role: Role,
    roles: &[Role],
    running: &mut Running,
) -> anyhow::Result<Router> {
    let Shared { kit, sealer, hasher, .. } = shared.clone();
    let bus = running.connect(shared, role.name()).await?;
    match role {
        // First: nothing that was erased is opened, whatever store of keys was restored.
        Role::Rights => Box::pin(rights::start(&kit, bus, sealer, hasher)).await.map(|()| Router::new()),
        Role::Routing => routing_service::start(&kit, bus, sealer, hasher).await.map(|()| Router::new()),
        Role::Empowerment => empowerment_service::start(&kit, bus, sealer).await.map(|()| Router::new()),
        Role::Views => views::start(&kit, bus, sealer).await.map(|()| Router::new()),
        Role::Desk => Box::pin(desk::start(&kit, bus, sealer, hasher)).await,
        Role::Chat => Box::pin(channel_host::start(&kit, bus, sealer, hasher)).await,
        Role::Channels => {
            Box::pin(channel_host::start_channels(&kit, bus, sealer, hasher, receiver(&kit, roles))).await
        }
        Role::Api => {
            // What integrations publish comes over another one: who floods it delays nobody over HTTP.
            let edge = running.connect(shared, EDGE).await?;
            Box::pin(api::start(&kit, bus, edge, sealer, hasher)).await
        }
        Role::Watch => watch::start(&kit, &bus, hasher, doors(&kit, roles)),
    }
}
