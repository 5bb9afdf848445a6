//! A small shop that reads in six lines: its worker's state, its log, and a follower that only reads the log.

use empowerment_core::{
    Outstanding, State, apply, decide, next_deadline, outstanding, till, timer, transition,
};
use protocol::content::Sealed;
use protocol::facts::{FactValue, FactValues};
use protocol::feedback::Scores;
use protocol::policy::{Policy, PolicyInput};
use protocol::remedies::{OrderAnswer, RemedyInput, RemedyOutcome, RemedyRefusal};
use protocol::remedy::{
    Claim, ContactContext, Effort, EmpowermentInput, FactsAbout, Gift, Occasion, RemedyCommand, RemedyKind,
};
use protocol::till::{Balance, Till, TillAnswer, TillQuestion, WalletsQuestion};
use protocol::{
    AgentId, AskId, ChannelKind, CommandId, ContactId, ConversationId, GatewayId, Hash128, IdentityId,
    Millis, Money, NoticeId, RemedyCause, RemedyEvent, RemedyId, RemedyRecord, SignalId, TellId,
};
use uuid::{NoContext, Timestamp, Uuid};

use crate::policy::{policy, token};

/// 28 May 2026, in the evening.
pub(crate) const START_MS: u64 = 1_780_000_000_000;

pub(crate) fn agent(name: &str) -> AgentId {
    AgentId(Uuid::from_u128(name.bytes().fold(0, |sum, byte| sum * 256 + u128::from(byte))))
}

pub(crate) fn identity(n: u8) -> IdentityId {
    IdentityId(Hash128([n; 16]))
}

pub(crate) fn contact(n: u64) -> ContactId {
    ContactId { log_seq: n, n: 0 }
}

/// Contact `n` of customer `n`, held by this agent.
pub(crate) fn held(n: u8, holder: &str) -> ContactContext {
    ContactContext {
        contact: contact(n.into()),
        conversation: ConversationId { log_seq: n.into(), n: 1 },
        identity: identity(n),
        channel: ChannelKind::Web,
        queue: token("sales"),
        holder: Some(agent(holder)),
        team: None,
        language: None,
        effort: Effort::default(),
        scores: Scores::default(),
        practice: false,
    }
}

pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed::from_parts(identity(1), 1, text)
}

/// A gift out of trust.
pub(crate) fn gift(kind: RemedyKind, money: Option<Money>, claim: Claim) -> Gift {
    Gift {
        kind,
        occasion: Occasion::Trust,
        claim,
        money,
        due: None,
        words: None,
        tell: None,
        on_top_of: None,
    }
}

pub(crate) fn give(n: u8, gift: &Gift) -> RemedyCommand {
    RemedyCommand::Give { contact: contact(n.into()), gift: Box::new(gift.clone()), ask: false, case: None }
}

pub(crate) fn give_or_ask(n: u8, gift: &Gift) -> RemedyCommand {
    RemedyCommand::Give { contact: contact(n.into()), gift: Box::new(gift.clone()), ask: true, case: None }
}

pub(crate) fn facts<const N: usize>(facts: [(&str, FactValue); N]) -> FactValues {
    facts.map(|(name, value)| (name.parse().unwrap(), value)).into()
}

pub(crate) struct Shop {
    pub(crate) state: State,
    /// Only applies what the log says, read back from JSON.
    pub(crate) follower: State,
    pub(crate) log: Vec<RemedyRecord>,
    pub(crate) now: u64,
    contacts_seq: u64,
    born: u64,
}

impl Shop {
    /// Without a policy.
    pub(crate) fn empty() -> Self {
        let (state, follower) = (State::new(), State::new());
        Self { state, follower, log: Vec::new(), now: START_MS, contacts_seq: 0, born: 0 }
    }

    pub(crate) fn open() -> Self {
        Self::with(policy())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let mut shop = Self::empty();
        shop.puts(policy, 1);
        assert_eq!(shop.last(), [RemedyEvent::PolicyApplied], "the policy of the test is sound");
        shop
    }

    /// Decides, and checks what has to hold of every record.
    pub(crate) fn cause(&mut self, cause: RemedyCause) -> &[RemedyEvent] {
        let now = Millis(self.now);
        let would = decide(&self.state, cause.clone(), now).unwrap();
        let record = transition(&mut self.state, cause, now).unwrap();
        assert_eq!(record, would, "deciding twice gives the same");
        self.keep(record)
    }

    fn keep(&mut self, record: RemedyRecord) -> &[RemedyEvent] {
        let json = serde_json::to_string(&record).unwrap();
        let read: RemedyRecord = serde_json::from_str(&json).unwrap();
        assert_eq!(read, record, "what is written is read");
        assert!(json.len() < 1_000_000, "a record of {} bytes", json.len());
        let seq = self.follower.log_seq() + 1;
        apply(&mut self.follower, seq, &read).unwrap();
        assert!(self.follower == self.state, "who follows the log knows the same");
        self.log.push(record);
        self.last()
    }

    pub(crate) fn last(&self) -> &[RemedyEvent] {
        &self.log.last().unwrap().events
    }

    pub(crate) fn contacts(&mut self, input: RemedyInput) -> &[RemedyEvent] {
        self.contacts_seq += 3;
        self.cause(RemedyCause::Contacts { seq: self.contacts_seq, input })
    }

    pub(crate) fn input(&mut self, input: EmpowermentInput) -> &[RemedyEvent] {
        self.contacts(RemedyInput::Input { input, context: None })
    }

    pub(crate) fn puts(&mut self, policy: Policy, hash: u8) -> &[RemedyEvent] {
        self.puts_in_place_of(None, policy, hash)
    }

    pub(crate) fn puts_in_place_of(&mut self, old: Option<u8>, policy: Policy, hash: u8) -> &[RemedyEvent] {
        let id = NoticeId(Uuid::from_u128(1));
        let replaces = old.map(|hash| Hash128([hash; 16]));
        let input = PolicyInput { id, hash: Hash128([hash; 16]), policy, replaces };
        self.input(EmpowermentInput::Policy(Box::new(input)))
    }

    pub(crate) fn new_command(&mut self) -> CommandId {
        self.born += 1;
        let time = Timestamp::from_unix(NoContext, self.now / 1_000, 0);
        let id = u128::from(self.born) | Uuid::new_v7(time).as_u128() & (u128::MAX << 64);
        CommandId(Uuid::from_u128(id))
    }

    pub(crate) fn command_with(
        &mut self,
        id: CommandId,
        name: &str,
        command: RemedyCommand,
        context: Option<ContactContext>,
    ) -> RemedyOutcome {
        self.contacts(RemedyInput::Command { id, agent: agent(name), command, context });
        match self.last().last() {
            Some(RemedyEvent::CommandSettled { command, agent: of, outcome }) => {
                assert_eq!((*command, *of), (id, agent(name)));
                outcome.clone()
            }
            other => panic!("a command is always answered, and last: {other:?}"),
        }
    }

    /// A command of an agent; its contact is held by that agent.
    pub(crate) fn asks(&mut self, name: &str, command: RemedyCommand) -> RemedyOutcome {
        let id = self.new_command();
        let n = command.contact().map(|contact| u8::try_from(contact.log_seq).unwrap());
        let context = n.map(|n| held(n, name));
        self.command_with(id, name, command, context)
    }

    pub(crate) fn refused(&mut self, name: &str, command: RemedyCommand) -> RemedyRefusal {
        match self.asks(name, command) {
            RemedyOutcome::Refused { refusal } => refusal,
            other => panic!("this should be refused: {other:?}"),
        }
    }

    pub(crate) fn gives(&mut self, name: &str, n: u8, gift: &Gift) -> RemedyId {
        match self.asks(name, give(n, gift)) {
            RemedyOutcome::Granted { remedy, .. } => remedy,
            other => panic!("this should be given: {other:?}"),
        }
    }

    pub(crate) fn asks_for(&mut self, name: &str, n: u8, gift: &Gift) -> AskId {
        match self.asks(name, give_or_ask(n, gift)) {
            RemedyOutcome::Asking { ask, .. } => ask,
            other => panic!("this should be asked: {other:?}"),
        }
    }

    /// Routing says whom it asked in the round that is open.
    pub(crate) fn routing_asks(&mut self, ask: AskId, names: &[&str]) -> &[RemedyEvent] {
        let round = self.round_of(ask).unwrap_or_else(|| panic!("{ask} asks nobody"));
        let agents = names.iter().map(|name| agent(name)).collect();
        self.contacts(RemedyInput::Asked { ask, round, agents })
    }

    /// The round that waits for routing.
    pub(crate) fn round_of(&self, wanted: AskId) -> Option<u32> {
        outstanding(&self.state).find_map(|one| match one {
            Outstanding::AskFor { ask, round, .. } if ask == wanted => Some(round),
            _ => None,
        })
    }

    pub(crate) fn says_yes(&mut self, name: &str, ask: AskId) -> RemedyOutcome {
        self.asks(name, RemedyCommand::Answer { ask, yes: true })
    }

    pub(crate) fn leaves(&mut self, name: &str, ask: AskId) -> RemedyOutcome {
        self.asks(name, RemedyCommand::Answer { ask, yes: false })
    }

    pub(crate) fn told(&mut self, tell: TellId) -> &[RemedyEvent] {
        self.contacts(RemedyInput::Told { tell, told: true })
    }

    pub(crate) fn answers(&mut self, remedy: RemedyId, answer: OrderAnswer) -> &[RemedyEvent] {
        self.cause(RemedyCause::OrderAnswer { remedy, answer })
    }

    pub(crate) fn done(&mut self, remedy: RemedyId) -> &[RemedyEvent] {
        self.answers(remedy, OrderAnswer::Done { reference: Some(sealed("code")) })
    }

    pub(crate) fn fails(&mut self, remedy: RemedyId) -> &[RemedyEvent] {
        self.answers(remedy, OrderAnswer::Failed { reason: "closed".into() })
    }

    /// Gives and has it carried out.
    pub(crate) fn gives_at_last(&mut self, name: &str, n: u8, gift: &Gift) -> RemedyId {
        let remedy = self.gives(name, n, gift);
        self.wait(crate::policy::UNDO_MS);
        self.done(remedy);
        remedy
    }

    pub(crate) fn pushes(&mut self, about: FactsAbout, values: FactValues) -> &[RemedyEvent] {
        let at = Millis(self.now);
        let id = NoticeId(Uuid::from_u128(2));
        self.input(EmpowermentInput::Facts { id, about, source: token("shop"), at, facts: values })
    }

    pub(crate) fn knows(&mut self, n: u8, name: &str, value: FactValue) -> &[RemedyEvent] {
        self.pushes(FactsAbout::Identity(identity(n)), facts([(name, value)]))
    }

    pub(crate) fn signal(&mut self, n: u8, name: &str) -> SignalId {
        self.born += 1;
        let id = SignalId(Uuid::from_u128(self.born.into()));
        let (identity, source) = (identity(n), token("shop"));
        self.input(EmpowermentInput::Signal { id, identity, name: token(name), source });
        id
    }

    pub(crate) fn is_own(&mut self, name: &str, n: u8) -> &[RemedyEvent] {
        let id = NoticeId(Uuid::from_u128(3));
        self.input(EmpowermentInput::OwnIdentity { id, agent: agent(name), identity: identity(n) })
    }

    pub(crate) fn takes_over(&mut self) -> &[RemedyEvent] {
        self.cause(RemedyCause::Takeover { leader: GatewayId(Uuid::from_u128(1)) })
    }

    /// Lets time pass, stopping at every deadline.
    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        let end = self.now + ms;
        while let Some(due) = next_deadline(&self.state).filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            let before = self.log.len();
            self.tick();
            assert!(self.log.len() > before, "something is due and nothing comes of it");
        }
        self.now = end;
        self
    }

    pub(crate) fn tick(&mut self) -> &mut Self {
        let now = Millis(self.now);
        if let Some(record) = timer(&mut self.state, now) {
            self.keep(record);
        }
        self
    }

    pub(crate) fn ask_till(&self, name: &str, n: u8, claim: Claim) -> TillAnswer {
        let question = TillQuestion { agent: agent(name), context: held(n, name), claim, currency: None };
        till(&self.state, &question, Millis(self.now))
    }

    pub(crate) fn till(&self, name: &str, n: u8, claim: Claim) -> Till {
        match self.ask_till(name, n, claim) {
            TillAnswer::Till(till) => *till,
            TillAnswer::Refused { refusal } => panic!("{refusal}"),
        }
    }

    /// Reserved and spent over all wallets of a scope.
    pub(crate) fn balance(&self, per: protocol::policy::Per, of: &str) -> (u64, u64) {
        let all = empowerment_core::wallets(&self.state, &WalletsQuestion::default());
        let lines = all.lines.iter().filter(|line| line.wallet.per == per && line.wallet.of == of);
        let mut sum = (0, 0);
        for Balance { reserved, spent } in lines.map(|line| line.balance) {
            sum = (sum.0 + reserved, sum.1 + spent);
        }
        sum
    }

    pub(crate) fn outstanding(&self) -> Vec<Outstanding> {
        outstanding(&self.state).collect()
    }

    /// Whether the log has an event of this form.
    pub(crate) fn count(&self, is_it: impl Fn(&RemedyEvent) -> bool) -> usize {
        self.log.iter().flat_map(|record| &record.events).filter(|event| is_it(event)).count()
    }

    /// The grant of this remedy, as the log has it.
    pub(crate) fn grant(&self, id: RemedyId) -> protocol::remedies::Grant {
        let events = self.log.iter().flat_map(|record| &record.events);
        let mut grants = events.filter_map(|event| match event {
            RemedyEvent::Granted(grant) if grant.remedy == id => Some((**grant).clone()),
            _ => None,
        });
        grants.next().unwrap()
    }
}
