//! The roles and how each is started.

use axum::Router;
use bus::{Bus, IdHasher, Sealer};
use clap::ValueEnum;
use service::Kit;

/// A part of the product that can run as a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Decides who gets which contact; one leads, others stand by.
    Routing,
    /// The read models.
    Views,
    /// The agents' gateway and desk.
    Desk,
    /// The chat widget's gateway and the demo shop.
    Chat,
    /// The HTTP API for other systems.
    Api,
}

impl Role {
    /// All of them, in the order of starting.
    pub(crate) const ALL: [Self; 5] = [Self::Routing, Self::Views, Self::Desk, Self::Chat, Self::Api];
}

/// What roles share in a process.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) kit: Kit,
    pub(crate) bus: Bus,
    pub(crate) sealer: Sealer,
    pub(crate) hasher: IdHasher,
}

/// Starts the roles and gives the routes of those that have any.
pub(crate) async fn start(shared: &Shared, roles: &[Role]) -> anyhow::Result<Router> {
    let mut router = Router::new();
    for role in roles {
        let Shared { kit, bus, sealer, hasher } = shared.clone();
        router = match role {
            Role::Routing => {
                routing_service::start(&kit, bus, sealer, hasher).await?;
                router
            }
            Role::Views => {
                views::start(&kit, bus).await?;
                router
            }
            Role::Desk => router.merge(desk::start(&kit, bus, sealer, hasher).await?),
            Role::Chat => router.merge(channel_host::start(&kit, bus, sealer, hasher).await?),
            Role::Api => router.merge(api::start(&kit, bus, sealer, hasher).await?),
        };
    }
    Ok(router)
}
