//! What is known of one leg of a call. Each fact is the earliest, the furthest or the newest of all that was told, so that neither order nor repetition
//! changes what is known in the end.

use channel::Millis;

use crate::voice::webhook::{Conference, Status};
use crate::voice::{CallSid, CallStatus, ConferenceEvent, ConferenceSid, LeftBecause};

/// The place of a happening among those of its conference: its number there, and where it has none its time.
type Turn = (Option<u32>, Millis);

/// Where somebody last was in a conference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    turn: Turn,
    /// Why they left; `None`: they are in it.
    pub(super) left: Option<LeftBecause>,
    pub(super) conference: ConferenceSid,
}

/// All that is known of a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) sid: Option<CallSid>,
    /// The furthest, by its rank.
    status: Option<(u8, CallStatus)>,
    answered_at: Option<Millis>,
    over_at: Option<Millis>,
    lasted_s: Option<u32>,
    pub(super) joined_at: Option<Millis>,
    pub(super) seat: Option<Seat>,
    held: Option<(Turn, bool)>,
}

/// Keeps the earliest.
pub(super) fn earliest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|known| value < *known) {
        *slot = Some(value);
    }
}

/// Keeps the newest, or the furthest.
fn newest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|known| value > *known) {
        *slot = Some(value);
    }
}

impl Facts {
    /// The one that is not there is later than any.
    fn first(times: impl IntoIterator<Item = Option<Millis>>) -> Option<Millis> {
        times.into_iter().flatten().min()
    }

    pub(super) fn is_called(&mut self, sid: &CallSid) {
        earliest(&mut self.sid, sid.clone());
    }

    pub(super) fn status(&mut self, told: &Status, at: Millis) {
        self.comes_to(&told.status, at);
        if let Some(seconds) = told.lasted_s {
            newest(&mut self.lasted_s, seconds);
        }
    }

    pub(super) fn comes_to(&mut self, status: &CallStatus, at: Millis) {
        let Some(rank) = status.rank() else { return };
        newest(&mut self.status, (rank, status.clone()));
        if *status == CallStatus::InProgress {
            earliest(&mut self.answered_at, at);
        }
        if status.is_over() {
            self.is_over(at);
        }
    }

    /// They are no longer there, whatever told it.
    pub(super) fn is_over(&mut self, at: Millis) {
        earliest(&mut self.over_at, at);
    }

    pub(super) fn conference(&mut self, told: &Conference, at: Millis) {
        let turn = (told.sequence, at);
        let seat = |left| Seat { turn, left, conference: told.sid.clone() };
        match &told.event {
            ConferenceEvent::Joined => {
                earliest(&mut self.joined_at, at);
                newest(&mut self.seat, seat(None));
            }
            ConferenceEvent::Left(because) => newest(&mut self.seat, seat(Some(because.clone()))),
            ConferenceEvent::Held(on) => newest(&mut self.held, (turn, *on)),
            // What an agent wants of their own microphone is known without it.
            ConferenceEvent::Muted(_)
            | ConferenceEvent::Started
            | ConferenceEvent::Ended
            | ConferenceEvent::Other(_) => {}
        }
    }

    /// How far it has come.
    pub(super) fn reached(&self) -> Option<&CallStatus> {
        self.status.as_ref().map(|(_, status)| status)
    }

    /// Since when they are gone: what is told first of it counts.
    pub(super) fn gone_at(&self) -> Option<Millis> {
        let left = self.seat.as_ref().filter(|seat| seat.left.is_some()).map(|seat| seat.turn.1);
        Self::first([self.over_at, left])
    }

    /// Whether somebody picked it up. One that we hang up while it rings may be called `completed` too, and lasted no second.
    pub(super) fn is_answered(&self) -> bool {
        let was_answered = self.reached() == Some(&CallStatus::Completed) && self.lasted_s != Some(0);
        self.answered_at.is_some() || self.joined_at.is_some() || was_answered
    }

    /// Whether somebody picked it up and is not gone.
    pub(super) fn is_there(&self) -> bool {
        self.is_answered() && self.gone_at().is_none()
    }

    /// The conference that they are in now.
    pub(super) fn place(&self) -> Option<&ConferenceSid> {
        let seat = self.seat.as_ref().filter(|seat| seat.left.is_none() && self.over_at.is_none())?;
        Some(&seat.conference)
    }

    /// Whether they hear music and are not heard, as Twilio said last.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some_and(|(_, on)| on)
    }

    /// Since when these two spoke with each other, if they did.
    pub(super) fn met_at(&self, other: &Self) -> Option<Millis> {
        let met_at = self.joined_at?.max(other.joined_at?);
        let parted_at = Self::first([self.gone_at(), other.gone_at()]);
        parted_at.is_none_or(|parted_at| met_at <= parted_at).then_some(met_at)
    }
}
