//! Reports in words: where the notice ends and the returned mail begins, whom it names, what its subject says.

use crate::address::Address;
use crate::bounce::Kind;
use crate::config::ADDRESSES_MAX;
use crate::phrases::Phrases;

/// Lines, in lower case, after which comes the mail that was returned.
const RETURNED: Phrases = Phrases(
    "below this line is a copy of the message|this is a copy of the message, including all the headers|\
     this is a copy of your message|original message follows|the original message follows|\
     ----- original message|-----original message|--- original message|----- message header|\
     --- the header of the original message|--- returned message|----- returned message|\
     the header of the original message|the header of your message|headers of the message|\
     original message headers|--- undelivered message follows|undelivered message follows|\
     unsent message follows|unsent message below|message header follows|your original message is|\
     your message follows|the message headers follow|message text follows|--- mail original|\
     ------ this is a copy|the body of the message|text of your mail|the text you sent follows|\
     here is a copy of the first part",
);

/// The notice, and what was returned behind it.
pub(super) fn cut(text: &str) -> (&str, &str) {
    let mut at = 0;
    let mut headers_in_a_row = 0;
    let mut block_start = 0;
    for line in text.split_inclusive('\n') {
        let low = line.trim().to_lowercase();
        let plain = low.trim_start_matches(['-', '=', '*', ' ', '>', '|']);
        if RETURNED
            .iter()
            .any(|mark| low.starts_with(mark) || plain.starts_with(mark.trim_start_matches(['-', ' '])))
        {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
        let is_header =
            ["return-path:", "received:", "x-received:", "dkim-signature:", "message-id:", "mime-version:"]
                .iter()
                .any(|name| low.starts_with(name) || plain.starts_with(name));
        if is_header {
            if headers_in_a_row == 0 {
                block_start = at;
            }
            headers_in_a_row += 1;
            if headers_in_a_row >= 2 || low.starts_with("return-path:") || low.starts_with("received:") {
                return text.split_at_checked(block_start).unwrap_or((text, ""));
            }
        }
        at += line.len();
    }
    if headers_in_a_row > 0 {
        return text.split_at_checked(block_start).unwrap_or((text, ""));
    }
    (text, "")
}

/// The value of the first such field in a head, folded lines joined; quote marks in front do not count.
pub(super) fn header(text: &str, name: &str) -> Option<String> {
    let mut value: Option<String> = None;
    for line in text.lines() {
        let bare = line
            .trim_start_matches(['>', '|'])
            .strip_prefix(' ')
            .unwrap_or(line.trim_start_matches(['>', '|']));
        if let Some(found) = &mut value {
            if !bare.starts_with([' ', '\t']) {
                break;
            }
            found.push_str(bare.trim_end());
        } else if let Some((key, rest)) = bare.split_once(':')
            && key.trim().eq_ignore_ascii_case(name)
        {
            value = Some(rest.trim().to_owned());
        }
    }
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Every address in a text, in lower case, each once.
pub(super) fn addresses(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let apart = |c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '"' | ',' | ';' | '\'' | '|')
    };
    for word in text.split(apart) {
        let word =
            word.trim_start_matches("mailto:").trim_start_matches("rfc822:").trim_start_matches("SMTP:");
        let word = word
            .rsplit_once("SMTP=")
            .or_else(|| word.rsplit_once("RFC822="))
            .map_or(word, |(_, address)| address);
        let word = word.trim_matches([':', '.', '-', '*', '`', '!', '?', '=', '{', '}']);
        let Some(address) = Address::new(word) else { continue };
        let email = address.email.to_lowercase();
        let dotted = address.domain().contains('.') && !address.domain().contains(['=', ':', '/', '@']);
        if dotted && !address.local().contains(['/', ':', '@']) && !found.contains(&email) {
            found.push(email);
        }
        if found.len() >= ADDRESSES_MAX {
            break;
        }
    }
    found
}

/// The lines about an address: from the first that names it to the next that names another.
pub(super) fn about(notice: &str, address: &str) -> String {
    if address.is_empty() {
        return String::new();
    }
    let mut kept = String::new();
    let mut within = false;
    for line in notice.lines() {
        let named = addresses(line);
        if !named.is_empty() {
            within = named.iter().any(|one| one == address) || (within && kept.lines().count() < 3);
        }
        if kept.len() > super::ABOUT_BYTES_MAX {
            break;
        }
        if within {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Words that begin the list of addresses in a notice.
const INTRODUCES: Phrases = Phrases(
    "your message to|your mail to|delivery of|rejected|following address|following recipient|\
     the following|could not be delivered|couldn't be delivered|was not delivered|not be delivered|\
     undeliverable|unable to deliver|did not reach|delivery failed|delivery to|failed|failure|\
     fatal error|permanent|not delivered|cannot be delivered|can't be delivered|have been rejected|\
     was rejected|returned|unable to send|unknown|nicht zugestellt|no such|error|could not deliver|\
     sorry|adressen|problem|not reach|invalid|full|transcript|recipient",
);

/// Whom a notice says it failed for, each with the lines about them; `own` are the addresses that the report is for.
pub(super) fn failed(notice: &str, own: &[String]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut armed = false;
    for line in notice.lines() {
        let low = line.to_lowercase();
        // "<ann@example.com>:" is how qmail and its kin begin.
        armed |= low.starts_with('<') && low.trim_end().ends_with(">:");
        armed |= INTRODUCES.within(&low);
        let mut named = addresses(line);
        named.retain(|address| !own.contains(address) && !is_server(address));
        let contact =
            ["contact", "if you ", "please ", "postmaster", "help", "reply to", "from:", "mail from"];
        let asks = contact.iter().any(|mark| low.contains(mark)) && !low.trim_start().starts_with(['<', '(']);
        if armed && !asks {
            for address in named {
                if !found.iter().any(|(known, _)| *known == address) {
                    found.push((address, String::new()));
                }
            }
        }
        if let Some((_, about)) = found.last_mut() {
            about.push_str(line);
            about.push('\n');
        }
    }
    found
}

fn is_server(address: &str) -> bool {
    ["postmaster@", "mailer-daemon@", "abuse@", "support@", "helpdesk@"]
        .iter()
        .any(|name| address.starts_with(name))
}

/// Whom the returned mail was for.
pub(super) fn hidden(returned: &str) -> Vec<String> {
    ["x-failed-recipients", "x-original-to", "delivered-to", "to"]
        .iter()
        .find_map(|name| {
            header(returned, name).map(|value| addresses(&value)).filter(|found| !found.is_empty())
        })
        .unwrap_or_default()
}

/// What a sending service writes as JSON in place of a report.
pub(super) fn notification(text: &str) -> Option<Kind> {
    let text = text.trim_start().strip_prefix('{')?.trim_start();
    let kind = text.strip_prefix("\"notificationType\":")?.trim_start();
    match kind.split('"').nth(1)? {
        "Complaint" => Some(Kind::Complaint),
        "Delivery" => Some(Kind::Delivered),
        _ => None,
    }
}

/// Whether the subject, in lower case, is one that servers give to reports.
pub(super) fn subject_reports(subject: &str) -> bool {
    const MARKS: Phrases = Phrases(
        "error sending your mail|unable to send|undeliverable|undelivered|delivery status|\
         delivery failure|delivery failed|delivery report|failure notice|returned mail|mail delivery|\
         delivery notification|delivery problem|message delivery|mail failure|non-delivery|\
         nondeliverable|undeliver|returned to sender|could not be delivered|not delivered|\
         delivery error|mail system error|rejected:|bounced|non delivery|unzustellbar|nicht zugestellt|\
         zustellung fehlgeschlagen|échec de la remise|non remis|no se puede entregar|mancato recapito|\
         onbestelbaar|niet bezorgd|não entregue|returned message|warning: message|\
         warning: could not send|delayed mail|delivery delayed|mail could not|user unknown|mail error|\
         problem delivering|unable to deliver",
    );
    MARKS.within(subject)
}

/// Whether the subject, in lower case, begins as programs begin it when its reader is away. Anywhere else the words
/// are a person's: people write about holidays.
pub(super) fn subject_is_absence(subject: &str) -> bool {
    const MARKS: Phrases = Phrases(
        "out of office|out of the office|auto: |autoreply|auto-reply|automatic reply|auto reply|auto response|\
         automatische antwort|abwesenheitsnotiz|abwesenheit:|réponse automatique|absence du bureau|\
         respuesta automática|fuera de la oficina|risposta automatica|fuori ufficio|automatisch antwoord|\
         resposta automática|autosvar|automatická odpověď|automatyczna odpowiedź|自動返信|自动回复|vacation:",
    );
    MARKS.begin(subject.trim_start())
}

/// Whether the first lines are those of a report although nothing else says so.
pub(super) fn begins_like_a_report(notice: &str) -> bool {
    let own = notice.lines().filter(|line| !line.trim_start().starts_with('>'));
    let start: String =
        own.collect::<Vec<_>>().join("\n").chars().take(600).collect::<String>().to_lowercase();
    const MARKS: Phrases = Phrases(
        "this is the mail delivery agent|\
         this message was created automatically by mail delivery software|\
         i'm sorry to have to inform you|your message did not reach|\
         the following addresses had permanent|\
         delivery to the following recipient|unable to deliver message to|\
         your message cannot be delivered|this is an automatically generated delivery status|\
         unable to deliver your message|could not deliver your message|\
         your e-mail message was not delivered|this is the mail system at host|\
         your mail to the following|could not deliver message to|error delivering your mail|\
         - failed recipients -|this is an advisory-only email|has reached our local address|\
         your message could not be delivered to|a message could not be delivered to|\
         could not be delivered to the following recipient",
    );
    MARKS.within(&start)
}

/// Whether a notice says that a mail failed, without saying why.
pub(super) fn fails(notice: &str) -> bool {
    let low = notice.to_lowercase();
    const MARKS: Phrases = Phrases(
        "trouble delivering|automatically rejected|permanent delivery errors|could not be delivered|couldn't be delivered|\
         unable to deliver|undeliverable|delivery failed|was not delivered|did not reach|\
         cannot be delivered|can not be delivered|permanent error|failed permanently|\
         failed for the following|fatal errors|delivery has failed|not be delivered|delivery failure|\
         delivery error|wasn't delivered|delivering your mail|unable to send|not been delivered|\
         could not deliver",
    );
    MARKS.within(&low)
}

/// Whether a notice says that the server goes on trying.
pub(super) fn is_delay(notice: &str, subject: &str) -> bool {
    let low = notice.to_lowercase();
    const MARKS: Phrases = Phrases(
        "warning message only|do not need to resend|no need to resend|will keep trying|\
         will continue to try|will be retried|still being retried|delivery attempts will continue|\
         will try again|keep trying|retry for|this is a warning message|delivery has been delayed|\
         not yet been delivered",
    );
    let ended =
        ["giving up", "given up", "gave up", "will not be retried", "permanent error", "failed permanently"];
    let waits = MARKS.within(&low)
        || ["delayed", "warning: could not send", "still trying", "(delay)"]
            .iter()
            .any(|mark| subject.contains(mark));
    waits && !ended.iter().any(|mark| low.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_ends_where_the_mail_begins() {
        let text = "Sorry.\n<a@example.com>: no\n\n--- Below this line is a copy of the message.\n\nFrom: me@example.com\n";
        let (notice, returned) = cut(text);
        assert_eq!(
            failed(notice, &[]),
            vec![("a@example.com".to_owned(), "<a@example.com>: no\n\n".to_owned())]
        );
        assert_eq!(header(returned, "From").as_deref(), Some("me@example.com"));
    }

    #[test]
    fn addresses_are_found_in_any_dress() {
        let found = addresses(
            "to=<Ann@Example.com>, [bob@example.org]: 'c@x.example' mailto:d@e.example f@localhost",
        );
        assert_eq!(found, ["ann@example.com", "bob@example.org", "c@x.example", "d@e.example"]);
    }
}
