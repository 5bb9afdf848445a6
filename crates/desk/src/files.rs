//! Files of conversations for agents who are signed in: handed out with headers that let nothing in them act, and taken in.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{self, Body};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{Extensions, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{FileError, FileLink, file_kind, file_name};
use bytes::Bytes;
use protocol::content::{Attachment, Sealed};
use protocol::limits::FILE_BYTES_MAX;
use protocol::{ContactId, ConversationId, Hash128, IdentityId, Millis};
use serde::Deserialize;
use service::{Problem, RetryAfter};

use crate::{Gateway, audit, history, pages};

/// Most uploads at once; each has its bytes in memory, twice while it is sealed.
pub(crate) const UPLOADS_MAX: usize = 8;
/// How long an upload may take.
const UPLOAD_WAIT: Duration = Duration::from_secs(120);
/// When to try again while too many upload.
const UPLOAD_AGAIN: RetryAfter = RetryAfter(Duration::from_secs(5));
/// So much more than a file may have is read, so that who sends a little too much hears why.
const BODY_BYTES_MAX: usize = FILE_BYTES_MAX + 1024 * 1024;
/// Nothing in a file may run, load or be of this site, also when it is opened by its address.
const POLICY: &str = "sandbox; default-src 'none'";
/// How long the pictures within a mail can be had without a session, ms.
const PICTURES_MS: u64 = 10 * 60 * 1_000;
/// Whose a signed picture is said to be: links of customers' own files are signed in their names, and are not this.
const NOBODY: IdentityId = IdentityId(Hash128([0; 16]));

/// Where a file is looked for, and what it is to be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: Option<String>,
    /// The entry that it stands in; without it, it is one that was uploaded for the contact.
    seq: Option<u64>,
    until: Option<Millis>,
    signature: Option<Hash128>,
}

/// What an uploaded file is to be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    name: Option<String>,
}

/// A file for who may read the conversation that it belongs to.
pub(crate) async fn download(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path((contact, object)): Path<(String, String)>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Ok(Query(wanted)) = wanted else { return Err(no_such_file()) };
    let (Ok(contact), Ok(object)) = (contact.parse::<ContactId>(), object.parse::<Hash128>()) else {
        return Err(no_such_file());
    };
    let mut looks = None;
    if let (Some(until), Some(signature), Some(seq)) = (wanted.until, wanted.signature, wanted.seq) {
        // Looked at before anything else: nobody makes us look for things with an address that they made up.
        let name = picture_name(contact, seq);
        let link = FileLink { identity: NOBODY, object, name: &name, until, signature };
        if !gateway.files.admits(&link, gateway.now()) {
            return Err(no_such_file());
        }
    } else {
        let agent = pages::signed_in(&extensions)?;
        gateway.hub.may_read(agent, contact).ok_or_else(not_yours)?;
        looks = Some(agent);
    }
    let identity = identity_in(&gateway, contact, wanted.seq).await.ok_or_else(no_such_file)?;
    // Whoever has the address of a picture within a mail was noted when the mail was shown.
    if let Some(agent) = looks {
        audit::look_at_file(&gateway, agent, Some(contact), identity).await?;
    }
    let bytes = fetch(&gateway, identity, object).await?;
    Ok(handed_out(bytes, wanted.name.as_deref().unwrap_or_default()))
}

/// Takes in a file for a contact that this agent has or is with.
pub(crate) async fn upload(
    State(gateway): State<Arc<Gateway>>,
    Path(contact): Path<String>,
    named: Result<Query<Named>, QueryRejection>,
    request: Request,
) -> Result<Json<Attachment>, Problem> {
    let (parts, body) = request.into_parts();
    let agent = pages::signed_in(&parts.extensions)?;
    let Ok(Query(named)) = named else {
        let detail = "ask as in /desk/api/files/con_1_0?name=letter.pdf";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "wrong_name", "this is no name", detail));
    };
    let contact: ContactId = contact.parse().map_err(|_| not_yours())?;
    let (_, identity) = gateway.hub.may_read(agent, contact).ok_or_else(not_yours)?;
    let identity = identity.ok_or_else(not_yours)?;
    let Ok(_permit) = gateway.uploads.try_acquire() else {
        let problem = Problem::unavailable("too_many_uploads", "too many files are coming in at this moment");
        return Err(problem.retry_after(UPLOAD_AGAIN));
    };
    let bytes = read(body).await?;
    let name = file_name::clean(named.name.as_deref().unwrap_or_default());
    let object = gateway.files.keep(identity, &bytes).await.map_err(|error| problem_of(&error))?;
    let media_type = file_kind::media_type_of(&bytes, &name).to_owned();
    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok(Json(Attachment { object, name, media_type, bytes, inline: false }))
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let reading = tokio::time::timeout(UPLOAD_WAIT, body::to_bytes(body, BODY_BYTES_MAX));
    let read = reading.await.map_err(|_| {
        let detail = "send it again, or a smaller one";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "upload_too_slow", "the file did not come in time", detail)
    })?;
    // What breaks off is not told apart from what is too large: nobody hears the answer then.
    let bytes = read.map_err(|_| too_large())?;
    match bytes.len() {
        0 => {
            let detail = "choose a file that has something in it";
            Err(Problem::new(StatusCode::BAD_REQUEST, "file_empty", "the file is empty", detail))
        }
        1..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(too_large()),
    }
}

fn too_large() -> Problem {
    let detail = format!("at most {} MiB are taken: send it in parts, or a link to it", FILE_BYTES_MAX >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", "the file is too large", detail)
        .with("limit_bytes", FILE_BYTES_MAX)
}

/// With whose key a file of a contact is sealed: that of the entry that it stands in, else the contact's.
async fn identity_in(gateway: &Gateway, contact: ContactId, seq: Option<u64>) -> Option<IdentityId> {
    let conversation: ConversationId = gateway.hub.conversation_of(contact)?;
    let Some(seq) = seq else { return gateway.hub.identity_of(contact) };
    let entry = history::entry(gateway, contact, conversation, seq).await?;
    let (identity, _, _) = entry.body.as_ref().and_then(Sealed::parts)?;
    Some(identity)
}

/// The bytes of a file.
pub(crate) async fn fetch(
    gateway: &Gateway,
    identity: IdentityId,
    object: Hash128,
) -> Result<Bytes, Problem> {
    let found = gateway.files.fetch(identity, object).await.map_err(|error| problem_of(&error))?;
    found.ok_or_else(no_such_file)
}

/// The address of a picture within a mail. The page that shows it has no session: a browser sends no cookies from
/// within a sandbox. So the address is signed, and works for a few minutes.
pub(crate) fn picture_address(gateway: &Gateway, contact: ContactId, seq: u64, object: Hash128) -> String {
    let until = gateway.now().plus(PICTURES_MS);
    let link = gateway.files.link(NOBODY, object, &picture_name(contact, seq), until);
    let signed = link.split_once('?').map_or("", |(_, signed)| signed);
    format!("/desk/api/files/{contact}/{object}?seq={seq}&{signed}")
}

/// What is signed of a picture within a mail, besides the file: where it stands. Whose it is, is found there.
fn picture_name(contact: ContactId, seq: u64) -> String {
    format!("picture {contact} {seq}")
}

pub(crate) fn handed_out(bytes: Bytes, name: &str) -> Response {
    let kind = file_kind::kind_of(&bytes, name);
    let disposition = HeaderValue::from_str(&file_name::disposition(kind.is_shown, name));
    let disposition = disposition.unwrap_or(HeaderValue::from_static("attachment"));
    let mut response = with_protection(POLICY, "private, no-store", bytes);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.media_type));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    response
}

/// What stands over everything that strangers wrote.
pub(crate) fn with_protection(
    policy: &'static str,
    keep: &'static str,
    response: impl IntoResponse,
) -> Response {
    let mut response = response.into_response();
    let protection: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, keep),
    ];
    for (name, value) in protection {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(crate) fn no_such_file() -> Problem {
    let detail = "open the conversation again and choose the file there";
    Problem::new(StatusCode::NOT_FOUND, "no_such_file", "there is no such file here", detail)
}

pub(crate) fn not_yours() -> Problem {
    let detail = "take the conversation, or ask who has it: files are for who reads it";
    Problem::new(StatusCode::FORBIDDEN, "not_yours", "this conversation is not yours", detail)
}

fn problem_of(error: &FileError) -> Problem {
    match error {
        FileError::Unavailable(error) => {
            tracing::warn!(error, "failed to use the store of files");
            Problem::unavailable("files_unavailable", "files cannot be had or kept now")
        }
        FileError::Erased => {
            let detail = "the customer was erased, and their files with them";
            Problem::new(StatusCode::GONE, "erased", "this file is not there any more", detail)
        }
        // It is somebody else's, or broken: both look alike, and nobody is told which.
        FileError::Damaged => {
            tracing::debug!("a file does not open");
            no_such_file()
        }
    }
}
