//! Colleagues as every desk sees them: so many at most, and the others are asked for.
//!
//! Every desk gets the same frame with each change of the floor, so what goes out, and what each socket keeps of it, would
//! grow with the square of the number of agents.

use protocol::AgentId;
use protocol::desk::Colleague;
use protocol::limits::{COLLEAGUES_FOUND_MAX, COLLEAGUES_SHOWN_MAX, MENTIONS_PER_NOTE_MAX};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Projection;

/// Most `@` of one note that are looked at: each is held against every name.
const SIGNS_MAX: usize = 64;

/// A text in small letters and without accents, as the desk's page compares it too: people write the names of others
/// with what their keyboard has.
pub(super) fn folded(text: &str) -> String {
    text.nfd().filter(|one| !is_combining_mark(*one)).flat_map(char::to_lowercase).collect()
}

impl Projection {
    /// The colleagues of the floor's frame, and how many more there are.
    pub(super) fn colleagues(&self) -> (Vec<Colleague>, u32) {
        self.first_of("", COLLEAGUES_SHOWN_MAX, None)
    }

    /// The colleagues of an agent whose title contains these words, and how many more there are.
    pub(crate) fn colleagues_named(&self, agent: AgentId, words: &str) -> (Vec<Colleague>, u32) {
        self.first_of(&folded(words.trim()), COLLEAGUES_FOUND_MAX, Some(agent))
    }

    /// The people whose whole title stands after an `@` in a note, in the order of the note: the longest title counts, not one that
    /// it begins with. Without those who are known to be meant and whoever is called like them, and with them at most
    /// [`MENTIONS_PER_NOTE_MAX`].
    pub(crate) fn named_in(&self, text: &str, known: &[AgentId]) -> Vec<AgentId> {
        let mut found = Vec::new();
        if !text.contains('@') {
            return found;
        }
        let text = folded(text);
        for (at, _) in text.match_indices('@').take(SIGNS_MAX) {
            let (before, after) = text.split_at(at);
            // The address of a mail is nobody's name.
            if before.chars().next_back().is_some_and(char::is_alphanumeric) {
                continue;
            }
            let named = after.get(1..).and_then(|words| self.named_at(words));
            let is_known = |agent: &AgentId| known.iter().any(|one| self.are_called_alike(*one, *agent));
            found.extend(named.filter(|agent| !found.contains(agent) && !is_known(agent)));
        }
        found.truncate(MENTIONS_PER_NOTE_MAX.saturating_sub(known.len()));
        found
    }

    fn are_called_alike(&self, one: AgentId, other: AgentId) -> bool {
        let name = |agent: AgentId| self.seats.get(&agent).map(|seat| &*seat.folded);
        one == other || name(one) == name(other)
    }

    /// Whose title these folded words begin with, as a whole.
    fn named_at(&self, words: &str) -> Option<AgentId> {
        let is_named = |title: &str| {
            let rest = words.strip_prefix(title);
            rest.is_some_and(|rest| !rest.chars().next().is_some_and(char::is_alphanumeric))
        };
        let people = self.seats.iter().filter(|(_, seat)| seat.is_configured && !seat.is_bot);
        let named = people.filter(|(_, seat)| !seat.folded.is_empty() && is_named(&seat.folded));
        named.max_by_key(|(_, seat)| seat.folded.len()).map(|(agent, _)| *agent)
    }

    /// Who is there comes first, then by title.
    fn first_of(&self, words: &str, most: usize, but: Option<AgentId>) -> (Vec<Colleague>, u32) {
        let configured = self.seats.iter().filter(|(_, seat)| seat.is_configured);
        let sought = configured.filter(|(agent, seat)| Some(**agent) != but && seat.folded.contains(words));
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
