//! Wallets: what was given within a scope. Reserved before it is spent, exact whichever card gave.

use protocol::policy::Per;
use protocol::remedy::{ContactContext, Occasion};
use protocol::till::{Balance, WalletId, WalletLine, Wallets, WalletsQuestion};
use protocol::{AgentId, Currency, Millis, SubjectToken};
use serde::{Deserialize, Serialize};

use crate::apply::Misfit;
use crate::calendar::{day, year};
use crate::limits::{DAY_WALLET_KEPT_MS, WALLET_KEPT_MS};
use crate::state::{Index, State};

/// What the names of wallets begin with in which only practice counts; no id and no name has brackets in it.
const PRACTICE: &str = "(practice)";

fn is_practised(id: &WalletId) -> bool {
    id.of.starts_with(PRACTICE)
}

/// A balance and when it last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wallet {
    pub(crate) balance: Balance,
    touched: Millis,
}

/// Where a gift counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scopes<'a> {
    pub(crate) context: &'a ContactContext,
    /// Whose day: who gives, or who said yes to it.
    pub(crate) agent: AgentId,
    pub(crate) incident: Option<&'a SubjectToken>,
    pub(crate) at: Millis,
}

impl Scopes<'_> {
    /// The wallet of a scope; `None` for an incident that is not named.
    pub(crate) fn wallet(&self, per: Per, currency: Currency) -> Option<WalletId> {
        let of = match per {
            Per::Contact => self.context.contact.to_string(),
            Per::AgentDay => format!("{}/{}", self.agent, day(self.at)),
            // Who works in no team counts with those of their queue.
            Per::TeamDay => {
                let team = self.context.team.as_ref().unwrap_or(&self.context.queue);
                format!("{team}/{}", day(self.at))
            }
            Per::CustomerYear | Per::SurpriseYear => format!("{}/{}", self.context.identity, year(self.at)),
            Per::Incident => self.incident?.to_string(),
        };
        // What is practised counts for itself.
        let of = if self.context.practice { format!("{PRACTICE}/{of}") } else { of };
        Some(WalletId { per, of, currency })
    }

    /// Every wallet that a gift counts in.
    pub(crate) fn all(&self, occasion: Occasion, currency: Currency) -> Vec<WalletId> {
        let surprise = match occasion {
            Occasion::Surprise => Some(Per::SurpriseYear),
            Occasion::Failure | Occasion::Trust => None,
        };
        let always = [Per::Contact, Per::AgentDay, Per::TeamDay, Per::CustomerYear, Per::Incident];
        always.into_iter().chain(surprise).filter_map(|per| self.wallet(per, currency)).collect()
    }
}

/// How reserved cents move.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Reserve,
    Spend,
    Release,
}

fn moved(balance: Balance, cents: u64, how: Move) -> Option<Balance> {
    let Balance { reserved, spent } = balance;
    Some(match how {
        Move::Reserve => Balance { reserved: reserved.checked_add(cents)?, spent },
        Move::Spend => Balance { reserved: reserved.checked_sub(cents)?, spent: spent.checked_add(cents)? },
        Move::Release => Balance { reserved: reserved.checked_sub(cents)?, spent },
    })
}

impl Wallet {
    /// Until when it is kept; one with something reserved has no end.
    fn kept_until(&self, per: Per) -> Option<Millis> {
        let kept_ms = match per {
            Per::AgentDay | Per::TeamDay => DAY_WALLET_KEPT_MS,
            Per::Contact | Per::CustomerYear | Per::Incident | Per::SurpriseYear => WALLET_KEPT_MS,
        };
        (self.balance.reserved == 0).then(|| self.touched.plus(kept_ms))
    }
}

impl Index {
    pub(crate) fn link_wallet(&mut self, id: &WalletId, wallet: &Wallet) {
        if let Some(until) = wallet.kept_until(id.per) {
            self.old_wallets.add(until, id.clone());
        }
    }
}

impl State {
    /// Cents reserved or spent in the scope's wallet.
    pub(crate) fn used(&self, scopes: &Scopes<'_>, per: Per, currency: Currency) -> u64 {
        let wallet = scopes.wallet(per, currency).and_then(|id| self.stored.wallets.get(&id));
        wallet.map_or(0, |wallet| wallet.balance.reserved.saturating_add(wallet.balance.spent))
    }

    /// Moves cents in each of the wallets.
    pub(crate) fn move_cents(
        &mut self,
        at: Millis,
        ids: &[WalletId],
        cents: u64,
        how: Move,
    ) -> Result<(), Misfit> {
        for id in ids {
            let before = self.stored.wallets.get(id).copied().unwrap_or_default();
            let balance = moved(before.balance, cents, how).ok_or_else(|| Misfit::Wallet(id.clone()))?;
            if let Some(until) = before.kept_until(id.per) {
                self.index.old_wallets.remove(until, id);
            }
            if balance == Balance::default() {
                self.stored.wallets.remove(id);
                continue;
            }
            let wallet = Wallet { balance, touched: at };
            self.index.link_wallet(id, &wallet);
            self.stored.wallets.insert(id.clone(), wallet);
        }
        Ok(())
    }

    pub(crate) fn forget_wallets(&mut self, at: Millis) {
        for id in self.index.old_wallets.take_old(at, usize::MAX) {
            self.stored.wallets.remove(&id);
        }
    }
}

/// The wallets that are not empty: an agent's, a customer's, or all.
#[must_use]
pub fn wallets(state: &State, question: &WalletsQuestion) -> Wallets {
    let agent = question.agent.map(|agent| agent.to_string());
    let identity = question.identity.map(|identity| identity.to_string());
    let is_asked = |id: &WalletId| {
        let of = id.of.split('/').next();
        match id.per {
            Per::AgentDay => agent.is_some() && of == agent.as_deref(),
            Per::CustomerYear | Per::SurpriseYear => identity.is_some() && of == identity.as_deref(),
            Per::Contact | Per::TeamDay | Per::Incident => false,
        }
    };
    let wants_all = agent.is_none() && identity.is_none();
    let lines = state
        .stored
        .wallets
        .iter()
        .filter(|(id, _)| !is_practised(id) && (wants_all || is_asked(id)))
        .map(|(id, wallet)| WalletLine { wallet: id.clone(), balance: wallet.balance })
        .collect();
    Wallets { log_seq: state.log_seq(), lines }
}
