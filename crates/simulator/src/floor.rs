//! The core, and the inputs that a floor writes to it.

use protocol::command::{AgentCommand, Presence};
use protocol::config::RoutingConfig;
use protocol::content::Sealed;
use protocol::input::{ConfigInput, CustomerMessage, WIRE_VERSION};
use protocol::record::{Cause, Record};
use protocol::{
    AgentId, ChannelKind, Command, CommandId, ContactId, GatewayId, Hash128, IdentityId, Input, InputBody,
    MessageId, Millis, NoticeId, SubjectToken,
};
use routing_core::{State, TransitionError, next_deadline, timer, transition};
use uuid::Uuid;

/// Some day in 2026.
pub(crate) const START_MS: u64 = 1_780_000_000_000;
/// Conversations that are remembered; far more than are ever open at once here.
pub(crate) const CONVERSATIONS: usize = 20_000;
/// The one way in which a simulated contact ends.
pub(crate) const DONE: &str = "done";

/// Why a simulation cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// The configuration has faults.
    #[error("the configuration cannot be used: {0}")]
    Config(String),
    /// A name in it is none.
    #[error("{0} is no name")]
    Name(String),
    /// The core did not take an input.
    #[error(transparent)]
    Transition(#[from] TransitionError),
}

/// The routing core on a clock of its own, with the inputs that a floor writes to it.
pub struct Core {
    state: State,
    inbound: u64,
    born: u64,
    now: u64,
}

impl Core {
    /// With every agent of the configuration there.
    ///
    /// # Errors
    /// [`FloorError::Config`] with the first fault of the configuration.
    pub fn new(config: RoutingConfig) -> Result<Self, FloorError> {
        Self::remembering(config, CONVERSATIONS)
    }

    /// As [`Core::new`], with room for so many conversations: each contact that is open has one.
    ///
    /// # Errors
    /// As [`Core::new`].
    pub fn remembering(config: RoutingConfig, conversations: usize) -> Result<Self, FloorError> {
        Ok(Self::recorded(config, conversations)?.1)
    }

    /// As [`Core::remembering`], with the records of its beginning.
    pub(crate) fn recorded(
        config: RoutingConfig,
        conversations: usize,
    ) -> Result<(Vec<Record>, Self), FloorError> {
        if let Some(fault) = config.faults().first() {
            return Err(FloorError::Config(format!("{}: {}", fault.path, fault.message)));
        }
        let agents: Vec<AgentId> = config.agents.iter().map(|agent| agent.id).collect();
        let state = State::new().with_conversations_max(conversations);
        let mut core = Self { state, inbound: 0, born: 0, now: START_MS };
        let mut log = Vec::new();
        let id = NoticeId(core.uuid());
        let config = Box::new(config);
        log.push(core.write(InputBody::Config(ConfigInput {
            replaces: None,
            id,
            hash: Hash128([1; 16]),
            config,
        }))?);
        for agent in agents {
            let id = NoticeId(core.uuid());
            let gateway = GatewayId(Uuid::from_u128(1));
            log.push(core.write(InputBody::AgentConnected { id, agent, gateway })?);
            let online = Command::SetPresence { presence: Presence::Online, reason: None, when_free: false };
            log.push(core.ask(agent, online)?);
        }
        Ok((log, core))
    }

    /// As it is after the last record.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Milliseconds since the beginning become the core's time, which never runs backwards.
    pub fn set_now(&mut self, ms: u64) {
        self.now = self.now.max(START_MS + ms);
    }

    /// When something is due by time alone, ms since the beginning.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        next_deadline(&self.state).map(|at| at.0.saturating_sub(START_MS))
    }

    pub(crate) fn timer(&mut self) -> Option<Record> {
        timer(&mut self.state, Millis(self.now))
    }

    /// A customer who was never here before writes.
    ///
    /// # Errors
    /// [`FloorError::Transition`], which would be a fault of ours.
    pub fn message(
        &mut self,
        customer: u64,
        account: &SubjectToken,
        category: Option<&SubjectToken>,
    ) -> Result<Record, FloorError> {
        let id = self.uuid();
        let identity = identity(customer);
        self.write(InputBody::Message(CustomerMessage {
            category: category.cloned(),
            ..CustomerMessage::new(
                MessageId(id),
                ChannelKind::Web,
                account.clone(),
                identity,
                Hash128(*id.as_bytes()),
                Hash128([0; 16]),
                Sealed::from_parts(identity, 1, ""),
            )
        }))
    }

    pub(crate) fn leaves(&mut self, customer: u64) -> Result<Record, FloorError> {
        let id = NoticeId(self.uuid());
        self.write(InputBody::CustomerLeft { id, identity: identity(customer) })
    }

    /// An agent resolves what they have.
    ///
    /// # Errors
    /// As [`Core::message`].
    pub fn resolve(
        &mut self,
        agent: AgentId,
        contact: ContactId,
        disposition: &SubjectToken,
    ) -> Result<Record, FloorError> {
        self.ask(agent, Command::Resolve { contact, disposition: disposition.clone(), fields: [].into() })
    }

    pub(crate) fn ask(&mut self, agent: AgentId, command: Command) -> Result<Record, FloorError> {
        let id = CommandId(self.uuid());
        self.write(InputBody::Command(AgentCommand { id, agent, command }))
    }

    fn write(&mut self, body: InputBody) -> Result<Record, FloorError> {
        self.inbound += 1;
        let input = Input { v: WIRE_VERSION, made_at: Millis(self.now), body };
        Ok(transition(&mut self.state, Cause::Input { seq: self.inbound, input }, Millis(self.now))?)
    }

    /// A UUID v7 of this moment.
    fn uuid(&mut self) -> Uuid {
        self.born += 1;
        Uuid::from_u128((u128::from(self.now) << 80) | (7 << 76) | (2 << 62) | u128::from(self.born))
    }
}

fn identity(customer: u64) -> IdentityId {
    IdentityId(Hash128(u128::from(customer).to_be_bytes()))
}
