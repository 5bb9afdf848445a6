//! Many hands at once never overspend, and what is left can be given to the last cent.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Bus;
use protocol::command::Command;
use protocol::policy::Per;
use protocol::remedies::{RemedyOutcome, RemedyRefusal};
use protocol::remedy::{RemedyCommand, RemedyKind};
use protocol::{AgentId, CommandId, RemedyEvent};

use crate::floor::{Held, gift};
use crate::world::{ANNA, BRAM, World, policy, token};

const GESTURES: usize = 1_000;
const CENTS: i64 = 2_000;
/// Of one agent and day, so that four contacts of EUR 150 each exceed it.
const AGENT_DAY: u64 = 50_000;

/// Contacts that both agents hold, four each.
async fn floor(world: &World) -> Vec<Held> {
    let mut held = Vec::new();
    for agent in [ANNA, BRAM] {
        let other = if agent == ANNA { BRAM } else { ANNA };
        world.go(other).await;
        world.come(agent).await;
        for _ in 0..4 {
            let contact = world.contact().await;
            assert_eq!(contact.agent, agent);
            held.push(contact);
        }
    }
    held
}

/// Every contact is given to over and over, by eight gateways at once, each time for another thing.
async fn give_all(world: &Arc<World>, floor: Vec<Held>) {
    let floor = Arc::new(floor);
    let desks = (0..8).map(|desk| {
        let (world, floor) = (Arc::clone(world), Arc::clone(&floor));
        tokio::spawn(async move {
            let bus = Bus::connect(&world.place.bus.named(&format!("desk-{desk}"))).await.unwrap();
            for n in (desk..GESTURES).step_by(8) {
                let held = *floor.get(n % floor.len()).unwrap();
                let mut gesture = gift(RemedyKind::Gesture, "used", CENTS);
                gesture.claim.line = Some(token(&n.to_string()));
                let contact = held.contact;
                let give = RemedyCommand::Give { contact, gift: Box::new(gesture), ask: false, case: None };
                let command = Command::Empower { ask: Box::new(give) };
                world.command_on(&bus, CommandId(uuid::Uuid::now_v7()), held.agent, command).await;
            }
        })
    });
    for desk in desks.collect::<Vec<_>>() {
        desk.await.unwrap();
    }
}

async fn until_answered(world: &World) -> Vec<RemedyOutcome> {
    world
        .until("every gesture is answered", async |world| {
            let settled = |event| match event {
                RemedyEvent::CommandSettled { outcome, .. } => Some(outcome),
                _ => None,
            };
            let outcomes: Vec<_> = world.events().await.into_iter().filter_map(settled).collect();
            (outcomes.len() == GESTURES).then_some(outcomes)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_gestures_from_several_desks_stay_within_every_wallet() {
    let mut policy = policy();
    let daily = policy.latitude.up_to.iter_mut().find(|limit| limit.per == Per::AgentDay).unwrap();
    daily.cents = BTreeMap::from([("EUR".parse().unwrap(), AGENT_DAY)]);
    let mut world = World::without_worker(&policy).await;
    world.start_worker().await;
    let floor = floor(&world).await;
    let world = Arc::new(world);
    give_all(&world, floor).await;
    for outcome in until_answered(&world).await {
        match outcome {
            RemedyOutcome::Granted { .. }
            | RemedyOutcome::Refused { refusal: RemedyRefusal::Beyond { .. } } => {}
            other => panic!("{other:?}"),
        }
    }
    let mut by_agent: BTreeMap<AgentId, u64> = BTreeMap::new();
    for grant in world.grants().await {
        *by_agent.entry(grant.agent).or_default() += u64::try_from(CENTS).unwrap();
    }
    let all = BTreeMap::from([(ANNA, AGENT_DAY), (BRAM, AGENT_DAY)]);
    assert_eq!(by_agent, all, "all of it, and not a cent more");
    for line in world.wallets().await.lines {
        let used = line.balance.reserved + line.balance.spent;
        let most = match line.wallet.per {
            Per::Contact => 15_000,
            Per::CustomerYear => 60_000,
            Per::AgentDay => AGENT_DAY,
            Per::TeamDay | Per::Incident | Per::SurpriseYear => 2 * AGENT_DAY,
        };
        assert!(used <= most, "{line:?}");
    }
    let given = 2 * usize::try_from(AGENT_DAY).unwrap() / usize::try_from(CENTS).unwrap();
    world.undo_passes();
    world
        .until("all customers are told", async |world| (world.tellings().await.len() == given).then_some(()))
        .await;
    assert_eq!(world.shop.taken().len(), given);
    world.assert_balanced().await;
}
