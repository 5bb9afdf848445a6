//! From which address a request comes, as limits count it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

/// Proxies behind each other that are followed; more than any real chain has.
const HOPS_MAX: usize = 16;
const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address, or all addresses that begin alike; an IPv4 address written as IPv6 is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    network: IpAddr,
    bits: u32,
}

/// A text that is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or network, such as 10.0.0.0/8")]
pub struct WrongPrefix;

impl Prefix {
    /// Whether the address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => masked_v4(address, self.bits) == network,
            (IpAddr::V6(network), IpAddr::V6(address)) => masked_v6(address, self.bits) == network,
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = WrongPrefix;

    /// `10.0.0.0/8`, `fd00::/8`, `192.0.2.7` or `::1`; bits of the address past the network's are a slip and refused.
    fn from_str(text: &str) -> Result<Self, WrongPrefix> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(bits.parse::<u32>().map_err(|_| WrongPrefix)?))
            }
            Some(_) => return Err(WrongPrefix),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| WrongPrefix)?;
        // Its bits would count from another end.
        if network != network.to_canonical() {
            return Err(WrongPrefix);
        }
        let (bits_max, masked) = match network {
            IpAddr::V4(ip) => (32, IpAddr::V4(masked_v4(ip, bits.unwrap_or(32)))),
            IpAddr::V6(ip) => (128, IpAddr::V6(masked_v6(ip, bits.unwrap_or(128)))),
        };
        let bits = bits.unwrap_or(bits_max);
        if bits > bits_max || masked != network {
            return Err(WrongPrefix);
        }
        Ok(Self { network, bits })
    }
}

/// Whether a host, as a URL or setting names it, is this machine: what goes there is heard by nobody else.
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The address that limits count by: the client's, where `trusted` proxies stand between, else the peer's.
///
/// `X-Forwarded-For` is read from its end, as far as trusted proxies wrote it: what stands before could be anybody's
/// invention. A household or office has a /64 of IPv6 to itself, so that network is one address.
pub fn address(extensions: &Extensions, headers: &HeaderMap, trusted: &[Prefix]) -> IpAddr {
    // Only where the listener does not tell: all share one allowance then.
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    counted(behind(peer, headers, trusted))
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Prefix]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|prefix| prefix.contains(address));
    let mut found = peer;
    // Several headers are one list, in the order in which they stand.
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops.take(HOPS_MAX) {
        if !is_trusted(found) {
            break;
        }
        // A proxy that names nobody hides who came: then it counts itself.
        let Some(address) = hop_address(hop.trim()) else { break };
        found = address;
    }
    found
}

/// Some proxies write the port as well.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(masked_v6(ip, 64)),
        IpAddr::V4(ip) => IpAddr::V4(ip),
    }
}

/// The first `bits` of it; more than there are count as all.
fn masked_v4(ip: Ipv4Addr, bits: u32) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
    Ipv4Addr::from(u32::from(ip) & mask)
}

/// The first `bits` of it; more than there are count as all.
fn masked_v6(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
    Ipv6Addr::from(u128::from(ip) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 9)));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<Prefix> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        address(&extensions, &headers, &trusted).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_counts_whatever_it_says() {
        assert_eq!(of("10.0.0.1", &["192.0.2.7"], &[]), "10.0.0.1");
        assert_eq!(of("203.0.113.9", &["192.0.2.7"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(address(&Extensions::new(), &HeaderMap::new(), &[]), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }

    #[test]
    fn the_last_hop_that_is_not_trusted_counts() {
        let trusted = ["10.0.0.0/8", "::1"];
        let of = |peer: &str, forwarded: &[&str]| of(peer, forwarded, &trusted);
        assert_eq!(of("10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(of("::1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(of("10.0.0.1", &["198.51.100.1, 192.0.2.7, 10.2.3.4"]), "192.0.2.7", "the first is a lie");
        assert_eq!(of("10.0.0.1", &["198.51.100.1", "192.0.2.7,10.2.3.4", "10.9.9.9"]), "192.0.2.7");
        assert_eq!(of("10.0.0.1", &["10.2.3.4"]), "10.2.3.4", "all of them are ours");
        assert_eq!(of("::ffff:10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn what_is_no_address_ends_the_search_at_who_wrote_it() {
        for line in ["unknown", "", "192.0.2.7, ", "_hidden", "192.0.2.7:x", "192.0.2"] {
            assert_eq!(of("10.0.0.1", &[line], &["10.0.0.0/8"]), "10.0.0.1", "{line:?}");
        }
        assert_eq!(of("10.0.0.1", &["192.0.2.7, unknown, 10.2.3.4"], &["10.0.0.0/8"]), "10.2.3.4");
        let long = vec!["10.1.1.1"; HOPS_MAX + 1].join(",");
        assert_eq!(of("10.0.0.1", &[&format!("192.0.2.7,{long}")], &["10.0.0.0/8"]), "10.1.1.1");
    }

    #[test]
    fn ports_and_brackets_of_proxies_are_read() {
        for line in ["192.0.2.7:4711", "192.0.2.7", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:80"] {
            assert_eq!(of("10.0.0.1", &[line], &["10.0.0.1"]), "192.0.2.7", "{line:?}");
        }
        assert_eq!(of("10.0.0.1", &["[2001:db8:1:2:3::4]"], &["10.0.0.1"]), "2001:db8:1:2::");
    }

    #[test]
    fn a_network_counts_as_one_address() {
        assert_eq!(of("2001:db8::1", &[], &[]), of("2001:db8::ffff", &[], &[]));
        assert_ne!(of("2001:db8::1", &[], &[]), of("2001:db8:0:1::1", &[], &[]));
        assert_eq!(of("::ffff:10.0.0.1", &[], &[]), "10.0.0.1");
        assert_ne!(of("10.0.0.1", &[], &[]), of("10.0.0.2", &[], &[]));
    }

    #[test]
    fn this_machine_has_few_names() {
        for here in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_this_machine(here), "{here}");
        }
        for there in
            ["", "localhost.example", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "[::]", "shop", "[::1"]
        {
            assert!(!is_this_machine(there), "{there}");
        }
    }

    #[test]
    fn prefixes_are_read_and_hold_at_their_ends() {
        let holds = |prefix: &str, address: &str| {
            prefix.parse::<Prefix>().map(|prefix| prefix.contains(address.parse().unwrap()))
        };
        for (prefix, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("2001:db8::/64", "2001:db8::ffff:0:0:1", "2001:db8:0:1::"),
            ("::1/128", "::1", "::2"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ] {
            assert_eq!((holds(prefix, inside), holds(prefix, outside)), (Ok(true), Ok(false)), "{prefix}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1/8",
            "fd00::1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "/8",
            "proxy.example",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/99999999999",
        ] {
            assert_eq!(wrong.parse::<Prefix>(), Err(WrongPrefix), "{wrong:?}");
        }
    }
}
