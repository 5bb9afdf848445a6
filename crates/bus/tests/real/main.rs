//! The bus against a real nats-server, one per test, found by NATS_SERVER_BIN or PATH.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod append;
mod audit;
mod fence;
mod fold_file;
mod keeping;
mod kv;
mod lease;
mod messages;
mod room;
mod seal;
mod server;
mod service;
mod tail;
mod together;
mod uploads;
mod users;

use std::future::Future;
use std::time::Duration;

use bus::{Bus, Discard, StreamSpec, SupervisedServer};
use protocol::subjects::{Subject, Subjects};
use protocol::{ChannelKind, SubjectToken};

/// A server in a folder of its own, and a connection.
struct World {
    // Fields drop in order: first the connection, then the server, then its folder.
    bus: Bus,
    server: SupervisedServer,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let server = match SupervisedServer::start(dir.path()).await {
        Ok(server) => server,
        Err(error) => panic!("failed to {error}"),
    };
    let bus = Bus::connect(&server.settings()).await.unwrap();
    World { bus, server, _dir: dir }
}

fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

fn subjects() -> Subjects {
    Subjects::new(token("test"))
}

fn message_subject() -> Subject {
    subjects().inbound_message(ChannelKind::Web, &token("shop"))
}

fn inbound() -> StreamSpec {
    StreamSpec {
        name: "INBOUND".into(),
        subjects: vec![subjects().inbound_all()],
        max_bytes: 64 << 20,
        max_age: Some(Duration::from_secs(7 * 86_400)),
        max_message_bytes: 256 * 1024,
        duplicate_window: Duration::from_secs(120),
        discard: Discard::New,
        is_permanent: false,
    }
}

async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} took more than {limit:?}"),
    }
}

const SOON: Duration = Duration::from_secs(10);

/// Waits until the server has been started `starts` times and answers.
async fn until_restarted(world: &World, starts: u64) {
    within(SOON, "the restart", async {
        while world.server.starts() < starts || world.bus.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Whether any file under the folder contains the bytes.
fn on_disk(dir: &std::path::Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|found| {
        let path = found.unwrap().path();
        if path.is_dir() {
            return on_disk(&path, needle);
        }
        std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}
