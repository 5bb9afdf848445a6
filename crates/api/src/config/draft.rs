//! A configuration as people send it: agents need no id. Pure, but for the new ids.

use std::collections::{BTreeMap, BTreeSet};

use protocol::config::{
    Account, Agent, Category, ChannelRule, DeclaredFact, Disposition, Field, PriorityClass, Queue, Role,
    Route, RoutingConfig, Skill, Tag,
};
use protocol::facts::FactValues;
use protocol::feedback::Feedback;
use protocol::hours::Hours;
use protocol::input::SkillNeed;
use protocol::{AgentId, ChannelKind, Language, SkillLevel, SubjectToken};
use serde::Deserialize;

/// As [`RoutingConfig`].
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConfig")]
pub(crate) struct ConfigDraft {
    queues: Vec<Queue>,
    skills: Vec<Skill>,
    agents: Vec<AgentDraft>,
    accounts: Vec<Account>,
    categories: Vec<Category>,
    dispositions: Vec<Disposition>,
    #[serde(default)]
    priorities: Vec<PriorityClass>,
    #[serde(default)]
    channels: Vec<ChannelRule>,
    #[serde(default)]
    hours: Vec<Hours>,
    #[serde(default)]
    languages: BTreeMap<Language, SkillNeed>,
    #[serde(default)]
    facts: Vec<DeclaredFact>,
    #[serde(default)]
    routes: Vec<Route>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    contact_fields: Vec<Field>,
    feedback: Option<Feedback>,
}

/// As [`Agent`], with the id if it is known.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAgent")]
struct AgentDraft {
    id: Option<AgentId>,
    name: SubjectToken,
    title: String,
    queues: BTreeSet<SubjectToken>,
    skills: BTreeMap<SubjectToken, SkillLevel>,
    capacity: BTreeMap<ChannelKind, u16>,
    #[serde(default)]
    lead: bool,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    scope: BTreeSet<SubjectToken>,
    #[serde(default)]
    team: Option<SubjectToken>,
    #[serde(default)]
    load_max: Option<u16>,
    #[serde(default)]
    bot: bool,
    #[serde(default)]
    answer_within_ms: Option<u64>,
    #[serde(default)]
    attributes: FactValues,
}

impl ConfigDraft {
    /// Gives each agent without an id the one that its name has at present, or a new one.
    pub(super) fn complete(self, present: Option<&RoutingConfig>) -> RoutingConfig {
        let ids: BTreeMap<&SubjectToken, AgentId> = present
            .into_iter()
            .flat_map(|config| &config.agents)
            .map(|agent| (&agent.name, agent.id))
            .collect();
        let agents = self.agents.into_iter().map(|draft| Agent {
            id: draft
                .id
                .or_else(|| ids.get(&draft.name).copied())
                .unwrap_or_else(|| AgentId(uuid::Uuid::now_v7())),
            name: draft.name,
            title: draft.title,
            queues: draft.queues,
            skills: draft.skills,
            capacity: draft.capacity,
            lead: draft.lead,
            role: draft.role,
            scope: draft.scope,
            team: draft.team,
            load_max: draft.load_max,
            bot: draft.bot,
            answer_within_ms: draft.answer_within_ms,
            attributes: draft.attributes,
        });
        RoutingConfig {
            agents: agents.collect(),
            queues: self.queues,
            skills: self.skills,
            accounts: self.accounts,
            categories: self.categories,
            dispositions: self.dispositions,
            priorities: self.priorities,
            channels: self.channels,
            hours: self.hours,
            languages: self.languages,
            facts: self.facts,
            routes: self.routes,
            tags: self.tags,
            contact_fields: self.contact_fields,
            feedback: self.feedback,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn agent(id: Option<&str>, name: &str) -> serde_json::Value {
        let mut agent =
            json!({"name": name, "title": name, "queues": [], "skills": {}, "capacity": {"web": 2}});
        if let Some(id) = id {
            agent["id"] = id.into();
        }
        agent
    }

    fn complete(agents: &[serde_json::Value], present: Option<&RoutingConfig>) -> RoutingConfig {
        let draft = json!({
            "queues": [], "skills": [], "accounts": [], "categories": [], "dispositions": [], "agents": agents
        });
        serde_json::from_value::<ConfigDraft>(draft).unwrap().complete(present)
    }

    #[test]
    fn agents_keep_their_ids_by_name_and_new_ones_get_one() {
        let given = "agt_00000000000000000000000000000007";
        let first = complete(&[agent(Some(given), "ada"), agent(None, "ben")], None);
        assert_eq!(first.agents[0].id.to_string(), given);
        let second = complete(&[agent(None, "ben"), agent(None, "cas"), agent(None, "ada")], Some(&first));
        let id = |config: &RoutingConfig, name: &str| {
            config.agents.iter().find(|agent| agent.name.as_str() == name).map(|agent| agent.id)
        };
        assert_eq!(id(&second, "ada"), id(&first, "ada"));
        assert_eq!(id(&second, "ben"), id(&first, "ben"));
        assert!(id(&second, "cas").is_some() && id(&second, "cas") != id(&second, "ben"));
        assert_eq!(second.faults(), []);
    }

    #[test]
    fn what_a_configuration_writes_a_draft_reads() {
        let mut ada = agent(None, "ada");
        ada["load_max"] = 7.into();
        let mut config = complete(&[ada], None);
        config.priorities = vec![PriorityClass { priority: 0, head_start_ms: 1, ageing_percent: 2 }];
        config.channels =
            vec![ChannelRule { channel: ChannelKind::Web, weight: 2, exclusive: true, interruptible: false }];
        let feedback = json!({"questions": ["satisfaction", "recommend"], "queues": ["sales"], "poor": 2});
        config.feedback = Some(serde_json::from_value(feedback).unwrap());
        let again: ConfigDraft = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(again.complete(None), config);
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        let mut wrong = agent(None, "ada");
        wrong["colour"] = "red".into();
        let draft = json!({
            "queues": [], "skills": [], "accounts": [], "categories": [], "dispositions": [], "agents": [wrong]
        });
        assert!(serde_json::from_value::<ConfigDraft>(draft).is_err());
    }
}
