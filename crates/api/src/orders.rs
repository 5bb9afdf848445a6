//! Orders for remedies that wait for their integration: which there are, and what became of each.

pub(crate) mod waiting;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bus::{Entry, KvError, UnsealError};
use protocol::api::{RemedyOrder, RemedyOrderAnswer, RemedyOrderStatus};
use protocol::content::{Content, Sealed};
use protocol::integration::order::{
    ORDERS_PAGE_MAX, OpenOrder, OrderAnswered, OrderRow, OrdersPage, REFERENCE_BYTES_MAX, earlier_order_key,
    order_key,
};
use protocol::limits::REASON_BYTES_MAX;
use protocol::remedies::OrderAnswer;
use protocol::{RemedyId, SubjectToken};
use service::Problem;

use crate::door::Caller;
use crate::problems::{self, unprocessable};
use crate::{Api, Shared, body, feed, publish};

/// How often an answer is held against one that came at the same time.
const TRIES: u32 = 5;

/// An answer that is the last one.
enum Said {
    Done(Option<String>),
    Failed(String),
}

/// `GET /api/v1/orders`
pub(crate) async fn get(State(api): State<Shared>, caller: Caller) -> Result<Json<OrdersPage>, Problem> {
    open(&api, &of(&api, &caller)?).await.map(Json)
}

/// `PUT /api/v1/orders/{id}/answer`
pub(crate) async fn put_answer(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<OrderAnswered>, Problem> {
    let remedy: RemedyId = id.parse().map_err(|_| unknown_order())?;
    let asked: RemedyOrderAnswer = body::read(&api, body)?;
    answer(&api, &of(&api, &caller)?, remedy, asked).await.map(Json)
}

/// Whose orders a key is about: its integration's, or those of the one that the settings name.
fn of(api: &Api, caller: &Caller) -> Result<SubjectToken, Problem> {
    match caller.integration() {
        Some(own) => Ok(own.clone()),
        None => SubjectToken::new(&api.kit.settings.empowerment.integration).map_err(|_| Problem::internal()),
    }
}

/// The orders that wait for an integration, the oldest first.
///
/// # Errors
/// When the bus does not answer; fate: retry.
pub(crate) async fn open(api: &Api, integration: &SubjectToken) -> Result<OrdersPage, Problem> {
    let (waiting, more) = api.waiting.of(integration, ORDERS_PAGE_MAX);
    let mut orders = Vec::with_capacity(waiting.len());
    for (remedy, key) in waiting {
        // It may have been answered a moment ago.
        let Some((_, row)) = row(api, integration, &key).await?.filter(|(_, row)| row.answer.is_none())
        else {
            continue;
        };
        let order = if let Some(sealed) = &row.order { opened(api, sealed).await?.words() } else { None };
        orders.push(OpenOrder { remedy, at: row.at, order });
    }
    Ok(OrdersPage { orders, more })
}

/// The row under a key, if it is an order for this integration.
async fn row(api: &Api, integration: &SubjectToken, key: &str) -> Result<Option<(Entry, OrderRow)>, Problem> {
    let Some(entry) = api.orders.get(key).await.map_err(|error| away(&error))? else { return Ok(None) };
    let row: OrderRow = serde_json::from_slice(&entry.value).map_err(|error| {
        tracing::error!(key, line = error.line(), "an order does not read");
        Problem::internal()
    })?;
    Ok((row.integration_at(key).as_ref() == Some(integration)).then_some((entry, row)))
}

/// What is to be done, as far as it can be read.
enum Opened {
    Words(Box<RemedyOrder>),
    /// Its key was destroyed.
    Erased,
    Unreadable,
}

impl Opened {
    fn words(self) -> Option<RemedyOrder> {
        match self {
            Self::Words(order) => Some(*order),
            Self::Erased | Self::Unreadable => None,
        }
    }
}

async fn opened(api: &Api, sealed: &Sealed) -> Result<Opened, Problem> {
    match api.sealer.unseal(sealed).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_or(Opened::Unreadable, Opened::Words)),
        Err(UnsealError::Erased) => Ok(Opened::Erased),
        Err(UnsealError::NoKey | UnsealError::Damaged) => Ok(Opened::Unreadable),
        Err(UnsealError::Unavailable(error)) => {
            tracing::warn!(%error, "the keys did not answer");
            Err(problems::bus_unavailable())
        }
    }
}

/// Takes what became of an order: once, whoever says it how often.
///
/// # Errors
/// When there is no such order, or another answer stands there (fate: refuse), or it cannot be stored now (fate: retry).
pub(crate) async fn answer(
    api: &Api,
    integration: &SubjectToken,
    remedy: RemedyId,
    asked: RemedyOrderAnswer,
) -> Result<OrderAnswered, Problem> {
    let said = check(asked)?;
    for times in 0..TRIES {
        let mut found = row(api, integration, &order_key(remedy)).await?;
        if found.is_none() {
            found = row(api, integration, &earlier_order_key(integration, remedy)).await?;
        }
        let (entry, row) = found.ok_or_else(unknown_order)?;
        if row.answer.is_some() {
            return if is_same(api, &row, &said).await? {
                Ok(OrderAnswered { remedy, duplicate: true })
            } else {
                Err(answered())
            };
        }
        let row = settled(api, row, &said).await?;
        match api.orders.update(&entry.key, publish::json(&row)?.into(), entry.revision).await {
            Ok(_) => return Ok(OrderAnswered { remedy, duplicate: false }),
            // Somebody was faster: perhaps with the same answer.
            Err(KvError::WrongRevision) => bus::overtaken(times).await,
            Err(error) => return Err(away(&error)),
        }
    }
    Err(problems::bus_unavailable())
}

/// The row with its answer.
async fn settled(api: &Api, row: OrderRow, said: &Said) -> Result<OrderRow, Problem> {
    let answer = match said {
        Said::Failed(reason) => OrderAnswer::Failed { reason: reason.clone() },
        Said::Done(None) => OrderAnswer::Done { reference: None },
        // It is done all the same; a key that was made for them now would keep something of whom nothing is to be kept.
        Said::Done(Some(_)) if is_forgotten(api, &row).await? => {
            return Ok(OrderRow { erased: true, ..row.answered(OrderAnswer::Done { reference: None }) });
        }
        Said::Done(Some(reference)) => {
            let words = publish::json(&Content::words(reference.clone()))?;
            OrderAnswer::Done { reference: Some(publish::seal(api, row.identity, &words).await?) }
        }
    };
    Ok(row.answered(answer))
}

/// Whether the customer was erased since it was laid there. Who is back has keys again, and is told what there is to tell.
async fn is_forgotten(api: &Api, row: &OrderRow) -> Result<bool, Problem> {
    let Some(sealed) = &row.order else { return Ok(false) };
    if !matches!(opened(api, sealed).await?, Opened::Erased) {
        return Ok(false);
    }
    let keys = api.sealer.living_keys(row.identity).await.map_err(|error| {
        tracing::warn!(%error, "the keys did not answer");
        problems::bus_unavailable()
    })?;
    Ok(keys.is_empty())
}

/// Whether an answered order was answered so.
async fn is_same(api: &Api, row: &OrderRow, said: &Said) -> Result<bool, Problem> {
    match (&row.answer, said) {
        (Some(OrderAnswer::Failed { reason }), Said::Failed(again)) => Ok(reason == again),
        // One that was not kept can be held against nothing.
        (Some(OrderAnswer::Done { reference: None }), Said::Done(again)) => Ok(row.erased || again.is_none()),
        (Some(OrderAnswer::Done { reference: Some(sealed) }), Said::Done(again)) => {
            // Nor can one that was erased since.
            let known = feed::open(api, sealed).await?;
            Ok(known.is_none_or(|known| Some(known.text) == *again))
        }
        (
            Some(OrderAnswer::Done { .. } | OrderAnswer::Failed { .. } | OrderAnswer::Unknown { .. }) | None,
            Said::Done(_) | Said::Failed(_),
        ) => Ok(false),
    }
}

fn check(asked: RemedyOrderAnswer) -> Result<Said, Problem> {
    match asked.status {
        RemedyOrderStatus::Done => {
            let fits = |text: &String| {
                (1..=REFERENCE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
            };
            if asked.reference.as_ref().is_some_and(|text| !fits(text)) {
                let detail = format!("use 1 to {REFERENCE_BYTES_MAX} bytes without control characters");
                return Err(unprocessable(
                    "bad_reference",
                    "the reference cannot be told to a customer",
                    detail,
                ));
            }
            Ok(Said::Done(asked.reference))
        }
        RemedyOrderStatus::Failed => {
            let reason = asked.reason.unwrap_or_else(|| "refused".to_owned());
            // A word: a sentence could speak of a customer, and this stands in a log that is never erased.
            if reason.len() > REASON_BYTES_MAX || SubjectToken::new(&reason).is_err() {
                let detail =
                    "use one word of A-Z a-z 0-9 _ and -, at most 64 bytes, that says nothing of a customer";
                return Err(unprocessable("bad_reason", "the reason is not a word", detail));
            }
            Ok(Said::Failed(reason))
        }
        RemedyOrderStatus::Pending | RemedyOrderStatus::NotFound => {
            let detail = "answer `done` or `failed` once that is so; until then the order waits";
            Err(unprocessable("answer_not_final", "this says nothing of how it ended", detail))
        }
    }
}

fn unknown_order() -> Problem {
    let detail = "GET /api/v1/orders lists those that wait; answered ones are known for 30 days";
    Problem::new(StatusCode::NOT_FOUND, "unknown_order", "there is no such order for you", detail)
}

fn answered() -> Problem {
    let detail =
        "nothing changed: the first answer holds, and was acted upon; tell a person if it was the wrong one";
    Problem::new(StatusCode::CONFLICT, "order_answered", "this order was answered otherwise", detail)
}

fn away(error: &KvError) -> Problem {
    match error {
        KvError::Full => problems::storage_full(),
        KvError::TooLarge => problems::too_large_to_keep(),
        KvError::Exists
        | KvError::WrongRevision
        | KvError::InvalidKey
        | KvError::Unavailable(_)
        | KvError::Refused(_) => {
            tracing::warn!(%error, "failed to use the orders");
            problems::bus_unavailable()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(status: RemedyOrderStatus, reference: Option<&str>, reason: Option<&str>) -> &'static str {
        let (reference, reason) = (reference.map(ToOwned::to_owned), reason.map(ToOwned::to_owned));
        check(RemedyOrderAnswer { status, reference, reason })
            .map_or_else(|problem| problem.code, |_| "taken")
    }

    #[test]
    fn only_an_end_is_an_answer_and_what_it_says_is_short() {
        use RemedyOrderStatus::{Done, Failed, NotFound, Pending};
        let at = "x".repeat(REFERENCE_BYTES_MAX);
        for (status, reference, reason, expected) in [
            (Done, None, None, "taken"),
            (Done, Some(at.as_str()), None, "taken"),
            (Done, Some(&*format!("{at}x")), None, "bad_reference"),
            (Done, Some(""), None, "bad_reference"),
            (Done, Some("a\nb"), None, "bad_reference"),
            (Failed, None, None, "taken"),
            (Failed, None, Some("more_than_paid"), "taken"),
            (Failed, None, Some("Mrs Jansen had this before"), "bad_reason"),
            (Pending, None, None, "answer_not_final"),
            (NotFound, None, None, "answer_not_final"),
        ] {
            assert_eq!(code(status, reference, reason), expected, "{status:?} {reference:?} {reason:?}");
        }
    }

    #[test]
    fn a_bucket_that_is_full_is_told_as_such() {
        for (error, code) in [
            (KvError::Full, "storage_full"),
            (KvError::TooLarge, "too_large_to_keep"),
            (KvError::Unavailable("away".to_owned()), "bus_unavailable"),
        ] {
            assert_eq!(away(&error).code, code, "{error}");
        }
    }
}
