//! What was written and is to be done outside: begun once its record is acknowledged, one task each, until it was seen done.
//!
//! The state says what is outstanding; this says what of it is under way here, and when the rest is tried. Nothing of it is
//! stored: the next leader begins with the state.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use empowerment_core::{Outstanding, State, outstanding};
use protocol::remedies::OrderAnswer;
use protocol::streams::INBOUND;
use protocol::{AskId, Millis, RemedyEvent, RemedyId, RemedyRecord, TellId};
use service::spans::{self, Kind, Memory, Span, TraceContext, Tracer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::leader::Said;
use crate::orders::Orders;
use crate::wishes::Wishes;
use crate::{LEASE_KEY, Role};

/// Orders under way at once; a shop that hangs holds up only others of its kind.
const ORDERS_MAX: usize = 16;
/// Wishes under way at once.
const WISHES_MAX: usize = 64;
/// The pause before a look at what there is to do, so that what comes together is looked at once.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// A look takes at most this part of the time.
const LOOK_SHARE: u32 = 20;
/// The pauses before a wish that could not be stored is tried again, ms, doubled each time.
const WISH_RETRY_MS: (u64, u64) = (500, 60_000);
/// The pauses before a wish that was stored and not carried out is sent again, ms, doubled each time. Routing may be away for
/// long; twice does no harm, since it carries each out once.
const WISH_AGAIN_MS: (u64, u64) = (60_000, 900_000);

/// One thing to do; its name is the same at every try and in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Order(RemedyId),
    Tell(TellId),
    Ask(AskId, u32),
    Risk(TellId),
}

fn key_of(item: &Outstanding) -> Key {
    match item {
        Outstanding::PlaceOrder { remedy, .. } => Key::Order(*remedy),
        Outstanding::Tell { tell, .. } => Key::Tell(*tell),
        Outstanding::AskFor { ask, round, .. } => Key::Ask(*ask, *round),
        Outstanding::Risk { tell, .. } => Key::Risk(*tell),
    }
}

/// What may be begun once this record is acknowledged.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what leads to something outside is looked at")]
pub(crate) fn follows(record: &RemedyRecord) -> Vec<Key> {
    let key = |event: &RemedyEvent| match event {
        RemedyEvent::Ordered { remedy } | RemedyEvent::Unknown { remedy, .. } => Some(Key::Order(*remedy)),
        RemedyEvent::TellWanted { tell, .. } => Some(Key::Tell(*tell)),
        RemedyEvent::AskOpened { ask, .. } => Some(Key::Ask(*ask, 0)),
        RemedyEvent::AskWentOn { ask, round, .. } => Some(Key::Ask(*ask, *round)),
        RemedyEvent::PromiseBroken { tell, .. } => Some(Key::Risk(*tell)),
        _ => None,
    };
    record.events.iter().filter_map(key).collect()
}

/// A wish that was tried.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    failed: u32,
    published: u32,
}

/// The tasks of one leader. Dropping it breaks them off: the next leader asks what became of them.
pub(crate) struct Outbox {
    orders: Arc<Orders>,
    wishes: Arc<Wishes>,
    said: mpsc::Sender<Said>,
    tasks: JoinSet<()>,
    /// What stands in the log and waits, and until when.
    ready: BTreeMap<Key, Millis>,
    running: BTreeSet<Key>,
    tries: BTreeMap<Key, Tries>,
    look_at: Option<Instant>,
    looked: Option<Instant>,
    look_took: Duration,
    unknown: i64,
    tracer: Tracer,
}

fn note(span: &mut Span, answer: &OrderAnswer) {
    match answer {
        OrderAnswer::Done { .. } => {}
        OrderAnswer::Failed { .. } => span.fail("refused"),
        OrderAnswer::Unknown { .. } => span.fail("unknown"),
    }
}

impl Outbox {
    /// With everything that is outstanding at the start of a leader, which all stands in the log.
    pub(crate) fn new(role: &Role, said: mpsc::Sender<Said>, state: &State) -> Self {
        let orders = Orders::new(role);
        let mut tasks = JoinSet::new();
        if let Some(mailbox) = orders.mailbox() {
            tasks.spawn(mailbox.clone().follow(said.clone()));
        }
        let mut outbox = Self {
            orders: Arc::new(orders),
            wishes: Arc::new(Wishes::new(role)),
            said,
            tasks,
            ready: BTreeMap::new(),
            running: BTreeSet::new(),
            tries: BTreeMap::new(),
            look_at: None,
            looked: None,
            look_took: Duration::ZERO,
            unknown: 0,
            tracer: role.kit.traces.of(LEASE_KEY),
        };
        outbox.may(outstanding(state).map(|item| key_of(&item)).collect());
        outbox
    }

    /// These stand in the log now.
    pub(crate) fn may(&mut self, keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        self.ready.extend(keys.into_iter().map(|key| (key, Millis(0))));
        self.look_soon();
    }

    /// A task came to its end; what follows from it stands in a record that is on its way.
    pub(crate) fn ended(&mut self, key: Key) {
        self.running.remove(&key);
        self.look_soon();
    }

    /// A wish was tried: again later, unless it is seen carried out by then.
    pub(crate) fn wished(&mut self, key: Key, published: bool, now: Millis) {
        self.ended(key);
        let tries = self.tries.entry(key).or_default();
        let (count, (first, most)) = if published {
            (&mut tries.published, WISH_AGAIN_MS)
        } else {
            (&mut tries.failed, WISH_RETRY_MS)
        };
        let pause_ms = first.saturating_mul(1 << (*count).min(16)).min(most);
        *count = count.saturating_add(1);
        self.ready.insert(key, now.plus(pause_ms));
    }

    /// Orders of which the shop has to be asked again, as of the last look.
    pub(crate) fn unknown(&self) -> i64 {
        self.unknown
    }

    fn look_soon(&mut self) {
        if self.look_at.is_none() {
            let rested = self.looked.map(|looked| looked + self.look_took * LOOK_SHARE);
            let soon = Instant::now() + LOOK_PAUSE;
            self.look_at = Some(rested.map_or(soon, |rested| rested.max(soon)));
        }
    }

    /// Ends when there is a reason to look.
    pub(crate) fn look_is_due(&self) -> impl Future<Output = ()> + use<> {
        let at = self.look_at;
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Begins what stands in the log, is due, and is not under way.
    pub(crate) fn look(&mut self, state: &State, now: Millis, traced: &Memory<Key>) {
        let began = Instant::now();
        self.look_at = None;
        while self.tasks.try_join_next().is_some() {}
        let mut known = BTreeSet::new();
        let mut unknown = 0;
        let orders_under_way = self.running.iter().filter(|key| matches!(key, Key::Order(_))).count();
        let mut order_places = ORDERS_MAX.saturating_sub(orders_under_way);
        let mut wish_places = WISHES_MAX.saturating_sub(self.running.len() - orders_under_way);
        for item in outstanding(state) {
            let key = key_of(&item);
            known.insert(key);
            let (not_before, places) = match &item {
                Outstanding::PlaceOrder { not_before, tries, .. } => {
                    unknown += i64::from(*tries > 0);
                    (*not_before, &mut order_places)
                }
                Outstanding::Tell { .. } | Outstanding::AskFor { .. } | Outstanding::Risk { .. } => {
                    (Millis(0), &mut wish_places)
                }
            };
            let may = self.ready.get(&key).is_some_and(|at| *at.max(&not_before) <= now);
            if may && *places > 0 && !self.running.contains(&key) {
                *places -= 1;
                self.begin(key, item, traced.get(&key));
            }
        }
        self.ready.retain(|key, _| known.contains(key));
        self.tries.retain(|key, _| known.contains(key));
        self.unknown = unknown;
        (self.looked, self.look_took) = (Some(began), began.elapsed());
    }

    fn begin(&mut self, key: Key, item: Outstanding, trace: Option<&TraceContext>) {
        self.ready.remove(&key);
        self.running.insert(key);
        let said = self.said.clone();
        match item {
            Outstanding::PlaceOrder { remedy, order, ask_first, .. } => {
                let orders = Arc::clone(&self.orders);
                let mut span = self.tracer.under("place order", Kind::Client, trace);
                span.set("winterband.remedy", || remedy.to_string());
                self.tasks.spawn(async move {
                    let answer = orders.carry_out(remedy, &order, ask_first).await;
                    note(&mut span, &answer);
                    drop(span);
                    // Nobody hears it when this leader has ended; the next one asks.
                    drop(said.send(Said::Order { remedy, answer }).await);
                });
            }
            wish @ (Outstanding::Tell { .. } | Outstanding::AskFor { .. } | Outstanding::Risk { .. }) => {
                let wishes = Arc::clone(&self.wishes);
                let span = spans::sending(&self.tracer, INBOUND, trace);
                self.tasks.spawn(async move {
                    let published = wishes.publish(wish, span.context().as_ref()).await;
                    drop(span);
                    drop(said.send(Said::Wished { key, published }).await);
                });
            }
        }
    }
}
