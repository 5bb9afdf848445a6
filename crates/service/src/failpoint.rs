//! Named crash windows: a device for tests that kill a process at an exact point.
//!
//! `WINTERBAND_FAILPOINT="routing.after_input_before_record:3"` ends the process at the third hit of that name, at once
//! and without any cleanup, as `kill -9` does. Several are separated by commas; without a count it is the first hit.
//! Where the variable is not set, a hit costs one relaxed load. A window may also end a part of the process alone ([`is_hit`]).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The variable that arms crash windows.
pub const VARIABLE: &str = "WINTERBAND_FAILPOINT";

const UNREAD: u8 = 0;
const OFF: u8 = 1;
const ARMED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNREAD);
static WINDOWS: OnceLock<Vec<Window>> = OnceLock::new();

#[derive(Debug)]
struct Window {
    name: String,
    left: AtomicU64,
}

/// Ends the process here if this window is armed and its count is reached; otherwise does nothing.
pub fn hit(name: &str) {
    match STATE.load(Ordering::Relaxed) {
        OFF => {}
        ARMED => strike(name),
        _ => {
            read();
            strike(name);
        }
    }
}

/// Whether this window is armed and its count is reached now: for what ends without its process.
pub fn is_hit(name: &str) -> bool {
    read();
    is_reached(name)
}

fn read() {
    let windows = WINDOWS.get_or_init(|| {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        parse(&text).unwrap_or_else(|wrong| {
            tracing::error!(variable = VARIABLE, wrong, "failed to read the crash windows, none is armed");
            Vec::new()
        })
    });
    STATE.store(if windows.is_empty() { OFF } else { ARMED }, Ordering::Relaxed);
}

fn strike(name: &str) {
    if is_reached(name) {
        // The parent sees SIGABRT instead of SIGKILL; what the process leaves behind is the same.
        std::process::abort();
    }
}

fn is_reached(name: &str) -> bool {
    let Some(window) = WINDOWS.get().and_then(|windows| windows.iter().find(|window| window.name == name))
    else {
        return false;
    };
    let before = window.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    before == Ok(1)
}

/// `name[:count]`, separated by commas; the error is the part that does not read.
fn parse(text: &str) -> Result<Vec<Window>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| window(part).ok_or_else(|| part.to_owned())).collect()
}

fn window(part: &str) -> Option<Window> {
    let (name, count) = match part.split_once(':') {
        Some((name, count)) => (name, count.parse().ok()?),
        None => (part, 1),
    };
    let valid = count > 0 && !name.is_empty();
    valid.then(|| Window { name: name.to_owned(), left: AtomicU64::new(count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(text: &str) -> Result<Vec<(String, u64)>, String> {
        let pair = |window: Window| (window.name, window.left.into_inner());
        parse(text).map(|windows| windows.into_iter().map(pair).collect())
    }

    #[test]
    fn windows_are_read() {
        assert_eq!(read_back(""), Ok(vec![]));
        assert_eq!(read_back("a.b"), Ok(vec![("a.b".to_owned(), 1)]));
        assert_eq!(read_back("a:2, b:1,"), Ok(vec![("a".to_owned(), 2), ("b".to_owned(), 1)]));
        assert!(!is_hit("a.b"), "none is armed here");
        for wrong in ["a:", "a:x", "a:0", ":1", "a:-1"] {
            assert_eq!(read_back(wrong), Err(wrong.to_owned()));
        }
    }
}
