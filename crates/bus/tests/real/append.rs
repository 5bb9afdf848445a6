use std::time::Duration;

use bus::{APPEND_WINDOW, AppendError, Appender, Deadline, PublishError, Published};
use bytes::Bytes;

use super::*;

pub(crate) fn contacts() -> StreamSpec {
    StreamSpec { name: "CONTACTS".into(), subjects: vec![subjects().contacts()], max_age: None, ..inbound() }
}

async fn append(appender: &mut Appender, id: &str) -> Result<u64, AppendError> {
    appender.append(&subjects().contacts(), id, Bytes::from(id.to_owned())).await?.await
}

#[tokio::test]
async fn appends_are_pipelined_in_order_and_resumed() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    let mut appender = Appender::open(&world.bus, "CONTACTS", 0);
    let mut tickets = Vec::new();
    for n in 1..=(APPEND_WINDOW as u64 * 3) {
        assert_eq!(appender.next_seq(), n);
        let payload = Bytes::from(n.to_string());
        tickets.push(appender.append(&subjects().contacts(), &format!("r-{n}"), payload).await.unwrap());
    }
    let mut expected = 1;
    for ticket in tickets {
        assert_eq!(ticket.await, Ok(expected));
        expected += 1;
    }
    let mut next = Appender::open(&world.bus, "CONTACTS", expected - 1);
    assert_eq!(append(&mut next, "next").await, Ok(expected));
}

#[tokio::test]
async fn a_second_writer_fences_the_first_and_kills_its_window() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    let old_bus = Bus::connect(&world.server.settings().named("old")).await.unwrap();
    let mut old = Appender::open(&old_bus, "CONTACTS", 0);
    append(&mut old, "old-1").await.unwrap();

    let mut new = Appender::open(&world.bus, "CONTACTS", 1);
    assert_eq!(append(&mut new, "fenced").await, Ok(2));

    let mut tickets = Vec::new();
    for n in 0..64 {
        match old.append(&subjects().contacts(), &format!("old-{n}-late"), Bytes::from("late")).await {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => assert_eq!(error, AppendError::Fenced),
        }
    }
    for ticket in tickets {
        assert_eq!(ticket.await, Err(AppendError::Fenced));
    }
    assert_eq!(old.poisoned(), Some(&AppendError::Fenced));
    assert_eq!(append(&mut old, "again").await, Err(AppendError::Fenced));

    assert_eq!(append(&mut new, "new").await, Ok(3));
    let ids: Vec<_> = world.bus.read_range("CONTACTS", 1, 10, 10).await.unwrap();
    let ids: Vec<_> = ids.iter().filter_map(|item| item.msg_id()).collect();
    assert_eq!(ids, ["old-1", "fenced", "new"]);
}

#[tokio::test]
async fn a_dropped_ticket_still_poisons() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    let mut appender = Appender::open(&world.bus, "CONTACTS", 7);
    drop(appender.append(&subjects().contacts(), "x", Bytes::from("x")).await.unwrap());
    within(SOON, "the poison", async {
        while appender.poisoned().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(append(&mut appender, "y").await, Err(AppendError::Fenced));
    assert_eq!(world.bus.stream_usage("CONTACTS").await.unwrap().messages, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_mid_window_leaves_a_chain_that_can_be_resynchronised() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    let mut appender = Appender::open(&world.bus, "CONTACTS", 0);
    let mut acknowledged = 0;
    let mut tickets = Vec::new();
    for n in 1..=100 {
        tickets.push(
            appender.append(&subjects().contacts(), &format!("r-{n}"), Bytes::from("x")).await.unwrap(),
        );
        if n == 50 {
            world.server.kill_hard();
        }
    }
    let mut failure = None;
    for ticket in tickets {
        match ticket.await {
            Ok(seq) if failure.is_none() => acknowledged = seq,
            Ok(seq) => panic!("{seq} was acknowledged behind a failure"),
            Err(error) => failure = Some(error),
        }
    }
    until_restarted(&world, 2).await;
    // What arrived is the beginning of what was sent, without a hole, and contains all that was acknowledged.
    let items = world.bus.read_range("CONTACTS", 1, 1000, 1000).await.unwrap();
    assert!(items.len() as u64 >= acknowledged);
    for (n, item) in (1..).zip(&items) {
        assert_eq!((item.seq, item.msg_id()), (n, Some(format!("r-{n}").as_str())));
    }
    // Late copies of the old window may still sit in the client's buffer; the loop is the owner's resynchronisation.
    let fence = within(SOON, "the resynchronisation", async {
        loop {
            let last = world.bus.read_last("CONTACTS").await.unwrap().map_or(0, |item| item.seq);
            let mut next = Appender::open(&world.bus, "CONTACTS", last);
            if let Ok(seq) = append(&mut next, &format!("fence-{last}")).await {
                return seq;
            }
        }
    })
    .await;
    assert!(fence > acknowledged);
}

#[tokio::test]
async fn the_same_id_is_stored_once() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let bus = world.bus.clone();
        tasks.push(tokio::spawn(async move {
            let deadline = Deadline::after(SOON);
            bus.publish_durable(&message_subject(), "same", Bytes::from("x"), deadline).await.unwrap()
        }));
    }
    let mut fresh = 0;
    for task in tasks {
        let Published { seq, duplicate, .. } = task.await.unwrap();
        assert_eq!(seq, 1);
        fresh += u32::from(!duplicate);
    }
    assert_eq!(fresh, 1);
    assert_eq!(world.bus.stream_usage("INBOUND").await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_full_stream_and_a_large_message_are_refused_and_nothing_is_forgotten() {
    let world = world().await;
    let small = StreamSpec { max_bytes: 64 * 1024, max_message_bytes: 8 * 1024, ..inbound() };
    world.bus.ensure_stream(&small).await.unwrap();
    let publish = |n: usize, bytes: usize| {
        let bus = world.bus.clone();
        async move {
            let deadline = Deadline::after(SOON);
            bus.publish_durable(&message_subject(), &format!("m-{n}"), Bytes::from(vec![7; bytes]), deadline)
                .await
        }
    };
    assert_eq!(publish(0, 8 * 1024 + 1).await, Err(PublishError::TooLarge));
    assert_eq!(publish(0, 9 << 20).await, Err(PublishError::TooLarge));
    let mut stored = 0;
    while publish(stored, 4 * 1024).await.is_ok() {
        stored += 1;
        assert!(stored < 100, "never full");
    }
    assert_eq!(publish(stored, 4 * 1024).await, Err(PublishError::Full));
    let usage = world.bus.stream_usage("INBOUND").await.unwrap();
    assert_eq!((usage.first_seq, usage.messages), (1, stored as u64));
    assert_eq!(usage.max_bytes, Some(64 * 1024));
    let mut appender = Appender::open(&world.bus, "INBOUND", usage.last_seq);
    let full = appender.append(&message_subject(), "a", Bytes::from(vec![7; 4096])).await.unwrap().await;
    assert_eq!(full, Err(AppendError::Full));
}

#[tokio::test]
async fn a_stream_grows_and_never_shrinks() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let smaller = StreamSpec { max_bytes: 1024, ..inbound() };
    assert_eq!(world.bus.ensure_stream(&smaller).await.unwrap().max_bytes, Some(64 << 20));
    let larger = StreamSpec {
        max_bytes: 128 << 20,
        subjects: vec![subjects().inbound_all(), subjects().parked()],
        ..inbound()
    };
    assert_eq!(world.bus.ensure_stream(&larger).await.unwrap().max_bytes, Some(128 << 20));
    let deadline = Deadline::after(Duration::from_secs(5));
    world.bus.publish_durable(&subjects().parked(), "p", Bytes::from("x"), deadline).await.unwrap();
}

#[tokio::test]
async fn a_pattern_is_not_a_place_to_publish_to() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let deadline = Deadline::after(Duration::from_secs(5));
    let refused = world.bus.publish_durable(&subjects().inbound_all(), "x", Bytes::from("x"), deadline).await;
    assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    let mut appender = Appender::open(&world.bus, "INBOUND", 0);
    let refused = appender.append(&subjects().inbound_all(), "x", Bytes::from("x")).await.map(|_| ());
    assert!(matches!(refused, Err(AppendError::Unknown(_))), "{refused:?}");
    assert_eq!(world.bus.stream_usage("INBOUND").await.unwrap().messages, 0);
}

#[tokio::test]
async fn a_place_in_a_trace_goes_beside_the_message_and_nothing_does_without_one() {
    let world = world().await;
    world.bus.ensure_stream(&contacts()).await.unwrap();
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let trace = traces::TraceContext::read(
        Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        Some("shop=a1"),
    );
    let deadline = Deadline::after(SOON);
    let (bus, subject) = (&world.bus, message_subject());
    bus.publish_traced(&subject, "m-1", Bytes::from("x"), trace.as_ref(), deadline).await.unwrap();
    bus.publish_durable(&subject, "m-2", Bytes::from("x"), deadline).await.unwrap();
    // The id alone says what is the same.
    let again = bus.publish_durable(&subject, "m-1", Bytes::from("x"), deadline).await.unwrap();
    assert!(again.duplicate);
    let mut appender = Appender::open(bus, "CONTACTS", 0);
    let subject = subjects().contacts();
    let traced = appender.append_traced(&subject, "r-1", Bytes::from("x"), trace.as_ref());
    traced.await.unwrap().await.unwrap();
    assert_eq!(append(&mut appender, "r-2").await, Ok(2));
    for stream in ["INBOUND", "CONTACTS"] {
        let items = bus.read_range(stream, 1, 2, 2).await.unwrap();
        let [with, without] = &items[..] else { panic!("{items:?}") };
        assert_eq!((with.trace(), with.has_trace_headers()), (trace.clone(), true), "{stream}");
        assert_eq!((without.trace(), without.has_trace_headers()), (None, false), "{stream}");
        assert_eq!(bus.read_one(stream, 1).await.unwrap().unwrap().trace(), trace, "{stream}");
    }
}
