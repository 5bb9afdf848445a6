//! Who reaches an address that we listen on: nothing is offered without TLS beyond this machine and private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, bail};

/// Where Linux lists the addresses of this machine. In a container they are the container's.
const IPV4: &str = "/proc/net/fib_trie";
const IPV6: &str = "/proc/net/if_inet6";

/// Refuses an address that others reach. All addresses of a machine (`0.0.0.0`) are looked at one by one.
pub(crate) fn check(setting: &str, ip: IpAddr) -> Result<()> {
    if !ip.is_unspecified() {
        return refuse_public(setting, &[ip]);
    }
    let read = |file: &str| std::fs::read_to_string(file).with_context(|| format!("read {file}"));
    let mut all = match read(IPV4) {
        Ok(text) => local_ipv4(&text),
        Err(error) => return Err(error.context(advice(setting, "it is not known who reaches this machine"))),
    };
    // Without IPv6 there is no such file.
    all.extend(read(IPV6).map(|text| local_ipv6(&text)).unwrap_or_default());
    refuse_public(setting, &all)
}

fn refuse_public(setting: &str, all: &[IpAddr]) -> Result<()> {
    match all.iter().find(|ip| !is_private(**ip)) {
        Some(ip) => {
            bail!(advice(setting, &format!("{ip} is reached from elsewhere, and nothing there is encrypted")))
        }
        None => Ok(()),
    }
}

fn advice(setting: &str, why: &str) -> String {
    format!(
        "set {setting} to an address of this machine or of a private network, with a proxy with TLS in front: {why}; or set \
         http.dangerous_in_the_clear"
    )
}

/// Of this machine, of a private network, of a provider's own network (100.64.0.0/10), or of one link.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The addresses of `fib_trie`: each stands in the line before `/32 host LOCAL`.
fn local_ipv4(text: &str) -> Vec<IpAddr> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let ours = pairs.filter(|(_, next)| next.starts_with("/32 host LOCAL"));
    ours.filter_map(|(line, _)| line.split_whitespace().last()?.parse::<Ipv4Addr>().ok())
        .map(IpAddr::V4)
        .collect()
}

/// The addresses of `if_inet6`: 32 hexadecimal digits begin each line.
fn local_ipv6(text: &str) -> Vec<IpAddr> {
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    let numbers = words.filter_map(|word| u128::from_str_radix(word, 16).ok());
    numbers.map(|number| IpAddr::V6(Ipv6Addr::from_bits(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_reach_is_refused_and_says_what_to_do() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.18.0.2",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
        ] {
            assert!(check("http.listen", ip.parse().unwrap()).is_ok(), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2a00::1", "::ffff:8.8.8.8"] {
            let refused = check("http.listen", ip.parse().unwrap()).unwrap_err().to_string();
            assert!(
                refused.contains("http.listen") && refused.contains("dangerous_in_the_clear"),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_addresses_of_a_machine_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 172.18.0.0\n        /16 link UNICAST\n     |-- 172.18.0.2\n        /32 host LOCAL\n\
                    Local:\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 8.8.4.4\n        /32 host LOCAL\n";
        let found: Vec<String> = local_ipv4(trie).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["172.18.0.2", "127.0.0.1", "8.8.4.4"]);
        let six = "00000000000000000000000000000001 01 80 10 80       lo\n2a000000000000000000000000000007 02 40 00 80     eth0\n";
        let found: Vec<String> = local_ipv6(six).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["::1", "2a00::7"]);
        assert!(refuse_public("http.listen", &local_ipv4(trie)).is_err());
    }
}
