//! Colleagues as every desk sees them: so many at most, and the others are asked for.
//!
//! Every desk gets the same frame with each change of the floor, so what goes out, and what each socket keeps of it, would
//! grow with the square of the number of agents.

use std::collections::BTreeSet;

use protocol::AgentId;
use protocol::desk::Colleague;
use protocol::limits::{COLLEAGUES_FOUND_MAX, COLLEAGUES_SHOWN_MAX, MENTIONS_PER_NOTE_MAX};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Projection;

/// Most places of one note that are looked at: each is held against every title.
const PLACES_MAX: usize = 16;

/// A text in small letters and without accents, as the desk's page compares it too: people write the names of others
/// with what their keyboard has.
pub(crate) fn folded(text: &str) -> String {
    // As a whole: the last sigma of a word is another small letter than the others.
    text.nfd().filter(|one| !is_combining_mark(*one)).collect::<String>().to_lowercase()
}

/// What stands after each `@` of a text that may begin a name; the address of a mail is none.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('@').filter_map(|(at, _)| {
        let (before, after) = text.split_at(at);
        let words = after.get(1..)?;
        let begins = !before.chars().next_back().is_some_and(char::is_alphanumeric);
        (begins && words.chars().next().is_some_and(char::is_alphanumeric)).then_some(words)
    })
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

    /// Whom a note mentions: those whom its page means, and whoever's whole title stands after an `@` in its [`folded`] text; the page
    /// first, at most [`MENTIONS_PER_NOTE_MAX`] in all.
    ///
    /// Where several titles stand at one place the longest counts, also against a page that knows only the shorter. Of people who are
    /// called alike the page's is meant; if it means none of them nobody is, since a mention gives the right to read.
    pub(crate) fn mentioned_by(&self, text: &str, page: &[AgentId]) -> Vec<AgentId> {
        let (mut found, mut overruled) = (Vec::new(), BTreeSet::new());
        for words in places(text).take(PLACES_MAX) {
            let standing: Vec<_> = self.named_at(words).collect();
            let longest = standing.iter().map(|(_, title)| title.len()).max().unwrap_or_default();
            let (meant, shorter): (Vec<_>, Vec<_>) = standing
                .into_iter()
                .map(|(agent, title)| (agent, title.len()))
                .partition(|(_, len)| *len == longest);
            overruled.extend(shorter.into_iter().map(|(agent, _)| agent));
            let of_page = meant.iter().find(|(agent, _)| page.contains(agent));
            let alone = meant.first().filter(|_| meant.len() == 1);
            found.extend(of_page.or(alone).map(|(agent, _)| *agent));
        }
        let stays = |agent: &AgentId| found.contains(agent) || !overruled.contains(agent);
        let mut mentioned: Vec<AgentId> = page.iter().copied().filter(stays).collect();
        for agent in found {
            if !mentioned.contains(&agent) && mentioned.len() < MENTIONS_PER_NOTE_MAX {
                mentioned.push(agent);
            }
        }
        mentioned
    }

    /// The people with whose titles these folded words begin, each as a whole.
    fn named_at<'a>(&'a self, words: &'a str) -> impl Iterator<Item = (AgentId, &'a str)> {
        let is_named = move |title: &str| {
            let rest = words.strip_prefix(title);
            rest.is_some_and(|rest| !rest.chars().next().is_some_and(char::is_alphanumeric))
        };
        let people = self.seats.iter().filter(|(_, seat)| seat.is_configured && !seat.is_bot);
        people
            .map(|(agent, seat)| (*agent, &*seat.folded))
            .filter(move |(_, title)| !title.is_empty() && is_named(title))
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
