//! Signing in and out, and who one is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use protocol::AgentId;
use protocol::signin::SESSION_COOKIE;
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::accounts::NotLetIn;
use crate::{Gateway, sessions};

/// Largest body of a sign-in, bytes: a name and a password at their limits, however they are written.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024;

/// What one signs in with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    name: String,
    password: String,
}

/// Who one is.
#[derive(Serialize)]
struct Me {
    agent: AgentId,
    title: String,
}

pub(crate) async fn sign_in(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<SignIn>,
) -> Result<Response, Problem> {
    require_own_origin(&headers)?;
    let from = from(&gateway, &extensions, &headers);
    let agent = match gateway.gatekeeper.admit(&asked.name, asked.password, from).await {
        Ok(agent) => agent,
        Err(error) => return Err(refused(error)),
    };
    let (token, lifetime) = sessions::begin(&gateway, agent).await.map_err(|error| {
        tracing::warn!(error = format!("{error:#}"), "failed to make a session");
        Problem::unavailable("bus_unavailable", "sessions cannot be stored now")
    })?;
    tracing::info!(%agent, "signed in");
    Ok(with_cookie(&gateway, &token, lifetime))
}

pub(crate) async fn sign_out(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    require_own_origin(&headers)?;
    if let Some(token) = sessions::token_in(&headers) {
        sessions::end(&gateway, token, from(&gateway, &extensions, &headers)).await?;
    }
    Ok(with_cookie(&gateway, "", Duration::ZERO))
}

pub(crate) async fn me(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let from = from(&gateway, &extensions, &headers);
    let session = sessions::of_request(&gateway, &headers, from).await?;
    let agent = session.agent;
    let title = gateway.hub.title_of(agent).map_or_else(|| agent.to_string(), |title| title.to_string());
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Me { agent, title })).into_response())
}

/// The address that limits count a request by.
pub(crate) fn from(gateway: &Gateway, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    service::http::address(extensions, headers, &gateway.kit.settings.http.trusted_proxies)
}

fn refused(error: NotLetIn) -> Problem {
    match error {
        NotLetIn::TooMany(wait) => wait.into(),
        NotLetIn::Wrong => {
            let detail = "check both, or ask a supervisor for a new password";
            Problem::new(StatusCode::UNAUTHORIZED, "wrong_name_or_password", "wrong name or password", detail)
        }
        NotLetIn::Busy => Problem::unavailable("busy", "too many are signing in at this moment"),
        NotLetIn::Unavailable(error) => {
            tracing::warn!(%error, "failed to read an account");
            Problem::unavailable("bus_unavailable", "accounts cannot be read now")
        }
        NotLetIn::Broken(reason) => {
            tracing::error!(reason, "failed to check a password");
            Problem::internal()
        }
    }
}

fn with_cookie(gateway: &Gateway, token: &str, lifetime: Duration) -> Response {
    let is_https = gateway.kit.settings.http.public_url.starts_with("https:");
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(cookie) = HeaderValue::from_str(&cookie(token, lifetime, is_https.then_some("; Secure"))) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn cookie(token: &str, lifetime: Duration, secure: Option<&str>) -> String {
    let (age, secure) = (lifetime.as_secs(), secure.unwrap_or_default());
    format!("{SESSION_COOKIE}={token}; Path=/desk; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

/// A page of another site must not act in an agent's name: a browser says where a request comes from.
pub(crate) fn require_own_origin(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own_origin(headers) {
        return Ok(());
    }
    let detail = "open the desk by the address that this server has";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", "this comes from another site", detail))
}

/// True without an `Origin`: only browsers send it, and browsers always do where it counts.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(axum::http::uri::Authority::as_str);
    host.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_hidden_from_scripts_and_other_sites() {
        let hours = Duration::from_secs(12 * 3600);
        assert_eq!(
            cookie("t", hours, None),
            "wb_session=t; Path=/desk; HttpOnly; SameSite=Strict; Max-Age=43200"
        );
        assert!(cookie("t", hours, Some("; Secure")).ends_with("; Secure"));
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        let is_own = |origin: Option<&'static str>| {
            let mut headers =
                HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("desk.example:8080"))]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            is_own_origin(&headers)
        };
        assert!(is_own(None));
        assert!(is_own(Some("http://desk.example:8080")));
        for foreign in
            ["http://evil.example", "http://desk.example", "null", "http://desk.example:8080.evil.example"]
        {
            assert!(!is_own(Some(foreign)), "{foreign}");
        }
    }
}
