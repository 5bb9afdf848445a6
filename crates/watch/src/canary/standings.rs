//! How the canary customers are doing: for the metrics, the log and who asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Millis;
use protocol::canary::{CanaryHop, CanaryStanding};
use service::{Clock, Metrics};

use super::Account;
use super::progress::Progress;

pub(super) struct Standings {
    clock: Clock,
    metrics: Metrics,
    accounts: Mutex<BTreeMap<Account, Standing>>,
}

#[derive(Clone, Debug)]
struct Standing {
    broken: Option<CanaryHop>,
    words: Option<String>,
    since: Millis,
    succeeded_at: Option<Millis>,
}

impl Standings {
    pub(super) fn new(clock: Clock, metrics: Metrics) -> Self {
        Self { clock, metrics, accounts: Mutex::default() }
    }

    /// An account is tried from here on, with at most so long between the ends of two rounds; nothing is known of it.
    pub(super) fn begin(&self, account: &Account, round: Duration) {
        let labels = [account.0.as_str(), account.1.as_str()];
        self.metrics.canary_round_seconds.set(labels, round.as_secs_f64());
        self.forget(account);
    }

    fn forget(&self, account: &Account) {
        let now = self.now();
        let standing = Standing { broken: None, words: None, since: now, succeeded_at: None };
        self.lock().insert(account.clone(), standing);
        self.publish(account, None);
        self.looked(account, now);
    }

    /// An account is not tried any more.
    pub(super) fn end(&self, account: &Account) {
        self.lock().remove(account);
        self.publish(account, None);
        let labels = [account.0.as_str(), account.1.as_str()];
        let metrics = &self.metrics;
        for gauges in [
            &metrics.canary_ok,
            &metrics.canary_succeeded_at_seconds,
            &metrics.canary_looked_at_seconds,
            &metrics.canary_round_seconds,
        ] {
            gauges.set(labels, f64::NAN);
        }
    }

    /// A round is over.
    pub(super) fn note(&self, account: &Account, progress: &Progress) {
        if !progress.was_there() {
            let labels = [account.0.as_str(), account.1.as_str()];
            self.metrics.canary_ok.set(labels, f64::NAN);
            return self.forget(account);
        }
        let (now, broken) = (self.now(), progress.broken());
        let (channel, name) = (account.0.as_str(), account.1.as_str());
        let mut accounts = self.lock();
        let Some(standing) = accounts.get_mut(account) else { return };
        match (standing.broken, broken) {
            (before, Some(hop)) if before != Some(hop) => {
                let words = progress.words().unwrap_or("nothing came");
                tracing::error!(
                    channel,
                    account = name,
                    hop = hop.as_str(),
                    words,
                    "a canary did not come through"
                );
            }
            (Some(_), None) => tracing::info!(channel, account = name, "a canary comes through again"),
            (Some(_) | None, Some(_)) | (None, None) => {}
        }
        if standing.broken != broken {
            standing.since = now;
        }
        standing.broken = broken;
        standing.words = broken.and_then(|_| progress.words().map(str::to_owned));
        if broken.is_none() {
            standing.succeeded_at = Some(now);
        }
        drop(accounts);
        self.publish(account, broken);
        self.looked(account, now);
        self.metrics.canary_ok.set([channel, name], if broken.is_none() { 1.0 } else { 0.0 });
        if broken.is_none() {
            self.metrics.canary_succeeded_at_seconds.set([channel, name], seconds(now));
        }
        for (hop, seconds) in progress.passed() {
            self.metrics.canary_hop_seconds.set([channel, name, hop.as_str()], *seconds);
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<CanaryStanding> {
        let of = |((channel, account), standing): (&Account, &Standing)| CanaryStanding {
            channel: *channel,
            account: account.clone(),
            broken: standing.broken,
            words: standing.words.clone(),
            since: standing.since,
            succeeded_at: standing.succeeded_at,
        };
        self.lock().iter().map(of).collect()
    }

    /// For who looks at readiness: what is broken elsewhere makes this process no less ready.
    pub(super) fn in_words(&self) -> String {
        let accounts = self.lock();
        let broken = accounts.iter().find_map(|((channel, account), standing)| {
            let hop = standing.broken?;
            Some(format!("{channel} {account} is broken at {}", hop.as_str()))
        });
        broken.unwrap_or_else(|| format!("{} accounts", accounts.len()))
    }

    fn publish(&self, account: &Account, broken: Option<CanaryHop>) {
        for hop in CanaryHop::ALL {
            let labels = [account.0.as_str(), account.1.as_str(), hop.as_str()];
            let is_broken = broken == Some(hop);
            self.metrics.canary_broken.set(labels, if is_broken { 1.0 } else { 0.0 });
        }
    }

    fn looked(&self, account: &Account, now: Millis) {
        let labels = [account.0.as_str(), account.1.as_str()];
        self.metrics.canary_looked_at_seconds.set(labels, seconds(now));
    }

    fn now(&self) -> Millis {
        Millis(self.clock.unix_ms())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Account, Standing>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit into a float for ages")]
fn seconds(at: Millis) -> f64 {
    (at.0 / 1000) as f64
}
