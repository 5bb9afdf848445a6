//! How many connections, or requests that a proxy passes on, one address may have at once.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use super::address::{Prefix, address, counted};
use crate::settings::Settings;

/// Counts what each address has open. Clones count together.
///
/// Our own proxies are not counted, but whom they name is, by requests. This machine is not counted either: who is here needs no
/// connections to stop us, and a proxy here that no setting names brings everybody.
#[derive(Clone, Debug)]
pub struct Gate {
    per_address_max: usize,
    proxies: Arc<[Prefix]>,
    is_here_counted: bool,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place of an address; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The address has as many as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Gate {
    /// By `limits.ip_connections` and `http.trusted_proxies`.
    pub fn new(settings: &Settings) -> Self {
        let proxies = settings.http.trusted_proxies.clone().into();
        Self::of(settings.limits.ip_connections, proxies, false)
    }

    /// For a listener that only we reach: nobody is counted.
    pub fn open() -> Self {
        Self::of(u32::MAX, Arc::default(), false)
    }

    pub(super) fn of(per_address_max: u32, proxies: Arc<[Prefix]>, is_here_counted: bool) -> Self {
        let per_address_max = usize::try_from(per_address_max).unwrap_or(usize::MAX);
        Self { per_address_max, proxies, is_here_counted, open: Arc::default() }
    }

    /// A place for a connection; `None`: it needs none.
    pub(super) fn connection(&self, peer: IpAddr) -> Result<Option<Place>, Crowded> {
        if self.is_proxy(peer) || (is_here(peer) && !self.is_here_counted) {
            return Ok(None);
        }
        self.place(counted(peer)).map(Some)
    }

    /// A place for a request that one of our proxies passes on; `None`: it needs none.
    pub(super) fn request(&self, peer: SocketAddr, headers: &HeaderMap) -> Result<Option<Place>, Crowded> {
        if !self.is_proxy(peer.ip()) {
            return Ok(None);
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer));
        let client = address(&extensions, headers, &self.proxies);
        if self.is_proxy(client) || is_here(client) { Ok(None) } else { self.place(client).map(Some) }
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(address))
    }

    fn place(&self, address: IpAddr) -> Result<Place, Crowded> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.entry(address).or_default();
        if *own >= self.per_address_max {
            return Err(Crowded);
        }
        *own += 1;
        Ok(Place { address, open: Arc::clone(&self.open) })
    }
}

/// As a network, this machine's IPv6 address is the unspecified one.
fn is_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(per_address_max: u32, proxies: &[&str]) -> Gate {
        let proxies: Vec<Prefix> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        Gate::of(per_address_max, proxies.into(), false)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_limit_and_no_more_and_others_have_theirs() {
        let gate = gate(2, &[]);
        let first = gate.connection(ip("192.0.2.1")).unwrap().unwrap();
        let _second = gate.connection(ip("::ffff:192.0.2.1")).unwrap().unwrap();
        assert_eq!(gate.connection(ip("192.0.2.1")).unwrap_err(), Crowded);
        let _other = gate.connection(ip("192.0.2.2")).unwrap().unwrap();
        drop(first);
        assert!(gate.connection(ip("192.0.2.1")).is_ok());
        let household = ["2001:db8::1", "2001:db8::2"].map(|one| gate.connection(ip(one)).unwrap());
        assert_eq!(gate.connection(ip("2001:db8::3")).unwrap_err(), Crowded, "a network is one address");
        drop(household);
    }

    #[test]
    fn an_address_without_connections_is_forgotten() {
        let gate = gate(2, &[]);
        drop(gate.connection(ip("192.0.2.1")).unwrap());
        assert!(gate.open.lock().unwrap().is_empty());
    }

    #[test]
    fn of_our_proxies_those_count_whom_they_name() {
        let gate = gate(1, &["10.0.0.0/8"]);
        let proxy = SocketAddr::new(ip("10.0.0.1"), 9);
        let asks = |name: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(name) = name {
                headers.insert("x-forwarded-for", name.parse().unwrap());
            }
            gate.request(proxy, &headers).map(|place| (place.is_some(), place))
        };
        assert!(gate.connection(proxy.ip()).unwrap().is_none());
        let (counts, _held) = asks(Some("192.0.2.1")).unwrap();
        assert!(counts && asks(Some("192.0.2.1")).is_err() && asks(Some("192.0.2.2")).is_ok());
        assert!(!asks(None).unwrap().0 && !asks(Some("10.0.0.2")).unwrap().0, "ours alone");
        let direct = SocketAddr::new(ip("192.0.2.1"), 9);
        assert!(gate.request(direct, &HeaderMap::new()).unwrap().is_none(), "its connection counts already");
    }

    #[test]
    fn this_machine_is_not_counted() {
        let gate = gate(1, &[]);
        for one in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(gate.connection(ip(one)).unwrap().is_none(), "{one}");
        }
    }
}
