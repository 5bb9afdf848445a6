//! What conditions may name, and the conditions that lead a contact to its queue.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Faults, Known, RoutingConfig};
use crate::facts::{FactName, FactType, FactValue};
use crate::input::SkillNeed;
use crate::limits::{
    CONDITIONS_PER_CARD_MAX, FACT_TEXT_BYTES_MAX, FACTS_MAX, ROUTES_MAX, SKILLS_PER_CONTACT_MAX,
};
use crate::token::SubjectToken;

/// What a fact is about that an agent's own line in the configuration says: `agent.site`.
pub const ABOUT_AGENT: &str = "agent";
/// What the product's own facts are about: `contact.language`.
pub const ABOUT_CONTACT: &str = "contact";

/// A fact that conditions of the configuration may name: of a contact, as its message brings it, or of an agent (`agent.site`),
/// as the agent's own line says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredFact {
    /// Its name.
    pub name: FactName,
    /// Its type; a value of another one is not known.
    #[serde(rename = "type")]
    pub type_: FactType,
    /// The only words that it can be; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What its absence means; `None`: it is unknown, and no condition that needs it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<FactValue>,
}

impl DeclaredFact {
    /// Whether this can be its value.
    #[must_use]
    pub fn takes(&self, value: &FactValue) -> bool {
        value.kind() == self.type_
            && match value {
                FactValue::Text(text) => {
                    text.len() <= FACT_TEXT_BYTES_MAX && (self.words.is_empty() || self.words.contains(text))
                }
                FactValue::Bool(_) | FactValue::Int(_) => true,
            }
    }
}

/// Where contacts go whose facts say so. Routes are read top to bottom when a contact is opened; the first that holds decides,
/// over its account and its category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name, told in the contact's receipt.
    pub name: SubjectToken,
    /// CEL expressions of one line over facts of the contact, all of which have to hold; what is unknown does not hold.
    pub when: Vec<String>,
    /// The queue; the category's or account's if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SubjectToken>,
    /// The priority; the category's or account's if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The skills needed, besides those of the category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<SkillNeed>,
}

impl RoutingConfig {
    pub(super) fn fact_faults(&self, faults: &mut Faults, known: &Known<'_>) {
        faults.at_most("facts", self.facts.len(), FACTS_MAX);
        let mut seen = BTreeSet::new();
        for (n, fact) in self.facts.iter().enumerate() {
            if !seen.insert(&fact.name) {
                faults.add(format!("facts[{n}].name"), &format!("{} stands twice", fact.name));
            }
            if fact.name.parts().0 == ABOUT_CONTACT {
                let message = "facts about the contact are the product's own: name it after what it is about, as in customer.tier";
                faults.add(format!("facts[{n}].name"), message);
            }
            if !fact.words.is_empty() && fact.type_ != FactType::Text {
                faults.add(format!("facts[{n}].words"), "only a text has words: leave them out");
            }
            faults.at_most(&format!("facts[{n}].words"), fact.words.len(), FACTS_MAX);
            if fact.words.iter().any(|word| word.is_empty() || word.len() > FACT_TEXT_BYTES_MAX) {
                let message = format!("a word has 1 to {FACT_TEXT_BYTES_MAX} bytes");
                faults.add(format!("facts[{n}].words"), &message);
            }
            if fact.absent.as_ref().is_some_and(|absent| !fact.takes(absent)) {
                faults.add(
                    format!("facts[{n}].absent"),
                    "this fact can never be that: expected one of its values",
                );
            }
        }
        self.attribute_faults(faults);
        faults.names("routes", self.routes.iter().map(|route| &route.name));
        faults.at_most("routes", self.routes.len(), ROUTES_MAX);
        for (n, route) in self.routes.iter().enumerate() {
            route.faults(&format!("routes[{n}]"), faults, known);
        }
    }

    fn attribute_faults(&self, faults: &mut Faults) {
        for (n, agent) in self.agents.iter().enumerate() {
            for (name, value) in &agent.attributes {
                let path = format!("agents[{n}].attributes.{name}");
                match self.facts.iter().find(|fact| fact.name == *name) {
                    _ if name.parts().0 != ABOUT_AGENT => {
                        faults.add(path, "an agent's attribute is named agent.something, as in agent.site");
                    }
                    None => faults.add(path, "no such fact is declared: add it to `facts`, or leave it out"),
                    Some(fact) if !fact.takes(value) => {
                        faults
                            .add(path, "this fact can never be that: expected a value of its type and words");
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

impl Route {
    fn faults(&self, path: &str, faults: &mut Faults, known: &Known<'_>) {
        if self.when.is_empty() {
            let message = "a route says when it is taken; where all others go is said by the account";
            faults.add(format!("{path}.when"), message);
        }
        faults.at_most(&format!("{path}.when"), self.when.len(), CONDITIONS_PER_CARD_MAX);
        if self.queue.is_none() && self.priority.is_none() && self.needs.is_empty() {
            faults.add(path.to_owned(), "it changes nothing: expected queue, priority or needs");
        }
        if let Some(queue) = &self.queue {
            faults.known(format!("{path}.queue"), "queue", queue, &known.queues);
        }
        for need in &self.needs {
            faults.known(format!("{path}.needs"), "skill", &need.skill, &known.skills);
        }
        faults.at_most(&format!("{path}.needs"), self.needs.len(), SKILLS_PER_CONTACT_MAX);
    }
}
