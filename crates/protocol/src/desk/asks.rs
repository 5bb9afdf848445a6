//! What a desk sends.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::command::Presence;
use crate::content::{Attachment, MailAddress, Template};
use crate::customer::CustomerWish;
use crate::ids::{
    AgentId, AskId, CommandId, ContactId, ConversationId, IdentityId, IncidentId, MessageId, OfferId,
    PromiseId, RemedyId, SignalId,
};
use crate::incident::IncidentTerms;
use crate::money::{Currency, Money};
use crate::policy::Words;
use crate::remedy::{Claim, Occasion, RemedyKind};
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// What a desk sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDesk {
    /// The first frame of every connection.
    Hello {
        /// The last sequence the desk has of each conversation it shows.
        #[serde(default)]
        have: BTreeMap<ConversationId, u64>,
    },
    /// A command; answered by [`super::ToDesk::Settled`].
    Command {
        /// Made by the desk, UUID v7.
        id: CommandId,
        /// What is asked, with words in the clear.
        command: DeskCommand,
    },
    /// The agent is typing.
    Typing {
        /// The contact.
        contact: ContactId,
        /// For colleagues: the customer does not hear of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        note: bool,
    },
    /// Unsent words, to be kept on the server; empty text forgets them.
    Draft {
        /// The contact.
        contact: ContactId,
        /// The words.
        text: String,
    },
    /// Asks for older entries of a conversation than the desk has.
    Older {
        /// The contact through which the agent may read it.
        contact: ContactId,
        /// Entries before this sequence.
        before_seq: u64,
    },
    /// Asks what can be given now; answered by [`super::ToDesk::Till`].
    Till {
        /// The contact that one holds.
        contact: ContactId,
        /// What the customer says, as far as it is known.
        #[serde(default)]
        claim: Claim,
        /// In which currency; the claim's or the policy's first if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<Currency>,
    },
    /// Asks what waits in one's own queues and can be picked; answered by [`super::ToDesk::Line`].
    Line {},
    /// Sign of life; answered by [`super::ToDesk::Pong`].
    Ping {
        /// Returned as it is.
        n: u64,
    },
}

/// A command as a desk sends it: words in the clear, sealed by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeskCommand {
    /// See [`crate::command::Command::SetPresence`].
    SetPresence {
        /// The state wanted.
        presence: Presence,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Only once nothing is held any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        when_free: bool,
    },
    /// See [`crate::command::Command::Accept`].
    Accept {
        /// The offer.
        offer: OfferId,
    },
    /// See [`crate::command::Command::Decline`].
    Decline {
        /// The offer.
        offer: OfferId,
        /// Why.
        reason: String,
    },
    /// See [`crate::command::Command::Reply`].
    Reply {
        /// The contact.
        contact: ContactId,
        /// Made by the desk, so that it finds its own words again.
        message: MessageId,
        /// The words.
        text: String,
        /// What goes with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<Box<ReplyWith>>,
    },
    /// See [`crate::command::Command::Begin`].
    Begin(Box<DeskBegin>),
    /// See [`crate::command::Command::Note`].
    Note {
        /// The contact.
        contact: ContactId,
        /// Made by the desk.
        message: MessageId,
        /// The words.
        text: String,
        /// Who is mentioned.
        #[serde(default)]
        mentions: Vec<AgentId>,
    },
    /// See [`crate::command::Command::Pick`].
    Pick {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::SetTags`].
    SetTags {
        /// The contact.
        contact: ContactId,
        /// What is added.
        #[serde(default)]
        add: BTreeSet<SubjectToken>,
        /// What is taken away.
        #[serde(default)]
        remove: BTreeSet<SubjectToken>,
    },
    /// See [`crate::command::Command::SetFields`].
    SetFields {
        /// The contact.
        contact: ContactId,
        /// Values by field; `None` empties one.
        fields: BTreeMap<SubjectToken, Option<SubjectToken>>,
    },
    /// See [`crate::command::Command::ReadMentions`].
    ReadMentions {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::WarnCustomer`].
    WarnCustomer {
        /// The contact.
        contact: ContactId,
        /// Made by the desk.
        message: MessageId,
        /// The words.
        text: String,
    },
    /// See [`crate::command::Command::BlockCustomer`].
    BlockCustomer {
        /// A contact of theirs.
        contact: ContactId,
        /// Until when.
        until: Millis,
        /// Why: a short word.
        reason: SubjectToken,
    },
    /// See [`crate::command::Command::UnblockCustomer`].
    UnblockCustomer {
        /// Who.
        identity: IdentityId,
    },
    /// See [`crate::command::Command::TransferToQueue`].
    TransferToQueue {
        /// The contact.
        contact: ContactId,
        /// The queue.
        queue: SubjectToken,
    },
    /// See [`crate::command::Command::TransferToAgent`].
    TransferToAgent {
        /// The contact.
        contact: ContactId,
        /// The colleague.
        agent: AgentId,
        /// Whether it comes back if they do not take it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        back: bool,
    },
    /// See [`crate::command::Command::Consult`].
    Consult {
        /// The contact.
        contact: ContactId,
        /// The colleague.
        agent: AgentId,
    },
    /// See [`crate::command::Command::AnswerConsult`].
    AnswerConsult {
        /// The contact.
        contact: ContactId,
        /// Whether one has time.
        yes: bool,
    },
    /// See [`crate::command::Command::Watch`].
    Watch {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::ChangeCustomer`].
    ChangeCustomer {
        /// The contact.
        contact: ContactId,
        /// What is said.
        wish: CustomerWish,
    },
    /// See [`crate::command::Command::Whisper`].
    Whisper {
        /// The contact.
        contact: ContactId,
        /// Made by the desk.
        message: MessageId,
        /// The words.
        text: String,
    },
    /// See [`crate::command::Command::Join`].
    Join {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::Leave`].
    Leave {
        /// The contact.
        contact: ContactId,
        /// Who leaves, if not oneself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// See [`crate::command::Command::Resolve`].
    Resolve {
        /// The contact.
        contact: ContactId,
        /// How it ended.
        disposition: SubjectToken,
        /// What the disposition asks for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<SubjectToken, SubjectToken>,
    },
    /// See [`crate::command::Command::EndWrapUp`].
    EndWrapUp {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::Snooze`].
    Snooze {
        /// The contact.
        contact: ContactId,
        /// Until when.
        until: Millis,
    },
    /// See [`crate::command::Command::Resume`].
    Resume {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::Revoke`].
    Revoke {
        /// The offer.
        offer: OfferId,
    },
    /// See [`crate::command::Command::TakeOver`].
    TakeOver {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::SetIncident`].
    SetIncident {
        /// The incident, new or known.
        incident: IncidentId,
        /// What it is.
        terms: Box<IncidentTerms>,
    },
    /// See [`crate::command::Command::GatherForIncident`].
    GatherForIncident {
        /// The incident.
        incident: IncidentId,
        /// Which; empty for all that wait and belong to it.
        #[serde(default)]
        contacts: Vec<ContactId>,
    },
    /// See [`crate::command::Command::AnswerIncident`].
    AnswerIncident {
        /// The incident.
        incident: IncidentId,
        /// What customers are told, by language.
        words: Words,
    },
    /// See [`crate::command::Command::ResolveIncident`].
    ResolveIncident {
        /// The incident.
        incident: IncidentId,
        /// How its contacts ended.
        disposition: SubjectToken,
        /// What customers are told, by language; may be empty.
        #[serde(default)]
        words: Words,
    },
    /// See [`crate::command::Command::CloseIncident`].
    CloseIncident {
        /// The incident.
        incident: IncidentId,
    },
    /// See [`crate::command::Command::TakeVoice`].
    TakeVoice {
        /// The contact.
        contact: ContactId,
    },
    /// See [`crate::command::Command::CallForHelp`].
    CallForHelp {
        /// The contact.
        contact: ContactId,
        /// Why.
        reason: SubjectToken,
    },
    /// See [`crate::command::Command::Fail`].
    Fail {
        /// The contact.
        contact: ContactId,
        /// Why.
        reason: SubjectToken,
    },
    /// See [`crate::remedy::RemedyCommand::Give`]; like all that follow, answered by [`super::ToDesk::RemedySettled`].
    Give {
        /// The contact.
        contact: ContactId,
        /// What.
        gift: Box<DeskGift>,
        /// Whether to ask when it cannot be given unasked.
        #[serde(default)]
        ask: bool,
        /// The case in three lines for whom is asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<String>,
    },
    /// See [`crate::remedy::RemedyCommand::Undo`].
    Undo {
        /// The remedy.
        remedy: RemedyId,
    },
    /// See [`crate::remedy::RemedyCommand::Answer`].
    Answer {
        /// The ask.
        ask: AskId,
        /// Yes, or leave it to the next.
        yes: bool,
    },
    /// See [`crate::remedy::RemedyCommand::Retry`].
    Retry {
        /// The remedy.
        remedy: RemedyId,
    },
    /// See [`crate::remedy::RemedyCommand::Promise`].
    Promise {
        /// The contact.
        contact: ContactId,
        /// What.
        words: String,
        /// By when.
        due: Millis,
    },
    /// See [`crate::remedy::RemedyCommand::Keep`].
    Keep {
        /// The promise.
        promise: PromiseId,
    },
    /// See [`crate::remedy::RemedyCommand::Thank`].
    Thank {
        /// The colleague.
        agent: AgentId,
        /// About which contact.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
        /// A few words.
        words: String,
    },
    /// See [`crate::remedy::RemedyCommand::Tell`].
    Story {
        /// The remedy.
        remedy: RemedyId,
        /// A title without names.
        title: String,
        /// Whether the customer agreed to be named.
        #[serde(default)]
        consent: bool,
    },
    /// See [`crate::remedy::RemedyCommand::Contest`].
    Contest {
        /// The signal.
        signal: SignalId,
        /// Why.
        reason: String,
    },
}

/// A conversation that an agent begins, as a desk sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskBegin {
    /// By which channel.
    pub channel: ChannelKind,
    /// By which account of it.
    pub account: SubjectToken,
    /// To whom.
    pub to: BeginTo,
    /// The queue of the new contact.
    pub queue: SubjectToken,
    /// The contact that one holds and that goes on there instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Made by the desk, so that it finds its own words again.
    pub message: MessageId,
    /// The words.
    pub text: String,
    /// What goes with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Box<ReplyWith>>,
}

/// To whom an agent writes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum BeginTo {
    /// Whoever has this address.
    Typed {
        /// As the agent typed it.
        address: String,
    },
    /// One of the identities that were shown as the customer of a conversation.
    Known {
        /// Which.
        identity: IdentityId,
        /// Of which conversation.
        conversation: ConversationId,
    },
}

/// A gift as a desk sends it: words in the clear, sealed by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskGift {
    /// What.
    pub kind: RemedyKind,
    /// Why.
    pub occasion: Occasion,
    /// What the customer says.
    #[serde(default)]
    pub claim: Claim,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// By when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Millis>,
    /// "Something else", in the agent's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What the customer is told, if not the card's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
    /// Given knowing of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_top_of: Option<RemedyId>,
}

/// What goes with an answer: files, and what only mail has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyWith {
    /// Files that the desk has uploaded, at most [`crate::limits::ATTACHMENTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Who has a copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<MailAddress>,
    /// To whom instead of the customer: the customer's last mail is passed on, and the answer comes back here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward_to: Vec<MailAddress>,
    /// The subject, if it is not the customer's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The approved form that the words are sent as, on a channel that takes nothing else now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<Template>>,
}
