//! The audit trail: one chain of many writers, through the death of the server, that nobody shortens.

use bus::{Audit, AuditCheck, AuditError, AuditFault, places};
use protocol::audit::{About, Action, Actor, Hash256};
use protocol::{Millis, streams};

use super::*;

const ROOM: u64 = 16 << 20;

async fn audit(bus: &Bus) -> Audit {
    Audit::open(bus, &subjects(), ROOM).await.unwrap()
}

async fn check(bus: &Bus, expected: Option<(u64, Hash256)>) -> Result<(u64, Hash256), AuditFault> {
    let mut check = AuditCheck::new(expected);
    for item in bus.read_range(streams::AUDIT, 1, u64::MAX, usize::MAX).await.unwrap() {
        check.take(item.seq, &item.payload)?;
    }
    check.end()
}

#[tokio::test]
async fn many_writers_make_one_chain_also_while_the_server_dies() {
    let world = world().await;
    let mut writers = Vec::new();
    for writer in 0..4_u64 {
        let bus = Bus::connect(&world.server.settings().named("writer")).await.unwrap();
        let audit = audit(&bus).await;
        writers.push(tokio::spawn(async move {
            for n in 0..25_u64 {
                let about = About::id(format!("{writer}-{n}"));
                // What was not told as written may stand there or not; nothing is told twice.
                while let Err(error) =
                    audit.append(Millis(n), Actor::System, Action::SignedIn, about.clone()).await
                {
                    assert!(matches!(error, AuditError::Unavailable(_)), "{error}");
                }
            }
        }));
    }
    world.server.kill_hard();
    for writer in writers {
        within(6 * SOON, "the writers", writer).await.unwrap();
    }
    let (n, head) = check(&world.bus, None).await.unwrap();
    let page = audit(&world.bus).await.page(0, 500).await.unwrap();
    assert_eq!((page.last, page.entries.len() as u64, page.next), (n, n, None));
    assert_eq!(page.entries.last().unwrap().hash, head);
    for writer in 0..4 {
        for id in (0..25).map(|n| format!("{writer}-{n}")) {
            assert!(page.entries.iter().any(|line| line.entry.about.names(&id)), "{id} is there");
        }
    }
    let (first, rest) = (world_page(&world.bus, Some(11), 10).await, world_page(&world.bus, None, 3).await);
    assert_eq!(first, (1..=10).collect::<Vec<_>>());
    assert_eq!(rest, (n - 2..=n).collect::<Vec<_>>());
}

async fn world_page(bus: &Bus, before: Option<u64>, limit: usize) -> Vec<u64> {
    let page = audit(bus).await.page_before(before, limit).await.unwrap();
    page.entries.iter().map(|line| line.entry.n).collect()
}

#[tokio::test]
async fn nothing_is_deleted_from_it_and_what_others_write_there_is_found() {
    let world = world().await;
    let audit = audit(&world.bus).await;
    for n in 0..3 {
        audit.append(Millis(n), Actor::Operator, Action::KeyMade, About::nothing()).await.unwrap();
    }
    world.bus.delete_securely(streams::AUDIT, 2).await.unwrap_err();
    let known = check(&world.bus, None).await.unwrap();
    assert_eq!(known.0, 3);
    // Who may publish to its subject can write, but not in anybody's place.
    let deadline = bus::Deadline::after(SOON);
    world.bus.publish_durable(&subjects().audit(), "x", "{}".into(), deadline).await.unwrap();
    assert_eq!(check(&world.bus, Some(known)).await, Err(AuditFault::Unreadable(4)));
    // The product goes on behind it, and what was before is still what it was.
    audit.append(Millis(9), Actor::System, Action::KeyEnded, About::nothing()).await.unwrap();
    assert_eq!(check(&world.bus, Some(known)).await, Err(AuditFault::Unreadable(4)));
}

#[tokio::test]
async fn a_full_trail_says_so_and_takes_no_more() {
    let world = world().await;
    let audit = Audit::open(&world.bus, &subjects(), 64 * 1024).await.unwrap();
    let full = loop {
        let about = About::id("x".repeat(4000));
        if let Err(error) = audit.append(Millis(1), Actor::System, Action::SignedIn, about).await {
            break error;
        }
    };
    assert_eq!(full, AuditError::Full);
    check(&world.bus, None).await.unwrap();
    // An operator makes it larger, and it goes on.
    world.bus.ensure_stream(&places::audit(&subjects(), ROOM)).await.unwrap();
    audit.append(Millis(1), Actor::System, Action::SignedIn, About::nothing()).await.unwrap();
    check(&world.bus, None).await.unwrap();
}
