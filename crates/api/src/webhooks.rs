//! Signed webhooks out: endpoints of other systems, posted public events in order, each with a number without gaps.
//!
//! Nothing is queued: an endpoint is a place in a log and a count. One process posts, under a lease; what was posted but not yet
//! noted when it died is posted again under the same number and the same id.

pub(crate) mod address;
mod attempts;
mod deliver;
mod lead;
mod post;
pub(crate) mod routes;
mod rows;

pub(crate) use lead::lead;
pub(crate) use rows::Rows;
