//! The routing core from outside: its rules case by case, its laws under random floors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks at the events that it is about"
)]

mod aside_rules;
mod block_rules;
mod bot_rules;
mod builder;
mod company_rules;
mod condition_rules;
mod config_rules;
mod customer_rules;
mod empowerment;
mod feedback_rules;
mod forgetting;
mod hours_rules;
mod incident_rules;
mod limits;
mod mark_rules;
mod memory_rules;
mod model;
mod offer_rules;
mod order_rules;
mod owner_rules;
mod pick_rules;
mod policies;
mod presence_rules;
mod properties;
mod reach_rules;
mod receipts;
mod recovery;
mod refusals;
mod scope_rules;
mod service_rules;
mod small_floors;
mod tell;
mod thread_rules;
mod who_rules;
mod wishes;
