//! Who may come in, and how many at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use service::Settings;
use tokio::sync::Notify;

/// Whether a page of that origin may open a chat: ours, one that the settings name, or none (not a browser).
pub(crate) fn may_enter(headers: &HeaderMap, settings: &Settings) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    own || settings.is_known_origin(origin)
}

/// Counts what goes on at once (sockets, files), of each address and of all.
#[derive(Debug)]
pub(crate) struct Seats {
    per_address_max: usize,
    all_max: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why nobody can be seated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The address has as many as it may.
    Address,
    /// The process has as many as it may.
    All,
}

/// A place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    pub(crate) fn new(per_address_max: u32, all_max: usize) -> Arc<Self> {
        let per_address_max = usize::try_from(per_address_max).unwrap_or(usize::MAX);
        Arc::new(Self { per_address_max, all_max, taken: Mutex::default(), freed: Notify::new() })
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, NoSeat> {
        let mut taken = self.lock();
        if taken.all >= self.all_max {
            return Err(NoSeat::All);
        }
        let own = taken.by_address.entry(address).or_default();
        if *own >= self.per_address_max {
            return Err(NoSeat::Address);
        }
        *own += 1;
        taken.all += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }

    /// Waits for a seat.
    pub(crate) async fn wait(self: &Arc<Self>, address: IpAddr) -> Seat {
        loop {
            // Listens before it looks, so that nothing falls between.
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Ok(seat) = self.take(address) {
                return seat;
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
        drop(taken);
        self.seats.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))
    }

    #[test]
    fn the_limits_themselves_pass_and_one_more_does_not() {
        let seats = Seats::new(2, 3);
        let first = seats.take(ip(1)).unwrap();
        let _second = seats.take(ip(1)).unwrap();
        assert_eq!(seats.take(ip(1)).unwrap_err(), NoSeat::Address);
        let _third = seats.take(ip(2)).unwrap();
        assert_eq!(seats.take(ip(3)).unwrap_err(), NoSeat::All);
        drop(first);
        assert!(seats.take(ip(1)).is_ok());
    }

    #[test]
    fn an_address_without_sockets_is_forgotten() {
        let seats = Seats::new(1, 10);
        drop(seats.take(ip(1)).unwrap());
        assert!(seats.lock().by_address.is_empty());
        assert_eq!(seats.lock().all, 0);
    }

    #[test]
    fn pages_of_ours_and_of_the_settings_enter() {
        let variables = [("WINTERBAND_WEB__SITES".to_owned(), "[\"https://shop.example\"]".to_owned())];
        let settings = Settings::load_with(None, variables).unwrap();
        let enter = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            may_enter(&headers, &settings)
        };
        assert!(enter(None, "x"));
        assert!(enter(Some("http://localhost:9999"), "localhost:9999"));
        assert!(enter(Some("http://127.0.0.1:8080"), "x"));
        assert!(enter(Some("https://shop.example"), "x"));
        assert!(!enter(Some("https://evil.example"), "x"));
        assert!(!enter(Some("http://shop.example"), "x"));
        assert!(!enter(Some("null"), "x"));
    }
}
