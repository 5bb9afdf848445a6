use std::time::Duration;

use bus::{IdHasher, MasterKey, SealError, Sealer, UnsealError};
use protocol::content::Sealed;
use protocol::limits::INPUT_BYTES_MAX;
use protocol::{ChannelKind, IdentityId};

use super::*;

fn master(world: &World) -> MasterKey {
    MasterKey::load_or_create(&world._dir.path().join("master.key")).unwrap()
}

fn identity(world: &World, value: &str) -> IdentityId {
    IdHasher::new(&master(world)).identity(ChannelKind::Web, "shop", value)
}

/// The wrapped key as it lies in the bucket.
async fn wrapped_key(world: &World, identity: IdentityId) -> Vec<u8> {
    let items = world.bus.read_range(&format!("KV_{}", bus::KEYS_BUCKET), 1, u64::MAX, 1000).await.unwrap();
    let item = items.iter().rev().find(|item| item.subject.ends_with(&identity.to_string())).unwrap();
    let text = String::from_utf8(item.payload.to_vec()).unwrap();
    let (_, rest) = text.split_once("\"wrapped\":\"").expect("a wrapped key");
    rest.split('"').next().unwrap().as_bytes().to_vec()
}

#[tokio::test]
async fn what_is_sealed_opens_for_its_identity_only() {
    let world = world().await;
    let sealer = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let anna = identity(&world, "anna");
    let sealed = sealer.seal(anna, b"my phone is 0612345678").await.unwrap();
    assert!(!sealed.as_str().contains("0612345678"));
    assert_eq!(sealer.unseal(&sealed).await.unwrap(), b"my phone is 0612345678");
    assert_ne!(sealer.seal(anna, b"x").await.unwrap(), sealer.seal(anna, b"x").await.unwrap());

    let bert = identity(&world, "bert");
    sealer.seal(bert, b"x").await.unwrap();
    let (_, generation, text) = sealed.parts().unwrap();
    let moved = Sealed::from_parts(bert, generation, text);
    assert!(matches!(sealer.unseal(&moved).await, Err(UnsealError::Damaged)));
    let unknown = Sealed::from_parts(identity(&world, "nobody"), 1, text);
    assert!(matches!(sealer.unseal(&unknown).await, Err(UnsealError::NoKey)));
    let later = Sealed::from_parts(anna, 9, text);
    assert!(matches!(sealer.unseal(&later).await, Err(UnsealError::NoKey)));

    let most = vec![7; INPUT_BYTES_MAX];
    let sealed = sealer.seal(anna, &most).await.unwrap();
    assert_eq!(sealer.unseal(&sealed).await.unwrap(), most);
    assert!(matches!(sealer.seal(anna, &vec![7; INPUT_BYTES_MAX + 1]).await, Err(SealError::TooLarge)));
}

#[tokio::test]
async fn sixteen_writers_make_one_key() {
    let world = world().await;
    let anna = identity(&world, "anna");
    let mut tasks = Vec::new();
    for _ in 0..16 {
        let sealer = Sealer::open(&world.bus, &master(&world)).await.unwrap();
        tasks.push(tokio::spawn(async move { sealer.seal(anna, b"hello").await.unwrap() }));
    }
    let reader = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    for task in tasks {
        assert_eq!(reader.unseal(&task.await.unwrap()).await.unwrap(), b"hello");
    }
    assert_eq!(world.bus.stream_usage("KV_KEYS").await.unwrap().messages, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_erasure_no_process_and_no_disk_has_the_key() {
    let world = world().await;
    let here = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let other_bus = Bus::connect(&world.server.settings().named("other")).await.unwrap();
    let elsewhere = Sealer::open(&other_bus, &master(&world)).await.unwrap();
    let (anna, bert) = (identity(&world, "anna"), identity(&world, "bert"));
    let sealed = here.seal(anna, b"words").await.unwrap();
    let kept = here.seal(bert, b"other words").await.unwrap();
    assert_eq!(elsewhere.unseal(&sealed).await.unwrap(), b"words");
    let wrapped = wrapped_key(&world, anna).await;
    let kept_key = wrapped_key(&world, bert).await;
    assert!(on_disk(&world.server.store_dir(), &wrapped));

    here.erase_identity(anna).await.unwrap();
    assert!(matches!(here.unseal(&sealed).await, Err(UnsealError::Erased)));
    within(Duration::from_secs(1), "the other process's forgetting", async {
        while elsewhere.unseal(&sealed).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(matches!(elsewhere.unseal(&sealed).await, Err(UnsealError::Erased)));
    assert!(!on_disk(&world.server.store_dir(), &wrapped));
    assert!(on_disk(&world.server.store_dir(), &kept_key));
    assert_eq!(elsewhere.unseal(&kept).await.unwrap(), b"other words");

    // A new message of the same identity gets a new key; the old words stay unreadable, also after a crash.
    let again = elsewhere.seal(anna, b"new words").await.unwrap();
    assert_eq!(here.unseal(&again).await.unwrap(), b"new words");
    assert_ne!(again.parts().unwrap().1, sealed.parts().unwrap().1);
    world.server.kill_hard();
    assert!(matches!(here.unseal(&sealed).await, Err(UnsealError::Erased)));
    assert_eq!(here.unseal(&again).await.unwrap(), b"new words");
    let wrapped_again = wrapped_key(&world, anna).await;
    elsewhere.erase_identity(anna).await.unwrap();
    elsewhere.erase_identity(anna).await.unwrap();
    assert!(!on_disk(&world.server.store_dir(), &wrapped_again));
    assert!(matches!(elsewhere.unseal(&again).await, Err(UnsealError::Erased)));
    here.erase_identity(identity(&world, "nobody")).await.unwrap();
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let world = world().await;
    let sealer = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let anna = identity(&world, "anna");
    let sealed = sealer.seal(anna, b"words").await.unwrap();
    let stranger = MasterKey::load_or_create(&world._dir.path().join("stranger.key")).unwrap();
    let stranger = Sealer::open(&world.bus, &stranger).await.unwrap();
    assert!(matches!(stranger.unseal(&sealed).await, Err(UnsealError::Damaged)));
    assert!(matches!(stranger.seal(anna, b"x").await, Err(SealError::WrongMasterKey)));
}
