//! A new configuration.

use std::collections::{BTreeMap, BTreeSet};

use protocol::config::{ConfigFault, RoutingConfig};
use protocol::incident::IncidentWork;
use protocol::input::{ConfigInput, REPLACES};
use protocol::record::{CompanyRole, Event};

use crate::company::Companion;
use crate::state::State;
use crate::turn::Turn;

/// Most faults told in one record, which has to hold the configuration too.
const FAULTS_MAX: usize = 500;

impl Turn<'_> {
    pub(crate) fn config(&mut self, input: &ConfigInput) {
        if input.replaces.is_some_and(|hash| hash != self.state.policy()) {
            // Nothing else is told: what else may be wrong with it is to be seen in what it is made anew from.
            let message = "another configuration is in force by now: make the change in that one".to_owned();
            let faults = vec![ConfigFault { path: REPLACES.to_owned(), message }];
            self.emit(Event::ConfigRefused { faults });
            return;
        }
        let mut faults = input.config.faults();
        faults.extend(conditions::routing::faults(&input.config));
        faults.extend(in_use(self.state, &input.config));
        if faults.len() > FAULTS_MAX {
            let message = format!("{} faults in all: mend these first", faults.len());
            faults.truncate(FAULTS_MAX);
            faults.push(ConfigFault { path: String::new(), message });
        }
        if faults.is_empty() {
            self.part_from_those_without(&input.config);
            self.emit(Event::ConfigApplied);
        } else {
            self.emit(Event::ConfigRefused { faults });
        }
    }
}

impl Turn<'_> {
    /// Who is taken out of the configuration is with no contact any more, and who leads no more watches none.
    fn part_from_those_without(&mut self, config: &RoutingConfig) {
        let agents: BTreeMap<_, _> = config.agents.iter().map(|agent| (agent.id, agent)).collect();
        let mut parted = Vec::new();
        for (id, company) in &self.state.stored.company {
            let queue = self.state.contact(*id).map(|contact| &contact.queue);
            let goes = |one: &&Companion| match agents.get(&one.agent) {
                Some(agent) => {
                    let leads = queue.is_some_and(|queue| agent.leads_queue(queue));
                    one.role == CompanyRole::Watching && !leads
                }
                None => true,
            };
            parted.extend(company.iter().filter(goes).map(|one| (*id, one.agent)));
        }
        for (id, agent) in parted {
            self.part(id, agent);
        }
    }
}

/// What open contacts hang on cannot be taken away under them.
fn in_use(state: &State, config: &RoutingConfig) -> Vec<ConfigFault> {
    let queues: BTreeSet<_> = config.queues.iter().map(|queue| &queue.name).collect();
    let skills: BTreeSet<_> = config.skills.iter().map(|skill| &skill.name).collect();
    let agents: BTreeSet<_> = config.agents.iter().map(|agent| agent.id).collect();
    let mut faults = BTreeSet::new();
    let mut fault = |path: &str, message: String| {
        faults.insert(ConfigFault { path: path.to_owned(), message });
    };
    for (_, contact) in state.contacts() {
        if !queues.contains(&contact.queue) {
            let name = &contact.queue;
            fault("queues", format!("the queue {name} still has contacts: keep it until they are resolved"));
        }
        for need in contact.needs.iter().filter(|need| !skills.contains(&need.skill)) {
            let name = &need.skill;
            fault("skills", format!("open contacts need the skill {name}: keep it until they are resolved"));
        }
        if let Some(agent) = contact.holder().or(contact.owner()).filter(|agent| !agents.contains(agent)) {
            fault("agents", format!("{agent} still holds contacts: keep them until these are resolved"));
        }
    }
    for (_, incident) in state.incidents() {
        for work in &incident.works {
            if let IncidentWork::Resolve { by, .. } = &work.work
                && !agents.contains(by)
            {
                fault("agents", format!("{by} is resolving an incident: keep them until it is over"));
            }
        }
    }
    faults.into_iter().collect()
}
