//! One shape for every no that we answer over HTTP (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::rate::RetryAfter;

/// An answer that says what is wrong and what to do about it.
///
/// Its texts are for the person outside: no internals, no paths, nothing personal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status}: {code}")]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A stable name in snake case that programs branch on.
    pub code: &'static str,
    /// What is wrong.
    pub title: String,
    /// What to do.
    pub detail: String,
    /// Seconds for the `Retry-After` header.
    pub retry_after_s: Option<u64>,
    /// Further fields of the body, such as `limit_bytes`.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// A problem without further fields.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let (title, detail) = (title.into(), detail.into());
        Self { status, code, title, detail, retry_after_s: None, extra: Map::new() }
    }

    /// Adds a field to the body; the five standard names cannot be overwritten.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Tells when to try again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: RetryAfter) -> Self {
        self.retry_after_s = Some(wait.seconds());
        self
    }

    /// The body as it is sent, with the standard names and the further fields.
    #[must_use]
    pub fn body(&self) -> Map<String, Value> {
        let mut body = self.extra.clone();
        let standard = [
            ("type", Value::from(format!("urn:winterband:problem:{}", self.code))),
            ("title", Value::from(self.title.as_str())),
            ("status", Value::from(self.status.as_u16())),
            ("detail", Value::from(self.detail.as_str())),
            ("code", Value::from(self.code)),
        ];
        for (name, value) in standard {
            body.insert(name.to_owned(), value);
        }
        body
    }

    /// Something broke on our side; the cause belongs in the log, with the fields that find it.
    pub fn internal() -> Self {
        let detail = "try again in a moment; if it stays, tell whoever runs this system";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something broke on our side", detail)
    }

    /// The bus cannot be reached or is full: nothing was accepted, and the caller keeps what it has.
    pub fn unavailable(code: &'static str, title: impl Into<String>) -> Self {
        let detail = "nothing was accepted; send the same again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail)
            .retry_after(RetryAfter(std::time::Duration::from_secs(2)))
    }
}

impl From<RetryAfter> for Problem {
    fn from(wait: RetryAfter) -> Self {
        let detail = format!("wait {} s and try again", wait.seconds());
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "too many requests", detail)
            .retry_after(wait)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_problem_is_problem_json_with_its_fields() {
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "text_too_large", "too long", "shorten it")
            .with("limit_bytes", 16_384)
            .with("status", "overwritten");
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:winterband:problem:text_too_large", "title": "too long", "status": 413,
                "detail": "shorten it", "code": "text_too_large", "limit_bytes": 16_384,
            })
        );
    }

    #[test]
    fn a_limit_says_when_to_come_back() {
        let response = Problem::from(RetryAfter(Duration::from_millis(1_200))).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
