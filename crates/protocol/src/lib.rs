//! The words of the product as types: ids, messages, contacts, inputs, records, subjects.
//!
//! Pure: no I/O, no clock, no dice. Everything that crosses a process boundary is defined here, once, and
//! every kind has a golden JSON example that later versions must still read.

#![warn(missing_docs)]

pub mod api;
pub mod command;
pub mod config;
pub mod content;
pub mod desk;
pub mod hash;
pub mod ids;
pub mod input;
pub mod limits;
pub mod parked;
pub mod record;
pub mod signin;
pub mod streams;
pub mod subjects;
pub mod thread;
pub mod time;
pub mod token;
pub mod views;

pub use command::{Command, Outcome, Refusal};
pub use hash::Hash128;
pub use ids::{
    AgentId, CommandId, ContactId, ConversationId, GatewayId, IdentityId, MessageId, NoticeId, OfferId,
    ParkedId, SessionId,
};
pub use input::{Input, InputBody};
pub use record::{Cause, Event, Record};
pub use subjects::Subject;
pub use time::Millis;
pub use token::{ChannelKind, SkillLevel, SubjectToken};
