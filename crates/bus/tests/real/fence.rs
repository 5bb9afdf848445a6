use std::collections::HashSet;
use std::time::{Duration, Instant};

use bus::{AppendTicket, Appender};
use bytes::Bytes;

use super::*;

const RECORDS: u64 = 6_000;
const WINDOW: usize = 64;

fn contacts() -> StreamSpec {
    StreamSpec { name: "CONTACTS".into(), subjects: vec![subjects().contacts()], max_age: None, ..inbound() }
}

/// Writes windows of records, each holding the id of the record it was decided upon, until the stream is long
/// enough; gives the ids that were acknowledged.
async fn write(bus: Bus, name: &'static str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut written = 0;
    loop {
        let Ok(last) = bus.read_last("CONTACTS").await else { continue };
        let (mut seq, mut previous) = (0, "nothing".to_owned());
        if let Some(item) = last {
            (seq, previous) = (item.seq, item.msg_id().unwrap().to_owned());
        }
        // Who never won against the others goes on until they have: a writer must always come through in the end.
        if seq >= RECORDS && !acknowledged.is_empty() {
            return acknowledged;
        }
        let mut appender = Appender::open(&bus, "CONTACTS", seq);
        let mut tickets: Vec<(String, AppendTicket)> = Vec::new();
        for _ in 0..WINDOW {
            written += 1;
            let id = format!("{name}-{written}");
            let payload = Bytes::from(std::mem::replace(&mut previous, id.clone()));
            match appender.append(&subjects().contacts(), &id, payload).await {
                Ok(ticket) => tickets.push((id, ticket)),
                Err(_) => break,
            }
        }
        for (id, ticket) in tickets {
            if ticket.await.is_ok() {
                acknowledged.push(id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_pipelining_writers_and_two_kills_leave_one_unbroken_chain() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    let mut writers = Vec::new();
    for name in ["anna", "bert", "cleo"] {
        let bus = Bus::connect(&world.server.settings().named(name)).await.unwrap();
        writers.push(tokio::spawn(write(bus, name)));
    }
    for (kill, at) in [(1, RECORDS / 3), (2, RECORDS * 2 / 3)] {
        let deadline = Instant::now() + Duration::from_secs(60);
        while world.bus.stream_usage("CONTACTS").await.map_or(0, |usage| usage.last_seq) < at {
            assert!(Instant::now() < deadline, "the writers stand still");
        }
        world.server.kill_hard();
        until_restarted(&world, kill + 1).await;
    }
    let mut acknowledged = HashSet::new();
    for writer in writers {
        let ids = within(Duration::from_secs(60), "a writer", writer).await.unwrap();
        assert!(!ids.is_empty(), "every writer had its turns");
        acknowledged.extend(ids);
    }

    let items = world.bus.read_range("CONTACTS", 1, u64::MAX, usize::MAX).await.unwrap();
    let mut previous = "nothing".to_owned();
    for (seq, item) in (1..).zip(&items) {
        assert_eq!(item.seq, seq);
        assert_eq!(item.payload.as_ref(), previous.as_bytes(), "record {seq} was decided upon another one");
        item.msg_id().unwrap().clone_into(&mut previous);
        acknowledged.remove(&previous);
    }
    assert!(items.len() as u64 >= RECORDS);
    assert!(acknowledged.is_empty(), "acknowledged and lost: {acknowledged:?}");
}
