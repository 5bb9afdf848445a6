//! Canary customers: they are written down and asked nobody for.

use protocol::canary::{Canary, CanaryStep};
use protocol::input::CustomerMessage;
use protocol::record::Event;
use protocol::{Hash128, SubjectToken};

use crate::turn::Turn;

impl Turn<'_> {
    /// It opens nothing and waits nowhere: the record is what the others along its way look for.
    pub(crate) fn canary(&mut self, canary: &Canary) {
        let queue = self.queue_for(canary);
        self.emit(Event::CanaryHeard { queue });
    }

    /// Where who writes the same would wait, by the configuration in force.
    fn queue_for(&self, canary: &Canary) -> Option<SubjectToken> {
        let CanaryStep::Wrote { body } = &canary.step else { return None };
        let Canary { message, channel, account, identity, .. } = canary;
        let nothing = Hash128([0; 16]);
        let message = CustomerMessage::new(
            *message,
            *channel,
            account.clone(),
            *identity,
            nothing,
            nothing,
            body.clone(),
        );
        let facts = self.facts(&message, None, false);
        self.state.index.policy.route(&message, &facts).map(|routing| routing.queue)
    }
}
