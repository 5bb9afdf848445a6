//! A request's body as JSON, within the limit of its route.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::de::DeserializeOwned;
use service::Problem;
use service::http::read_json;

use crate::{Api, problems};

/// Reads the body; without one, everything is as if it were left out.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_if_any<T: DeserializeOwned + Default>(
    api: &Api,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    match body {
        Ok(bytes) if bytes.is_empty() => Ok(T::default()),
        body @ (Ok(_) | Err(_)) => read(api, body),
    }
}

/// Reads the body.
///
/// # Errors
/// When it is too large, not JSON, or not what the route takes.
pub(crate) fn read<T: DeserializeOwned>(
    api: &Api,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    read_json(&whole(api, body)?)
}

/// The bytes of the body.
///
/// # Errors
/// When it is too large, or did not come whole.
pub(crate) fn whole(api: &Api, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    let limit = api.kit.settings.limits.body_max_bytes;
    body.map_err(|rejection| problems::body(&rejection, limit))
}
