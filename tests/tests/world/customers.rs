//! Customers and what carries their words: they write, send again, change what they sent, leave.

use protocol::input::{CustomerMessage, InputBody};
use protocol::time::DAY_MS;
use protocol::{ChannelKind, Hash128, IdentityId, MessageId};

use crate::floor::{self, token};
use crate::letters::Sender;
use crate::world::{Happens, Lawful, World};

pub(crate) struct Customer {
    identity: IdentityId,
    channel: ChannelKind,
    account: &'static str,
    /// Writes on only when what they wrote was taken: their order is then the order of the conversation.
    is_patient: bool,
    said: Vec<Said>,
}

/// A message of a customer and its letter.
#[derive(Clone, Copy, Debug)]
struct Said {
    provider: Hash128,
    letter: usize,
    /// Sent to an account that is not configured.
    is_astray: bool,
}

impl Customer {
    pub(crate) fn new(n: usize) -> Self {
        let (channel, account) =
            if n.is_multiple_of(3) { (ChannelKind::Api, "mail") } else { (ChannelKind::Web, "shop") };
        let identity = floor::identity(n);
        Self { identity, channel, account, is_patient: n.is_multiple_of(2), said: Vec::new() }
    }
}

impl World {
    pub(crate) fn customer_acts(&mut self, n: usize) {
        if self.quiet_since.is_some() {
            return;
        }
        let pace = if self.dice.one_in(4) { 300 } else { 15_000 };
        self.within(pace, Happens::CustomerActs { n });
        match self.dice.below(100) {
            0..62 => self.writes(n),
            62..80 => self.sends_again(n),
            80..86 => self.sends_other_words(n),
            86..95 => {
                let id = self.notice();
                let identity = self.customers[n].identity;
                self.post(Sender::Customer, id.to_string(), InputBody::CustomerLeft { id, identity });
            }
            95..98 => {
                let garbage = if self.dice.one_in(2) { "{\"v\":1" } else { "\u{0}" };
                let msg_id = format!("garbage-{}", self.number());
                self.post_bytes(Sender::Customer, msg_id, garbage.as_bytes().to_vec());
            }
            _ => self.writes_astray(n),
        }
    }

    fn writes(&mut self, n: usize) {
        let customer = &self.customers[n];
        let waits = customer.said.iter().any(|said| !self.letters[said.letter].acked);
        if customer.is_patient && waits {
            return;
        }
        let burst = self.dice.below(3);
        self.writes_to(n, self.customers[n].account, false);
        for _ in 0..if self.customers[n].is_patient { 0 } else { burst } {
            self.writes_to(n, self.customers[n].account, false);
        }
    }

    fn writes_astray(&mut self, n: usize) {
        self.writes_to(n, "nowhere", true);
    }

    fn writes_to(&mut self, n: usize, account: &str, is_astray: bool) {
        let number = self.number();
        let provider = floor::hash(2, number);
        let message = self.message(n, account, provider, floor::hash(3, number));
        let letter = self.post_message(message);
        self.tell(|_| format!("customer {n} writes letter {letter}"));
        self.customers[n].said.push(Said { provider, letter, is_astray });
    }

    fn message(&mut self, n: usize, account: &str, provider: Hash128, content: Hash128) -> CustomerMessage {
        let category = self.dice.pick(&["dutch", "urgent", "broken", "unheard-of"]);
        let category = if self.dice.one_in(2) { None } else { category.map(token) };
        let message = MessageId(self.uuid());
        let customer = &self.customers[n];
        CustomerMessage {
            category,
            ..CustomerMessage::new(
                message,
                customer.channel,
                token(account),
                customer.identity,
                provider,
                content,
                floor::sealed(customer.identity),
            )
        }
    }

    fn post_message(&mut self, message: CustomerMessage) -> usize {
        let msg_id = format!("{}-{}", message.provider_hash, message.content_hash);
        self.post(Sender::Customer, msg_id, InputBody::Message(message))
    }

    /// A provider that was never told, or does not believe it: also days later.
    fn sends_again(&mut self, n: usize) {
        let Some(said) = self.dice.pick(&self.customers[n].said) else { return };
        let age = self.wall().since(self.letters[said.letter].posted_at);
        if said.is_astray || age > u64::from(self.customers[n].channel.retry_days()) * DAY_MS {
            return;
        }
        self.tell(|_| format!("customer {n} sends letter {} again", said.letter));
        if self.dice.one_in(2) {
            return self.send(said.letter);
        }
        // Another process of the adapter: the same message under another name.
        let number = self.dice.between(2, 64);
        for _ in 0..if self.dice.one_in(8) { number } else { 1 } {
            self.send(said.letter);
        }
    }

    /// Only what was taken under its id can be contradicted under it.
    fn sends_other_words(&mut self, n: usize) {
        let taken: Vec<Said> = self.customers[n].said.clone();
        let taken: Vec<Said> =
            taken.into_iter().filter(|said| !said.is_astray && self.letters[said.letter].acked).collect();
        let Some(said) = self.dice.pick(&taken) else { return };
        let age = self.wall().since(self.letters[said.letter].posted_at);
        if age > u64::from(self.customers[n].channel.retry_days()) * DAY_MS {
            return;
        }
        let other = floor::hash(4, self.number());
        let message = self.message(n, self.customers[n].account, said.provider, other);
        let letter = self.post_message(message);
        self.tell(|_| format!("customer {n} contradicts letter {} in {letter}", said.letter));
    }

    /// What customers were told was taken is there, once, in order.
    pub(crate) fn check_customers(&self) -> Lawful {
        for (n, customer) in self.customers.iter().enumerate() {
            let mut last = None;
            for said in &customer.said {
                let letter = &self.letters[said.letter];
                let place = self.audit.messages.get(&said.provider);
                if said.is_astray {
                    if place.is_some() {
                        return Err(format!("letter {} went astray and stands somewhere", said.letter));
                    }
                    continue;
                }
                let was_parked = self.audit.astray.contains(&said.provider);
                let Some(place) = place else {
                    if letter.acked && !was_parked {
                        return Err(format!("customer {n}: letter {} was taken and is lost", said.letter));
                    }
                    continue;
                };
                let whose = self.audit.fold.conversations.get(&place.conversation);
                let of = self.audit.fold.contacts.get(&place.contact).map(|one| one.conversation);
                if whose != Some(&customer.identity) || of != Some(place.conversation) {
                    return Err(format!("customer {n}: letter {} stands with another", said.letter));
                }
                if !customer.is_patient || was_parked {
                    continue;
                }
                // A conversation that was forgotten is followed by a later one.
                let stands = Some((place.conversation, place.seq));
                if stands <= last {
                    return Err(format!("customer {n}: letter {} stands before its time", said.letter));
                }
                last = stands;
            }
        }
        Ok(())
    }
}
