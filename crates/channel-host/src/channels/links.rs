//! Links to files, for other systems: signed, for a while, never run in a browser.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bus::{FileError, FileLink, Files};
use bytes::Bytes;
use protocol::{Hash128, IdentityId, Millis};
use serde::Deserialize;
use service::Problem;

use crate::channels::Channels;

/// What a link says besides where it leads.
#[derive(Deserialize)]
pub(crate) struct Signed {
    until: u64,
    signature: String,
}

/// Whose file it is, which, and its name, as they stand in a link.
pub(crate) type Parts = (String, String, String);

pub(super) async fn fetch(
    State(channels): State<Arc<Channels>>,
    Path(parts): Path<Parts>,
    Query(signed): Query<Signed>,
) -> Response {
    let hint = "links work for seven days: fetch files when they come";
    match opened(&channels.files, channels.now(), &parts, &signed, hint).await {
        Ok(bytes) => (headers(), bytes).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// The bytes that a link leads to, if we signed it and it still works.
pub(crate) async fn opened(
    files: &Files,
    now: Millis,
    (identity, object, name): &Parts,
    signed: &Signed,
    hint: &'static str,
) -> Result<Bytes, Problem> {
    let parsed = || {
        Some((
            identity.parse::<IdentityId>().ok()?,
            object.parse::<Hash128>().ok()?,
            signed.signature.parse().ok()?,
        ))
    };
    let Some((identity, object, signature)) = parsed() else { return Err(no_link(hint)) };
    let link = FileLink { identity, object, name, until: Millis(signed.until), signature };
    if !files.admits(&link, now) {
        return Err(no_link(hint));
    }
    match files.fetch(identity, object).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) | Err(FileError::Erased | FileError::Damaged) => {
            let detail = "it was deleted, or its customer was erased";
            Err(Problem::new(StatusCode::GONE, "file_gone", "the file is not there any more", detail))
        }
        Err(FileError::Unavailable(error)) => {
            tracing::warn!(error, "failed to read a file for a link");
            Err(Problem::unavailable("unavailable", "the file could not be read just now"))
        }
    }
}

/// It was not signed by us, or its time is over; `hint` says what to do.
pub(crate) fn no_link(hint: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "no_link", "this link does not work, or not any more", hint)
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
