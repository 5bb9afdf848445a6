//! The disk fills up: nothing is said to be taken that is not stored, and with room again it goes on by itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tests::{Product, eventually};

use crate::{message, with};

const DISK: &str = "size=64m";
/// Left free beside the ballast, bytes.
const LEFT: u64 = 256 * 1024;
/// A new start of nats-server included.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// How long a message takes at most that is not refused.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
const PATH: &str = "/api/v1/messages";

/// A small file system; unmounted when this is dropped, after the product that writes to it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not permitted.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Fills it but for [`LEFT`]; gives the file to delete.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[7; 64 * 1024]).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length - LEFT).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nobody uses it any more; should that be wrong, it goes with its last user.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
        drop(std::fs::remove_dir_all(self.0.parent().unwrap_or(&self.0)));
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_that_was_taken_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("data")) else {
        // A quota needs as many rights as a mount; what a full stream does is told by the test of that name.
        say_skipped();
        return;
    };
    let mut product = Product::empty_in(folder).await;
    product.start("routing", &["routing"]).await;
    product.start("rest", &["views", "chat", "api"]).await;
    let key = product.admin_key();
    let kept = product.post("rest", PATH, &key, "{\"text\": \"kept before the disk was full").await;
    assert_eq!(kept.problem(), (400, "malformed"));
    let ballast = disk.fill();
    let mut taken = 0;
    let (refused, answer) = loop {
        let message = with("text", "x".repeat(8 * 1024)).to_string();
        let mut answer = Box::pin(product.post("rest", PATH, &key, message.clone()));
        match tokio::time::timeout(ANSWERED_WITHIN, &mut answer).await {
            Ok(answer) => assert_eq!(answer.status, 202, "{answer:?}"),
            // It is tried for a while, since most outages are short.
            Err(_) => break (message, answer),
        }
        taken += 1;
    };
    // Words that nobody can read cannot be kept either: whoever sent them is told to keep them.
    let unreadable = format!("{{\"text\": \"{}", "sent while it was full ".repeat(3_000));
    let (answer, unkept) = tokio::join!(answer, product.post("rest", PATH, &key, unreadable));
    assert!(taken > 0);
    for answer in [answer, unkept] {
        assert_eq!(answer.problem().0, 503, "{answer:?}");
        assert!(answer.body.get("parked").is_none() && answer.retry_after_s.is_some(), "{answer:?}");
    }
    let count = "refused_total{channel=\"api\",reason=\"bus_unavailable\"}";
    product.metric_until("rest", count, |count| count >= 2.0).await;

    std::fs::remove_file(ballast).unwrap();
    eventually("what was refused is taken", RECOVERED_WITHIN, || async {
        let answer = product.post("rest", PATH, &key, refused.clone()).await;
        (answer.status == 202).then_some(())
    })
    .await;
    assert_eq!(product.post("rest", PATH, &key, message().to_string()).await.status, 202);
    assert!(
        product.nats.starts() >= 2,
        "a server that met a full disk writes no more until it is started anew"
    );
    let all = |ledger: &serde_json::Value| ledger["messages"]["recorded"] == taken + 2;
    let ledger = product.ledger_until("all that was taken is recorded", RECOVERED_WITHIN, all).await;
    assert_eq!(ledger["messages"]["received"], json!(taken + 2), "and nothing twice: {ledger:#}");
    let (_, out, _) = product.command(&["parked", "--json"]).await;
    assert_eq!(out.lines().count(), 1, "{out}");
    let id = serde_json::from_str::<serde_json::Value>(&out).unwrap()["id"].as_str().unwrap().to_owned();
    let (_, shown, _) = product.command(&["parked", "--show", &id]).await;
    assert!(shown.contains("kept before the disk was full"), "{shown}");
}

#[expect(clippy::print_stderr, reason = "whoever reads the test's output is told what it did not do")]
fn say_skipped() {
    eprintln!("not tried here: mounting a small file system is not permitted");
}
