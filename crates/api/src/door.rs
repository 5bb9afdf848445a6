//! Who may come in, how often, and how many at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bus::token_hash;
use protocol::SubjectToken;
use protocol::signin::KeyAccount;
use service::{Metrics, Problem};
use tokio::sync::Semaphore;

use crate::{NAME, Shared, problems};

/// Longest key that is looked at, bytes.
const KEY_BYTES_MAX: usize = 512;

/// A caller whose key exists and who has not asked too often.
pub(crate) struct Caller {
    admin: bool,
}

/// A caller who may sign agents in: an administrator any, a bot's key that bot.
pub(crate) struct Usher {
    agent: Option<SubjectToken>,
}

impl Usher {
    /// Whether they may sign this agent in.
    pub(crate) fn may_sign_in(&self, agent: &str) -> bool {
        self.agent.as_ref().is_none_or(|own| own.as_str() == agent)
    }
}

/// A caller whose key is an administrator's.
pub(crate) struct Admin;

impl FromRequestParts<Shared> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Response> {
        let account = account(parts, api).map_err(|refusal| *refusal)?;
        // An agent's key signs in, and nothing else.
        if account.agent.is_some() {
            return Err(problems::agent_only().into_response());
        }
        Ok(Self { admin: account.admin })
    }
}

impl FromRequestParts<Shared> for Usher {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Response> {
        let account = account(parts, api).map_err(|refusal| *refusal)?;
        if account.admin || account.agent.is_some() {
            return Ok(Self { agent: account.agent });
        }
        Err(problems::admin_only().into_response())
    }
}

/// The account of the key, which exists and has not asked too often.
fn account(parts: &Parts, api: &Shared) -> Result<KeyAccount, Box<Response>> {
    let refused = |problem: Problem| {
        api.kit.metrics.refused_total.inc([NAME, problem.code]);
        problem
    };
    let Some(hash) = bearer(&parts.headers).map(token_hash) else {
        return Err(Box::new(ask_for_key(refused)));
    };
    let Some(account) = api.keys.find(&hash) else { return Err(Box::new(ask_for_key(refused))) };
    api.rate.check(&hash).map_err(|wait| Box::new(refused(wait.into()).into_response()))?;
    Ok(account)
}

impl FromRequestParts<Shared> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.admin { Ok(Self) } else { Err(problems::admin_only().into_response()) }
    }
}

fn ask_for_key(refused: impl Fn(Problem) -> Problem) -> Response {
    let mut response = refused(problems::unauthorized()).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (1..=KEY_BYTES_MAX).contains(&key.len())).then_some(key)
}

/// The bound on what is being answered.
pub(crate) struct Bound {
    at_once: Semaphore,
    wait_max: Duration,
    metrics: Metrics,
}

impl Bound {
    pub(crate) fn new(at_once_max: usize, wait_max: Duration, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { at_once: Semaphore::new(at_once_max), wait_max, metrics })
    }
}

/// Answers so many requests at once, each within its time.
pub(crate) async fn bounded(State(bound): State<Arc<Bound>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = bound.at_once.try_acquire() else { return bound.refuse(problems::busy()) };
    match tokio::time::timeout(bound.wait_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => bound.refuse(problems::too_slow()),
    }
}

impl Bound {
    fn refuse(&self, problem: Problem) -> Response {
        self.metrics.refused_total.inc([NAME, problem.code]);
        problem.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_key_of_a_fair_length_is_looked_at() {
        let key = |text: &str| {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(text).unwrap())]);
            bearer(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(key("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(key("bearer  abc "), Some("abc".to_owned()));
        for wrong in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(key(wrong), None, "{wrong:?}");
        }
        let at = "k".repeat(KEY_BYTES_MAX);
        assert_eq!(key(&format!("Bearer {at}")), Some(at.clone()));
        assert_eq!(key(&format!("Bearer {at}k")), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    /// Serves `/hang`, which never answers, and `/`, which does.
    async fn serve(at_once_max: usize, wait_max: Duration) -> (String, Metrics, tokio_util::sync::DropGuard) {
        let metrics = Metrics::new();
        let bound = Bound::new(at_once_max, wait_max, metrics.clone());
        let router = axum::Router::new()
            .route("/hang", axum::routing::get(std::future::pending::<&str>))
            .route("/", axum::routing::get(async || "here"))
            .layer(axum::middleware::from_fn_with_state(bound, bounded));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cancel = tokio_util::sync::CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        tokio::spawn(service::http::serve(listener, router, cancel));
        (url, metrics, guard)
    }

    async fn status(url: &str) -> u16 {
        reqwest::get(url).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn so_many_are_answered_at_once_and_no_more() {
        let (url, metrics, _guard) = serve(2, Duration::from_secs(60)).await;
        let hang = |url: &str| tokio::spawn(reqwest::get(format!("{url}/hang")));
        let first = hang(&url);
        assert_eq!(status(&url).await, 200, "the second of two");
        let second = hang(&url);
        while status(&url).await != 503 {
            tokio::task::yield_now().await;
        }
        assert!(metrics.refused_total.get([NAME, "busy"]) > 0);
        first.abort();
        while status(&url).await != 200 {
            tokio::task::yield_now().await;
        }
        second.abort();
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_told_so() {
        let (url, metrics, _guard) = serve(1, Duration::from_millis(20)).await;
        assert_eq!(status(&format!("{url}/hang")).await, 503);
        assert_eq!(metrics.refused_total.get([NAME, "too_slow"]), 1);
        assert_eq!(status(&url).await, 200);
    }
}
