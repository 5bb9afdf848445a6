//! The main job on real input: a file of messages in, simulated agents on real sockets, everything resolved.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says when its input is not here")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tests::Product;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn last_json(output: &str) -> Value {
    serde_json::from_str(output.lines().last().unwrap()).unwrap()
}

/// Replays a file while `agents` agents work, and gives the ledger when all is resolved.
async fn rehearse(file: &Path, account: &str, routing: Option<&Path>, agents: &str, contacts: u64) -> Value {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    // Simulated agents use one address for the API and the desk.
    product.start("desk", &["desk", "api"]).await;
    product.start("rest", &["views"]).await;
    let key = text(&product.data().join("secrets/admin.key"));
    let url = product.url("desk");
    if let Some(routing) = routing {
        let (code, _, err) =
            product.command(&["config", "apply", &text(routing), "--url", &url, "--key-file", &key]).await;
        assert_eq!(code, 0, "{err}");
    }
    let mut floor = product.beside(
        "agents",
        &[
            "agents",
            "--count",
            agents,
            "--url",
            &url,
            "--key-file",
            &key,
            "--think",
            "0ms..5ms",
            "--seed",
            "7",
            "--json",
        ],
    );
    let (code, out, err) = product
        .command(&[
            "replay",
            &text(file),
            "--url",
            &url,
            "--key-file",
            &key,
            "--account",
            account,
            "--rate",
            "0",
            "--json",
        ])
        .await;
    assert_eq!(code, 0, "{out}{err}");
    let report = last_json(&out);
    assert_eq!(report["refused"].as_object().map_or(0, serde_json::Map::len), 0, "{report}");
    let ledger = product
        .ledger_until("all contacts are resolved", Duration::from_secs(180), |ledger| {
            ledger["contacts"]["resolved"].as_u64() == Some(contacts)
        })
        .await;
    floor.signal("INT");
    let status = floor.wait(Duration::from_secs(20));
    assert!(status.success(), "the agents saw what must not be:\n{}", floor.text());
    let (code, out, err) = product.command(&["receipts", "--json"]).await;
    let receipts = last_json(&out);
    assert_eq!((code, &receipts["wrong"]), (0, &Value::from(0)), "{out}{err}");
    assert!(receipts["decisions"].as_u64() >= Some(contacts), "{receipts}");
    // The day again, and on a floor of which nobody was there.
    let demo = checkout().join("deploy/config/routing.toml").to_str().unwrap().to_owned();
    let (code, out, err) = product.command(&["simulate", "recorded", "--json", "--routing", &demo]).await;
    let day = last_json(&out);
    assert_eq!((code, &day["differs_at"]), (0, &Value::Null), "{out}{err}");
    assert_eq!(day["recorded"]["answered"].as_u64(), Some(contacts), "{}", day["recorded"]);
    assert_eq!(day["other"]["answered"], 0, "{}", day["other"]);
    ledger
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_of_500_messages_is_routed_answered_and_resolved() {
    let file = checkout().join("deploy/samples/messages.csv");
    let ledger = rehearse(&file, "shop", None, "20", 380).await;
    assert_eq!(ledger["messages"]["recorded"], 500);
    assert_eq!(ledger["contacts"]["accepted"], 380);
    assert!(ledger["messages"]["replies"].as_u64().unwrap() >= 380, "{ledger}");
}

/// 3,080 real messages of a bank's customers, which lie beside the project and not in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_bank_are_routed_answered_and_resolved() {
    let file = checkout().join("../shared/data/banking77_test.csv");
    if !file.exists() {
        println!("{} is not here: the project ships its own sample, which was proved above", file.display());
        return;
    }
    let routing = checkout().join("deploy/samples/bank.routing.toml");
    let ledger = rehearse(&file, "bank", Some(&routing), "40", 3_080).await;
    assert_eq!(ledger["messages"]["recorded"], 3_080);
    assert_eq!(ledger["contacts"]["accepted"], 3_080);
}
