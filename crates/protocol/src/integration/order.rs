//! Orders for remedies that an integration fetches and answers, instead of being sent them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::RemedyOrder;
use crate::content::Sealed;
use crate::ids::{IdentityId, RemedyId};
use crate::remedies::OrderAnswer;
use crate::time::Millis;
use crate::token::SubjectToken;

/// Most orders of one page, the oldest first: what is answered leaves room for the next.
pub const ORDERS_PAGE_MAX: usize = 100;
/// Longest reference that an answer may give, bytes: it is read out to customers.
pub const REFERENCE_BYTES_MAX: usize = 128;

/// ORDERS, key [`order_key`]: an order for an integration, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// When it was laid there.
    pub at: Millis,
    /// Whose key seals it.
    pub identity: IdentityId,
    /// Sealed [`RemedyOrder`].
    pub order: Sealed,
    /// The answer: done or failed, and never another one after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<OrderAnswer>,
}

/// The key of an order's row.
#[must_use]
pub fn order_key(integration: &SubjectToken, remedy: RemedyId) -> String {
    format!("{integration}.{remedy}")
}

/// Whose order has this key, and which it is.
#[must_use]
pub fn order_of(key: &str) -> Option<(SubjectToken, RemedyId)> {
    let (integration, remedy) = key.split_once('.')?;
    Some((SubjectToken::new(integration).ok()?, remedy.parse().ok()?))
}

/// An order that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenOrder {
    /// The remedy: the same id is the same order, which is carried out once.
    pub remedy: RemedyId,
    /// Since when it waits, ms since 1970.
    pub at: Millis,
    /// What to do; absent where its customer was erased: answer it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<RemedyOrder>,
}

/// Orders that wait, the oldest first: `GET /api/v1/orders`, or over the bus at `ext.<integration>.orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrdersPage {
    /// They themselves, at most [`ORDERS_PAGE_MAX`].
    pub orders: Vec<OpenOrder>,
    /// How many more there are.
    pub more: usize,
}

/// An answer that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderAnswered {
    /// The remedy.
    pub remedy: RemedyId,
    /// Whether the same was answered before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_whose_order_it_is() {
        let (shop, remedy) = (SubjectToken::new("shop").unwrap(), RemedyId { log_seq: 7, n: 1 });
        assert_eq!(order_key(&shop, remedy), "shop.rem_7_1");
        assert_eq!(order_of("shop.rem_7_1"), Some((shop, remedy)));
        for other in ["shop", "shop.", ".rem_7_1", "shop.con_7_1", "shop.rem_7_1.more"] {
            assert_eq!(order_of(other), None, "{other}");
        }
    }
}
