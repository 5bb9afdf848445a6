//! Where a conversation stands for its customer. Which events lead where is read from the log, by `channel-host`.

use serde::{Deserialize, Serialize};

/// Where a conversation stands for its customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerState {
    /// Nothing was said yet.
    #[default]
    None,
    /// Nobody has it.
    Waiting,
    /// An agent has it.
    WithAgent,
    /// It ended.
    Resolved,
}

impl CustomerState {
    /// Whether the customer's next message asks for an agent anew.
    #[must_use]
    pub fn is_idle(self) -> bool {
        matches!(self, Self::None | Self::Resolved)
    }
}
