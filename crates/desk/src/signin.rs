//! Signing in and out, and who one is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use protocol::audit::{About, Action, Actor};
use protocol::config::Role;
use protocol::signin::{DEVICE_COOKIE, SESSION_COOKIE};
use protocol::{AgentId, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::accounts::{Admitted, DEVICE_LIFETIME, Device, NotLetIn, PasswordTag, TooMany, Trier, rules};
use crate::sessions::Session;
use crate::{Gateway, audit, pages, sessions};

/// Largest body of a sign-in, bytes: a name and a password at their limits, however they are written.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024;
/// Where a browser says from where a request comes.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What one signs in with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    name: String,
    password: String,
}

/// Another password instead of one's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    current: String,
    new: String,
}

/// How one can sign in here.
#[derive(Serialize)]
struct Ways {
    password: bool,
    /// What the company's identity provider is called; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

/// What comes of a sign-in.
#[derive(Serialize)]
struct SignedIn {
    /// Whether another password has to be chosen before anything else.
    must_change: bool,
}

/// Who one is.
#[derive(Serialize)]
struct Me {
    agent: AgentId,
    /// What they sign in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<SubjectToken>,
    title: String,
    /// Absent until the log says who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// The queues that they lead; none: all.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    scope: BTreeSet<SubjectToken>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    must_change: bool,
}

pub(crate) async fn ways(State(gateway): State<Arc<Gateway>>) -> Response {
    let settings = &gateway.kit.settings;
    let provider = gateway.oidc.as_ref().map(|oidc| oidc.title().to_owned());
    Json(Ways { password: settings.signin.passwords, provider }).into_response()
}

pub(crate) async fn sign_in(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<SignIn>,
) -> Result<Response, Problem> {
    if !gateway.kit.settings.signin.passwords {
        let detail = "use the button of your company's sign-in";
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_passwords",
            "passwords are not used here",
            detail,
        ));
    }
    let from = from(&gateway, &extensions, &headers);
    let admitted = admit(&gateway, &headers, from, &asked.name, asked.password).await?;
    let Admitted { agent, must_change, password, .. } = admitted;
    // Who is not configured any more has no place here, whatever their password; neither has a name that they had before.
    let named = SubjectToken::new(&asked.name).ok().and_then(|name| gateway.hub.agent_named(&name));
    if gateway.hub.is_configured() && named != Some(agent) {
        return Err(wrong());
    }
    // A trail that takes no more stops changes and looks; the floor is not to be empty in the morning because of it.
    drop(audit::note(&gateway, agent, Action::SignedIn, About::nothing()).await);
    let mut response = if must_change {
        Json(SignedIn { must_change }).into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    // Whoever had this browser before is signed out of it.
    if let Some(before) = sessions::token_in(&gateway, &headers) {
        drop(sessions::end(&gateway, before, from).await);
    }
    let comes = Comes { agent, must_change, password: Some(password) };
    let key = let_in(&gateway, &headers, comes, &mut response).await?;
    stays_in(&gateway, &asked.name, &admitted, &key).await?;
    tracing::info!(%agent, "signed in");
    Ok(response)
}

/// Whether a session that was just made stands. Whoever gives the account another password ends its sessions afterwards: they either
/// find this one, or we find that the password is another.
async fn stays_in(gateway: &Gateway, name: &str, admitted: &Admitted, key: &str) -> Result<(), Problem> {
    let problem = match gateway.gatekeeper.stands(name, admitted).await {
        Ok(true) => return Ok(()),
        Ok(false) => wrong(),
        Err(error) => refused(error),
    };
    sessions::remove(gateway, key).await?;
    Err(problem)
}

async fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    from: IpAddr,
    name: &str,
    password: String,
) -> Result<Admitted, Problem> {
    let device = known_browser(gateway, headers);
    let trier = Trier { name, from, device };
    match gateway.gatekeeper.admit(trier, password).await {
        Ok(admitted) => Ok(admitted),
        Err(error) => {
            if let NotLetIn::TooMany(TooMany { is_news: true, .. }, of) = &error {
                let about = of.map_or_else(About::nothing, About::agent);
                tracing::warn!(agent = ?of, "somebody guesses a password");
                let told = gateway.audit.append(gateway.now(), Actor::System, Action::SigninRefused, about);
                if let Err(error) = told.await {
                    tracing::warn!(%error, "guesses of a password were not written down");
                }
            }
            Err(refused(error))
        }
    }
}

/// Who is let in.
pub(crate) struct Comes {
    pub(crate) agent: AgentId,
    pub(crate) must_change: bool,
    /// The password that they have: their browser is known as long as they do. Without one there is nothing to guess.
    pub(crate) password: Option<PasswordTag>,
}

/// Makes a session and gives its cookie, and the mark of the browser; the key of the session is for who ends it.
pub(crate) async fn let_in(
    gateway: &Gateway,
    headers: &HeaderMap,
    Comes { agent, must_change, password }: Comes,
    response: &mut Response,
) -> Result<String, Problem> {
    let (token, lifetime) = sessions::begin(gateway, agent, must_change).await.map_err(|error| {
        tracing::warn!(error = format!("{error:#}"), "failed to make a session");
        Problem::unavailable("bus_unavailable", "sessions cannot be stored now")
    })?;
    set_session(gateway, response, &token, lifetime);
    if let Some(password) = password {
        let known = known_browser(gateway, headers).filter(|known| known.agent == agent);
        let id = known.map_or_else(|| uuid::Uuid::new_v4().as_u128(), |known| known.id);
        let until = gateway.now().plus(u64::try_from(DEVICE_LIFETIME.as_millis()).unwrap_or(u64::MAX));
        let mark = gateway.devices.mark(Device { agent, id, password }, until);
        set_cookie(response, &cookie(gateway.is_https(), DEVICE_COOKIE, &mark, DEVICE_LIFETIME));
    }
    Ok(bus::token_hash(&token))
}

/// The agent who signed in in this browser last, and which browser it is.
fn known_browser(gateway: &Gateway, headers: &HeaderMap) -> Option<Device> {
    let mark = sessions::cookie(headers, &cookie_name(gateway.is_https(), DEVICE_COOKIE))?;
    gateway.devices.read(mark, gateway.now())
}

pub(crate) async fn sign_out(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(token) = sessions::token_in(&gateway, &headers)
        && let Some(agent) = sessions::end(&gateway, token, from(&gateway, &extensions, &headers)).await?
    {
        // Nobody is kept signed in because it cannot be written down.
        drop(audit::note(&gateway, agent, Action::SignedOut, About::nothing()).await);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_session(&gateway, &mut response, "", Duration::ZERO);
    Ok(response)
}

/// Another password instead of one's own. All other sessions end, and this one goes on under a new token.
pub(crate) async fn change_password(
    State(gateway): State<Arc<Gateway>>,
    Extension(session): Extension<Session>,
    extensions: Extensions,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<Change>,
) -> Result<Response, Problem> {
    let agent = session.agent;
    let name = gateway.hub.name_of(agent).ok_or_else(sessions::signed_out)?;
    let from = from(&gateway, &extensions, &headers);
    let admitted = admit(&gateway, &headers, from, name.as_str(), asked.current.clone()).await?;
    if admitted.agent != agent {
        return Err(wrong());
    }
    let title = gateway.hub.title_of(agent).unwrap_or_default();
    rules::check(&asked.new, &[name.as_str(), &title])?;
    if asked.new == asked.current {
        let detail = "choose one that you do not have now";
        let title = "this is the password that you have";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "password_same", title, detail));
    }
    audit::note(&gateway, agent, Action::PasswordChanged, About::agent(agent)).await?;
    let admitted = gateway.gatekeeper.change(&name, admitted, asked.new).await.map_err(refused)?;
    sessions::end_all(&gateway, agent).await?;
    tracing::info!(%agent, "changed their password");
    let mut response = StatusCode::NO_CONTENT.into_response();
    let comes = Comes { agent, must_change: false, password: Some(admitted.password) };
    let key = let_in(&gateway, &headers, comes, &mut response).await?;
    stays_in(&gateway, name.as_str(), &admitted, &key).await?;
    Ok(response)
}

pub(crate) async fn own_sessions(
    State(gateway): State<Arc<Gateway>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Problem> {
    Ok(pages::shown(sessions::list(&gateway, session.agent, Some(&session.key)).await?))
}

pub(crate) async fn end_own_session(
    State(gateway): State<Arc<Gateway>>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    sessions::end_listed(&gateway, session.agent, session.agent, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn me(
    State(gateway): State<Arc<Gateway>>,
    Extension(session): Extension<Session>,
) -> Result<Response, Problem> {
    let Session { agent, must_change, .. } = session;
    let hub = &gateway.hub;
    let title = hub.title_of(agent).map_or_else(|| agent.to_string(), |title| title.to_string());
    let (name, role, scope) = (hub.name_of(agent), hub.rank_of(agent), hub.authority_of(agent).scope);
    Ok(pages::shown(Me { agent, name, title, role, scope, must_change }))
}

/// The address that limits count a request by.
pub(crate) fn from(gateway: &Gateway, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    service::http::address(extensions, headers, &gateway.kit.settings.http.trusted_proxies)
}

pub(crate) fn refused(error: NotLetIn) -> Problem {
    match error {
        NotLetIn::TooMany(TooMany { wait, .. }, _) => wait.into(),
        NotLetIn::Wrong => wrong(),
        NotLetIn::Busy => Problem::unavailable("busy", "too many are signing in at this moment"),
        NotLetIn::Overtaken => {
            let detail = "sign in with the password that it was given";
            Problem::new(StatusCode::CONFLICT, "password_changed", "it was changed meanwhile", detail)
        }
        NotLetIn::Unavailable(error) => {
            tracing::warn!(%error, "failed to use an account");
            Problem::unavailable("bus_unavailable", "accounts cannot be used now")
        }
        NotLetIn::Broken(reason) => {
            tracing::error!(reason, "failed to check a password");
            Problem::internal()
        }
    }
}

fn wrong() -> Problem {
    let detail = "check both, or ask a supervisor for a new password";
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_name_or_password", "wrong name or password", detail)
}

/// What an agent is told who has to choose a password first.
pub(crate) fn password_first() -> Problem {
    let detail =
        "your password was set by somebody else: choose one of your own with POST /desk/api/password";
    Problem::new(StatusCode::FORBIDDEN, "password_first", "choose a password first", detail)
}

fn set_session(gateway: &Gateway, response: &mut Response, token: &str, lifetime: Duration) {
    set_cookie(response, &cookie(gateway.is_https(), SESSION_COOKIE, token, lifetime));
}

pub(crate) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Over https a cookie that no other site of the domain, and nothing without https, can set.
pub(crate) fn cookie_name(is_https: bool, name: &str) -> String {
    if is_https { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie(is_https: bool, name: &str, value: &str, lifetime: Duration) -> String {
    let age = lifetime.as_secs();
    // The prefix demands the whole site as its path.
    let place = if is_https { "; Path=/; Secure" } else { "; Path=/desk" };
    let name = cookie_name(is_https, name);
    format!("{name}={value}{place}; HttpOnly; SameSite=Strict; Max-Age={age}")
}

/// A page of another site must not act in an agent's name: a browser says where a request comes from.
pub(crate) fn require_own_origin(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own_origin(headers) {
        return Ok(());
    }
    let detail = "open the desk by the address that this server has";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", "this comes from another site", detail))
}

/// True without `Sec-Fetch-Site` and `Origin`: only browsers send them, and browsers always do where it counts.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
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
            cookie(false, SESSION_COOKIE, "t", hours),
            "wb_session=t; Path=/desk; HttpOnly; SameSite=Strict; Max-Age=43200"
        );
        assert_eq!(
            cookie(true, SESSION_COOKIE, "t", hours),
            "__Host-wb_session=t; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200"
        );
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

    #[test]
    fn what_the_browser_says_of_the_site_counts_too() {
        let is_own = |site: &'static str, origin: &'static str| {
            let pairs = [("host", "desk.example"), ("sec-fetch-site", site), ("origin", origin)];
            let pairs = pairs.map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            is_own_origin(&HeaderMap::from_iter(pairs))
        };
        assert!(is_own("same-origin", "https://desk.example"));
        assert!(is_own("none", "https://desk.example"));
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            assert!(!is_own(site, "https://desk.example"), "{site}");
        }
        assert!(!is_own("same-origin", "https://evil.example"), "both have to be right");
    }
}
