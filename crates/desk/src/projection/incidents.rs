//! What happened to many customers at once: for who leads, and as a mark at every desk.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::config::Authority;
use protocol::desk::DeskIncident;
use protocol::incident::IncidentTerms;
use protocol::{AgentId, Event, IncidentId, Millis};
use serde::{Deserialize, Serialize};

use super::Projection;
use super::contact::Stage;

/// An incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Incident {
    terms: IncidentTerms,
    by: AgentId,
    opened_at: Millis,
    ends: bool,
}

/// An incident, as who leads sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IncidentNow {
    incident: IncidentId,
    #[serde(flatten)]
    terms: IncidentTerms,
    /// The name of who said so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Arc<str>>,
    opened_at: Millis,
    /// How many contacts wait for it.
    gathered: u32,
    /// How many more wait in queues and belong to it.
    alike: u32,
    /// Whether it is being ended: nothing comes to it any more.
    ends: bool,
}

impl Projection {
    pub(super) fn incident(&mut self, at: Millis, event: &Event) {
        if let Event::IncidentSet { incident, by, terms } = event {
            let opened_at = self.incidents.get(incident).map_or(at, |known| known.opened_at);
            let (terms, by) = (terms.as_ref().clone(), *by);
            self.incidents.insert(*incident, Incident { terms, by, opened_at, ends: false });
        } else if let Event::IncidentAsked { incident, ends, .. } = event {
            if let Some(known) = self.incidents.get_mut(incident) {
                known.ends |= ends;
            }
        } else if let Event::IncidentEnded { incident } = event {
            self.incidents.remove(incident);
        }
        self.floor_version += 1;
    }

    /// Those that last, for every desk.
    pub(super) fn incidents_shown(&self) -> Vec<DeskIncident> {
        let lasting = self.incidents.iter().filter(|(_, known)| !known.ends);
        let shown = lasting.map(|(id, known)| DeskIncident {
            incident: *id,
            title: known.terms.title.clone(),
            queues: known.terms.queues.clone(),
            categories: known.terms.categories.clone(),
            until: known.terms.until,
        });
        shown.collect()
    }

    /// Those that this authority could end.
    pub(super) fn incidents_now(&self, authority: &Authority) -> Vec<IncidentNow> {
        if self.incidents.is_empty() {
            return Vec::new();
        }
        let mut counts: BTreeMap<IncidentId, (u32, u32)> = BTreeMap::new();
        // Many wait and few are different: each kind is held against the incidents once.
        let mut kinds = BTreeMap::new();
        for contact in self.contacts.values() {
            match (contact.stage, &contact.queue) {
                (Stage::Gathered { incident }, _) => counts.entry(incident).or_default().0 += 1,
                (Stage::Waiting, Some(queue)) => {
                    let kind = (queue, contact.category.as_ref(), contact.kept_from);
                    *kinds.entry(kind).or_insert(0) += 1;
                }
                _ => {}
            }
        }
        for ((queue, category, kept_from), count) in kinds {
            let belongs = |(id, known): &(&IncidentId, &Incident)| {
                kept_from != Some(**id) && known.terms.covers(queue, category)
            };
            for (id, _) in self.incidents.iter().filter(belongs) {
                counts.entry(*id).or_default().1 += count;
            }
        }
        let now = |(id, known): (&IncidentId, &Incident)| {
            let (gathered, alike) = counts.get(id).copied().unwrap_or_default();
            IncidentNow {
                incident: *id,
                terms: known.terms.clone(),
                by: self.title_of(known.by),
                opened_at: known.opened_at,
                gathered,
                alike,
                ends: known.ends,
            }
        };
        let led = |(_, known): &(&IncidentId, &Incident)| authority.leads_all_of(&known.terms.queues);
        self.incidents.iter().filter(led).map(now).collect()
    }
}
