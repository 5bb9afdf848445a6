//! Configuration: checked all at once, put in force while contacts flow, refused in words.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks only at what it waits for"
)]

mod accounts;
mod admin;
mod parked;

use std::time::Duration;

use protocol::command::{Outcome, Presence};
use protocol::desk::{DeskCommand, OfferCard, ToDesk};
use protocol::record::Event;
use serde_json::json;
use tests::desk::Desk;
use tests::look::DEMO_FLOOR;
use tests::{Product, eventually, log, process};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn all_faults_are_told_at_once_with_file_line_and_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[http]\nlisten = \"8080\"\nport = 1\n\n[limits]\ntext_max = \"a lot\"\n\n[desk]\n\
        disconnect_grace = \"soon\"\n\n[colour]\nof = \"the sky\"\n";
    std::fs::write(folder.path().join("winterband.toml"), settings).unwrap();
    let routing = "[[queue]]\nname = \"a.b\"\ntitle = \"A\"\noffer = \"1 parsec\"\nwrap_up = \"0s\"\n\
        owner_wait = \"1s\"\nreopen = \"1s\"\ndecline_rest = \"1s\"\nwait_bound = \"1h\"\n\n[[skill]]\nname = \"x\"\ntitle = \"\"\n";
    std::fs::write(folder.path().join("routing.toml"), routing).unwrap();
    let check = |args: Vec<String>| async move {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        process::to_its_end(&args, &[], &std::env::temp_dir()).await
    };
    let path = folder.path().display().to_string();
    let (code, out, err) = check(vec!["config".into(), "check".into(), path.clone()]).await;
    assert_eq!(code, 64, "{out}{err}");
    for (file, line, what) in [
        ("winterband.toml", 2, "http.listen: expected \"ip:port\""),
        ("winterband.toml", 3, "http.port"),
        ("winterband.toml", 6, "limits.text_max: expected a size"),
        ("winterband.toml", 9, "desk.disconnect_grace: expected a duration"),
        ("winterband.toml", 11, "colour"),
        ("routing.toml", 2, "queue[0].name: expected a name of A-Z"),
        ("routing.toml", 4, "queue[0].offer: expected a duration"),
        ("routing.toml", 13, "skill[0].title: expected a text of 1 to 100"),
    ] {
        let place = format!("{file}:{line}: ");
        let told = err.lines().find(|told| told.contains(&place));
        assert!(told.is_some_and(|told| told.contains(what)), "{place}{what} is not in\n{err}");
    }
    assert_eq!(err.lines().filter(|line| line.contains(".toml:")).count(), 8, "{err}");
    // Nothing starts on such a folder either.
    let (code, _, again) = check(vec!["--config".into(), path, "serve".into(), "routing".into()]).await;
    assert_eq!(code, 64, "{again}");
    let built_in = check(vec!["config".into(), "check".into()]).await;
    assert_eq!(built_in.0, 0, "{built_in:?}");
}

/// The demo floor with one more queue, an account that leads to it, and an agent who serves it.
#[tokio::test]
async fn accounts_of_channels_are_checked_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let path = folder.path().display().to_string();
    let check = async || process::to_its_end(&["config", "check", &path], &[], &std::env::temp_dir()).await;
    let hook = |account: &str| {
        format!(
            "[[webhook]]\naccount = \"{account}\"\nurl = \"https://crm.example/in\"\nsecret = {{ file = \"hook.secret\" }}\n"
        )
    };
    write("channels.toml", &format!("{}{}", hook("partner"), hook("crm")));
    write("web.toml", "[[identity]]\naccount = \"elsewhere\"\nsecret = { file = \"site.secret\" }\n");
    let (code, _, err) = check().await;
    assert_eq!(code, 64, "{err}");
    for secret in ["[[webhook]] number 1", "[[webhook]] number 2", "site.secret"] {
        assert!(err.contains(secret), "{secret} is not in\n{err}");
    }
    write("hook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    write("site.secret", "a secret of more than thirty-two bytes, for a test");
    let (code, _, err) = check().await;
    assert_eq!(code, 64, "{err}");
    for missing in [
        "channels.toml: crm: expected an [[account]] of channel \"webhook\" in routing.toml, found none",
        "web.toml: elsewhere: expected an [[account]] of channel \"web\" in routing.toml, found none",
    ] {
        assert!(err.contains(missing), "{missing} is not in\n{err}");
    }
    assert!(!err.contains("whsec_") && !err.contains("thirty-two"), "{err}");
    write("channels.toml", &hook("partner"));
    write("web.toml", "[[identity]]\naccount = \"shop\"\nsecret = { file = \"site.secret\" }\n");
    let (code, _, err) = check().await;
    assert_eq!(code, 0, "{err}");
}

fn larger() -> String {
    let more = "\n[[queue]]\nname = 'warranty'\ntitle = 'Warranty'\noffer = '30s'\nwrap_up = '0s'\n\
        owner_wait = '1s'\nreopen = '1h'\ndecline_rest = '60s'\nwait_bound = '1h'\n\n[[agent]]\nname = 'cora'\ntitle = 'Cora'\n\
        queues = ['warranty']\nskills = {}\ncapacity = { api = 2 }\n\n[[account]]\nchannel = 'api'\n\
        name = 'warranty'\ntitle = 'Warranty'\nqueue = 'warranty'\npriority = 1\n";
    format!("{DEMO_FLOOR}{more}")
}

async fn write(product: &Product, account: &str, from: &str) -> u16 {
    let id = uuid::Uuid::now_v7().to_string();
    let message = json!({ "account": account, "id": id, "from": { "value": from }, "text": "ring" });
    product.write("rest", &message).await.status().as_u16()
}

async fn take(desk: &mut Desk) -> OfferCard {
    let card = desk.offer().await;
    assert_eq!(desk.command(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
    card
}

#[tokio::test]
async fn a_configuration_takes_effect_while_contacts_flow() {
    let product = Product::started().await;
    let mut anna = Desk::open(&product, "rest", "desk", "anna").await;
    anna.online().await;
    assert_eq!(write(&product, "shop", "before").await, 202);
    take(&mut anna).await;
    assert_eq!(write(&product, "warranty", "too early").await, 404);

    let (code, out, err) = product.apply("rest", &larger()).await;
    assert_eq!(code, 0, "{err}");
    let hash = out.trim().rsplit(' ').next().unwrap().to_owned();
    // Who holds something goes on holding it; a new agent comes in, and a new account is open.
    eventually("the new account is open", SOON, || async {
        (write(&product, "warranty", "pim").await == 202).then_some(())
    })
    .await;
    let mut cora = Desk::open(&product, "rest", "desk", "cora").await;
    cora.online().await;
    let card = take(&mut cora).await;
    assert_eq!(card.queue, "Warranty");
    a_used_queue_stays(&product, &mut cora).await;
    faulty_ones_change_nothing(&product, &hash).await;
    the_hash_is_in_the_records(&product, &hash).await;
    let (balances, ledger) = product.ledger().await;
    assert!(balances, "{ledger:#}");
}

/// A queue in which contacts wait cannot be taken away under them, nor an agent who holds some.
async fn a_used_queue_stays(product: &Product, cora: &mut Desk) {
    let presence = Presence::Away;
    assert_eq!(
        cora.command(DeskCommand::SetPresence { presence, reason: None, when_free: false }).await,
        Outcome::Done
    );
    assert_eq!(write(product, "warranty", "waits").await, 202);
    cora.until("one waits", |frame| match frame {
        ToDesk::Floor(floor) => floor.queues.iter().find(|queue| queue.waiting == 1).map(|_| ()),
        _ => None,
    })
    .await;
    let (code, out, err) = product.apply("rest", DEMO_FLOOR).await;
    assert_ne!(code, 0, "{out}");
    assert!(err.contains("config_faulty"), "{err}");
    assert!(err.contains("the queue warranty still has contacts: keep it until they are resolved"), "{err}");
    assert!(err.contains("still holds contacts: keep them until these are resolved"), "{err}");
}

async fn faulty_ones_change_nothing(product: &Product, hash: &str) {
    let faulty = larger().replace("queue = 'warranty'", "queue = 'nowhere'");
    let (code, _, err) = product.apply("rest", &faulty).await;
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("there is no queue nowhere"), "{err}");
    let present = product.get("rest", "/api/v1/config").await;
    assert_eq!(present.body["hash"], hash, "still the one that was applied");
}

/// Every record says by which configuration it was decided.
async fn the_hash_is_in_the_records(product: &Product, hash: &str) {
    let records = log::records(&product.bus().await).await;
    let applied: Vec<u64> = records
        .iter()
        .filter(|(_, record)| record.events.contains(&Event::ConfigApplied))
        .map(|(seq, _)| *seq)
        .collect();
    assert_eq!(applied.len(), 2, "the first start's and ours; what was refused is not in force");
    let refused = records
        .iter()
        .filter(|(_, record)| record.events.iter().any(|event| matches!(event, Event::ConfigRefused { .. })));
    assert_eq!(refused.count(), 1, "what cannot be read never becomes an input");
    let last = applied.last().unwrap();
    for (seq, record) in &records {
        let is_later = seq > last;
        let says = record.policy.to_string() == hash;
        assert!(says || !is_later, "record {seq} was decided by {}", record.policy);
        assert!(!says || seq >= last, "record {seq} comes before its configuration");
    }
}
