use std::process::Command;
use std::time::Duration;

use bus::{Deadline, ServerError, SupervisedServer};
use bytes::Bytes;

use super::*;

#[tokio::test]
async fn a_restart_keeps_address_and_messages() {
    let dir = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    let first = server.settings();
    let bus = Bus::connect(&first).await.unwrap();
    bus.ensure_stream(&inbound()).await.unwrap();
    bus.publish_durable(&message_subject(), "m", Bytes::from("x"), Deadline::after(SOON)).await.unwrap();
    bus.drain().await.unwrap();
    let pid = server.pid().unwrap();
    within(Duration::from_secs(6), "stopping", server.stop()).await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists());

    let server = SupervisedServer::start(dir.path()).await.unwrap();
    assert_eq!(server.settings().url, first.url);
    let bus = Bus::connect(&first).await.unwrap();
    assert_eq!(bus.stream_usage("INBOUND").await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_second_instance_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _server = SupervisedServer::start(dir.path()).await.unwrap();
    let second = SupervisedServer::start(dir.path()).await.map(|_| ());
    assert!(matches!(second, Err(ServerError::InUse(_))), "{second:?}");
}

#[tokio::test]
async fn a_killed_server_comes_back_as_another_process() {
    let world = world().await;
    let first = world.server.pid().unwrap();
    world.server.kill_hard();
    until_restarted(&world, 2).await;
    assert_ne!(world.server.pid().unwrap(), first);
}

#[tokio::test]
async fn what_a_dead_parent_left_behind_is_ended_first() {
    let dir = tempfile::tempdir().unwrap();
    // A first life writes the configuration; then an orphan runs with it that nobody supervises.
    SupervisedServer::start(dir.path()).await.unwrap().stop().await;
    let config = std::fs::canonicalize(dir.path()).unwrap().join("nats-server.conf");
    let program = std::env::var_os("NATS_SERVER_BIN").unwrap_or_else(|| "nats-server".into());
    let mut orphan = Command::new(program).arg("-c").arg(&config).spawn().unwrap();
    std::fs::write(dir.path().join("pid"), orphan.id().to_string()).unwrap();

    let reaper = tokio::task::spawn_blocking(move || orphan.wait().unwrap());
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    within(SOON, "the orphan's end", reaper).await.unwrap();
    Bus::connect(&server.settings()).await.unwrap();
}

#[tokio::test]
async fn a_port_taken_by_another_is_told_with_the_servers_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    let url = server.settings().url;
    server.stop().await;
    let address = url.strip_prefix("nats://").unwrap().to_owned();
    let _taken = std::net::TcpListener::bind(address).unwrap();
    let started = SupervisedServer::start(dir.path()).await.map(|_| ());
    assert!(matches!(started, Err(ServerError::PortTaken(_))), "{started:?}");
}

#[tokio::test]
async fn a_port_that_a_dying_server_holds_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = SupervisedServer::start(dir.path()).await.unwrap();
    let url = server.settings().url;
    server.stop().await;
    let address: std::net::SocketAddr = url.strip_prefix("nats://").unwrap().parse().unwrap();
    assert!(address.port() < 32_768, "what the system gives to whoever connects: {address}");
    let dying = std::net::TcpListener::bind(address).unwrap();
    let mut starts = std::pin::pin!(SupervisedServer::start(dir.path()));
    let held = tokio::time::timeout(Duration::from_secs(1), &mut starts).await;
    assert!(held.is_err(), "it waits as long as the port is held");
    drop(dying);
    let started = starts.await.unwrap();
    Bus::connect(&started.settings()).await.unwrap();
}
