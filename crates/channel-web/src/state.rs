//! Where a conversation stands for its customer, told by its entries alone.

use channel::EntryKind;
use serde::Serialize;

/// Where a conversation stands for its customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// The state after one more entry.
    #[must_use]
    pub fn after(self, entry: &EntryKind) -> Self {
        match entry {
            EntryKind::FromCustomer => match self {
                Self::None | Self::Resolved => Self::Waiting,
                Self::Waiting | Self::WithAgent => self,
            },
            EntryKind::Joined { .. } | EntryKind::FromAgent { .. } => Self::WithAgent,
            EntryKind::Note { .. } => self,
            EntryKind::TransferredToQueue { .. }
            | EntryKind::TransferredToAgent { .. }
            | EntryKind::Reclaimed { .. }
            | EntryKind::Reopened => Self::Waiting,
            EntryKind::Resolved { .. } | EntryKind::CustomerLeft => Self::Resolved,
        }
    }

    /// Whether the customer's next message asks for an agent anew.
    #[must_use]
    pub fn is_idle(self) -> bool {
        matches!(self, Self::None | Self::Resolved)
    }
}
