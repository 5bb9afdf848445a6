//! Mail out.

use std::fmt::Display;
use std::time::Duration;

use channel::{Adapter as _, EntryKind, Outbound, Verdict};
use channel_email::outbound::Composed;
use channel_email::{Email, SmtpAnswer, SmtpStep};
use futures_util::future::BoxFuture;
use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use protocol::{Hash128, MessageId, Millis};

use crate::channels::book::{ADDRESS_UNKNOWN, RECIPIENT_UNKNOWN};
use crate::channels::carrier::{Carrier, Finding, ToItself};
use crate::channels::mail::connections::{Connections, NotIn, quit, refused};
use crate::channels::mail::{Auth, Endpoint, Mailbox, imap};
use crate::traced::Above;

/// How long one step of a delivery may take: being let in, and then each command until the mail itself goes.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// How long the mail itself and the answer to it may take. RFC 5321, 4.5.3.2.6: who waits too little for that answer sends mails
/// twice.
const CONTENT_WITHIN: Duration = Duration::from_secs(600);

/// The way out of one inbox.
pub(super) struct MailCarrier {
    email: Email,
    smtp: Endpoint,
    imap: Endpoint,
    user: String,
    folder: String,
    auth: Auth,
    canary_mail: bool,
    connections: Connections,
    limits: Limits,
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
struct Limits {
    step: Duration,
    content: Duration,
}

impl MailCarrier {
    pub(super) fn new(mailbox: &Mailbox) -> anyhow::Result<Self> {
        Self::waiting(mailbox, Limits { step: STEP_WITHIN, content: CONTENT_WITHIN })
    }

    fn waiting(mailbox: &Mailbox, limits: Limits) -> anyhow::Result<Self> {
        Ok(Self {
            email: mailbox.email.clone(),
            smtp: mailbox.smtp.clone(),
            imap: mailbox.imap.clone(),
            user: mailbox.user.clone(),
            folder: mailbox.folder.clone(),
            auth: mailbox.auth.clone(),
            canary_mail: mailbox.canary_mail,
            connections: Connections::new(mailbox, limits.step)?,
            limits,
        })
    }

    async fn hand_over(&self, mail: &Composed) -> SmtpAnswer {
        let Some(envelope) = envelope(mail) else {
            let text = "5.1.3 no address that can be written".to_owned();
            return SmtpAnswer::Refused { step: SmtpStep::Recipient, code: 553, text };
        };
        // First of all a connection: what goes wrong until it is there is of the account, and of no mail.
        let mut let_in = match self.connections.get().await {
            Ok(let_in) => let_in,
            Err(NotIn { answer, .. }) => return answer,
        };
        let answer = match offer(&mut let_in.connection, &envelope, mail, self.limits.step).await {
            Ok(()) => content(&mut let_in.connection, mail, self.limits.content).await,
            Err(answer) => answer,
        };
        match answer {
            SmtpAnswer::Accepted { .. } => self.connections.keep(let_in),
            SmtpAnswer::Refused { .. } => quit(let_in),
            // Whoever does not answer is not asked for anything more.
            SmtpAnswer::Unreachable | SmtpAnswer::BrokenOff | SmtpAnswer::NoAnswer => drop(let_in),
        }
        answer
    }
}

/// All that comes before the mail itself: the server has nothing of it yet.
async fn offer(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    mail: &Composed,
    within: Duration,
) -> Result<(), SmtpAnswer> {
    let needs_utf8 = !envelope.from().into_iter().chain(envelope.to()).all(|one| one.to_string().is_ascii());
    let mut parameters = Vec::new();
    for (is_needed, extension, parameter) in [
        (needs_utf8, Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
        (
            !mail.bytes.is_ascii(),
            Extension::EightBitMime,
            MailParameter::Body(MailBodyParameter::EightBitMime),
        ),
    ] {
        if is_needed && !connection.server_info().supports_feature(extension) {
            // RFC 6531: this one mail needs what the server has not; every other one may go.
            let text = "5.6.7 the server cannot take this mail".to_owned();
            return Err(SmtpAnswer::Refused { step: SmtpStep::Content, code: 553, text });
        }
        parameters.extend(is_needed.then_some(parameter));
    }
    let from = Mail::new(envelope.from().cloned(), parameters);
    command(connection, SmtpStep::Sender, from, within).await?;
    for to in envelope.to() {
        command(connection, SmtpStep::Recipient, Rcpt::new(to.clone(), Vec::new()), within).await?;
    }
    command(connection, SmtpStep::Content, Data, within).await
}

async fn command(
    connection: &mut AsyncSmtpConnection,
    step: SmtpStep,
    command: impl Display,
    within: Duration,
) -> Result<(), SmtpAnswer> {
    match tokio::time::timeout(within, connection.command(command)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(step, &error).unwrap_or(SmtpAnswer::BrokenOff)),
        Err(_) => Err(SmtpAnswer::BrokenOff),
    }
}

/// The mail itself: from here on it may be taken without our hearing of it.
async fn content(connection: &mut AsyncSmtpConnection, mail: &Composed, within: Duration) -> SmtpAnswer {
    match tokio::time::timeout(within, connection.message(&mail.bytes)).await {
        Ok(Ok(response)) => SmtpAnswer::Accepted { text: text(&response) },
        Ok(Err(error)) => refused(SmtpStep::Content, &error).unwrap_or(SmtpAnswer::NoAnswer),
        Err(_) => SmtpAnswer::NoAnswer,
    }
}

fn envelope(mail: &Composed) -> Option<Envelope> {
    let from = mail.envelope_from.as_ref().map(|from| from.parse()).transpose().ok()?;
    let to = mail.envelope_to.iter().map(|to| to.parse()).collect::<Result<_, _>>().ok()?;
    Envelope::new(from, to).ok()
}

fn text(response: &Response) -> String {
    response.message().collect::<Vec<_>>().join(" ")
}

/// What an answer means for the customer: a server refuses a mail whichever of its recipients it does not know.
fn as_of(customer: &str, mail: &Composed, answer: &SmtpAnswer, verdict: Verdict) -> Verdict {
    let Verdict::Failed { reason: ADDRESS_UNKNOWN } = verdict else { return verdict };
    let is_customer = |address: &String| address.eq_ignore_ascii_case(customer);
    let is_named = |address: &&String| match answer {
        SmtpAnswer::Refused { text, .. } => text.to_lowercase().contains(&address.to_lowercase()),
        SmtpAnswer::Accepted { .. }
        | SmtpAnswer::Unreachable
        | SmtpAnswer::BrokenOff
        | SmtpAnswer::NoAnswer => false,
    };
    let is_theirs = match mail.envelope_to.as_slice() {
        [only] => is_customer(only),
        // Most servers name whom they do not know; one that does not leaves it open.
        several => {
            let mut named = several.iter().filter(is_named).peekable();
            named.peek().is_some() && named.all(is_customer)
        }
    };
    Verdict::Failed { reason: if is_theirs { ADDRESS_UNKNOWN } else { RECIPIENT_UNKNOWN } }
}

impl Carrier for MailCarrier {
    fn sends(&self, kind: &EntryKind) -> bool {
        self.email.sends(kind)
    }

    fn is_resendable(&self) -> bool {
        Email::IS_RESENDABLE
    }

    fn files_max(&self) -> Option<u64> {
        // Four bytes are written for three.
        Some(u64::try_from(self.email.bytes_max / 4).unwrap_or(u64::MAX).saturating_mul(3))
    }

    fn send<'a>(&'a self, outbound: &'a Outbound<'a>, above: &'a Above<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.email.render(outbound) {
                Ok(mail) => {
                    let _span = above.mail(&self.smtp.host, self.smtp.port);
                    let answer = self.hand_over(&mail).await;
                    let customer = outbound.to.map_or("", |to| to.identity.as_str());
                    as_of(customer, &mail, &answer, self.email.judge(&answer))
                }
                Err(unsendable) => Verdict::Failed { reason: unsendable.reason },
            }
        })
    }

    fn send_itself(
        &self,
        message: MessageId,
        thread: Hash128,
        now: Millis,
    ) -> BoxFuture<'_, Option<ToItself>> {
        Box::pin(async move {
            if !self.canary_mail {
                return None;
            }
            let Some(mail) = self.email.to_itself(message, thread, now) else {
                return Some(ToItself::NotOffered("no mail can be written to its own address".to_owned()));
            };
            Some(match self.hand_over(&mail).await {
                SmtpAnswer::Accepted { .. } | SmtpAnswer::NoAnswer => ToItself::HandedOver,
                SmtpAnswer::Refused { step: SmtpStep::SignIn, code, text } => {
                    ToItself::NotOffered(format!("smtp: it answers {code} {text}"))
                }
                SmtpAnswer::Refused { code, text, .. } => {
                    ToItself::NotTaken(format!("smtp: it answers {code} {text}"))
                }
                SmtpAnswer::Unreachable => ToItself::NotOffered("smtp: it is not reached".to_owned()),
                SmtpAnswer::BrokenOff => ToItself::NotTaken("smtp: it broke off before the mail".to_owned()),
            })
        })
    }

    fn check(&self, _: Millis) -> BoxFuture<'_, Vec<Finding>> {
        Box::pin(async move {
            let smtp = async {
                match self.connections.get().await {
                    Ok(let_in) => {
                        quit(let_in);
                        Ok("let us in".to_owned())
                    }
                    Err(NotIn { answer, words }) => Err(what_to_do(&answer, &words)),
                }
            };
            let what = |protocol: &str, server: &Endpoint| {
                format!("sign in by {protocol} at {}:{}", server.host, server.port)
            };
            let smtp = Finding { what: what("smtp", &self.smtp), found: smtp.await };
            let found = imap::check(&self.imap, &self.user, &self.auth, &self.folder).await;
            vec![Finding { what: what("imap", &self.imap), found }, smtp]
        })
    }
}

fn what_to_do(answer: &SmtpAnswer, words: &str) -> String {
    match answer {
        SmtpAnswer::Refused { code: 530 | 534 | 535 | 538 | 432 | 454, .. } => {
            format!("{words}: look at user and password; some providers want an app password or oauth")
        }
        SmtpAnswer::Unreachable => {
            format!("{words}: look at host, port and the scheme (smtps, smtp+starttls)")
        }
        SmtpAnswer::Refused { .. }
        | SmtpAnswer::BrokenOff
        | SmtpAnswer::NoAnswer
        | SmtpAnswer::Accepted { .. } => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use channel::Whose;
    use channel_email::{Address, sign::Key};
    use service::Secret;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::channels::mail::TlsWay;

    const REACHED: &str = "reached";

    /// What a server does when it hears something; the first thing is that it is reached.
    #[derive(Clone, Copy, Debug)]
    enum Does {
        Says(&'static str),
        Nothing,
        Closes,
    }

    /// A server that takes what any server takes and has no extension, but for one thing.
    async fn server(at: &'static str, does: Does) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(BufReader::new(socket), at, does));
            }
        });
        port
    }

    async fn converse(mut socket: BufReader<tokio::net::TcpStream>, at: &'static str, does: Does) {
        let mut line = REACHED.to_owned();
        loop {
            let heard = line.trim();
            let usual = match heard {
                REACHED | "NOOP" | "RSET" | "QUIT" => "220 yes",
                "DATA" => "354 go on",
                "." => "250 queued as A1",
                line if line.contains(':') || line.starts_with("EHLO") => "250 yes",
                _ => "",
            };
            match if heard.starts_with(at) { does } else { Does::Says(usual) } {
                Does::Says("") => {}
                Does::Says(words) => socket.write_all(format!("{words}\r\n").as_bytes()).await.unwrap(),
                Does::Nothing => std::future::pending().await,
                Does::Closes => return,
            }
            line.clear();
            if !socket.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    }

    fn carrier(port: u16) -> MailCarrier {
        let here = Endpoint { host: "127.0.0.1".into(), port, tls: TlsWay::Off };
        let mailbox = Mailbox {
            email: Email {
                inbox: "support".into(),
                address: Address::new("support@shop.test").unwrap(),
                key: Key::new([1; 32]),
                signature: String::new(),
                trusted_server: String::new(),
                closing_text: String::new(),
                blocked_text: String::new(),
                asking: channel::words::Asking::default(),
                bytes_max: 1 << 20,
                limits: channel_email::Limits::default(),
            },
            imap: here.clone(),
            smtp: here,
            user: String::new(),
            auth: Auth::Password(Secret::new("x")),
            folder: "INBOX".into(),
            grouping: channel_email::thread::Grouping::default(),
            poll_every: Duration::from_secs(1),
            canary_mail: true,
        };
        let limits = Limits { step: Duration::from_millis(300), content: Duration::from_millis(300) };
        MailCarrier::waiting(&mailbox, limits).unwrap()
    }

    fn mail(to: &[&str]) -> Composed {
        Composed {
            bytes: b"hello\r\n".to_vec(),
            message_id: "a@shop.test".into(),
            envelope_from: Some("support@shop.test".into()),
            envelope_to: to.iter().map(|to| (*to).to_owned()).collect(),
        }
    }

    #[test]
    fn a_copy_that_reaches_nobody_says_nothing_about_the_customer() {
        let of = |to: &[&str], text: &str| {
            let answer = SmtpAnswer::Refused { step: SmtpStep::Recipient, code: 550, text: text.into() };
            match as_of("ann@c.test", &mail(to), &answer, Verdict::Failed { reason: "address_unknown" }) {
                Verdict::Failed { reason } => reason,
                Verdict::Accepted { .. } | Verdict::Retry { .. } | Verdict::Unknown { .. } => "",
            }
        };
        let (ann, ben) = ("<Ann@c.test>: user unknown", "<ben@c.test>: user unknown");
        assert_eq!(of(&["Ann@c.test"], "user unknown"), "address_unknown");
        assert_eq!(of(&["ann@c.test", "ben@c.test"], ann), "address_unknown");
        assert_eq!(of(&["ann@c.test", "ben@c.test"], ben), "recipient_unknown", "a copy");
        assert_eq!(
            of(&["ann@c.test", "ben@c.test"], "user unknown"),
            "recipient_unknown",
            "nobody knows whose"
        );
        assert_eq!(of(&["ben@c.test"], "user unknown"), "recipient_unknown", "passed on");
        let other = Verdict::Failed { reason: "too_large" };
        assert_eq!(as_of("ann@c.test", &mail(&["ben@c.test"]), &SmtpAnswer::NoAnswer, other.clone()), other);
    }

    #[tokio::test]
    async fn a_mail_that_the_server_cannot_take_is_no_fault_of_the_account() {
        let carrier = carrier(server("nothing", Does::Nothing).await);
        let taken = carrier.hand_over(&mail(&["ann@customer.test"])).await;
        assert_eq!(taken, SmtpAnswer::Accepted { text: "queued as A1".into() });
        let not = carrier.hand_over(&mail(&["änn@customer.test"])).await;
        assert_eq!(carrier.email.judge(&not), Verdict::Failed { reason: "rejected" }, "{not:?}");
    }

    async fn judged(at: &'static str, does: Does) -> Verdict {
        let carrier = carrier(server(at, does).await);
        let mail = mail(&["ann@customer.test"]);
        let answer = tokio::time::timeout(Duration::from_secs(10), carrier.hand_over(&mail));
        carrier.email.judge(&answer.await.unwrap())
    }

    #[tokio::test]
    async fn a_server_that_stalls_or_leaves_is_booked_on_whom_it_concerns() {
        let retry = |whose, reason| Verdict::Retry { whose, after_ms: None, reason };
        let away = retry(Whose::Refused, "unreachable");
        let later = retry(Whose::Conversation, "unavailable");
        for does in [Does::Nothing, Does::Closes] {
            for (at, verdict) in [
                (REACHED, &away),
                ("EHLO", &away),
                ("MAIL", &later),
                ("RCPT", &later),
                ("DATA", &later),
                (".", &Verdict::Unknown { reason: "no_answer" }),
            ] {
                assert_eq!(judged(at, does).await, *verdict, "{does:?} at {at:?}");
            }
        }
    }

    #[tokio::test]
    async fn only_what_is_said_of_a_recipient_is_about_their_address() {
        let no = Does::Says("550 access denied");
        let refused = Verdict::Retry { whose: Whose::Refused, after_ms: None, reason: "refused" };
        assert_eq!(judged(REACHED, no).await, refused);
        assert_eq!(judged("EHLO", no).await, refused);
        for (at, reason) in
            [("MAIL", "rejected"), ("RCPT", "address_unknown"), ("DATA", "rejected"), (".", "rejected")]
        {
            assert_eq!(judged(at, no).await, Verdict::Failed { reason }, "{at}");
        }
    }

    #[tokio::test]
    async fn a_mail_to_itself_was_offered_from_its_sender_on() {
        let was_offered = async |at, does| {
            let carrier = carrier(server(at, does).await);
            let (message, thread) = (MessageId(uuid::Uuid::now_v7()), Hash128([1; 16]));
            match carrier.send_itself(message, thread, Millis(17)).await.unwrap() {
                ToItself::HandedOver | ToItself::NotTaken(_) => true,
                ToItself::NotOffered(_) => false,
            }
        };
        for does in [Does::Says("550 no"), Does::Says("450 not now"), Does::Closes] {
            assert!(!was_offered(REACHED, does).await, "{does:?}");
            assert!(!was_offered("EHLO", does).await, "{does:?}");
            for at in ["MAIL", "RCPT", "DATA"] {
                assert!(was_offered(at, does).await, "{does:?} at {at:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_account_that_is_left_out_sends_itself_no_mail() {
        let mut carrier = carrier(server("nothing", Does::Nothing).await);
        carrier.canary_mail = false;
        let (message, thread) = (MessageId(uuid::Uuid::now_v7()), Hash128([1; 16]));
        assert_eq!(carrier.send_itself(message, thread, Millis(17)).await, None);
        carrier.canary_mail = true;
        assert!(carrier.send_itself(message, thread, Millis(17)).await.is_some());
    }

    #[tokio::test]
    async fn a_kept_connection_that_is_dead_costs_no_mail() {
        let carrier = carrier(server("NOOP", Does::Closes).await);
        for _ in 0..3 {
            let answer = carrier.hand_over(&mail(&["ann@customer.test"])).await;
            assert_eq!(answer, SmtpAnswer::Accepted { text: "queued as A1".into() });
        }
    }
}
