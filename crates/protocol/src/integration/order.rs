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
    /// Whose order it is: see [`OrderRow::integration_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<SubjectToken>,
    /// Sealed [`RemedyOrder`], until it is answered: nobody needs it afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Sealed>,
    /// The answer: done or failed, and never another one after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<OrderAnswer>,
    /// Whether its customer was erased before it was answered: a reference in the answer was not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl OrderRow {
    /// An order that waits for an integration.
    #[must_use]
    pub fn waiting(at: Millis, identity: IdentityId, integration: SubjectToken, order: Sealed) -> Self {
        let (integration, order) = (Some(integration), Some(order));
        Self { at, identity, integration, order, answer: None, erased: false }
    }

    /// Whose order it is, as it lies under a key; rows of earlier versions are without it, and their keys say so.
    #[must_use]
    pub fn integration_at(&self, key: &str) -> Option<SubjectToken> {
        self.integration.clone().or_else(|| order_of(key)?.0)
    }

    /// The same with its answer, and without what was to be done.
    #[must_use]
    pub fn answered(self, answer: OrderAnswer) -> Self {
        Self { answer: Some(answer), order: None, ..self }
    }
}

/// The key of an order's row: by the remedy alone, so that it lies there once, whatever the integration is called.
#[must_use]
pub fn order_key(remedy: RemedyId) -> String {
    remedy.to_string()
}

/// The key that earlier versions gave it: what they laid there is found as long as it is kept.
#[must_use]
pub fn earlier_order_key(integration: &SubjectToken, remedy: RemedyId) -> String {
    format!("{integration}.{remedy}")
}

/// Which order has this key, and whose it is, if the key says so.
#[must_use]
pub fn order_of(key: &str) -> Option<(Option<SubjectToken>, RemedyId)> {
    match key.split_once('.') {
        None => Some((None, key.parse().ok()?)),
        Some((integration, remedy)) => {
            Some((Some(SubjectToken::new(integration).ok()?), remedy.parse().ok()?))
        }
    }
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
    fn a_key_says_which_order_it_is_and_an_earlier_one_whose() {
        let (shop, remedy) = (SubjectToken::new("shop").unwrap(), RemedyId { log_seq: 7, n: 1 });
        assert_eq!(order_key(remedy), "rem_7_1");
        assert_eq!(order_of("rem_7_1"), Some((None, remedy)));
        assert_eq!(earlier_order_key(&shop, remedy), "shop.rem_7_1");
        assert_eq!(order_of("shop.rem_7_1"), Some((Some(shop), remedy)));
        for other in ["shop", "shop.", ".rem_7_1", "shop.con_7_1", "shop.rem_7_1.more", "con_7_1", ""] {
            assert_eq!(order_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_row_of_an_earlier_version_is_of_whom_its_key_names() {
        let identity = IdentityId(crate::Hash128([1; 16]));
        let json = format!(r#"{{"at":5,"identity":"{identity}","order":"s1.{identity}.1.abcd"}}"#);
        let row: OrderRow = serde_json::from_str(&json).unwrap();
        let shop = SubjectToken::new("shop").unwrap();
        assert_eq!(row.integration_at("shop.rem_7_1"), Some(shop.clone()));
        assert_eq!((row.integration_at("rem_7_1"), row.order.is_some()), (None, true));
        let moved = OrderRow { integration: Some(SubjectToken::new("store").unwrap()), ..row.clone() };
        assert_eq!(moved.integration_at("shop.rem_7_1"), moved.integration);
        let waiting = OrderRow::waiting(Millis(5), identity, shop, row.order.clone().unwrap());
        assert_eq!(waiting, OrderRow { integration: waiting.integration.clone(), ..row });
        let answered = waiting.answered(OrderAnswer::Failed { reason: "sold_out".to_owned() });
        assert_eq!(
            serde_json::to_string(&answered).unwrap(),
            format!(
                r#"{{"at":5,"identity":"{identity}","integration":"shop","answer":{{"is":"failed","reason":"sold_out"}}}}"#
            )
        );
    }
}
