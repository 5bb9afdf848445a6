//! Deaths at every step: one order at the shop, one message to the customer, wallets in balance.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::SupervisedServer;
use protocol::RemedyEvent;
use protocol::policy::Policy;
use protocol::remedy::RemedyKind;
use service::{Clock, failpoint};

use crate::floor::{gift, tyres};
use crate::parties::{Place, Role, kit, run};
use crate::world::{World, is_takeover, policy};

/// Tells a child where its world is: the folder, and the shop's address.
const FOLDER: &str = "EMPOWERMENT_TEST_FOLDER";
const SHOP: &str = "EMPOWERMENT_TEST_SHOP";
const SIGABRT: i32 = 6;

/// A policy whose gifts can be taken back for a moment only: a child has the machine's own clock.
fn hasty() -> Policy {
    Policy { undo_ms: 50, ..policy() }
}

/// A worker as a process of its own: this very test, started again.
struct Worker(Child);

impl Worker {
    fn start(test: &str, world: &World, window: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("crash::{test}"), "--nocapture"]);
        command.env(FOLDER, &world.place.folder).env(SHOP, &world.shop.url).env_remove(failpoint::VARIABLE);
        if let Some(window) = window {
            command.env(failpoint::VARIABLE, window);
        }
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn died(&mut self) -> Option<()> {
        let status = self.0.try_wait().unwrap()?;
        assert_eq!(status.signal(), Some(SIGABRT), "it died in the window");
        Some(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a child does: it works until it is killed. Gives whether this process is one.
fn works_as_child() -> bool {
    let (Some(folder), Ok(shop)) = (std::env::var_os(FOLDER), std::env::var(SHOP)) else { return false };
    let folder = PathBuf::from(folder);
    let bus = SupervisedServer::settings_in(&folder.join("nats")).unwrap();
    let place = Place { bus, folder, clock: Clock::system() };
    let kit = kit(&vec![("empowerment.shop_url", shop)], &place.clock);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        run(Role::Empowerment, &place, &kit).await;
        std::future::pending::<()>().await;
    });
    true
}

/// A worker dies in the window while something is given, and another one goes on.
async fn dies_in(test: &str, window: &str) {
    let world = World::without_worker(&hasty()).await;
    world.come(crate::world::ANNA).await;
    let mut first = Worker::start(test, &world, Some(window));
    let held = world.contact().await;
    let contact = held.contact;
    let give =
        protocol::remedy::RemedyCommand::Give { contact, gift: Box::new(tyres()), ask: false, case: None };
    let command = world.ask(held.agent, give).await;
    world.until("the worker dies", async |_| first.died()).await;
    let _second = Worker::start(test, &world, None);
    let protocol::remedies::RemedyOutcome::Granted { remedy, .. } = world.outcome(command).await else {
        panic!("it is given");
    };
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()], "one order");
    assert_eq!(world.tellings().await.len(), 1, "one message");
    assert_eq!(world.grants().await.len(), 1);
    world.assert_balanced().await;
    let fences = world.remedies().await.iter().filter(|(_, record)| is_takeover(record)).count();
    assert_eq!(fences, 2);
}

fn check(test: &str, window: &str) {
    if works_as_child() {
        return;
    }
    tokio::runtime::Runtime::new().unwrap().block_on(dies_in(test, window));
}

#[test]
fn after_the_fence_and_before_it_is_applied() {
    check("after_the_fence_and_before_it_is_applied", "empowerment.after_fence_before_replay");
}

#[test]
fn after_the_grant_and_before_the_order() {
    check("after_the_grant_and_before_the_order", "empowerment.after_grant_before_order");
}

#[test]
fn after_the_order_and_before_its_answer_is_recorded() {
    check("after_the_order_and_before_its_answer_is_recorded", "empowerment.after_order_before_answer");
}

#[test]
fn after_the_answer_and_before_the_customer_is_told() {
    check("after_the_answer_and_before_the_customer_is_told", "empowerment.after_answer_before_tell");
}

#[test]
fn after_the_wish_stands_and_before_routing_carried_it_out() {
    check("after_the_wish_stands_and_before_routing_carried_it_out", "empowerment.after_tell_before_told");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_moments_that_nobody_chose() {
    let mut world = World::start().await;
    for n in 0..6 {
        let held = world.contact().await;
        let remedy = world.given(held, gift(RemedyKind::Voucher, "used", 1_000)).await;
        world.undo_passes();
        tokio::time::sleep(Duration::from_millis(n * 4)).await;
        world.kill_worker();
        world.start_worker().await;
        world.undo_passes();
        world.until_told(remedy).await;
    }
    assert_eq!(world.shop.taken().len(), 6);
    assert_eq!(world.tellings().await.len(), 6);
    world.assert_balanced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_server_in_the_middle() {
    let world = World::start().await;
    let held = world.contact().await;
    let remedy = world.given(held, tyres()).await;
    world.server.kill_hard();
    world.undo_passes();
    // Who leads after that may have begun the time to take it back anew.
    let ordered = |event: &RemedyEvent| matches!(event, RemedyEvent::Ordered { remedy: of } if *of == remedy);
    world
        .until("it is ordered", async |world| {
            world.pass(Duration::from_millis(100));
            let items =
                world.bus.read_range(protocol::streams::REMEDIES, 1, u64::MAX, usize::MAX).await.ok()?;
            let events = items.iter().flat_map(|item| {
                serde_json::from_slice::<protocol::RemedyRecord>(&item.payload).unwrap().events
            });
            events.into_iter().any(|event| ordered(&event)).then_some(())
        })
        .await;
    world.until_told(remedy).await;
    assert_eq!(world.shop.taken(), [remedy.to_string()]);
    assert_eq!(world.tellings().await.len(), 1);
    world.assert_balanced().await;
}
