//! The worker's state from outside: its rules case by case, its laws under random histories.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks at the events that it is about"
)]

mod ask_rules;
mod ask_story;
mod facts_rules;
mod give_rules;
mod history;
mod limits;
mod model;
mod order_rules;
mod policy;
mod policy_rules;
mod praise_rules;
mod promise_rules;
mod properties;
mod score_rules;
mod shop;
mod signal_rules;
mod till_property;
mod till_rules;
mod wallet_rules;
