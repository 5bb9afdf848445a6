//! The process kit: settings, logs, metrics, health, clock, drain, rates and crash windows.
//!
//! Every role uses it and it uses none of our other crates. What is here knows nothing of contacts or agents; it knows
//! how a process of ours starts, shows itself and ends.

pub mod clock;
pub mod drain;
pub mod failpoint;
pub mod health;
pub mod http;
pub mod kit;
pub mod metrics;
pub mod problem;
pub mod pulse;
pub mod rate;
pub mod settings;
pub mod spans;
pub mod trace;

pub use clock::Clock;
pub use drain::Drain;
pub use health::{Health, HealthHandle};
pub use kit::Kit;
pub use metrics::Metrics;
pub use problem::Problem;
pub use pulse::Pulse;
pub use rate::{Rate, RateLimiter, RetryAfter};
pub use settings::{Secret, Settings, SettingsErrors};
