//! One call, from its first ring to the real hang-up: what Twilio told of it on one side, what the router and the agents want of it on the other, and out of
//! both what is to be asked of Twilio and what the router is told.
//!
//! What Twilio tells comes in any order and twice ([`Call::hear`]); it is kept as facts of which none can be undone (`facts.rs`), and everything else is worked
//! out of them anew, so that the same things told in another order end alike. What is wanted comes in its one order ([`Call::command`]). After each of
//! both the host asks what is due ([`Call::due`]) and what is new ([`Call::news`]); neither says anything twice. What is told late may say more of
//! what was told already: [`Call::ended`] and [`Call::talk_ms`] always have the last word.
//!
//! Customer and agents meet in a conference with the name of the customer's call. When the customer leaves it, or the agent who has the call, it is over for
//! all, also if nothing of ours runs any more; who takes part besides may come and go. An agent has room for one call: the router sees to it, and
//! is told when a leg of an agent is over.

mod answer;
mod ask;
mod facts;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use channel::Millis;

use self::facts::{Facts, earliest};
use super::calls::{Described, Participant};
use super::webhook::{Conference, Event, Heard, Status};
use super::{CallSid, CallStatus, Caller, ConferenceEvent, ConferenceSid, Endpoint, Leg, QueueResult, flows};

pub use answer::Says;
pub use ask::Step;
pub use told::{Ended, EndedBy, News, State, Why};

/// Most legs of one call that we dial, and most conferences of it: a call that is passed on more often is no call of a customer's.
pub const LEGS_MAX: usize = 64;

/// What is wanted of a call. The same one again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An agent took it: they are rung, and speak with the customer when they pick it up.
    Ring {
        /// The number of their leg, from 1, new in this call.
        leg: Leg,
        /// Where they are rung.
        to: Endpoint,
    },
    /// An agent is no longer wanted, most often because they did not pick it up in time; their leg is over.
    Withdraw {
        /// Whose.
        leg: Leg,
    },
    /// The customer hears music and is not heard, or no longer.
    Hold(bool),
    /// An agent is not heard, or again.
    Mute {
        /// Who.
        leg: Leg,
        /// Whether.
        on: bool,
    },
    /// The call goes to somebody else, unannounced: its agent leaves, and the customer hears music until it is picked up.
    Transfer {
        /// Who has it.
        from: Leg,
        /// The number of the new leg.
        leg: Leg,
        /// Who gets it.
        to: Endpoint,
    },
    /// Its agent speaks with somebody else while the customer hears music.
    Consult {
        /// Who has it.
        from: Leg,
        /// The number of the new leg.
        leg: Leg,
        /// Who is asked.
        to: Endpoint,
    },
    /// After [`Command::Consult`]: who was asked has the call, and its agent leaves.
    HandOver,
    /// After [`Command::Consult`]: who was asked leaves.
    TakeBack,
    /// After [`Command::Consult`]: all three speak; its agent still has the call.
    Join,
    /// It is ended.
    HangUp {
        /// By whom.
        by: Leg,
    },
    /// Nobody is here: who calls is told so, and has not been kept waiting in vain.
    TurnAway,
}

/// Why a command cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// There is no such leg.
    #[error("no such leg: ring the agent first")]
    NoSuchLeg,
    /// Another one has that number.
    #[error("that leg is taken: give each leg of a call a number of its own, from 1")]
    LegTaken,
    /// It has been passed on too often.
    #[error("a call has at most {LEGS_MAX} legs: end it, and call the customer")]
    TooMany,
    /// Nobody is asked at the moment.
    #[error("nobody is asked: consult somebody first")]
    NoConsult,
    /// Somebody is asked at the moment.
    #[error("somebody is asked already: hand the call over, take it back or join first")]
    Consulting,
}

/// What is wanted of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    to: Endpoint,
    /// It is to be over for all when they leave.
    ends: bool,
    /// They are to leave.
    gone: bool,
    muted: bool,
}

/// Who asks whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Consult {
    from: Leg,
    with: Leg,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    legs: BTreeMap<Leg, Wish>,
    held: bool,
    consult: Option<Consult>,
    hung_up: Option<Leg>,
    turned_away: bool,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    sid: CallSid,
    caller: Option<Caller>,
    came_at: Option<Millis>,
    /// Since when they want to be called back.
    pressed_at: Option<Millis>,
    /// Twilio's queue had no room, or did not work.
    is_refused: bool,
    customer: Facts,
    legs: BTreeMap<Leg, Facts>,
    /// Whose leaving ended which conference.
    ending: BTreeMap<ConferenceSid, CallSid>,
    wanted: Wanted,
    asked: ask::Asked,
    told: BTreeSet<told::Told>,
}

impl Call {
    /// A call of which nothing is known but its id.
    #[must_use]
    pub fn new(sid: CallSid) -> Self {
        Self {
            sid,
            caller: None,
            came_at: None,
            pressed_at: None,
            is_refused: false,
            customer: Facts::default(),
            legs: BTreeMap::new(),
            ending: BTreeMap::new(),
            wanted: Wanted::default(),
            asked: ask::Asked::default(),
            told: BTreeSet::new(),
        }
    }

    /// Its id, which is also the name of its conference.
    #[must_use]
    pub fn sid(&self) -> &CallSid {
        &self.sid
    }

    /// Who called, once that is known.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Takes what Twilio told; what is of another call is left alone. `now` stands in where it does not say when.
    pub fn hear(&mut self, heard: &Heard, now: Millis) {
        if heard.call != self.sid {
            return;
        }
        let at = heard.at.unwrap_or(now);
        if let Event::Conference(told) = &heard.event
            && let Some(by) = &told.ended_by
            && (self.ending.len() < LEGS_MAX || self.ending.contains_key(&told.sid))
        {
            let known = self.ending.entry(told.sid.clone()).or_insert_with(|| by.clone());
            if by < known {
                known.clone_from(by);
            }
        }
        let Some(facts) = self.facts_of(heard) else { return };
        if let Some(sid) = &heard.sid {
            facts.is_called(sid);
        }
        match &heard.event {
            Event::Status(told) => facts.status(told, at),
            Event::Continues(status) => facts.comes_to(status, at),
            Event::Dialled { .. } => facts.is_over(at),
            Event::Conference(told) => facts.conference(told, at),
            Event::Incoming(incoming) => {
                earliest(&mut self.came_at, at);
                earliest(&mut self.caller, incoming.from.clone());
            }
            Event::Pressed { digits, .. } if digits == flows::CALL_BACK_DIGIT => {
                earliest(&mut self.pressed_at, at)
            }
            Event::LeftQueue { result, .. } => {
                if *result == QueueResult::Hangup {
                    facts.is_over(at);
                }
                self.is_refused |= result.is_refused();
            }
            Event::Pressed { .. } | Event::Waits(_) => {}
        }
    }

    /// Whose facts these are. A conference that begins or ends is nobody's.
    fn facts_of(&mut self, heard: &Heard) -> Option<&mut Facts> {
        if let Event::Conference(told) = &heard.event {
            let is_of_all = matches!(told.event, ConferenceEvent::Started | ConferenceEvent::Ended);
            let is_customers = heard.leg.is_none() && heard.sid.as_ref() == Some(&self.sid);
            if is_of_all || (heard.leg.is_none() && !is_customers) {
                return None;
            }
        }
        match heard.leg {
            None => Some(&mut self.customer),
            Some(leg) => self.leg(leg),
        }
    }

    /// What is known of a leg, which may be told of before it is wanted. The customer who is called back is one more.
    fn leg(&mut self, leg: Leg) -> Option<&mut Facts> {
        let has_room = self.legs.len() <= LEGS_MAX || self.legs.contains_key(&leg);
        has_room.then(|| self.legs.entry(leg).or_default())
    }

    /// The API made the call of a leg, and named it.
    pub fn made(&mut self, leg: Leg, sid: &CallSid) {
        if let Some(facts) = self.leg(leg) {
            facts.is_called(sid);
        }
    }

    /// Takes what the API says of a leg (`None`: the customer's) where callbacks may have been lost, as after a crash.
    pub fn learn(&mut self, leg: Option<Leg>, described: &Described, now: Millis) {
        let facts = match leg {
            None => Some(&mut self.customer),
            Some(leg) => self.leg(leg),
        };
        let Some(facts) = facts else { return };
        facts.is_called(&described.sid);
        if let Some(started_at) = described.started_at.filter(|_| described.lasted_s != Some(0)) {
            facts.comes_to(&CallStatus::InProgress, started_at);
        }
        let status = described.status.clone();
        let told = Status { status, sequence: None, lasted_s: described.lasted_s, sip_code: None };
        facts.status(&told, described.ended_at.unwrap_or(now));
    }

    /// Takes what the API says of who is in the call's conference. Who is no longer in it is known by [`Call::learn`].
    pub fn learn_room(&mut self, conference: &ConferenceSid, people: &[Participant], now: Millis) {
        for one in people.iter().filter(|one| one.is_there) {
            let facts = match one.leg {
                None if one.sid == self.sid => Some(&mut self.customer),
                None => None,
                Some(leg) => self.leg(leg),
            };
            let Some(facts) = facts else { continue };
            facts.is_called(&one.sid);
            // Without a number of its own whatever was told, or will be, of a happening counts for more.
            for event in [ConferenceEvent::Joined, ConferenceEvent::Held(one.held)] {
                let told = Conference { sid: conference.clone(), sequence: None, event, ended_by: None };
                facts.conference(&told, now);
            }
        }
    }

    /// The API will never make the call of a leg.
    pub fn not_made(&mut self, leg: Leg, now: Millis) {
        if let Some(facts) = self.leg(leg) {
            facts.comes_to(&CallStatus::Failed, now);
        }
    }

    /// Takes what is wanted.
    ///
    /// # Errors
    /// [`NotNow`]; fate: refuse, and nothing is changed.
    pub fn command(&mut self, command: Command) -> Result<(), NotNow> {
        match command {
            Command::Ring { leg, to } => self.wish_for(leg, to, true)?,
            Command::Withdraw { leg } => self.wish(leg)?.gone = true,
            Command::Hold(on) => self.wanted.held = on,
            Command::Mute { leg, on } => self.wish(leg)?.muted = on,
            Command::Transfer { from, leg, to } => self.transfer(from, leg, to)?,
            Command::Consult { from, leg, to } => self.consult(from, leg, to)?,
            Command::HandOver => {
                let consult = self.consulted()?;
                self.wish(consult.from)?.gone = true;
                self.wish(consult.with)?.ends = true;
            }
            Command::TakeBack => {
                let consult = self.consulted()?;
                self.wish(consult.with)?.gone = true;
                self.wish(consult.from)?.ends = true;
            }
            Command::Join => {
                let consult = self.consulted()?;
                self.wish(consult.from)?.ends = true;
            }
            Command::HangUp { by } => self.hang_up(by)?,
            Command::TurnAway => self.wanted.turned_away = true,
        }
        Ok(())
    }

    fn transfer(&mut self, from: Leg, leg: Leg, to: Endpoint) -> Result<(), NotNow> {
        if self.wanted.consult.is_some() {
            return Err(NotNow::Consulting);
        }
        self.wish(from)?;
        self.wish_for(leg, to, true)?;
        let wish = self.wish(from)?;
        (wish.gone, wish.ends) = (true, false);
        self.wanted.held = false;
        Ok(())
    }

    fn consult(&mut self, from: Leg, leg: Leg, to: Endpoint) -> Result<(), NotNow> {
        let consult = Consult { from, with: leg };
        if self.wanted.consult.is_some_and(|other| other != consult) {
            return Err(NotNow::Consulting);
        }
        self.wish(from)?;
        self.wish_for(leg, to, false)?;
        // Who leaves while they ask gives the call to whom they asked, and does not end it.
        self.wish(from)?.ends = false;
        self.wanted.consult = Some(consult);
        Ok(())
    }

    /// Where the customer has not been called back yet there is nothing to end: the agent leaves, and the customer keeps their place.
    fn hang_up(&mut self, by: Leg) -> Result<(), NotNow> {
        let is_to_come = self.is_kept() && !self.asked.has_rung(Leg::BACK);
        let wish = self.wish(by)?;
        if is_to_come {
            wish.gone = true;
        } else {
            self.wanted.hung_up.get_or_insert(by);
        }
        Ok(())
    }

    /// Ends the asking: whatever becomes of it, the customer is heard again.
    fn consulted(&mut self) -> Result<Consult, NotNow> {
        let consult = self.wanted.consult.take().ok_or(NotNow::NoConsult)?;
        self.wanted.held = false;
        Ok(consult)
    }

    fn wish(&mut self, leg: Leg) -> Result<&mut Wish, NotNow> {
        self.wanted.legs.get_mut(&leg).ok_or(NotNow::NoSuchLeg)
    }

    fn wish_for(&mut self, leg: Leg, to: Endpoint, ends: bool) -> Result<(), NotNow> {
        if leg == Leg::BACK || self.wanted.legs.get(&leg).is_some_and(|known| known.to != to) {
            return Err(NotNow::LegTaken);
        }
        if self.wanted.legs.len() >= LEGS_MAX && !self.wanted.legs.contains_key(&leg) {
            return Err(NotNow::TooMany);
        }
        self.wanted.legs.entry(leg).or_insert(Wish { to, ends, gone: false, muted: false });
        Ok(())
    }

    /// Whether the customer is to be called back, and is not connected by the call that they made after all.
    fn is_kept(&self) -> bool {
        let has_number = self.caller.as_ref().is_some_and(|caller| caller.number().is_some());
        self.pressed_at.is_some() && has_number && self.customer.joined_at.is_none()
    }

    /// The leg by which the customer speaks with us.
    fn theirs(&self) -> Option<&Facts> {
        if self.is_kept() { self.legs.get(&Leg::BACK) } else { Some(&self.customer) }
    }

    fn facts(&self, leg: Leg) -> Option<&Facts> {
        self.legs.get(&leg)
    }

    fn is_there(&self, leg: Leg) -> bool {
        self.facts(leg).is_some_and(Facts::is_there)
    }

    /// The agents who picked up and are not gone, but for those who are to leave.
    fn there(&self) -> impl Iterator<Item = Leg> {
        let stay = self.wanted.legs.iter().filter(|(_, wish)| !wish.gone);
        stay.map(|(leg, _)| *leg).filter(|leg| self.is_there(*leg))
    }

    /// Whether an agent asks somebody at this moment.
    fn consulting(&self) -> Option<Consult> {
        let goes_on = |consult: &Consult| {
            let is_gone = self.facts(consult.with).is_some_and(|facts| facts.gone_at().is_some());
            self.is_there(consult.from) && !is_gone
        };
        self.wanted.consult.filter(goes_on)
    }
}
