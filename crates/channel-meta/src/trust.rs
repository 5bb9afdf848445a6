//! Addresses of files: which of them may be asked, whoever said them.

use crate::settings::{Api, origin};

/// Longest address of a file.
const URL_BYTES_MAX: usize = 4096;
/// Some of Meta's file servers answer nobody who does not say what they are (a header of the Media Download API).
pub(crate) const USER_AGENT: (&str, &str) = ("user-agent", "winterband");

/// Whether an address is of a file server of Meta's, or of the API's own server.
pub(crate) fn is_trusted(api: &Api, url: &str, is_metas: fn(&str) -> bool) -> bool {
    is_plain(url) && (api.serves(url) || is_served_by(url, is_metas))
}

/// Whether an address is of a file server of Meta's: encrypted, by its name alone, with nothing before it and no port behind it.
pub(crate) fn is_served_by(url: &str, is_metas: fn(&str) -> bool) -> bool {
    let is_name =
        |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
    is_plain(url)
        && origin(url).is_some_and(|(scheme, host)| {
            scheme == "https" && is_name(host) && is_metas(&host.to_ascii_lowercase())
        })
}

/// Whether a host is one below that domain, which begins with its dot.
pub(crate) fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|below| !below.is_empty())
}

fn is_plain(url: &str) -> bool {
    url.len() <= URL_BYTES_MAX && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}
