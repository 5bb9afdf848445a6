//! Agents and customers, and what agents give.

use std::sync::atomic::Ordering;

use protocol::command::{Command, Presence};
use protocol::content::{Content, Sealed};
use protocol::input::CustomerMessage;
use protocol::remedies::RemedyOutcome;
use protocol::remedy::{Claim, Gift, Occasion, RemedyCommand, RemedyKind};
use protocol::*;
use uuid::Uuid;

use crate::world::{World, subjects, token};

pub(crate) fn euros(cents: i64) -> Option<Money> {
    Some(Money { cents, currency: "EUR".parse().unwrap() })
}

/// A gift for a claimed reason.
pub(crate) fn gift(kind: RemedyKind, reason: &str, cents: i64) -> Gift {
    let claim = Claim { reason: Some(token(reason)), ..Claim::default() };
    Gift {
        kind,
        occasion: Occasion::Trust,
        claim,
        money: euros(cents),
        due: None,
        words: None,
        tell: None,
        on_top_of: None,
    }
}

pub(crate) fn tyres() -> Gift {
    gift(RemedyKind::Refund, "not_ours", 60_000)
}

/// A contact that an agent holds.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) agent: AgentId,
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    pub(crate) identity: IdentityId,
}

impl World {
    /// An agent takes contacts from here on.
    pub(crate) async fn come(&self, agent: AgentId) {
        self.command(
            agent,
            Command::SetPresence { presence: Presence::Online, reason: None, when_free: false },
        )
        .await;
    }

    pub(crate) async fn go(&self, agent: AgentId) {
        self.command(
            agent,
            Command::SetPresence { presence: Presence::Away, reason: None, when_free: false },
        )
        .await;
    }

    /// A new customer writes and is taken by an agent who is there.
    pub(crate) async fn contact(&self) -> Held {
        let n = self.customers.fetch_add(1, Ordering::Relaxed);
        let identity = IdentityId(Hash128(u128::from(n).to_be_bytes()));
        let message = MessageId(Uuid::now_v7());
        let body = self.seal(identity, "four winter tyres").await;
        let said = CustomerMessage::new(
            message,
            ChannelKind::Web,
            token("shop"),
            identity,
            Hash128(*message.0.as_bytes()),
            Hash128([3; 16]),
            body,
        );
        self.input(&subjects().inbound_message(ChannelKind::Web, &token("shop")), InputBody::Message(said))
            .await;
        let (offer, held) = self.until("an offer", async |world| world.offered(identity).await).await;
        let accepted = self.command(held.agent, Command::Accept { offer }).await;
        self.until("the contact is taken", async |world| {
            let settled = |event: &Event| matches!(event, Event::CommandSettled { command, .. } if *command == accepted);
            world.contacts().await.iter().any(|record| record.events.iter().any(settled)).then_some(())
        })
        .await;
        held
    }

    async fn offered(&self, of: IdentityId) -> Option<(OfferId, Held)> {
        let (mut conversation, mut contact) = (None, None);
        for event in self.contacts().await.into_iter().flat_map(|record| record.events) {
            match event {
                Event::ConversationOpened { conversation: id, identity, .. } if identity == of => {
                    conversation = Some(id);
                }
                Event::ContactOpened { contact: id, conversation: its, .. } if Some(its) == conversation => {
                    contact = Some(id);
                }
                Event::OfferMade { offer, contact: its, agent, .. } if Some(its) == contact => {
                    return Some((
                        offer,
                        Held { agent, contact: its, conversation: conversation?, identity: of },
                    ));
                }
                _ => {}
            }
        }
        None
    }

    pub(crate) async fn seal(&self, identity: IdentityId, text: &str) -> Sealed {
        let content = serde_json::to_vec(&Content::words(text.to_owned())).unwrap();
        self.sealer.seal(identity, &content).await.unwrap()
    }

    pub(crate) async fn unseal(&self, sealed: &Sealed) -> String {
        let bytes = self.sealer.unseal(sealed).await.unwrap();
        serde_json::from_slice::<Content>(&bytes).unwrap().text
    }

    pub(crate) async fn ask(&self, agent: AgentId, ask: RemedyCommand) -> CommandId {
        self.command(agent, Command::Empower { ask: Box::new(ask) }).await
    }

    pub(crate) async fn outcome(&self, command: CommandId) -> RemedyOutcome {
        self.until("the answer to a command", async |world| {
            world.events().await.into_iter().find_map(|event| match event {
                RemedyEvent::CommandSettled { command: of, outcome, .. } if of == command => Some(outcome),
                _ => None,
            })
        })
        .await
    }

    /// Gives, and waits for the answer.
    pub(crate) async fn give(&self, held: Held, gift: Gift) -> RemedyOutcome {
        let (contact, gift) = (held.contact, Box::new(gift));
        let command =
            self.ask(held.agent, RemedyCommand::Give { contact, gift, ask: false, case: None }).await;
        self.outcome(command).await
    }

    /// Gives what is within the latitude.
    pub(crate) async fn given(&self, held: Held, gift: Gift) -> RemedyId {
        match self.give(held, gift).await {
            RemedyOutcome::Granted { remedy, .. } => remedy,
            other => panic!("not given: {other:?}"),
        }
    }
}
