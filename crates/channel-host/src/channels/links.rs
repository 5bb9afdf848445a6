//! Links to files, for other systems: signed, for a while, never run in a browser.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bus::{FileError, FileLink};
use protocol::{Hash128, IdentityId, Millis};
use serde::Deserialize;
use service::Problem;

use crate::channels::Channels;

#[derive(Deserialize)]
pub(super) struct Signed {
    until: u64,
    signature: String,
}

pub(super) async fn fetch(
    State(channels): State<Arc<Channels>>,
    Path((identity, object, name)): Path<(String, String, String)>,
    Query(signed): Query<Signed>,
) -> Response {
    let parsed = || {
        Some((
            identity.parse::<IdentityId>().ok()?,
            object.parse::<Hash128>().ok()?,
            signed.signature.parse().ok()?,
        ))
    };
    let Some((identity, object, signature)) = parsed() else { return no_link() };
    let link = FileLink { identity, object, name: &name, until: Millis(signed.until), signature };
    if !channels.files.admits(&link, channels.now()) {
        return no_link();
    }
    match channels.files.fetch(identity, object).await {
        Ok(Some(bytes)) => (headers(), bytes).into_response(),
        Ok(None) | Err(FileError::Erased | FileError::Damaged) => {
            let detail = "it was deleted, or its customer was erased";
            Problem::new(StatusCode::GONE, "file_gone", "the file is not there any more", detail)
                .into_response()
        }
        Err(FileError::Unavailable(error)) => {
            tracing::warn!(error, "failed to read a file for a link");
            Problem::unavailable("unavailable", "the file could not be read just now").into_response()
        }
    }
}

fn no_link() -> Response {
    let detail = "links work for seven days: fetch files when they come";
    Problem::new(StatusCode::FORBIDDEN, "no_link", "this link does not work, or not any more", detail)
        .into_response()
}

/// Whatever the file is, a browser saves it and runs nothing of it.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::CACHE_CONTROL, "private, no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}
