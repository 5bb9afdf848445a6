//! What goes on after, before and beside a contact: customers are asked how it was, agents write first, and who writes by another channel
//! keeps their agent.

use protocol::command::{Outcome, Refusal};
use protocol::desk::{BeginTo, DeskBegin, DeskCommand, DeskContact, ToDesk};
use protocol::streams::CONTACTS;
use protocol::{ChannelKind, ContactId, MessageId, Record};
use serde_json::Value;
use tests::Product;
use tests::desk::Desk;

use crate::messaging::{ANN, Form, Messaging, OURS, PUBLIC, SID, Signer, TOKEN, joins, post};
use crate::scene::{self, Scene, texts};
use crate::seat::{reply, take};

const FEEDBACK: &str =
    "\n[feedback]\nquestions = [\"satisfaction\", \"recommend\"]\npoor = 2\nrisk = \"10d\"\n";
const SATISFACTION: &str = "How did we do, 1 to 5?";
const RECOMMEND: &str = "Would you recommend us, 0 to 10?";

struct Twilio {
    api: Messaging,
    signer: Signer,
    texted: u32,
}

/// With a number for text messages and WhatsApp.
async fn scene() -> Scene<Twilio> {
    let api = Messaging::open().await;
    let mut product = Product::empty().await;
    let table: String = ["sms", "whatsapp"]
        .map(|channel| {
            let provider = if channel == "whatsapp" { "provider = \"twilio\"\n" } else { "" };
            format!(
                "[[{channel}]]\naccount = \"shop\"\n{provider}sid = \"{SID}\"\ntoken = {{ file = \"twilio.token\" }}\nfrom = \"{OURS}\"\napi = \"{}\"\n\
                 ask_satisfaction = \"{SATISFACTION}\"\nask_recommend = \"{RECOMMEND}\"\n",
                api.url
            )
        })
        .concat();
    let floor = tests::floor_with(&[("sms", "shop"), ("whatsapp", "shop")]) + FEEDBACK;
    let files = [("twilio.token", TOKEN), ("routing.toml", floor.as_str())];
    let url = joins(&mut product, &["sms", "whatsapp"], &table, &files, &[]).await;
    let mut anna = Desk::open(&product, "rest", "rest", "anna").await;
    anna.online().await;
    Scene { product, provider: Twilio { api, signer: Signer::start(), texted: 0 }, anna, url }
}

impl Scene<Twilio> {
    /// Ann writes.
    async fn writes(&mut self, channel: &str, text: &str) {
        self.provider.texted += 1;
        let prefix = if channel == "whatsapp" { "whatsapp:" } else { "" };
        let fields = [
            ("MessageSid", format!("SM{:032x}", self.provider.texted)),
            ("AccountSid", SID.to_owned()),
            ("From", format!("{prefix}{ANN}")),
            ("To", format!("{prefix}{OURS}")),
            ("Body", text.to_owned()),
            ("NumMedia", "0".to_owned()),
            ("SmsStatus", "received".to_owned()),
        ];
        let form: Form = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let signature =
            self.provider.signer.signs(TOKEN, &format!("{PUBLIC}/in/{channel}/shop"), &form).await;
        let url = self.url.replace("/in/sms/", &format!("/in/{channel}/"));
        assert_eq!(post(&url, &signature, &form).await.0, 200);
    }

    async fn resolves(&mut self, contact: ContactId) {
        let disposition = "answered".parse().unwrap();
        let resolve = DeskCommand::Resolve { contact, disposition, fields: [].into_iter().collect() };
        assert_eq!(self.anna.command(resolve).await, Outcome::Done);
    }

    async fn begins(&mut self, address: &str, contact: Option<ContactId>, text: &str) -> Outcome {
        let begin = DeskBegin {
            channel: ChannelKind::Sms,
            account: "shop".parse().unwrap(),
            to: BeginTo::Typed { address: address.to_owned() },
            queue: "service".parse().unwrap(),
            contact,
            message: MessageId(uuid::Uuid::now_v7()),
            text: text.to_owned(),
            with: None,
        };
        self.anna.command(DeskCommand::Begin(Box::new(begin))).await
    }

    async fn shown(&mut self, what: &str, is_it: impl Fn(&DeskContact) -> bool) -> DeskContact {
        self.anna
            .until(what, |frame| match frame {
                ToDesk::Contact(contact) if is_it(contact) => Some((**contact).clone()),
                _ => None,
            })
            .await
    }
}

#[tokio::test]
async fn after_a_contact_its_customer_is_asked_and_who_was_unhappy_comes_first() {
    let mut scene = scene().await;
    scene.writes("sms", "Where is my tyre?").await;
    let (_, contact) = take(&mut scene.anna).await;
    reply(&mut scene.anna, contact.contact, "It will come.").await;
    scene.resolves(contact.contact).await;
    scene.provider.api.hears(SATISFACTION).await;
    scene.writes("sms", "2").await;
    scene.provider.api.hears(RECOMMEND).await;
    scene.writes("sms", " 0. ").await;
    // They are asked for nothing more, and a number opened nothing again.
    let end = DeskCommand::EndWrapUp { contact: contact.contact };
    assert_eq!(scene.anna.command(end).await, Outcome::Done);
    scene.writes("sms", "It is still not here").await;
    take(&mut scene.anna).await;
    let records = scene.product.bus().await.read_range(CONTACTS, 1, u64::MAX, 100_000).await.unwrap();
    let all: Vec<Value> = records
        .iter()
        .flat_map(|item| {
            let record: Record = serde_json::from_slice(&item.payload).unwrap();
            record.events.into_iter().map(|event| serde_json::to_value(event).unwrap())
        })
        .collect();
    let given: Vec<_> = all
        .iter()
        .filter(|event| event["entry"]["is"] == "feedback_given")
        .map(|event| (event["entry"]["question"].clone(), event["entry"]["score"].clone()))
        .collect();
    assert_eq!(given, [("satisfaction".into(), 2.into()), ("recommend".into(), 0.into())]);
    assert!(all.iter().any(|event| event["event"] == "at_risk"), "they come first from here");
    let last = all.iter().rfind(|event| event["event"] == "queued").unwrap();
    assert_eq!((&last["priority"], &last["why"]), (&0.into(), &"at_risk".into()));
}

#[tokio::test]
async fn who_writes_by_another_channel_goes_on_with_the_agent_that_they_have() {
    let mut scene = scene().await;
    scene.writes("sms", "By text message").await;
    let (_, first) = take(&mut scene.anna).await;
    scene.writes("whatsapp", "And now here").await;
    let moved = scene.goes_on(&first).await;
    assert_eq!(moved.channel, ChannelKind::Whatsapp);
    // What was said before is there, and the answer goes where the customer is.
    let token = scene::token(&scene.product, "anna").await;
    let page =
        scene::customer(&scene.product, &token, moved.conversation, |page| texts(page).len() == 2).await;
    assert_eq!(texts(&page), ["By text message", "And now here"]);
    reply(&mut scene.anna, first.contact, "I am with you").await;
    let sent = scene.provider.api.hears("I am with you").await;
    assert_eq!(sent.get("To"), Some(format!("whatsapp:{ANN}").as_str()));
}

#[tokio::test]
async fn an_agent_writes_first_and_the_answer_comes_to_them() {
    let mut scene = scene().await;
    let refused = scene.begins("06 12345678", None, "Your tyres are here").await;
    assert_eq!(refused, Outcome::Refused { refusal: Refusal::BadAddress });
    assert_eq!(scene.begins("+31 6 12 34 56 78", None, "Your tyres are here").await, Outcome::Done);
    let sent = scene.provider.api.hears("Your tyres are here").await;
    assert_eq!((sent.get("To"), sent.get("From")), (Some(ANN), Some(OURS)));
    let begun = scene.shown("the new contact", |contact| contact.channel == ChannelKind::Sms).await;
    scene.writes("sms", "I come at four").await;
    let heard = scene.hears("the answer", |entry| entry.text.as_deref() == Some("I come at four")).await;
    assert_eq!(heard.contact, begun.contact, "the same contact, with who began it");
    let again = scene.begins("+31612345678", None, "Hello?").await;
    assert_eq!(again, Outcome::Refused { refusal: Refusal::AlreadyOpen });
    // Who does not want to be written to is not.
    scene.writes("sms", "STOP").await;
    scene.resolves(begun.contact).await;
    let refused = scene.begins("+31612345678", None, "Hello?").await;
    assert_eq!(refused, Outcome::Refused { refusal: Refusal::OptedOut });
}

#[tokio::test]
async fn an_agent_goes_on_where_their_customer_can_be_reached() {
    let mut scene = scene().await;
    scene.writes("whatsapp", "Please text me, my data is up").await;
    let (_, contact) = take(&mut scene.anna).await;
    assert_eq!(scene.begins(ANN, Some(contact.contact), "Here I am").await, Outcome::Done);
    scene.provider.api.hears("Here I am").await;
    let moved = scene.goes_on(&contact).await;
    assert_eq!(moved.channel, ChannelKind::Sms);
    scene.writes("sms", "Thank you").await;
    let heard = scene.hears("the answer", |entry| entry.text.as_deref() == Some("Thank you")).await;
    assert_eq!(heard.contact, contact.contact);
}
