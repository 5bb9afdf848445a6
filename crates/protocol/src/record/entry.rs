//! What a conversation grows by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::feedback::Question;
use crate::ids::{AgentId, ConversationId, IncidentId, RemedyId};
use crate::tagged::tagged;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

tagged! {
    "is", "super::EntryKind", entry_kind;
    /// What was added to a conversation.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum EntryKind {
        /// The customer wrote; the words are in the cause.
        FromCustomer,
        /// A machine of the customer's answered (out of office): nothing is asked of anybody; the words are in the cause.
        Automatic,
        /// Somebody of ours wrote to the customer in the provider's own app: who, nobody says; the words are in the cause.
        FromColleague,
        /// An agent wrote to the customer; the words are in the cause.
        FromAgent {
            /// Who.
            agent: AgentId,
            /// Whether that is a machine: the customer is told.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            bot: bool,
        },
        /// A bot wrote after it had lost the voice: its words, in the cause, are a draft for whoever has it.
        Suggested {
            /// Which bot.
            agent: AgentId,
        },
        /// People have the contact from here, and no bot any more.
        HandedOver {
            /// Which bot had it; `None`: none had it yet.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agent: Option<AgentId>,
            /// Why.
            why: HandOverWhy,
        },
        /// The customer was told what was given, in the agent's name; the words are in the cause.
        Told {
            /// Who gave.
            agent: AgentId,
            /// What it is about.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            remedy: Option<RemedyId>,
        },
        /// An agent wrote for colleagues; the words are in the cause.
        Note {
            /// Who.
            agent: AgentId,
        },
        /// Another system wrote for agents; the words are in the cause.
        Annotated {
            /// Which integration.
            integration: SubjectToken,
        },
        /// The customer was warned for abuse; the words are in the cause.
        Warned {
            /// Who warned them.
            agent: AgentId,
        },
        /// The customer is told that they are not heard for a while.
        Blocked {
            /// Who blocked them.
            agent: AgentId,
            /// Until when.
            until: Millis,
        },
        /// The customer wrote while they are blocked: nothing is asked of anybody; the words are in the cause.
        FromBlocked,
        /// An agent took the contact.
        Joined {
            /// Who.
            agent: AgentId,
        },
        /// The contact went to a queue.
        TransferredToQueue {
            /// Who gave it.
            agent: AgentId,
            /// Where it went.
            queue: SubjectToken,
        },
        /// The contact went to a colleague.
        TransferredToAgent {
            /// Who gave it.
            agent: AgentId,
            /// To whom.
            to: AgentId,
            /// Whether it comes back if they do not take it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            back: bool,
        },
        /// The colleague to whom it went did not take it: it is again with who gave it.
        HandedBack {
            /// Who has it again.
            agent: AgentId,
            /// Who did not take it.
            from: AgentId,
            /// Why not.
            why: NotTaken,
        },
        /// The owner asked a colleague for a word.
        Consulted {
            /// Who asked.
            agent: AgentId,
            /// Whom.
            colleague: AgentId,
        },
        /// The colleague who was asked for a word did not agree.
        ConsultDeclined {
            /// Who.
            agent: AgentId,
            /// Why not.
            why: NotTaken,
        },
        /// Somebody who is with the contact wrote to its owner; the words are in the cause.
        Whispered {
            /// Who.
            agent: AgentId,
        },
        /// Somebody writes to the customer beside the owner.
        JoinedBeside {
            /// Who.
            agent: AgentId,
        },
        /// Who wrote beside the owner does so no more.
        LeftAgain {
            /// Who.
            agent: AgentId,
        },
        /// The contact was taken back from an agent who was gone.
        Reclaimed {
            /// From whom.
            agent: AgentId,
        },
        /// The contact ended.
        Resolved {
            /// Who ended it.
            agent: AgentId,
            /// How.
            disposition: SubjectToken,
            /// What the disposition asked for, by field.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            fields: BTreeMap<SubjectToken, SubjectToken>,
        },
        /// The agent laid the contact aside.
        Snoozed {
            /// Who.
            agent: AgentId,
            /// Until when, if the customer does not write before.
            until: Millis,
        },
        /// The customer asked to be called back; the words before say where. They keep their place when they leave.
        CallbackAsked,
        /// The contact ends soon, if its customer does not answer.
        SilenceWarned {
            /// When.
            closes_at: Millis,
        },
        /// The customer was told of an incident, in their language.
        IncidentTold {
            /// Which.
            incident: IncidentId,
            /// The company's words.
            text: String,
        },
        /// The contact ended because its customer did not answer.
        ClosedAfterSilence {
            /// Who had it.
            agent: AgentId,
        },
        /// Somebody who leads has the contact from here.
        TakenOver {
            /// Who.
            agent: AgentId,
            /// Who had it before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            from: Option<AgentId>,
        },
        /// The contact waits in a queue that is closed; the customer is told when it opens.
        Closed {
            /// When it opens; `None`: not within a year.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            opens_at: Option<Millis>,
        },
        /// The customer is asked what they think of the help that they had.
        FeedbackAsked {
            /// What is asked.
            question: Question,
        },
        /// The customer answered what they were asked; the words are in the cause.
        FeedbackGiven {
            /// What was asked.
            question: Question,
            /// Their answer.
            score: u8,
        },
        /// The contact goes on in another conversation of the same customer.
        WentOn {
            /// On which channel.
            channel: ChannelKind,
        },
        /// The contact comes from another conversation of the same customer, with its place and its owner.
        CameFrom {
            /// From which conversation.
            conversation: ConversationId,
            /// From which channel.
            channel: ChannelKind,
        },
        /// The customer came back to a contact that had ended.
        Reopened,
        /// The customer left.
        CustomerLeft,
    }
}

impl EntryKind {
    /// Whether the customer may see it.
    #[must_use]
    pub fn is_for_customer(&self) -> bool {
        match self {
            Self::Note { .. }
            | Self::Suggested { .. }
            | Self::Snoozed { .. }
            | Self::Consulted { .. }
            | Self::ConsultDeclined { .. }
            | Self::Whispered { .. }
            | Self::Annotated { .. }
            | Self::CameFrom { .. }
            | Self::LeftAgain { .. } => false,
            Self::FromCustomer
            | Self::FromBlocked
            | Self::Warned { .. }
            | Self::Blocked { .. }
            | Self::Automatic
            | Self::FromAgent { .. }
            | Self::HandedOver { .. }
            | Self::Told { .. }
            | Self::Joined { .. }
            | Self::TransferredToQueue { .. }
            | Self::TransferredToAgent { .. }
            | Self::HandedBack { .. }
            | Self::JoinedBeside { .. }
            | Self::Reclaimed { .. }
            | Self::Resolved { .. }
            | Self::CallbackAsked
            | Self::SilenceWarned { .. }
            | Self::IncidentTold { .. }
            | Self::ClosedAfterSilence { .. }
            | Self::TakenOver { .. }
            | Self::Closed { .. }
            | Self::FromColleague
            | Self::FeedbackAsked { .. }
            | Self::FeedbackGiven { .. }
            | Self::WentOn { .. }
            | Self::Reopened
            | Self::CustomerLeft => true,
        }
    }
}

/// How somebody is with a contact that is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CompanyRole {
    /// Asked for a word by the owner, and has not answered yet.
    Asked {
        /// Who asks.
        by: AgentId,
        /// Until when.
        until: Millis,
    },
    /// Reads and whispers, as the owner asked.
    Consulted,
    /// Leads; reads and whispers.
    Watching,
    /// Writes to the customer beside the owner.
    Joined,
}

/// Why a colleague did not take what they were asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotTaken {
    /// They said no.
    Declined,
    /// They did not answer in time, or had no room in time.
    NoTime,
    /// They went away.
    Gone,
}

/// Why people have a contact instead of a bot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum HandOverWhy {
    /// Its customer waited for it for too long.
    Stalled,
    /// It said that it could not go on.
    Failed {
        /// Its word for it.
        reason: SubjectToken,
    },
    /// It called for help.
    CalledForHelp {
        /// Its word for it.
        reason: SubjectToken,
    },
    /// Its connection was lost.
    Gone,
    /// The customer asked for a person.
    CustomerAsked,
}
