//! From what servers say to a reason: phrases first, then codes.

use crate::bounce::Reason;
use crate::phrases::Phrases;

/// Phrases in lower case, in the order in which they are tried: the more telling ones first.
const PHRASES: [(Reason, Phrases); 22] = [
    (Reason::System, Phrases("procmail: couldn't|maildrop: unable|command died with")),
    (Reason::Filtered, Phrases("550 : user unknown")),
    (
        Reason::Rejected,
        Phrases(
            "domain of sender|sender address|after mail from|5.1.8|permission to post|\
             in reply to mail from",
        ),
    ),
    (
        Reason::Network,
        Phrases(
            "host not found, try again|temporarily unable to resolve|name service error for name=|\
             host name lookup failure",
        ),
    ),
    (
        Reason::TakesNoMail,
        Phrases(
            "does not accept mail|null mx|nullmx|indicated no smtp service|does not receive mail|\
             host does not accept email|domain does not accept|smtp protocol returned 521|\
             i don't accept mail|not accept any mail|5.1.10 recipient address has null",
        ),
    ),
    (
        Reason::Moved,
        Phrases(
            "has moved|has been moved|address changed|new address is|no longer on server|\
             has been replaced by|account has been moved",
        ),
    ),
    (
        Reason::TooLarge,
        Phrases(
            "message size exceeds|message too large|message is too large|message too big|size limit|\
             exceeded maximum message size|exceeds maximum|too large for this recipient|\
             exceeds fixed maximum|message header size|message file too big|line too long|\
             exceeds the maximum",
        ),
    ),
    (
        Reason::MailboxFull,
        Phrases(
            "mailbox full|mailbox is full|mail box full|mailbox size limit|over quota|quota exceeded|\
             exceeded the quota|exceeded storage|out of storage|storage quota|disk quota|\
             over the maximum allowed|insufficient disk space|mailbox has exceeded|exceeded the maximum|\
             full mailbox|overquota|not enough storage|not enough disk space|mailfolder is full|\
             maildir over quota|over disk quota|account is full|inbox is full|quota violation|\
             over its quota|exceeds allowed message count|quota has been exceeded|user is over|\
             exceeded mailbox|boite du destinataire pleine|mail quota|over-quota|has exceeded its|\
             mailbox exceeds|postfach voll|mailbox quota|has reached its limit|mailbox limit",
        ),
    ),
    (
        Reason::Suspended,
        Phrases(
            "account is suspended|account has been suspended|account disabled|mailbox disabled|\
             account has been disabled|is disabled|temporarily locked|recipient suspend|\
             mailbox unavailable due to inactivity|inactive|account that you tried to reach is disabled|\
             account is not active|unconfirmed|mailbox currently suspended|account closed temporarily|\
             user suspended|has been frozen|is frozen|mailbox frozen|currently suspended|not activated|\
             domain is currently unavailable|vdelivermail: account is locked|\
             boite du destinataire archivee",
        ),
    ),
    (Reason::Virus, Phrases("virus|malware|infected|trojan")),
    (
        Reason::Spam,
        Phrases(
            "spam|junk mail|unsolicited|bulk mail|content filter|blacklisted url|spamscore|\
             looks like uce|phishing",
        ),
    ),
    (
        Reason::Policy,
        Phrases(
            "relay|authentication required|must authenticate|spf check|spf fail|dmarc|dkim|\
             unauthenticated email|not rfc|rfc5322|rfc 5322|tls is required|security policy|\
             policy violation|policy reasons|administrative prohibition|message policy|insecure mail|\
             not permitted to send|by policy|insecure|must issue a starttls|sender policy framework|\
             sending domain is not authenticated|encryption|local policy|policy rejection|\
             not allowed to use",
        ),
    ),
    (
        Reason::Blocked,
        Phrases(
            "blacklist|black list|blocklist|block list|blocked|reverse dns|ptr record|no ptr|\
             without a ptr|reverse lookup|reputation|spamhaus|dnsbl|rbl|dynamic ip|banned|\
             your ip address|cannot find your hostname|client host rejected|poor reputation|\
             connection refused for your|access denied. ip name lookup|cannot resolve your address|helo|\
             ehlo|bad dns|client is not authorized|does not accept mail from your ip",
        ),
    ),
    (
        Reason::RateLimited,
        Phrases(
            "too many connections|too many recipients|rate limit|too many messages|throttl|\
             sending limit|too fast|too many concurrent|too many hops|limit on the number|daily limit|\
             exceeding the maximum number|max number of|try again later",
        ),
    ),
    (
        Reason::HostUnknown,
        Phrases(
            "host unknown|unknown host|host not found|domain not found|name or service not known|\
             no such domain|domain does not exist|unrouteable mail domain|unrouteable address|\
             domain is not reachable|nxdomain|dns lookup failure|unknown domain|invalid domain|\
             domain name not found|host or domain name|recipient's domain|no mx record|\
             illegal host/domain|no dns entry|name service error|couldn't find any host|nosuchhost|\
             non-existent domain|domain non-existent|domain couldn't be found|bad destination system|\
             domain invalid|dns error|dnsserver|dns server returned|name lookup fail|hosts not found|\
             could not be resolved|cannot be resolved|all relevant mx records point to non-existent|\
             recipient address has no valid",
        ),
    ),
    (
        Reason::UserUnknown,
        Phrases(
            "user unknown|unknown user|no such user|no such recipient|no such mailbox|mailbox not found|\
             unknown recipient|recipient unknown|does not exist|doesn't exist|doesn't have|no mailbox|\
             not a valid mailbox|invalid recipient|invalid mailbox|user not found|recipient not found|\
             not found in directory|account not found|address unknown|unknown address|unknown account|\
             invalid address|bad address|no such person|not listed in|unknown local|\
             account that you tried to reach|no account|no such address|unknown mailbox|user doesn't|\
             not our customer|not a known user|undeliverable address|address not found|\
             email address could not be found|email address wasn't found|recipient does not exist|\
             mailbox does not exist|nosuchuser|not exist|addressee unknown|unable to find|\
             wasn't found at|couldn't be found|is not a valid|non-existent|nonexistent|\
             resolver.adr.recipnotfound|recipnotfound|no longer valid|no longer available|\
             user is unknown|mailbox unknown|unbekannt|unknown virtual|unknown or illegal|badly formed|\
             this user doesn|no user|sorry, i couldn't find|is not known|unknown to|no valid recipient|\
             not recognized|not recognised|unrouteable|no local mailbox|said there was no|is unknown|\
             user is not|rcptinvalid|recipient address rejected: access denied|\
             adresse d au moins un destinataire invalide|inconnu|no recipient|not a local|\
             mailbox is invalid|badrecipient|could not be found|mailbox unavailable or access denied|\
             recipient is not local|user invalid|address rejected.|ディレクトリには見つかりません|\
             there is no one at this address|unknown e-mail|not in my|not match",
        ),
    ),
    (
        Reason::Expired,
        Phrases(
            "retry timeout|retry time|expired|timed out|timeout|delivery time|too long|giving up|\
             given up|4 days|5 days|could not be delivered for|unable to be delivered for|\
             queue too long|retries|have been unable to|was not delivered within|undeliverable after|\
             lifetime|hours",
        ),
    ),
    (
        Reason::Network,
        Phrases(
            "connection refused|no route to host|network is unreachable|connection lost|lost connection|\
             connection reset|connection dropped|could not connect|couldn't establish|unable to connect|\
             loops back|mail loop|loop detected|mail for|host is down|dns failure|\
             address family not supported|bad connection",
        ),
    ),
    (
        Reason::Filtered,
        Phrases(
            "due to extended inactivity|filtered|mail filter|user reject|refused by recipient|\
             not accepting mail from|recipient refuse|because of protection|user has rejected|\
             restricted|not authorized to send|only accepts",
        ),
    ),
    (
        Reason::Rejected,
        Phrases(
            "sender rejected|sender address rejected|sender denied|sender not|from address|mail from|\
             domain of sender|sender domain|sender is|sender verify|not allowed|you are not|\
             invalid sender|unable to verify|rejected by|denied by|access denied|may not exist",
        ),
    ),
    (
        Reason::Content,
        Phrases(
            "mime|attachment|bad header|header error|malformed|syntax|illegal|8bit|charset|improper|\
             message content|parameters",
        ),
    ),
    (
        Reason::System,
        Phrases(
            "local configuration|system error|internal error|internal server|i/o error|program|\
             command died|command failed|script|mailer error|out of memory|resources|exit status|\
             server configuration|unable to open|mail system|pipe to|local error|local delivery|\
             mail server|temporary failure|died",
        ),
    ),
];

/// The reason that the words give; `None` when none is known.
pub(super) fn reason(text: &str) -> Option<Reason> {
    let low = text.to_lowercase();
    // A reply of several lines repeats its code in each, also in the middle of a phrase.
    let words = low.split_whitespace().filter(|word| !is_code_of_line(word));
    let low = words.collect::<Vec<_>>().join(" ").replace("unknown address error", "");
    let low = low.replace("invalid address, error_code", "error_code");
    PHRASES.iter().find(|(_, phrases)| phrases.within(&low)).map(|(reason, _)| *reason)
}

/// `550-5.1.1`, `550-`.
fn is_code_of_line(word: &str) -> bool {
    word.split_once('-').is_some_and(|(code, rest)| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        code.len() == 3 && digits(code) && digits(rest)
    })
}

/// Whether the far server said no only after it had the whole mail: then the mailbox is there, and a filter said it.
pub(super) fn after_data(text: &str) -> bool {
    let low = text.to_lowercase();
    let low = low.split_whitespace().collect::<Vec<_>>().join(" ");
    const MARKS: [&str; 6] =
        ["end of data", "after data", "to data command", ">>> data <<< 5", ">>> . <<< 5", ">>> data << 5"];
    MARKS.iter().any(|mark| low.contains(mark))
}

/// What words and code say together.
pub(super) fn weighed(reason: Reason, said: &str, status: Option<&str>, after_data: bool) -> Reason {
    let detail = status.and_then(|status| status.split_once('.')).map_or("", |(_, detail)| detail);
    if reason == Reason::Suspended && detail == "1.1" {
        return Reason::UserUnknown;
    }
    // A server that is sent everything at once answers the recipient's line after DATA too: then the code tells.
    if reason == Reason::UserUnknown && unsure(said, after_data, detail) {
        return Reason::Filtered;
    }
    reason
}

/// "User unknown" is also what filters say: after they had the mail, or with a code that is not about the address.
fn unsure(said: &str, after_data: bool, detail: &str) -> bool {
    let low = said.to_lowercase();
    let bare = low.contains("user unknown") || low.contains("unknown user");
    bare && ((after_data && !detail.starts_with("1."))
        || detail.starts_with("7.")
        || detail.starts_with("3."))
}

/// The reason that a status or reply code gives (RFC 3463), when the words give none.
pub(super) fn reason_of_code(status: Option<&str>, text: &str) -> Reason {
    let Some(status) = status else { return reason_of_reply(text) };
    let detail = status.split_once('.').map_or("", |(_, detail)| detail);
    match detail {
        "1.1" | "1.0" | "1.3" | "1.6" => Reason::UserUnknown,
        "1.2" => Reason::HostUnknown,
        "1.10" => Reason::TakesNoMail,
        "1.7" | "1.8" => Reason::Rejected,
        "2.1" => Reason::Suspended,
        "2.2" => Reason::MailboxFull,
        "2.3" | "3.4" => Reason::TooLarge,
        "4.7" => Reason::Expired,
        _ if detail.starts_with("7.") => Reason::Policy,
        _ if detail.starts_with("6.") => Reason::Content,
        _ if detail.starts_with("4.") => Reason::Network,
        _ if detail.starts_with("3.") => Reason::System,
        _ => Reason::Other,
    }
}

fn reason_of_reply(text: &str) -> Reason {
    let code = text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 3);
    match code {
        Some("552") => Reason::MailboxFull,
        Some("551") => Reason::UserUnknown,
        Some("553") => Reason::Rejected,
        Some("421" | "450" | "451") => Reason::System,
        Some(_) | None => Reason::Other,
    }
}

/// Whether a text holds a code with which servers refuse: `550`, `5.1.1`.
pub(super) fn is_coded(text: &str) -> bool {
    let reply = |word: &str| {
        word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|byte| byte.is_ascii_digit())
    };
    status_in(text).is_some() || text.split(|c: char| !c.is_ascii_digit()).any(reply)
}

/// The first enhanced status code in a text, such as `5.1.1`.
pub(super) fn status_in(text: &str) -> Option<String> {
    let apart = |c: char| !(c.is_ascii_digit() || c == '.');
    let code = |word: &str| {
        let digits = word.strip_prefix(['2', '4', '5'])?.strip_prefix('.')?;
        let (subject, detail) = digits.split_once('.')?;
        let good =
            |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        (good(subject) && good(detail)).then(|| word.to_owned())
    };
    text.split(apart).map(|word| word.trim_matches('.')).find_map(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_before_codes() {
        let table = [
            ("550 5.1.1 User unknown", Reason::UserUnknown),
            ("552 5.2.2 Mailbox full", Reason::MailboxFull),
            ("552 message size exceeds fixed limit", Reason::TooLarge),
            ("554 5.7.1 Relay access denied", Reason::Policy),
            ("550 host listed at spamhaus", Reason::Spam),
            ("556 5.1.10 null MX", Reason::TakesNoMail),
        ];
        for (text, wanted) in table {
            assert_eq!(reason(text), Some(wanted), "{text}");
        }
        assert_eq!(reason("250 ok"), None);
    }

    #[test]
    fn codes_where_there_are_no_words() {
        assert_eq!(reason_of_code(Some("5.1.1"), ""), Reason::UserUnknown);
        assert_eq!(reason_of_code(Some("4.7.0"), ""), Reason::Policy);
        assert_eq!(reason_of_code(None, "552 no"), Reason::MailboxFull);
        assert_eq!(status_in("said: 550-5.1.1 <x>").as_deref(), Some("5.1.1"));
        assert_eq!(status_in("from 192.0.2.1 at 5.1"), None);
    }
}
