//! An agent whose commands are sent again and again: through the desk, and past it into INBOUND.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Bus, Deadline};
use protocol::command::Presence;
use protocol::desk::{DeskCommand, FromDesk};
use protocol::ids::{CommandId, ContactId, OfferId};
use protocol::subjects::Subjects;
use protocol::{Input, InputBody, MessageId, Outcome, Subject, SubjectToken};
use serde_json::json;
use tests::desk::Desk;
use tests::{Product, log};
use uuid::Uuid;

pub(crate) struct Steady {
    desk: Desk,
    bus: Bus,
    contact: ContactId,
    asked: Vec<(CommandId, DeskCommand, Outcome)>,
    /// Asked and not answered yet.
    open: Vec<(CommandId, DeskCommand)>,
    originals: Vec<(Subject, Input)>,
    repeated: u64,
}

impl Steady {
    /// Anna takes a contact, answers once and goes away, with the contact still hers.
    pub(crate) async fn settle_in(product: &Product, desk: &str) -> Self {
        let body = json!({
            "account": "shop", "id": "steady-1", "from": { "value": "steady" }, "text": "hello?",
        });
        assert_eq!(product.write("rest", &body).await.status(), 202);
        let mut anna = Desk::open(product, "rest", desk, "anna").await;
        anna.online().await;
        let card = anna.offer().await;
        let (bus, contact) = (product.bus().await, card.contact);
        let (asked, open, originals) = (vec![], vec![], vec![]);
        let mut steady = Self { desk: anna, bus, contact, asked, open, originals, repeated: 0 };
        let message = MessageId(Uuid::now_v7());
        let reply =
            DeskCommand::Reply { contact: card.contact, message, text: "hello!".to_owned(), with: None };
        let away = DeskCommand::SetPresence { presence: Presence::Away, reason: None, when_free: false };
        assert_eq!(steady.ask(DeskCommand::Accept { offer: card.offer }).await, Outcome::Done);
        assert_eq!(steady.ask(reply).await, Outcome::Done);
        assert_eq!(steady.ask(away).await, Outcome::Done);
        let never_made = OfferId { log_seq: u64::MAX, n: 0 };
        let refused = steady.ask(DeskCommand::Accept { offer: never_made }).await;
        assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
        steady.originals = steady.originals().await;
        steady
    }

    async fn ask(&mut self, command: DeskCommand) -> Outcome {
        let id = CommandId(Uuid::now_v7());
        let outcome = self.desk.command_as(id, command.clone()).await;
        self.asked.push((id, command, outcome.clone()));
        outcome
    }

    /// Sends a command and does not wait for its answer: it is asked again, under its id, the next time.
    pub(crate) async fn ask_without_waiting(&mut self) {
        self.desk.reconnect(BTreeMap::new()).await;
        let message = MessageId(Uuid::now_v7());
        let note = DeskCommand::Note {
            contact: self.contact,
            message,
            text: "still here".to_owned(),
            mentions: Vec::new(),
        };
        let id = CommandId(Uuid::now_v7());
        self.desk.send(&FromDesk::Command { id, command: note.clone() }).await;
        self.open.push((id, note));
    }

    /// Sends every command again from the desk: each is answered as it was.
    pub(crate) async fn ask_again(&mut self) {
        self.desk.reconnect(BTreeMap::new()).await;
        for (id, command) in std::mem::take(&mut self.open) {
            let outcome = self.desk.command_as(id, command.clone()).await;
            self.asked.push((id, command, outcome));
        }
        for (id, command, outcome) in &self.asked {
            assert_eq!(self.desk.command_as(*id, command.clone()).await, *outcome, "{command:?}");
        }
    }

    /// Puts every command and the customer's message into INBOUND once more, as if its sender had not heard that it
    /// was taken and the server had forgotten it: what comes of it stands in the log.
    pub(crate) async fn slip_in_again(&mut self) {
        self.repeated += 1;
        for (n, (subject, input)) in self.originals.iter().enumerate() {
            let payload = serde_json::to_vec(input).unwrap().into();
            let msg_id = format!("again-{}-{n}", self.repeated);
            let deadline = Deadline::after(Duration::from_secs(30));
            self.bus.publish_durable(subject, &msg_id, payload, deadline).await.unwrap();
        }
    }

    /// What led here, as it stands in INBOUND.
    async fn originals(&self) -> Vec<(Subject, Input)> {
        let subjects = Subjects::new(SubjectToken::new("c1").unwrap());
        let subject = |input: &Input| {
            #[expect(clippy::wildcard_enum_match_arm, reason = "only these two are sent again")]
            match &input.body {
                InputBody::Command(command) => Some(subjects.inbound_command(command.agent)),
                InputBody::Message(message) => {
                    Some(subjects.inbound_message(message.channel, &message.account))
                }
                _ => None,
            }
        };
        let inputs = log::inputs(&self.bus).await.into_iter();
        inputs.filter_map(|(_, input)| Some((subject(&input)?, input))).collect()
    }

    /// Ends the contact, if it is still hers; gives all that she asked and was answered, and how often it was repeated.
    pub(crate) async fn leave(mut self) -> (Vec<(CommandId, Outcome)>, u64) {
        self.desk.reconnect(BTreeMap::new()).await;
        let disposition = SubjectToken::new("solved").unwrap();
        self.ask(DeskCommand::Resolve { contact: self.contact, disposition, fields: [].into() }).await;
        self.ask(DeskCommand::EndWrapUp { contact: self.contact }).await;
        (self.asked.into_iter().map(|(id, _, outcome)| (id, outcome)).collect(), self.repeated)
    }
}
