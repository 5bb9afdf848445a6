//! What an agent can ask for, and what is answered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::content::Sealed;
use crate::customer::CustomerWish;
use crate::ids::{AgentId, CommandId, ContactId, IdentityId, IncidentId, MessageId, OfferId};
use crate::incident::IncidentTerms;
use crate::policy::Words;
use crate::remedy::RemedyCommand;
use crate::tagged::tagged;
use crate::time::Millis;
use crate::token::{ChannelKind, SubjectToken};

/// One command of one agent; the id is made by the client and makes it idempotent (law 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCommand {
    /// The client's name for this command, a UUID v7: the same id again gets the same answer.
    pub id: CommandId,
    /// Who asks; set by the gateway from the signed-in session, never by the client.
    pub agent: AgentId,
    /// What is asked.
    pub command: Command,
}

tagged! {
    "do", "super::Command", command;
    /// What an agent can ask for.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Command {
        /// Say whether one takes contacts.
        SetPresence {
            /// The state wanted.
            presence: Presence,
            /// Why, in the agent's words or a configured word.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
            /// Only once nothing is held any more; until then nothing new comes. Any other presence that is set calls it off.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            when_free: bool,
        },
        /// Take the offered contact.
        Accept {
            /// The offer.
            offer: OfferId,
        },
        /// Leave the offered contact to others.
        Decline {
            /// The offer.
            offer: OfferId,
            /// Why.
            reason: String,
        },
        /// Write to the customer.
        Reply {
            /// The contact that one holds.
            contact: ContactId,
            /// The id of the message, made by the desk.
            message: MessageId,
            /// Sealed [`crate::content::Content`].
            body: Sealed,
        },
        /// Write to a customer first, or go on with a contact that one holds where its customer can be reached otherwise. The answer
        /// comes to who began.
        Begin(Box<Begin>),
        /// Write for colleagues only.
        Note {
            /// The contact that one holds.
            contact: ContactId,
            /// The id of the note, made by the desk.
            message: MessageId,
            /// Sealed [`crate::content::Content`].
            body: Sealed,
            /// Colleagues named in it, who are told and may read the conversation; at most [`crate::limits::MENTIONS_PER_NOTE_MAX`].
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            mentions: Vec<AgentId>,
        },
        /// Take a waiting contact without being asked: of a queue that one serves and that lets pick, within what one can hold.
        Pick {
            /// The contact.
            contact: ContactId,
        },
        /// Put tags to a contact and take some away; for who has it, is with it, or leads.
        SetTags {
            /// The contact.
            contact: ContactId,
            /// What is added, each one of the configured tags.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            add: BTreeSet<SubjectToken>,
            /// What is taken away.
            #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
            remove: BTreeSet<SubjectToken>,
        },
        /// Say what a contact's fields hold; for who has it, is with it, or leads.
        SetFields {
            /// The contact.
            contact: ContactId,
            /// Each one of the configured fields, with its value from here; `None`: nothing. Fields not named stay as they are.
            fields: BTreeMap<SubjectToken, Option<SubjectToken>>,
        },
        /// One has seen where one is mentioned in a contact: it is no news any more.
        ReadMentions {
            /// The contact.
            contact: ContactId,
        },
        /// Warn a customer who abuses: they are told, and it is counted; for who may write to them, or leads.
        WarnCustomer {
            /// The contact.
            contact: ContactId,
            /// The id of the message, made by the desk.
            message: MessageId,
            /// Sealed [`crate::content::Content`].
            body: Sealed,
        },
        /// For who leads: a customer's messages lead to nothing until then. What of theirs waits ends.
        BlockCustomer {
            /// A contact of theirs, open or ended not long ago.
            contact: ContactId,
            /// Until when; within a year.
            until: Millis,
            /// Why: a short word such as `threats`, never a customer's.
            reason: SubjectToken,
        },
        /// For who leads: a customer is heard again like everybody else.
        UnblockCustomer {
            /// Who.
            identity: IdentityId,
        },
        /// Give the contact to another queue; who leads may so with one that nobody has.
        TransferToQueue {
            /// The contact that one holds, or that waits where one leads.
            contact: ContactId,
            /// The queue.
            queue: SubjectToken,
        },
        /// Give the contact to a colleague, who gets an offer; if they do not take it, it goes on in its queue.
        TransferToAgent {
            /// The contact that one holds.
            contact: ContactId,
            /// The colleague.
            agent: AgentId,
            /// Whether it comes back to who gives it if the colleague does not take it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            back: bool,
        },
        /// End the contact; the customer is told, and wrap-up begins.
        Resolve {
            /// The contact that one holds.
            contact: ContactId,
            /// How it ended, one of the configured dispositions.
            disposition: SubjectToken,
            /// What the disposition asks for, by field.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            fields: BTreeMap<SubjectToken, SubjectToken>,
        },
        /// Lay the contact aside: it takes no room until then, or until the customer writes, and comes back to the same agent first.
        Snooze {
            /// The contact that one has.
            contact: ContactId,
            /// Until when.
            until: Millis,
        },
        /// Take back what was laid aside, before its time.
        Resume {
            /// The contact that one laid aside, or that was, because its customer was silent.
            contact: ContactId,
        },
        /// For who leads: take an offer back from a colleague; it goes to somebody else.
        Revoke {
            /// The offer.
            offer: OfferId,
        },
        /// For who leads: have an open contact oneself, wherever it is.
        TakeOver {
            /// The contact.
            contact: ContactId,
        },
        /// Ask a colleague for a word on a contact that one holds: if they agree they read it, and whisper.
        Consult {
            /// The contact that one holds.
            contact: ContactId,
            /// The colleague.
            agent: AgentId,
        },
        /// Agree, or not, to being consulted.
        AnswerConsult {
            /// The contact.
            contact: ContactId,
            /// Whether one has time.
            yes: bool,
        },
        /// For who leads: read a contact of somebody else's as it goes on. Its owner sees that; its customer does not.
        Watch {
            /// The contact.
            contact: ContactId,
        },
        /// Say that the customer of a contact that one holds is somebody who is known already, or is not.
        ChangeCustomer {
            /// The contact that one holds.
            contact: ContactId,
            /// What is said.
            wish: CustomerWish,
        },
        /// Write to the owner of a contact that one is with; its customer never sees it.
        Whisper {
            /// The contact.
            contact: ContactId,
            /// The id of the words, made by the desk.
            message: MessageId,
            /// Sealed [`crate::content::Content`].
            body: Sealed,
        },
        /// Write to the customer too, beside the owner: for who is with the contact.
        Join {
            /// The contact.
            contact: ContactId,
        },
        /// Be with a contact no more; its owner, and who leads, may also send a colleague away.
        Leave {
            /// The contact.
            contact: ContactId,
            /// Who leaves, if not oneself.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            agent: Option<AgentId>,
        },
        /// For who leads: have a bot's contact oneself and write in it; asked for by the first keystroke.
        TakeVoice {
            /// The contact that a bot has.
            contact: ContactId,
        },
        /// For a bot: people have to help; they get the contact.
        CallForHelp {
            /// The contact that it holds.
            contact: ContactId,
            /// Why: a short word such as `no_answer`, never a customer's.
            reason: SubjectToken,
        },
        /// For a bot: it cannot go on; people get the contact.
        Fail {
            /// The contact that it holds.
            contact: ContactId,
            /// Why: a short word such as `timeout`.
            reason: SubjectToken,
        },
        /// For who leads: say that there is an incident, or change what was said of it.
        SetIncident {
            /// The incident; a new one has a new id, made by the desk.
            incident: IncidentId,
            /// What it is.
            terms: Box<IncidentTerms>,
        },
        /// For who leads: have waiting contacts wait for an incident instead.
        GatherForIncident {
            /// The incident.
            incident: IncidentId,
            /// Which; empty for all that wait and belong to it.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            contacts: Vec<ContactId>,
        },
        /// For who leads: tell all customers of an incident something.
        AnswerIncident {
            /// The incident.
            incident: IncidentId,
            /// What, by language.
            words: Words,
        },
        /// For who leads: resolve all contacts of an incident, which ends with that.
        ResolveIncident {
            /// The incident.
            incident: IncidentId,
            /// How they ended: a configured disposition that asks for nothing else.
            disposition: SubjectToken,
            /// What customers are told, by language; may be empty.
            #[serde(default, skip_serializing_if = "Words::is_empty")]
            words: Words,
        },
        /// For who leads: end an incident; what is still open of it goes back to its queues, in its old place.
        CloseIncident {
            /// The incident.
            incident: IncidentId,
        },
        /// End the wrap-up before its time.
        EndWrapUp {
            /// The contact in wrap-up.
            contact: ContactId,
        },
        /// For the empowerment worker: routing says where the contact stands and passes it on.
        Empower {
            /// What is asked.
            ask: Box<RemedyCommand>,
        },
    }
}

/// A conversation that an agent begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// By which channel.
    pub channel: ChannelKind,
    /// By which account of it.
    pub account: SubjectToken,
    /// To whom, as their messages by this account would be theirs.
    pub identity: IdentityId,
    /// Where they are reached, sealed, if the channel has not heard of them yet; who carries the channel reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Sealed>,
    /// The queue of the new contact; one that the agent serves.
    pub queue: SubjectToken,
    /// The contact that one holds and that goes on there instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The id of the message, made by the desk.
    pub message: MessageId,
    /// Sealed [`crate::content::Content`].
    pub body: Sealed,
}

impl Command {
    /// The word for metrics and logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SetPresence { .. } => "set_presence",
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Reply { .. } => "reply",
            Self::Begin(_) => "begin",
            Self::Note { .. } => "note",
            Self::TransferToQueue { .. } => "transfer_to_queue",
            Self::TransferToAgent { .. } => "transfer_to_agent",
            Self::Resolve { .. } => "resolve",
            Self::SetIncident { .. } => "set_incident",
            Self::GatherForIncident { .. } => "gather_for_incident",
            Self::AnswerIncident { .. } => "answer_incident",
            Self::ResolveIncident { .. } => "resolve_incident",
            Self::CloseIncident { .. } => "close_incident",
            Self::EndWrapUp { .. } => "end_wrap_up",
            Self::Pick { .. } => "pick",
            Self::SetTags { .. } => "set_tags",
            Self::SetFields { .. } => "set_fields",
            Self::ReadMentions { .. } => "read_mentions",
            Self::WarnCustomer { .. } => "warn_customer",
            Self::BlockCustomer { .. } => "block_customer",
            Self::UnblockCustomer { .. } => "unblock_customer",
            Self::Snooze { .. } => "snooze",
            Self::Resume { .. } => "resume",
            Self::Revoke { .. } => "revoke",
            Self::TakeOver { .. } => "take_over",
            Self::Consult { .. } => "consult",
            Self::AnswerConsult { .. } => "answer_consult",
            Self::Watch { .. } => "watch",
            Self::ChangeCustomer { .. } => "change_customer",
            Self::Whisper { .. } => "whisper",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::TakeVoice { .. } => "take_voice",
            Self::CallForHelp { .. } => "call_for_help",
            Self::Fail { .. } => "fail",
            Self::Empower { ask } => ask.name(),
        }
    }

    /// What it names.
    #[must_use]
    pub fn names(&self) -> Option<Named> {
        match self {
            Self::Accept { offer } | Self::Decline { offer, .. } | Self::Revoke { offer } => {
                Some(Named::Offer(*offer))
            }
            Self::Reply { contact, .. }
            | Self::Note { contact, .. }
            | Self::TransferToQueue { contact, .. }
            | Self::TransferToAgent { contact, .. }
            | Self::Resolve { contact, .. }
            | Self::EndWrapUp { contact, .. }
            | Self::Pick { contact, .. }
            | Self::SetTags { contact, .. }
            | Self::SetFields { contact, .. }
            | Self::ReadMentions { contact, .. }
            | Self::WarnCustomer { contact, .. }
            | Self::BlockCustomer { contact, .. }
            | Self::Snooze { contact, .. }
            | Self::Resume { contact, .. }
            | Self::TakeOver { contact, .. }
            | Self::Consult { contact, .. }
            | Self::AnswerConsult { contact, .. }
            | Self::Watch { contact, .. }
            | Self::ChangeCustomer { contact, .. }
            | Self::Whisper { contact, .. }
            | Self::Join { contact, .. }
            | Self::Leave { contact, .. }
            | Self::TakeVoice { contact, .. }
            | Self::CallForHelp { contact, .. }
            | Self::Fail { contact, .. } => Some(Named::Contact(*contact)),
            Self::Empower { ask } => ask.contact().map(Named::Contact),
            Self::Begin(begin) => begin.contact.map(Named::Contact),
            Self::SetPresence { .. }
            | Self::UnblockCustomer { .. }
            | Self::SetIncident { .. }
            | Self::GatherForIncident { .. }
            | Self::AnswerIncident { .. }
            | Self::ResolveIncident { .. }
            | Self::CloseIncident { .. } => None,
        }
    }
}

/// What a command names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// A contact.
    Contact(ContactId),
    /// An offer of one.
    Offer(OfferId),
}

/// Whether an agent takes contacts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Takes contacts.
    Online,
    /// At work, but takes none now.
    Away,
    /// Not at work.
    Offline,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was not, and nothing changed.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No agent of that id is configured.
    #[error("this agent is not configured here: ask a supervisor to add you")]
    UnknownAgent,
    /// The offer's time was up, or it was taken back.
    #[error("this offer has ended: the contact went on")]
    OfferEnded,
    /// Somebody else holds it.
    #[error("this contact is not yours: reload to see who has it")]
    NotYours,
    /// The contact is resolved or abandoned.
    #[error("this contact is closed: it opens again when the customer writes")]
    ContactClosed,
    /// There is no such contact.
    #[error("there is no such contact")]
    UnknownContact,
    /// There is no such queue.
    #[error("there is no such queue: choose one from the list")]
    UnknownQueue,
    /// There is no such disposition.
    #[error("there is no such disposition: choose one from the list")]
    UnknownDisposition,
    /// The colleague is not there, or is oneself.
    #[error("this colleague cannot take it now: choose another, or a queue")]
    ColleagueNotThere,
    /// The command is older than a day.
    #[error("this command is more than a day old: look at the contact, then send it anew")]
    TooOld,
    /// A text is too long.
    #[error("the text or the list is too long: shorten it")]
    TooLong,
    /// Who asks does not lead.
    #[error("only who leads can do this: ask a lead")]
    NotLead,
    /// Who asks leads, but not where this is.
    #[error("this is not in a queue that you lead: ask who leads it")]
    NotInScope,
    /// One more contact of this channel is more than the agent can hold.
    #[error("there is no room for one more: end or snooze a contact first")]
    NoRoom,
    /// The disposition asks for a field that is missing, or the field has another value than it can have.
    #[error("a field of this disposition is missing or has a value that it cannot have: fill in all of them")]
    FieldMissing,
    /// As many colleagues are with the contact as can be, or the colleague is with as many contacts as can be.
    #[error("there are too many already: somebody has to leave first")]
    CompanyFull,
    /// A time that is past, too soon or too far ahead.
    #[error("this time cannot be used: choose one between a minute and 90 days from now")]
    BadTime,
    /// Only a bot hands over by itself.
    #[error("only a bot can do this: give the contact to a queue or to a colleague")]
    NotBot,
    /// Nobody knows of such an incident, or it has ended.
    #[error("there is no such incident, or it has ended: reload the page")]
    UnknownIncident,
    /// An incident names neither a queue nor a category, or one that is not configured.
    #[error("an incident needs a queue or a category that is configured: choose one from the list")]
    IncidentTooWide,
    /// As many incidents as can be, or as much as can be asked of one, is open.
    #[error(
        "too much is open already: end an incident first, or wait until what was asked of this one is done"
    )]
    TooManyIncidents,
    /// A text holds a control character.
    #[error("the text holds a control character: leave it out")]
    OddText,
    /// An incident ends in the past, or in more than seven days.
    #[error("an incident ends within seven days from now: choose another time")]
    IncidentTime,
    /// There are no words.
    #[error("the text is empty: write something")]
    EmptyText,
    /// The contact is with somebody, or somebody is asked.
    #[error("this contact does not wait any more: somebody was faster")]
    NotWaiting,
    /// The queue gives its contacts out in order.
    #[error("contacts of this queue cannot be picked: wait until one is offered")]
    NoPicking,
    /// The agent does not serve the queue, or lacks what the contact needs.
    #[error("this contact needs somebody else: you do not serve its queue, or lack a skill that it needs")]
    NotAble,
    /// The contact waits for a colleague who knows it.
    #[error("this contact waits for a colleague: it is free for others when their time is over")]
    Reserved,
    /// A tag is not configured.
    #[error("one of these tags is not configured: choose from the list, or have it added")]
    UnknownTag,
    /// As many tags as a contact can have.
    #[error("a contact has no room for more tags: take one away first")]
    TooManyTags,
    /// A field is not configured, or has a value that it cannot have.
    #[error("one of these fields is not configured or cannot have this value: choose from the list")]
    UnknownField,
    /// A colleague who is mentioned is not configured, or a machine.
    #[error("one of those mentioned is no colleague here: choose from the list")]
    UnknownColleague,
    /// More are mentioned than can be.
    #[error("too many colleagues are mentioned at once: leave some out")]
    TooManyMentions,
    /// An end of a block that is past or too far ahead.
    #[error("this time cannot be used: choose one between a minute and a year from now")]
    BlockTime,
    /// As many customers are blocked as can be.
    #[error("too many customers are blocked: lift a block first")]
    TooManyBlocks,
    /// The customer is not blocked.
    #[error("this customer is not blocked: reload the list")]
    NotBlocked,
    /// The account by which somebody is to be written to is not configured.
    #[error("there is no such account: choose one from the list")]
    UnknownAccount,
    /// The customer has an open contact in that conversation already.
    #[error("this customer has an open contact there already: take that one, or ask who has it")]
    AlreadyOpen,
    /// The customer is blocked.
    #[error("this customer is blocked: have the block lifted first")]
    CustomerBlocked,
    /// Nobody can be written to first by that account, or not any more.
    #[error("this customer cannot be written to there now: they have to write first")]
    CannotBegin,
    /// What was typed is no address there, or nothing arrives at it.
    #[error("this address cannot be used there: write a number in full, as +31 6 12345678")]
    BadAddress,
    /// The customer wants to be written to no more by that account.
    #[error("this customer asked not to be written to there: reach them in another way")]
    OptedOut,
    /// The customer may be sent approved forms of words alone now.
    #[error("this customer may be sent an approved template there only: choose one")]
    TemplatesOnly,
    /// Who carries the channel does not answer.
    #[error("this cannot be said just now: try again in a moment")]
    NotNow,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 43] = [
        Self::UnknownAgent,
        Self::OfferEnded,
        Self::NotYours,
        Self::ContactClosed,
        Self::UnknownContact,
        Self::UnknownQueue,
        Self::UnknownDisposition,
        Self::ColleagueNotThere,
        Self::TooOld,
        Self::TooLong,
        Self::NotLead,
        Self::NotInScope,
        Self::NoRoom,
        Self::FieldMissing,
        Self::CompanyFull,
        Self::BadTime,
        Self::NotBot,
        Self::UnknownIncident,
        Self::IncidentTooWide,
        Self::TooManyIncidents,
        Self::OddText,
        Self::IncidentTime,
        Self::EmptyText,
        Self::NotWaiting,
        Self::NoPicking,
        Self::NotAble,
        Self::Reserved,
        Self::UnknownTag,
        Self::TooManyTags,
        Self::UnknownField,
        Self::UnknownColleague,
        Self::TooManyMentions,
        Self::BlockTime,
        Self::TooManyBlocks,
        Self::NotBlocked,
        Self::UnknownAccount,
        Self::AlreadyOpen,
        Self::CustomerBlocked,
        Self::CannotBegin,
        Self::BadAddress,
        Self::OptedOut,
        Self::TemplatesOnly,
        Self::NotNow,
    ];

    /// The stable word for it, as programs branch on it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownAgent => "unknown_agent",
            Self::OfferEnded => "offer_ended",
            Self::NotYours => "not_yours",
            Self::ContactClosed => "contact_closed",
            Self::UnknownContact => "unknown_contact",
            Self::UnknownQueue => "unknown_queue",
            Self::UnknownDisposition => "unknown_disposition",
            Self::ColleagueNotThere => "colleague_not_there",
            Self::TooOld => "too_old",
            Self::TooLong => "too_long",
            Self::NotLead => "not_lead",
            Self::NotInScope => "not_in_scope",
            Self::NoRoom => "no_room",
            Self::FieldMissing => "field_missing",
            Self::CompanyFull => "company_full",
            Self::BadTime => "bad_time",
            Self::NotBot => "not_bot",
            Self::UnknownIncident => "unknown_incident",
            Self::IncidentTooWide => "incident_too_wide",
            Self::TooManyIncidents => "too_many_incidents",
            Self::OddText => "odd_text",
            Self::IncidentTime => "incident_time",
            Self::EmptyText => "empty_text",
            Self::NotWaiting => "not_waiting",
            Self::NoPicking => "no_picking",
            Self::NotAble => "not_able",
            Self::Reserved => "reserved",
            Self::UnknownTag => "unknown_tag",
            Self::TooManyTags => "too_many_tags",
            Self::UnknownField => "unknown_field",
            Self::UnknownColleague => "unknown_colleague",
            Self::TooManyMentions => "too_many_mentions",
            Self::BlockTime => "block_time",
            Self::TooManyBlocks => "too_many_blocks",
            Self::NotBlocked => "not_blocked",
            Self::UnknownAccount => "unknown_account",
            Self::AlreadyOpen => "already_open",
            Self::CustomerBlocked => "customer_blocked",
            Self::CannotBegin => "cannot_begin",
            Self::BadAddress => "bad_address",
            Self::OptedOut => "opted_out",
            Self::TemplatesOnly => "templates_only",
            Self::NotNow => "not_now",
        }
    }
}
