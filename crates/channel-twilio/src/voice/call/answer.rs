//! What Twilio is answered where it asks what to do next.

use super::Call;
use crate::voice::flows::{self, CALL_BACK_DIGIT, Promise, Script};
use crate::voice::twiml::Response;
use crate::voice::webhook::{Event, Heard};
use crate::voice::{Line, QueueResult};

/// What is said, and where.
#[derive(Clone, Copy, Debug)]
pub struct Says<'a> {
    /// The number that was called.
    pub line: &'a Line,
    /// The words of the house.
    pub script: &'a Script,
    /// What the router promises now.
    pub promise: Promise,
}

impl Call {
    /// What a request is answered, after [`Call::hear`]; the same request again is answered alike. Where nothing is asked, nothing is said.
    #[must_use]
    pub fn answer(&self, heard: &Heard, says: &Says<'_>) -> Response {
        let Says { line, script, promise } = *says;
        let has_number = self.caller().is_some_and(|caller| caller.number().is_some());
        // Who has no number is offered nothing, whatever the router says.
        let promise = Promise { call_back: promise.call_back && has_number && !self.is_kept(), ..promise };
        let is_over = self.wanted.hung_up.is_some() || self.ended().is_some();
        match &heard.event {
            Event::Incoming(_) if self.wanted.turned_away => script.closed(),
            Event::Incoming(_) => script.greet(line, &self.sid, promise),
            Event::Pressed { digits, queued } => match (digits == CALL_BACK_DIGIT && has_number, queued) {
                (true, true) => flows::leave(),
                (true, false) => script.kept(),
                (false, true) => script.waiting(line, &self.sid, promise),
                (false, false) => script.enqueue(line, &self.sid),
            },
            Event::Waits(_) if self.is_kept() || self.wanted.turned_away => flows::leave(),
            Event::Waits(_) => script.waiting(line, &self.sid, promise),
            Event::LeftQueue { result, .. } => self.left_queue(result, script),
            Event::Dialled { .. } => flows::hang_up(),
            Event::Continues(_) if is_over => flows::hang_up(),
            Event::Continues(_) if heard.leg.is_none() => script.enqueue(line, &self.sid),
            Event::Continues(_) | Event::Status(_) | Event::Conference(_) => Response::empty(),
        }
    }

    fn left_queue(&self, result: &QueueResult, script: &Script) -> Response {
        match result {
            QueueResult::Leave if self.is_kept() => script.kept(),
            QueueResult::Leave if self.wanted.turned_away => script.closed(),
            // Nothing of ours took them out: they are not left in silence.
            QueueResult::Error | QueueResult::QueueFull | QueueResult::SystemError | QueueResult::Leave => {
                script.sorry()
            }
            // They are gone, or what took them out has said what follows.
            QueueResult::Bridged
            | QueueResult::Bridging
            | QueueResult::Hangup
            | QueueResult::Redirected
            | QueueResult::RedirectedFromBridged
            | QueueResult::Other(_) => Response::empty(),
        }
    }
}
