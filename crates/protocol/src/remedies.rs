//! What stands in REMEDIES: one transition of the empowerment worker, one record (law 1).

use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::facts::FactValues;
use crate::hash::Hash128;
use crate::ids::{
    AgentId, AskId, CommandId, ContactId, ConversationId, GatewayId, IdentityId, MessageId, PromiseId,
    RemedyId, SignalId, StoryId, TellId,
};
use crate::money::Money;
use crate::policy::{Ask, Because, PolicyFault};
use crate::remedy::{
    ContactContext, EmpowermentInput, FactsAbout, Gift, GiftKey, Occasion, RemedyCommand, RemedyKind,
};
use crate::till::WalletId;
use crate::time::Millis;
use crate::token::{Language, SubjectToken};

/// One transition of the worker, appended as one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyRecord {
    /// [`crate::input::WIRE_VERSION`] of the writer.
    pub v: u8,
    /// When it was decided; never earlier than the record before.
    pub at: Millis,
    /// The epoch of the leader that wrote it.
    pub epoch: u64,
    /// The hash of the policy that decided.
    pub policy: Hash128,
    /// What led to it.
    pub cause: RemedyCause,
    /// What followed, in order.
    pub events: Vec<RemedyEvent>,
}

/// What led to a record of the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum RemedyCause {
    /// A record of CONTACTS that concerns the worker.
    Contacts {
        /// Its sequence in CONTACTS.
        seq: u64,
        /// What it says.
        input: RemedyInput,
    },
    /// An integration answered an order; durable here, and asked again if this record is lost.
    OrderAnswer {
        /// Which.
        remedy: RemedyId,
        /// What it said.
        answer: OrderAnswer,
    },
    /// An integration answered a question for facts.
    FactsAnswer {
        /// About what.
        about: FactsAbout,
        /// Which integration.
        source: SubjectToken,
        /// When they were true.
        at: Millis,
        /// What it said.
        facts: FactValues,
    },
    /// A deadline came.
    Timer,
    /// A leader took over.
    Takeover {
        /// The process that leads from here.
        leader: GatewayId,
    },
}

impl RemedyCause {
    /// The CONTACTS sequence consumed by this record, if any.
    #[must_use]
    pub fn contacts_seq(&self) -> Option<u64> {
        match self {
            Self::Contacts { seq, .. } => Some(*seq),
            Self::OrderAnswer { .. } | Self::FactsAnswer { .. } | Self::Timer | Self::Takeover { .. } => None,
        }
    }
}

/// What of CONTACTS concerns the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RemedyInput {
    /// An agent's command, with where its contact stands (`None`: routing knows no such contact).
    Command {
        /// Its id.
        id: CommandId,
        /// Who.
        agent: AgentId,
        /// What.
        command: RemedyCommand,
        /// Where the contact stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<ContactContext>,
    },
    /// From outside.
    Input {
        /// What.
        input: EmpowermentInput,
        /// The customer's latest contact, for thanks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<ContactContext>,
    },
    /// Routing carried out a wish to tell the customer or to put a conversation first, or says that it cannot (`told` is
    /// false: the conversation is gone).
    Told {
        /// Which telling, or which wish of risk.
        tell: TellId,
        /// Whether it was carried out.
        told: bool,
    },
    /// Routing says who is asked.
    Asked {
        /// The ask.
        ask: AskId,
        /// Which round.
        round: u32,
        /// Who; empty if nobody is there.
        agents: Vec<AgentId>,
    },
}

/// What an integration says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum OrderAnswer {
    /// Carried out.
    Done {
        /// A voucher's code or the shop's own number, sealed [`crate::content::Content`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Sealed>,
    },
    /// Will not be carried out.
    Failed {
        /// A stable word of the integration, at most [`crate::limits::REASON_BYTES_MAX`].
        reason: String,
    },
    /// Not known whether it was: it answered nonsense, too late or not at all, or is still at it.
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// One thing that followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RemedyEvent {
    /// A new leader writes from here.
    Fenced {
        /// Its epoch.
        epoch: u64,
    },
    /// The policy in the cause is in force.
    PolicyApplied,
    /// The policy in the cause is not used.
    PolicyRefused {
        /// Why, all at once.
        faults: Vec<PolicyFault>,
    },
    /// The facts in the cause are known.
    FactsNoted,
    /// The facts in the cause are not used.
    FactsRefused {
        /// Why.
        reason: String,
    },
    /// A signal counts until then.
    SignalNoted {
        /// Which.
        signal: SignalId,
        /// About whom.
        identity: IdentityId,
        /// Which rule.
        name: SubjectToken,
        /// When it stops by itself.
        until: Millis,
    },
    /// A signal does not count any more.
    SignalContested {
        /// Which.
        signal: SignalId,
        /// Who said so.
        agent: AgentId,
    },
    /// An identity is an agent's own.
    OwnIdentityNoted,
    /// Given: the amount is reserved.
    Granted(Box<Grant>),
    /// Taken back in time; the amount is free again.
    Undone {
        /// Which.
        remedy: RemedyId,
    },
    /// It can no longer be taken back: the integration is to carry it out.
    Ordered {
        /// Which.
        remedy: RemedyId,
    },
    /// Carried out: the amount is spent.
    Done {
        /// Which.
        remedy: RemedyId,
        /// A voucher's code or the shop's own number, sealed [`crate::content::Content`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Sealed>,
    },
    /// Not carried out: the amount is free again, and the agent is told.
    Failed {
        /// Which.
        remedy: RemedyId,
        /// Why.
        reason: String,
    },
    /// Not known: stays reserved, and the integration is asked again.
    Unknown {
        /// Which.
        remedy: RemedyId,
        /// What happened.
        reason: String,
        /// When it is asked again.
        ask_again_at: Millis,
    },
    /// The customer is to be told.
    TellWanted {
        /// The telling.
        tell: TellId,
        /// Where.
        conversation: ConversationId,
        /// Within which contact.
        contact: ContactId,
        /// Whose key seals it.
        identity: IdentityId,
        /// Who tells.
        agent: AgentId,
        /// The message's id.
        message: MessageId,
        /// What.
        what: TellWhat,
    },
    /// The customer was told, or cannot be.
    TellEnded {
        /// The telling.
        tell: TellId,
        /// Whether it stands in the conversation.
        told: bool,
    },
    /// Colleagues are to be asked.
    AskOpened {
        /// The ask.
        ask: AskId,
        /// Who asks.
        agent: AgentId,
        /// About which contact.
        context: Box<ContactContext>,
        /// What they would give.
        gift: Box<Gift>,
        /// The card whose limit it is beyond; `None`: the latitude's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<SubjectToken>,
        /// The case in three lines, sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<Sealed>,
        /// Whom.
        whom: Ask,
        /// Until when.
        until: Millis,
    },
    /// The next are to be asked.
    AskWentOn {
        /// The ask.
        ask: AskId,
        /// Which round this is.
        round: u32,
        /// Whom.
        whom: Ask,
        /// Until when.
        until: Millis,
    },
    /// These are asked.
    Asked {
        /// The ask.
        ask: AskId,
        /// Which round.
        round: u32,
        /// Who.
        agents: Vec<AgentId>,
    },
    /// One of them left it to the others.
    AskLeft {
        /// The ask.
        ask: AskId,
        /// Who.
        agent: AgentId,
    },
    /// It ended in yes; `Granted` follows.
    AskAnswered {
        /// The ask.
        ask: AskId,
        /// Who said yes; `None`: nobody answered, and it was within the soft limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AgentId>,
    },
    /// Nobody could answer: the customer has a dated promise, and leads are asked again.
    AskPromised {
        /// The ask.
        ask: AskId,
        /// The promise; `PromiseMade` stands beside it.
        promise: PromiseId,
    },
    /// It was withdrawn: the same thing was given meanwhile.
    AskMoot {
        /// The ask.
        ask: AskId,
        /// By this.
        remedy: RemedyId,
    },
    /// A promise to a customer.
    PromiseMade {
        /// The promise.
        promise: PromiseId,
        /// Who keeps it.
        agent: AgentId,
        /// Towards which contact.
        contact: ContactId,
        /// In which conversation.
        conversation: ConversationId,
        /// What, sealed; `None`: an answer to the ask it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Sealed>,
        /// What it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<RemedyId>,
        /// When its owner is reminded.
        remind_at: Millis,
        /// By when.
        due: Millis,
    },
    /// Its owner is reminded.
    PromiseReminded {
        /// Which.
        promise: PromiseId,
    },
    /// It was kept.
    PromiseKept {
        /// Which.
        promise: PromiseId,
        /// Whether in time.
        in_time: bool,
    },
    /// It was not kept in time; the conversation is at risk.
    PromiseBroken {
        /// Which.
        promise: PromiseId,
        /// Names the wish that routing is sent.
        tell: TellId,
        /// Until when its contacts come first.
        risk_until: Millis,
    },
    /// Somebody is praised.
    Praised {
        /// Who.
        agent: AgentId,
        /// By whom.
        by: PraisedBy,
        /// For which contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
    },
    /// A remedy is in the story book.
    StoryTold {
        /// The story.
        story: StoryId,
        /// Which remedy.
        remedy: RemedyId,
        /// Who wrote it down.
        agent: AgentId,
        /// Its title.
        title: String,
        /// Whether the customer agreed to be named.
        consent: bool,
    },
    /// A command was answered; the gateway that sent it reads this.
    CommandSettled {
        /// The command.
        command: CommandId,
        /// Whose.
        agent: AgentId,
        /// The answer, the same for the same id.
        outcome: RemedyOutcome,
    },
    /// An input that was consumed before; nothing else happened.
    DuplicateSkipped,
}

/// Something given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The remedy.
    pub remedy: RemedyId,
    /// Who gave.
    pub agent: AgentId,
    /// Who said yes, if asked; the day's wallet of that agent is drawn on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<AgentId>,
    /// Where.
    pub context: ContactContext,
    /// What.
    pub gift: Gift,
    /// What makes it the same as another.
    pub key: GiftKey,
    /// By which card; `None`: the latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<SubjectToken>,
    /// The wallets it is reserved in, each in full.
    pub wallets: Vec<WalletId>,
    /// Until when it can be taken back.
    pub undo_until: Millis,
    /// In which language the customer is told.
    pub language: Language,
    /// What was known when it was decided.
    pub facts: FactValues,
}

impl Grant {
    /// What it costs; nothing if no amount was named.
    #[must_use]
    pub fn money(&self) -> Option<Money> {
        self.gift.money
    }

    /// What is given.
    #[must_use]
    pub fn kind(&self) -> RemedyKind {
        self.gift.kind
    }

    /// Why.
    #[must_use]
    pub fn occasion(&self) -> Occasion {
        self.gift.occasion
    }
}

/// What a customer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum TellWhat {
    /// A remedy was carried out: the card's words, filled in, or the agent's own.
    Remedy {
        /// Which.
        remedy: RemedyId,
        /// The words with `{code}` still in them; the agent's own stand sealed in the grant.
        words: String,
    },
    /// An answer is promised.
    Answer {
        /// To which ask.
        ask: AskId,
        /// The words.
        words: String,
    },
}

/// Who praised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum PraisedBy {
    /// The customer.
    Customer {
        /// Their words, sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Sealed>,
    },
    /// A colleague.
    Peer {
        /// Who.
        agent: AgentId,
        /// Their words.
        words: String,
    },
    /// A card, in the policy's words.
    Card {
        /// Which.
        card: SubjectToken,
    },
}

/// The answer to a command of the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RemedyOutcome {
    /// Given.
    Granted {
        /// What it is called.
        remedy: RemedyId,
        /// Until when it can be taken back.
        undo_until: Millis,
    },
    /// A colleague is asked.
    Asking {
        /// The ask.
        ask: AskId,
        /// Until when.
        until: Millis,
    },
    /// Carried out.
    Done,
    /// Not carried out, and nothing changed.
    Refused {
        /// Why.
        refusal: RemedyRefusal,
    },
}

/// Why a command of the worker was not carried out. None of them is a no to the customer but `NotAllowed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RemedyRefusal {
    /// No policy is in force.
    #[error("no policy is in force yet: ask a lead to load one")]
    NoPolicy,
    /// Somebody else holds the contact.
    #[error("this contact is not yours: reload to see who has it")]
    NotYours,
    /// There is no such thing.
    #[error("there is no such {what}: reload")]
    NotFound {
        /// `remedy`, `ask`, `promise`, `signal`, `agent`, `contact`, `reason`.
        what: String,
    },
    /// An amount is missing, zero, negative, or beyond all sense.
    #[error("{says}")]
    BadAmount {
        /// What to write instead.
        says: String,
    },
    /// The policy knows no such currency.
    #[error("{currency} is not used here: choose one of {known}")]
    UnknownCurrency {
        /// What was asked.
        currency: crate::money::Currency,
        /// What is used.
        known: String,
    },
    /// A recovery without a failure, or a surprise without a card.
    #[error("{says}")]
    Malformed {
        /// What to write instead.
        says: String,
    },
    /// More than can be given unasked; somebody can be asked.
    #[error("up to {up_to} you can give this at once; above it, ask {}", match .ask { Ask::AskPeer => "a colleague", Ask::AskLead => "a lead" })]
    Beyond {
        /// The most that can be given now.
        up_to: Money,
        /// Whom to ask.
        ask: Ask,
        /// By which card; `None`: the latitude.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<SubjectToken>,
    },
    /// Law, safety or evidence of fraud forbids.
    #[error("not allowed, because of {}", match .because { Because::Law => "the law", Because::Safety => "safety", Because::Fraud => "evidence of fraud" })]
    NotAllowed {
        /// Which.
        because: Because,
        /// By which card.
        card: SubjectToken,
    },
    /// The same thing was given.
    #[error("this was given already: look at it, and give on top of it if you mean to")]
    AlreadyGiven {
        /// By this.
        remedy: RemedyId,
    },
    /// Nobody gives to an identity of their own.
    #[error("this customer is you: let a colleague take the contact")]
    OwnIdentity,
    /// Asker and approver differ.
    #[error("you asked this yourself: somebody else has to say yes")]
    OwnAsk,
    /// It is too late for that.
    #[error("it is too late for that: {says}")]
    TooLate {
        /// What happened meanwhile.
        says: String,
    },
    /// A text is too long or empty, or a time is not to come.
    #[error("{says}")]
    BadInput {
        /// What to write instead.
        says: String,
    },
    /// The command is older than a day.
    #[error("this command is more than a day old: look at the contact, then send it anew")]
    TooOld,
}
