//! The blows: what is killed, when, and how long it takes until the work goes on.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use bus::Bus;
use protocol::streams;
use tests::{Product, eventually, log, process};

use crate::dice::Dice;
use crate::steady::Steady;

/// The crash windows of the routing role, and the most hits to wait for.
const WINDOWS: [(&str, u64); 3] = [
    ("routing.after_input_before_record", 30),
    ("routing.after_record_before_ack", 30),
    ("routing.after_fence_before_replay", 1),
];
/// All processes of the product.
const PARTS: [&str; 4] = [ROUTERS[0], ROUTERS[1], "desk", "rest"];
/// SIGABRT: how a process ends in its window.
const ABORTED: i32 = 6;
/// How long the work may stand still after a blow: a guard against hanging, far above what is measured.
const STANDSTILL_MAX: Duration = Duration::from_secs(20);

/// The two processes of the routing role.
pub(crate) const ROUTERS: [&str; 2] = ["routing-a", "routing-b"];
/// For how long something is frozen: longer than the router's lease.
const FROZEN: Duration = Duration::from_millis(2_500);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    /// The router that leads is killed; the other takes over.
    Leader,
    /// The router that leads is stopped, replaced, and wakes up.
    FrozenLeader,
    /// The agents' gateway is killed, with a command on its way.
    Desk,
    /// The process that takes messages in is killed.
    Api,
    /// nats-server is killed.
    Nats,
    /// nats-server is stopped and wakes up: nobody knows what became of what was on its way.
    FrozenNats,
    /// All of them at once.
    Everything,
    /// Both routers are killed, and the next one dies in a window.
    Window(&'static str, u64),
}

/// So many of each kind, in an order that chance makes.
pub(crate) fn plan(dice: &mut Dice, of_each: usize) -> Vec<Blow> {
    use Blow::{Api, Desk, Everything, FrozenLeader, FrozenNats, Leader, Nats, Window};
    let mut blows = Vec::new();
    for _ in 0..of_each {
        blows.extend([Leader, FrozenLeader, Desk, Api, Nats, FrozenNats, Everything]);
        blows.extend(WINDOWS.map(|(name, hits)| Window(name, 1 + dice.below(hits))));
    }
    dice.shuffle(&mut blows);
    blows
}

/// Strikes, starts again what died, and waits until the work goes on.
pub(crate) async fn strike(product: &mut Product, steady: &mut Steady, bus: &Bus, blow: Blow) {
    let mut struck = Instant::now();
    match blow {
        Blow::Leader => {
            let leader = product.leader(&ROUTERS).await;
            struck = Instant::now();
            kill_and_start(product, &[&leader]);
        }
        Blow::FrozenLeader => {
            let leader = product.leader(&ROUTERS).await;
            struck = Instant::now();
            product.process(&leader).signal("STOP");
            let other = ROUTERS.into_iter().find(|name| *name != leader).unwrap();
            assert_eq!(product.leader(&[other]).await, other);
            product.process(&leader).signal("CONT");
        }
        Blow::Desk => {
            steady.ask_without_waiting().await;
            kill_and_start(product, &["desk"]);
        }
        Blow::Api => kill_and_start(product, &["rest"]),
        Blow::Nats => kill_nats(product).await,
        Blow::FrozenNats => {
            let pid = product.nats.pid().unwrap();
            process::signal("STOP", pid);
            tokio::time::sleep(FROZEN).await;
            process::signal("CONT", pid);
            struck = Instant::now();
        }
        Blow::Everything => {
            steady.ask_without_waiting().await;
            for name in PARTS {
                product.process(name).kill();
            }
            kill_nats(product).await;
            kill_and_start(product, &PARTS);
        }
        Blow::Window(name, hits) => {
            die_in_window(product, steady, name, hits).await;
            struck = Instant::now();
            kill_and_start(product, &ROUTERS);
        }
    }
    goes_on(product, steady, bus).await;
    let took = struck.elapsed();
    eprintln!("{blow:?}: goes on after {took:?}");
    assert!(took < STANDSTILL_MAX, "{blow:?}: the work stood still for {took:?}");
}

fn kill_and_start(product: &mut Product, names: &[&str]) {
    for name in names {
        product.process(name).kill();
        product.again(name);
    }
}

async fn kill_nats(product: &Product) {
    let starts = product.nats.starts();
    product.nats.kill_hard();
    let again = || async { (product.nats.starts() > starts).then_some(()) };
    eventually("nats-server is started again", STANDSTILL_MAX, again).await;
}

/// Starts one router with an armed window, and sees it die there.
async fn die_in_window(product: &mut Product, steady: &mut Steady, name: &str, hits: u64) {
    for router in ROUTERS {
        product.process(router).kill();
    }
    let [armed, _] = ROUTERS;
    product.arm(armed, "WINTERBAND_FAILPOINT", &format!("{name}:{hits}"));
    product.again(armed);
    product.disarm(armed);
    let end = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = product.process(armed).ended() {
            break status;
        }
        assert!(Instant::now() < end, "{name}:{hits} was never reached\n{}", product.process(armed).text());
        // The window must be reached also where the rest has nothing to do at the moment.
        steady.slip_in_again().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(status.signal(), Some(ABORTED), "{name}: {status:?}\n{}", product.process(armed).text());
}

/// Waits until what is in INBOUND now is in the log, every part says that it is ready, and the desk answers.
async fn goes_on(product: &mut Product, steady: &mut Steady, bus: &Bus) {
    let wanted = eventually("the bus answers", STANDSTILL_MAX, || log::last_seq(bus, streams::INBOUND)).await;
    // Something to do there is in any case.
    steady.slip_in_again().await;
    eventually("the log goes on", STANDSTILL_MAX, || async {
        let last = bus.read_last(streams::CONTACTS).await.ok()??;
        let record: protocol::Record = serde_json::from_slice(&last.payload).unwrap();
        record.cause.inbound_seq().is_some_and(|seq| seq > wanted).then_some(())
    })
    .await;
    for name in PARTS {
        product.ready(name).await;
    }
    steady.ask_again().await;
}
