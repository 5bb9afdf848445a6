//! When the certificates end by which this process is reached and by which it knows nats-server: as whoever comes is shown them.
//!
//! Nothing is believed and nothing is said on the connections that are made for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use hyper::Uri;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use service::{Kit, Settings};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use x509_parser::pem::Pem;

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// When they are looked at again, where one was not seen.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long it may take to be shown one.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// Longest greeting of a nats-server, bytes.
const GREETING_BYTES_MAX: usize = 64 * 1024;
/// The name of the authority among what ends.
const AUTHORITY: &str = "authority";

/// A place where a certificate is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
    /// Whether there is a greeting before it.
    greets: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Place {
    /// One that is reached with TLS; `None`: by this address it is not.
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.trim().parse().ok()?;
        let (port, greets) = match uri.scheme_str()? {
            "https" => (443, false),
            "tls" => (4222, true),
            _ => return None,
        };
        // An address of version 6 stands in brackets there.
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: uri.port_u16().unwrap_or(port), greets })
    }
}

/// Looks from now on when certificates end: that of the address by which this process is reached, those of the servers of the bus, and
/// that of their authority. Those that there are none of are not looked at.
pub fn look(kit: &Kit) {
    let places = places(&kit.settings);
    let authority = kit.settings.nats.authority.clone();
    if !places.is_empty() || authority.is_some() {
        kit.drain.spawn("certificates", run(kit.clone(), places, authority));
    }
}

fn places(settings: &Settings) -> Vec<Place> {
    let servers = settings.nats.url.split(',');
    std::iter::once(settings.http.public_url.as_str()).chain(servers).filter_map(Place::of).collect()
}

async fn run(kit: Kit, places: Vec<Place>, authority: Option<PathBuf>) -> Result<()> {
    let ended = kit.drain.token();
    loop {
        let all_are_seen = tokio::select! {
            () = ended.cancelled() => break,
            all = look_at(&kit, &places, authority.as_deref()) => all,
        };
        let pause = if all_are_seen { LOOK_EVERY } else { AGAIN_AFTER };
        tokio::select! {
            () = ended.cancelled() => break,
            () = sleep(pause) => {}
        }
    }
    Ok(())
}

/// Whether all of them were seen.
async fn look_at(kit: &Kit, places: &[Place], authority: Option<&Path>) -> bool {
    let mut all_are_seen = true;
    for place in places {
        let seen = timeout(SHOWN_WITHIN, shown(place)).await;
        let seen = seen.unwrap_or_else(|_| Err(anyhow!("it does not answer")));
        all_are_seen &= note(kit, &place.to_string(), seen);
    }
    if let Some(file) = authority {
        all_are_seen &= note(kit, AUTHORITY, of_file(file));
    }
    all_are_seen
}

/// What was seen before stands until something else is.
fn note(kit: &Kit, name: &str, seen: Result<i64>) -> bool {
    match seen {
        Ok(at) => {
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit into a float for ages")]
            kit.metrics.certificate_ends_at_seconds.set([name], at as f64);
            true
        }
        Err(error) => {
            tracing::debug!(name, error = format!("{error:#}"), "a certificate was not seen");
            false
        }
    }
}

/// When the certificate ends that is shown there, seconds since 1970.
async fn shown(place: &Place) -> Result<i64> {
    let mut stream = TcpStream::connect((place.host.as_str(), place.port)).await.context("connect")?;
    if place.greets {
        greeted(&mut stream).await?;
    }
    let provider = Arc::new(ring::default_provider());
    let looks = Arc::new(Looks { seen: Mutex::default(), provider: Arc::clone(&provider) });
    let verifier: Arc<dyn ServerCertVerifier> = looks.clone();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(place.host.clone()).context("the host is no name")?;
    let agreed = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let seen = looks.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(certificate) = seen {
        return ends_at(&certificate);
    }
    agreed.context("agree on TLS")?;
    bail!("it shows none")
}

/// Reads the line that a nats-server says before it speaks TLS.
async fn greeted(stream: &mut TcpStream) -> Result<()> {
    for _ in 0..GREETING_BYTES_MAX {
        if stream.read_u8().await.context("read the greeting")? == b'\n' {
            return Ok(());
        }
    }
    bail!("the greeting has no end")
}

/// Keeps the certificate that it is shown. What is agreed on with it is never used.
#[derive(Debug)]
struct Looks {
    seen: Mutex<Option<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Looks {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// When the certificates of a file (PEM) end, seconds since 1970: the first of them.
fn of_file(file: &Path) -> Result<i64> {
    of_pem(&std::fs::read(file).context("read the file")?)
}

fn of_pem(pem: &[u8]) -> Result<i64> {
    let mut ends = Vec::new();
    for part in Pem::iter_from_buffer(pem) {
        let part = part.map_err(|error| anyhow!("read the file: {error}"))?;
        if part.label == "CERTIFICATE" {
            ends.push(ends_at(&part.contents)?);
        }
    }
    ends.into_iter().min().context("there is no certificate in it")
}

fn ends_at(certificate: &[u8]) -> Result<i64> {
    let (_, read) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|error| anyhow!("read the certificate: {error}"))?;
    Ok(read.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rcgen::{Certificate, CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A certificate, its key, and when it ends.
    fn certificate(ends_at: SystemTime) -> (Certificate, KeyPair, i64) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = (ends_at - 100 * HOUR).into();
        params.not_after = ends_at.into();
        let seconds = ends_at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        (params.self_signed(&key).unwrap(), key, i64::try_from(seconds).unwrap())
    }

    /// Shows it to whoever comes, after these words.
    async fn server(certificate: &Certificate, key: &KeyPair, greeting: &'static str) -> u16 {
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(greeting.as_bytes()).await.unwrap();
                acceptor.accept(stream).await.ok();
            }
        });
        port
    }

    #[test]
    fn only_what_is_reached_with_tls_shows_a_certificate() {
        let of = |url: &str| Place::of(url).map(|place| (place.to_string(), place.greets));
        assert_eq!(of("https://desk.example"), Some(("desk.example:443".to_owned(), false)));
        assert_eq!(of("https://desk.example:8443"), Some(("desk.example:8443".to_owned(), false)));
        assert_eq!(of(" tls://nats-1"), Some(("nats-1:4222".to_owned(), true)));
        for none in ["http://desk.example", "nats://nats:4222", "nats:4222", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[tokio::test]
    async fn it_is_seen_when_a_certificate_ends_also_one_that_has_ended() {
        let now = SystemTime::now();
        for (ends, greeting) in [(now + 48 * HOUR, ""), (now + 48 * HOUR, "INFO {}\r\n"), (now - HOUR, "")] {
            let (certificate, key, ends_at) = certificate(ends);
            let port = server(&certificate, &key, greeting).await;
            let place = Place { host: "localhost".to_owned(), port, greets: !greeting.is_empty() };
            assert_eq!(shown(&place).await.unwrap(), ends_at);
        }
    }

    #[tokio::test]
    async fn nobody_there_shows_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(shown(&Place { host: "localhost".to_owned(), port, greets: false }).await.is_err());
    }

    #[test]
    fn of_several_in_a_file_the_one_that_ends_first_counts() {
        let now = SystemTime::now();
        let (late, key, _) = certificate(now + 48 * HOUR);
        let (soon, _, ends_at) = certificate(now + HOUR);
        let text = [late.pem(), key.serialize_pem(), soon.pem()].concat();
        assert_eq!(of_pem(text.as_bytes()).unwrap(), ends_at);
        assert!(of_pem(key.serialize_pem().as_bytes()).is_err(), "a key is none");
    }
}
