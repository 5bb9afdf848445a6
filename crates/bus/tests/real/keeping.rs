//! What is kept for a time only: keys that change, and go when all that they sealed is too old.

use bus::{Files, IdHasher, KeptFor, MasterKey, Sealer, UnsealError};
use protocol::rights::KeyClass;
use protocol::{ChannelKind, IdentityId};

use super::*;

fn master(world: &World) -> MasterKey {
    MasterKey::load_or_create(&world._dir.path().join("master.key")).unwrap()
}

async fn sealer(world: &World, words: u64, files: Option<u64>) -> Sealer {
    let sealer = Sealer::open(&world.bus, &master(world)).await.unwrap();
    sealer.keeping(KeptFor { words: Some(words), files, mail_raw: None })
}

fn anna(world: &World) -> IdentityId {
    IdHasher::new(&master(world)).identity(ChannelKind::Web, "shop", "anna")
}

#[tokio::test]
async fn old_words_go_and_young_ones_stay() {
    let world = world().await;
    let anna = anna(&world);
    let forever = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let ancient = forever.seal(anna, b"ancient").await.unwrap();
    // A key seals for a twelfth of 1200 ms.
    let kept = 1_200;
    let sealer = sealer(&world, kept, None).await;
    let old = sealer.seal(anna, b"old").await.unwrap();
    assert_ne!(
        ancient.parts().unwrap().1,
        old.parts().unwrap().1,
        "what nobody knows the age of seals nothing new"
    );
    assert_eq!(sealer.seal(anna, b"x").await.unwrap().parts().unwrap().1, old.parts().unwrap().1);
    let files =
        Files::open(&world.bus, sealer.clone(), IdHasher::new(&master(&world)), 1 << 20).await.unwrap();
    let file = files.keep(anna, b"a file").await.unwrap();
    let html = files.keep_as(anna, KeyClass::Words, b"html").await.unwrap();
    let mut young = old.clone();
    while sealer.unused(anna, KeyClass::Words, kept).await.unwrap() < old.parts().unwrap().1 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        young = sealer.seal(anna, b"young").await.unwrap();
    }
    assert_eq!(sealer.unseal(&old).await.unwrap(), b"old", "it is only told so far");
    let aged = sealer.aged(10).await.unwrap();
    assert!(aged.iter().any(|one| one.identity == anna && one.class == KeyClass::Words), "{aged:?}");
    let up_to = sealer.expire(anna, KeyClass::Words, kept).await.unwrap();
    assert!(up_to >= old.parts().unwrap().1);
    for gone in [&ancient, &old] {
        assert!(matches!(sealer.unseal(gone).await, Err(UnsealError::Erased)));
        assert!(matches!(forever.unseal(gone).await, Err(UnsealError::Erased)));
    }
    assert_eq!(sealer.unseal(&young).await.unwrap(), b"young");
    assert_eq!(files.fetch(anna, file).await.unwrap().unwrap(), "a file", "files are kept for good here");
    assert!(files.fetch(anna, html).await.is_err(), "its words are not");
    sealer.erase_identity(anna).await.unwrap();
    assert!(matches!(sealer.unseal(&young).await, Err(UnsealError::Erased)));
    assert!(files.fetch(anna, file).await.is_err());
}

#[tokio::test]
async fn a_key_of_unknown_age_ages_from_when_somebody_looked() {
    let world = world().await;
    let anna = anna(&world);
    let forever = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let ancient = forever.seal(anna, b"ancient").await.unwrap();
    let sealer = sealer(&world, 600, None).await;
    let aged = sealer.aged(10).await.unwrap();
    assert!(aged.iter().all(|one| one.is_ageless) && aged.len() == 1, "{aged:?}");
    assert_eq!(sealer.expire(anna, KeyClass::Words, 600).await.unwrap(), 0);
    sealer.begin_to_age(anna, KeyClass::Words).await.unwrap();
    while sealer.expire(anna, KeyClass::Words, 600).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(matches!(sealer.unseal(&ancient).await, Err(UnsealError::Erased)));
}
