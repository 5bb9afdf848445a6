//! The ledger is balanced while the product runs, and says by name what does not; a sick system is explained in words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bus::Deadline;
use protocol::subjects::Subjects;
use serde_json::{Value, json};
use tests::{Product, eventually, log};

#[path = "watching/canary.rs"]
mod canary;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_does_not_balance_is_told_by_its_number_within_two_looks() {
    let mut product = Product::empty().await;
    product.set("watch.look_every", "200ms");
    product.start("routing", &["routing"]).await;
    product.start("rest", &["api", "watch"]).await;
    for n in 0..20 {
        let message =
            json!({ "account": "shop", "id": format!("m-{n}"), "from": { "value": "ann" }, "text": "hello" });
        assert_eq!(product.write("rest", &message).await.status(), 202);
    }
    let bus = product.bus().await;
    product.metric_until("rest", "ledger_looked_at_seconds", |at| at > 0.0).await;
    assert_eq!(product.metric("rest", "ledger_faults").await, 0.0);
    // Somebody else than the router writes into the log.
    product.stop("routing");
    let subject = Subjects::new("c1".parse().unwrap()).contacts();
    let published =
        bus.publish_durable(&subject, "rogue", "no record".into(), Deadline::after(SOON)).await.unwrap();
    product.metric_until("rest", "ledger_faults", |faults| faults == 1.0).await;
    let fault = format!("record {} cannot be read", published.seq);
    eventually("it is told by its number", SOON, || async {
        let (_, health) = product.health("rest").await?;
        let loops = health["loops"].as_array()?;
        let ledger = loops.iter().find(|one| one["name"] == "ledger")?;
        ledger["detail"].as_str()?.contains(&fault).then_some(())
    })
    .await;
    let told = product.output().matches(&fault).count();
    assert_eq!(told, 1, "once in the log, however often it is looked at");
    assert_eq!(
        log::last_seq(&bus, "CONTACTS").await,
        Some(published.seq),
        "nothing was written by who watches"
    );
}

/// What the doctor finds, as state, what it is about, and the words; and its exit code.
async fn doctor(product: &Product) -> (i32, Vec<[String; 3]>) {
    let (code, out, err) = product.command(&["doctor", "--json"]).await;
    assert!(out.starts_with('['), "{out}{err}");
    let found: Vec<Value> = serde_json::from_str(&out).unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    (code, found.iter().map(|one| [text(one, "state"), text(one, "about"), text(one, "words")]).collect())
}

#[tokio::test]
async fn a_sick_system_is_explained_and_nothing_is_changed_by_looking() {
    let mut product = Product::empty().await;
    product.start("routing", &["routing"]).await;
    let rest = ["rights", "empowerment", "views", "desk", "chat", "channels", "api", "watch"];
    product.start("rest", &rest).await;
    let message = json!({ "account": "shop", "id": "m-1", "from": { "value": "ann" }, "text": "hello" });
    assert_eq!(product.write("rest", &message).await.status(), 202);
    let found = eventually("nothing is sick", SOON, || async {
        let (code, found) = doctor(&product).await;
        (code == 0).then_some(found)
    })
    .await;
    let of = |found: &[[String; 3]], about: &str| -> Vec<(String, String)> {
        let about = found.iter().filter(|[_, of, _]| of == about);
        about.map(|[state, _, words]| (state.clone(), words.clone())).collect()
    };
    for about in ["bus", "master key", "places", "leads", "router", "channels", "ledger"] {
        let said = of(&found, about);
        assert!(said.len() == 1 && said[0].0 == "well", "{about}: {found:#?}");
    }
    assert!(of(&found, "durability")[0].1.starts_with("one copy on one server"), "{found:#?}");

    product.stop("routing");
    assert_eq!(
        product
            .write(
                "rest",
                &json!({ "account": "shop", "id": "m-2", "from": { "value": "ann" }, "text": "there?" })
            )
            .await
            .status(),
        202
    );
    let (code, found) = doctor(&product).await;
    assert_eq!(code, 1);
    assert!(
        of(&found, "leads")[0].1.contains("nobody leads routing: no contact finds an agent"),
        "{found:#?}"
    );
    assert!(of(&found, "router")[0].1.starts_with("stands still before 1 inputs"), "{found:#?}");
    let empty = Product::empty().await;
    assert_eq!(doctor(&empty).await.0, 1);
    assert_eq!(empty.bus().await.streams_named("").await.unwrap(), Vec::<String>::new(), "it made nothing");

    let bus = product.bus().await;
    let begun = product.data().join("secrets/master.key");
    let key = std::fs::read(&begun).unwrap();
    std::fs::remove_file(&begun).unwrap();
    assert_eq!(of(&doctor(&product).await.1, "master key")[0].0, "odd");
    assert!(!begun.exists(), "it made none");
    // Another key, of the right form.
    let mut other = key;
    other[0] = if other[0] == b'A' { b'B' } else { b'A' };
    std::fs::write(&begun, other).unwrap();
    std::fs::set_permissions(&begun, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = of(&doctor(&product).await.1, "master key");
    assert!(said[0].0 == "sick" && said[0].1.contains("another one"), "{said:?}");
    assert_eq!(log::last_seq(&bus, "CONTACTS").await, Some(log::records(&bus).await.last().unwrap().0));
}
