//! The contract in its documents: OpenAPI for HTTP, AsyncAPI for what goes over the bus and to webhooks, JSON Schema for each body.
//!
//! All of them are made of the types themselves and of one line for each route (`routes.rs` beside this); the copies in
//! `contract/` of this crate are held against them by a test, so that a change of the contract is seen as one.

mod async_api;
mod events;
mod open_api;
mod routes;
mod shape;

use std::sync::LazyLock;

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde_json::Value;
use service::Problem;

pub use shape::listed as schemas;

static OPENAPI: LazyLock<Value> = LazyLock::new(open_api::document);
static ASYNCAPI: LazyLock<Value> = LazyLock::new(async_api::document);

/// The document of the HTTP API.
#[must_use]
pub fn openapi_document() -> &'static Value {
    &OPENAPI
}

/// The document of what goes over the bus and to webhooks.
#[must_use]
pub fn asyncapi_document() -> &'static Value {
    &ASYNCAPI
}

pub(crate) async fn openapi() -> Json<&'static Value> {
    Json(&OPENAPI)
}

pub(crate) async fn asyncapi() -> Json<&'static Value> {
    Json(&ASYNCAPI)
}

pub(crate) async fn schema(Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let wanted = name.strip_suffix(".json").unwrap_or(&name);
    let found = schemas().into_iter().find(|(name, _)| name == wanted);
    found.map(|(_, schema)| Json(schema)).ok_or_else(|| {
        let names: Vec<_> = schemas().into_iter().map(|(name, _)| name).collect();
        let detail = format!("there are {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, "unknown_schema", "there is no such schema", detail)
    })
}
