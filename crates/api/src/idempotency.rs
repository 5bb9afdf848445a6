//! The header `Idempotency-Key`: an id of the sender's own, by which the same request is known again.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use protocol::limits::PROVIDER_ID_BYTES_MAX;
use service::Problem;
use uuid::Uuid;

use crate::door::Caller;
use crate::problems::unprocessable;
use crate::{Api, Shared};

/// The header's name.
pub(crate) const HEADER: &str = "Idempotency-Key";

/// What stands in the header, if it is there.
pub(crate) struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The sender's id.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The id of what was sent: made of the header, of who sends and of the bytes, so that the same again is the same and anything else
    /// is not; without the header a new one.
    pub(crate) fn id_of(&self, api: &Api, caller: &Caller, kind: &str, bytes: &[u8]) -> Uuid {
        let sender = caller.integration().map_or(caller.id(), |own| own.as_str());
        self.text().map_or_else(Uuid::now_v7, |key| {
            Uuid::from_bytes(api.hasher.request_id(sender, kind, key, bytes).0)
        })
    }
}

impl FromRequestParts<Shared> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        let mut all = parts.headers.get_all(HEADER).iter();
        match (all.next(), all.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => read(value.as_bytes()).map(|key| Self(Some(key))),
            (Some(_), Some(_)) => Err(malformed("it stands there twice: send it once")),
        }
    }
}

/// As text, with or without the quotes that a structured header has around it.
fn read(value: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(value).map_err(|_| malformed("send text"))?.trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if bare.is_empty() || bare.len() > PROVIDER_ID_BYTES_MAX {
        let detail = format!("nothing was accepted; send 1 to {PROVIDER_ID_BYTES_MAX} bytes");
        let (code, title) = if bare.is_empty() {
            ("field_empty", format!("{HEADER} is empty"))
        } else {
            ("field_too_long", format!("{HEADER} has {} bytes", bare.len()))
        };
        let problem = unprocessable(code, title, detail);
        return Err(problem.with("field", HEADER).with("limit_bytes", PROVIDER_ID_BYTES_MAX));
    }
    Ok(bare.to_owned())
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_malformed", format!("{HEADER} is no id"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(value: &[u8]) -> Result<String, &'static str> {
        read(value).map_err(|problem| problem.code)
    }

    #[test]
    fn an_id_is_read_with_and_without_quotes_at_its_limit_and_not_past_it() {
        for value in [&b"order-1"[..], b"\"order-1\"", b" order-1 "] {
            assert_eq!(verdict(value).as_deref(), Ok("order-1"));
        }
        let most = "x".repeat(PROVIDER_ID_BYTES_MAX);
        assert_eq!(verdict(most.as_bytes()), Ok(most.clone()));
        assert_eq!(verdict(format!("{most}x").as_bytes()), Err("field_too_long"));
        for empty in [&b""[..], b"\"\"", b"  "] {
            assert_eq!(verdict(empty), Err("field_empty"));
        }
        assert_eq!(verdict(b"\xff"), Err("idempotency_key_malformed"));
    }
}
