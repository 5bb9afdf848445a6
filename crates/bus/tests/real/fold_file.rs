use std::path::Path;

use bus::{FoldFile, Tail, TailOptions};
use bytes::Bytes;

use super::*;
use crate::tail::fill;

fn file(data: &Path) -> FoldFile {
    FoldFile::new(data, "sum", "INBOUND")
}

/// Where the fold begins, and the fold at the end of the log: the sum of all that was said.
async fn sum(bus: &Bus, kept: &mut FoldFile, last: u64) -> (u64, u64) {
    let (state, mut tail): (Option<u64>, Tail) = kept.resume(bus, &TailOptions::default()).await.unwrap();
    let (begins, mut state) = (tail.next_seq(), state.unwrap_or_default());
    while tail.next_seq() <= last {
        let item = within(Duration::from_secs(20), "the next message", tail.next()).await.unwrap();
        state += String::from_utf8(item.payload.to_vec()).unwrap().parse::<u64>().unwrap();
        kept.folded(item);
    }
    (begins, state)
}

#[tokio::test]
async fn a_fold_is_gone_on_with_where_it_was_kept() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    fill(&world.bus, 1_000).await;

    let mut first = file(data.path());
    assert_eq!(sum(&world.bus, &mut first, 1_000).await, (1, 500_500));
    assert!(first.is_worth_keeping() && !first.is_due(), "it is short, and worth it only because all ends");
    first.write(500_500_u64).await;
    first.settle().await;
    assert!(!first.is_worth_keeping(), "nothing is new");

    // Nothing came since, and then something did.
    assert_eq!(sum(&world.bus, &mut file(data.path()), 1_000).await, (1_001, 500_500));
    fill(&world.bus, 1_003).await;
    let last = world.bus.stream_usage("INBOUND").await.unwrap().last_seq;
    let more: u64 = (1_001..=1_003).sum();
    assert_eq!((last, sum(&world.bus, &mut file(data.path()), last).await), (1_003, (1_001, 500_500 + more)));
}

#[tokio::test]
async fn a_fold_of_another_log_is_not_used() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    fill(&world.bus, 20).await;
    let mut first = file(data.path());
    sum(&world.bus, &mut first, 20).await;
    first.write(210_u64).await;
    first.settle().await;

    // A log like it that is shorter, just as long, and longer: none is the one that was folded.
    let (other, count) = (super::world().await, [19, 20, 25]);
    other.bus.ensure_stream(&inbound()).await.unwrap();
    let mut told = 0;
    for last in count {
        for n in told + 1..=last {
            let payload = Bytes::from(n.to_string());
            let sent = other.bus.publish_pipelined(&message_subject(), &format!("other-{n}"), payload).await;
            sent.unwrap().acknowledged().await.unwrap();
        }
        told = last;
        let sum = sum(&other.bus, &mut file(data.path()), last).await;
        assert_eq!(sum, (1, (1..=last).sum::<u64>()), "of {last}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_costs_nothing_but_the_next_reading() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("folds"), b"no folder").unwrap();
    fill(&world.bus, 5).await;
    let mut kept = file(data.path());
    assert_eq!(sum(&world.bus, &mut kept, 5).await, (1, 15));
    kept.write(15_u64).await;
    kept.settle().await;
    assert_eq!(sum(&world.bus, &mut file(data.path()), 5).await, (1, 15));
}
