//! Who may come in at the supervised server besides ourselves.

use std::collections::BTreeSet;

use bus::{Deadline, Guest, Nkey, Secret, ServerUser};
use protocol::Millis;
use protocol::edge::{EdgeKind, Integration};

use super::*;

fn integration(key: &Nkey) -> Integration {
    Integration {
        keys: vec![key.public()],
        scopes: BTreeSet::new(),
        accounts: BTreeSet::new(),
        per_second: 1,
        made_at: Millis(1),
    }
}

fn users(of: &[(&str, &Nkey)]) -> Vec<ServerUser> {
    let rows: Vec<_> = of.iter().map(|(name, key)| (token(name), integration(key))).collect();
    ServerUser::of(&subjects(), rows.iter().map(|(name, row)| (name, row)))
}

fn seed(key: &Nkey) -> Secret {
    key.seed().unwrap()
}

async fn come_in(world: &World, name: &str, key: &Nkey) -> Guest {
    let url = world.server.settings().url;
    Guest::connect(&url, &token(name), &seed(key), Deadline::after(SOON)).await.unwrap()
}

async fn is_let_in(world: &World, name: &str, key: &Nkey) -> bool {
    let (url, soon) = (world.server.settings().url, Deadline::after(Duration::from_secs(1)));
    Guest::connect(&url, &token(name), &seed(key), soon).await.is_ok()
}

#[tokio::test]
async fn who_comes_and_goes_disturbs_nobody_and_is_known_again_after_a_death() {
    let world = world().await;
    let (shop, crm) = (Nkey::new(), Nkey::new());
    assert!(!is_let_in(&world, "shop", &shop).await);
    let list = world.server.user_list();
    assert!(list.admit(&users(&[("shop", &shop)])).unwrap());
    assert!(!list.admit(&users(&[("shop", &shop)])).unwrap(), "the same again changes nothing");
    let guest = come_in(&world, "shop", &shop).await;
    // What is subscribed to stays subscribed to: nobody had to connect anew.
    let subject = subjects().edge(&token("shop"), EdgeKind::Facts, &token("f-1"));
    let mut heard = world.bus.subscribe_ephemeral(&subject).await.unwrap();
    assert!(list.admit(&users(&[("shop", &shop), ("crm", &crm)])).unwrap());
    come_in(&world, "crm", &crm).await;
    guest.publish(&subject, "one".into()).await.unwrap();
    assert_eq!(within(SOON, "hearing it", heard.next()).await.unwrap().payload, "one");
    world.server.kill_hard();
    until_restarted(&world, 2).await;
    come_in(&world, "crm", &crm).await;
    assert!(list.admit(&users(&[("crm", &crm)])).unwrap());
    within(SOON, "the end of a key", async { while is_let_in(&world, "shop", &shop).await {} }).await;
    come_in(&world, "crm", &crm).await;
}

#[tokio::test]
async fn a_server_that_lets_an_integration_do_more_is_found_out() {
    let world = world().await;
    let key = Nkey::new();
    let list = world.server.user_list();
    list.admit(&users(&[("shop", &key)])).unwrap();
    let found = come_in(&world, "shop", &key).await.probe(&world.bus, &subjects()).await.unwrap();
    assert!(found.is_kept(), "{found:?}");
    let all = serde_json::json!([{"key": key.public(), "publish": [">"], "subscribe": [">"]}]);
    list.admit(&serde_json::from_value::<Vec<ServerUser>>(all).unwrap()).unwrap();
    let mut found = bus::Confinement::default();
    within(SOON, "the new rights", async {
        while found.is_kept() {
            found = come_in(&world, "shop", &key).await.probe(&world.bus, &subjects()).await.unwrap();
        }
    })
    .await;
    assert!(found.publishes_elsewhere && found.hears_others && found.asks_the_server, "{found:?}");
}
