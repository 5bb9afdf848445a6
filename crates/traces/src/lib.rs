//! Traces: the spans of a process, the standard header by which they hang together, and their way out of the process.
//!
//! A trace begins at a door, where somebody outside calls, and goes on wherever that call is worked on: by the header
//! `traceparent` of what is posted and of what lies in a stream. What is not sampled has no header and no spans, so that
//! a hop which finds none begins none. Nothing of it is ever looked at to decide anything.
//!
//! The attributes of spans hold ids and counts and the names that the configuration gives: no words, no addresses, no
//! identities.

mod context;
mod export;
mod memory;
mod span;

pub use context::{TRACEPARENT, TRACESTATE, TraceContext};
pub use export::{BATCH_MAX, Count, Fate, QUEUE_MAX, Target};
pub use memory::Memory;
pub use span::{Kind, Span, Tracer, Traces};
