//! Who waits in a queue, in order.

use std::collections::{BTreeMap, VecDeque};

use protocol::{ContactId, Millis};
use routing_core::Scoring;
use serde::{Deserialize, Serialize};

/// A contact's place in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) priority: u8,
    pub(crate) since: Millis,
    pub(crate) contact: ContactId,
}

/// A line for each priority. Within one who came first is always ahead, so that only the lines are compared; who comes joins at the
/// end and who goes is near the front, where a deque is cheap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Line(BTreeMap<u8, VecDeque<(Millis, ContactId)>>);

impl Line {
    pub(crate) fn join(&mut self, place: Place) {
        let line = self.0.entry(place.priority).or_default();
        let here = (place.since, place.contact);
        if let Err(at) = line.binary_search(&here) {
            line.insert(at, here);
        }
    }

    pub(crate) fn leave(&mut self, place: Place) {
        let Some(line) = self.0.get_mut(&place.priority) else { return };
        if let Ok(at) = line.binary_search(&(place.since, place.contact)) {
            line.remove(at);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }

    /// How many are ahead of this place now.
    pub(crate) fn ahead_of(&self, place: Place, now: Millis, scoring: impl Fn(u8) -> Scoring) -> usize {
        let here = (place.since, place.contact);
        let score = scoring(place.priority).at(now.since(place.since));
        let ahead_in = |(priority, line): (&u8, &VecDeque<(Millis, ContactId)>)| {
            let scoring = scoring(*priority);
            line.partition_point(|there| {
                let other = scoring.at(now.since(there.0));
                other > score || other == score && *there < here
            })
        };
        self.0.iter().map(ahead_in).sum()
    }
}
