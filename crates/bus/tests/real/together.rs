//! Three servers that keep a bucket or a stream together: what somebody else wrote is decided before it can be read.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use bus::{AppendError, Appender, BusSettings, Credentials, IdHasher, MasterKey, Sealer};
use bytes::Bytes;

use super::append::contacts;
use super::*;

const SERVERS: usize = 3;
/// Identities that all of them meet for the first time at once.
const IDENTITIES: usize = 30;

/// The servers; they end with this value.
struct Together(Vec<Child>);

impl Drop for Together {
    fn drop(&mut self) {
        for server in &mut self.0 {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let taken: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    taken.iter().map(|one| one.local_addr().unwrap().port()).collect()
}

/// Starts them, and gives their address.
fn start(folder: &Path) -> (Together, String) {
    let (clients, routes) = (free_ports(SERVERS), free_ports(SERVERS));
    let program = std::env::var_os("NATS_SERVER_BIN").unwrap_or_else(|| "nats-server".into());
    let list = |scheme: &str, ports: &[u16]| {
        ports.iter().map(|port| format!("{scheme}://127.0.0.1:{port}")).collect::<Vec<_>>()
    };
    let mut servers = Vec::new();
    for (number, (client, route)) in clients.iter().zip(&routes).enumerate() {
        let (file, log) = (folder.join(format!("{number}.conf")), folder.join(format!("{number}.log")));
        let text = format!(
            "server_name: s{number}\nlisten: \"127.0.0.1:{client}\"\nmax_payload: 8MB\n\
             jetstream {{ store_dir: \"{}\", max_mem: 64MB, max_file: 1TB }}\n\
             cluster {{ name: together, listen: \"127.0.0.1:{route}\", no_advertise: true, routes: {:?} }}\n",
            folder.join(format!("store-{number}")).display(),
            list("nats", &routes),
        );
        std::fs::write(&file, text).unwrap();
        servers.push(Command::new(&program).arg("-c").arg(&file).arg("-l").arg(&log).spawn().unwrap());
    }
    (Together(servers), list("nats", &clients).join(","))
}

async fn connected(url: &str, name: &str) -> Bus {
    let settings = BusSettings {
        url: url.to_owned(),
        credentials: Credentials::None,
        name: name.to_owned(),
        authority: None,
    };
    let connected = async {
        loop {
            match Bus::connect(&settings).await {
                Ok(bus) => return bus.with_replicas(3),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    within(Duration::from_secs(60), "the connection", Box::pin(connected)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_overtaken_reads_by_what_and_who_repeats_is_not_refused() {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::load_or_create(&folder.path().join("master.key")).unwrap();
    let (_servers, url) = start(folder.path());
    let first = connected(&url, "first").await;
    let opened = async {
        loop {
            match Sealer::open(&first, &master).await {
                Ok(sealer) => return sealer,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let sealer = within(Duration::from_secs(60), "the bucket", Box::pin(opened)).await;
    let mut others = Vec::new();
    for number in 0..8 {
        let bus = connected(&url, &format!("other-{number}")).await;
        others.push(Sealer::open(&bus, &master).await.unwrap());
    }
    let hasher = IdHasher::new(&master);
    for number in 0..IDENTITIES {
        let identity = hasher.identity(ChannelKind::Web, "shop", &number.to_string());
        let all = others.iter().map(|sealer| async move { sealer.seal(identity, b"hello").await });
        for sealed in futures_util::future::join_all(all).await {
            assert_eq!(sealer.unseal(&sealed.unwrap()).await.unwrap(), b"hello");
        }
    }
    assert_eq!(first.stream_usage("KV_KEYS").await.unwrap().messages, IDENTITIES as u64);
    one_message_that_is_sent_by_several_at_once(&first).await;
}

/// As when an acknowledgement does not come in time: the first try is still on its way when the next one comes.
async fn one_message_that_is_sent_by_several_at_once(bus: &Bus) {
    bus.ensure_stream(&inbound()).await.unwrap();
    let (subject, deadline) = (message_subject(), bus::Deadline::after(Duration::from_secs(30)));
    for number in 0..IDENTITIES {
        let id = format!("m-{number}");
        let tries = (0..8).map(|_| bus.publish_durable(&subject, &id, "hello".into(), deadline));
        for published in futures_util::future::join_all(tries).await {
            assert_eq!(published.unwrap().seq, number as u64 + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_wait_for_each_other_in_batches_and_a_new_writer_refuses_all_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_servers, url) = start(folder.path());
    let bus = connected(&url, "old").await;
    let made = async {
        while bus.ensure_stream(&contacts()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within(Duration::from_secs(60), "the stream", made).await;
    let send = async |appender: &mut Appender, name: &str, count: u64| {
        let mut tickets = Vec::new();
        for n in 1..=count {
            let (id, payload) = (format!("{name}-{n}"), Bytes::from(format!("{name} {n}")));
            tickets.push(appender.append(&subjects().contacts(), &id, payload).await);
        }
        tickets
    };
    let mut old = Appender::open(&bus, "CONTACTS", 0);
    for (n, ticket) in (1..).zip(send(&mut old, "old", 2_000).await) {
        assert_eq!(ticket.unwrap().await, Ok(n));
    }
    let mut new = Appender::open(&connected(&url, "new").await, "CONTACTS", 2_000);
    let [taken] = send(&mut new, "taken", 1).await.try_into().map_err(|_| "one").unwrap();
    assert_eq!(taken.unwrap().await, Ok(2_001));
    for late in send(&mut old, "late", 300).await {
        let outcome = match late {
            Ok(ticket) => ticket.await,
            Err(error) => Err(error),
        };
        assert_eq!(outcome, Err(AppendError::Fenced));
    }
    for (n, ticket) in (2_002..).zip(send(&mut new, "new", 300).await) {
        assert_eq!(ticket.unwrap().await, Ok(n));
    }
    let stored = bus.read_range("CONTACTS", 1, 2_301, usize::MAX).await.unwrap();
    let ids: Vec<_> = stored.iter().filter_map(|item| item.msg_id().map(str::to_owned)).collect();
    let named = |name: &'static str, count: u64| (1..=count).map(move |n| format!("{name}-{n}"));
    let wanted: Vec<_> = named("old", 2_000).chain(named("taken", 1)).chain(named("new", 300)).collect();
    assert_eq!(ids, wanted);
    one_that_is_too_large_is_told_alone(&bus).await;
    // A server that has caught up from a snapshot knows no id that it could be held against.
    let raw = async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap();
    let stream = async_nats::jetstream::new(raw).get_stream("CONTACTS").await.unwrap();
    let mut in_batches = 0;
    for seq in [1, 2, 500, 1_000, 2_000, 2_001, 2_301] {
        let message = stream.get_raw_message(seq).await.unwrap();
        assert!(message.headers.get("Nats-Expected-Last-Msg-Id").is_none(), "{seq}");
        in_batches += usize::from(message.headers.get("Nats-Batch-Id").is_some());
    }
    assert!(in_batches > 2, "so many at once do not go one by one: {in_batches}");
    bus.ensure_stream(&inbound()).await.unwrap();
    let others =
        async_nats::jetstream::new(async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap());
    let open = others.get_stream("INBOUND").await.unwrap();
    assert!(
        !open.cached_info().config.allow_atomic_publish,
        "whoever may publish could fill the servers' memory"
    );
}

async fn one_that_is_too_large_is_told_alone(bus: &Bus) {
    let usage = bus.stream_usage("CONTACTS").await.unwrap();
    let mut appender = Appender::open_kept_by(bus, "CONTACTS", usage.last_seq, usage.replicas);
    let mut tickets = Vec::new();
    for n in 0..50 {
        let bytes = if n == 25 { usize::try_from(contacts().max_message_bytes).unwrap() + 1 } else { 100 };
        let payload = Bytes::from(vec![b'x'; bytes]);
        tickets.push(appender.append(&subjects().contacts(), &format!("size-{n}"), payload).await.unwrap());
    }
    for (n, ticket) in (0..).zip(tickets) {
        let wanted = match n {
            0..25 => Ok(usage.last_seq + n + 1),
            25 => Err(AppendError::TooLarge),
            _ => Err(AppendError::Fenced),
        };
        assert_eq!(ticket.await, wanted, "{n}");
    }
}
