//! The provider itself: what it says of its addresses and keys, and the exchange of a code for a token.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use protocol::Millis;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use service::settings::OidcSettings;
use service::{Rate, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::InVain;
use super::errand::Errand;
use super::token::{self, Claims, Expected, Keys, Untrue};

/// How long reaching the provider may take, and how long its answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest code that is passed on, bytes.
const CODE_BYTES_MAX: usize = 4 * 1024;
/// How long what the provider says of itself counts.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// How long nothing is asked of a provider that did not answer; everybody is told so meanwhile.
const SILENT_FOR: Duration = Duration::from_secs(3);
/// A key that is not known may have been made a moment ago: it is asked for, but not more often than so many times a minute.
const KEYS_ASKED_PER_MINUTE: u32 = 6;

/// What the provider says of itself.
#[derive(Clone, Debug, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What the exchange gives; of the rest we need nothing.
#[derive(Deserialize)]
struct Exchanged {
    id_token: String,
}

/// Something of the provider's, and since when we have it.
struct Kept<T> {
    value: T,
    since: Instant,
}

impl<T: Clone> Kept<T> {
    fn fresh(kept: Option<&Self>) -> Option<T> {
        kept.filter(|kept| kept.since.elapsed() < FRESH_FOR).map(|kept| kept.value.clone())
    }
}

pub(super) struct Provider {
    settings: OidcSettings,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    discovery: Mutex<Option<Kept<Discovery>>>,
    /// When it last did not say what it is.
    silent_since: std::sync::Mutex<Option<Instant>>,
    keys: Mutex<Option<Kept<Keys>>>,
    asks: RateLimiter<()>,
}

impl Provider {
    pub(super) fn new(settings: &OidcSettings) -> anyhow::Result<Self> {
        use rustls_platform_verifier::ConfigVerifierExt as _;
        // The first one to ask installs it; all later ones find it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let tls =
            rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?;
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_WITHIN));
        // What the address says decides, not the connector: it gets https too.
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let asks = RateLimiter::new(Rate::per_minute(KEYS_ASKED_PER_MINUTE), 1, service::Clock::system());
        Ok(Self {
            settings: settings.clone(),
            // Each request by a connection of its own: it is rare, and one that lay idle may be closed at the other end as it is used,
            // with a code in it that counts once.
            client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector),
            discovery: Mutex::default(),
            silent_since: std::sync::Mutex::default(),
            keys: Mutex::default(),
            asks,
        })
    }

    /// Where the browser goes to sign in.
    pub(super) async fn begin_at(&self, errand: &Errand, redirect: &str) -> Result<String, InVain> {
        let endpoint = self.discovery().await?.authorization_endpoint;
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &errand.state)
            .append_pair("nonce", &errand.nonce)
            .append_pair("code_challenge", &errand.challenge())
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// The token for a code.
    pub(super) async fn exchange(
        &self,
        code: &str,
        errand: &Errand,
        redirect: &str,
    ) -> Result<String, InVain> {
        if code.len() > CODE_BYTES_MAX {
            return Err(InVain::Refused);
        }
        let discovery = self.discovery().await?;
        let request = self.exchanging(&discovery, code, errand, redirect)?;
        let (status, body) = self.ask(request).await?;
        if status.is_success() {
            let exchanged: Exchanged = read(&body)?;
            return Ok(exchanged.id_token);
        }
        // A used or foreign code, or a wrong secret of ours: the operator finds which in the provider's log.
        tracing::warn!(status = status.as_u16(), "the identity provider gives nothing for a code");
        Err(if status.is_server_error() { InVain::Silent } else { InVain::Refused })
    }

    fn exchanging(
        &self,
        discovery: &Discovery,
        code: &str,
        errand: &Errand,
        redirect: &str,
    ) -> Result<Request<Full<Bytes>>, InVain> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", &errand.verifier);
        let mut request = Request::post(&discovery.token_endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        let (id, secret) = (&self.settings.client_id, self.settings.client_secret.as_ref());
        match secret.map(|secret| secret.reveal().trim().to_owned()) {
            Some(secret) if discovery.takes_basic() => {
                // Each part is written as in a form first (RFC 6749, 2.3.1).
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(&secret)));
                request = request.header(header::AUTHORIZATION, format!("Basic {pair}"));
            }
            Some(secret) => {
                form.append_pair("client_id", id).append_pair("client_secret", &secret);
            }
            None => {
                form.append_pair("client_id", id);
            }
        }
        request.body(Full::new(Bytes::from(form.finish()))).map_err(|_| InVain::Silent)
    }

    /// What the token says, if the provider signed it for us, this sign-in and now.
    pub(super) async fn read(&self, id_token: &str, nonce: &str, now: Millis) -> Result<Claims, InVain> {
        let expected =
            Expected { issuer: &self.settings.issuer, client_id: &self.settings.client_id, nonce, now };
        let mut checked = token::check(id_token, &self.keys(false).await?, &expected);
        if matches!(checked, Err(Untrue::UnknownKey)) && self.asks.check(&()).is_ok() {
            checked = token::check(id_token, &self.keys(true).await?, &expected);
        }
        checked.map_err(|reason| {
            tracing::warn!(%reason, "a token of the identity provider was refused");
            InVain::Invalid
        })
    }

    async fn discovery(&self) -> Result<Discovery, InVain> {
        let mut kept = self.discovery.lock().await;
        if let Some(discovery) = Kept::fresh(kept.as_ref()) {
            return Ok(discovery);
        }
        // Whoever waited behind somebody who asked in vain does not ask as well.
        if self.was_silent() {
            return Err(InVain::Silent);
        }
        let discovery = self.discover().await;
        *self.silence() = discovery.is_err().then(Instant::now);
        let discovery = discovery?;
        *kept = Some(Kept { value: discovery.clone(), since: Instant::now() });
        Ok(discovery)
    }

    fn was_silent(&self) -> bool {
        self.silence().is_some_and(|since| since.elapsed() < SILENT_FOR)
    }

    fn silence(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silent_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn discover(&self) -> Result<Discovery, InVain> {
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Discovery = self.get(&address).await?;
        let Discovery { authorization_endpoint, token_endpoint, jwks_uri, .. } = &discovery;
        let may_be_plain = issuer.starts_with("http:");
        let is_fair = |address: &String| address.starts_with("https:") || may_be_plain;
        let fair = [authorization_endpoint, token_endpoint, jwks_uri].into_iter().all(is_fair);
        if discovery.issuer != *issuer || !fair {
            tracing::error!(
                "the identity provider says that it is another one, or has addresses without https"
            );
            return Err(InVain::Silent);
        }
        Ok(discovery)
    }

    /// The keys it signs with; `anew`: as they are now.
    async fn keys(&self, anew: bool) -> Result<Keys, InVain> {
        let address = self.discovery().await?.jwks_uri;
        let mut kept = self.keys.lock().await;
        if let Some(keys) = Kept::fresh(kept.as_ref()).filter(|_| !anew) {
            return Ok(keys);
        }
        let keys: Keys = self.get(&address).await?;
        *kept = Some(Kept { value: keys.clone(), since: Instant::now() });
        Ok(keys)
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T, InVain> {
        let request = Request::get(address).header(header::ACCEPT, "application/json");
        let request = request.body(Full::default()).map_err(|_| InVain::Silent)?;
        let (status, body) = self.ask(request).await?;
        if !status.is_success() {
            tracing::warn!(status = status.as_u16(), "the identity provider does not say what it is");
            return Err(InVain::Silent);
        }
        read(&body)
    }

    /// One request; where an answer points is not followed.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), InVain> {
        let silent = |reason: String| {
            tracing::warn!(reason, "the identity provider does not answer");
            InVain::Silent
        };
        let asking = async {
            let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok::<_, String>((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, asking).await;
        answer.unwrap_or_else(|_| Err("it takes too long".to_owned())).map_err(silent)
    }
}

impl Discovery {
    /// What every provider takes if it does not say otherwise.
    fn takes_basic(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic")
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, InVain> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::warn!(line = error.line(), "the identity provider's answer does not read");
        InVain::Silent
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    fn settings(issuer: String) -> OidcSettings {
        OidcSettings {
            issuer,
            client_id: "desk".to_owned(),
            client_secret: None,
            title: String::new(),
            scopes: "openid".to_owned(),
            claim: "sub".to_owned(),
            email_domain: String::new(),
            groups_claim: "groups".to_owned(),
            groups: Vec::new(),
        }
    }

    /// However many want to leave for it: a provider that is down is asked once, and again after a while.
    #[tokio::test]
    async fn a_provider_that_is_silent_is_not_asked_by_each_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let down = axum::Router::new().fallback(move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            StatusCode::SERVICE_UNAVAILABLE
        });
        tokio::spawn(async move { axum::serve(listener, down).await });
        let provider = Provider::new(&settings(issuer)).unwrap();
        let errand = Errand::new(None).unwrap();
        let leave = || provider.begin_at(&errand, "http://127.0.0.1/back");
        for _ in 0..50 {
            assert_eq!(leave().await, Err(InVain::Silent));
            // As if no time had passed, however slow this machine is.
            *provider.silence() = Some(Instant::now());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        *provider.silence() = Instant::now().checked_sub(SILENT_FOR);
        assert_eq!(leave().await, Err(InVain::Silent));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
