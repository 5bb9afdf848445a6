//! Orders to the shop: placed, or asked about; whatever is not a clear answer is unknown.

use std::time::Duration;

use bus::{KvError, SealError, Sealer, UnsealError};
use empowerment_core::OrderView;
use protocol::api::RemedyOrder;
use protocol::content::{Content, Sealed};
use protocol::integration::order::REFERENCE_BYTES_MAX;
use protocol::limits::REASON_BYTES_MAX;
use protocol::remedies::OrderAnswer;
use protocol::{IdentityId, RemedyId, SubjectToken};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use service::failpoint;
use tokio::time::Instant;

use crate::Role;
use crate::http::Shop;
use crate::mailbox::Mailbox;

/// The shop's word for an id that stands for something else.
const ID_REUSED: &str = "id_reused";

/// For how long the key to seal an answer with is asked for: longer than a bucket's servers take to agree on who leads it. With less,
/// an order that is carried out would be asked about again after its pause, long after the key could be had.
const SEALED_WITHIN: Duration = Duration::from_secs(60);
const SEAL_PAUSE: Duration = Duration::from_millis(100);

/// Whoever carries out orders.
pub(crate) struct Orders {
    shop: Option<Shop>,
    mailbox: Option<Mailbox>,
    sealer: Sealer,
}

#[derive(Deserialize)]
struct Reply {
    status: String,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

/// What the shop said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Done { reference: Option<String> },
    Failed { reason: String },
    NotFound,
    Unknown { reason: String },
}

fn unknown(reason: impl Into<String>) -> Told {
    Told::Unknown { reason: reason.into() }
}

impl Orders {
    pub(crate) fn new(role: &Role) -> Self {
        Self { shop: role.shop.clone(), mailbox: role.mailbox.clone(), sealer: role.sealer.clone() }
    }

    /// Where orders wait to be fetched, if they do.
    pub(crate) fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.as_ref()
    }

    /// Has the order carried out, once however often this is called.
    pub(crate) async fn carry_out(
        &self,
        remedy: RemedyId,
        order: &OrderView,
        ask_first: bool,
    ) -> OrderAnswer {
        // Also where orders wait to be fetched: what was begun before may have been sent to the shop.
        let known = match &self.shop {
            Some(shop) if ask_first => ask(shop, remedy).await,
            Some(_) | None => Told::NotFound,
        };
        if known == Told::NotFound
            && let Some(mailbox) = &self.mailbox
        {
            return mailbox.carry_out(remedy, order).await;
        }
        let Some(shop) = &self.shop else { return OrderAnswer::Unknown { reason: "no_shop".to_owned() } };
        let told = match known {
            Told::NotFound => self.place(shop, remedy, order).await,
            known @ (Told::Done { .. } | Told::Failed { .. } | Told::Unknown { .. }) => known,
        };
        match told {
            Told::Done { reference } => self.seal(order.identity, reference).await,
            Told::Failed { reason } => OrderAnswer::Failed { reason },
            Told::NotFound => OrderAnswer::Unknown { reason: "not_found".to_owned() },
            Told::Unknown { reason } => OrderAnswer::Unknown { reason },
        }
    }

    async fn place(&self, shop: &Shop, remedy: RemedyId, order: &OrderView) -> Told {
        let Ok(body) = body(&self.sealer, order).await else { return unknown("words_unavailable") };
        failpoint::hit("empowerment.after_grant_before_order");
        let told = call(shop, Method::PUT, remedy, Some(&body)).await;
        match told {
            // The same id is always the same order of ours: its words were erased since. What became of it still counts.
            Told::Failed { reason } if reason == ID_REUSED => ask(shop, remedy).await,
            told @ (Told::Done { .. } | Told::Failed { .. } | Told::NotFound | Told::Unknown { .. }) => told,
        }
    }

    /// The reference may be worth money: it stands nowhere in the clear.
    async fn seal(&self, identity: IdentityId, reference: Option<String>) -> OrderAnswer {
        let Some(reference) = reference else { return OrderAnswer::Done { reference: None } };
        // As everything that people read: the desk opens it like any words.
        let content = serde_json::to_vec(&Content::words(reference));
        let sealed = match content {
            Ok(content) => self.seal_within(identity, &content).await.map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        match sealed {
            Ok(sealed) => OrderAnswer::Done { reference: Some(sealed) },
            // The shop says the same again.
            Err(error) => {
                tracing::warn!(%error, "failed to seal the shop's answer; it is asked again");
                OrderAnswer::Unknown { reason: "answer_not_sealed".to_owned() }
            }
        }
    }

    async fn seal_within(&self, identity: IdentityId, plain: &[u8]) -> Result<Sealed, SealError> {
        let until = Instant::now() + SEALED_WITHIN;
        loop {
            match self.sealer.seal(identity, plain).await {
                Err(SealError::Unavailable(error @ KvError::Unavailable(_))) if Instant::now() < until => {
                    tracing::debug!(%error, "the key to seal the shop's answer cannot be had now");
                    tokio::time::sleep(SEAL_PAUSE).await;
                }
                sealed => return sealed,
            }
        }
    }
}

async fn ask(shop: &Shop, remedy: RemedyId) -> Told {
    call(shop, Method::GET, remedy, None::<&()>).await
}

async fn call<B: Serialize + Sync>(shop: &Shop, method: Method, remedy: RemedyId, body: Option<&B>) -> Told {
    match shop.ask(method, &format!("/orders/{remedy}"), body, shop.order_timeout()).await {
        Ok((status, bytes)) => read(status, &bytes),
        Err(none) => unknown(none.word()),
    }
}

fn read(status: StatusCode, bytes: &[u8]) -> Told {
    let known = matches!(status.as_u16(), 200 | 202 | 404 | 409 | 422);
    if !known {
        return unknown(format!("status_{}", status.as_u16()));
    }
    let Ok(reply) = serde_json::from_slice::<Reply>(bytes) else { return unknown("not_an_answer") };
    match (status.as_u16(), reply.status.as_str()) {
        (200, "done") if reply.reference.as_deref().is_none_or(is_reference) => {
            Told::Done { reference: reply.reference }
        }
        (202, "pending") => unknown("pending"),
        (404, "not_found") => Told::NotFound,
        (409 | 422, "failed") => Told::Failed { reason: reply.reason.map_or_else(other, stable) },
        _ => unknown("not_an_answer"),
    }
}

/// It is told to customers: printable, and not long.
fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Words, not sentences: those could speak of a customer, and this stands in a log that is never erased.
fn stable(reason: String) -> String {
    let fits = reason.len() <= REASON_BYTES_MAX && SubjectToken::new(&reason).is_ok();
    if fits { reason } else { other() }
}

fn other() -> String {
    "refused".to_owned()
}

/// An order as whoever carries it out reads it.
///
/// # Errors
/// When the key of its words could not be had now; fate: retry.
pub(crate) async fn body(sealer: &Sealer, order: &OrderView) -> Result<RemedyOrder, ()> {
    let words = match &order.words {
        Some(words) => open_words(sealer, words).await?,
        None => None,
    };
    Ok(RemedyOrder {
        kind: order.kind,
        cents: order.money.map(|money| money.cents),
        currency: order.money.map(|money| money.currency),
        order: order.order.clone(),
        line: order.line.clone(),
        reason: order.reason.clone(),
        incident: order.incident.clone(),
        words,
        due: order.due.map(|due| due.0),
        on_top_of: order.on_top_of,
        contact: order.contact,
    })
}

/// The words; `None` when nobody can read them any more.
///
/// # Errors
/// When the key could not be had now; fate: retry.
pub(crate) async fn open_words(sealer: &Sealer, sealed: &Sealed) -> Result<Option<String>, ()> {
    match sealer.unseal(sealed).await {
        Ok(bytes) => Ok(serde_json::from_slice::<Content>(&bytes)
            .inspect_err(|_| tracing::warn!("sealed words do not read"))
            .ok()
            .map(|content| content.text)),
        Err(UnsealError::Erased) => Ok(None),
        Err(error @ (UnsealError::NoKey | UnsealError::Damaged)) => {
            tracing::warn!(%error, "sealed words cannot be opened");
            Ok(None)
        }
        Err(UnsealError::Unavailable(error)) => {
            tracing::warn!(%error, "the key of sealed words cannot be had now");
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::remedy::RemedyKind;

    use super::*;

    fn of(status: u16, body: &str) -> Told {
        read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn only_what_the_contract_says_is_an_answer() {
        let done = r#"{"status":"done","reference":"WT-7Q2K"}"#;
        assert_eq!(of(200, done), Told::Done { reference: Some("WT-7Q2K".into()) });
        assert_eq!(of(200, r#"{"status":"done"}"#), Told::Done { reference: None });
        assert_eq!(of(202, r#"{"status":"pending"}"#), unknown("pending"));
        assert_eq!(of(404, r#"{"status":"not_found"}"#), Told::NotFound);
        let failed = r#"{"status":"failed","reason":"more_than_paid"}"#;
        assert_eq!(of(422, failed), Told::Failed { reason: "more_than_paid".into() });
        assert_eq!(of(409, failed), Told::Failed { reason: "more_than_paid".into() });
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, r#"{"status":"done"}{"status":"done"}"#),
            (200, failed),
            (200, r#"{"status":"done","reference":""}"#),
            (200, r#"{"status":"done","reference":"a\nb"}"#),
            (202, done),
            (404, "not found"),
            (404, done),
            (422, done),
        ] {
            assert_eq!(of(status, body), unknown("not_an_answer"), "{status} {body}");
        }
        for status in [201, 204, 302, 400, 401, 500, 503] {
            assert_eq!(of(status, done), unknown(format!("status_{status}")));
        }
    }

    /// What shops of earlier versions were sent: another text under the same id would be another order to them.
    #[test]
    fn every_field_of_an_order_stands_there_in_its_place() {
        let order = RemedyOrder {
            kind: RemedyKind::Refund,
            cents: Some(60_000),
            currency: Some("EUR".parse().unwrap()),
            order: None,
            line: None,
            reason: SubjectToken::new("not_ours").ok(),
            incident: None,
            words: None,
            due: None,
            on_top_of: Some(RemedyId { log_seq: 3, n: 1 }),
            contact: protocol::ContactId { log_seq: 17, n: 2 },
        };
        assert_eq!(
            serde_json::to_string(&order).unwrap(),
            r#"{"kind":"refund","cents":60000,"currency":"EUR","order":null,"line":null,"reason":"not_ours","incident":null,"words":null,"due":null,"on_top_of":"rem_3_1","contact":"con_17_2"}"#
        );
    }

    #[test]
    fn a_reason_is_a_word_and_a_reference_is_short() {
        let failed = |reason: &str| of(422, &format!(r#"{{"status":"failed","reason":"{reason}"}}"#));
        assert_eq!(failed("Mrs Jansen had this before"), Told::Failed { reason: "refused".into() });
        assert_eq!(of(422, r#"{"status":"failed"}"#), Told::Failed { reason: "refused".into() });
        let done = |len| of(200, &format!(r#"{{"status":"done","reference":"{}"}}"#, "x".repeat(len)));
        assert_ne!(done(REFERENCE_BYTES_MAX), unknown("not_an_answer"));
        assert_eq!(done(REFERENCE_BYTES_MAX + 1), unknown("not_an_answer"));
    }
}
