//! The configuration in force, followed in the log, and the answers to those who changed it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, FoldFile, Tail, TailOptions};
use memchr::memmem;
use protocol::config::{ConfigFault, RoutingConfig};
use protocol::formats::{self, ReadError};
use protocol::input::ConfigInput;
use protocol::record::ParkReason;
use protocol::streams::CONTACTS;
use protocol::{
    Cause, ChannelKind, ContactId, Event, Hash128, InputBody, NoticeId, ParkedId, Record, SubjectToken,
};
use serde::{Deserialize, Serialize};
use service::{HealthHandle, Kit};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{BEAT_EVERY, NAME};

/// Changes of the configuration that may wait for their record at once.
pub(crate) const WAITING_MAX: usize = 16;
/// What every record about a configuration contains; most records need no further look.
const MARKS: [&[u8]; 2] = [b"\"config_applied\"", b"\"config_refused\""];

/// What the record of a message says that was parked before.
const REPLAYS: &[u8] = b"\"replays\":";
/// Replays that may wait for their record at once; more are told without.
const REPLAYS_WAITING_MAX: usize = 256;

/// What the record of a message says that found no room for its conversation.
const FULL: &[u8] = b"\"reason\":\"floor_full\"";
/// What the record of one says that found it.
const ROOM: &[u8] = b"\"conversation_opened\"";
/// How long no more of what may wait elsewhere is taken when the floor is full, at first; twice that with each that finds it full.
const FULL_FIRST: Duration = Duration::from_secs(5);
/// The longest of these pauses.
const FULL_LONGEST: Duration = Duration::from_secs(600);

/// A configuration in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// The record that put it in force.
    pub(crate) log_seq: u64,
    /// Its hash.
    pub(crate) hash: Hash128,
    /// Itself.
    pub(crate) config: Arc<RoutingConfig>,
    accounts: Arc<HashSet<SubjectToken>>,
}

impl InForce {
    /// Whether messages of other systems may name this account.
    pub(crate) fn has_account(&self, name: &SubjectToken) -> bool {
        self.accounts.contains(name)
    }
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is in force since this record.
    Applied(u64),
    /// The router does not use it.
    Refused(Vec<ConfigFault>),
}

/// What the router made of a message that was parked before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The record that says so.
    pub(crate) log_seq: u64,
    /// What was decided.
    pub(crate) fate: Fate,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in a conversation, for this contact; `None`: its sender is blocked.
    Taken(Option<ContactId>),
    /// It was there already.
    Known,
    /// It is parked again.
    Parked(ParkReason),
}

/// A wait for the record of a replay; dropping it ends the wait.
pub(crate) struct WaitingReplay(oneshot::Receiver<Decided>);

impl WaitingReplay {
    /// What was decided; `None` if that is not known within this time.
    pub(crate) async fn decided(self, within: Duration) -> Option<Decided> {
        tokio::time::timeout(within, self.0).await.ok()?.ok()
    }
}

/// What the log says of the floor. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Floor(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    read_to_end: bool,
    in_force: Option<InForce>,
    waiting: HashMap<NoticeId, oneshot::Sender<Settled>>,
    replays: Vec<(ParkedId, oneshot::Sender<Decided>)>,
    full: Option<Full>,
}

/// Too many conversations have an open contact.
struct Full {
    pause: Duration,
    /// When one message more may try, by the monotonic clock.
    next_try: Duration,
}

/// A wait for the record of a change; dropping it ends the wait.
pub(crate) struct Waiting {
    floor: Floor,
    id: NoticeId,
    settled: oneshot::Receiver<Settled>,
}

impl Waiting {
    /// The answer; `None` if the role ended before.
    pub(crate) async fn settled(&mut self) -> Option<Settled> {
        (&mut self.settled).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.floor.lock().waiting.remove(&self.id);
    }
}

impl Floor {
    /// Whether the log has been read to where it ended at the start.
    pub(crate) fn is_read(&self) -> bool {
        self.lock().read_to_end
    }

    /// The configuration in force; `None` before the first.
    pub(crate) fn in_force(&self) -> Option<InForce> {
        self.lock().in_force.clone()
    }

    /// Waits for the record of a change that is published after this; `None` if too many wait.
    pub(crate) fn wait_for(&self, id: NoticeId) -> Option<Waiting> {
        let mut known = self.lock();
        if known.waiting.len() >= WAITING_MAX {
            return None;
        }
        let (tell, settled) = oneshot::channel();
        known.waiting.insert(id, tell);
        Some(Waiting { floor: self.clone(), id, settled })
    }

    /// Waits for the record of a replay of this that is published after this; `None` if too many wait.
    pub(crate) fn wait_for_replay(&self, parked: ParkedId) -> Option<WaitingReplay> {
        let mut known = self.lock();
        known.replays.retain(|(_, tell)| !tell.is_closed());
        if known.replays.len() >= REPLAYS_WAITING_MAX {
            return None;
        }
        let (tell, decided) = oneshot::channel();
        known.replays.push((parked, tell));
        Some(WaitingReplay(decided))
    }

    /// Tells who waits for a replay what the record made of it.
    fn look_for_replays(&self, log_seq: u64, payload: &[u8]) -> Result<(), ReadError> {
        if self.lock().replays.is_empty() || !has(payload, REPLAYS) {
            return Ok(());
        }
        let record: Record = formats::read(CONTACTS, log_seq, payload)?;
        let Cause::Input { input, .. } = &record.cause else { return Ok(()) };
        let InputBody::Message(message) = &input.body else { return Ok(()) };
        let Some(parked) = message.replays else { return Ok(()) };
        let decided = Decided { log_seq, fate: fate(&record) };
        let mut known = self.lock();
        for (_, tell) in known.replays.extract_if(.., |(waits, _)| *waits == parked) {
            // Who waited may have gone.
            drop(tell.send(decided.clone()));
        }
        Ok(())
    }

    /// Whether a message may be taken that can wait where it is: while the floor is full, one in a while, which tells whether it still is.
    pub(crate) fn has_room(&self, now: Duration) -> bool {
        let mut known = self.lock();
        let Some(full) = known.full.as_mut() else { return true };
        let may_try = now >= full.next_try;
        if may_try {
            full.next_try = now + full.pause;
        }
        may_try
    }

    /// Learns from a record whether there is room. What the past says of it is past.
    fn look_for_room(&self, payload: &[u8], now: Duration) {
        let mut known = self.lock();
        if known.read_to_end && has(payload, FULL) {
            let pause = known.full.as_ref().map_or(FULL_FIRST, |full| (full.pause * 2).min(FULL_LONGEST));
            known.full = Some(Full { pause, next_try: now + pause });
        } else if known.full.is_some() && has(payload, ROOM) {
            known.full = None;
        }
    }

    fn fold(&self, seq: u64, payload: &[u8]) -> Result<(), ReadError> {
        if !MARKS.iter().any(|mark| has(payload, mark)) {
            return Ok(());
        }
        let record: Record = formats::read(CONTACTS, seq, payload)?;
        let Cause::Input { input, .. } = record.cause else { return Ok(()) };
        let InputBody::Config(change) = input.body else { return Ok(()) };
        for event in record.events {
            self.settle(seq, &change, event);
        }
        Ok(())
    }

    fn settle(&self, seq: u64, change: &ConfigInput, event: Event) {
        let mut known = self.lock();
        let settled = if let Event::ConfigRefused { faults } = event {
            Settled::Refused(faults)
        } else if event == Event::ConfigApplied {
            known.in_force = Some(in_force(seq, change));
            Settled::Applied(seq)
        } else {
            return;
        };
        if let Some(tell) = known.waiting.remove(&change.id) {
            // Who waited may have gone.
            drop(tell.send(settled));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of the message of a record.
fn fate(record: &Record) -> Fate {
    let of = |event: &Event| {
        if let Event::Parked { reason } = event {
            Some(Fate::Parked(*reason))
        } else if let Event::EntryAdded { contact, .. } = event {
            Some(Fate::Taken(Some(*contact)))
        } else {
            (*event == Event::DuplicateSkipped).then_some(Fate::Known)
        }
    };
    record.events.iter().find_map(of).unwrap_or(Fate::Taken(None))
}

fn has(payload: &[u8], mark: &[u8]) -> bool {
    memmem::find(payload, mark).is_some()
}

fn in_force(log_seq: u64, change: &ConfigInput) -> InForce {
    let of_api = change.config.accounts.iter().filter(|account| account.channel == ChannelKind::Api);
    InForce {
        log_seq,
        hash: change.hash,
        accounts: Arc::new(of_api.map(|account| account.name.clone()).collect()),
        config: Arc::new(change.config.as_ref().clone()),
    }
}

/// Starts to follow the log, from where it was kept or from its beginning.
pub(crate) async fn follow(kit: &Kit, bus: &Bus) -> anyhow::Result<Floor> {
    let mut kept = FoldFile::new(&kit.settings.data.folder, NAME, CONTACTS);
    let resumed = kept.resume::<Option<InForce>>(bus, &TailOptions::default()).await;
    let (in_force, tail) = resumed.context("failed to read the log")?;
    let floor = Floor::default();
    floor.lock().in_force = in_force.flatten();
    let health = kit.health.register("api");
    kit.drain.spawn("api", run(kit.clone(), floor.clone(), (kept, tail), health, kit.drain.token()));
    Ok(floor)
}

async fn run(
    kit: Kit,
    floor: Floor,
    (mut kept, mut tail): (FoldFile, Tail),
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        if tail.caught_up() && !floor.is_read() {
            floor.lock().read_to_end = true;
            tell(&floor, &health);
        }
        tokio::select! {
            biased;
            () = ended.cancelled() => break,
            _ = beat.tick() => {
                tell(&floor, &health);
                if kept.is_due() {
                    kept.write(floor.in_force()).await;
                }
                #[expect(clippy::cast_precision_loss, reason = "a gauge needs no exact count past 2^53")]
                kit.metrics.log_lag_records.set([NAME], tail.pending() as f64);
            }
            item = tail.next() => {
                let item = item.context("failed to read the log")?;
                // Most records need no further look, but one of a later version would not look like what is looked for.
                formats::glance::<Record>(CONTACTS, item.seq, &item.payload)?;
                floor.look_for_room(&item.payload, kit.clock.monotonic());
                // Going on without a configuration that others use would answer wrongly.
                floor.look_for_replays(item.seq, &item.payload)
                    .and_then(|()| floor.fold(item.seq, &item.payload))
                    .with_context(|| format!("failed to read record {} of the log", item.seq))?;
                kept.folded(item);
            }
        }
    }
    if kept.is_worth_keeping() {
        kept.write(floor.in_force()).await;
        kept.settle().await;
    }
    health.retire();
    Ok(())
}

/// Says that it lives; fit to serve only once a message would not be answered with `starting`.
fn tell(floor: &Floor, health: &HealthHandle) {
    if floor.is_read() {
        health.beat();
    } else {
        health.starting();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Millis;
    use protocol::config::{Account, Queue};
    use protocol::input::{Input, WIRE_VERSION};

    #[test]
    fn while_the_floor_is_full_one_in_a_while_tries_and_later_each_time_it_finds_it_so() {
        let at = Duration::from_secs;
        let record = |event: Event| serde_json::to_vec(&event).unwrap();
        let reason = protocol::record::ParkReason::FloorFull;
        let full = record(Event::Parked { reason });
        let floor = Floor::default();
        floor.look_for_room(&full, at(1));
        assert!(floor.has_room(at(1)), "what was so before the log was read to its end is past");
        floor.lock().read_to_end = true;
        floor.look_for_room(&full, at(10));
        assert!(!floor.has_room(at(14)));
        assert!(floor.has_room(at(15)) && !floor.has_room(at(15)), "one tries");
        floor.look_for_room(&full, at(16));
        assert!(!floor.has_room(at(25)) && floor.has_room(at(26)), "twice as long");
        for _ in 0..20 {
            floor.look_for_room(&full, at(100));
        }
        assert!(!floor.has_room(at(699)) && floor.has_room(at(700)), "and not for ever");
        let opened = Event::ConversationOpened {
            conversation: protocol::ConversationId { log_seq: 1, n: 0 },
            identity: protocol::IdentityId(Hash128([1; 16])),
            channel: ChannelKind::Api,
            account: SubjectToken::new("shop").unwrap(),
            thread: None,
        };
        floor.look_for_room(&record(opened), at(701));
        assert!(floor.has_room(at(701)) && floor.has_room(at(701)));
    }

    #[test]
    fn it_is_ready_only_once_a_message_would_be_answered() {
        let (clock, _hand) = service::Clock::manual(0);
        let health = service::Health::new(clock, std::time::Duration::from_secs(10));
        health.bus_up();
        let (handle, floor) = (health.register("api"), Floor::default());
        tell(&floor, &handle);
        assert_eq!(health.report().reasons, ["api: still starting"]);
        floor.lock().read_to_end = true;
        tell(&floor, &handle);
        assert_eq!(health.report().reasons, Vec::<String>::new());
    }

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn id(n: u128) -> NoticeId {
        NoticeId(uuid::Uuid::from_u128(n))
    }

    fn record(n: u128, event: Event) -> Vec<u8> {
        let account = |channel, name| Account {
            channel,
            name: token(name),
            title: String::new(),
            queue: token("sales"),
            priority: 0,
            practice: false,
        };
        let queue = Queue { title: String::new(), offer_ms: 1, ..Queue::new(token("sales")) };
        let config = RoutingConfig {
            queues: vec![queue],
            accounts: vec![account(ChannelKind::Api, "shop"), account(ChannelKind::Web, "site")],
            ..RoutingConfig::default()
        };
        let body = InputBody::Config(ConfigInput {
            replaces: None,
            id: id(n),
            hash: Hash128([1; 16]),
            config: Box::new(config),
        });
        let record = Record {
            v: WIRE_VERSION,
            at: Millis(1),
            epoch: 1,
            policy: Hash128([0; 16]),
            cause: Cause::Input { seq: 1, input: Input { v: WIRE_VERSION, made_at: Millis(1), body } },
            events: vec![event],
        };
        serde_json::to_vec(&record).unwrap()
    }

    #[tokio::test]
    async fn the_last_applied_configuration_is_in_force_and_its_sender_is_told() {
        let floor = Floor::default();
        assert!(floor.in_force().is_none());
        let mut waiting = floor.wait_for(id(7)).unwrap();
        floor.fold(3, &record(7, Event::ConfigApplied)).unwrap();
        assert_eq!(waiting.settled().await, Some(Settled::Applied(3)));
        let in_force = floor.in_force().unwrap();
        assert_eq!((in_force.log_seq, in_force.hash), (3, Hash128([1; 16])));
        assert!(in_force.has_account(&token("shop")));
        assert!(!in_force.has_account(&token("site")), "an account of another channel");
    }

    #[tokio::test]
    async fn a_refused_configuration_changes_nothing() {
        let floor = Floor::default();
        floor.fold(3, &record(7, Event::ConfigApplied)).unwrap();
        let mut waiting = floor.wait_for(id(8)).unwrap();
        let faults = vec![ConfigFault { path: "queues".into(), message: "wrong".into() }];
        floor.fold(4, &record(8, Event::ConfigRefused { faults: faults.clone() })).unwrap();
        assert_eq!(waiting.settled().await, Some(Settled::Refused(faults)));
        assert_eq!(floor.in_force().unwrap().log_seq, 3);
    }

    #[test]
    fn so_many_wait_at_once_and_no_more() {
        let floor = Floor::default();
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|n| floor.wait_for(id(n as u128)).unwrap()).collect();
        assert!(floor.wait_for(id(99)).is_none());
        waiting.pop();
        assert!(floor.wait_for(id(99)).is_some(), "a wait that ended makes room");
    }

    #[test]
    fn other_records_are_not_looked_at() {
        let floor = Floor::default();
        floor.fold(1, b"not even JSON").unwrap();
        assert!(floor.fold(1, b"\"config_applied\" and then nonsense").is_err());
        let later = String::from_utf8(record(7, Event::ConfigApplied))
            .unwrap()
            .replace("\"v\":1,\"at\"", "\"v\":9,\"at\"");
        let read = floor.fold(1, later.as_bytes());
        assert!(
            matches!(read, Err(ReadError::Later(_))),
            "its fields read, its meaning might be another: {read:?}"
        );
    }
}
