//! What agents give and ask, and what else reaches the empowerment worker, all through INBOUND and CONTACTS.

use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::facts::FactValues;
use crate::feedback::Scores;
use crate::ids::{
    AgentId, AskId, ContactId, ConversationId, IdentityId, MessageId, NoticeId, PromiseId, RemedyId,
    SignalId, TellId,
};
use crate::money::Money;
use crate::policy::{Ask, PolicyInput};
use crate::time::Millis;
use crate::token::{ChannelKind, Language, SubjectToken};

/// What can be given.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RemedyKind {
    /// Money back.
    Refund,
    /// A voucher with a code.
    Voucher,
    /// The same once more.
    Replacement,
    /// Another instead.
    Exchange,
    /// Mended.
    Repair,
    /// Something done for the customer, by a time.
    Service,
    /// Whatever helps: flowers, a call, free words.
    Gesture,
}

impl RemedyKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Refund,
        Self::Voucher,
        Self::Replacement,
        Self::Exchange,
        Self::Repair,
        Self::Service,
        Self::Gesture,
    ];

    /// The word used in files, metrics and orders.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Voucher => "voucher",
            Self::Replacement => "replacement",
            Self::Exchange => "exchange",
            Self::Repair => "repair",
            Self::Service => "service",
            Self::Gesture => "gesture",
        }
    }

    /// Whether it always costs something, so that it cannot be given without an amount.
    #[must_use]
    pub fn has_price(self) -> bool {
        match self {
            Self::Refund | Self::Voucher | Self::Replacement | Self::Exchange | Self::Repair => true,
            Self::Service | Self::Gesture => false,
        }
    }
}

/// Why something is given.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// We failed, and the failure is named. Only this counts as recovery.
    Failure,
    /// Not ours, and we help: the tyres, the dress.
    Trust,
    /// Unasked, unearned.
    Surprise,
}

/// What the customer says; a claimed price is a sufficient price, and nothing has to be proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// One of the policy's reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SubjectToken>,
    /// What the customer would like best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<RemedyKind>,
    /// What they say it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Their order, if they know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<SubjectToken>,
    /// Which line of the order, or which of several things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<SubjectToken>,
    /// Which incident, if it is one that hit many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<SubjectToken>,
    /// What the agent saw, by names of facts whose source is `claim`, as in `claim.fraud_evidence`.
    #[serde(default, skip_serializing_if = "FactValues::is_empty")]
    pub facts: FactValues,
}

/// What an agent wants to give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gift {
    /// What.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// What the customer says.
    pub claim: Claim,
    /// How much; a kind that has a price needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// By when it is done, if that is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Millis>,
    /// "Something else", in the agent's own words, sealed; for the shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Sealed>,
    /// What the customer is told, if not the card's words; sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<Sealed>,
    /// Given knowing of this one for the same thing; without it the same thing is never given twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_top_of: Option<RemedyId>,
}

/// What an agent asks of the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum RemedyCommand {
    /// Give it; if it is beyond the latitude and `ask` is set, ask for it.
    Give {
        /// The contact that one holds.
        contact: ContactId,
        /// What.
        gift: Box<Gift>,
        /// Whether to ask when it cannot be given unasked.
        ask: bool,
        /// The case in three lines for whom is asked, sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<Sealed>,
    },
    /// Take it back while that is possible.
    Undo {
        /// What was given.
        remedy: RemedyId,
    },
    /// Answer a colleague who asks.
    Answer {
        /// What is asked.
        ask: AskId,
        /// Yes, or leave it to the next.
        yes: bool,
    },
    /// Have a failed remedy tried again.
    Retry {
        /// Which.
        remedy: RemedyId,
    },
    /// Promise the customer something.
    Promise {
        /// The contact that one holds.
        contact: ContactId,
        /// What, sealed.
        words: Sealed,
        /// By when.
        due: Millis,
    },
    /// Say that a promise was kept.
    Keep {
        /// Which.
        promise: PromiseId,
    },
    /// Thank a colleague.
    Thank {
        /// Whom.
        agent: AgentId,
        /// About which contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
        /// A few words; not sealed, so they must not speak of the customer.
        words: String,
    },
    /// Put a remedy into the story book.
    Tell {
        /// Which.
        remedy: RemedyId,
        /// A title in the agent's own words, without names.
        title: String,
        /// Whether the customer agreed to be named.
        consent: bool,
    },
    /// Say that a signal is wrong: it has no effect from here.
    Contest {
        /// Which.
        signal: SignalId,
        /// Why.
        reason: String,
    },
}

impl RemedyCommand {
    /// The word for metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Give { .. } => "give",
            Self::Undo { .. } => "undo",
            Self::Answer { .. } => "answer",
            Self::Retry { .. } => "retry",
            Self::Promise { .. } => "promise",
            Self::Keep { .. } => "keep",
            Self::Thank { .. } => "thank",
            Self::Tell { .. } => "tell",
            Self::Contest { .. } => "contest",
        }
    }

    /// The contact it names, so that routing can say where that stands.
    #[must_use]
    pub fn contact(&self) -> Option<ContactId> {
        match self {
            Self::Give { contact, .. } | Self::Promise { contact, .. } => Some(*contact),
            Self::Thank { contact, .. } => *contact,
            Self::Undo { .. }
            | Self::Answer { .. }
            | Self::Retry { .. }
            | Self::Keep { .. }
            | Self::Tell { .. }
            | Self::Contest { .. } => None,
        }
    }
}

/// What else the worker has to know, from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum EmpowermentInput {
    /// A policy, whole.
    Policy(Box<PolicyInput>),
    /// Facts that an integration pushes.
    Facts {
        /// Names this input.
        id: NoticeId,
        /// About what.
        about: FactsAbout,
        /// Which integration.
        source: SubjectToken,
        /// When they were true.
        at: Millis,
        /// The facts.
        facts: FactValues,
    },
    /// A reason to look twice.
    Signal {
        /// Names this input, and the signal.
        id: SignalId,
        /// About whom.
        identity: IdentityId,
        /// Which of the policy's signals.
        name: SubjectToken,
        /// Which integration.
        source: SubjectToken,
    },
    /// This identity is an agent's own: they give nothing to themselves.
    OwnIdentity {
        /// Names this input.
        id: NoticeId,
        /// Whose.
        agent: AgentId,
        /// The identity.
        identity: IdentityId,
    },
    /// A customer thanks whoever helped them last.
    Thanks {
        /// Names this input.
        id: NoticeId,
        /// Who.
        identity: IdentityId,
        /// Their words, sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Sealed>,
    },
}

impl EmpowermentInput {
    /// The word for metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy",
            Self::Facts { .. } => "facts",
            Self::Signal { .. } => "signal",
            Self::OwnIdentity { .. } => "own_identity",
            Self::Thanks { .. } => "thanks",
        }
    }
}

/// What facts are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactsAbout {
    /// A customer.
    Identity(IdentityId),
    /// An order, by the shop's number.
    Order(SubjectToken),
}

/// What the worker wishes of routing, each under the id of what it is for (law 15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// Let the customer be told.
    Tell {
        /// Names the telling: told once.
        tell: TellId,
        /// Where.
        conversation: ConversationId,
        /// Within which contact.
        contact: ContactId,
        /// Who tells: the agent who gave.
        agent: AgentId,
        /// What it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<RemedyId>,
        /// The message's id.
        message: MessageId,
        /// Sealed [`crate::content::Content`].
        body: Sealed,
    },
    /// Let colleagues who are there be asked.
    AskFor {
        /// The ask.
        ask: AskId,
        /// Which round of it: 0 for the first asked.
        round: u32,
        /// Peers or leads.
        whom: Ask,
        /// The queue that they serve.
        queue: SubjectToken,
        /// Who asks, and whoever was asked before.
        but: Vec<AgentId>,
    },
    /// Let the contacts of a conversation come first for a while: a promise was broken.
    Risk {
        /// Names the wish.
        tell: TellId,
        /// Whose.
        conversation: ConversationId,
        /// Until when.
        until: Millis,
    },
}

/// Where a contact stands, as routing says it with what it passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactContext {
    /// The contact.
    pub contact: ContactId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Whose.
    pub identity: IdentityId,
    /// Its channel.
    pub channel: ChannelKind,
    /// Its queue.
    pub queue: SubjectToken,
    /// Who holds it, in conversation or wrap-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<AgentId>,
    /// The holder's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<SubjectToken>,
    /// The customer's language, if they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What it cost the customer so far.
    pub effort: Effort,
    /// What they answered last when they were asked after a contact of this conversation.
    #[serde(default, skip_serializing_if = "Scores::is_empty")]
    pub scores: Scores,
    /// Whether it is only practised: nothing is ordered for it, and nothing counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

/// What a contact cost the customer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Effort {
    /// Earlier contacts of this conversation.
    pub contacts_before: u32,
    /// How often it was opened again.
    pub reopenings: u32,
    /// How often it was handed on.
    pub transfers: u32,
    /// How long the customer waited for an agent in all, ms.
    pub waited_ms: u64,
}

/// What makes two gifts the same: never given twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GiftKey {
    /// The order, or the contact where no order is known.
    pub about: SubjectToken,
    /// The line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<SubjectToken>,
    /// The claimed reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SubjectToken>,
    /// The incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<SubjectToken>,
    /// Knowing of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_top_of: Option<RemedyId>,
}
