//! What stands in CONTACTS: one transition, one record (law 1).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::command::{Named, Outcome, Presence};
use crate::config::ConfigFault;
use crate::customer::CustomerChange;
use crate::facts::FactValues;
use crate::hash::Hash128;
use crate::ids::{
    AgentId, AskId, CommandId, ContactId, ConversationId, GatewayId, IdentityId, IncidentId, OfferId, TellId,
};
use crate::incident::{IncidentTerms, IncidentWork};
use crate::input::{Input, InputBody, SkillNeed};
use crate::remedy::ContactContext;
use crate::tagged::tagged;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

mod entry;
mod receipt;

pub use entry::{CompanyRole, EntryKind, HandOverWhy, NotTaken};
pub use receipt::{ChoiceRule, PassedOver, Receipt, RunnerUp};

/// One transition of the routing core, appended as one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`crate::input::WIRE_VERSION`] of the writer.
    pub v: u8,
    /// When it was decided; never earlier than the record before.
    pub at: Millis,
    /// The epoch of the leader that wrote it.
    pub epoch: u64,
    /// The hash of the configuration that decided.
    pub policy: Hash128,
    /// What led to it.
    pub cause: Cause,
    /// What followed, in order.
    pub events: Vec<Event>,
}

tagged! {
    "from", "super::Cause", cause;
    /// What led to a record.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Cause {
        /// An input, whole.
        Input {
            /// Its sequence in INBOUND.
            seq: u64,
            /// The input.
            input: Input,
        },
        /// A message in INBOUND that is no input; its bytes are in PARKED.
        Unreadable {
            /// Its sequence in INBOUND.
            seq: u64,
            /// What a reader choked on.
            reason: String,
        },
        /// A deadline came.
        Timer,
        /// A leader took over: kills what the one before has in flight.
        Takeover {
            /// The process that leads from here.
            leader: GatewayId,
        },
    }
}

impl Record {
    /// The contact that its cause is about; what follows from it may concern others too.
    #[must_use]
    pub fn about(&self) -> Option<ContactId> {
        let first = || self.events.iter().find_map(Event::contact);
        let Cause::Input { input, .. } = &self.cause else { return None };
        match &input.body {
            InputBody::Command(asked) => match asked.command.names()? {
                Named::Contact(contact) => Some(contact),
                Named::Offer(_) => first(),
            },
            InputBody::Integration(asked) => Some(asked.act.contact()),
            InputBody::Message(_)
            | InputBody::CustomerLeft { .. }
            | InputBody::PersonWanted { .. }
            | InputBody::Empowerment(_)
            | InputBody::Wish(_) => first(),
            InputBody::AgentConnected { .. }
            | InputBody::AgentDisconnected { .. }
            | InputBody::GatewayLost { .. }
            | InputBody::Config(_)
            | InputBody::Canary(_)
            | InputBody::ParkedDismissed { .. } => None,
        }
    }
}

impl Cause {
    /// The INBOUND sequence consumed by this record, if any.
    #[must_use]
    pub fn inbound_seq(&self) -> Option<u64> {
        match self {
            Self::Input { seq, .. } | Self::Unreadable { seq, .. } => Some(*seq),
            Self::Timer | Self::Takeover { .. } => None,
        }
    }
}

tagged! {
    "event", "super::Event", event;
    /// One thing that followed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Event {
        /// A new leader writes from here; leases of open offers start anew.
        Fenced {
            /// Its epoch.
            epoch: u64,
        },
        /// The configuration in the input is in force.
        ConfigApplied,
        /// The configuration in the input is not used.
        ConfigRefused {
            /// Why, all at once.
            faults: Vec<ConfigFault>,
        },
        /// A customer wrote for the first time.
        ConversationOpened {
            /// The conversation.
            conversation: ConversationId,
            /// Whose.
            identity: IdentityId,
            /// The channel it came by.
            channel: ChannelKind,
            /// The account it came by.
            account: SubjectToken,
            /// The thread that it is, where the channel has threads.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            thread: Option<Hash128>,
        },
        /// The router remembers a limited number of conversations: this one, idle for longest, made room for another. Who wrote in
        /// it begins a new one, with a sequence of its own.
        ConversationForgotten {
            /// The conversation.
            conversation: ConversationId,
        },
        /// A request for help began.
        ContactOpened {
            /// The contact.
            contact: ContactId,
            /// Its conversation.
            conversation: ConversationId,
            /// Its channel.
            channel: ChannelKind,
            /// What it is about.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            category: Option<SubjectToken>,
            /// What the configuration declares and the message said, and the product's own facts, if any condition could ask.
            #[serde(default, skip_serializing_if = "FactValues::is_empty")]
            facts: FactValues,
            /// The route that it took.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            route: Option<SubjectToken>,
            /// Whether it is only practised: see [`crate::practice`].
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            practice: bool,
            /// Whether no bot may have it: what is practised is told to no other system, and a bot is one. It stands here, since routers
            /// gave bots such contacts before, and their records are read as they were decided.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            people_only: bool,
        },
        /// The customer wrote again soon after the end.
        ContactReopened {
            /// The contact.
            contact: ContactId,
        },
        /// The contact goes on in another conversation of the same customer: it keeps its place, its owner and all that is known of it.
        ContactMoved {
            /// The contact.
            contact: ContactId,
            /// Where it was.
            from: ConversationId,
            /// Where it is from here.
            conversation: ConversationId,
            /// The channel of that.
            channel: ChannelKind,
        },
        /// The conversation grew by one entry; words stand in the cause.
        EntryAdded {
            /// The conversation.
            conversation: ConversationId,
            /// The contact it belongs to.
            contact: ContactId,
            /// The conversation's own sequence: 1, 2, 3 without gaps.
            seq: u64,
            /// What was added.
            entry: EntryKind,
        },
        /// The contact waits.
        Queued {
            /// The contact.
            contact: ContactId,
            /// Where.
            queue: SubjectToken,
            /// 0 is served first.
            priority: u8,
            /// What the agent must command.
            needs: Vec<SkillNeed>,
            /// Since when it waits; kept when it returns to its place.
            since: Millis,
            /// Who should have it first, and until when others stand back.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            preferred: Option<Preferred>,
            /// Why it waits.
            why: QueuedWhy,
        },
        /// The time of the preferred agent is up: anyone able may have it.
        PreferenceEnded {
            /// The contact.
            contact: ContactId,
        },
        /// Those who declined may be asked again.
        DeclinesLapsed {
            /// The contact.
            contact: ContactId,
        },
        /// A contact has waited for the next step of its queue: more agents may have it, and those of its class.
        Widened {
            /// The contact.
            contact: ContactId,
            /// The step of the queue, from 0.
            step: u8,
        },
        /// An agent is asked.
        OfferMade {
            /// The offer.
            offer: OfferId,
            /// The contact.
            contact: ContactId,
            /// Who is asked.
            agent: AgentId,
            /// When the lease ends.
            expires_at: Millis,
            /// Why this agent and this contact.
            receipt: Receipt,
        },
        /// The offer ended.
        OfferEnded {
            /// The offer.
            offer: OfferId,
            /// The contact.
            contact: ContactId,
            /// Who was asked.
            agent: AgentId,
            /// How it ended.
            end: OfferEnd,
        },
        /// The agent owns the contact.
        Assigned {
            /// The contact.
            contact: ContactId,
            /// The owner.
            agent: AgentId,
        },
        /// Somebody who does not own the contact is with it, in another way than before, or no more.
        CompanyChanged {
            /// The contact.
            contact: ContactId,
            /// Who.
            agent: AgentId,
            /// In which way; `None`: no more.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            role: Option<CompanyRole>,
        },
        /// The contact takes no room with its agent until its time comes or its customer writes; it is still theirs.
        SetAside {
            /// The contact.
            contact: ContactId,
            /// Whose it is.
            agent: AgentId,
            /// Why.
            why: AsideWhy,
        },
        /// The contact is resolved for the customer; the agent's wrap-up runs.
        WrapUpStarted {
            /// The contact.
            contact: ContactId,
            /// The owner.
            agent: AgentId,
            /// When it ends by itself.
            until: Millis,
        },
        /// The contact is resolved and holds nobody.
        Resolved {
            /// The contact.
            contact: ContactId,
            /// Who resolved it.
            agent: AgentId,
        },
        /// The customer left before an agent had it.
        Abandoned {
            /// The contact.
            contact: ContactId,
        },
        /// An agent's desk is reachable.
        AgentConnected {
            /// Who.
            agent: AgentId,
            /// Through which gateway.
            gateway: GatewayId,
        },
        /// An agent's desk is not reachable; at `reclaim_at` their contacts go on.
        AgentDisconnected {
            /// Who.
            agent: AgentId,
            /// When their contacts return to the queue.
            reclaim_at: Millis,
        },
        /// An agent came, went, or was sent away for an unanswered offer.
        PresenceChanged {
            /// Who.
            agent: AgentId,
            /// The state from here.
            presence: Presence,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
        /// An agent takes nothing new, and will have this presence once they hold nothing any more.
        PresenceQueued {
            /// Who.
            agent: AgentId,
            /// The state to come.
            presence: Presence,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
        /// A queue opened or closed.
        HoursChanged {
            /// Which.
            queue: SubjectToken,
            /// Whether it is open from here.
            open: bool,
        },
        /// An agent said who the customer of a contact is.
        CustomerChanged {
            /// The contact.
            contact: ContactId,
            /// Who said it.
            agent: AgentId,
            /// What.
            change: CustomerChange,
        },
        /// A promise of the queue to this customer is nearly over.
        ServiceWarned {
            /// The contact.
            contact: ContactId,
            /// Which promise.
            measure: ServiceMeasure,
            /// When it is over.
            due: Millis,
        },
        /// A promise of the queue to this customer was not kept.
        ServiceMissed {
            /// The contact.
            contact: ContactId,
            /// Which promise.
            measure: ServiceMeasure,
            /// When it was over.
            due: Millis,
        },
        /// The input is for the empowerment worker, which reads it here.
        Passed {
            /// Where the contact that it names stands, or the customer's latest one; `None`: there is none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            context: Option<Box<ContactContext>>,
        },
        /// Colleagues are asked, as the worker wished.
        ColleaguesAsked {
            /// The ask.
            ask: AskId,
            /// Which round of it.
            round: u32,
            /// Who: there, serving that queue, longest idle first; empty if nobody is.
            agents: Vec<AgentId>,
        },
        /// The customer was told, as the worker wished; the words stand in the cause.
        CustomerTold {
            /// Which telling.
            tell: TellId,
            /// Whether it stands in the conversation; it does not where that is no longer known.
            told: bool,
        },
        /// The contacts of a conversation come first for a while.
        AtRisk {
            /// Whose.
            conversation: ConversationId,
            /// Until when.
            until: Millis,
        },
        /// There is an incident, or what is said of it has changed.
        IncidentSet {
            /// Which.
            incident: IncidentId,
            /// Who said so.
            by: AgentId,
            /// What it is from here.
            terms: Box<IncidentTerms>,
        },
        /// Something is to be done to many contacts of an incident; it begins after what was asked before.
        IncidentAsked {
            /// Which.
            incident: IncidentId,
            /// Who asked; `None`: its time was over.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<AgentId>,
            /// What.
            work: IncidentWork,
            /// Whether it ends with that: nothing comes to it from here.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            ends: bool,
        },
        /// How far the first of what was asked has come.
        IncidentWorked {
            /// Which.
            incident: IncidentId,
            /// Up to which contact, that one included; `None`: it is done.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            upto: Option<ContactId>,
        },
        /// The incident is over.
        IncidentEnded {
            /// Which.
            incident: IncidentId,
        },
        /// A waiting contact waits for an incident from here, in nobody's line.
        Gathered {
            /// The contact.
            contact: ContactId,
            /// For what it waits.
            incident: IncidentId,
        },
        /// A contact has other tags or fields than before; who changed them stands in the cause.
        ContactMarked {
            /// The contact, open or ended.
            contact: ContactId,
            /// Its conversation.
            conversation: ConversationId,
            /// All tags that it has from here.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            tags: BTreeSet<SubjectToken>,
            /// All fields that hold something from here.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            fields: BTreeMap<SubjectToken, SubjectToken>,
        },
        /// Colleagues are named in a note: they are told, and may read the conversation.
        Mentioned {
            /// The contact.
            contact: ContactId,
            /// Its conversation.
            conversation: ConversationId,
            /// The entry that is the note.
            seq: u64,
            /// Who wrote it.
            by: AgentId,
            /// Who is named.
            agents: Vec<AgentId>,
        },
        /// An agent has seen where they are mentioned in a contact.
        MentionsRead {
            /// The contact.
            contact: ContactId,
            /// Who.
            agent: AgentId,
        },
        /// A customer's messages lead to nothing from here.
        CustomerBlocked {
            /// Who.
            identity: IdentityId,
            /// The contact for which.
            contact: ContactId,
            /// The queue that it was in: who leads it may lift the block.
            queue: SubjectToken,
            /// Who blocked them.
            by: AgentId,
            /// Until when.
            until: Millis,
            /// Why: a short word.
            reason: SubjectToken,
        },
        /// A customer is heard again like everybody else.
        CustomerUnblocked {
            /// Who.
            identity: IdentityId,
            /// Who lifted the block; `None`: its time was over.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<AgentId>,
        },
        /// A customer who is blocked wrote where there is no contact to add it to, or a colleague wrote to somebody of whom nothing is remembered; the words stand in the cause alone.
        MessageHeldBack {
            /// Who.
            identity: IdentityId,
        },
        /// An act of an integration was answered; who sent it reads this.
        ActSettled {
            /// The act.
            act: CommandId,
            /// Whose.
            integration: SubjectToken,
            /// The answer, the same for the same id.
            outcome: Outcome,
        },
        /// A command was answered; the gateway that sent it reads this.
        CommandSettled {
            /// The command.
            command: CommandId,
            /// The answer, the same for the same id.
            outcome: Outcome,
        },
        /// A canary customer's step was decided; nothing else follows of it.
        CanaryHeard {
            /// Where a customer who writes the same would wait; `None` for the answer.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            queue: Option<SubjectToken>,
        },
        /// An input that was consumed before; nothing else happened.
        DuplicateSkipped,
        /// The input could not be used and is kept in PARKED.
        Parked {
            /// Why.
            reason: ParkReason,
        },
    }
}

/// Who should have a waiting contact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferred {
    /// The agent.
    pub agent: AgentId,
    /// Until when others stand back.
    pub until: Millis,
}

/// Why a contact waits.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum QueuedWhy {
    /// It is new.
    Opened,
    /// The customer wrote again after the end.
    Reopened,
    /// The offer was declined, missed or taken back.
    OfferEnded,
    /// An agent gave it on.
    Transferred,
    /// Its agent was gone.
    Reclaimed,
    /// A promise to the customer was broken: it comes first from here.
    AtRisk,
    /// It had been laid aside, and its time or its customer's answer came.
    Returned,
    /// Its queue's promise was not kept: it comes first from here.
    Escalated,
    /// A bot gave it up, or its customer wants a person: people only.
    HandedOver,
    /// It waited for an incident that is over.
    Released,
}

/// What a queue promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceMeasure {
    /// An agent's first words.
    FirstResponse,
    /// An agent's answer to a further message.
    NextResponse,
    /// The end.
    Resolution,
}

/// Why a contact takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AsideWhy {
    /// Its agent laid it aside.
    Snoozed {
        /// Until when.
        until: Millis,
    },
    /// Its customer has not answered.
    Silent {
        /// Since when.
        since: Millis,
    },
}

/// How an offer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum OfferEnd {
    /// Taken.
    Accepted,
    /// Left to others.
    Declined {
        /// The agent's reason.
        reason: String,
    },
    /// Not answered in time.
    TimedOut,
    /// Taken back: the agent went away.
    AgentGone,
    /// Taken back: the customer left.
    CustomerGone,
    /// Taken back from a bot: the customer asks for a person.
    PersonWanted,
    /// Taken back by somebody who leads.
    Revoked {
        /// Who.
        by: AgentId,
    },
}

/// Why an input is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParkReason {
    /// It is no input.
    Unreadable,
    /// The same provider id came before with another content.
    ContentDiffers,
    /// The account is not configured.
    UnknownAccount,
    /// It was written by a later version.
    LaterVersion,
    /// It would begin a conversation, and as many as the router remembers all have an open contact.
    FloorFull,
}

impl ParkReason {
    /// The word for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::ContentDiffers => "content_differs",
            Self::UnknownAccount => "unknown_account",
            Self::LaterVersion => "later_version",
            Self::FloorFull => "floor_full",
        }
    }
}

impl Event {
    /// The contact that it tells of.
    #[must_use]
    pub fn contact(&self) -> Option<ContactId> {
        match self {
            Self::ContactOpened { contact, .. }
            | Self::ContactReopened { contact }
            | Self::ContactMoved { contact, .. }
            | Self::EntryAdded { contact, .. }
            | Self::Queued { contact, .. }
            | Self::PreferenceEnded { contact }
            | Self::DeclinesLapsed { contact }
            | Self::Widened { contact, .. }
            | Self::OfferMade { contact, .. }
            | Self::OfferEnded { contact, .. }
            | Self::Assigned { contact, .. }
            | Self::CompanyChanged { contact, .. }
            | Self::SetAside { contact, .. }
            | Self::WrapUpStarted { contact, .. }
            | Self::Resolved { contact, .. }
            | Self::Abandoned { contact }
            | Self::CustomerChanged { contact, .. }
            | Self::ServiceWarned { contact, .. }
            | Self::ServiceMissed { contact, .. }
            | Self::Gathered { contact, .. }
            | Self::ContactMarked { contact, .. }
            | Self::Mentioned { contact, .. }
            | Self::MentionsRead { contact, .. } => Some(*contact),
            Self::Passed { context } => context.as_ref().map(|context| context.contact),
            Self::Fenced { .. }
            | Self::ConfigApplied
            | Self::ConfigRefused { .. }
            | Self::ConversationOpened { .. }
            | Self::ConversationForgotten { .. }
            | Self::AgentConnected { .. }
            | Self::AgentDisconnected { .. }
            | Self::PresenceChanged { .. }
            | Self::PresenceQueued { .. }
            | Self::HoursChanged { .. }
            | Self::ColleaguesAsked { .. }
            | Self::CustomerTold { .. }
            | Self::AtRisk { .. }
            | Self::IncidentSet { .. }
            | Self::IncidentAsked { .. }
            | Self::IncidentWorked { .. }
            | Self::IncidentEnded { .. }
            | Self::CustomerBlocked { .. }
            | Self::CustomerUnblocked { .. }
            | Self::MessageHeldBack { .. }
            | Self::ActSettled { .. }
            | Self::CommandSettled { .. }
            | Self::CanaryHeard { .. }
            | Self::DuplicateSkipped
            | Self::Parked { .. } => None,
        }
    }
}
