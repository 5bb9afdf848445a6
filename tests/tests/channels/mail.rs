//! A shop's inbox on real mail servers: in, answered, threaded, bounced, looped, away and back.

use protocol::Outcome;
use protocol::content::MailAddress;
use protocol::delivery::{Delivery, DeliveryState};
use protocol::desk::{DeskCommand, DeskContact, ReplyWith, ToDesk};
use protocol::ids::MessageId;
use protocol::record::EntryKind;
use protocol::streams::DELIVERIES;
use tests::desk::Desk;
use tests::{Product, eventually};

use crate::mailhost::MailHost;
use crate::partner::SOON;
use crate::seat::{reply, take};

pub(crate) const SUPPORT: &str = "support@example.test";
pub(crate) const SALES: &str = "sales@example.test";
pub(crate) const ANN: &str = "ann@customer.test";
const BEN: &str = "ben@customer.test";

pub(crate) struct Scene {
    pub(crate) product: Product,
    pub(crate) host: MailHost,
    pub(crate) anna: Desk,
}

async fn scene(variables: &[(&str, &str)], inboxes: &[(&str, &str)]) -> Option<Scene> {
    let host = MailHost::start(&[SUPPORT, SALES, ANN, BEN]).await?;
    let tables: Vec<String> = inboxes.iter().map(|(name, address)| host.account(name, address)).collect();
    Some(scene_of(host, variables, &tables.join("\n"), &[]).await)
}

/// The product with these accounts, and files beside their configuration.
pub(crate) async fn scene_of(
    host: MailHost,
    variables: &[(&str, &str)],
    tables: &str,
    files: &[(&str, &str)],
) -> Scene {
    let mut product = Product::empty().await;
    let folder = product.folder().join("config");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("channels.toml"), tables).unwrap();
    for (name, content) in files.iter().chain(&[("mail.secret", MailHost::password())]) {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let routing = include_str!("../../../deploy/config/routing.toml");
    let more = "\n[[account]]\nchannel = \"email\"\nname = \"sales\"\ntitle = \"Sales\"\nqueue = \"service\"\npriority = 3\n";
    std::fs::write(folder.join("routing.toml"), format!("{routing}{more}")).unwrap();
    let config = ("WINTERBAND_CONFIG", folder.to_str().unwrap());
    let all: Vec<(&str, &str)> = std::iter::once(config).chain(variables.iter().copied()).collect();
    product.start_with("routing", &["routing"], &[config]).await;
    product.ready("routing").await;
    product.start("rest", &["views", "desk", "api"]).await;
    product.start_with("channels", &["channels"], &all).await;
    product.ready("channels").await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, host, anna }
}

pub(crate) fn mail(id: &str, from: &str, subject: &str, more: &str, text: &str) -> String {
    format!(
        "From: Ann Customer <{from}>\nTo: {SUPPORT}\nMessage-ID: <{id}@customer.test>\nDate: Sat, 28 Nov 2026 10:00:00 +0000\nSubject: {subject}\n{more}\n{text}\n"
    )
}

async fn deliveries(product: &Product) -> Vec<Delivery> {
    let bus = product.bus().await;
    let items = bus.read_range(DELIVERIES, 1, u64::MAX, 10_000).await.unwrap();
    items.iter().map(|item| serde_json::from_slice(&item.payload).unwrap()).collect()
}

pub(crate) async fn reaches(scene: &Scene, message: MessageId, state: DeliveryState) -> Delivery {
    let what = format!("a message is {}", state.as_str());
    eventually(&what, std::time::Duration::from_secs(40), || async {
        let all = deliveries(&scene.product).await;
        all.into_iter().find(|delivery| delivery.message == Some(message) && delivery.state == state)
    })
    .await
}

/// Waits for the next entry of a conversation that a desk shows.
async fn hears(desk: &mut Desk, text: &str) -> protocol::desk::DeskEntry {
    desk.until(&format!("the desk hears {text:?}"), |frame| match frame {
        ToDesk::Entry { entry, .. } if entry.text.as_deref().is_some_and(|said| said.contains(text)) => {
            Some(entry.clone())
        }
        _ => None,
    })
    .await
}

/// The value of a header, on one line.
fn header(mail: &str, name: &str) -> Option<String> {
    let head: Vec<&str> = mail.lines().take_while(|line| !line.trim().is_empty()).collect();
    let head = head.join("\n").replace("\n ", " ").replace("\n\t", " ");
    head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim().to_owned()))
}

/// Where an answer to a mail goes.
fn reply_to(mail: &str) -> String {
    header(mail, "Reply-To").unwrap().rsplit('<').next().unwrap().trim_end_matches('>').to_owned()
}

fn said(contact: &DeskContact, text: &str) -> protocol::desk::DeskEntry {
    let entries = &contact.entries;
    entries
        .iter()
        .find(|entry| entry.text.as_deref().is_some_and(|said| said.contains(text)))
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_mailbox_that_was_set_up_anew_loses_and_repeats_nothing() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    for n in 1..=3 {
        let id = format!("old-{n}");
        scene.host.send(ANN, SUPPORT, &mail(&id, ANN, &id, "", &format!("Before, number {n}"))).await;
        take(&mut scene.anna).await;
    }
    scene.host.stop_dovecot();
    scene.host.renumber(SUPPORT);
    scene.host.start_dovecot().await;
    scene.host.send(ANN, SUPPORT, &mail("new", ANN, "new", "", "After it was set up anew")).await;
    let (_, contact) = take(&mut scene.anna).await;
    said(&contact, "After it was set up anew");
    // All four lie there under numbers that mean other mails by now; each was taken once.
    assert_eq!(scene.host.mails(SUPPORT).len(), 4);
    let (_, ledger) = scene.product.ledger().await;
    assert_eq!(ledger["messages"]["recorded"], 4, "{ledger:#}");
}

#[tokio::test]
async fn a_mail_is_answered_in_its_thread() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    scene
        .host
        .send(ANN, SUPPORT, &mail("one", ANN, "Where is my tyre?", "", "It has not come.\n\nAnn"))
        .await;
    let (_, contact) = take(&mut scene.anna).await;
    let first = said(&contact, "It has not come.");
    let head = first.mail.unwrap();
    assert_eq!((head.subject.as_str(), head.from.unwrap().address.as_str()), ("Where is my tyre?", ANN));
    let answer = reply(&mut scene.anna, contact.contact, "It comes tomorrow.").await;
    let got = scene.host.arrives(ANN, "It comes tomorrow.").await;
    assert_eq!(header(&got, "Subject").as_deref(), Some("Re: Where is my tyre?"));
    assert_eq!(header(&got, "In-Reply-To").as_deref(), Some("<one@customer.test>"));
    assert!(header(&got, "From").unwrap().contains(SUPPORT));
    assert!(got.contains("North & Needle"), "the inbox's signature");
    reaches(&scene, answer, DeliveryState::Accepted).await;
    // The customer's own client answers it, quoting: to the signed address, and again without any of our headers but one.
    let id = header(&got, "Message-ID").unwrap();
    let reply_to = reply_to(&got);
    let quoting = "Thank you!\n\nOn Sat, 28 Nov 2026 at 11:00, North & Needle wrote:\n> It comes tomorrow.";
    let more = format!("In-Reply-To: {id}\nReferences: <one@customer.test> {id}\n");
    scene.host.send(ANN, &reply_to, &mail("two", ANN, "Re: Where is my tyre?", &more, quoting)).await;
    let heard = hears(&mut scene.anna, "Thank you!").await;
    assert_eq!(heard.mail.unwrap().new_bytes, Some("Thank you!".len()), "the rest is folded");
    assert_eq!(heard.contact, contact.contact);
    // A stranger who names the same mail gets no look at it.
    let stolen = mail("three", BEN, "Re: Where is my tyre?", &more, "Let me in");
    scene.host.send(BEN, SUPPORT, &stolen).await;
    let (_, other) = take(&mut scene.anna).await;
    assert_ne!(other.contact, contact.contact);
    assert_eq!(other.entries.iter().filter(|entry| entry.text.is_some()).count(), 1, "{:?}", other.entries);
    // In the customer's mailbox a real server's own threading puts question and answer together.
    let sent = mail("one", ANN, "Where is my tyre?", "", "It has not come.");
    scene.host.send(ANN, ANN, &sent).await;
    eventually("both lie there", SOON, || async { (scene.host.mails(ANN).len() == 2).then_some(()) }).await;
    let threads = scene.host.threads(ANN).await;
    assert_eq!(threads.matches('(').count(), 1, "one thread: {threads}");
    let (balances, ledger) = scene.product.ledger().await;
    assert!(balances, "{ledger:#}");
}

#[tokio::test]
async fn a_third_party_is_asked_and_their_answer_comes_back() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    scene.host.send(ANN, SUPPORT, &mail("one", ANN, "My parcel", "", "Did the carrier lose it?")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let ben = MailAddress { address: BEN.to_owned(), name: Some("Carrier".to_owned()) };
    let with = ReplyWith { forward_to: vec![ben], ..ReplyWith::default() };
    let message = MessageId(uuid::Uuid::now_v7());
    let forward = DeskCommand::Reply {
        contact: contact.contact,
        message,
        text: "Do you have this one?".to_owned(),
        with: Some(Box::new(with)),
    };
    assert_eq!(scene.anna.command(forward).await, Outcome::Done);
    let got = scene.host.arrives(BEN, "Do you have this one?").await;
    assert!(
        got.contains("Did the carrier lose it?") && header(&got, "Subject").unwrap().starts_with("Fwd: "),
        "{got}"
    );
    assert!(scene.host.mails(ANN).is_empty(), "the customer is not told");
    let reply_to = reply_to(&got);
    let more = format!("In-Reply-To: {}\n", header(&got, "Message-ID").unwrap());
    scene
        .host
        .send(BEN, &reply_to, &mail("found", BEN, "Re: Fwd: My parcel", &more, "Found it in Utrecht."))
        .await;
    let heard = hears(&mut scene.anna, "Found it in Utrecht.").await;
    assert_eq!(heard.contact, contact.contact);
    let head = heard.mail.unwrap();
    assert!(head.third_party && head.from.unwrap().address == BEN);
    // What is answered next goes to the customer again.
    reply(&mut scene.anna, contact.contact, "It is in Utrecht.").await;
    scene.host.arrives(ANN, "It is in Utrecht.").await;
    assert!(scene.host.mails(BEN).iter().all(|mail| !mail.contains("It is in Utrecht.")));
}

#[tokio::test]
async fn a_forms_customer_answers_as_themselves() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    let form = mail("form", BEN, "By the form", &format!("Reply-To: {ANN}\n"), "I filled in your form.");
    scene.host.send(BEN, SUPPORT, &form).await;
    let (_, contact) = take(&mut scene.anna).await;
    reply(&mut scene.anna, contact.contact, "We have it.").await;
    let got = scene.host.arrives(ANN, "We have it.").await;
    let more = format!("In-Reply-To: {}\n", header(&got, "Message-ID").unwrap());
    let answer = mail("again", ANN, "Re: By the form", &more, "Thank you all.");
    scene.host.send(ANN, &reply_to(&got), &answer).await;
    let heard = hears(&mut scene.anna, "Thank you all.").await;
    assert_eq!(heard.contact, contact.contact);
    assert!(!heard.mail.unwrap().third_party, "the form asked for them to be answered");
    // The form's next customer is somebody else.
    let other = mail("other", BEN, "By the form", &format!("Reply-To: {SALES}\n"), "And so did I.");
    scene.host.send(BEN, SUPPORT, &other).await;
    let (_, second) = take(&mut scene.anna).await;
    assert_ne!(second.conversation, contact.conversation);
}

#[tokio::test]
async fn a_bounce_is_tied_to_its_message_and_the_address_rests() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    let nobody = "nobody@customer.test";
    scene.host.send(nobody, SUPPORT, &mail("one", nobody, "Hello", "", "Write to me")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let first = reply(&mut scene.anna, contact.contact, "We did").await;
    let bounced = reaches(&scene, first, DeliveryState::Failed).await;
    assert_eq!(bounced.reason.as_deref(), Some("address_unknown"), "{}", scene.host.log());
    let second = reply(&mut scene.anna, contact.contact, "And again").await;
    assert_eq!(reaches(&scene, second, DeliveryState::Failed).await.reason.as_deref(), Some("suppressed"));
    // The report is no message of a customer's.
    let (_, ledger) = scene.product.ledger().await;
    assert_eq!(ledger["messages"]["recorded"], 1, "{ledger:#}");
    // Who writes again is there again.
    scene
        .host
        .send(
            nobody,
            SUPPORT,
            &mail("two", nobody, "Re: Hello", "References: <one@customer.test>\n", "I am back"),
        )
        .await;
    hears(&mut scene.anna, "I am back").await;
    let third = reply(&mut scene.anna, contact.contact, "Welcome").await;
    reaches(&scene, third, DeliveryState::Accepted).await;
}

#[tokio::test]
async fn a_copy_that_bounces_leaves_the_customer_where_they_are() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    scene.host.send(ANN, SUPPORT, &mail("one", ANN, "My tyre", "", "Where is it?")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let nobody = MailAddress { address: "nobody@customer.test".to_owned(), name: None };
    let message = MessageId(uuid::Uuid::now_v7());
    let with = ReplyWith { cc: vec![nobody], ..ReplyWith::default() };
    let copied = DeskCommand::Reply {
        contact: contact.contact,
        message,
        text: "On its way".to_owned(),
        with: Some(Box::new(with)),
    };
    assert_eq!(scene.anna.command(copied).await, Outcome::Done);
    let bounced = reaches(&scene, message, DeliveryState::Failed).await;
    assert_eq!(bounced.reason.as_deref(), Some("recipient_unknown"), "{}", scene.host.log());
    let next = reply(&mut scene.anna, contact.contact, "It is there").await;
    reaches(&scene, next, DeliveryState::Accepted).await;
    scene.host.arrives(ANN, "It is there").await;
}

#[tokio::test]
async fn two_inboxes_of_ours_that_mail_each_other_come_to_rest() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT), ("sales", SALES)]).await else { return };
    scene.host.send(ANN, SUPPORT, &mail("one", ANN, "An offer, please", "", "For four tyres")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let sales = MailAddress { address: SALES.to_owned(), name: None };
    let with = ReplyWith { forward_to: vec![sales], ..ReplyWith::default() };
    let message = MessageId(uuid::Uuid::now_v7());
    let text = "For you?".to_owned();
    let forward = DeskCommand::Reply { contact: contact.contact, message, text, with: Some(Box::new(with)) };
    assert_eq!(scene.anna.command(forward).await, Outcome::Done);
    let (_, at_sales) = take(&mut scene.anna).await;
    assert_ne!(at_sales.contact, contact.contact, "the other inbox has a contact of its own");
    reply(&mut scene.anna, at_sales.contact, "Yes, ours").await;
    let heard = hears(&mut scene.anna, "Yes, ours").await;
    // One machine answers another one's answers: each is shown, wakes nobody, and after twenty they are put aside.
    let automatic = "Auto-Submitted: auto-replied\nReferences: <one@customer.test>\n";
    for n in 0..25 {
        let id = format!("machine-{n}");
        scene
            .host
            .send(ANN, SUPPORT, &mail(&id, ANN, "Out of office", automatic, &format!("I am away {n}")))
            .await;
    }
    let ledger = scene
        .product
        .ledger_until("the loop is broken", SOON * 2, |ledger| ledger["messages"]["recorded"] == 23)
        .await;
    assert_eq!(ledger["contacts"]["with_agents"], 2, "no machine opened one: {ledger:#}");
    let bus = scene.product.bus().await;
    let parked = eventually("five are kept for a person", SOON, || async {
        let parked = bus.read_range(protocol::streams::PARKED, 1, u64::MAX, 100).await.unwrap();
        (parked.len() == 5).then_some(parked)
    })
    .await;
    assert_eq!(parked.len(), 5);
    assert!(matches!(heard.kind, EntryKind::FromAgent { .. } | EntryKind::FromCustomer));
    assert!(scene.host.mails(ANN).is_empty(), "no machine of ours answered one");
}

#[tokio::test]
async fn after_an_outage_everything_comes_and_a_huge_mail_holds_up_nobody() {
    let Some(mut scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    scene.product.stop("channels");
    // 50 MB in front, then people; one mail that is none.
    let mut huge = mail("huge", BEN, "Pictures", "Content-Type: application/octet-stream; name=\"all.bin\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"all.bin\"\n", "").into_bytes();
    huge.extend(
        std::iter::repeat_n(
            &b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"[..],
            600_000,
        )
        .flatten(),
    );
    scene.host.send_bytes(BEN, SUPPORT, &huge).await;
    for n in 0..5 {
        let id = format!("while-away-{n}");
        scene
            .host
            .send(ANN, SUPPORT, &mail(&id, ANN, &format!("Question {n}"), "", &format!("Are you there {n}?")))
            .await;
    }
    eventually("all lie there", SOON, || async { (scene.host.mails(SUPPORT).len() == 6).then_some(()) })
        .await;
    scene.host.stop_dovecot();
    scene.product.again("channels");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    scene.host.start_dovecot().await;
    let mut order = Vec::new();
    for _ in 0..6 {
        let (_, contact) = take(&mut scene.anna).await;
        order.push(
            contact
                .entries
                .iter()
                .find_map(|entry| entry.mail.as_ref().map(|mail| mail.subject.clone()))
                .unwrap(),
        );
    }
    order[..5].sort();
    let small: Vec<String> = (0..5).map(|n| format!("Question {n}")).collect();
    assert_eq!(order[..5], small, "all before the huge one");
    assert_eq!(order[5], "Pictures");
    let (_, ledger) = scene.product.ledger().await;
    assert_eq!(
        (&ledger["messages"]["recorded"], &ledger["messages"]["duplicates"]),
        (&6.into(), &0.into()),
        "{ledger:#}"
    );
    // A rebuilt mailbox gives everything again, and nothing is taken twice.
    scene.host.send(ANN, SUPPORT, &mail("after", ANN, "After", "", "And now?")).await;
    let (_, last) = take(&mut scene.anna).await;
    said(&last, "And now?");
    // A process that knows nothing of the mailbox finds what was never read, and only that.
    scene.product.stop("channels");
    let cursors = scene.product.bus().await.ensure_bucket(&bus::places::cursors()).await.unwrap();
    cursors.delete("support").await.unwrap();
    scene.host.send(ANN, SUPPORT, &mail("anew", ANN, "Anew", "", "Is anybody there?")).await;
    eventually("it lies there", SOON, || async { (scene.host.mails(SUPPORT).len() == 8).then_some(()) })
        .await;
    scene.product.again("channels");
    let (_, anew) = take(&mut scene.anna).await;
    said(&anew, "Is anybody there?");
    let (_, ledger) = scene.product.ledger().await;
    assert_eq!(ledger["messages"]["recorded"], 8, "{ledger:#}");
}

#[tokio::test]
async fn a_mail_that_was_handed_over_when_the_process_died_is_shown_as_unknown_and_not_sent_again() {
    let window = ("WINTERBAND_FAILPOINT", "channels.after_handover_before_result");
    let Some(mut scene) = scene(&[window], &[("support", SUPPORT)]).await else { return };
    scene.host.send(ANN, SUPPORT, &mail("one", ANN, "Hello", "", "Once, please")).await;
    let (_, contact) = take(&mut scene.anna).await;
    let message = reply(&mut scene.anna, contact.contact, "Said once").await;
    scene.host.arrives(ANN, "Said once").await;
    let product = &mut scene.product;
    eventually("the process died", SOON, || {
        let ended = product.process("channels").ended();
        async move { ended }
    })
    .await;
    scene.product.arm("channels", "WINTERBAND_FAILPOINT", "");
    scene.product.again("channels");
    reaches(&scene, message, DeliveryState::Unknown).await;
    // What comes after it goes all the same.
    let next = reply(&mut scene.anna, contact.contact, "Said after").await;
    reaches(&scene, next, DeliveryState::Accepted).await;
    let got = scene.host.mails(ANN);
    assert_eq!(got.iter().filter(|mail| mail.contains("Said once")).count(), 1);
}

#[tokio::test]
async fn credentials_of_a_mailbox_are_tried_by_a_command() {
    let Some(scene) = scene(&[], &[("support", SUPPORT)]).await else { return };
    let folder = scene.product.folder().join("config");
    let args = ["--config", folder.to_str().unwrap(), "channel", "check", "support"];
    let (code, out, err) = scene.product.command(&args).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("sign in by imap")
            && out.contains("INBOX holds 0 mails")
            && out.contains("sign in by smtp"),
        "{out}"
    );
    std::fs::write(folder.join("mail.secret"), "wrong").unwrap();
    let (code, out, _) = scene.product.command(&args).await;
    assert_eq!(code, 1);
    assert!(out.contains("look at user and password"), "{out}");
}
