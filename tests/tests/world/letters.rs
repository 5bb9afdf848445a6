//! Whatever is on its way to INBOUND: lost, late, twice, sent again.

use std::rc::Rc;

use protocol::Millis;
use protocol::input::{ConfigInput, Input, InputBody, WIRE_VERSION};

use crate::bus::Answer;
use crate::floor;
use crate::world::{Happens, PUBLISH_DEADLINE_MS, Who, World};

/// Who still cares for a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Sends again until it is acknowledged.
    Customer,
    /// Sends again until it is answered in the log.
    Agent,
    /// Sends once; what is missing is found by comparison.
    Notice,
}

/// Something that is to be in INBOUND.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) sender: Sender,
    pub(crate) msg_id: String,
    pub(crate) bytes: Rc<[u8]>,
    pub(crate) acked: bool,
    pub(crate) posted_at: Millis,
}

impl World {
    /// Puts something in an envelope and sends it.
    pub(crate) fn post(&mut self, sender: Sender, msg_id: String, body: InputBody) -> usize {
        let input = Input { v: WIRE_VERSION, made_at: self.wall(), body };
        let bytes = serde_json::to_vec(&input).unwrap();
        self.post_bytes(sender, msg_id, bytes)
    }

    pub(crate) fn post_bytes(&mut self, sender: Sender, msg_id: String, bytes: Vec<u8>) -> usize {
        let posted_at = self.wall();
        self.letters.push(Letter { sender, msg_id, bytes: bytes.into(), acked: false, posted_at });
        let letter = self.letters.len() - 1;
        self.send(letter);
        letter
    }

    /// Sends a letter, perhaps again.
    pub(crate) fn send(&mut self, letter: usize) {
        self.at(self.now + PUBLISH_DEADLINE_MS, Happens::LetterDeadline { letter });
        if self.dice.one_in(self.weather.request_lost) {
            return self.tell(|_| format!("letter {letter} is lost on its way"));
        }
        let copies = if self.dice.one_in(self.weather.twice) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.weather.delay(&mut self.dice);
            self.at(self.now + delay, Happens::LetterLands { letter });
        }
    }

    pub(crate) fn letter_lands(&mut self, letter: usize) {
        if !self.bus.is_up {
            return;
        }
        let wall = self.wall().0;
        let Letter { msg_id, bytes, .. } = &self.letters[letter];
        let answer = self.bus.publish(msg_id, bytes, wall);
        self.tell(|world| format!("letter {letter} {:?} {answer:?}", world.letters[letter].sender));
        if let Answer::Stored(seq) = answer {
            for n in 0..self.routers.len() {
                let who = Who { n, life: self.routers[n].life };
                let delay = self.weather.tail_delay(&mut self.dice);
                self.at(self.now + delay, Happens::InboundSeen { who, upto: seq });
            }
        }
        if self.dice.one_in(self.weather.ack_lost) {
            return self.tell(|_| format!("the acknowledgement of letter {letter} is lost"));
        }
        let delay = self.weather.delay(&mut self.dice);
        self.at(self.now + delay, Happens::LetterAcked { letter });
    }

    pub(crate) fn publish_config(&mut self) {
        let id = self.notice();
        let hash = floor::hash(9, self.number());
        let config = self.config.clone();
        self.post(
            Sender::Customer,
            id.to_string(),
            InputBody::Config(ConfigInput { replaces: None, id, hash, config: Box::new(config) }),
        );
    }
}
