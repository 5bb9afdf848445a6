//! The words of the product as types: ids, messages, contacts, inputs, records, subjects.
//!
//! Pure: no I/O, no clock, no dice. Everything that crosses a process boundary is defined here, once, and
//! every kind has a golden JSON example that later versions must still read.

#![warn(missing_docs)]

pub mod act;
pub mod admin;
pub mod api;
pub mod arrival;
pub mod audit;
pub mod canary;
pub mod canned;
pub mod channels;
pub mod command;
pub mod config;
pub mod consent;
pub mod content;
pub mod customer;
pub mod delivery;
pub mod desk;
pub mod edge;
pub mod facts;
pub mod feedback;
pub mod formats;
pub mod hash;
pub mod hours;
pub mod ids;
pub mod incident;
pub mod input;
pub mod integration;
pub mod limits;
pub mod mask;
pub mod money;
pub mod parked;
pub mod policy;
pub mod privacy;
pub mod reach;
pub mod record;
pub mod remedies;
pub mod remedy;
pub mod rights;
mod schema;
pub mod search;
pub mod signin;
pub mod streams;
pub mod subjects;
mod tagged;
pub mod thread;
pub mod till;
pub mod time;
pub mod token;
pub mod views;

pub use act::{Act, IntegrationAct};
pub use command::{Command, Outcome, Refusal};
pub use hash::Hash128;
pub use ids::{
    AgentId, AskId, CommandId, ContactId, ConversationId, ErasureId, ExportId, GatewayId, IdentityId,
    IncidentId, LinkId, MessageId, NoticeId, OfferId, ParkedId, PromiseId, RemedyId, SessionId, SignalId,
    StoryId, TellId, WebhookId,
};
pub use input::{Input, InputBody};
pub use money::{Currency, Money};
pub use record::{Cause, Event, Record};
pub use remedies::{RemedyCause, RemedyEvent, RemedyRecord};
pub use subjects::Subject;
pub use time::Millis;
pub use token::{ChannelKind, Language, OF_CHANNELS, SkillLevel, SubjectToken};
