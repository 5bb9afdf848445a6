//! Which orders wait, kept in memory. The bucket holds answered ones for a month, however many there are; each is read here when it is
//! laid and when it is answered, so that asking costs what waits and not what was ever ordered.
//!
//! They have no keys of their own to ask for, as `waiting.…` and `done.…` would be: from one key to another it takes two writes, and
//! who dies between them leaves an order twice, or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bus::{Bucket, WatchEvent};
use protocol::integration::order::{OrderRow, order_of};
use protocol::{RemedyId, SubjectToken};
use service::Kit;

use crate::follow;

/// Whose each order is that waits, by the remedy and the row's key, so that the oldest come first.
#[derive(Clone, Default)]
pub(crate) struct Waiting(Arc<RwLock<BTreeMap<(RemedyId, String), SubjectToken>>>);

impl Waiting {
    /// The keys of the oldest orders that wait for an integration, and how many more do.
    pub(super) fn of(&self, integration: &SubjectToken, at_most: usize) -> (Vec<(RemedyId, String)>, usize) {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut theirs = rows.iter().filter(|(_, whose)| *whose == integration).map(|(key, _)| key);
        let first = theirs.by_ref().take(at_most).cloned().collect();
        (first, theirs.count())
    }

    fn apply(&self, event: WatchEvent) {
        let (key, whose) = match event {
            WatchEvent::Put(entry) => {
                let whose = match serde_json::from_slice::<OrderRow>(&entry.value) {
                    Ok(row) if row.answer.is_none() => row.integration_at(&entry.key),
                    Ok(_) => None,
                    Err(error) => {
                        tracing::error!(
                            revision = entry.revision,
                            line = error.line(),
                            "an order does not read"
                        );
                        None
                    }
                };
                (entry.key, whose)
            }
            WatchEvent::Deleted { key, .. } => (key, None),
            WatchEvent::CaughtUp => return,
        };
        let Some((_, remedy)) = order_of(&key) else { return };
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match whose {
            Some(whose) => drop(rows.insert((remedy, key), whose)),
            None => drop(rows.remove(&(remedy, key))),
        }
    }
}

/// Reads all orders, then follows them in a task.
///
/// # Errors
/// When the bucket cannot be read; the process does not start then.
pub(crate) async fn follow(kit: &Kit, orders: &Bucket) -> anyhow::Result<Waiting> {
    let waiting = Waiting::default();
    let followed = waiting.clone();
    follow::follow(kit, orders, "api orders", move |event| followed.apply(event)).await?;
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use bus::Entry;
    use serde_json::{Value, json};

    use super::*;

    const IDENTITY: &str = "idn_00000000000000000000000000000001";

    fn put(key: &str, row: &Value) -> WatchEvent {
        let value = row.to_string().into();
        WatchEvent::Put(Entry { key: key.to_owned(), value, revision: 1, stored_at_ms: 1 })
    }

    fn row(integration: &str) -> Value {
        json!({"at": 1, "identity": IDENTITY, "integration": integration})
    }

    #[test]
    fn what_waits_is_known_until_it_is_answered_or_gone() {
        let waiting = Waiting::default();
        let of = |integration: &str, at_most| {
            let (first, more) = waiting.of(&SubjectToken::new(integration).unwrap(), at_most);
            (first.into_iter().map(|(remedy, key)| format!("{remedy} {key}")).collect::<Vec<_>>(), more)
        };
        // Not in the order of the words.
        for n in [10, 9, 2] {
            waiting.apply(put(&format!("rem_7_{n}"), &row("shop")));
        }
        waiting.apply(put("rem_6_1", &row("crm")));
        waiting.apply(put("nonsense", &row("shop")));
        assert_eq!(of("shop", 2), (vec!["rem_7_2 rem_7_2".to_owned(), "rem_7_9 rem_7_9".to_owned()], 1));
        assert_eq!(of("shop", 3).1, 0);
        assert_eq!(of("crm", 3).0, ["rem_6_1 rem_6_1"]);
        waiting.apply(put("rem_6_1", &row("shop")));
        assert_eq!(of("crm", 3).0, Vec::<String>::new(), "it is another one's now");
        let answered = json!({"at": 1, "identity": IDENTITY, "answer": {"is": "done"}});
        waiting.apply(put("rem_6_1", &answered));
        waiting.apply(put("rem_7_9", &json!("nonsense")));
        waiting.apply(WatchEvent::Deleted { key: "rem_7_10".to_owned(), revision: 2 });
        assert_eq!(of("shop", 3), (vec!["rem_7_2 rem_7_2".to_owned()], 0));
        // Of an earlier version, whose rows were named by the integration.
        waiting.apply(put(
            "shop.rem_5_1",
            &json!({"at": 1, "identity": IDENTITY, "order": format!("s1.{IDENTITY}.1.abcd")}),
        ));
        assert_eq!(of("shop", 1), (vec!["rem_5_1 shop.rem_5_1".to_owned()], 1));
    }
}
