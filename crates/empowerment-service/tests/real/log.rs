//! What stands in the logs, what the worker answers, and whether both agree with the shop.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::Deadline;
use protocol::remedies::Grant;
use protocol::remedy::Claim;
use protocol::subjects::Subject;
use protocol::till::{TillAnswer, TillQuestion, Wallets, WalletsQuestion};
use protocol::*;

use crate::floor::Held;
use crate::world::{World, subjects, token};

impl World {
    /// Waits until this event of a remedy stands in the log.
    pub(crate) async fn until_event<T>(&self, what: &str, find: impl Fn(&RemedyEvent) -> Option<T>) -> T {
        self.until(what, async |world| world.events().await.iter().find_map(&find)).await
    }

    pub(crate) async fn until_told(&self, remedy: RemedyId) -> TellId {
        let tell = self
            .until_event("a telling is wanted", |event| match event {
                RemedyEvent::TellWanted {
                    tell,
                    what: protocol::remedies::TellWhat::Remedy { remedy: of, .. },
                    ..
                } if *of == remedy => Some(*tell),
                _ => None,
            })
            .await;
        self.until_event("the customer was told", |event| match event {
            RemedyEvent::TellEnded { tell: of, told } if *of == tell => {
                assert!(told);
                Some(())
            }
            _ => None,
        })
        .await;
        tell
    }

    /// What customers were told about remedies, in the clear.
    pub(crate) async fn tellings(&self) -> Vec<(ConversationId, String)> {
        let mut told = Vec::new();
        for record in self.contacts().await {
            let Cause::Input { input, .. } = record.cause else { continue };
            let InputBody::Wish(protocol::remedy::Wish::Tell { conversation, body, .. }) = input.body else {
                continue;
            };
            let stands = |event: &Event| matches!(event, Event::CustomerTold { told: true, .. });
            if record.events.iter().any(stands) {
                told.push((conversation, self.unseal(&body).await));
            }
        }
        told
    }

    pub(crate) async fn contacts(&self) -> Vec<Record> {
        let items = self.bus.read_range(streams::CONTACTS, 1, u64::MAX, usize::MAX).await.unwrap();
        items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
    }

    pub(crate) async fn remedies(&self) -> Vec<(u64, RemedyRecord)> {
        let items = self.bus.read_range(streams::REMEDIES, 1, u64::MAX, usize::MAX).await.unwrap();
        items.iter().map(|item| (item.seq, serde_json::from_slice(&item.payload).unwrap())).collect()
    }

    pub(crate) async fn events(&self) -> Vec<RemedyEvent> {
        self.remedies().await.into_iter().flat_map(|(_, record)| record.events).collect()
    }

    pub(crate) async fn grants(&self) -> Vec<Grant> {
        let granted = |event| match event {
            RemedyEvent::Granted(grant) => Some(*grant),
            _ => None,
        };
        self.events().await.into_iter().filter_map(granted).collect()
    }

    pub(crate) async fn till(&self, held: Held, claim: Claim) -> Option<TillAnswer> {
        let context = protocol::remedy::ContactContext {
            contact: held.contact,
            conversation: held.conversation,
            identity: held.identity,
            channel: ChannelKind::Web,
            queue: token("general"),
            holder: Some(held.agent),
            team: None,
            language: None,
            effort: protocol::remedy::Effort::default(),
            scores: protocol::feedback::Scores::default(),
            practice: false,
        };
        let question = TillQuestion { agent: held.agent, context, claim, currency: None };
        self.request(&subjects().till(), &question).await
    }

    pub(crate) async fn request<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        subject: &Subject,
        question: &Q,
    ) -> Option<A> {
        let payload = serde_json::to_vec(question).unwrap().into();
        let answer =
            self.bus.request(subject, payload, Deadline::after(Duration::from_secs(5))).await.ok()?;
        serde_json::from_slice(&answer).ok()
    }

    pub(crate) async fn wallets(&self) -> Wallets {
        self.until("the wallets", async |world| {
            world.request(&subjects().wallets(), &WalletsQuestion::default()).await
        })
        .await
    }

    /// Every wallet is what the log says, and nothing is reserved; the shop has spent as much.
    pub(crate) async fn assert_balanced(&self) {
        let mut spent: BTreeMap<_, u64> = BTreeMap::new();
        let mut sum = 0;
        let events = self.events().await;
        for grant in self.grants().await {
            let is = |event: &RemedyEvent| matches!(event, RemedyEvent::Done { remedy, .. } if *remedy == grant.remedy);
            if !events.iter().any(is) {
                continue;
            }
            let cents = grant.money().map_or(0, |money| money.cents);
            sum += cents;
            for wallet in &grant.wallets {
                *spent.entry(wallet.clone()).or_default() += u64::try_from(cents).unwrap();
            }
        }
        let lines = self.wallets().await.lines;
        let found: BTreeMap<_, _> =
            lines.iter().map(|line| (line.wallet.clone(), line.balance.spent)).collect();
        assert!(lines.iter().all(|line| line.balance.reserved == 0), "{lines:#?}");
        assert_eq!(found, spent, "wallets and log");
        assert_eq!(sum, self.shop.cents(), "log and shop");
    }
}
