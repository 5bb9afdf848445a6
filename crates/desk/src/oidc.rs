//! Signing in by the company's identity provider: OpenID Connect, authorization code flow with PKCE.
//!
//! The browser leaves for the provider with a state, a nonce and a challenge, whose other halves it keeps in a cookie that we signed; so
//! any gateway can take it back. Who the provider says it is becomes an agent by their sign-in name, and has a session as any other.

mod errand;
mod provider;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::IdHasher;
use protocol::audit::{About, Action};
use protocol::{AgentId, Millis, SubjectToken};
use serde::Deserialize;
use service::settings::OidcSettings;
use service::{Problem, Settings};

use crate::accounts::PasswordTag;
use crate::signin::Comes;
use crate::{Gateway, audit, pages, sessions, signin};
use errand::{ERRAND_COOKIE, ERRAND_LIFETIME, Errand, Errands};
use provider::Provider;
use token::Claims;

/// What stands in a sign-in name for a dot of an address, since a name has none.
const FOR_A_DOT: &str = "-";
/// Where the desk begins.
const DESK: &str = "/desk/";

/// Why somebody came back in vain; the desk has words for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InVain {
    /// The provider does not answer, or not as it has to; fate: retry.
    #[error("provider_silent")]
    Silent,
    /// The provider does not let them in, or does not take the code; fate: begin anew.
    #[error("provider_refused")]
    Refused,
    /// The browser did not leave from here, or too long ago; fate: begin anew.
    #[error("signin_expired")]
    Expired,
    /// What the provider says is not signed by it, or not meant for us or this sign-in; fate: refuse.
    #[error("token_invalid")]
    Invalid,
    /// They are not in the groups that may sign in here; fate: refuse.
    #[error("not_allowed")]
    NotAllowed,
    /// They are no agent of the configuration in force; fate: refuse.
    #[error("not_an_agent")]
    NotAnAgent,
    /// Too many tries from there; fate: come back later.
    #[error("too_often")]
    TooOften,
    /// Something of ours does not answer; fate: retry.
    #[error("unavailable")]
    Unavailable,
}

/// The identity provider, as the settings name it.
pub(crate) struct Oidc {
    settings: OidcSettings,
    provider: Provider,
    errands: Errands,
    /// Where the provider sends the browser back to.
    redirect: String,
}

impl Oidc {
    /// None where the settings name no provider. Nothing is asked of it before somebody signs in.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read; the process does not start then.
    pub(crate) fn new(settings: &Settings, hasher: &IdHasher) -> anyhow::Result<Option<Self>> {
        if settings.oidc.issuer.is_empty() {
            return Ok(None);
        }
        let redirect = format!("{}/desk/api/signin/callback", settings.http.public_url);
        let provider = Provider::new(&settings.oidc)?;
        Ok(Some(Self { settings: settings.oidc.clone(), provider, errands: Errands::new(hasher), redirect }))
    }

    /// What the button says.
    pub(crate) fn title(&self) -> &str {
        &self.settings.title
    }
}

/// The agent's sign-in name that is in what the provider says. Of two people never the same one: either all of them have addresses of
/// one domain, or none of them has an address.
fn name_in(settings: &OidcSettings, claims: &Claims) -> Result<SubjectToken, InVain> {
    let allowed = &settings.groups;
    if !allowed.is_empty() && !claims.groups(&settings.groups_claim).any(|group| allowed.contains(group)) {
        return Err(InVain::NotAllowed);
    }
    let said = claims.text(&settings.claim).ok_or(InVain::NotAnAgent)?;
    let name = match (said.rsplit_once('@'), settings.email_domain.as_str()) {
        (None, "") => said.to_owned(),
        // Whoever has an address elsewhere is somebody else, and an address that is only said is nobody's.
        (Some((local, domain)), ours) if !ours.is_empty() && domain.eq_ignore_ascii_case(ours) => {
            if settings.claim == "email" && !claims.is_true("email_verified") {
                return Err(InVain::NotAllowed);
            }
            // A dot becomes this sign: an address that has it already would be somebody else's name.
            if local.contains(FOR_A_DOT) {
                tracing::warn!(sign = %FOR_A_DOT, "an address with this sign in its name signs nobody in");
                return Err(InVain::NotAnAgent);
            }
            local.replace('.', FOR_A_DOT)
        }
        (Some(_) | None, _) => return Err(InVain::NotAllowed),
    };
    SubjectToken::new(&name).map_err(|_| InVain::NotAnAgent)
}

/// Sends the browser to the provider.
pub(crate) async fn leave(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(oidc) = &gateway.oidc else { return Err(no_provider()) };
    // Another site's page neither signs anybody in unasked nor uses up what the address may try.
    if signin::require_own_origin(&headers).is_err() {
        return Ok(see_other(DESK));
    }
    if gateway.gatekeeper.check_address(signin::from(&gateway, &extensions, &headers)).is_err() {
        return Ok(back_to_desk(&gateway, InVain::TooOften));
    }
    let before = sessions::token_in(&gateway, &headers).map(bus::token_hash);
    let errand = Errand::new(before).map_err(|error| {
        tracing::error!(%error, "no sign-in can begin");
        Problem::internal()
    })?;
    let until = gateway.now().plus(u64::try_from(ERRAND_LIFETIME.as_millis()).unwrap_or(u64::MAX));
    let address = match oidc.provider.begin_at(&errand, &oidc.redirect).await {
        Ok(address) => address,
        Err(why) => return Ok(back_to_desk(&gateway, why)),
    };
    let mut response = see_other(&address);
    keep(&gateway, &mut response, &oidc.errands.seal(&errand, until), ERRAND_LIFETIME);
    Ok(response)
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
pub(crate) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Takes the browser back, and lets its agent in.
pub(crate) async fn come_back(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Result<Response, Problem> {
    let Some(oidc) = &gateway.oidc else { return Err(no_provider()) };
    let from = signin::from(&gateway, &extensions, &headers);
    if gateway.gatekeeper.check_address(from).is_err() {
        return Ok(back_to_desk(&gateway, InVain::TooOften));
    }
    let Ok(Query(back)) = back else { return Ok(back_to_desk(&gateway, InVain::Expired)) };
    let cookie = signin::cookie_name(gateway.is_https(), ERRAND_COOKIE);
    let errand = sessions::cookie(&headers, &cookie).and_then(|kept| oidc.errands.open(kept, gateway.now()));
    let (agent, before) = match who(&gateway, oidc, errand, back).await {
        Ok(found) => found,
        Err(why) => return Ok(back_to_desk(&gateway, why)),
    };
    // As with a password: nobody is kept out because it cannot be written down.
    drop(audit::note(&gateway, agent, Action::SignedInByProvider, About::nothing()).await);
    // Whoever had this browser before is signed out of it.
    if let Some(before) = before {
        drop(sessions::end_key(&gateway, &before, from).await);
    }
    let mut response = see_other(DESK);
    let comes = Comes { agent, must_change: false, password: password_of(&gateway, agent).await };
    signin::let_in(&gateway, &headers, comes, &mut response).await?;
    // One errand, one way back.
    keep(&gateway, &mut response, "", Duration::ZERO);
    tracing::info!(%agent, "signed in by the identity provider");
    Ok(response)
}

/// Who came back, and the session that their browser had when it left.
async fn who(
    gateway: &Gateway,
    oidc: &Oidc,
    errand: Option<Errand>,
    back: Back,
) -> Result<(AgentId, Option<String>), InVain> {
    let errand = errand.ok_or(InVain::Expired)?;
    if back.state.as_deref() != Some(errand.state.as_str()) {
        return Err(InVain::Expired);
    }
    // Said by newer providers, so that the answer of one cannot be passed off as another's.
    if back.iss.is_some_and(|issuer| issuer != oidc.settings.issuer) {
        return Err(InVain::Invalid);
    }
    if let Some(error) = back.error {
        // A word of the protocol; anything longer is somebody's invention.
        tracing::info!(error = error.chars().take(60).collect::<String>(), "the provider let nobody in");
        return Err(InVain::Refused);
    }
    let code = back.code.ok_or(InVain::Refused)?;
    let id_token = oidc.provider.exchange(&code, &errand, &oidc.redirect).await?;
    let claims = oidc.provider.read(&id_token, &errand.nonce, gateway.now()).await?;
    let name = name_in(&oidc.settings, &claims)?;
    pages::logs_read(gateway).await.map_err(|_| InVain::Unavailable)?;
    let agent = gateway.hub.agent_named(&name).ok_or(InVain::NotAnAgent)?;
    // A bot has a key.
    if gateway.hub.is_bot(agent) { Err(InVain::NotAnAgent) } else { Ok((agent, errand.before)) }
}

/// The password that an agent has besides. Nobody is kept out because it cannot be looked up: their browser is not known then.
async fn password_of(gateway: &Gateway, agent: AgentId) -> Option<PasswordTag> {
    let name = gateway.hub.name_of(agent)?;
    let found = gateway.gatekeeper.password_of(&name, agent).await;
    found.inspect_err(|error| tracing::warn!(%error, "a browser was given no mark")).ok().flatten()
}

fn keep(gateway: &Gateway, response: &mut Response, value: &str, lifetime: Duration) {
    let is_https = gateway.is_https();
    let (name, age) = (signin::cookie_name(is_https, ERRAND_COOKIE), lifetime.as_secs());
    let place = if is_https { "; Path=/; Secure" } else { "; Path=/desk/api/signin" };
    // Lax, and not strict as the session's: the browser comes back from another site.
    signin::set_cookie(response, &format!("{name}={value}{place}; HttpOnly; SameSite=Lax; Max-Age={age}"));
}

fn see_other(address: &str) -> Response {
    let Ok(address) = HeaderValue::from_str(address) else { return Problem::internal().into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}

/// The desk says in the agent's language what went wrong.
fn back_to_desk(gateway: &Gateway, why: InVain) -> Response {
    tracing::info!(%why, "somebody was not signed in by the identity provider");
    let mut response = see_other(&format!("{DESK}?signin={why}"));
    keep(gateway, &mut response, "", Duration::ZERO);
    response
}

fn no_provider() -> Problem {
    let detail = "sign in with name and password, or have `oidc` set in winterband.toml";
    Problem::new(StatusCode::NOT_FOUND, "no_provider", "there is no identity provider here", detail)
}

/// How far clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(60);

fn seconds(now: Millis) -> u64 {
    now.0 / 1_000
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(claim: &str, email_domain: &str) -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example".to_owned(),
            client_id: "desk".to_owned(),
            client_secret: None,
            title: String::new(),
            scopes: String::new(),
            claim: claim.to_owned(),
            email_domain: email_domain.to_owned(),
            groups_claim: "groups".to_owned(),
            groups: Vec::new(),
        }
    }

    fn claims(said: &Value) -> Claims {
        let mut claims = json!({"iss": "https://id.example", "sub": "s", "aud": "desk", "exp": 1, "iat": 1});
        claims.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        serde_json::from_value(claims).unwrap()
    }

    fn named(settings: &OidcSettings, said: &Value) -> Result<String, InVain> {
        name_in(settings, &claims(said)).map(|name| name.to_string())
    }

    /// Whoever can get an address at the company must not become somebody else by it.
    #[test]
    fn no_two_people_have_the_same_name() {
        let by_address = settings("email", "firm.example");
        let of = |address: &str| named(&by_address, &json!({"email": address, "email_verified": true}));
        assert_eq!(of("an.na@firm.example"), Ok("an-na".to_owned()));
        assert_eq!(of("anna@FIRM.example"), Ok("anna".to_owned()));
        assert_eq!(of("an-na@firm.example"), Err(InVain::NotAnAgent));
        assert_eq!(of("an-na"), Err(InVain::NotAllowed), "with a domain only addresses count");
        for elsewhere in ["anna@other.example", "anna@", "anna@sub.firm.example", "anna@firm.example@x"] {
            assert_eq!(of(elsewhere), Err(InVain::NotAllowed), "{elsewhere}");
        }
        assert_eq!(of("an na@firm.example"), Err(InVain::NotAnAgent));
        assert_eq!(named(&by_address, &json!({"email": "anna@firm.example"})), Err(InVain::NotAllowed));

        let by_name = settings("preferred_username", "");
        let of = |name: &str| named(&by_name, &json!({ "preferred_username": name }));
        assert_eq!(of("an-na"), Ok("an-na".to_owned()));
        assert_eq!(of("an.na"), Err(InVain::NotAnAgent));
        for address in ["anna@", "anna@firm.example", "@"] {
            assert_eq!(of(address), Err(InVain::NotAllowed), "without a domain no address counts: {address}");
        }
    }

    #[test]
    fn who_is_in_none_of_the_groups_is_not_let_in() {
        let settings = OidcSettings { groups: vec!["desk".to_owned()], ..settings("sub", "") };
        assert_eq!(named(&settings, &json!({"groups": ["guests", "desk"]})), Ok("s".to_owned()));
        for said in [json!({}), json!({"groups": ["guests"]}), json!({"groups": "desks"})] {
            assert_eq!(named(&settings, &said), Err(InVain::NotAllowed), "{said}");
        }
    }
}
