use bus::{Files, IdHasher, MasterKey, Sealer, Uploads};
use protocol::{Hash128, IdentityId};

use super::*;

#[tokio::test]
async fn what_no_message_names_is_gone_after_two_days_and_what_one_names_is_not() {
    let world = world().await;
    let master = MasterKey::load_or_create(&world._dir.path().join("master.key")).unwrap();
    let sealer = Sealer::open(&world.bus, &master).await.unwrap();
    let files = Files::open(&world.bus, sealer, IdHasher::new(&master), 1 << 20).await.unwrap();
    let uploads = Uploads::open(&world.bus, &files, 1 << 20).await.unwrap();
    let jetstream = async_nats::jetstream::new(service::raw(&world).await);
    let age = async |stream: &str| jetstream.get_stream(stream).await.unwrap().cached_info().config.max_age;
    assert_eq!(age("OBJ_UPLOADS").await, Duration::from_secs(2 * 86_400));
    assert_eq!(age("OBJ_FILES").await, Duration::ZERO);
    let anna = IdentityId(Hash128([1; 16]));
    let object = uploads.keep(anna, b"words").await.unwrap();
    assert_eq!(files.fetch(anna, object).await.unwrap(), None);
    assert_eq!(uploads.fetch(anna, object).await.unwrap().as_deref(), Some(b"words".as_slice()));
    // Several messages may name it at once.
    let moves = futures_util::future::join_all((0..8).map(|_| uploads.settle(object))).await;
    assert!(moves.into_iter().all(|moved| moved.unwrap()));
    assert_eq!(files.fetch(anna, object).await.unwrap().as_deref(), Some(b"words".as_slice()));
    assert!(uploads.has(object).await.unwrap());
    let none = Hash128([9; 16]);
    assert!(!uploads.settle(none).await.unwrap() && !uploads.has(none).await.unwrap());
}
