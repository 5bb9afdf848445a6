//! From a mail as it came to a message in its thread: kept whole first, read, threaded, its files kept, made durable.

use std::collections::BTreeMap;

use bus::{IdHasher, file_kind};
use bytes::Bytes;
use channel::known::{Known, PersonKey};
use channel::{Content, Inbound, MailHead, Parsed, Rejected};
use channel_email::bounce::Kind as Reported;
use channel_email::html::{CleanOptions, RemoteImages, clean};
use channel_email::thread::{Evidence, Found, OfSender, Place, SubjectTokens, decide, evidence};
use channel_email::{Mail, Part, Sorted, participant};
use protocol::content::Attachment;
use protocol::input::MessageThread;
use protocol::limits::{ALIASES_MAX, ATTACHMENTS_MAX, FILE_NAME_BYTES_MAX};
use protocol::rights::KeyClass;
use protocol::{Hash128, IdentityId, Language, MessageId};
use service::spans::Kind;
use uuid::Uuid;

use crate::channels::book::AccountKey;
use crate::channels::door::{Patience, status};
use crate::channels::mail::Mailbox;
use crate::channels::{Channels, Sender, canary, email_identity};
use crate::intake::Said;

/// The thread of a mail, and whose it is.
struct Threaded {
    thread: Hash128,
    identity: IdentityId,
    is_third: bool,
    /// This mail begins it.
    is_fresh: bool,
}

/// Whose a mail was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Somebody's: it stays in its mailbox.
    Theirs,
    /// That of a canary customer, or a server's report of one: nobody wants to see it there.
    Canary,
}

/// Makes a mail durable, or as much of it as is kept; the same mail again is the same message.
///
/// # Errors
/// When the server, the keys or the store are away; the mail lies in its mailbox still.
pub(super) async fn take(
    channels: &Channels,
    key: &AccountKey,
    mailbox: &Mailbox,
    raw: Vec<u8>,
    is_cut: bool,
) -> anyhow::Result<Taken> {
    let raw = Bytes::from(raw);
    let email = mailbox.email.clone();
    let sorted = sort(&channels.intake.hasher, raw.clone(), move |raw| email.sort(raw)).await;
    if let Some(mail) = &sorted.mail
        && let Some((of, message)) = canary::sent_round(channels, &mailbox.email.key, mail)
    {
        // A copy of another account's is waited for there and not here, unless both read this mailbox: whoever finds it takes it out.
        let theirs = || channels.accounts.get(&of)?.mailbox.clone();
        if of == *key || theirs().is_some_and(|theirs| theirs.is_read_where(mailbox)) {
            canary::came_back(channels, &of, message).await?;
        }
        return Ok(Taken::Canary);
    }
    if let Some(mail) = &sorted.mail
        && canary::is_reported_on(channels, mail)
    {
        // A server's report is taken out too. Any other says only of itself that a machine wrote it: it stays, for who looks.
        let is_report = mail.bounce.as_ref().is_some_and(|bounce| bounce.kind != Reported::Vacation);
        tracing::info!(account = %key.account, is_report, "a machine says something of a canary's mail");
        return Ok(if is_report { Taken::Canary } else { Taken::Theirs });
    }
    match sorted.parsed {
        Parsed::Message(mut inbound) => {
            let head = inbound.content.mail.get_or_insert_with(|| Box::new(MailHead::default()));
            head.is_cut |= is_cut;
            message(channels, key, mailbox, sorted.mail, *inbound, &raw).await?;
        }
        Parsed::Status(told) => {
            let gone = gone(&channels.intake.hasher, sorted.mail.as_ref());
            status(channels, key, &told, Some(&gone), Patience::alone()).await?;
        }
        // Our own words came back: a copy to ourselves, a list, a loop. No mail says that its customer is gone.
        Parsed::Echo { .. } | Parsed::Left { .. } => {
            channels.intake.kit.metrics.duplicates_total.inc([key.channel.as_str()]);
        }
        Parsed::Signal(never) => match never {},
    }
    Ok(Taken::Theirs)
}

/// Whose addresses are gone for good, as a report says.
fn gone(hasher: &IdHasher, mail: Option<&Mail>) -> Vec<IdentityId> {
    let recipients = mail.and_then(|mail| mail.bounce.as_ref()).map(|bounce| &bounce.recipients);
    let hard = recipients.into_iter().flatten().filter(|recipient| recipient.is_hard());
    let both =
        |address: &str| [Sender::Verified, Sender::Said].map(|how| email_identity(hasher, address, how));
    hard.flat_map(|recipient| both(&recipient.address.to_ascii_lowercase())).collect()
}

/// Reads it apart from everything else: what breaks its reader is a message all the same, and one of its own.
async fn sort(hasher: &IdHasher, raw: Bytes, read: impl FnOnce(&[u8]) -> Sorted + Send + 'static) -> Sorted {
    let bytes = raw.clone();
    match tokio::task::spawn_blocking(move || read(&bytes)).await {
        Ok(sorted) => sorted,
        Err(error) => {
            tracing::error!(%error, "a mail broke its reader; it is shown as it came");
            Sorted::unreadable(hasher.content(&raw).to_string())
        }
    }
}

async fn message(
    channels: &Channels,
    key: &AccountKey,
    mailbox: &Mailbox,
    mail: Option<Mail>,
    mut inbound: Inbound,
    raw: &Bytes,
) -> anyhow::Result<()> {
    let who = inbound.identity.take().unwrap_or_default();
    let senders = Senders::of(&channels.intake.hasher, &who, mail.as_ref(), &mut inbound.known);
    let sender = senders.now;
    if inbound.automatic && channels.is_loop(sender) {
        let words =
            "a machine of this sender wrote far too often: look whether two machines answer each other";
        let rejected = Rejected::park("loop", words);
        channels.intake.park(key.channel, &key.account, &rejected, raw).await?;
        channels.intake.kit.metrics.parked_total.inc([key.channel.as_str(), "loop"]);
        return Ok(());
    }
    let message = MessageId(Uuid::now_v7());
    let threaded = thread(channels, key, mailbox, mail.as_ref(), &inbound, &senders);
    keep(channels, key, threaded.identity, mail.as_ref(), &mut inbound.content, raw).await?;
    if let Some(head) = &mut inbound.content.mail {
        head.third_party = threaded.is_third;
    }
    if threaded.is_third {
        // Whoever wrote, they are not the customer of this thread.
        inbound.known.clear();
    }
    let aliases = aliases(channels, key, mailbox, mail.as_ref(), &threaded, &who);
    // What another one writes in a thread is no answer of its customer's.
    let own_words = mail.as_ref().filter(|_| !threaded.is_third).map(|mail| mail.reply.reply.as_str());
    let language =
        mail.as_ref().and_then(|mail| mail.language.as_deref()?.get(..2)?.parse::<Language>().ok());
    let span = channels.intake.traced.came("mail", Kind::Consumer);
    let said = Said {
        channel: key.channel,
        account: &key.account,
        identity: threaded.identity,
        message,
        language,
        thread: Some(Box::new(MessageThread { id: threaded.thread, aliases: aliases.clone() })),
        inbound: &inbound,
        own_words: own_words.unwrap_or_default(),
        trace: span.context(),
    };
    channels.intake.say(said).await?;
    channels.book().expect(threaded.thread, &aliases, threaded.identity);
    Ok(())
}

/// Who a mail's sender is now, and who else the same address may have been in this thread.
struct Senders {
    now: IdentityId,
    others: Vec<IdentityId>,
}

impl Senders {
    /// By its address, whether that was verified, and where it wants its answer. Of one who writes for another only that
    /// other is known, and only by what they say.
    fn of(hasher: &IdHasher, who: &str, mail: Option<&Mail>, known: &mut Vec<Known>) -> Self {
        let asked = mail.and_then(|mail| mail.reply_to.first()).map(|to| to.email.to_ascii_lowercase());
        let elsewhere = asked.filter(|to| to != who);
        let is_verified = known.iter().any(|one| one.verified);
        let how = match &elsewhere {
            Some(other) => Sender::For(other),
            None if is_verified => Sender::Verified,
            None => Sender::Said,
        };
        let others = [Sender::Verified, Sender::Said].map(|how| email_identity(hasher, who, how));
        if let Some(other) = &elsewhere {
            *known = PersonKey::email(other).map(|by| Known { by, verified: false }).into_iter().collect();
        }
        Self { now: email_identity(hasher, who, how), others: others.to_vec() }
    }

    fn any(&self, identity: IdentityId) -> bool {
        self.now == identity || self.others.contains(&identity)
    }
}

/// The thread that a mail belongs to, in the order of what can be trusted most, and only within its inbox.
fn thread(
    channels: &Channels,
    key: &AccountKey,
    mailbox: &Mailbox,
    mail: Option<&Mail>,
    inbound: &Inbound,
    senders: &Senders,
) -> Threaded {
    let sender = senders.now;
    let hash = |text: &str| channels.intake.hasher.provider_id(key.channel, &key.account, text);
    let fresh = || Threaded {
        // Its id is the sender's to write: the same one from somebody else is another thread.
        thread: hash(&fresh_thread(sender, &inbound.provider_id)),
        identity: sender,
        is_third: false,
        is_fresh: true,
    };
    let Some(mail) = mail else { return fresh() };
    let book = channels.book();
    let address = mail.from.as_ref().map(|from| from.email.to_ascii_lowercase()).unwrap_or_default();
    let of = |evidence: Evidence| {
        let thread = match &evidence {
            Evidence::ReplyToken(thread) => Some(*thread),
            Evidence::OwnInReplyTo(own) | Evidence::OwnReference(own) => Some(own.thread),
            Evidence::InReplyTo(id) | Evidence::Reference(id) => book.thread_of(hash(&named(id))),
            Evidence::SubjectToken(_) => None,
        }?;
        let owner = book.owner_of(thread)?;
        let is_known =
            senders.any(owner) || book.thread_of(hash(&participant(thread, &address))) == Some(thread);
        Some(Found { evidence, thread, sender_is_participant: is_known, subject: String::new() })
    };
    let own = &mailbox.email.address;
    let all = evidence(mail, &mailbox.email.key, &mailbox.email.inbox, own, SubjectTokens::Off);
    let found: Vec<Found> = all.into_iter().filter_map(of).collect();
    let (open, last) = book.threads_of(key, sender);
    let decision = decide(&found, OfSender { open, last }, mailbox.grouping, &mail.subject);
    match decision.place {
        Place::New => fresh(),
        Place::Join { thread, .. } => {
            let identity = book.owner_of(thread).unwrap_or(sender);
            let speaks = book.thread_of(hash(&speaker(thread, &address))) == Some(thread);
            Threaded { thread, identity, is_third: !(speaks || senders.any(identity)), is_fresh: false }
        }
    }
}

/// By what the next mails find this thread: the ids that it has and names, and who takes part in it.
fn aliases(
    channels: &Channels,
    key: &AccountKey,
    mailbox: &Mailbox,
    mail: Option<&Mail>,
    threaded: &Threaded,
    who: &str,
) -> Vec<Hash128> {
    let hash = |text: &str| channels.intake.hasher.provider_id(key.channel, &key.account, text);
    let Some(mail) = mail else { return Vec::new() };
    // A colleague may have answered from elsewhere: what the thread names of mails that we never saw counts too.
    let ids = mail.message_id.iter().chain(mail.in_reply_to.iter()).chain(mail.references.iter().rev());
    let own = &mailbox.email.address;
    let people = mail.to.iter().chain(&mail.cc).map(|address| address.email.to_ascii_lowercase());
    let people = people.filter(|address| !own.same(address));
    let mut all: Vec<Hash128> = vec![hash(&participant(threaded.thread, who))];
    if threaded.is_fresh {
        // Whoever it asks to be answered speaks for it later: of a form, only they do. Nobody else is let in this way afterwards.
        let asked = mail.reply_to.first().map(|to| to.email.to_ascii_lowercase());
        let speakers = std::iter::once(who.to_owned()).chain(asked);
        all.extend(speakers.flat_map(|one| {
            [hash(&participant(threaded.thread, &one)), hash(&speaker(threaded.thread, &one))]
        }));
    }
    all.extend(ids.take(ALIASES_MAX / 2).map(|id| hash(&named(id))));
    all.extend(people.map(|address| hash(&participant(threaded.thread, &address))));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|alias| seen.insert(*alias));
    all.truncate(ALIASES_MAX);
    all
}

/// By what a mail's own thread is known: the mail, and who sent it.
fn fresh_thread(sender: IdentityId, provider_id: &str) -> String {
    format!("thread of {sender} {provider_id}")
}

/// Who speaks for the customer of a thread, besides whoever began it.
fn speaker(thread: Hash128, address: &str) -> String {
    format!("speaker of {thread} {address}")
}

fn named(id: &str) -> String {
    format!("id {id}")
}

/// Keeps the mail as it came, its files and its cleaned HTML, sealed for whose it is. A mail from whose words something was taken
/// out is not kept as it came: it still has that.
async fn keep(
    channels: &Channels,
    key: &AccountKey,
    identity: IdentityId,
    mail: Option<&Mail>,
    content: &mut Content,
    raw: &[u8],
) -> anyhow::Result<()> {
    let files = &channels.files;
    let masks = channels.intake.privacy.mask_of(key.channel, &key.account);
    let mut is_whole = masks.content(&mut content.clone()).is_empty();
    let head = content.mail.get_or_insert_with(|| Box::new(MailHead::default()));
    let Some(mail) = mail else {
        let object = files.keep_as(identity, KeyClass::MailRaw, raw).await?;
        head.raw = Some(attachment(object, "mail.eml", "message/rfc822", raw.len(), false));
        return Ok(());
    };
    let mut inline = BTreeMap::new();
    for part in mail.parts.iter().take(ATTACHMENTS_MAX) {
        let object = files.keep(identity, &part.bytes).await?;
        if let Some(id) = part.content_id.as_ref().filter(|_| part.inline) {
            inline.insert(id.clone(), format!("wb-file:{object}"));
        }
        content.attachments.push(of_part(object, part));
    }
    let left_out = mail.left_out + mail.parts.len().saturating_sub(ATTACHMENTS_MAX);
    if left_out > 0 || mail.cut_bytes > 0 || mail.text_cut {
        tracing::info!(left_out, "a mail is shown in part; the whole lies beside it");
        head.is_cut = true;
    }
    if let Some(html) = &mail.html {
        let options = CleanOptions { remote_images: RemoteImages::Aside, inline };
        let cleaned = clean(html, &options);
        let masked = masks.html(&cleaned.html);
        is_whole &= masked.kinds().is_empty();
        // As long as the words, of which it is another form.
        let object = files.keep_as(identity, KeyClass::Words, masked.text.as_bytes()).await?;
        head.html = Some(attachment(object, "mail.html", "text/html", masked.text.len(), false));
        head.images_aside = u32::try_from(cleaned.images_aside).unwrap_or(u32::MAX);
    }
    if is_whole {
        let object = files.keep_as(identity, KeyClass::MailRaw, raw).await?;
        head.raw = Some(attachment(object, "mail.eml", "message/rfc822", raw.len(), false));
    }
    Ok(())
}

fn of_part(object: Hash128, part: &Part) -> Attachment {
    // A picture that would fill a browser's memory is none for whoever would show it.
    let media_type = if part.media_type.starts_with("image/") {
        file_kind::media_type_of(&part.bytes, &part.name)
    } else {
        &part.media_type
    };
    attachment(object, &part.name, media_type, part.bytes.len(), part.inline)
}

fn attachment(object: Hash128, name: &str, media_type: &str, bytes: usize, inline: bool) -> Attachment {
    let mut end = name.len().min(FILE_NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    Attachment {
        object,
        name: name.get(..end).unwrap_or_default().to_owned(),
        media_type: media_type.to_owned(),
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        inline,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bus::MasterKey;
    use protocol::streams::INBOUND;
    use protocol::{ChannelKind, SubjectToken};
    use serde_json::json;
    use service::Clock;

    use super::*;
    use crate::channels::accounts::{Making, of_row};
    use crate::channels::carrier::{ANSWER_WITHIN, Client};
    use crate::channels::mail_key;
    use crate::channels::tests::{World, world};

    fn hasher() -> IdHasher {
        let dir = tempfile::tempdir().unwrap();
        IdHasher::new(&MasterKey::load_or_create(&dir.path().join("key")).unwrap())
    }

    #[tokio::test]
    async fn mails_that_break_their_reader_are_messages_of_their_own() {
        let hasher = hasher();
        let mut ids = Vec::new();
        for raw in ["one", "two", "two"] {
            let sorted = sort(&hasher, Bytes::from(raw), |_| panic!("it breaks")).await;
            let Parsed::Message(inbound) = sorted.parsed else { panic!("no message") };
            assert!(inbound.content.mail.unwrap().unreadable);
            ids.push((inbound.provider_id, inbound.identity));
        }
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[1], ids[2], "the same bytes are the same mail");
    }

    #[test]
    fn the_same_id_of_two_senders_is_two_threads() {
        let hasher = hasher();
        let of = |address| email_identity(&hasher, address, Sender::Said);
        let (ann, ben) = (of("ann@c.test"), of("ben@c.test"));
        assert_ne!(fresh_thread(ann, "<1@c.test>"), fresh_thread(ben, "<1@c.test>"));
        assert_eq!(fresh_thread(ann, "<1@c.test>"), fresh_thread(ann, "<1@c.test>"));
    }

    fn senders(head: &str, verified: bool) -> (Senders, Vec<Known>) {
        let raw = format!("From: Ann <Ann@C.test>\r\n{head}Subject: x\r\n\r\nwords\r\n");
        let mail = channel_email::read(raw.as_bytes(), &channel_email::Limits::default()).unwrap();
        let mut known = vec![Known { by: PersonKey::email("ann@c.test").unwrap(), verified }];
        let senders = Senders::of(&hasher(), "ann@c.test", Some(&mail), &mut known);
        (senders, known)
    }

    #[test]
    fn who_only_says_to_be_somebody_is_not_them() {
        let hasher = hasher();
        let (ann, known) = senders("", true);
        let (claimed, said) = senders("Reply-To: ann@c.test\r\n", false);
        assert!(known[0].verified && !said[0].verified);
        let of = |how| email_identity(&hasher, "ann@c.test", how);
        assert_ne!(of(Sender::Verified), of(Sender::Said));
        assert_ne!(ann.now, claimed.now, "a forged sender opens nobody's past");
    }

    #[test]
    fn who_writes_for_others_is_as_many_as_they_write_for() {
        let (one, known) = senders("Reply-To: Ben@D.test\r\n", true);
        let (two, _) = senders("Reply-To: cem@e.test\r\n", true);
        assert_ne!(one.now, two.now, "a form's customers are no single one");
        assert_eq!(known, [Known { by: PersonKey::email("ben@d.test").unwrap(), verified: false }]);
    }

    #[tokio::test]
    async fn a_mail_with_a_card_is_kept_without_it_and_not_as_it_came() {
        let world = world(false).await;
        let ann = email_identity(&world.channels.intake.hasher, "ann@c.test", Sender::Said);
        for (last, is_card) in [(1, true), (2, false)] {
            let head = "From: ann@c.test\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n";
            let raw = format!("{head}<p>4111 <b>1111</b>&nbsp;1111 111{last}</p>\r\n");
            let mail = channel_email::read(raw.as_bytes(), &channel_email::Limits::default()).unwrap();
            let mut content = Content::words("see below");
            let key = crate::channels::tests::key();
            keep(&world.channels, &key, ann, Some(&mail), &mut content, raw.as_bytes()).await.unwrap();
            let head = content.mail.unwrap();
            assert_eq!(head.raw.is_none(), is_card);
            let html = world.channels.files.fetch(ann, head.html.unwrap().object).await.unwrap().unwrap();
            let html = String::from_utf8_lossy(&html).into_owned();
            assert_eq!(html.contains("•••• 1111 (card number removed)"), is_card, "{html}");
            assert_eq!(html.contains("4111"), !is_card, "{html}");
        }
    }

    impl World {
        /// An inbox of ours at servers that nobody asks.
        pub(in crate::channels) fn inbox(&self, name: &str) -> (AccountKey, Arc<Mailbox>) {
            self.inbox_of(name, &format!("{name}@shop.test"))
        }

        /// One that is signed in to as this user.
        fn inbox_of(&self, name: &str, user: &str) -> (AccountKey, Arc<Mailbox>) {
            let key = AccountKey { channel: ChannelKind::Email, account: SubjectToken::new(name).unwrap() };
            let (imap, smtp) = ("imap://127.0.0.1:9", "smtp://127.0.0.1:9");
            let address = format!("{name}@shop.test");
            let settings =
                json!({ "address": address, "imap": imap, "smtp": smtp, "user": user, "password": "set" });
            let secrets = [("password".to_owned(), "x".to_owned())].into();
            let making = Making {
                client: Client::new(ANSWER_WITHIN).unwrap(),
                mail_key: mail_key(&self.channels.intake.hasher),
                clock: Clock::system(),
                public_url: "https://us.example".to_owned(),
            };
            let account = of_row(&key, settings.as_object().unwrap(), &secrets, &making).unwrap();
            let mailbox = account.mailbox.clone().unwrap();
            self.channels.accounts.put(account);
            (key, mailbox)
        }

        /// What became of a mail in an inbox, and how many inputs there are then.
        async fn takes(&self, (key, mailbox): &(AccountKey, Arc<Mailbox>), raw: &[u8]) -> (Taken, usize) {
            let taken = take(&self.channels, key, mailbox, raw.to_vec(), false).await.unwrap();
            let inputs = self.channels.intake.bus.read_range(INBOUND, 1, u64::MAX, 100).await.unwrap();
            (taken, inputs.len())
        }
    }

    #[tokio::test]
    async fn a_canarys_mail_is_taken_out_of_every_inbox_of_ours_and_said_by_its_own() {
        let world = world(false).await;
        let (support, sales) = (world.inbox("support"), world.inbox("sales"));
        let mail = |thread| {
            let message = MessageId(Uuid::now_v7());
            support.1.email.to_itself(message, thread, world.channels.now()).unwrap().bytes
        };
        let of_canary = mail(canary::thread(&world.channels, &support.0));
        assert_eq!(world.takes(&sales, &of_canary).await, (Taken::Canary, 0), "a list brought it there");
        assert_eq!(world.takes(&support, &of_canary).await, (Taken::Canary, 1));
        let beside = world.inbox_of("returns", "support@shop.test");
        let next = mail(canary::thread(&world.channels, &support.0));
        assert_eq!(world.takes(&beside, &next).await, (Taken::Canary, 2), "it is the same mailbox");
        assert_eq!(
            world.takes(&sales, &mail(Hash128([1; 16]))).await,
            (Taken::Theirs, 3),
            "its like in another thread is what any mail is"
        );
    }

    #[tokio::test]
    async fn a_report_on_a_canarys_mail_is_taken_out_and_what_people_or_their_machines_say_of_it_stays() {
        let world = world(false).await;
        let (support, sales) = (world.inbox("support"), world.inbox("sales"));
        let thread = canary::thread(&world.channels, &support.0);
        let message = MessageId(Uuid::now_v7());
        let sent = support.1.email.to_itself(message, thread, world.channels.now()).unwrap();
        let head = "From: MAILER-DAEMON@mx.test\r\nReturn-Path: <>\r\nSubject: Undelivered Mail\r\n\
                    MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n";
        let failed = "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n\
                      Final-Recipient: rfc822; support@shop.test\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n";
        let id = &sent.message_id;
        let returned = format!("--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{id}>\r\n\r\n");
        let bounce = format!("{head}{failed}{returned}--b--\r\n");
        let answer = format!("From: ann@c.test\r\nSubject: Re: tried\r\nIn-Reply-To: <{id}>\r\n");
        let away = format!("{answer}Auto-Submitted: auto-replied\r\n\r\nI am away.\r\n");
        for inbox in [&support, &sales] {
            assert_eq!(world.takes(inbox, bounce.as_bytes()).await, (Taken::Canary, 0));
            assert_eq!(world.takes(inbox, away.as_bytes()).await, (Taken::Theirs, 0));
        }
        let refused = &world.channels.intake.kit.metrics.refused_total;
        assert_eq!(refused.get(["email", "unknown_message"]), 0);
        let asks = format!("{answer}\r\nWhat is this?\r\n");
        assert_eq!(world.takes(&support, asks.as_bytes()).await, (Taken::Theirs, 1));
    }

    #[test]
    fn a_picture_that_fills_a_browsers_memory_is_shown_to_nobody() {
        let of = |side: u32| {
            let start =
                [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &side.to_be_bytes(), &side.to_be_bytes()];
            let picture = [&start.concat(), b"\x08\x02\0\0\0\0\0\0\0".as_slice()].concat();
            let head = "From: ann@c.test\r\nMIME-Version: 1.0\r\nContent-Type: image/png; name=x.png\r\n\
                        Content-Transfer-Encoding: base64\r\n\r\n";
            let raw = format!("{head}{}\r\n", STANDARD.encode(picture));
            let mail = channel_email::read(raw.as_bytes(), &channel_email::Limits::default()).unwrap();
            of_part(Hash128([0; 16]), &mail.parts[0]).media_type
        };
        assert_eq!((of(300).as_str(), of(30_000).as_str()), ("image/png", "application/octet-stream"));
    }
}
