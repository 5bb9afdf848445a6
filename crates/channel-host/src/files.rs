//! Files of the chat: taken in from the widget, and handed out by links that are signed, expire, and let nothing act.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bus::{FileError, RoomLevel, file_kind, file_name};
use bytes::Bytes;
use channel_web::{FileFrame, Uploaded};
use futures_util::StreamExt as _;
use protocol::content::Attachment;
use protocol::limits::FILE_BYTES_MAX;
use protocol::{Hash128, IdentityId, SubjectToken};
use serde::Deserialize;
use serde_json::json;
use service::{Problem, RetryAfter};

use crate::Host;
use crate::channels::links::{self, Parts, Signed};
use crate::door::{self, NoSeat, Seat};
use crate::limits::{PAGE_LINK_MS, PASS_OVER_WITHIN, PASSED_OVER_MORE, UPLOAD_AGAIN};
use crate::pace::{self, Coming, NotCome};
use crate::welcome::bearer;

/// What a browser may show within a page: pictures, by their bytes. All else is saved.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// How long a browser need not ask again whether a page may upload, seconds.
const PREFLIGHT_KEPT: &str = "3600";

/// Whose file it is to be, and what it is to be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    account: Option<String>,
    name: Option<String>,
}

/// Whether a page of elsewhere may ask with a token.
pub(crate) async fn preflight(State(host): State<Arc<Host>>, headers: HeaderMap) -> Response {
    let answer = require_origin(&host, &headers).map(|()| {
        let mut response = StatusCode::NO_CONTENT.into_response();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_KEPT),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    });
    answered(&host, &headers, answer)
}

/// Takes in a file of a visitor, to be named in a message later.
pub(crate) async fn upload(
    State(host): State<Arc<Host>>,
    named: Result<Query<Named>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match admitted(&host, named, &parts.headers, &parts.extensions).await {
        Ok(sender) => take_in(&host, sender, body).await,
        Err(problem) => {
            pass_over(body).await;
            Err(problem)
        }
    };
    answered(&host, &parts.headers, answer)
}

/// A link that works again, for the visitor whose file it is.
pub(crate) async fn link_anew(
    State(host): State<Arc<Host>>,
    Path(object): Path<String>,
    named: Result<Query<Named>, QueryRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let answer = try_link(&host, &object, named, &headers, &extensions).await;
    answered(&host, &headers, answer)
}

/// The bytes of a file, for whoever has a link to it that works.
pub(crate) async fn hand_out(
    State(host): State<Arc<Host>>,
    Path(parts): Path<Parts>,
    signed: Result<Query<Signed>, QueryRejection>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    match try_hand_out(&host, &parts, signed, &headers, &extensions).await {
        Ok((bytes, seat)) => handed_out(bytes, seat, &parts.2),
        Err(problem) => {
            host.refused(problem.code);
            problem.into_response()
        }
    }
}

async fn try_hand_out(
    host: &Host,
    parts: &Parts,
    signed: Result<Query<Signed>, QueryRejection>,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(Bytes, Seat), Problem> {
    let hint = "links work for an hour: open the chat again and choose the file there";
    let Ok(Query(signed)) = signed else { return Err(links::no_link(hint)) };
    let address = service::http::address(extensions, headers, &host.kit.settings.http.trusted_proxies);
    host.address_frames.check(&address).map_err(network_busy)?;
    let link = links::read(parts, &signed).filter(|link| host.files.admits_page(link, host.now()));
    let link = link.ok_or_else(|| links::no_link(hint))?;
    let seat = pace::turn(&host.downloads, address).await?;
    Ok((links::opened(host.unsent.fetch(link.identity, link.object).await)?, seat))
}

/// The address of a file, relative to `/chat/v1/`, for a page to have it by for a while.
pub(crate) fn page_link(host: &Host, identity: IdentityId, object: Hash128, name: &str) -> String {
    let link = host.files.page_link(identity, object, name, host.now().plus(PAGE_LINK_MS));
    link.trim_start_matches('/').to_owned()
}

/// Whose file may come in.
struct Sender {
    identity: IdentityId,
    name: String,
    length: usize,
    address: IpAddr,
}

async fn admitted(
    host: &Host,
    named: Result<Query<Named>, QueryRejection>,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Sender, Problem> {
    let (identity, name) = visitor(host, named, headers)?;
    let length = announced(headers)?;
    let address = service::http::address(extensions, headers, &host.kit.settings.http.trusted_proxies);
    host.uploads.check(&identity).map_err(too_many_uploads)?;
    host.address_frames.check(&address).map_err(network_busy)?;
    require_room(host).await?;
    let spent = u32::try_from(length).unwrap_or(u32::MAX);
    host.upload_bytes.spend(&address, spent).map_err(network_busy)?;
    Ok(Sender { identity, name, length, address })
}

/// Who is refused while they still send hears of it only if somebody listens to the end, for a file of the usual size.
async fn pass_over(body: Body) {
    let mut left = FILE_BYTES_MAX + PASSED_OVER_MORE;
    let mut pieces = body.into_data_stream();
    let passing = async {
        while let Some(Ok(piece)) = pieces.next().await {
            let Some(rest) = left.checked_sub(piece.len()) else { return };
            left = rest;
        }
    };
    if tokio::time::timeout(PASS_OVER_WITHIN, passing).await.is_err() {
        tracing::debug!("a file that is refused comes too slowly to be listened to");
    }
}

async fn take_in(host: &Host, sender: Sender, body: Body) -> Result<Response, Problem> {
    let Sender { identity, name, length, address } = sender;
    let coming = Coming::begun(body, length).await.map_err(not_come)?;
    let _seat = match host.upload_seats.take(address) {
        Ok(seat) => seat,
        Err(why) => {
            pass_over(coming.rest()).await;
            return Err(no_seat(why));
        }
    };
    let bytes = coming.read().await.map_err(not_come)?;
    let object = host.unsent.keep(identity, &bytes).await.map_err(|error| problem_of(&error))?;
    let media_type = file_kind::media_type_of(&bytes, &name).to_owned();
    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let file = Attachment { object, name, media_type, bytes, inline: false };
    let url = page_link(host, identity, object, &file.name);
    let signature = host.files.voucher(identity, &file).to_string();
    Ok(Json(Uploaded { file: FileFrame::new(&file, &url), signature }).into_response())
}

async fn try_link(
    host: &Host,
    object: &str,
    named: Result<Query<Named>, QueryRejection>,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Response, Problem> {
    let (identity, name) = visitor(host, named, headers)?;
    let address = service::http::address(extensions, headers, &host.kit.settings.http.trusted_proxies);
    host.frames.check(&identity).map_err(too_many_uploads)?;
    host.address_frames.check(&address).map_err(network_busy)?;
    let object: Hash128 = object.parse().map_err(|_| {
        let detail = "name it as the entry does that it stands in: 32 hex digits";
        Problem::new(StatusCode::NOT_FOUND, "no_such_file", "there is no such file", detail)
    })?;
    if !host.unsent.has(object).await.map_err(|error| problem_of(&error))? {
        return Err(links::gone());
    }
    // It opens with this visitor's key alone, whatever is named here.
    Ok(Json(json!({ "url": page_link(host, identity, object, &name) })).into_response())
}

/// Whose token it is, and the name that is asked for, cleaned.
fn visitor(
    host: &Host,
    named: Result<Query<Named>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(IdentityId, String), Problem> {
    require_origin(host, headers)?;
    if !host.rooms.is_ready() {
        return Err(Problem::unavailable("starting", "we are just starting"));
    }
    let Ok(Query(Named { account, name })) = named else {
        let detail = "ask as in /chat/v1/files?account=shop&name=letter.pdf";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "wrong_question",
            "the question is broken",
            detail,
        ));
    };
    let account = SubjectToken::new(&account.unwrap_or_default()).ok();
    let account = account.filter(|account| host.rooms.ask(|it| it.has_account(account)));
    let Some(account) = account else {
        let detail = "name the account that the widget has in data-account";
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_account", "there is no such chat", detail));
    };
    let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = said.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let identity = bearer(host, token, &account).map_err(|(code, detail)| {
        Problem::new(StatusCode::UNAUTHORIZED, code, "nobody knows this visitor", detail)
    })?;
    Ok((identity, file_name::clean(name.as_deref().unwrap_or_default())))
}

fn require_origin(host: &Host, headers: &HeaderMap) -> Result<(), Problem> {
    if door::may_enter(headers, &host.kit.settings) {
        return Ok(());
    }
    let detail = "add the site's origin to web.sites in the settings";
    Err(Problem::new(StatusCode::FORBIDDEN, "unknown_origin", "this site may not open a chat", detail))
}

/// How large the file is said to be, so that one that is too large is refused before it comes.
fn announced(headers: &HeaderMap) -> Result<usize, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        // Without either there is no body.
        None if headers.contains_key(header::TRANSFER_ENCODING) => {
            let detail = "send the file as it is, with a content-length";
            Err(Problem::new(StatusCode::LENGTH_REQUIRED, "no_length", "the file has no length", detail))
        }
        None | Some(0) => {
            let detail = "choose a file that has something in it";
            Err(Problem::new(StatusCode::BAD_REQUEST, "file_empty", "the file is empty", detail))
        }
        Some(length @ 1..=FILE_BYTES_MAX) => Ok(length),
        Some(_) => Err(too_large()),
    }
}

fn too_large() -> Problem {
    let detail = format!("at most {} MiB are taken: send it in parts, or a link to it", FILE_BYTES_MAX >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", "the file is too large", detail)
        .with("limit_bytes", FILE_BYTES_MAX)
}

/// Strangers do not fill the store: mails and agents' files have the rest of it.
async fn require_room(host: &Host) -> Result<(), Problem> {
    let used = host.unsent.used_percent().await.map_err(|error| problem_of(&error))?;
    let is_full = used >= host.kit.settings.streams.refuse_new_at_percent;
    if is_full || host.bus.room().level() == RoomLevel::NothingOfCustomers {
        tracing::error!(used, "a visitor's file is refused: give FILES, UPLOADS or the disk more room");
        let problem = Problem::unavailable("files_full", "there is no room for files just now");
        return Err(problem.retry_after(RetryAfter(UPLOAD_AGAIN)));
    }
    Ok(())
}

fn not_come(why: NotCome) -> Problem {
    match why {
        NotCome::Slow => {
            let (title, detail) = ("the file did not come in time", "send it again, or a smaller one");
            Problem::new(StatusCode::REQUEST_TIMEOUT, "upload_too_slow", title, detail)
        }
        // It was announced and not too large, so it broke off: nobody hears the answer then.
        NotCome::CutOff => {
            let (title, detail) = ("the file did not come whole", "send it again");
            Problem::new(StatusCode::BAD_REQUEST, "upload_cut_off", title, detail)
        }
    }
}

fn too_many_uploads(wait: RetryAfter) -> Problem {
    let detail = "wait a moment, then send it again";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", "many files were sent just now", detail)
        .retry_after(wait)
}

fn network_busy(wait: RetryAfter) -> Problem {
    let title = "much was sent from this network just now";
    let detail = "wait a moment, then send it again";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "network_busy", title, detail).retry_after(wait)
}

fn no_seat(why: NoSeat) -> Problem {
    match why {
        NoSeat::Address => too_many_uploads(RetryAfter(UPLOAD_AGAIN)),
        NoSeat::All => Problem::unavailable("too_many_uploads", "too many files are coming in just now")
            .retry_after(RetryAfter(UPLOAD_AGAIN)),
    }
}

fn problem_of(error: &FileError) -> Problem {
    match error {
        FileError::Unavailable(error) => {
            tracing::warn!(error, "failed to use the store of files");
            Problem::unavailable("files_unavailable", "files cannot be kept just now")
        }
        FileError::Erased | FileError::Damaged => {
            tracing::error!(%error, "failed to keep a visitor's file");
            Problem::internal()
        }
    }
}

/// Whatever came of it, a page of a site that we know may read it.
fn answered(host: &Host, headers: &HeaderMap, answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(|problem| {
        host.refused(problem.code);
        problem.into_response()
    });
    let own = response.headers_mut();
    own.insert(header::VARY, HeaderValue::from_static("origin"));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = headers.get(header::ORIGIN)
        && door::may_enter(headers, &host.kit.settings)
    {
        own.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        own.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

/// A picture may be shown; whatever else it is, a browser saves it and runs nothing of it.
fn handed_out(bytes: Bytes, seat: Seat, name: &str) -> Response {
    let kind = file_kind::kind_of(&bytes, name);
    let is_picture = kind.is_shown && PICTURES.contains(&kind.media_type);
    let media_type = if is_picture { kind.media_type } else { "application/octet-stream" };
    let disposition = HeaderValue::from_str(&file_name::disposition(is_picture, name));
    let mut response = pace::answer(bytes, seat);
    let own = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-store"),
        // A page that isolates itself shows it too.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        own.insert(name, HeaderValue::from_static(value));
    }
    let disposition = disposition.unwrap_or(HeaderValue::from_static("attachment"));
    own.insert(header::CONTENT_DISPOSITION, disposition);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_announces_how_large_it_is() {
        let told = |name: HeaderName, value: &str| {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            announced(&headers).map_err(|problem| problem.code)
        };
        assert_eq!(told(header::CONTENT_LENGTH, "1"), Ok(1));
        assert_eq!(told(header::CONTENT_LENGTH, &FILE_BYTES_MAX.to_string()), Ok(FILE_BYTES_MAX));
        assert_eq!(told(header::CONTENT_LENGTH, &(FILE_BYTES_MAX + 1).to_string()), Err("file_too_large"));
        assert_eq!(told(header::CONTENT_LENGTH, "0"), Err("file_empty"));
        assert_eq!(told(header::TRANSFER_ENCODING, "chunked"), Err("no_length"));
        assert_eq!(announced(&HeaderMap::new()).map_err(|problem| problem.code), Err("file_empty"));
    }
}
