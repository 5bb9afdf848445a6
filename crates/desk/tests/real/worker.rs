//! The empowerment worker played by hand, and a colleague who leads.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Deadline, Requests};
use protocol::config::{Agent, Queue, RoutingConfig};
use protocol::content::{Content, Sealed};
use protocol::facts::FactValues;
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::policy::{Ask, Policy, PolicyInput};
use protocol::remedies::{Grant, RemedyInput, RemedyOutcome};
use protocol::remedy::{
    Claim, ContactContext, Effort, EmpowermentInput, Gift, GiftKey, Occasion, RemedyCommand, RemedyKind,
};
use protocol::*;
use serde_json::{Value, json};

use crate::world::{ANNA, CONTACT, CONVERSATION, CUSTOMER, Desk, OFFER, PATIENCE, World, subjects};

pub(crate) const BEN: AgentId = AgentId(uuid::Uuid::from_u128(2));
pub(crate) const CLEO: AgentId = AgentId(uuid::Uuid::from_u128(3));
pub(crate) const REMEDY: RemedyId = RemedyId { log_seq: 5, n: 0 };
pub(crate) const ASK: AskId = AskId { log_seq: 4, n: 0 };
pub(crate) const PROMISE: PromiseId = PromiseId { log_seq: 4, n: 1 };

/// Anna, Ben who leads, and Cleo; each can sign in.
pub(crate) async fn floor() -> World {
    floor_with(&[]).await
}

pub(crate) async fn floor_with(settings: &[(&str, &str)]) -> World {
    let mut world = Box::pin(World::bare(settings, 64 << 20)).await;
    let general = SubjectToken::new("general").unwrap();
    let agent = |id, name: &str, title: &str| Agent {
        title: title.to_owned(),
        queues: BTreeSet::from([general.clone()]),
        capacity: BTreeMap::from([(ChannelKind::Web, 2)]),
        lead: id == BEN,
        ..Agent::new(id, SubjectToken::new(name).unwrap())
    };
    let queue = Queue {
        title: "General".to_owned(),
        offer_ms: 20_000,
        reopen_ms: 60_000,
        ..Queue::new(general.clone())
    };
    let agents = vec![agent(ANNA, "anna", "Anna"), agent(BEN, "ben", "Ben"), agent(CLEO, "cleo", "Cleo")];
    let config = RoutingConfig { queues: vec![queue], agents, ..RoutingConfig::default() };
    let config = ConfigInput {
        replaces: None,
        id: NoticeId(uuid::Uuid::nil()),
        hash: Hash128([1; 16]),
        config: Box::new(config),
    };
    world.decide(InputBody::Config(config), vec![Event::ConfigApplied]).await;
    for (id, name) in [(BEN, "ben"), (CLEO, "cleo")] {
        let name = SubjectToken::new(name).unwrap();
        ::desk::accounts::create_agent(&world.bus, &name, id, "winter").await.unwrap();
    }
    world
}

/// Anna holds the contact.
pub(crate) async fn held() -> (World, Desk) {
    // Boxed: a world and how it begins is a large thing to keep on a stack.
    let mut world = Box::pin(floor()).await;
    let (mut desk, _) = world.desk(&world.token_of("anna").await, json!({})).await;
    hold(&mut world, &mut desk).await;
    (world, desk)
}

pub(crate) async fn hold(world: &mut World, desk: &mut Desk) {
    world.offer("these tyres are not yours").await;
    desk.next("offer").await;
    desk.command(json!({"do": "accept", "offer": OFFER})).await;
    world.accept().await;
    for kind in ["offer_ended", "contact", "settled"] {
        desk.next(kind).await;
    }
}

/// A gift as a desk sends it.
pub(crate) fn give(contact: ContactId, words: &str) -> Value {
    json!({
        "do": "give", "contact": contact, "ask": true, "case": "four tyres\nno receipt\nvery cold",
        "gift": {
            "kind": "refund", "occasion": "trust", "claim": {"reason": "not_ours"},
            "money": {"cents": 60_000, "currency": "EUR"}, "words": words, "tell": "here you are",
        },
    })
}

pub(crate) fn context() -> ContactContext {
    ContactContext {
        contact: CONTACT,
        conversation: CONVERSATION,
        identity: CUSTOMER,
        channel: ChannelKind::Web,
        queue: SubjectToken::new("general").unwrap(),
        holder: Some(ANNA),
        team: None,
        language: None,
        effort: Effort::default(),
        practice: false,
        scores: protocol::feedback::Scores::default(),
    }
}

pub(crate) fn gift(words: Option<Sealed>) -> Gift {
    Gift {
        kind: RemedyKind::Refund,
        occasion: Occasion::Trust,
        claim: Claim { reason: Some(SubjectToken::new("not_ours").unwrap()), ..Claim::default() },
        money: Some(Money { cents: 60_000, currency: "EUR".parse().unwrap() }),
        due: None,
        words,
        tell: None,
        on_top_of: None,
    }
}

pub(crate) fn granted(words: Option<Sealed>, approved_by: Option<AgentId>) -> RemedyEvent {
    let about = SubjectToken::new("a").unwrap();
    RemedyEvent::Granted(Box::new(Grant {
        remedy: REMEDY,
        agent: ANNA,
        approved_by,
        context: context(),
        gift: gift(words),
        key: GiftKey { about, line: None, reason: None, incident: None, on_top_of: None },
        card: None,
        wallets: Vec::new(),
        undo_until: Millis(99_000),
        language: "en".parse().unwrap(),
        facts: FactValues::new(),
    }))
}

pub(crate) fn settled(command: CommandId, agent: AgentId, outcome: RemedyOutcome) -> RemedyEvent {
    RemedyEvent::CommandSettled { command, agent, outcome }
}

pub(crate) fn opened(case: &Sealed) -> RemedyEvent {
    serde_json::from_value(json!({
        "event": "ask_opened", "ask": ASK, "agent": ANNA, "context": context(), "gift": gift(None),
        "case": case, "whom": Ask::AskPeer, "until": 90_000,
    }))
    .unwrap()
}

pub(crate) fn policy() -> Policy {
    let words = json!({"en": "words"});
    let limit = json!([{"per": "contact", "cents": {"EUR": 60_000}}]);
    serde_json::from_value(json!({
        "sentence": {"en": "Use your good judgement."}, "stands_behind": "Mia", "customer_word": words,
        "languages": ["en"], "currencies": ["EUR"], "helps_first": ["refund"], "undo_ms": 10_000,
        "latitude": {"up_to": limit, "beyond": "ask_peer", "hint": words, "tell": words},
        "asking": {"peer_ms": 1, "lead_ms": 1, "soft_limit": {}, "promise_ms": 1, "promise_tell": words},
        "reasons": [],
        "cards": [{
            "id": "tyres", "title": words, "when": ["true"], "answer": "yes", "hint": words,
            "praise": {"en": "You did well"},
        }],
    }))
    .unwrap()
}

impl World {
    /// A record of the worker.
    pub(crate) async fn remedies_caused(&self, cause: RemedyCause, events: Vec<RemedyEvent>) {
        let at = Millis(self.kit.clock.unix_ms());
        let record = RemedyRecord { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([4; 16]), cause, events };
        let (id, bytes) = (uuid::Uuid::now_v7().to_string(), serde_json::to_vec(&record).unwrap());
        let deadline = Deadline::after(PATIENCE);
        self.bus.publish_durable(&subjects().remedies(), &id, bytes.into(), deadline).await.unwrap();
    }

    pub(crate) async fn remedies(&self, events: Vec<RemedyEvent>) {
        self.remedies_caused(RemedyCause::Timer, events).await;
    }

    pub(crate) async fn apply_policy(&self) {
        let id = NoticeId(uuid::Uuid::nil());
        let input = PolicyInput { id, hash: Hash128([4; 16]), policy: policy(), replaces: None };
        let input = EmpowermentInput::Policy(Box::new(input));
        let cause = RemedyCause::Contacts { seq: 1, input: RemedyInput::Input { input, context: None } };
        self.remedies_caused(cause, vec![RemedyEvent::PolicyApplied]).await;
    }

    /// The next command for the worker, as it stands in INBOUND; routing passes it on.
    pub(crate) async fn passed(&mut self) -> (CommandId, AgentId, RemedyCommand, String) {
        let (command, text) = self.command().await;
        let (id, agent) = (command.id, command.agent);
        let Command::Empower { ask } = command.command.clone() else { panic!("{text}") };
        self.decide(InputBody::Command(command), vec![Event::Passed { context: None }]).await;
        (id, agent, *ask, text)
    }

    /// The worker answers a command.
    pub(crate) async fn settle(&self, command: CommandId, agent: AgentId, outcome: RemedyOutcome) {
        self.remedies(vec![settled(command, agent, outcome)]).await;
    }

    pub(crate) async fn seal(&self, text: &str) -> Sealed {
        let content = Content::words(text.to_owned());
        self.sealer.seal(CUSTOMER, &serde_json::to_vec(&content).unwrap()).await.unwrap()
    }

    pub(crate) async fn unseal(&self, sealed: &Sealed) -> String {
        let content: Content = serde_json::from_slice(&self.sealer.unseal(sealed).await.unwrap()).unwrap();
        content.text
    }

    /// The token of a fresh session of an agent's.
    pub(crate) async fn token_of(&self, name: &str) -> String {
        let response = self.sign_in(name, "winter").await;
        assert_eq!(response.status(), 204);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        cookie.strip_prefix("wb_session=").unwrap().split(';').next().unwrap().to_owned()
    }

    /// Serves questions as a part of the product that is not there.
    pub(crate) async fn serve(&self, subject: &Subject) -> Requests {
        self.bus.serve(subject, &SubjectToken::new("test").unwrap()).await.unwrap()
    }
}

impl Desk {
    /// Nothing else was on its way to this desk.
    pub(crate) async fn is_quiet(&mut self) {
        self.send(json!({"t": "ping", "n": 77})).await;
        assert_eq!(self.next("pong").await["n"], 77);
    }
}
