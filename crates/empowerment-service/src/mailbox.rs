//! Orders that wait for an integration to fetch them: laid in a bucket, sealed, where its answer is found.
//!
//! It is what a shop's address is otherwise: an order is laid there once under the remedy's id, asked about by it, and its first answer
//! is the only one.

use bus::{Bucket, Entry, KvError, Sealer, WatchEvent};
use empowerment_core::OrderView;
use protocol::integration::order::{OrderRow, earlier_order_key, order_key, order_of};
use protocol::remedies::OrderAnswer;
use protocol::{Millis, RemedyId, SubjectToken};
use service::{Clock, failpoint};
use tokio::sync::mpsc;

use crate::leader::Said;
use crate::orders::body;

/// The word for an order that was not answered.
const PENDING: &str = "pending";

/// Where the orders of one integration lie.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) orders: Bucket,
    pub(crate) integration: SubjectToken,
    pub(crate) sealer: Sealer,
    pub(crate) clock: Clock,
}

impl Mailbox {
    /// Has the order lie there, once however often this is called, and gives its answer if it has one.
    pub(crate) async fn carry_out(&self, remedy: RemedyId, order: &OrderView) -> OrderAnswer {
        match self.look(remedy, order).await {
            Ok(answer) => answer,
            Err(reason) => OrderAnswer::Unknown { reason: reason.to_owned() },
        }
    }

    async fn look(&self, remedy: RemedyId, order: &OrderView) -> Result<OrderAnswer, &'static str> {
        let key = order_key(remedy);
        let mut found = self.orders.get(&key).await.map_err(|error| away(&error))?;
        if found.is_none() {
            let earlier = earlier_order_key(&self.integration, remedy);
            found = self.orders.get(&earlier).await.map_err(|error| away(&error))?;
        }
        let Some(entry) = found else {
            self.lay(&key, order).await?;
            return Err(PENDING);
        };
        let row: OrderRow = serde_json::from_slice(&entry.value).map_err(|_| "not_an_answer")?;
        if row.answer.is_none() && row.integration_at(&entry.key).as_ref() != Some(&self.integration) {
            self.pass_over(&entry, row).await;
            return Err(PENDING);
        }
        row.answer.ok_or(PENDING)
    }

    /// An order that waits for an integration of another name waits for the one that there is now, and is not laid there a second
    /// time: the remedy's id says that it is the same.
    async fn pass_over(&self, entry: &Entry, row: OrderRow) {
        let row = OrderRow { integration: Some(self.integration.clone()), ..row };
        let Ok(row) = serde_json::to_vec(&row) else { return };
        match self.orders.update(&entry.key, row.into(), entry.revision).await {
            Ok(_) => tracing::info!(key = entry.key, "an order waits for another integration now"),
            // It is looked at again, and may have been answered.
            Err(error) => tracing::warn!(%error, "an order waits for an integration of another name"),
        }
    }

    async fn lay(&self, key: &str, order: &OrderView) -> Result<(), &'static str> {
        let body = body(&self.sealer, order).await.map_err(|()| "words_unavailable")?;
        let body = serde_json::to_vec(&body).map_err(|_| "order_not_written")?;
        let sealed = self.sealer.seal(order.identity, &body).await.map_err(|error| {
            tracing::warn!(%error, "failed to seal an order; it is tried again");
            "order_not_sealed"
        })?;
        let at = Millis(self.clock.unix_ms());
        let row = OrderRow::waiting(at, order.identity, self.integration.clone(), sealed);
        let row = serde_json::to_vec(&row).map_err(|_| "order_not_written")?;
        failpoint::hit("empowerment.after_grant_before_order");
        match self.orders.create(key, row.into()).await {
            // Another leader laid it there a moment ago.
            Ok(_) | Err(KvError::Exists) => Ok(()),
            Err(error) => Err(away(&error)),
        }
    }

    /// Passes answers on as they come. What was answered before is asked for by whoever leads, so this is only what makes it fast.
    pub(crate) async fn follow(self, said: mpsc::Sender<Said>) {
        if let Err(error) = self.pass_on(&said).await {
            tracing::warn!(%error, "answers to orders are found when they are asked for");
        }
    }

    async fn pass_on(&self, said: &mpsc::Sender<Said>) -> Result<(), bus::TailError> {
        let mut watcher = self.orders.watch_all().await?;
        let mut is_new = false;
        loop {
            match watcher.next().await? {
                WatchEvent::CaughtUp => is_new = true,
                WatchEvent::Put(entry) if is_new => {
                    let remedy = order_of(&entry.key).map(|(_, remedy)| remedy);
                    let row = serde_json::from_slice::<OrderRow>(&entry.value).ok();
                    if let (Some(remedy), Some(answer)) = (remedy, row.and_then(|row| row.answer))
                        && said.send(Said::Order { remedy, answer }).await.is_err()
                    {
                        return Ok(());
                    }
                }
                WatchEvent::Put(_) | WatchEvent::Deleted { .. } => {}
            }
        }
    }
}

fn away(error: &KvError) -> &'static str {
    tracing::warn!(%error, "failed to use the orders; it is tried again");
    "orders_unavailable"
}
