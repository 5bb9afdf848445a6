//! Who may come in, how often, and how many at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bus::{IdHasher, token_hash};
use protocol::audit::Actor;
use protocol::config::{Agent, Authority, Giver, Role};
use protocol::signin::{KeyAccount, Scope};
use protocol::{AgentId, Millis, SubjectToken};
use service::{Metrics, Problem};
use tokio::sync::Semaphore;

use crate::keys::key_id;
use crate::routes::Needs;
use crate::{Api, NAME, Shared, problems, traced};

/// Longest key that is looked at, bytes.
const KEY_BYTES_MAX: usize = 512;

/// A caller whose key exists and stands, who has not asked too often, and may do what the route asks for.
#[derive(Clone)]
pub(crate) struct Caller {
    id: Arc<str>,
    account: Arc<KeyAccount>,
    /// Who supervises, by way of the desk, and in which queues.
    agent: Option<(AgentId, Authority)>,
    /// The account whose canary customer it is.
    canary: Option<SubjectToken>,
}

impl Caller {
    /// The id by which the key is listed.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// An agent who supervises, with what their role may do here; `None` for who does not.
    pub(crate) fn of_agent(agent: &Agent) -> Option<Self> {
        let (authority, name) = (Authority::of(agent), agent.name.to_string());
        let account = match authority.role {
            Role::Agent | Role::Lead => return None,
            Role::Supervisor if authority.scope.is_empty() => {
                let all = [
                    Scope::ConfigRead,
                    Scope::ConfigWrite,
                    Scope::WebhooksManage,
                    Scope::ContactsRead,
                    Scope::ParkedManage,
                ];
                KeyAccount::plain(name, all.into(), Millis(0))
            }
            Role::Supervisor => {
                KeyAccount::plain(name, [Scope::ConfigRead, Scope::ConfigWrite].into(), Millis(0))
            }
            Role::Administrator => KeyAccount::admin(name, Millis(0)),
        };
        let id = agent.id.to_string().into();
        Some(Self { id, account: Arc::new(account), agent: Some((agent.id, authority)), canary: None })
    }

    /// As whom the audit trail knows them.
    pub(crate) fn actor(&self) -> Actor {
        match &self.agent {
            Some((agent, _)) => Actor::Agent(*agent),
            None => Actor::Key { id: self.id().to_owned(), name: self.name().to_owned() },
        }
    }

    /// What they may give and change of the configuration; `None`: everything. A key is nobody's own, so one that is not an
    /// administrator's gives no role of those who change things.
    pub(crate) fn giver(&self) -> Option<Giver> {
        match &self.agent {
            _ if self.is_admin() => None,
            Some((agent, Authority { role, scope })) => {
                Some(Giver { gives: *role, scope: scope.clone(), own: Some(*agent) })
            }
            None => Some(Giver { gives: Role::Lead, scope: BTreeSet::new(), own: None }),
        }
    }

    /// Whether what is for all queues is theirs to change.
    ///
    /// # Errors
    /// `beyond_you`.
    pub(crate) fn for_all_queues(&self) -> Result<(), Problem> {
        match self.giver() {
            Some(giver) if !giver.scope.is_empty() => Err(problems::beyond_you()),
            Some(_) | None => Ok(()),
        }
    }

    /// What people call the key.
    pub(crate) fn name(&self) -> &str {
        &self.account.name
    }

    /// The integration that the key speaks for, if it is one's.
    pub(crate) fn integration(&self) -> Option<&SubjectToken> {
        self.account.integration.as_ref()
    }

    /// Whether it is another system, known by its key, and not an agent by way of the desk.
    pub(crate) fn is_key(&self) -> bool {
        self.agent.is_none()
    }

    /// The account whose canary customer it is, if it is one: it says nothing but what a canary says.
    pub(crate) fn canary(&self) -> Option<&SubjectToken> {
        self.canary.as_ref()
    }

    /// Whether the key may do everything.
    pub(crate) fn is_admin(&self) -> bool {
        self.account.admin && self.account.agent.is_none()
    }

    /// When the key ends; what it makes ends no later.
    pub(crate) fn ends_at(&self) -> Option<Millis> {
        self.account.expires_at.into_iter().chain(self.account.replaced_until).min()
    }

    /// Whether the key has a right.
    ///
    /// # Errors
    /// `scope_missing`, which names the right.
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.account.agent.is_some() {
            return Err(problems::agent_only());
        }
        if self.account.may(scope) { Ok(()) } else { Err(problems::scope_missing(scope)) }
    }

    /// Whether the key may tell something as this source: an integration's key only as itself.
    ///
    /// # Errors
    /// `not_your_source`.
    pub(crate) fn may_tell_as(&self, source: &SubjectToken) -> Result<(), Problem> {
        match self.integration() {
            Some(own) if own != source => Err(problems::not_your_source(own)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the key may sign this agent in.
    ///
    /// # Errors
    /// `agent_only` for a key of another agent.
    pub(crate) fn may_sign_in(&self, agent: &str) -> Result<(), Problem> {
        match &self.account.agent {
            Some(own) if own.as_str() != agent => Err(problems::agent_only()),
            Some(_) | None => Ok(()),
        }
    }

    fn admitted_by(&self, needs: Needs) -> Result<(), Problem> {
        match needs {
            Needs::Nothing => Ok(()),
            Needs::Scope(scope) => self.may(scope),
            Needs::Usher if self.account.agent.is_some() || self.is_admin() => Ok(()),
            Needs::Usher => Err(problems::admin_only()),
        }
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        // The guard of every route that asks for anything has put it there.
        parts.extensions.get::<Self>().cloned().ok_or_else(problems::unauthorized)
    }
}

/// Lets a request through to its handler if its caller may do what the route asks for.
pub(crate) async fn guard(
    State((api, needs)): State<(Shared, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    if needs == Needs::Nothing {
        return next.run(request).await;
    }
    // Who comes by way of the desk is known already; nothing that is sent over HTTP becomes such a thing.
    let known = request.extensions_mut().remove::<Caller>();
    let known = known.map_or_else(|| caller(request.headers(), &api), Ok);
    let admitted = known.and_then(|caller| caller.admitted_by(needs).map(|()| caller));
    match admitted {
        Ok(caller) => {
            let span = api.traced.request(&caller, &request);
            request.extensions_mut().insert(caller);
            traced::within(span, next.run(request)).await
        }
        Err(problem) => {
            api.kit.metrics.refused_total.inc([NAME, problem.code]);
            refused(problem)
        }
    }
}

/// What stands over every answer: it is data, for whoever asked, and a browser makes nothing else of it.
pub(crate) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    for (name, value) in always {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Who holds the key, which exists, stands, and has not asked too often.
fn caller(headers: &HeaderMap, api: &Api) -> Result<Caller, Problem> {
    let shown = bearer(headers).ok_or_else(problems::unauthorized)?;
    let hash = token_hash(shown);
    let canary = api.hasher.canary_of_bearer(shown);
    let account = match &canary {
        Some(account) => of_canary(api, account)?,
        None if IdHasher::is_like_canarys(shown) => return Err(problems::unknown_canary()),
        None => api.keys.find(&hash).ok_or_else(problems::unauthorized)?,
    };
    if !account.stands_at(Millis(api.kit.clock.unix_ms())) {
        return Err(problems::unauthorized());
    }
    api.rate.check(&hash)?;
    Ok(Caller { id: key_id(&hash).into(), account: Arc::new(account), agent: None, canary })
}

/// What a canary customer may, where there are any and the account is one: write, and ask how far the feed has come
/// ([`Caller::canary`] is told no more than that).
fn of_canary(api: &Api, account: &SubjectToken) -> Result<KeyAccount, Problem> {
    if !api.kit.settings.canary.enabled {
        return Err(problems::unknown_canary());
    }
    if !api.floor.is_read() {
        return Err(problems::starting());
    }
    if !api.floor.in_force().is_some_and(|in_force| in_force.has_account(account)) {
        return Err(problems::unknown_canary());
    }
    let name = format!("canary of {account}");
    Ok(KeyAccount::plain(name, [Scope::MessagesWrite, Scope::EventsRead].into(), Millis(0)))
}

/// Who is not known is told how to say who they are.
fn refused(problem: Problem) -> Response {
    let asks_for_key = problem.status == StatusCode::UNAUTHORIZED;
    let mut response = problem.into_response();
    if asks_for_key {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
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
