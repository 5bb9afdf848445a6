//! How the accounts are doing: one word each, for the desk and the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Millis;
use protocol::delivery::{AccountStanding, AccountState};
use service::Metrics;

use crate::channels::book::AccountKey;

/// All accounts of this process.
pub(crate) struct Standings {
    metrics: Metrics,
    accounts: Mutex<BTreeMap<AccountKey, Standing>>,
}

#[derive(Clone, Debug)]
struct Standing {
    state: AccountState,
    since: Millis,
    words: Option<String>,
    heard_at: Option<Millis>,
    waiting: u64,
    /// From when on silence is odd, ms after the last word; 0: never.
    silent_after_ms: u64,
    began: Millis,
    /// Whether it is set up in a way that cannot be used: nothing that is still on its way changes that.
    unusable: bool,
}

impl Standings {
    pub(crate) fn new(
        metrics: Metrics,
        accounts: impl IntoIterator<Item = (AccountKey, u64)>,
        now: Millis,
    ) -> Self {
        let accounts = accounts.into_iter().map(|(key, silent_after_ms)| {
            let standing = Standing {
                state: AccountState::Unknown,
                since: now,
                words: None,
                heard_at: None,
                waiting: 0,
                silent_after_ms,
                began: now,
                unusable: false,
            };
            (key, standing)
        });
        let standings = Self { metrics, accounts: Mutex::new(accounts.collect()) };
        standings.publish();
        standings
    }

    /// An account is set up, or anew: nothing is known of how it does.
    pub(crate) fn begin(&self, key: &AccountKey, silent_after_ms: u64, now: Millis) {
        let mut accounts = self.lock();
        let before = accounts.get(key);
        let standing = Standing {
            state: AccountState::Unknown,
            since: now,
            words: None,
            heard_at: before.and_then(|before| before.heard_at),
            waiting: before.map_or(0, |before| before.waiting),
            silent_after_ms,
            began: now,
            unusable: false,
        };
        accounts.insert(key.clone(), standing);
        drop(accounts);
        self.publish();
    }

    /// An account is not here any more.
    pub(crate) fn end(&self, key: &AccountKey) {
        if self.lock().remove(key).is_none() {
            return;
        }
        for state in AccountState::ALL {
            let labels = [key.channel.as_str(), key.account.as_str(), state.as_str()];
            self.metrics.channel_account_state.set(labels, 0.0);
        }
        self.metrics.channel_waiting.set([key.channel.as_str(), key.account.as_str()], 0.0);
    }

    /// The provider let us in, or took something.
    pub(crate) fn works(&self, key: &AccountKey, now: Millis) {
        self.change(key, now, |standing| {
            (standing.state != AccountState::Silent).then_some((AccountState::Working, None))
        });
    }

    /// It is set up in a way that cannot be used, until it is set up anew.
    pub(crate) fn cannot_be_used(&self, key: &AccountKey, now: Millis, words: &str) {
        self.begin(key, 0, now);
        self.ails(key, now, AccountState::Refused, words);
        if let Some(standing) = self.lock().get_mut(key) {
            standing.unusable = true;
        }
    }

    /// Something came in.
    pub(crate) fn heard(&self, key: &AccountKey, now: Millis) {
        self.change(key, now, |standing| {
            standing.heard_at = Some(now);
            Some((AccountState::Working, None))
        });
    }

    /// The provider does not let us in, or has us wait.
    pub(crate) fn ails(&self, key: &AccountKey, now: Millis, state: AccountState, words: &str) {
        self.change(key, now, |_| Some((state, Some(words.to_owned()))));
    }

    /// So many messages of it wait.
    pub(crate) fn waits(&self, key: &AccountKey, waiting: u64) {
        if let Some(standing) = self.lock().get_mut(key) {
            standing.waiting = waiting;
        }
    }

    /// Looks who has been silent for too long.
    pub(crate) fn look(&self, now: Millis) {
        let keys: Vec<AccountKey> = self.lock().keys().cloned().collect();
        for key in keys {
            self.change(&key, now, |standing| {
                let heard = standing.heard_at.unwrap_or(standing.began);
                let is_silent = standing.silent_after_ms > 0 && now.since(heard) > standing.silent_after_ms;
                let can_tell = matches!(standing.state, AccountState::Working | AccountState::Unknown);
                let words =
                    "nothing came in for longer than is usual: look whether the provider still sends it here";
                (is_silent && can_tell).then(|| (AccountState::Silent, Some(words.to_owned())))
            });
        }
        self.publish();
    }

    pub(crate) fn all(&self) -> Vec<AccountStanding> {
        let of = |(key, standing): (&AccountKey, &Standing)| AccountStanding {
            channel: key.channel,
            account: key.account.clone(),
            state: standing.state,
            since: standing.since,
            words: standing.words.clone(),
            heard_at: standing.heard_at,
            waiting: standing.waiting,
        };
        self.lock().iter().map(of).collect()
    }

    fn change(
        &self,
        key: &AccountKey,
        now: Millis,
        to: impl FnOnce(&mut Standing) -> Option<(AccountState, Option<String>)>,
    ) {
        let mut accounts = self.lock();
        let Some(standing) = accounts.get_mut(key).filter(|standing| !standing.unusable) else { return };
        let Some((state, words)) = to(standing) else { return };
        if standing.state != state {
            (standing.state, standing.since) = (state, now);
            let (channel, account) = (key.channel, &key.account);
            match state {
                AccountState::Unknown | AccountState::Working => {
                    tracing::info!(%channel, %account, "account works")
                }
                AccountState::Refused | AccountState::Limited | AccountState::Silent => {
                    tracing::warn!(%channel, %account, state = state.as_str(), words, "account does not work");
                }
            }
        }
        standing.words = words;
        drop(accounts);
        self.publish();
    }

    fn publish(&self) {
        for (key, standing) in self.lock().iter() {
            let labels = |state: AccountState| [key.channel.as_str(), key.account.as_str(), state.as_str()];
            for state in AccountState::ALL {
                let is = if standing.state == state { 1.0 } else { 0.0 };
                self.metrics.channel_account_state.set(labels(state), is);
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "a gauge is a float; nobody has 2^52 messages waiting"
            )]
            self.metrics
                .channel_waiting
                .set([key.channel.as_str(), key.account.as_str()], standing.waiting as f64);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountKey, Standing>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ChannelKind, SubjectToken};

    use super::*;

    fn key() -> AccountKey {
        AccountKey { channel: ChannelKind::Webhook, account: SubjectToken::new("crm").unwrap() }
    }

    fn state(standings: &Standings) -> AccountState {
        standings.all()[0].state
    }

    #[test]
    fn silence_is_told_after_its_time_and_ends_with_a_word() {
        let metrics = Metrics::new();
        let standings = Standings::new(metrics.clone(), [(key(), 1000)], Millis(5));
        standings.works(&key(), Millis(10));
        standings.look(Millis(1005));
        assert_eq!(state(&standings), AccountState::Working);
        standings.look(Millis(1006));
        assert_eq!(state(&standings), AccountState::Silent);
        standings.works(&key(), Millis(1007));
        assert_eq!(
            state(&standings),
            AccountState::Silent,
            "that it takes what we send says nothing about what comes"
        );
        let line =
            "winterband_channel_account_state{channel=\"webhook\",account=\"crm\",state=\"silent\"} 1.0";
        assert!(metrics.encode().unwrap().contains(line));
        standings.heard(&key(), Millis(1008));
        assert_eq!(state(&standings), AccountState::Working);
    }

    #[test]
    fn who_is_not_let_in_is_not_called_silent() {
        let standings = Standings::new(Metrics::new(), [(key(), 1000)], Millis(0));
        standings.ails(&key(), Millis(1), AccountState::Refused, "check the password");
        standings.look(Millis(9000));
        let found = standings.all().remove(0);
        assert_eq!(
            (found.state, found.words.as_deref()),
            (AccountState::Refused, Some("check the password"))
        );
        standings.works(&key(), Millis(9001));
        assert_eq!(state(&standings), AccountState::Working);
    }
}
