//! A small floor that reads in six lines.

use expect_test::Expect;
use protocol::command::{AgentCommand, Outcome, Presence, Refusal};
use protocol::config::{Account, Agent, Category, Disposition, Field, Queue, RoutingConfig, Skill, Tag};
use protocol::content::Sealed;
use protocol::facts::{FactValue, FactValues};
use protocol::input::{ConfigInput, CustomerMessage, SkillNeed, WIRE_VERSION};
use protocol::record::{Cause, Event, Record};
use protocol::{
    Act, AgentId, ChannelKind, Command, CommandId, ContactId, GatewayId, Hash128, IdentityId, Input,
    InputBody, IntegrationAct, MessageId, Millis, NoticeId, OfferId, SkillLevel, SubjectToken,
};
use routing_core::{Phase, State, next_deadline, timer, transition};
use uuid::Uuid;

use crate::tell::tell;

/// Some day in 2026, early in the morning.
pub(crate) const START_MS: u64 = 1_780_000_000_000;
pub(crate) const OFFER_MS: u64 = 20_000;
pub(crate) const WRAP_UP_MS: u64 = 30_000;
pub(crate) const OWNER_WAIT_MS: u64 = 60_000;
pub(crate) const REOPEN_MS: u64 = 3_600_000;
pub(crate) const DECLINE_REST_MS: u64 = 120_000;

pub(crate) fn token(text: &str) -> SubjectToken {
    SubjectToken::new(text).unwrap()
}

pub(crate) fn agent_id(name: &str) -> AgentId {
    let digits = name.bytes().fold(0_u128, |sum, byte| sum * 256 + u128::from(byte));
    AgentId(Uuid::from_u128(digits))
}

pub(crate) fn gateway(n: u128) -> GatewayId {
    GatewayId(Uuid::from_u128(n))
}

pub(crate) fn identity(customer: &str) -> IdentityId {
    IdentityId(hash(customer))
}

pub(crate) fn hash(text: &str) -> Hash128 {
    let mut bytes = [0; 16];
    for (n, byte) in text.bytes().enumerate() {
        bytes[n % 16] ^= byte.rotate_left(u32::try_from(n / 16).unwrap());
    }
    Hash128(bytes)
}

/// An agent of both queues with room for one web and one api contact.
pub(crate) fn agent(name: &str) -> Agent {
    Agent {
        title: name.to_owned(),
        queues: ["sales", "support"].map(token).into(),
        capacity: [(ChannelKind::Web, 1), (ChannelKind::Api, 1)].into(),
        ..Agent::new(agent_id(name), token(name))
    }
}

pub(crate) trait AgentWith {
    fn only(self, queue: &str) -> Self;
    fn skill(self, name: &str, level: u8) -> Self;
    fn web(self, slots: u16) -> Self;
    fn bot(self) -> Self;
}

impl AgentWith for Agent {
    fn only(mut self, queue: &str) -> Self {
        self.queues = [token(queue)].into();
        self
    }

    fn skill(mut self, name: &str, level: u8) -> Self {
        self.skills.insert(token(name), SkillLevel::try_from(level).unwrap());
        self
    }

    fn bot(mut self) -> Self {
        self.bot = true;
        self
    }

    fn web(mut self, slots: u16) -> Self {
        self.capacity.insert(ChannelKind::Web, slots);
        self
    }
}

/// Queue `sales` without wrap-up, `support` with; account `shop` (web) leads to sales, `mail` (api) to support.
pub(crate) fn config(agents: impl IntoIterator<Item = Agent>) -> RoutingConfig {
    let queue = |name: &str, wrap_up_ms| Queue {
        title: name.to_owned(),
        offer_ms: OFFER_MS,
        wrap_up_ms,
        owner_wait_ms: OWNER_WAIT_MS,
        reopen_ms: REOPEN_MS,
        decline_rest_ms: DECLINE_REST_MS,
        ..Queue::new(token(name))
    };
    let skill = |name: &str| Skill { name: token(name), title: name.to_owned() };
    let account = |channel, name: &str, queue: &str| Account {
        channel,
        name: token(name),
        title: name.to_owned(),
        queue: token(queue),
        priority: 5,
        practice: false,
    };
    let category = |name: &str, queue: Option<&str>, priority, needs: &[(&str, u8)]| Category {
        name: token(name),
        queue: queue.map(token),
        priority,
        needs: needs
            .iter()
            .map(|(skill, level)| SkillNeed {
                skill: token(skill),
                level: SkillLevel::try_from(*level).unwrap(),
            })
            .collect(),
    };
    RoutingConfig {
        queues: vec![queue("sales", 0), queue("support", WRAP_UP_MS)],
        skills: vec![skill("dutch"), skill("billing")],
        agents: agents.into_iter().collect(),
        accounts: vec![
            account(ChannelKind::Web, "shop", "sales"),
            account(ChannelKind::Api, "mail", "support"),
        ],
        categories: vec![
            category("dutch", None, None, &[("dutch", 3)]),
            category("urgent", None, Some(0), &[]),
            category("broken", Some("support"), None, &[]),
        ],
        dispositions: vec![Disposition { name: token("done"), title: "Done".into(), fields: Vec::new() }],
        tags: ["vip", "late"].map(|name| Tag { name: token(name), title: name.into(), colour: None }).into(),
        contact_fields: vec![
            Field {
                name: token("cause"),
                title: "Cause".into(),
                choices: ["shop", "carrier"].map(token).into(),
            },
            Field { name: token("order"), title: "Order".into(), choices: Vec::new() },
        ],
        ..RoutingConfig::default()
    }
}

/// A floor that is played on, with its log.
#[derive(Clone)]
pub(crate) struct Floor {
    pub(crate) state: State,
    pub(crate) log: Vec<Record>,
    pub(crate) now: u64,
    inbound: u64,
    born: u64,
    pub(crate) last_input: Option<InputBody>,
}

impl Floor {
    pub(crate) fn empty() -> Self {
        let (state, log) = (State::new(), Vec::new());
        Self { state, log, now: START_MS, inbound: 0, born: 0, last_input: None }
    }

    /// With these agents configured, nobody there.
    pub(crate) fn of(agents: impl IntoIterator<Item = Agent>) -> Self {
        let mut floor = Self::empty();
        floor.configure(config(agents));
        floor
    }

    /// With these agents online, each a second after the one before.
    pub(crate) fn online(agents: impl IntoIterator<Item = Agent>) -> Self {
        let agents: Vec<_> = agents.into_iter().collect();
        let names: Vec<_> = agents.iter().map(|agent| agent.title.clone()).collect();
        let mut floor = Self::of(agents);
        for name in names {
            floor.connects(&name, 1).wait(500);
            floor.comes(&name).wait(500);
        }
        floor
    }

    /// That remembers so many conversations.
    pub(crate) fn at_most(mut self, conversations: usize) -> Self {
        self.state = self.state.with_conversations_max(conversations);
        self
    }

    /// A UUID v7 of this moment.
    fn uuid(&mut self) -> Uuid {
        self.born += 1;
        let random = u128::from(self.born);
        Uuid::from_u128((u128::from(self.now) << 80) | (7 << 76) | (2 << 62) | random)
    }

    pub(crate) fn notice(&mut self) -> NoticeId {
        NoticeId(self.uuid())
    }

    pub(crate) fn input(&mut self, body: InputBody) -> &mut Self {
        self.last_input = Some(body.clone());
        self.inbound += 1;
        let input = Input { v: WIRE_VERSION, made_at: Millis(self.now), body };
        let seq = self.inbound;
        self.cause(Cause::Input { seq, input })
    }

    pub(crate) fn next_inbound(&mut self) -> u64 {
        self.inbound += 1;
        self.inbound
    }

    pub(crate) fn cause(&mut self, cause: Cause) -> &mut Self {
        let record = transition(&mut self.state, cause, Millis(self.now)).expect("a new input");
        self.log.push(record);
        self
    }

    /// The last input once more.
    pub(crate) fn again(&mut self) -> &mut Self {
        let body = self.last_input.clone().unwrap();
        self.input(body)
    }

    /// Time passes; every timer on the way fires when it is due.
    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        let until = self.now + ms;
        for _ in 0..10_000 {
            let Some(due) = next_deadline(&self.state).filter(|due| due.0 <= until) else {
                self.now = until;
                return self;
            };
            self.now = self.now.max(due.0);
            if let Some(record) = timer(&mut self.state, Millis(self.now)) {
                self.log.push(record);
            }
        }
        panic!("timers never end: {:?}", self.log.last());
    }

    pub(crate) fn configure(&mut self, config: RoutingConfig) -> &mut Self {
        let id = self.notice();
        let hash = hash(&format!("config {}", self.log.len()));
        self.input(InputBody::Config(ConfigInput { replaces: None, id, hash, config: Box::new(config) }))
    }

    pub(crate) fn connects(&mut self, name: &str, through: u128) -> &mut Self {
        let id = self.notice();
        let (agent, gateway) = (agent_id(name), gateway(through));
        self.input(InputBody::AgentConnected { id, agent, gateway })
    }

    pub(crate) fn disconnects(&mut self, name: &str, through: u128) -> &mut Self {
        let id = self.notice();
        let (agent, gateway) = (agent_id(name), gateway(through));
        self.input(InputBody::AgentDisconnected { id, agent, gateway })
    }

    pub(crate) fn loses_gateway(&mut self, n: u128) -> &mut Self {
        let id = self.notice();
        self.input(InputBody::GatewayLost { id, gateway: gateway(n) })
    }

    pub(crate) fn comes(&mut self, name: &str) -> &mut Self {
        self.asks(name, Command::SetPresence { presence: Presence::Online, reason: None, when_free: false })
    }

    pub(crate) fn goes(&mut self, name: &str, presence: Presence) -> &mut Self {
        self.asks(name, Command::SetPresence { presence, reason: None, when_free: false })
    }

    /// As soon as nothing is held any more.
    pub(crate) fn goes_when_free(&mut self, name: &str, presence: Presence) -> &mut Self {
        let reason = Some("lunch".to_owned());
        self.asks(name, Command::SetPresence { presence, reason, when_free: true })
    }

    /// Away for so long, and online again.
    pub(crate) fn gone_and_back(&mut self, name: &str, ms: u64) -> &mut Self {
        self.goes(name, Presence::Away).wait(ms).comes(name)
    }

    /// A customer writes in the shop.
    pub(crate) fn writes(&mut self, customer: &str) -> &mut Self {
        self.writes_about(customer, None)
    }

    pub(crate) fn writes_about(&mut self, customer: &str, category: Option<&str>) -> &mut Self {
        let message = self.message(customer, ChannelKind::Web, "shop", category);
        self.input(InputBody::Message(message))
    }

    /// A customer's message comes through the API.
    pub(crate) fn mails(&mut self, customer: &str) -> &mut Self {
        let message = self.message(customer, ChannelKind::Api, "mail", None);
        self.input(InputBody::Message(message))
    }

    pub(crate) fn message(
        &mut self,
        customer: &str,
        channel: ChannelKind,
        account: &str,
        category: Option<&str>,
    ) -> CustomerMessage {
        let id = self.uuid();
        CustomerMessage {
            category: category.map(token),
            facts: if self.state.config().facts.is_empty() { FactValues::new() } else { facts_of(customer) },
            ..CustomerMessage::new(
                MessageId(id),
                channel,
                token(account),
                identity(customer),
                Hash128(*id.as_bytes()),
                hash("words"),
                sealed(),
            )
        }
    }

    pub(crate) fn leaves(&mut self, customer: &str) -> &mut Self {
        let id = self.notice();
        self.input(InputBody::CustomerLeft { id, identity: identity(customer) })
    }

    /// A customer of the shop asks for a person.
    pub(crate) fn wants_a_person(&mut self, customer: &str) -> &mut Self {
        let id = self.notice();
        self.input(InputBody::PersonWanted { id, identity: identity(customer) })
    }

    /// Writes in a contact that may be another's.
    pub(crate) fn replies_in(&mut self, name: &str, contact: ContactId) -> &mut Self {
        let message = MessageId(self.uuid());
        self.asks(name, Command::Reply { contact, message, body: sealed() })
    }

    pub(crate) fn asks(&mut self, name: &str, command: Command) -> &mut Self {
        let id = CommandId(self.uuid());
        self.asks_as(id, name, command)
    }

    pub(crate) fn asks_as(&mut self, id: CommandId, name: &str, command: Command) -> &mut Self {
        let agent = agent_id(name);
        self.input(InputBody::Command(AgentCommand { id, agent, command }))
    }

    /// Another system does something.
    pub(crate) fn acts(&mut self, integration: &str, act: Act) -> &mut Self {
        let id = CommandId(self.uuid());
        self.input(InputBody::Integration(IntegrationAct { id, integration: token(integration), act }))
    }

    pub(crate) fn accepts(&mut self, name: &str) -> &mut Self {
        let offer = self.offer_to(name);
        self.asks(name, Command::Accept { offer })
    }

    pub(crate) fn declines(&mut self, name: &str) -> &mut Self {
        let offer = self.offer_to(name);
        self.asks(name, Command::Decline { offer, reason: "no".into() })
    }

    pub(crate) fn resolves(&mut self, name: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.asks(name, resolve(contact))
    }

    pub(crate) fn ends_wrap_up(&mut self, name: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.asks(name, Command::EndWrapUp { contact })
    }

    pub(crate) fn replies(&mut self, name: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.replies_in(name, contact)
    }

    pub(crate) fn notes(&mut self, name: &str) -> &mut Self {
        let contact = self.held_by(name);
        let message = MessageId(self.uuid());
        self.asks(name, Command::Note { contact, message, body: sealed(), mentions: Vec::new() })
    }

    pub(crate) fn gives_to_queue(&mut self, name: &str, queue: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.asks(name, Command::TransferToQueue { contact, queue: token(queue) })
    }

    pub(crate) fn gives_to(&mut self, name: &str, to: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.asks(name, Command::TransferToAgent { contact, agent: agent_id(to), back: false })
    }

    /// Gives it on, and has it again if it is not taken.
    pub(crate) fn hands_over(&mut self, name: &str, to: &str) -> &mut Self {
        let contact = self.held_by(name);
        self.asks(name, Command::TransferToAgent { contact, agent: agent_id(to), back: true })
    }

    /// Why the last command was refused, if it was.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        self.log.last()?.events.iter().find_map(|event| match event {
            Event::CommandSettled { outcome: Outcome::Refused { refusal }, .. } => Some(*refusal),
            _ => None,
        })
    }

    /// Writes, is offered, is taken.
    pub(crate) fn has(&mut self, name: &str, customer: &str) -> &mut Self {
        self.writes(customer).accepts(name)
    }

    pub(crate) fn offer_to(&self, name: &str) -> OfferId {
        let asked = agent_id(name);
        let offers = self.state.contacts().filter_map(|(_, contact)| match contact.phase {
            Phase::Offered { offer, agent, .. } if agent == asked => Some(offer),
            _ => None,
        });
        offers.last().unwrap_or_else(|| panic!("{name} is offered nothing"))
    }

    /// The contact that an agent owns or wraps up.
    pub(crate) fn held_by(&self, name: &str) -> ContactId {
        let holder = agent_id(name);
        let own = self.state.contacts().filter(|(_, contact)| match contact.phase {
            Phase::WithAgent { agent, .. } | Phase::Aside { agent, .. } | Phase::WrapUp { agent, .. } => {
                agent == holder
            }
            _ => false,
        });
        own.last().unwrap_or_else(|| panic!("{name} holds nothing")).0
    }

    pub(crate) fn contact_of(&self, customer: &str) -> ContactId {
        let conversation = self.state.conversation_of(identity(customer)).unwrap();
        self.state.conversation(conversation).unwrap().open.unwrap()
    }

    /// Checks what the last record says.
    #[expect(clippy::needless_pass_by_value, reason = "reads better at each call")]
    pub(crate) fn check(&mut self, expected: Expect) -> &mut Self {
        let record = self.log.last().unwrap();
        expected.assert_eq(&tell(&self.state, record));
        self
    }
}

/// The floor under a changed policy.
pub(crate) fn with(mut floor: Floor, change: impl FnOnce(&mut RoutingConfig)) -> Floor {
    let mut config: RoutingConfig = floor.state.config().as_ref().clone();
    change(&mut config);
    assert_eq!(config.faults(), []);
    floor.configure(config);
    floor
}

pub(crate) fn resolve(contact: ContactId) -> Command {
    Command::Resolve { contact, disposition: token("done"), fields: [].into() }
}

pub(crate) fn sealed() -> Sealed {
    Sealed::from_parts(identity("somebody"), 1, "c2VhbGVk")
}

/// What a customer's messages say where the configuration asks: some say nothing.
fn facts_of(customer: &str) -> FactValues {
    let draw: usize = customer.bytes().map(usize::from).sum();
    let text = |text: &str| FactValue::Text(text.to_owned());
    let said = [
        (
            "customer.tier",
            [Some(text("gold")), Some(text("basic")), None, Some(text("golden"))][draw % 4].clone(),
        ),
        ("customer.site", [Some(text("north")), Some(text("south")), None][draw % 3].clone()),
        (
            "order.value",
            [Some(FactValue::Int(900)), Some(FactValue::Int(500)), None, Some(text("x"))][draw / 3 % 4]
                .clone(),
        ),
        ("order.undeclared", Some(FactValue::Bool(true))),
    ];
    said.into_iter().filter_map(|(name, value)| Some((name.parse().unwrap(), value?))).collect()
}
