//! Whether the sender is who they say, as the receiving mail server found.
//!
//! Anybody can write an `Authentication-Results` header. Only those of a server that the caller trusts count, and of
//! those only the topmost, because it was written last.

use crate::address::Address;

/// One `Authentication-Results` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// The name of the server that wrote it, in lower case.
    pub server: String,
    /// Method and outcome in lower case, such as `("dkim", "pass")`, with the domain it is about if one is told.
    pub outcomes: Vec<Outcome>,
}

/// What one method found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `dkim`, `spf`, `dmarc`, ...
    pub method: String,
    /// `pass`, `fail`, `none`, ...
    pub result: String,
    /// The domain that passed or failed.
    pub domain: Option<String>,
}

/// Reads the value of one header; `None` when it names no server.
#[must_use]
pub fn read_results(value: &str) -> Option<Results> {
    let value = without_comments(value).to_ascii_lowercase();
    let mut clauses = value.split(';');
    let server = clauses.next()?.split_whitespace().next()?.to_owned();
    let outcomes = clauses.filter_map(outcome).collect();
    Some(Results { server, outcomes })
}

/// Whether the address in `From` is proven: DMARC passed, or DKIM or SPF passed for the same domain.
#[must_use]
pub fn sender_verified(from: Option<&Address>, all: &[Results], trusted_server: &str) -> bool {
    let Some(from) = from else { return false };
    let domain = from.domain().to_ascii_lowercase();
    let Some(results) = all.iter().find(|results| results.server.eq_ignore_ascii_case(trusted_server)) else {
        return false;
    };
    let passed = |method: &'static str| {
        results.outcomes.iter().filter(move |o| o.method == method && o.result == "pass")
    };
    let dmarc = results.outcomes.iter().find(|outcome| outcome.method == "dmarc");
    match dmarc.map(|outcome| (outcome.result.as_str(), outcome.domain.as_deref())) {
        Some(("pass", told)) => told.is_none_or(|told| aligned(&domain, told)),
        Some(("fail", _)) => false,
        Some(_) | None => passed("dkim")
            .chain(passed("spf"))
            .any(|outcome| outcome.domain.as_deref().is_some_and(|told| aligned(&domain, told))),
    }
}

/// The same domain, or the sender's is below it. Relaxed alignment needs a list of public suffixes; a single label is
/// never enough, and whoever may sign for `co.uk` is nobody's mail server.
fn aligned(sender: &str, told: &str) -> bool {
    told.contains('.')
        && (sender == told || sender.strip_suffix(told).is_some_and(|rest| rest.ends_with('.')))
}

fn outcome(clause: &str) -> Option<Outcome> {
    let mut words = clause.split_whitespace();
    let (method, result) = words.next()?.split_once('=')?;
    let domain = words.find_map(|word| {
        let (key, value) = word.split_once('=')?;
        let told = matches!(key, "header.d" | "header.from" | "smtp.mailfrom" | "header.i" | "smtp.mail");
        told.then(|| value.trim_matches('"').rsplit('@').next().unwrap_or_default().to_owned())
    });
    let method = method.split('/').next().unwrap_or_default().to_owned();
    Some(Outcome { method, result: result.to_owned(), domain: domain.filter(|domain| !domain.is_empty()) })
}

/// Comments are the sender's to write in part, so nothing in them counts.
fn without_comments(value: &str) -> String {
    let mut depth = 0usize;
    let mut kept = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trusted_servers_topmost_word_counts() {
        let table = [
            (vec!["mx.us; dmarc=pass header.from=example.com"], true),
            (
                vec![
                    "mx.us; dmarc=fail (dmarc=pass) header.from=example.com; spf=pass smtp.mailfrom=example.com",
                ],
                false,
            ),
            (vec!["mx.them; dmarc=pass header.from=example.com"], false),
            (
                vec![
                    "mx.us; dmarc=fail header.from=example.com",
                    "mx.us; dmarc=pass header.from=example.com",
                ],
                false,
            ),
            (vec!["mx.us; dkim=pass header.d=example.com"], true),
            (vec!["mx.us 1; dkim=pass header.i=@other.example"], false),
            (vec!["mx.us; spf=pass smtp.mailfrom=bounce@example.com; dmarc=none"], true),
            (vec!["mx.us; dkim=pass header.d=com"], false),
            (vec![], false),
        ];
        let from = Address::new("ann@example.com");
        for (headers, wanted) in table {
            let all: Vec<Results> = headers.iter().filter_map(|value| read_results(value)).collect();
            assert_eq!(sender_verified(from.as_ref(), &all, "mx.us"), wanted, "{headers:?}");
        }
    }
}
