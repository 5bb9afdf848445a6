//! The routing core from outside: its rules case by case, its laws under random floors.

mod builder;
mod config_rules;
mod limits;
mod memory_rules;
mod model;
mod offer_rules;
mod owner_rules;
mod presence_rules;
mod properties;
mod recovery;
mod refusals;
mod tell;
