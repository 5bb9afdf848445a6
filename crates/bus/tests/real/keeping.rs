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
    let (aged, _) = sealer.aged(0, 10).await.unwrap();
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
    let (aged, _) = sealer.aged(0, 10).await.unwrap();
    assert!(aged.iter().all(|one| one.is_ageless) && aged.len() == 1, "{aged:?}");
    assert_eq!(sealer.expire(anna, KeyClass::Words, 600).await.unwrap(), 0);
    sealer.begin_to_age(anna, KeyClass::Words).await.unwrap();
    while sealer.expire(anna, KeyClass::Words, 600).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(matches!(sealer.unseal(&ancient).await, Err(UnsealError::Erased)));
}

#[tokio::test]
async fn of_many_old_keys_none_is_passed_over() {
    let world = world().await;
    let forever = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let hasher = IdHasher::new(&master(&world));
    let mut all = std::collections::BTreeSet::new();
    for n in 0..5 {
        let identity = hasher.identity(ChannelKind::Web, "shop", &n.to_string());
        forever.seal(identity, b"ancient").await.unwrap();
        all.insert(identity);
    }
    let sealer = sealer(&world, 600, None).await;
    let (mut found, mut behind, mut parts) = (std::collections::BTreeSet::new(), Some(0), 0);
    while let Some(revision) = behind {
        let (some, next) = sealer.aged(revision, 2).await.unwrap();
        assert!(some.len() <= 2, "at most so many at once");
        // None of them goes, as of an account that keeps everything for good: those behind them come all the same.
        found.extend(some.into_iter().map(|one| one.identity));
        (behind, parts) = (next, parts + 1);
    }
    assert_eq!((found, parts), (all, 3));
}

#[tokio::test]
async fn a_file_from_before_ages_apart_from_the_words() {
    let world = world().await;
    let anna = anna(&world);
    let hasher = || IdHasher::new(&master(&world));
    let forever = Sealer::open(&world.bus, &master(&world)).await.unwrap();
    let before = Files::open(&world.bus, forever.clone(), hasher(), 1 << 20).await.unwrap();
    let (words, file) = (forever.seal(anna, b"words").await, before.keep(anna, b"a file").await.unwrap());
    let kept = KeptFor { words: None, files: Some(600), mail_raw: None };
    let sealer = Sealer::open(&world.bus, &master(&world)).await.unwrap().keeping(kept);
    let (aged, _) = sealer.aged(0, 10).await.unwrap();
    assert_eq!(
        aged.iter().map(|one| (one.class, one.is_ageless)).collect::<Vec<_>>(),
        [(KeyClass::Files, true)]
    );
    sealer.begin_to_age(anna, KeyClass::Files).await.unwrap();
    while sealer.expire(anna, KeyClass::Files, 600).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(before.fetch(anna, file).await.is_err(), "its time is over");
    assert_eq!(sealer.unseal(&words.unwrap()).await.unwrap(), b"words", "words are kept for good here");
}

#[tokio::test]
async fn past_so_many_keys_the_newest_goes_on_and_every_one_still_opens() {
    // As many as stand beside the newest one in a record.
    const OLDER_MAX: u32 = 200;
    let world = world().await;
    let anna = anna(&world);
    // A key seals for a millisecond.
    let sealer = sealer(&world, 12, None).await;
    let mut sealed = Vec::new();
    let newest = |sealed: &Vec<protocol::content::Sealed>| sealed.last().unwrap().parts().unwrap().1;
    loop {
        sealed.push(sealer.seal(anna, b"words").await.unwrap());
        if newest(&sealed) > OLDER_MAX {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        sealed.push(sealer.seal(anna, b"words").await.unwrap());
        assert_eq!(newest(&sealed), OLDER_MAX + 1, "there is room for no more");
    }
    for one in &sealed {
        assert_eq!(sealer.unseal(one).await.unwrap(), b"words");
    }
    // What is old makes room again.
    assert!(sealer.expire(anna, KeyClass::Words, 1).await.unwrap() >= OLDER_MAX);
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    sealed.push(sealer.seal(anna, b"words").await.unwrap());
    assert_eq!(newest(&sealed), OLDER_MAX + 2);
}
