//! What takes part and can die: processes on runtimes of their own, and the shop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusSettings, Floor, IdHasher, MasterKey, Sealer};
use reference_shop::Shop;
use service::{Clock, Drain, Health, Kit, Metrics, Settings};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a token for tests";

/// Settings of one process by their variables.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// Which role a process has.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Routing,
    Empowerment,
}

/// A role on a runtime of its own, which can be killed between any two of its steps.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    pub(crate) kit: Kit,
    /// What it knows of who lives.
    pub(crate) floor: Floor,
}

/// Where processes find what they share.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) bus: BusSettings,
    pub(crate) folder: std::path::PathBuf,
    pub(crate) clock: Clock,
}

pub(crate) fn kit(variables: &Variables, clock: &Clock) -> Kit {
    let mut all = vec![
        ("SHOP_TOKEN".to_owned(), TOKEN.to_owned()),
        ("WINTERBAND_EMPOWERMENT__SHOP_TOKEN".to_owned(), "{ env = 'SHOP_TOKEN' }".to_owned()),
        ("WINTERBAND_EMPOWERMENT__ORDER_TIMEOUT".to_owned(), "500ms".to_owned()),
        ("WINTERBAND_ROUTING__LEASE".to_owned(), "1s".to_owned()),
    ];
    for (name, value) in variables {
        all.push((format!("WINTERBAND_{}", name.to_uppercase().replace('.', "__")), value.clone()));
    }
    let settings = Settings::load_with(None, all).unwrap();
    let health = Health::new(Clock::system(), Duration::from_secs(10));
    health.bus_up();
    let drain = Drain::new(health.clone());
    Kit {
        settings: Arc::new(settings),
        metrics: Metrics::new(),
        health,
        clock: clock.clone(),
        drain,
        traces: service::spans::Traces::off(),
    }
}

pub(crate) fn master(folder: &Path) -> MasterKey {
    MasterKey::load_or_create(&folder.join("master.key")).unwrap()
}

impl Process {
    pub(crate) async fn start(role: Role, place: &Place, variables: &Variables) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let kit = kit(variables, &place.clock);
        let (kit_there, place) = (kit.clone(), place.clone());
        let started = runtime.spawn(async move { run(role, &place, &kit_there).await });
        let floor = started.await.unwrap();
        Self { runtime: Some(runtime), kit, floor }
    }

    /// As `kill -9` does: every task ends where it is.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// As SIGTERM does.
    pub(crate) async fn drain(self) {
        let late = self.kit.drain.finish(Duration::from_secs(8)).await;
        assert_eq!(late, Vec::<String>::new());
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A role, started as the executable does it; gives what it knows of who lives.
pub(crate) async fn run(role: Role, place: &Place, kit: &Kit) -> Floor {
    let name = match role {
        Role::Routing => "routing",
        Role::Empowerment => "empowerment",
    };
    let bus = Bus::connect(&place.bus.named(name)).await.unwrap();
    let master = master(&place.folder);
    let sealer = Sealer::open(&bus, &master).await.unwrap();
    let floor = bus.floor();
    match role {
        Role::Routing => {
            routing_service::start(kit, bus, sealer, IdHasher::new(&master)).await.unwrap();
        }
        Role::Empowerment => empowerment_service::start(kit, bus, sealer).await.unwrap(),
    }
    floor
}

/// The shop on an address that it keeps.
pub(crate) struct OpenShop {
    pub(crate) shop: Shop,
    pub(crate) url: String,
    address: std::net::SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl OpenShop {
    pub(crate) async fn open(folder: &Path) -> Self {
        let shop = Shop::open(&folder.join("shop"), TOKEN).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(shop.clone().serve(listener, CancellationToken::new()));
        Self { shop, url: format!("http://{address}"), address, serving }
    }

    /// Nothing listens there any more.
    pub(crate) async fn close(&mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }

    pub(crate) async fn reopen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = tokio::spawn(self.shop.clone().serve(listener, CancellationToken::new()));
    }

    /// The ids of what was taken, in that order.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.shop.taken(0).unwrap().orders.into_iter().map(|taken| taken.id).collect()
    }

    /// The cents of all that was taken.
    pub(crate) fn cents(&self) -> i64 {
        let mut after = 0;
        let mut sum = 0;
        loop {
            let page = self.shop.taken(after).unwrap();
            if page.orders.is_empty() {
                return sum;
            }
            sum += page.orders.iter().filter_map(|taken| taken.cents).sum::<i64>();
            after = page.next;
        }
    }
}
