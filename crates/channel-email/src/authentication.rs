//! Whether the sender is who they say, as the receiving mail server found.
//!
//! Anybody can write an `Authentication-Results` header. Only those of a server that the caller trusts count, and of
//! those only the topmost, because it was written last.

use crate::address::Address;

/// A header that is longer says nothing.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// One `Authentication-Results` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// The name of the server that wrote it, in lower case.
    pub server: String,
    /// Method and outcome in lower case, such as `("dmarc", "pass")`, with the domain in `From` that it is about, if that is told.
    pub outcomes: Vec<Outcome>,
}

/// What one method found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `dkim`, `spf`, `dmarc`, ...
    pub method: String,
    /// `pass`, `fail`, `none`, ...
    pub result: String,
    /// The domain in `From` that it is about, as DMARC has it; the words of other methods prove nothing here.
    pub domain: Option<String>,
}

/// Reads the value of one header, as it stands in the mail and undecoded; `None` when it names no server.
///
/// Parts of it are the sender's to write, as the local part of their address, and servers quote them badly. What is not written
/// as RFC 8601 wants it says nothing, but is still that server's word: none below it counts in its place.
#[must_use]
pub fn read_results(value: &str) -> Option<Results> {
    let (clauses, is_whole) = Lexer::read(value);
    let mut clauses = clauses.into_iter();
    let server = clauses.next()?.into_iter().next()?;
    let outcomes = if is_whole { clauses.filter_map(|words| outcome(&words)).collect() } else { Vec::new() };
    (!server.is_empty()).then_some(Results { server, outcomes })
}

/// Whether the address in `From` is proven: the trusted server found exactly one DMARC result, it is `pass`, and it is about the
/// domain in `From`. SPF or DKIM alone prove nothing here, and without a trusted server nothing does.
#[must_use]
pub fn sender_verified(from: Option<&Address>, all: &[Results], trusted_server: &str) -> bool {
    let Some(from) = from.filter(|_| !trusted_server.is_empty()) else { return false };
    let domain = from.domain().to_ascii_lowercase();
    let Some(results) = all.iter().find(|results| results.server.eq_ignore_ascii_case(trusted_server)) else {
        return false;
    };
    let mut found = results.outcomes.iter().filter(|outcome| outcome.method == "dmarc");
    match (found.next(), found.next()) {
        (Some(Outcome { result, domain: Some(told), .. }), None) => {
            result == "pass" && aligned(&domain, told)
        }
        // None at all, one that says of whom it is not, or two that cannot both be the server's.
        (Some(_) | None, _) => false,
    }
}

/// The same domain, or the sender's is below it. Relaxed alignment needs a list of public suffixes; a single label is
/// never enough, and whoever may sign for `co.uk` is nobody's mail server.
fn aligned(sender: &str, told: &str) -> bool {
    told.contains('.')
        && (sender == told || sender.strip_suffix(told).is_some_and(|rest| rest.ends_with('.')))
}

fn outcome(words: &[String]) -> Option<Outcome> {
    let (method, result) = words.first()?.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().to_owned();
    let mut told = words.iter().skip(1).filter_map(|word| {
        let (key, value) = word.split_once('=')?;
        (key == "header.from").then(|| value.rsplit('@').next().unwrap_or_default())
    });
    let domain = told.next().filter(|domain| !domain.is_empty());
    // Of two domains nobody knows which one it is about.
    let domain = domain.filter(|_| told.next().is_none()).map(str::to_owned);
    Some(Outcome { method, result: result.to_owned(), domain })
}

/// Where the next character stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Words,
    Quoted,
    /// So many deep.
    Comment(usize),
}

/// RFC 5322, 3.2: words, quoted strings and comments. Quotes hide what would end a clause; comments are the sender's to write in
/// part, and nothing in them counts.
struct Lexer {
    /// The words of each, in lower case, without the quotes around any part of them.
    clauses: Vec<Vec<String>>,
    word: Option<String>,
    at: At,
    is_escaped: bool,
}

impl Lexer {
    /// The words of each clause as far as it is a header, and whether it is one to its end.
    fn read(value: &str) -> (Vec<Vec<String>>, bool) {
        let mut lexer = Self { clauses: vec![Vec::new()], word: None, at: At::Words, is_escaped: false };
        let is_good = value.len() <= VALUE_BYTES_MAX && value.chars().all(|c| lexer.takes(c));
        let is_whole = is_good && lexer.at == At::Words && !lexer.is_escaped;
        lexer.ends_word();
        (lexer.clauses, is_whole)
    }

    /// Whether a header may go on like this.
    fn takes(&mut self, c: char) -> bool {
        if c.is_control() && !matches!(c, '\t' | '\r' | '\n') {
            return false;
        }
        if std::mem::take(&mut self.is_escaped) {
            if self.at == At::Quoted {
                self.adds(c);
            }
            return true;
        }
        match (self.at, c) {
            (At::Quoted | At::Comment(_), '\\') => self.is_escaped = true,
            (At::Quoted, '"') => self.at = At::Words,
            (At::Quoted, c) => self.adds(c),
            (At::Comment(depth), '(') => self.at = At::Comment(depth + 1),
            (At::Comment(1), ')') => self.at = At::Words,
            (At::Comment(depth), ')') => self.at = At::Comment(depth.saturating_sub(1)),
            // It may be the first half of a quoted string that a badly quoted one began this comment in.
            (At::Comment(_), '"') => return false,
            (At::Comment(_), _) => {}
            (At::Words, ')' | '\\') => return false,
            (At::Words, '(') => {
                self.ends_word();
                self.at = At::Comment(1);
            }
            (At::Words, '"') => {
                self.word.get_or_insert_default();
                self.at = At::Quoted;
            }
            (At::Words, ';') => {
                self.ends_word();
                self.clauses.push(Vec::new());
            }
            (At::Words, c) if c.is_whitespace() => self.ends_word(),
            (At::Words, c) => self.adds(c),
        }
        true
    }

    fn adds(&mut self, c: char) {
        self.word.get_or_insert_default().push(c.to_ascii_lowercase());
    }

    /// White space may stand around a `=`.
    fn ends_word(&mut self) {
        let (Some(word), Some(clause)) = (self.word.take(), self.clauses.last_mut()) else { return };
        match clause.last_mut() {
            Some(before) if word.starts_with('=') || before.ends_with('=') => {
                before.push_str(&word);
            }
            Some(_) | None => clause.push(word),
        }
    }
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
            (vec!["mx.us; dkim=pass header.d=example.com"], false),
            (vec!["mx.us 1; spf=pass smtp.mailfrom=example.com; dkim=pass header.i=@example.com"], false),
            (vec!["mx.us; spf=pass smtp.mailfrom=bounce@example.com; dmarc=none"], false),
            (vec!["mx.us; dmarc=pass header.from=com"], false),
            (vec!["mx.us; dmarc=pass"], false),
            (vec!["mx.us; dmarc=pass header.from=other.example"], false),
            (vec!["mx.us; dmarc=pass header.from=example.com header.from=other.example"], false),
            (vec!["mx.us; dmarc=pass header.from=example.com; dmarc=pass header.from=example.com"], false),
            (vec!["mx.us; dmarc=pass header.from=example.com; dmarc=fail header.from=example.com"], false),
            // As servers write it.
            (
                vec![
                    "mx.us; dkim=pass (2048-bit key; unprotected) header.d=example.com header.b=\"a/b=\"; \
                     spf=pass (mx.us: domain of a+b=c.d@example.com designates 192.0.2.1 as permitted sender) \
                     smtp.mailfrom=a+b=c.d@example.com; dmarc = PASS (p=REJECT (sp=NONE) dis=NONE) header.from = Example.com",
                ],
                true,
            ),
            (vec!["\"mx.us\" 1; dmarc/1=pass reason=\"a; b\" header.from=\"example.com\""], true),
            (vec![], false),
        ];
        let from = Address::new("ann@example.com");
        for (headers, wanted) in table {
            let all: Vec<Results> = headers.iter().filter_map(|value| read_results(value)).collect();
            assert_eq!(sender_verified(from.as_ref(), &all, "mx.us"), wanted, "{headers:?}");
        }
    }
    /// Chen, Paxson and Jiang, "Composition Kills", USENIX Security 2020: what a sender writes into their address ends up here.
    #[test]
    fn what_the_sender_writes_into_it_proves_nothing() {
        let from = Address::new("ann@bank.example");
        for value in [
            "mx.us; spf=pass smtp.mailfrom=any@bank.example(.attacker.example",
            "mx.us; spf=pass smtp.mailfrom=any@bank.example(.attacker.example; dmarc=fail header.from=bank.example",
            r#"mx.us; spf=pass smtp.mailfrom="x; dmarc=pass header.from=bank.example; "@attacker.example; dmarc=none"#,
            r#"mx.us; spf=pass smtp.mailfrom="x; dmarc=pass header.from=bank.example; "@attacker.example"#,
            r#"mx.us; spf=pass smtp.mailfrom="\"; dmarc=pass header.from=bank.example; x=\""@attacker.example"#,
            "mx.us; spf=pass smtp.mailfrom=x; dmarc=pass header.from=bank.example; x=\"@attacker.example",
            "mx.us; spf=pass smtp.mailfrom=x; dmarc=pass header.from=bank.example; x=\\@attacker.example",
            "mx.us; spf=pass smtp.mailfrom=x); dmarc=pass header.from=bank.example",
            "mx.us; x=y (\" smtp.mailfrom=\"); dmarc=pass header.from=bank.example",
            "mx.us; dmarc=pass header.from=bank.example; x=y\u{0}",
        ] {
            // What is not readable is the server's word all the same: none below it counts in its place.
            let below = "mx.us; dmarc=pass header.from=bank.example";
            let all: Vec<Results> = [value, below].into_iter().filter_map(read_results).collect();
            assert_eq!(all.len(), 2, "{value}");
            assert!(!sender_verified(from.as_ref(), &all, "mx.us"), "{value}");
        }
        let long = format!("mx.us; dmarc=pass header.from=bank.example; {}", "x".repeat(VALUE_BYTES_MAX));
        let all: Vec<Results> = read_results(&long).into_iter().collect();
        assert!(!sender_verified(from.as_ref(), &all, "mx.us"));
        assert_eq!(read_results(r#""" ; dmarc=pass header.from=bank.example"#), None);
    }

    #[test]
    fn nothing_is_decoded_before_it_is_read() {
        let mail = |local: &str| {
            let text = format!(
                "Authentication-Results: mx.us;\r\n spf=pass smtp.mailfrom={local}@attacker.example{}\r\nFrom: ann@bank.example\r\n\r\nhi",
                if local.is_empty() { "; dmarc=pass header.from=bank.example" } else { "" }
            );
            crate::read(text.as_bytes(), &crate::Limits::default()).unwrap()
        };
        let verified =
            |mail: &crate::Mail| sender_verified(mail.from.as_ref(), &mail.authentication, "mx.us");
        assert!(verified(&mail("")));
        let encoded = "=?utf-8?q?x=3B_dmarc=3Dpass_header=2Efrom=3Dbank=2Eexample=3B_?=";
        assert!(!verified(&mail(encoded)));
    }
}
