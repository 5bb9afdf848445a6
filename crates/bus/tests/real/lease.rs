use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus::{Bucket, BucketSpec, HeldLease, LEASE_TTL, Lease, LeaseError};
use tokio_util::sync::CancellationToken;

use super::*;

async fn leases(world: &World) -> Bucket {
    let spec = BucketSpec {
        name: token("LEASES"),
        history: 1,
        max_age: None,
        max_bytes: 1 << 20,
        max_value_bytes: 1024,
    };
    world.bus.ensure_bucket(&spec).await.unwrap()
}

async fn acquire(bucket: &Bucket, holder: &str) -> HeldLease {
    let never = CancellationToken::new();
    let acquired = Lease::acquire(bucket, "routing", holder, LEASE_TTL, &never);
    within(SOON, "the lease", acquired).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_holder_is_followed_within_three_seconds() {
    let world = world().await;
    let bucket = leases(&world).await;
    let first = acquire(&bucket, "one").await;
    assert_eq!(first.epoch(), 1);
    let contender = tokio::spawn({
        let bucket = bucket.clone();
        async move { acquire(&bucket, "two").await }
    });
    // It is renewed for longer than its time to live, and nobody takes it.
    tokio::select! {
        () = first.lost() => panic!("lost while it was renewed"),
        () = tokio::time::sleep(LEASE_TTL * 2) => {}
    }
    assert!(!contender.is_finished());
    let died = Instant::now();
    drop(first);
    let second = contender.await.unwrap();
    assert!(died.elapsed() < Duration::from_millis(2_500), "{:?}", died.elapsed());
    assert_eq!(second.epoch(), 2);
}

#[tokio::test]
async fn a_released_lease_is_taken_at_once() {
    let world = world().await;
    let bucket = leases(&world).await;
    let first = acquire(&bucket, "one").await;
    let contender = tokio::spawn({
        let bucket = bucket.clone();
        async move { acquire(&bucket, "two").await }
    });
    let released = Instant::now();
    first.release().await;
    let second = contender.await.unwrap();
    assert!(released.elapsed() < LEASE_TTL / 2, "{:?}", released.elapsed());
    assert_eq!(second.epoch(), 2);
}

#[tokio::test]
async fn who_was_replaced_hears_of_it() {
    let world = world().await;
    let bucket = leases(&world).await;
    let first = acquire(&bucket, "one").await;
    // Another takes it by force, as a contender does with a holder that slept.
    let value = br#"{"holder":"two","epoch":2,"beat":0,"released":false}"#;
    bucket.put("routing", bytes::Bytes::from_static(value)).await.unwrap();
    within(SOON, "the loss", first.lost()).await;
    assert!(first.is_lost());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_contenders_and_kills_of_the_server_never_make_two_holders() {
    let world = world().await;
    let bucket = leases(&world).await;
    let holders = Arc::new(AtomicU32::new(0));
    let mut tasks = Vec::new();
    for n in 0..6 {
        let (bucket, holders) = (bucket.clone(), Arc::clone(&holders));
        tasks.push(tokio::spawn(async move {
            let lease = acquire_in_time(&bucket, &format!("holder-{n}")).await;
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two holders");
            tokio::select! {
                () = lease.lost() => {}
                () = tokio::time::sleep(Duration::from_millis(300)) => {}
            }
            holders.fetch_sub(1, Ordering::SeqCst);
            lease.release().await;
        }));
    }
    world.server.kill_hard();
    for task in tasks {
        within(Duration::from_secs(40), "all turns", task).await.unwrap();
    }
}

async fn acquire_in_time(bucket: &Bucket, holder: &str) -> HeldLease {
    let never = CancellationToken::new();
    let acquired = Lease::acquire(bucket, "routing", holder, LEASE_TTL, &never);
    within(Duration::from_secs(40), "the lease", acquired).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_absence_of_the_server_does_not_cost_the_lease() {
    let world = world().await;
    let bucket = leases(&world).await;
    let lease = acquire(&bucket, "one").await;
    world.server.kill_hard();
    until_restarted(&world, 2).await;
    tokio::select! {
        () = lease.lost() => panic!("lost by a restart"),
        () = tokio::time::sleep(LEASE_TTL * 2) => {}
    }
}

#[tokio::test]
async fn waiting_can_be_cancelled() {
    let world = world().await;
    let bucket = leases(&world).await;
    let _held = acquire(&bucket, "one").await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let second = Lease::acquire(&bucket, "routing", "two", LEASE_TTL, &cancel).await;
    assert!(matches!(second, Err(LeaseError::Cancelled)));
}
