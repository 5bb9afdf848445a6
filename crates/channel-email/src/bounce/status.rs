//! The machine's part of a report: groups of fields, one group for each recipient (RFC 3464).

use crate::address::Address;
use crate::address::one_line;
use crate::bounce::words;

/// What happened to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Failed,
    Delayed,
    Delivered,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) address: String,
    pub(super) action: Action,
    pub(super) status: Option<String>,
    pub(super) diagnostic: String,
}

/// Whether a plain text holds such groups.
pub(super) fn looks_like(text: &str) -> bool {
    let starts = |name: &str| text.lines().any(|line| line.to_ascii_lowercase().starts_with(name));
    starts("final-recipient:") && (starts("action:") || starts("status:"))
}

/// The groups that name a recipient; a group without one is about the message.
pub(super) fn read(text: &str) -> Vec<Told> {
    let mut all = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            all.extend(group(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            // Some servers leave out the empty line between two recipients.
            if name == "final-recipient" && fields.iter().any(|(known, _)| known == "final-recipient") {
                all.extend(group(&fields));
                fields.clear();
            }
            fields.push((name, value.trim().to_owned()));
        } else if let Some((_, value)) = fields.last_mut() {
            // A diagnostic that was wrapped without white space in front.
            value.push(' ');
            value.push_str(line.trim());
        }
    }
    all
}

fn group(fields: &[(String, String)]) -> Option<Told> {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let named = ["original-recipient", "final-recipient", "x-actual-recipient", "remote-recipient"];
    let address = named.iter().find_map(|name| field(name).and_then(address_of));
    let hidden = field("final-recipient").is_some() || field("original-recipient").is_some();
    let address = address.or_else(|| hidden.then(String::new))?;
    let diagnostic = field("diagnostic-code").map(without_kind).unwrap_or_default();
    let status = field("status").and_then(words::status_in);
    // "5.0.0" says only that it failed; what the far server said says more.
    let better = status.clone().filter(|status| !status.ends_with(".0.0"));
    let status = better.or_else(|| words::status_in(&diagnostic)).or(status);
    let action =
        match field("action").and_then(|word| word.split_whitespace().next()).map(str::to_ascii_lowercase) {
            Some(word) if word.starts_with("fail") => Action::Failed,
            Some(word) if word.starts_with("delay") => Action::Delayed,
            Some(word) if ["delivered", "relayed", "expanded", "deliverable"].contains(&word.as_str()) => {
                Action::Delivered
            }
            Some(_) | None if status.as_deref().is_some_and(|status| status.starts_with('2')) => {
                Action::Delivered
            }
            Some(_) | None => Action::Failed,
        };
    Some(Told { address, action, status, diagnostic: one_line(&diagnostic, 4000) })
}

/// `rfc822; ann@example.com`, also `<ann@example.com>` and addresses with a name.
fn address_of(value: &str) -> Option<String> {
    let bare = value.split_once(';').map_or(value, |(_, address)| address).trim();
    let whole = Address::new(bare).map(|address| address.email.to_lowercase());
    whole.or_else(|| super::prose::addresses(bare).into_iter().next())
}

/// `smtp; 550 no such user`: the word in front says which kind of code follows.
fn without_kind(value: &str) -> String {
    match value.split_once(';') {
        Some((kind, rest)) if kind.trim().len() <= 12 && !kind.contains(' ') => rest.trim().to_owned(),
        Some(_) | None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_also_when_squeezed() {
        let text = "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822;a@example.com\nAction: failed\n\
                    Status: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 unknown\n  user\nFinal-Recipient: RFC822; <B@example.com>\n\
                    Action: delayed\nStatus: 4.4.1\n";
        let told = read(text);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].address, "a@example.com");
        assert_eq!(told[0].status.as_deref(), Some("5.1.1"));
        assert_eq!(told[0].diagnostic, "550 5.1.1 unknown user");
        assert_eq!((told[1].address.as_str(), told[1].action), ("b@example.com", Action::Delayed));
    }
}
