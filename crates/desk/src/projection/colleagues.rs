//! Colleagues as every desk sees them: so many at most, and the others are asked for.
//!
//! Every desk gets the same frame with each change of the floor, so what goes out, and what each socket keeps of it, would
//! grow with the square of the number of agents.

use protocol::AgentId;
use protocol::desk::Colleague;
use protocol::limits::{COLLEAGUES_FOUND_MAX, COLLEAGUES_SHOWN_MAX};

use super::Projection;

/// Whose title contains the words, in whatever case.
fn fits(title: &str, words: &str) -> bool {
    words.is_empty() || title.to_lowercase().contains(words)
}

impl Projection {
    /// The colleagues of the floor's frame, and how many more there are.
    pub(super) fn colleagues(&self) -> (Vec<Colleague>, u32) {
        self.first_of("", COLLEAGUES_SHOWN_MAX, None)
    }

    /// The colleagues of an agent whose name contains these words in whatever case, and how many more there are.
    pub(crate) fn colleagues_named(&self, agent: AgentId, words: &str) -> (Vec<Colleague>, u32) {
        self.first_of(&words.trim().to_lowercase(), COLLEAGUES_FOUND_MAX, Some(agent))
    }

    /// Who is there comes first, then by title.
    fn first_of(&self, words: &str, most: usize, but: Option<AgentId>) -> (Vec<Colleague>, u32) {
        let configured = self.seats.iter().filter(|(_, seat)| seat.is_configured);
        let sought = configured.filter(|(agent, seat)| Some(**agent) != but && fits(&seat.title, words));
        let mut found: Vec<_> =
            sought.map(|(agent, seat)| (!seat.is_there(), &*seat.title, *agent)).collect();
        let more = found.len().saturating_sub(most);
        if more > 0 {
            found.select_nth_unstable(most);
            found.truncate(most);
        }
        found.sort_unstable();
        let colleague = |(is_gone, title, agent): (bool, &str, AgentId)| Colleague {
            agent,
            title: title.to_owned(),
            is_there: !is_gone,
        };
        (found.into_iter().map(colleague).collect(), u32::try_from(more).unwrap_or(u32::MAX))
    }
}
