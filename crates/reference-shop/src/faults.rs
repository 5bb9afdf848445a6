//! What goes wrong with a shop, on purpose and only in tests: it answers late, never, with nonsense, or breaks off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::contract::Answer;

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// `PUT /orders/{id}`.
    Put,
    /// `GET /orders/{id}`.
    Get,
    /// `POST /facts`.
    Facts,
}

/// Whether the request has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It never reaches the books.
    Before,
    /// The books have it; only the answer goes wrong.
    After,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The right answer, so much later.
    Late(Duration),
    /// The right answer, twice in one body.
    TwiceBody,
    /// No answer for as long as anybody waits.
    Never,
    /// 200 with a body that is no answer.
    Nonsense,
    /// 500.
    Broken,
    /// The connection is broken off.
    Drop,
    /// 404, as if it were not there.
    GoneMissing,
    /// It is taken and not yet done: 202. A later question finds it done, once the fault is over.
    Pending,
}

/// The switches of one shop. Clones are the same switches.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<BTreeMap<At, (Fault, When)>>>);

impl Faults {
    /// From here on this goes wrong there.
    pub fn set(&self, at: At, fault: Fault, when: When) {
        self.lock().insert(at, (fault, when));
    }

    /// From here on nothing goes wrong.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn now(&self, at: At) -> Option<(Fault, When)> {
        self.lock().get(&at).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<At, (Fault, When)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says to the connection that it is to break off instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakOff;

/// Spoils an answer.
pub(crate) async fn spoil(answer: Response, fault: Fault) -> Response {
    match fault {
        Fault::Late(wait) => {
            tokio::time::sleep(wait).await;
            answer
        }
        Fault::TwiceBody => twice(answer).await,
        Fault::Never => std::future::pending().await,
        Fault::Nonsense => "<html>nothing of the kind".into_response(),
        Fault::GoneMissing => Answer::NotFound.into_response(),
        Fault::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Drop => {
            let mut response = StatusCode::OK.into_response();
            response.extensions_mut().insert(BreakOff);
            response
        }
        Fault::Pending => answer,
    }
}

async fn twice(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let once = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([once.as_ref(), once.as_ref()].concat()))
}
