//! The books kept a second time, from the events alone and in another way than the worker does.

use std::collections::{BTreeMap, BTreeSet};

use protocol::policy::{Limit, Per, Policy};
use protocol::remedies::{Grant, RemedyEvent, RemedyInput, RemedyRecord};
use protocol::remedy::{EmpowermentInput, GiftKey, RemedyCommand};
use protocol::till::WalletId;
use protocol::{AskId, Millis, PromiseId, RemedyCause, RemedyId, TellId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Granted,
    Ordered,
    Unknown,
    Spent,
    Released,
}

#[derive(Debug)]
struct Given {
    grant: Grant,
    at: At,
    by_ask: bool,
    told: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    policy: Option<Policy>,
    given: BTreeMap<RemedyId, Given>,
    alive: BTreeMap<GiftKey, RemedyId>,
    asks: BTreeMap<AskId, Option<PromiseId>>,
    ended_asks: BTreeSet<AskId>,
    promises: BTreeSet<PromiseId>,
    tells: BTreeSet<TellId>,
    last_at: Millis,
}

/// Year, month and day, counted one by one.
fn date(at: Millis) -> (u64, u64, u64) {
    let (mut days, mut year) = (at.0 / 86_400_000, 1970);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
    }
    unreachable!("a year has twelve months")
}

/// Where this has to count.
fn wallets_of(grant: &Grant, at: Millis) -> BTreeSet<WalletId> {
    let Some(money) = grant.money() else { return BTreeSet::new() };
    let (year, month, day) = date(at);
    let drawn_on = grant.approved_by.unwrap_or(grant.agent);
    let identity = grant.context.identity;
    let mut all = vec![
        (Per::Contact, format!("{}", grant.context.contact)),
        (Per::AgentDay, format!("{drawn_on}/{year}-{month:02}-{day:02}")),
        (Per::TeamDay, format!("{}/{year}-{month:02}-{day:02}", grant.context.queue)),
        (Per::CustomerYear, format!("{identity}/{year}")),
    ];
    all.extend(grant.gift.claim.incident.as_ref().map(|incident| (Per::Incident, incident.to_string())));
    if grant.occasion() == protocol::remedy::Occasion::Surprise {
        all.push((Per::SurpriseYear, format!("{identity}/{year}")));
    }
    all.into_iter().map(|(per, of)| WalletId { per, of, currency: money.currency }).collect()
}

impl Model {
    pub(crate) fn fold(&mut self, record: &RemedyRecord) {
        assert!(record.at >= self.last_at, "time never runs backwards");
        self.last_at = record.at;
        for event in &record.events {
            self.event(record, event);
        }
    }

    fn event(&mut self, record: &RemedyRecord, event: &RemedyEvent) {
        match event {
            RemedyEvent::PolicyApplied => {
                let RemedyCause::Contacts { input: RemedyInput::Input { input, .. }, .. } = &record.cause
                else {
                    panic!("a policy comes from outside")
                };
                let EmpowermentInput::Policy(input) = input else { panic!("{input:?}") };
                assert_eq!(record.policy, input.hash);
                self.policy = Some(input.policy.clone());
            }
            RemedyEvent::Granted(grant) => self.granted(record, grant),
            RemedyEvent::Undone { remedy } => self.moves(*remedy, &[At::Granted], At::Released),
            RemedyEvent::Ordered { remedy } => self.moves(*remedy, &[At::Granted], At::Ordered),
            RemedyEvent::Done { remedy, .. } => self.moves(*remedy, &[At::Ordered, At::Unknown], At::Spent),
            RemedyEvent::Failed { remedy, .. } => {
                self.moves(*remedy, &[At::Ordered, At::Unknown], At::Released);
            }
            RemedyEvent::Unknown { remedy, .. } => {
                self.moves(*remedy, &[At::Ordered, At::Unknown], At::Unknown);
            }
            RemedyEvent::TellWanted { tell, what, .. } => {
                assert!(self.tells.insert(*tell), "one id, one telling");
                if let protocol::remedies::TellWhat::Remedy { remedy, .. } = what {
                    let given = self.given.get_mut(remedy).unwrap();
                    assert!(given.at == At::Spent && !given.told, "told once, and when it is done");
                    given.told = true;
                }
            }
            RemedyEvent::AskOpened { ask, .. } => {
                assert_eq!(self.asks.insert(*ask, None), None);
            }
            RemedyEvent::AskAnswered { ask, .. } | RemedyEvent::AskMoot { ask, .. } => {
                assert!(self.asks.contains_key(ask) && self.ended_asks.insert(*ask), "an ask ends once");
            }
            RemedyEvent::AskPromised { ask, promise } => {
                assert!(self.promises.contains(promise));
                assert_eq!(self.asks.insert(*ask, Some(*promise)), Some(None), "one date for one ask");
            }
            RemedyEvent::PromiseMade { promise, due, remind_at, .. } => {
                assert!(self.promises.insert(*promise) && remind_at <= due && *due > record.at);
            }
            RemedyEvent::PromiseKept { promise, .. } => {
                assert!(self.promises.remove(promise), "a promise is kept once");
            }
            _ => {}
        }
    }

    fn moves(&mut self, id: RemedyId, from: &[At], to: At) {
        let given = self.given.get_mut(&id).unwrap();
        assert!(from.contains(&given.at), "{id} goes from {:?} to {to:?}", given.at);
        given.at = to;
        if to == At::Released {
            assert_eq!(self.alive.remove(&given.grant.key), Some(id));
        }
    }

    fn granted(&mut self, record: &RemedyRecord, grant: &Grant) {
        let id = grant.remedy;
        assert_eq!(id.log_seq, record_seq(self.given.keys().next_back().copied(), id), "ids grow");
        let before = self.alive.insert(grant.key.clone(), id);
        assert_eq!(before, None, "{:?} is given twice", grant.key);
        let counted: BTreeSet<_> = grant.wallets.iter().cloned().collect();
        assert_eq!(counted, wallets_of(grant, record.at));
        assert_eq!(counted.len(), grant.wallets.len());
        let asked = record.events.iter().any(|event| matches!(event, RemedyEvent::AskAnswered { .. }));
        let by_ask = asked || retried(record).is_some_and(|old| self.given[&old].by_ask);
        let given = Given { grant: grant.clone(), at: At::Granted, by_ask, told: false };
        assert!(self.given.insert(id, given).is_none(), "one id, one remedy");
        if !by_ask && grant.money().is_some() {
            self.check_caps(grant);
        }
    }

    /// What was given unasked leaves every wallet within what its card or the latitude states.
    fn check_caps(&self, grant: &Grant) {
        let policy = self.policy.as_ref().unwrap();
        let card = policy.cards.iter().find(|card| Some(&card.id) == grant.card.as_ref());
        let limits: &[Limit] = match card {
            Some(card) if !card.up_to.is_empty() => &card.up_to,
            _ => &policy.latitude.up_to,
        };
        let balances = self.wallets();
        for limit in limits {
            let Some(wallet) = grant.wallets.iter().find(|wallet| wallet.per == limit.per) else {
                assert_eq!(limit.per, Per::Incident);
                continue;
            };
            let cap = limit.cents.get(&wallet.currency).copied().unwrap_or(0);
            let (reserved, spent) = balances[wallet];
            assert!(reserved + spent <= cap, "{wallet:?} holds {reserved} + {spent}, its cap is {cap}");
        }
    }

    /// Reserved and spent, counted anew.
    pub(crate) fn wallets(&self) -> BTreeMap<WalletId, (u64, u64)> {
        let mut all = BTreeMap::new();
        for given in self.given.values() {
            let cents = given.grant.money().map_or(0, |money| u64::try_from(money.cents).unwrap());
            let (reserved, spent) = match given.at {
                At::Granted | At::Ordered | At::Unknown => (cents, 0),
                At::Spent => (0, cents),
                At::Released => (0, 0),
            };
            for wallet in given.grant.wallets.iter().filter(|_| reserved + spent > 0) {
                let sum: &mut (u64, u64) = all.entry(wallet.clone()).or_default();
                *sum = (sum.0 + reserved, sum.1 + spent);
            }
        }
        all
    }

    pub(crate) fn remedies(&self) -> impl Iterator<Item = (RemedyId, &Grant)> {
        self.given.iter().map(|(id, given)| (*id, &given.grant))
    }

    /// Asks that have not ended, with the promise of an answer.
    pub(crate) fn open_asks(&self) -> impl Iterator<Item = (AskId, Option<PromiseId>)> {
        self.asks
            .iter()
            .filter(|(ask, _)| !self.ended_asks.contains(ask))
            .map(|(ask, promise)| (*ask, *promise))
    }

    pub(crate) fn asks(&self) -> impl Iterator<Item = AskId> {
        self.asks.keys().copied()
    }

    pub(crate) fn promises(&self) -> impl Iterator<Item = PromiseId> {
        self.promises.iter().copied()
    }

    /// All that was carried out was told.
    pub(crate) fn check_told(&self) {
        assert!(self.given.values().all(|given| (given.at == At::Spent) == given.told));
    }
}

fn retried(record: &RemedyRecord) -> Option<RemedyId> {
    let RemedyCause::Contacts { input: RemedyInput::Command { command, .. }, .. } = &record.cause else {
        return None;
    };
    match command {
        RemedyCommand::Retry { remedy } => Some(*remedy),
        _ => None,
    }
}

/// Ids are born from the log's sequence, which only grows.
fn record_seq(last: Option<RemedyId>, id: RemedyId) -> u64 {
    assert!(last.is_none_or(|last| last < id), "{last:?} before {id}");
    id.log_seq
}
