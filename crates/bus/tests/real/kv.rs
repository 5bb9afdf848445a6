use std::time::Duration;

use bus::{BucketSpec, KvError, WatchEvent};
use bytes::Bytes;

use super::*;

fn spec(name: &str) -> BucketSpec {
    BucketSpec {
        name: token(name),
        history: 1,
        max_age: None,
        max_bytes: 1 << 20,
        max_value_bytes: 64 * 1024,
    }
}

#[tokio::test]
async fn compare_and_set_lets_one_writer_win() {
    let world = world().await;
    let bucket = world.bus.ensure_bucket(&spec("SETTINGS")).await.unwrap();
    assert_eq!(bucket.get("a").await, Ok(None));
    let first = bucket.create("a", Bytes::from("1")).await.unwrap();
    assert_eq!(bucket.create("a", Bytes::from("2")).await, Err(KvError::Exists));
    let second = bucket.update("a", Bytes::from("2"), first).await.unwrap();
    assert_eq!(bucket.update("a", Bytes::from("3"), first).await, Err(KvError::WrongRevision));
    let entry = bucket.get("a").await.unwrap().unwrap();
    assert_eq!((entry.value.as_ref(), entry.revision), (b"2".as_slice(), second));
    bucket.delete("a").await.unwrap();
    assert_eq!(bucket.get("a").await, Ok(None));
    bucket.create("a", Bytes::from("4")).await.unwrap();
    bucket.put("b.c", Bytes::from("5")).await.unwrap();
    assert_eq!(bucket.keys().await.unwrap(), ["a", "b.c"]);
    for bad in ["", ".a", "a.", "a..b", "*", "a b", ">", &"x".repeat(201)] {
        assert_eq!(bucket.put(bad, Bytes::new()).await, Err(KvError::InvalidKey), "{bad:?}");
    }
    let large = bucket.put("a", Bytes::from(vec![0; 65 * 1024])).await;
    assert_eq!(large, Err(KvError::TooLarge));
}

#[tokio::test]
async fn sixteen_creators_make_one_value() {
    let world = world().await;
    let bucket = world.bus.ensure_bucket(&spec("ONCE")).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let bucket = bucket.clone();
            tokio::spawn(async move { bucket.create("key", Bytes::from(n.to_string())).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error, KvError::Exists),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_tells_values_then_changes_also_after_a_kill() {
    let world = world().await;
    let bucket = world.bus.ensure_bucket(&spec("WATCHED")).await.unwrap();
    bucket.put("a", Bytes::from("1")).await.unwrap();
    bucket.put("a", Bytes::from("2")).await.unwrap();
    bucket.put("b", Bytes::from("3")).await.unwrap();
    let mut watcher = bucket.watch_all().await.unwrap();
    let mut next = async || within(SOON, "the next event", watcher.next()).await.unwrap();
    let put = |event: WatchEvent| match event {
        WatchEvent::Put(entry) => (entry.key, String::from_utf8(entry.value.to_vec()).unwrap()),
        other @ (WatchEvent::Deleted { .. } | WatchEvent::CaughtUp) => panic!("{other:?}"),
    };
    assert_eq!(put(next().await), ("a".into(), "2".into()));
    assert_eq!(put(next().await), ("b".into(), "3".into()));
    assert_eq!(next().await, WatchEvent::CaughtUp);
    for round in 1..=2_u64 {
        world.server.kill_hard();
        bucket.put("a", Bytes::from(format!("after {round}"))).await.unwrap();
        assert_eq!(put(next().await), ("a".into(), format!("after {round}")));
    }
    bucket.delete("b").await.unwrap();
    assert!(matches!(next().await, WatchEvent::Deleted { key, .. } if key == "b"));
}

#[tokio::test]
async fn an_empty_bucket_is_caught_up_at_once() {
    let world = world().await;
    let bucket = world.bus.ensure_bucket(&spec("EMPTY")).await.unwrap();
    let mut watcher = bucket.watch_all().await.unwrap();
    assert_eq!(within(SOON, "the event", watcher.next()).await.unwrap(), WatchEvent::CaughtUp);
    assert!(bucket.keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn watchers_hear_of_values_that_grew_too_old() {
    let world = world().await;
    let aged = BucketSpec { max_age: Some(Duration::from_secs(1)), ..spec("AGED") };
    let bucket = world.bus.ensure_bucket(&aged).await.unwrap();
    let mut watcher = bucket.watch_all().await.unwrap();
    bucket.put("gateway", Bytes::from("here")).await.unwrap();
    let mut ended = false;
    while !ended {
        let event = within(SOON, "the end of the value", watcher.next()).await.unwrap();
        ended = matches!(event, WatchEvent::Deleted { key, .. } if key == "gateway");
    }
    assert_eq!(bucket.get("gateway").await, Ok(None));
}

#[tokio::test]
async fn an_erased_value_is_on_no_disk() {
    let world = world().await;
    let store = world.server.store_dir();
    for (name, history, values) in [("SECRETS", 8, 3), ("SINGLE", 1, 1)] {
        let bucket = world.bus.ensure_bucket(&BucketSpec { history, ..spec(name) }).await.unwrap();
        let secret = |n: u32| format!("readable-{name}-{n}");
        for n in 0..values {
            bucket.put("k", Bytes::from(secret(n))).await.unwrap();
        }
        bucket.put("other", Bytes::from(format!("stays-{name}"))).await.unwrap();
        assert!(on_disk(&store, secret(0).as_bytes()));
        bucket.erase("k").await.unwrap();
        bucket.erase("k").await.unwrap();
        assert_eq!(bucket.get("k").await, Ok(None));
        for n in 0..values {
            assert!(!on_disk(&store, secret(n).as_bytes()), "{n} of {name}");
        }
        assert!(on_disk(&store, format!("stays-{name}").as_bytes()));
    }
}

#[tokio::test]
async fn a_bucket_is_kept_when_its_description_changes() {
    let world = world().await;
    let bucket = world.bus.ensure_bucket(&spec("GROWS")).await.unwrap();
    bucket.put("a", Bytes::from("1")).await.unwrap();
    let same = world.bus.ensure_bucket(&spec("GROWS")).await.unwrap();
    assert!(same.get("a").await.unwrap().is_some());
    let other = BucketSpec { max_bytes: 2 << 20, history: 4, ..spec("GROWS") };
    let grown = world.bus.ensure_bucket(&other).await.unwrap();
    assert!(grown.get("a").await.unwrap().is_some());
    assert_eq!(world.bus.stream_usage("KV_GROWS").await.unwrap().max_bytes, Some(2 << 20));
}

#[tokio::test]
async fn a_full_bucket_refuses() {
    let world = world().await;
    let bucket =
        world.bus.ensure_bucket(&BucketSpec { max_bytes: 16 * 1024, ..spec("SMALL") }).await.unwrap();
    let mut result = Ok(0);
    for n in 0..32 {
        result = bucket.put(&format!("k{n}"), Bytes::from(vec![1; 1024])).await;
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(KvError::Full));
    assert!(bucket.get("k0").await.unwrap().is_some(), "nothing was forgotten");
}
