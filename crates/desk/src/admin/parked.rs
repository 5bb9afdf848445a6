//! How much waits for a person. The items themselves are the API's to show and to end.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::relay;
use crate::sessions::Session;
use crate::{Gateway, pages};

/// The route of the API; its answer tells how many there are in all.
const PATH: &str = "/api/v1/parked?limit=0";

/// How many items are parked; `null` while that is not known, and for who does not supervise all queues. It is asked for every minute
/// by every desk of who supervises, so that a no is none that anybody has to look at.
pub(crate) async fn count(
    State(gateway): State<Arc<Gateway>>,
    Extension(by): Extension<Session>,
) -> Response {
    let mut total = Value::Null;
    if relay::for_all_queues(&gateway, by.agent).is_ok()
        && let Ok(mut answer) = relay::ask(&gateway, by.agent, &Method::GET, PATH, None).await
        && let Some(found) = answer.body.as_mut().and_then(|body| body.get_mut("total"))
    {
        total = found.take();
    }
    pages::shown(json!({ "parked": total }))
}
