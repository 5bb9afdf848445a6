use std::time::{Duration, Instant};

use bus::{Deadline, Tail, TailError, TailOptions};
use bytes::Bytes;

use super::*;

async fn publish(bus: &Bus, n: u64) -> u64 {
    let deadline = Deadline::after(Duration::from_secs(30));
    let payload = Bytes::from(n.to_string());
    bus.publish_durable(&message_subject(), &format!("m-{n}"), payload, deadline).await.unwrap().seq
}

pub(crate) async fn fill(bus: &Bus, count: u64) {
    let mut pending = Vec::new();
    for n in 1..=count {
        let payload = Bytes::from(n.to_string());
        pending.push(bus.publish_pipelined(&message_subject(), &format!("m-{n}"), payload).await.unwrap());
    }
    for one in pending {
        one.acknowledged().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_kills_of_the_server_lose_double_and_reorder_nothing() {
    const MESSAGES: u64 = 3_000;
    const KILL_AFTER: [u64; 3] = [500, 1_200, 2_100];
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions::default()).await.unwrap();
    let publisher = tokio::spawn({
        let bus = world.bus.clone();
        async move {
            for n in 1..=MESSAGES {
                assert_eq!(publish(&bus, n).await, n, "a retry was stored twice");
            }
        }
    });
    let mut longest_silence = Duration::ZERO;
    let mut last = Instant::now();
    for expected in 1..=MESSAGES {
        let item = within(Duration::from_secs(20), "the next message", tail.next()).await.unwrap();
        longest_silence = longest_silence.max(last.elapsed());
        last = Instant::now();
        assert_eq!(item.seq, expected);
        assert_eq!(item.payload, expected.to_string());
        assert_eq!(item.msg_id(), Some(format!("m-{expected}").as_str()));
        if KILL_AFTER.contains(&expected) {
            world.server.kill_hard();
        }
    }
    publisher.await.unwrap();
    assert!(tail.reopened() >= 3, "the server was killed three times");
    assert!(longest_silence < Duration::from_secs(3), "{longest_silence:?}");
}

#[tokio::test]
async fn an_idle_tail_notices_a_kill_and_hears_what_comes_after() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions::default()).await.unwrap();
    assert!(tail.caught_up());
    for round in 1..=2 {
        world.server.kill_hard();
        until_restarted(&world, round + 1).await;
        let published = publish(&world.bus, round).await;
        let begin = Instant::now();
        let item = within(SOON, "the message", tail.next()).await.unwrap();
        assert_eq!(item.seq, published);
        assert!(begin.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn deleted_messages_are_passed_over_without_starting_over() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    fill(&world.bus, 20).await;
    for seq in [1, 2, 7, 8, 9, 20] {
        assert!(world.bus.delete_securely("INBOUND", seq).await.unwrap());
    }
    assert!(!world.bus.delete_securely("INBOUND", 7).await.unwrap(), "it was gone already");
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions::default()).await.unwrap();
    assert_eq!((tail.first_seq_at_open(), tail.last_seq_at_open()), (3, 20));
    let mut seen = Vec::new();
    while !tail.caught_up() {
        seen.push(within(SOON, "the next message", tail.next()).await.unwrap().seq);
    }
    assert_eq!(seen, [3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    publish(&world.bus, 99).await;
    assert_eq!(within(SOON, "the live message", tail.next()).await.unwrap().seq, 21);
    assert_eq!(tail.reopened(), 0);
}

#[tokio::test]
async fn cancelling_next_loses_nothing() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions { batch: 8, ..TailOptions::default() })
        .await
        .unwrap();
    let filler = tokio::spawn({
        let bus = world.bus.clone();
        async move { fill(&bus, 500).await }
    });
    let mut expected = 1;
    let mut cancelled = 0;
    let deadline = Instant::now() + SOON;
    while expected <= 500 {
        assert!(Instant::now() < deadline, "stuck at {expected}");
        tokio::select! {
            biased;
            item = tail.next() => {
                assert_eq!(item.unwrap().seq, expected);
                expected += 1;
                if expected == 250 {
                    world.server.kill_hard();
                }
            }
            () = tokio::task::yield_now() => cancelled += 1,
        }
    }
    assert!(cancelled > 0);
    // The kill may have cost the filler acknowledgements; the messages are what counts here.
    filler.abort();
}

#[tokio::test]
async fn a_reader_ahead_of_the_stream_is_told() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    fill(&world.bus, 3).await;
    let open = |from| Tail::open(&world.bus, "INBOUND", from, TailOptions::default());
    assert!(open(4).await.is_ok(), "one past the end is where a live reader stands");
    assert!(matches!(open(5).await, Err(TailError::WentBack { last_seq: 3, expected: 4, .. })));
    assert!(matches!(
        Tail::open(&world.bus, "NOWHERE", 1, TailOptions::default()).await,
        Err(TailError::NotFound(_))
    ));
}

#[tokio::test]
async fn a_filtered_tail_reads_its_subjects_only() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    fill(&world.bus, 5).await;
    let deadline = Deadline::after(SOON);
    world
        .bus
        .publish_durable(&subjects().inbound_presence(), "p", Bytes::from("here"), deadline)
        .await
        .unwrap();
    publish(&world.bus, 7).await;
    let options = TailOptions { filter: vec![subjects().inbound_presence()], ..TailOptions::default() };
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, options).await.unwrap();
    let item = within(SOON, "the message", tail.next()).await.unwrap();
    assert_eq!((item.seq, item.payload.as_ref()), (6, b"here".as_slice()));
    assert!(tail.caught_up());
}

#[tokio::test]
async fn single_messages_and_ranges_can_be_read() {
    let world = world().await;
    let bus = &world.bus;
    bus.ensure_stream(&inbound()).await.unwrap();
    assert!(bus.read_last("INBOUND").await.unwrap().is_none());
    fill(bus, 30).await;
    assert_eq!(bus.read_last("INBOUND").await.unwrap().unwrap().seq, 30);
    let one = bus.read_one("INBOUND", 7).await.unwrap().unwrap();
    assert_eq!((one.payload.as_ref(), one.msg_id()), (b"7".as_slice(), Some("m-7")));
    assert!(one.published_at_ms > 1_600_000_000_000);
    assert!(bus.read_one("INBOUND", 31).await.unwrap().is_none());
    let seqs = |items: Vec<bus::TailItem>| items.into_iter().map(|item| item.seq).collect::<Vec<_>>();
    assert_eq!(seqs(bus.read_range("INBOUND", 5, 8, 100).await.unwrap()), [5, 6, 7, 8]);
    assert_eq!(seqs(bus.read_range("INBOUND", 28, u64::MAX, 100).await.unwrap()), [28, 29, 30]);
    assert_eq!(seqs(bus.read_range("INBOUND", 1, 30, 2).await.unwrap()), [1, 2]);
    assert!(bus.read_range("INBOUND", 40, 50, 2).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_reads_fast_and_delivers_soon() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    fill(&world.bus, 4_000).await;
    let begin = Instant::now();
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions::default()).await.unwrap();
    while !tail.caught_up() {
        tail.next().await.unwrap();
    }
    let per_s = 4_000.0 / begin.elapsed().as_secs_f64();
    let mut delays = Vec::new();
    for n in 5_000..5_200 {
        let begin = Instant::now();
        publish(&world.bus, n).await;
        let acknowledged = begin.elapsed();
        tail.next().await.unwrap();
        delays.push((begin.elapsed(), acknowledged));
    }
    delays.sort();
    // Loose, for a slow machine with a debug build; the numbers proper are the bench's.
    assert!(per_s > 2_000.0, "{per_s}");
    assert!(delays[100].0 < Duration::from_millis(20), "{:?}", delays[100]);
}

#[tokio::test]
async fn what_was_carried_over_from_another_stream_is_skipped() {
    let world = world().await;
    world.bus.ensure_stream(&inbound()).await.unwrap();
    let client = service::raw(&world).await;
    let jetstream = async_nats::jetstream::new(client.clone());
    let other = async_nats::jetstream::stream::Config {
        name: "OTHER".to_owned(),
        subjects: vec!["wb.c1.other".to_owned()],
        allow_direct: true,
        ..Default::default()
    };
    let other = jetstream.create_stream(other).await.unwrap();
    jetstream.publish("wb.c1.other", "forged".into()).await.unwrap().await.unwrap();
    let reader = async_nats::jetstream::consumer::pull::Config {
        name: Some("reader".to_owned()),
        ack_policy: async_nats::jetstream::consumer::AckPolicy::None,
        ..Default::default()
    };
    other.create_consumer(reader).await.unwrap();
    // The server publishes in the place of whoever asks so: a reader is handed the message as it was, who asks for one a copy.
    let ways = [
        ("$JS.API.CONSUMER.MSG.NEXT.OTHER.reader", r#"{"batch":1,"expires":5000000000}"#),
        ("$JS.API.DIRECT.GET.OTHER", r#"{"seq":1}"#),
    ];
    for (n, (ask, what)) in (1..).zip(ways) {
        client.publish_with_reply(ask, message_subject().to_string(), what.into()).await.unwrap();
        let stored = async {
            while world.bus.stream_usage("INBOUND").await.unwrap().last_seq < n {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(SOON, "the forged one", stored).await;
    }
    publish(&world.bus, 3).await;
    let mut tail = Tail::open(&world.bus, "INBOUND", 1, TailOptions::default()).await.unwrap();
    let item = within(SOON, "the message", tail.next()).await.unwrap();
    assert_eq!((item.seq, item.payload.as_ref()), (3, b"3".as_slice()));
    assert!(tail.caught_up());
}
