//! What is to be asked of Twilio, worked out of what is wanted and what is known.

use std::collections::{BTreeMap, BTreeSet};

use channel::{HttpRequest, Unsendable};

use super::{Call, Leg};
use crate::voice::calls::{Change, Does, Ring};
use crate::voice::flows::{self, Script};
use crate::voice::{CallSid, ConferenceSid, Endpoint, Line};

/// One thing to ask of Twilio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A leg is rung; [`Leg::BACK`] is the customer who is called back. What the API says is told by [`Call::made`] or [`Call::not_made`].
    Ring(Leg),
    /// The customer goes from the queue into the conference.
    Connect,
    /// The customer hears music and is not heard, or no longer.
    Hold(bool),
    /// An agent is not heard, or again.
    Mute(Leg, bool),
    /// It is over for all when this one leaves, or no longer.
    Ends(Leg, bool),
    /// A leg is over, and the others go on.
    LetGo(Leg),
    /// The customer's leg is over, and all with it.
    HangUp,
}

impl Step {
    /// How the answer is judged ([`crate::voice::calls::judge`]).
    #[must_use]
    pub fn does(self) -> Does {
        match self {
            Self::Ring(_) => Does::Makes,
            Self::Connect => Does::Moves,
            Self::Hold(_) | Self::Mute(..) | Self::Ends(..) | Self::LetGo(_) | Self::HangUp => Does::Changes,
        }
    }
}

/// What was asked already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    once: BTreeSet<Step>,
    held: bool,
    muted: BTreeMap<Leg, bool>,
    ends: BTreeMap<Leg, bool>,
}

impl Asked {
    pub(super) fn has_rung(&self, leg: Leg) -> bool {
        self.once.contains(&Step::Ring(leg))
    }
}

impl Call {
    /// What is to be asked of Twilio now, in this order; each is named once.
    pub fn due(&mut self) -> Vec<Step> {
        let due = self.steps();
        for step in &due {
            self.mark(*step, false);
        }
        due
    }

    /// What was asked is not done, as the answer says or the API when it was looked up, and may be asked again: it is due again if it is still wanted.
    pub fn undone(&mut self, step: Step) {
        self.mark(step, true);
    }

    fn mark(&mut self, step: Step, undone: bool) {
        match step {
            Step::Hold(on) => self.asked.held = on != undone,
            Step::Mute(leg, on) => drop(self.asked.muted.insert(leg, on != undone)),
            Step::Ends(leg, on) => drop(self.asked.ends.insert(leg, on != undone)),
            Step::Ring(_) | Step::Connect | Step::LetGo(_) | Step::HangUp => {
                if undone {
                    self.asked.once.remove(&step);
                } else {
                    self.asked.once.insert(step);
                }
            }
        }
        if let Step::Ring(leg) = step {
            // As its TwiML says; what changes meanwhile is asked once they are in the conference.
            let ends = self.wanted.legs.get(&leg).is_none_or(|wish| wish.ends);
            self.asked.ends.insert(leg, ends);
        }
    }

    fn steps(&self) -> Vec<Step> {
        let is_over = self.ended().is_some();
        let is_ending = is_over || self.wanted.hung_up.is_some();
        let mut steps = Vec::new();
        if is_ending && !is_over && self.their_sid().is_some() {
            steps.push(Step::HangUp);
        }
        for (leg, wish) in &self.wanted.legs {
            if is_ending || wish.gone {
                steps.extend(self.is_to_go(*leg).then_some(Step::LetGo(*leg)));
            } else if self.facts(*leg).is_none() {
                steps.push(Step::Ring(*leg));
            }
        }
        if !is_ending {
            steps.extend(self.meeting());
        }
        steps.retain(|step| !self.asked.once.contains(step));
        if !is_ending {
            steps.extend(self.changes());
        }
        steps
    }

    /// Whether a leg is still under way, and is known by an id.
    fn is_to_go(&self, leg: Leg) -> bool {
        self.facts(leg).is_some_and(|facts| facts.sid.is_some() && facts.gone_at().is_none())
    }

    /// The customer meets an agent who picked up.
    fn meeting(&self) -> Option<Step> {
        self.there().next()?;
        if self.is_kept() {
            return self.facts(Leg::BACK).is_none().then_some(Step::Ring(Leg::BACK));
        }
        let waits = self.came_at.is_some() && self.customer.joined_at.is_none();
        waits.then_some(Step::Connect)
    }

    /// What is otherwise than it is wanted in the conference.
    fn changes(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.theirs().is_some_and(|facts| facts.place().is_some()) && self.wants_hold() != self.asked.held
        {
            steps.push(Step::Hold(self.wants_hold()));
        }
        let alone = self.is_alone();
        for (leg, wish) in self.wanted.legs.iter().filter(|(_, wish)| !wish.gone) {
            let is_seated =
                self.facts(*leg).is_some_and(|facts| facts.place().is_some() && facts.sid.is_some());
            if !is_seated {
                continue;
            }
            if self.asked.muted.get(leg).copied().unwrap_or_default() != wish.muted {
                steps.push(Step::Mute(*leg, wish.muted));
            }
            let ends = wish.ends || alone == Some(*leg);
            if self.asked.ends.get(leg).copied().unwrap_or(true) != ends {
                steps.push(Step::Ends(*leg, ends));
            }
        }
        steps
    }

    /// The customer hears music when their agent wants it, while somebody else is asked, and while no agent is there.
    fn wants_hold(&self) -> bool {
        self.wanted.held || self.consulting().is_some() || self.there().next().is_none()
    }

    /// The one agent with the customer, where nobody is asked: the call is theirs, whoever had it.
    fn is_alone(&self) -> Option<Leg> {
        let mut there = self.there();
        let one = there.next()?;
        (there.next().is_none() && self.consulting().is_none()).then_some(one)
    }

    /// The customer's call, while it is under way.
    fn their_sid(&self) -> Option<&CallSid> {
        if self.is_kept() {
            return self.facts(Leg::BACK).filter(|facts| facts.gone_at().is_none())?.sid.as_ref();
        }
        (self.customer.gone_at().is_none()).then_some(&self.sid)
    }

    /// Who a leg is in which conference.
    fn seat(&self, leg: Leg) -> Option<(&ConferenceSid, &CallSid)> {
        let facts = self.facts(leg)?;
        Some((facts.place()?, facts.sid.as_ref()?))
    }

    /// The request for a step; `None`: it has become pointless, since whom it is about is gone. Of two that go one after the other the second is sent too
    /// where the first comes too late ([`crate::voice::calls::Judged::Over`]).
    ///
    /// # Errors
    /// [`Unsendable`], as [`Line::ring`]; fate: refuse.
    pub fn request(
        &self,
        line: &Line,
        script: &Script,
        step: Step,
        ring_s: u32,
    ) -> Result<Option<HttpRequest>, Unsendable> {
        Ok(match step {
            Step::Ring(leg) => self.ring(line, script, leg, ring_s)?,
            Step::Connect => Some(line.redirect(&self.sid, &flows::connect(line, &self.sid))?),
            Step::Hold(on) => self.theirs().and_then(|facts| {
                let sid = if self.is_kept() { facts.sid.as_ref()? } else { &self.sid };
                let url = script.music.as_deref();
                Some(line.change(facts.place()?, sid, Change::Hold { on, url }))
            }),
            Step::Mute(leg, on) => {
                self.seat(leg).map(|(conference, who)| line.change(conference, who, Change::Mute(on)))
            }
            Step::Ends(leg, on) => {
                self.seat(leg).map(|(conference, who)| line.change(conference, who, Change::Ends(on)))
            }
            Step::LetGo(leg) => self.let_go(line, leg),
            Step::HangUp => self.their_sid().map(|sid| line.hang_up(sid)),
        })
    }

    fn ring(
        &self,
        line: &Line,
        script: &Script,
        leg: Leg,
        ring_s: u32,
    ) -> Result<Option<HttpRequest>, Unsendable> {
        let back = self.caller.as_ref().and_then(|caller| caller.number()).cloned().map(Endpoint::Number);
        let (to, twiml) = if leg == Leg::BACK {
            (back, script.called_back(line, &self.sid))
        } else {
            let ends = self.asked.ends.get(&leg).copied().unwrap_or(true);
            (self.wanted.legs.get(&leg).map(|wish| wish.to.clone()), flows::agent(line, &self.sid, leg, ends))
        };
        let Some(to) = to else { return Ok(None) };
        line.ring(&Ring { call: &self.sid, leg, to: &to, ring_s, twiml: &twiml }).map(Some)
    }

    /// Who leaves must not take the others along.
    fn let_go(&self, line: &Line, leg: Leg) -> Option<HttpRequest> {
        let sid = self.facts(leg)?.sid.as_ref()?;
        let hang_up = line.hang_up(sid);
        let others_stay = self.ended().is_none() && self.wanted.hung_up.is_none();
        match self.seat(leg).filter(|_| others_stay) {
            Some((conference, who)) => {
                let first = line.change(conference, who, Change::Ends(false));
                Some(HttpRequest { then: vec![hang_up], ..first })
            }
            None => Some(hang_up),
        }
    }
}
