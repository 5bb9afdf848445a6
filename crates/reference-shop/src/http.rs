//! The routes of the shop, and who may use them.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;

use crate::Shop;
use crate::books::{Books, BooksError};
use crate::contract::{Answer, FactsQuestion, OrderBody, is_word};
use crate::faults::{At, Fault, When, spoil};
use crate::page;

/// Longest request, bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most facts asked at once.
const NAMES_MAX: usize = 100;

pub(crate) fn router(shop: Shop) -> Router {
    let guarded = Router::new()
        .route("/orders", get(list))
        .route("/orders/{id}", put(take).get(look))
        .route("/facts", post(facts))
        .route("/customers/{identity}", put(link))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shop.clone(), guard));
    Router::new().route("/", get(show)).merge(guarded).with_state(shop)
}

/// Lets in who has the token.
async fn guard(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let given = bearer(request.headers());
    if !given.is_some_and(|given| is_same(given.as_bytes(), shop.token.as_bytes())) {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, challenge, "send `Authorization: Bearer <token>`\n")
            .into_response();
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Takes as long wherever the two differ, so that a token cannot be guessed letter by letter.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The books block their thread, so they are used on one that may.
async fn with_books<T, F>(shop: &Shop, use_them: F) -> Result<T, Response>
where
    T: Send + 'static,
    F: FnOnce(&Books) -> Result<T, BooksError> + Send + 'static,
{
    let books = Arc::clone(&shop.books);
    match tokio::task::spawn_blocking(move || use_them(&books)).await {
        Ok(Ok(done)) => Ok(done),
        // The cause is for whoever runs the shop; the caller can only come again.
        Ok(Err(_)) | Err(_) => {
            Err((StatusCode::SERVICE_UNAVAILABLE, "the books cannot be used now: come again\n")
                .into_response())
        }
    }
}

async fn take(State(shop): State<Shop>, Path(id): Path<String>, body: Bytes) -> Response {
    let fault = shop.faults.now(At::Put);
    if let Some((fault, When::Before)) = fault {
        return spoil(StatusCode::INTERNAL_SERVER_ERROR.into_response(), fault).await;
    }
    let pending = matches!(fault, Some((Fault::Pending, _)));
    let answer = match serde_json::from_slice::<OrderBody>(&body) {
        Ok(body) if is_word(&id) => with_books(&shop, move |books| books.take(&id, &body, pending)).await,
        Ok(_) | Err(_) => Ok(Answer::Failed("malformed")),
    };
    let answer = answer.map_or_else(|broken| broken, IntoResponse::into_response);
    match fault {
        Some((fault, _)) => spoil(answer, fault).await,
        None => answer,
    }
}

async fn look(State(shop): State<Shop>, Path(id): Path<String>) -> Response {
    let fault = shop.faults.now(At::Get);
    let finishes = !matches!(shop.faults.now(At::Put), Some((Fault::Pending, _)));
    let answer = with_books(&shop, move |books| books.look(&id, finishes)).await;
    let answer = answer.map_or_else(|broken| broken, IntoResponse::into_response);
    match fault {
        Some((fault, _)) => spoil(answer, fault).await,
        None => answer,
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn list(State(shop): State<Shop>, Query(After { after }): Query<After>) -> Response {
    match with_books(&shop, move |books| books.taken(after)).await {
        Ok(page) => Json(page).into_response(),
        Err(broken) => broken,
    }
}

async fn facts(State(shop): State<Shop>, body: Bytes) -> Response {
    let fault = shop.faults.now(At::Facts);
    let answer = match serde_json::from_slice::<FactsQuestion>(&body) {
        Ok(question) if question.names.len() <= NAMES_MAX => {
            with_books(&shop, move |books| books.facts(&question.about, &question.names)).await
        }
        Ok(_) => Err((StatusCode::UNPROCESSABLE_ENTITY, "too many names\n").into_response()),
        Err(_) => Err((StatusCode::UNPROCESSABLE_ENTITY, "not a question for facts\n").into_response()),
    };
    let answer = match answer {
        Ok(Some(known)) => Json(known).into_response(),
        Ok(None) => Answer::NotFound.into_response(),
        Err(broken) => broken,
    };
    match fault {
        Some((fault, _)) => spoil(answer, fault).await,
        None => answer,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    customer: String,
}

async fn link(State(shop): State<Shop>, Path(identity): Path<String>, Json(link): Json<Link>) -> Response {
    if !is_word(&identity) {
        return Answer::Failed("malformed").into_response();
    }
    match with_books(&shop, move |books| books.link(&identity, &link.customer)).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => Answer::NotFound.into_response(),
        Err(broken) => broken,
    }
}

async fn show(State(shop): State<Shop>) -> Response {
    let rows = with_books(&shop, |books| Ok((books.sales()?, books.latest()?))).await;
    match rows {
        Ok((sales, latest)) => page::page(&sales, &latest).into_response(),
        Err(broken) => broken,
    }
}
