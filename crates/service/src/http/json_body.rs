//! A request's JSON body, with a problem for every way in which it can be wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::pace::TooSlow;
use crate::problem::Problem;

/// A body that was read as JSON.
///
/// Refuses with `body_too_large` (413, past the router's `DefaultBodyLimit`), `not_json` (415), `malformed_json` (400,
/// also for invalid UTF-8), `body_too_slow` (408) and `invalid_body` (422, with what serde expected); the last two carry `line` and `column`.
/// The bytes are not kept: park them before reading where a customer's words are in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonBody<T>(pub T);

impl<T, S> FromRequest<S> for JsonBody<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !says_json(request.headers()) {
            let detail = "send the body with content-type application/json";
            let title = "the body is not declared as JSON";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", title, detail));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unread(&rejection, rejection.status()))?;
        read(&bytes).map(Self)
    }
}

/// Reads JSON bytes as [`JsonBody`] does, for those who took the bytes themselves.
///
/// # Errors
/// `malformed_json` or `invalid_body`; the sender is told.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (status, code, title) = match error.classify() {
            Category::Data => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", "the body's fields are not as expected")
            }
            Category::Syntax | Category::Eof | Category::Io => {
                (StatusCode::BAD_REQUEST, "malformed_json", "the body is not JSON")
            }
        };
        Problem::new(status, code, title, error.to_string())
            .with("line", error.line())
            .with("column", error.column())
    })
}

/// The problem of a body that could not be read whole; `status` is what axum would answer with.
pub fn unread(error: &(dyn std::error::Error + 'static), status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(status, "body_too_large", "the body is too large", "send less at once");
    }
    let detail = "send the request again";
    if std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<TooSlow>()) {
        let title = "the body came too slowly";
        return Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", title, detail);
    }
    Problem::new(StatusCode::BAD_REQUEST, "body_not_read", "the body did not arrive whole", detail)
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use axum::extract::DefaultBodyLimit;
    use axum::http::HeaderValue;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        text: String,
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_apart() {
        let code = |bytes: &[u8]| read::<Note>(bytes).map(|note| note.text).map_err(|problem| problem.code);
        assert_eq!(code(br#"{"text":"x"}"#), Ok("x".to_owned()));
        for malformed in [&b""[..], b"{", b"{'text':1}", b"{\"text\":\"\xff\"}", b"{\"text\":\"x\"} y"] {
            assert_eq!(code(malformed), Err("malformed_json"), "{malformed:?}");
        }
        for invalid in [&b"{}"[..], b"[]", br#"{"text":1}"#, br#"{"text":"x","more":1}"#] {
            assert_eq!(code(invalid), Err("invalid_body"), "{invalid:?}");
        }
        let problem = read::<Note>(b"{\n \"more\": 1}").unwrap_err();
        assert!(problem.detail.contains("unknown field `more`, expected `text`"), "{}", problem.detail);
        assert_eq!(problem.extra["line"], 2);
    }

    #[test]
    fn only_json_says_json() {
        let says = |kind: &'static str| {
            says_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        assert!(
            says("application/json")
                && says("Application/JSON; charset=utf-8")
                && says("application/cloudevents+json")
        );
        assert!(
            !says("text/plain") && !says("application/jsonp") && !says("") && !says_json(&HeaderMap::new())
        );
    }

    /// Serves notes of at most 32 bytes and gives the status and code for one body.
    async fn post(body: String) -> (u16, serde_json::Value) {
        let note = axum::routing::post(|JsonBody(note): JsonBody<Note>| async move { axum::Json(note.text) });
        let router = axum::Router::new().route("/", note).layer(DefaultBodyLimit::max(32));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let cancel = tokio_util::sync::CancellationToken::new();
        let _end = cancel.clone().drop_guard();
        tokio::spawn(crate::http::serve(listener, router, cancel));
        let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body: serde_json::Value = response.json().await.unwrap();
        (status, body.get("code").cloned().unwrap_or(body))
    }

    #[tokio::test]
    async fn a_body_of_the_limit_passes_and_one_byte_more_does_not() {
        let body = |bytes: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
        assert_eq!(post(body(32)).await, (200, serde_json::json!("x".repeat(21))));
        assert_eq!(post(body(33)).await, (413, serde_json::json!("body_too_large")));
    }
}
