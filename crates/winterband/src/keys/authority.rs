//! The authority of our own, and the certificate of the servers.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::{AUTHORITY, AUTHORITY_FOLDER, SERVER_FOLDER};
use crate::boot;
use crate::first_start::write_secret;

const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "server.pem";
const CERTIFICATE_KEY: &str = "server.key";
/// What the authority is called. Its certificates name it so, and are looked up by it.
const AUTHORITY_NAME: &str = "Winterband authority";
const SERVER_NAME: &str = "nats-server of Winterband";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A clock that is a little behind believes it at once.
const VALID_BEFORE: Duration = DAY;
const AUTHORITY_VALID: Duration = Duration::from_secs(3650 * 24 * 3600);
const CERTIFICATE_VALID: Duration = Duration::from_secs(825 * 24 * 3600);
/// By what the servers are reached where nothing else is said: the names of the compose files, and this machine.
const HOSTS: [&str; 9] =
    ["nats", "nats-1", "nats-2", "nats-3", "nats-4", "nats-5", "localhost", "127.0.0.1", "::1"];

/// Makes the authority and the servers' certificate if they are missing, and the certificate anew if asked to; gives what was made.
pub(super) fn make(out: &Path, hosts: &[String], renew: bool) -> Result<Vec<String>> {
    let mut made = Vec::new();
    let (authority, servers) = (out.join(AUTHORITY_FOLDER), out.join(SERVER_FOLDER));
    boot::make_folder(&authority)?;
    boot::make_folder(&servers)?;
    let key_file = authority.join(AUTHORITY_KEY);
    let certificate_file = authority.join(AUTHORITY);
    if !key_file.exists() {
        write_secret(&key_file, &KeyPair::generate().context("make a key")?.serialize_pem())?;
    }
    let text = std::fs::read_to_string(&key_file).with_context(|| format!("read {}", key_file.display()))?;
    let key = KeyPair::from_pem(&text).with_context(|| format!("read {}", key_file.display()))?;
    let params = authority_params();
    // The key is there first: a certificate that was not written yet is made of it.
    if !certificate_file.exists() {
        write_secret(&certificate_file, &params.self_signed(&key).context("sign the authority")?.pem())?;
        made.push(format!("{AUTHORITY_FOLDER}/{AUTHORITY}"));
    }
    let (certificate, certificate_key) = (servers.join(CERTIFICATE), servers.join(CERTIFICATE_KEY));
    if renew || !certificate.exists() || !certificate_key.exists() {
        let names = HOSTS.iter().map(|host| (*host).to_owned()).chain(hosts.iter().cloned());
        let pair = KeyPair::generate().context("make a key")?;
        let signed = server_params(names.collect())?
            .signed_by(&pair, &Issuer::new(params, key))
            .context("sign the servers' certificate")?;
        write_secret(&certificate_key, &pair.serialize_pem())?;
        write_secret(&certificate, &signed.pem())?;
        made.push(format!("{SERVER_FOLDER}/{CERTIFICATE}"));
    }
    Ok(made)
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}

fn authority_params() -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = named(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = (now - VALID_BEFORE).into();
    params.not_after = (now + AUTHORITY_VALID).into();
    params
}

/// Servers of a cluster are each other's clients with it.
fn server_params(hosts: Vec<String>) -> Result<CertificateParams> {
    let now = SystemTime::now();
    let mut params = CertificateParams::new(hosts).context("use the hosts: one is no name and no address")?;
    params.distinguished_name = named(SERVER_NAME);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = (now - VALID_BEFORE).into();
    params.not_after = (now + CERTIFICATE_VALID).into();
    Ok(params)
}
