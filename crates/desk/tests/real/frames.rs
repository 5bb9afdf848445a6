//! Frames that cannot be used: each is answered and counted, and the desk stays open.

use std::time::Duration;

use bus::{Deadline, PublishError};
use protocol::limits::TEXT_BYTES_MAX;
use protocol::{CommandId, GatewayId, Input, InputBody, Millis, NoticeId};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{CONTACT, Desk, PATIENCE, World, make_streams, subjects};

#[tokio::test]
async fn bad_frames_are_answered_and_the_desk_stays_open() {
    let world = World::start().await;
    let token = world.token().await;
    let mut desk = world.connect(&token).await;
    desk.send(json!({"t": "typing", "contact": CONTACT})).await;
    assert_eq!(desk.next("error").await["code"], "hello_first");
    desk.send(json!({"t": "hello"})).await;
    desk.next("state").await;
    let cases = [
        (Message::binary(vec![1, 2, 3]), "binary_frame"),
        (Message::text("{"), "malformed_json"),
        (Message::text(r#"{"t":"ping","n":1,"more":1}"#), "not_a_frame"),
        (Message::text("x".repeat(200 * 1024)), "frame_too_large"),
    ];
    for (message, code) in cases {
        desk.send_raw(message).await;
        assert_eq!(desk.next("error").await["code"], code);
        assert_eq!(world.kit.metrics.refused_total.get(["desk", code]), 1);
    }
    let message = protocol::MessageId(uuid::Uuid::now_v7());
    let reply = |text: String| json!({"do": "reply", "contact": CONTACT, "message": message, "text": text});
    for (text, refusal) in [
        ("x".repeat(TEXT_BYTES_MAX + 1), "too_long"),
        (" ".to_owned(), "empty_text"),
        ("to nobody".to_owned(), "unknown_contact"),
    ] {
        let id = desk.command(reply(text)).await;
        let settled = desk.next("settled").await;
        assert_eq!((&settled["id"], &settled["outcome"]["refusal"]), (&json!(id), &json!(refusal)));
        assert!(settled["words"].is_string());
    }
    desk.send(json!({"t": "ping", "n": 7})).await;
    assert_eq!(desk.next("pong").await["n"], 7);
}

#[tokio::test]
async fn a_flood_is_stopped() {
    let world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let allowed = world.kit.settings.limits.desk_frames_per_second;
    for n in 0..allowed * 4 {
        desk.send(json!({"t": "ping", "n": n})).await;
    }
    let (mut pongs, mut faults) = (0, 0);
    for _ in 0..allowed * 4 {
        let frame = desk.any().await;
        match frame["t"].as_str() {
            Some("pong") => pongs += 1,
            Some("error") => faults += u32::from(frame["code"] == "too_fast"),
            _ => panic!("{frame}"),
        }
    }
    assert!(pongs >= allowed - 1 && faults > 0, "{pongs} pongs, {faults} faults");
    assert_eq!(pongs + faults, allowed * 4);
}

#[tokio::test]
async fn a_flood_that_does_not_end_closes_the_desk() {
    let world = World::start().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let mut n = 0;
    while desk.try_send(json!({"t": "ping", "n": n})).await {
        n += 1;
    }
    // The word for it may be lost with the frames that nobody reads any more.
    tokio::time::timeout(PATIENCE, desk.ended()).await.expect("an end in time");
    assert!(world.kit.metrics.refused_total.get(["desk", "too_fast"]) > 500);
}

#[tokio::test]
async fn commands_wait_for_the_bus_in_their_order_and_not_without_end() {
    // Long enough that no command is given up while a slow machine has come only to here.
    let patient = ("WINTERBAND_DESK__COMMAND_WAIT", "60s");
    let mut world =
        World::start_with(&[("WINTERBAND_LIMITS__DESK_FRAMES_PER_SECOND", "1000"), patient]).await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    world.signal_bus("-STOP");
    let mut asked = Vec::new();
    // 128 wait, and one more if the first is on its way by then; there is no room for the rest.
    for _ in 0..140 {
        asked.push(desk.command(json!({"do": "set_presence", "presence": "online"})).await);
    }
    // On a slow machine the first one is said to take long before.
    while desk.next("error").await["code"] != "too_many_at_once" {}
    world.signal_bus("-CONT");
    let pace = Duration::from_secs(1);
    let mut again = tokio::time::interval_at(tokio::time::Instant::now() + pace, pace);
    for (n, id) in asked.iter().enumerate() {
        let taken = world.command();
        tokio::pin!(taken);
        let taken = loop {
            tokio::select! {
                (taken, _) = &mut taken => break taken,
                _ = again.tick() => send_again(&mut desk, &asked[n..]).await,
                // A desk that reads nothing for half a minute counts as gone: so long it may take where time is scarce.
                () = desk.ended() => panic!("the desk was closed"),
            }
        };
        assert_eq!(taken.id, *id);
    }
}

/// What had no room, or lost the bus on its way, comes again, as desks send it until it is taken; the newest first, which
/// overtakes nothing.
async fn send_again(desk: &mut Desk, asked: &[CommandId]) {
    let online = json!({"do": "set_presence", "presence": "online"});
    let (newest, others) = asked.split_last().unwrap();
    for id in std::iter::once(newest).chain(others) {
        desk.send(json!({"t": "command", "id": id, "command": online})).await;
    }
}

/// Sends a command until it is an input; it must be the next one.
async fn until_taken(world: &mut World, desk: &mut Desk, id: CommandId, command: &Value) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        desk.send(json!({"t": "command", "id": id, "command": command})).await;
        tokio::select! {
            (taken, _) = world.command() => return assert_eq!(taken.id, id),
            frame = desk.any() => assert_eq!(frame["t"], "error", "{frame}"),
        }
    }
}

#[tokio::test]
async fn a_command_that_came_too_fast_is_not_overtaken() {
    let mut world = World::start_with(&[("WINTERBAND_LIMITS__DESK_FRAMES_PER_SECOND", "1")]).await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    let command = json!({"do": "set_presence", "presence": "online"});
    let first = desk.command(command.clone()).await;
    assert_eq!(desk.next("error").await["code"], "too_fast");
    let second = CommandId(uuid::Uuid::now_v7());
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut code = json!("too_fast");
    while code == "too_fast" {
        pace.tick().await;
        desk.send(json!({"t": "command", "id": second, "command": command})).await;
        code = desk.next("error").await["code"].clone();
    }
    assert_eq!(code, "not_settled_yet");
    until_taken(&mut world, &mut desk, first, &command).await;
    until_taken(&mut world, &mut desk, second, &command).await;
}

/// Fills the inputs until there is no room for one more of a command's size.
async fn fill(world: &World) {
    let body =
        InputBody::GatewayLost { id: NoticeId(uuid::Uuid::nil()), gateway: GatewayId(uuid::Uuid::nil()) };
    let input = serde_json::to_string(&Input { v: 1, made_at: Millis(0), body }).unwrap();
    let subject = subjects().inbound_presence();
    let mut size = 4096;
    let mut n = 0;
    while size > input.len() {
        let bytes = format!("{input:size$}").into();
        let id = format!("fill-{n}");
        match world.bus.publish_durable(&subject, &id, bytes, Deadline::after(PATIENCE)).await {
            Ok(_) => n += 1,
            Err(PublishError::Full) => size /= 2,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_command_that_was_not_taken_is_not_overtaken() {
    let mut world = World::bare(&[], 64 << 10).await;
    world.configure().await;
    let token = world.token().await;
    let (mut desk, _) = world.desk(&token, json!({})).await;
    fill(&world).await;
    let command = json!({"do": "set_presence", "presence": "away", "reason": "x".repeat(200)});
    let first = desk.command(command.clone()).await;
    assert_eq!(desk.next("error").await["code"], "storage_full");
    make_streams(&world.bus, 64 << 20).await;
    let second = desk.command(command.clone()).await;
    assert_eq!(desk.next("error").await["code"], "not_settled_yet");
    until_taken(&mut world, &mut desk, first, &command).await;
    until_taken(&mut world, &mut desk, second, &command).await;
}

#[tokio::test]
async fn an_agent_has_so_many_desks() {
    let world = World::start().await;
    let token = world.token().await;
    let mut desks = Vec::new();
    for _ in 0..16 {
        desks.push(world.desk(&token, json!({})).await.0);
    }
    let mut one_more = world.connect(&token).await;
    one_more.send(json!({"t": "hello"})).await;
    assert_eq!(one_more.next("error").await["code"], "too_many_desks");
    assert_eq!(one_more.closed().await, 1013);
    drop(desks.pop());
    // Its place is free as soon as the gateway has noticed.
    let deadline = tokio::time::Instant::now() + crate::world::PATIENCE;
    loop {
        let mut desk = world.connect(&token).await;
        desk.send(json!({"t": "hello"})).await;
        if desk.any().await["t"] == "state" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
}
