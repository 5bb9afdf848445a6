//! Who a customer is and what is held of them, as the read models tell it.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Bus, Deadline};
use protocol::customer::TimelineEntry;
use protocol::limits::{HISTORY_ENTRIES_MAX, IDENTITIES_MAX};
use protocol::rights::{About, Holding, HoldingsAnswer, HoldingsQuestion};
use protocol::streams::CONTACTS;
use protocol::subjects::Subjects;
use protocol::{IdentityId, Subject, SubjectToken};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Role;

/// How long the read models have to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long they have to read what stands in the log already.
const READ_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Most identities of one customer.
pub(crate) const CUSTOMER_MAX: usize = 1_000;

/// Why nothing was gathered; fate: retry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gathering {
    #[error("the read models do not answer")]
    Silent,
    #[error("there are more than {CUSTOMER_MAX} identities")]
    TooMany,
}

/// Asks the read models; `None` if nobody answers in time.
async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
    bus: &Bus,
    subject: &Subject,
    question: &Q,
) -> Option<A> {
    let payload = serde_json::to_vec(question).ok()?.into();
    let answer = bus.request(subject, payload, Deadline::after(ANSWER_WAIT)).await;
    let answer = answer.inspect_err(|error| tracing::debug!(%error, "the read models do not answer")).ok()?;
    serde_json::from_slice(&answer).ok()
}

/// What is held of identities, by all that stands in the log when it is asked: read models that are still being built wait.
///
/// # Errors
/// [`Gathering::Silent`]; fate: retry.
pub(crate) async fn holdings(
    bus: &Bus,
    subjects: &Subjects,
    question: &HoldingsQuestion,
) -> Result<HoldingsAnswer, Gathering> {
    let last = bus.read_last(CONTACTS).await.map_err(|_| Gathering::Silent)?.map_or(0, |item| item.seq);
    let deadline = Deadline::after(READ_WAIT);
    loop {
        let answer: Option<HoldingsAnswer> = ask(bus, &subjects.views_holdings(), question).await;
        match answer {
            Some(answer) if answer.log_seq >= last => return Ok(answer),
            Some(_) if !deadline.has_passed() => tokio::time::sleep(LOOK_EVERY).await,
            Some(_) | None => return Err(Gathering::Silent),
        }
    }
}

impl Role {
    /// As [`ask`].
    pub(crate) async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        subject: &Subject,
        question: &Q,
    ) -> Option<A> {
        ask(&self.bus, subject, question).await
    }

    /// As [`holdings`].
    pub(crate) async fn holdings(&self, question: &HoldingsQuestion) -> Result<HoldingsAnswer, Gathering> {
        holdings(&self.bus, &self.subjects, question).await
    }

    /// All identities of a customer, with what is held of each. Who was named and never wrote is among them with nothing.
    pub(crate) async fn customer(&self, about: &About) -> Result<(Vec<IdentityId>, Vec<Holding>), Gathering> {
        let mut all: BTreeSet<IdentityId> = about.identities.iter().copied().collect();
        let mut holdings = Vec::new();
        let (mut conversation, mut looked) = (about.conversation, BTreeSet::new());
        loop {
            let around: Vec<_> = all.difference(&looked).copied().take(IDENTITIES_MAX).collect();
            if around.is_empty() && conversation.is_none() {
                return Ok((all.into_iter().collect(), holdings));
            }
            let identities = around.clone();
            let question = HoldingsQuestion {
                conversation: conversation.take(),
                identities,
                joined: true,
                ..Default::default()
            };
            let answer = self.holdings(&question).await?;
            looked.extend(around);
            for holding in answer.holdings {
                if all.insert(holding.identity)
                    || !holdings.iter().any(|one: &Holding| one.identity == holding.identity)
                {
                    holdings.push(holding);
                }
            }
            if all.len() > CUSTOMER_MAX {
                return Err(Gathering::TooMany);
            }
        }
    }

    /// A part of what was said with them, the latest first: what stands before a place, and whether there is more.
    pub(crate) async fn entries(
        &self,
        identities: &[IdentityId],
        before: Option<u64>,
    ) -> Result<HoldingsAnswer, Gathering> {
        let question = HoldingsQuestion {
            identities: identities.to_vec(),
            before,
            limit: u32::try_from(HISTORY_ENTRIES_MAX).unwrap_or(u32::MAX),
            ..HoldingsQuestion::default()
        };
        self.holdings(&question).await
    }
}

/// Goes through all entries of identities, some at a time.
pub(crate) struct Pages<'a> {
    role: &'a Role,
    groups: Vec<Vec<IdentityId>>,
    before: Option<u64>,
    /// By which accounts they wrote, as far as was read.
    pub(crate) accounts: BTreeSet<SubjectToken>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(role: &'a Role, identities: &[IdentityId]) -> Self {
        let groups = identities.chunks(IDENTITIES_MAX).map(<[_]>::to_vec).collect();
        Self { role, groups, before: None, accounts: BTreeSet::new() }
    }

    /// The next ones; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<TimelineEntry>>, Gathering> {
        let Some(group) = self.groups.last() else { return Ok(None) };
        let HoldingsAnswer { holdings, entries, has_more, .. } =
            self.role.entries(group, self.before).await?;
        self.accounts.extend(holdings.into_iter().flat_map(|one| one.accounts));
        self.before = entries.first().map(|entry| entry.place);
        if !has_more || entries.is_empty() {
            self.groups.pop();
            self.before = None;
        }
        Ok(Some(entries))
    }
}
