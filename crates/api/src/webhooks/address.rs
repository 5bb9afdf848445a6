//! Where may be posted to. Pure.
//!
//! What is checked is the address that is connected to, not the name: a name may lead elsewhere a moment later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::Uri;
use protocol::integration::webhook::URL_BYTES_MAX;
use service::http::Prefix;

/// An endpoint's address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// What the header `host` says.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

/// Why an address cannot be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongTarget {
    #[error(
        "write https://host/path, at most {URL_BYTES_MAX} bytes, without a name, password or fragment in it"
    )]
    Malformed,
    #[error("it has to be https: without it anybody on the way reads what is posted")]
    NotHttps,
    #[error(
        "it lies in a network that nothing may be posted to: this machine, a private network, or a data centre's own"
    )]
    Refused,
}

impl Target {
    /// Reads an address; one that is a number is looked at, too.
    pub(crate) fn read(url: &str, allowed: &[Prefix]) -> Result<Self, WrongTarget> {
        if url.len() > URL_BYTES_MAX || url.contains('#') {
            return Err(WrongTarget::Malformed);
        }
        let uri: Uri = url.parse().map_err(|_| WrongTarget::Malformed)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(WrongTarget::Malformed),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or(WrongTarget::Malformed)?;
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(WrongTarget::Malformed);
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let target = Self { tls, host: host.to_owned(), port, authority: authority.to_string(), path };
        match target.host.parse::<IpAddr>() {
            Ok(address) if !target.may_reach(address, allowed) => Err(WrongTarget::Refused),
            Ok(_) => Ok(target),
            // Only networks of our own are spoken to in the clear; which one a name leads to, the moment shows.
            Err(_) if !tls && allowed.is_empty() => Err(WrongTarget::NotHttps),
            Err(_) => Ok(target),
        }
    }

    /// Whether this address may be connected to.
    pub(crate) fn may_reach(&self, address: IpAddr, allowed: &[Prefix]) -> bool {
        let is_allowed = allowed.iter().any(|network| network.contains(address));
        is_allowed || (self.tls && is_public(address))
    }

    /// The first address that may be connected to; none if a single one may not: such a name is not to be trusted.
    pub(crate) fn choose(&self, found: &[SocketAddr], allowed: &[Prefix]) -> Option<SocketAddr> {
        let all = found.iter().all(|address| self.may_reach(address.ip(), allowed));
        found.first().copied().filter(|_| all)
    }
}

/// Whether an address is of the public internet: none of this machine, of private networks, of links, of documents.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Shared by a provider's customers, of protocols, and for measurements.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // Only this eighth is given out; within it some lead back into IPv4, or are for documents.
    let [first, second, ..] = parts;
    let global = (first & 0xe000) == 0x2000;
    let special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8,
        0x2002 | 0x3fff => true,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_the_public_internet_is_posted_to() {
        for refused in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::7f00:1",
        ] {
            assert!(!is_public(refused.parse().unwrap()), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_address_is_read_with_its_faults() {
        let read = |url: &str| Target::read(url, &[]);
        let target = read("https://hooks.example.org:8443/in?x=1").unwrap();
        assert_eq!((target.tls, target.host.as_str(), target.port), (true, "hooks.example.org", 8443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("hooks.example.org:8443", "/in?x=1"));
        assert_eq!(read("https://example.org").unwrap().path, "/");
        assert_eq!(read("https://[2606:4700::1111]/").unwrap().host, "2606:4700::1111");
        for wrong in [
            "",
            "example.org",
            "ftp://example.org/",
            "https://a:b@example.org/",
            "https:///x",
            "https://x/#y",
        ] {
            assert_eq!(read(wrong), Err(WrongTarget::Malformed), "{wrong}");
        }
        assert_eq!(read("http://example.org/"), Err(WrongTarget::NotHttps));
        for refused in
            ["https://127.0.0.1/", "http://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest"]
        {
            assert_eq!(read(refused), Err(WrongTarget::Refused), "{refused}");
        }
        let at = format!("https://x/{}", "y".repeat(URL_BYTES_MAX - 10));
        assert!(read(&at).is_ok());
        assert_eq!(read(&format!("{at}y")), Err(WrongTarget::Malformed));
    }

    #[test]
    fn networks_of_our_own_are_posted_to_once_they_are_named() {
        let allowed = networks(&["127.0.0.0/8"]);
        let target = Target::read("http://127.0.0.1:9/in", &allowed).unwrap();
        assert!(target.may_reach("127.0.0.1".parse().unwrap(), &allowed));
        assert!(!target.may_reach("10.0.0.1".parse().unwrap(), &allowed));
        assert!(!target.may_reach("1.1.1.1".parse().unwrap(), &allowed), "in the clear over the internet");
    }

    #[test]
    fn a_name_that_leads_to_one_refused_address_leads_nowhere() {
        let target = Target::read("https://example.org/", &[]).unwrap();
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        assert_eq!(target.choose(&[at("1.1.1.1"), at("1.0.0.1")], &[]), Some(at("1.1.1.1")));
        assert_eq!(target.choose(&[at("1.1.1.1"), at("127.0.0.1")], &[]), None);
        assert_eq!(target.choose(&[], &[]), None);
    }
}
