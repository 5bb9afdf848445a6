//! Links to files, for other systems: signed, for a while, never run in a browser.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bus::{FileError, FileLink};
use bytes::Bytes;
use protocol::Millis;
use serde::Deserialize;
use service::Problem;

use crate::channels::Channels;
use crate::door::{Seat, Seats};
use crate::limits::{DOWNLOADS_MAX, IP_DOWNLOADS_MAX};
use crate::pace;

/// What a link says besides where it leads.
#[derive(Deserialize)]
pub(crate) struct Signed {
    until: u64,
    signature: String,
}

/// Whose file it is, which, and its name, as they stand in a link.
pub(crate) type Parts = (String, String, String);

/// Where other systems fetch files, and how many at once.
struct Door {
    channels: Arc<Channels>,
    seats: Arc<Seats>,
}

/// The route under which links work.
pub(super) fn routes(channels: Arc<Channels>) -> Router {
    let seats = Seats::new(IP_DOWNLOADS_MAX, DOWNLOADS_MAX);
    let door = Arc::new(Door { channels, seats });
    Router::new().route("/files/{identity}/{object}/{name}", get(fetch)).with_state(door)
}

async fn fetch(
    State(door): State<Arc<Door>>,
    Path(parts): Path<Parts>,
    Query(signed): Query<Signed>,
    own: HeaderMap,
    extensions: Extensions,
) -> Response {
    match try_fetch(&door, &parts, &signed, &own, &extensions).await {
        Ok((bytes, seat)) => (headers(), pace::answer(bytes, seat)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn try_fetch(
    door: &Door,
    parts: &Parts,
    signed: &Signed,
    own: &HeaderMap,
    extensions: &Extensions,
) -> Result<(Bytes, Seat), Problem> {
    let Door { channels, seats } = door;
    let link = read(parts, signed).filter(|link| channels.files.admits(link, channels.now()));
    let link = link.ok_or_else(|| no_link("links work for seven days: fetch files when they come"))?;
    let trusted = &channels.intake.kit.settings.http.trusted_proxies;
    let seat = pace::turn(seats, service::http::address(extensions, own, trusted)).await?;
    Ok((opened(channels.files.fetch(link.identity, link.object).await)?, seat))
}

/// The link that these parts say, if they say one.
pub(crate) fn read<'a>((identity, object, name): &'a Parts, signed: &Signed) -> Option<FileLink<'a>> {
    let (identity, object) = (identity.parse().ok()?, object.parse().ok()?);
    Some(FileLink {
        identity,
        object,
        name,
        until: Millis(signed.until),
        signature: signed.signature.parse().ok()?,
    })
}

/// The bytes that a link leads to.
pub(crate) fn opened(fetched: Result<Option<Bytes>, FileError>) -> Result<Bytes, Problem> {
    match fetched {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) | Err(FileError::Erased | FileError::Damaged) => Err(gone()),
        Err(FileError::Unavailable(error)) => {
            tracing::warn!(error, "failed to read a file for a link");
            Err(Problem::unavailable("unavailable", "the file could not be read just now"))
        }
    }
}

/// It was there once, or never.
pub(crate) fn gone() -> Problem {
    let detail = "it was deleted, or its customer was erased";
    Problem::new(StatusCode::GONE, "file_gone", "the file is not there any more", detail)
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
