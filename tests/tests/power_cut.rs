//! The machine dies and INBOUND loses its end, while the log has it: what comes in afterwards is read all the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{Bus, Deadline, SupervisedServer};
use protocol::subjects::Subjects;
use protocol::{SubjectToken, streams};
use serde_json::{Value, json};
use tests::eventually;
use tests::up::Up;

const WITHIN: Duration = Duration::from_secs(30);

async fn write(up: &Up, ids: &[&str]) {
    for id in ids {
        let body = json!({ "account": "shop", "id": id, "from": { "value": id }, "text": "hello" });
        eventually("the message is taken", WITHIN, || async {
            let url = format!("{}/api/v1/messages", up.url());
            let sent = reqwest::Client::new().post(url).bearer_auth(up.admin_key()).json(&body).send().await;
            sent.ok().filter(|answer| answer.status() == 202)
        })
        .await;
    }
}

/// Waits until so many messages are recorded; the ledger balances all the while.
async fn recorded(up: &Up, count: u64) -> Value {
    eventually("the messages are recorded", WITHIN, || async {
        let (code, out, err) = up.command(&["ledger", "--json"]).await;
        assert_eq!(code, 0, "{out}{err}");
        let ledger: Value = serde_json::from_str(&out).unwrap();
        (ledger["messages"]["recorded"] == count && ledger["messages"]["pending"] == 0).then_some(ledger)
    })
    .await
}

fn stop(up: &mut Up) {
    up.process.signal("TERM");
    assert!(up.process.wait(Duration::from_secs(10)).success(), "{}", up.process.text());
}

/// The folder in which the server keeps INBOUND.
fn inbound_folder(of: &Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(of).ok()? {
        let path = entry.ok()?.path();
        if path.is_dir() {
            if path.ends_with(streams::INBOUND) {
                return Some(path);
            }
            if let Some(found) = inbound_folder(&path) {
                return Some(found);
            }
        }
    }
    None
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Puts a message into INBOUND while no router runs, as a channel would.
async fn stray(data: &Path) {
    let server = SupervisedServer::start(&data.join("nats")).await.unwrap();
    let bus = Bus::connect(&server.settings().named("test")).await.unwrap();
    let usage = bus.stream_usage(streams::INBOUND).await.unwrap();
    let known = bus.read_one(streams::INBOUND, usage.last_seq).await.unwrap().unwrap();
    let subject = Subjects::new(SubjectToken::new("c1").unwrap()).inbound_presence();
    let deadline = Deadline::after(WITHIN);
    bus.publish_durable(&subject, "a-stray", known.payload, deadline).await.unwrap();
    bus.drain().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbound_that_lost_its_end_is_mended() {
    let mut up = Up::started().await;
    write(&up, &["a1", "a2", "a3"]).await;
    recorded(&up, 3).await;
    stop(&mut up);
    let folder = inbound_folder(&up.data().join("nats/store")).unwrap();
    let saved = up.folder().join("saved");
    copy(&folder, &saved);

    up.again().await;
    write(&up, &["b1", "b2", "b3", "b4"]).await;
    recorded(&up, 7).await;
    stop(&mut up);
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&saved, &folder);
    stray(&up.data()).await;

    up.again().await;
    write(&up, &["c1", "c2"]).await;
    let ledger = recorded(&up, 9).await;
    assert_eq!(ledger["messages"]["duplicates"], 1, "what stood where the log had passed was read: {ledger}");
    assert!(up.process.text().contains("INBOUND ends before"), "a person is told");
    stop(&mut up);
}
