//! Connections to our own doors, as a browser or a provider makes them.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hyper::Uri;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What bytes go over.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Connects to an origin, with TLS where it says https.
pub(super) async fn dial(origin: &Uri) -> Result<Box<dyn Bytes>> {
    let host = origin.host().context("the url has no host")?;
    let is_private = origin.scheme_str() == Some("https");
    let port = origin.port_u16().unwrap_or(if is_private { 443 } else { 80 });
    // An address of version 6 stands in brackets there.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream =
        TcpStream::connect((host, port)).await.with_context(|| format!("connect to {host}:{port}"))?;
    stream.set_nodelay(true).context("set up the connection")?;
    if !is_private {
        return Ok(Box::new(stream));
    }
    let config =
        rustls::ClientConfig::with_platform_verifier().context("read this machine's certificates")?;
    let name = ServerName::try_from(host.to_owned()).context("the url's host is no name")?;
    let private = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    Ok(Box::new(private.with_context(|| format!("agree on TLS with {host}"))?))
}
