//! Who is reachable through this gateway, as the router hears it.

use bus::places;
use protocol::{Event, InputBody};
use serde_json::json;

use crate::world::{ANNA, World};

#[tokio::test]
async fn an_agent_is_there_with_the_first_desk_and_gone_after_the_last() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (one, _) = world.desk(&token, json!({})).await;
    let (input, _) = world.input().await;
    let InputBody::AgentConnected { agent: ANNA, gateway, .. } = input.body else { panic!("{input:?}") };
    world.decide(input.body, vec![Event::AgentConnected { agent: ANNA, gateway }]).await;
    let lives = world.bus.ensure_bucket(&places::gateways()).await.unwrap();
    assert_eq!(lives.keys().await.unwrap(), [gateway.to_string()]);

    // A reload within the grace, and a second desk, are nothing that the router has to know.
    drop(one);
    let (two, _) = world.desk(&token, json!({})).await;
    let (three, _) = world.desk(&token, json!({})).await;
    drop((two, three));
    let (input, _) = world.input().await;
    let InputBody::AgentDisconnected { agent: ANNA, gateway: from, .. } = input.body else {
        panic!("{input:?}")
    };
    assert_eq!((from, world.inputs_read()), (gateway, 2));
}

#[tokio::test]
async fn desks_outlive_the_bus() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.kill_bus();
    let id = desk.command(json!({"do": "set_presence", "presence": "online"})).await;
    let (command, _) = world.command().await;
    assert_eq!(command.id, id);
    world.decide(InputBody::Command(command), vec![crate::world::done(id)]).await;
    // The agent was told to wait if it took long, and has the answer all the same.
    let mut frame = desk.any().await;
    while frame["code"] == "not_settled_yet" {
        frame = desk.any().await;
    }
    assert_eq!((&frame["t"], &frame["id"]), (&json!("settled"), &json!(id)));
    world.offer("hello?").await;
    assert_eq!(desk.next("offer").await["words"], json!(["hello?"]));
}

#[tokio::test]
async fn an_agent_called_gone_by_mistake_is_told_to_be_there_again() {
    let mut world = World::start().await;
    let token = world.token().await;
    let (_desk, _) = world.desk(&token, json!({})).await;
    let (input, _) = world.input().await;
    let InputBody::AgentConnected { gateway, .. } = input.body else { panic!("{input:?}") };
    world.decide(input.body, vec![Event::AgentConnected { agent: ANNA, gateway }]).await;
    let lost = InputBody::GatewayLost { id: protocol::NoticeId(uuid::Uuid::now_v7()), gateway };
    world.decide(lost, vec![Event::AgentDisconnected { agent: ANNA, reclaim_at: protocol::Millis(0) }]).await;
    let (input, _) = world.input().await;
    assert!(matches!(input.body, InputBody::AgentConnected { agent: ANNA, .. }), "{input:?}");
}

#[tokio::test]
async fn it_is_ready_when_desks_can_be_served_and_not_before() {
    let mut world = World::bare(&[], 64 << 20).await;
    let report = |wanted: fn(&service::health::Report) -> bool| {
        let health = world.kit.health.clone();
        async move {
            let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
            let deadline = tokio::time::Instant::now() + crate::world::PATIENCE;
            loop {
                pace.tick().await;
                let report = health.report();
                if wanted(&report) {
                    return report;
                }
                assert!(tokio::time::Instant::now() < deadline, "{report:?}");
            }
        }
    };
    let waits = |report: &service::health::Report| {
        report.reasons == ["desk log: still starting (waiting for the first configuration)"]
    };
    report(waits).await;
    let ready = report(|report| report.ready);
    world.configure().await;
    let found = ready.await;
    let mut loops: Vec<_> = found.loops.iter().map(|part| part.name.as_str()).collect();
    loops.sort_unstable();
    let all = [
        "desk approaches",
        "desk arrivals",
        "desk canned",
        "desk deliveries",
        "desk drafts",
        "desk floor",
        "desk log",
        "desk presence",
        "desk remedies",
        "desk sessions",
        "desk typing",
    ];
    assert_eq!(loops, all);
}
