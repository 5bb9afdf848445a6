//! What of a change of the configuration is beyond whoever makes it.

use std::collections::BTreeSet;

use super::{Account, Agent, Category, ConfigFault, Queue, Role, RoutingConfig};
use crate::ids::AgentId;
use crate::token::SubjectToken;

/// Somebody who changes the configuration and may not give everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    /// The highest role that they may give.
    pub gives: Role,
    /// The queues that are theirs; empty: all.
    pub scope: BTreeSet<SubjectToken>,
    /// Themselves, if they are an agent.
    pub own: Option<AgentId>,
}

impl Giver {
    /// What they may not do of a change, each with its place in the new configuration; empty if they may do all of it.
    ///
    /// Nobody changes who is a supervisor or above, but for themselves, or gives a role above their own. Whose queues are
    /// named changes these, the accounts and categories that lead into them, who works in them alone, and in which of them others
    /// work who do so already.
    #[must_use]
    pub fn beyond(&self, present: &RoutingConfig, new: &RoutingConfig) -> Vec<ConfigFault> {
        let mut beyond = Beyond { found: Vec::new() };
        for change in changes("agents", &present.agents, &new.agents, |agent| agent.id) {
            self.agent(&change, &mut beyond);
        }
        if self.scope.is_empty() {
            return beyond.found;
        }
        for change in changes("queues", &present.queues, &new.queues, |queue| queue.name.clone()) {
            self.queue(&change, &mut beyond);
        }
        let key = |account: &Account| (account.channel, account.name.clone());
        for change in changes("accounts", &present.accounts, &new.accounts, key) {
            self.leads_here(&change, |account| Some(&account.queue), &mut beyond);
        }
        let key = |category: &Category| category.name.clone();
        for change in changes("categories", &present.categories, &new.categories, key) {
            self.leads_here(&change, |category| category.queue.as_ref(), &mut beyond);
        }
        for (path, is_changed) in common(present, new) {
            if is_changed {
                beyond.add(path.to_owned(), "it is for all queues: ask somebody who supervises all of them");
            }
        }
        beyond.found
    }

    /// Whether a queue is theirs.
    #[must_use]
    pub fn has(&self, queue: &SubjectToken) -> bool {
        self.scope.is_empty() || self.scope.contains(queue)
    }

    fn agent(&self, change: &Change<'_, Agent>, beyond: &mut Beyond) {
        let is_above = |agent: &&Agent| agent.rank() >= Role::Supervisor && self.own != Some(agent.id);
        if let Some(old) = change.old.filter(is_above) {
            let message = format!("{} supervises or administrates: ask an administrator", old.name);
            beyond.add(change.path.clone(), &message);
            return;
        }
        let gives = self.gives.as_str();
        if change.new.is_some_and(|agent| agent.rank() > self.gives) {
            let message = format!("you give no role above {gives}: ask an administrator");
            beyond.add(format!("{}.role", change.path), &message);
        }
        if self.scope.is_empty() {
            return;
        }
        let is_new = |agent: &Agent| {
            change.old.is_none_or(|old| old.scope != agent.scope || old.rank() != agent.rank())
        };
        let leads_more = |agent: &Agent| agent.leads() && is_new(agent) && !self.all_theirs(&agent.scope);
        if change.new.is_some_and(leads_more) {
            beyond.add(format!("{}.scope", change.path), "you give no scope beyond your own queues");
        }
        if !self.is_theirs(change) {
            let message = "who works in queues that are not yours is not yours to change";
            beyond.add(change.path.clone(), message);
        }
    }

    /// Whether somebody works in their queues alone, before and after, or only changes between them.
    fn is_theirs(&self, change: &Change<'_, Agent>) -> bool {
        if let (Some(old), Some(new)) = (change.old, change.new)
            && old.queues.iter().any(|queue| self.scope.contains(queue))
            && *new == (Agent { queues: new.queues.clone(), ..old.clone() })
        {
            return old.queues.symmetric_difference(&new.queues).all(|queue| self.scope.contains(queue));
        }
        [change.old, change.new].into_iter().flatten().all(|agent| self.all_theirs(&agent.queues))
    }

    fn all_theirs(&self, queues: &BTreeSet<SubjectToken>) -> bool {
        !queues.is_empty() && queues.is_subset(&self.scope)
    }

    fn queue(&self, change: &Change<'_, Queue>, beyond: &mut Beyond) {
        self.leads_here(change, |queue| Some(&queue.name), beyond);
        let overflow = |queue: Option<&Queue>| queue.and_then(|queue| queue.overflow.clone());
        let (old, new) = (overflow(change.old), overflow(change.new));
        if old != new && new.is_some_and(|queue| !self.has(&queue)) {
            let path = format!("{}.overflow", change.path);
            beyond.add(path, "that queue is not yours: ask who supervises it too");
        }
        let reach = |queue: Option<&Queue>| -> BTreeSet<SubjectToken> {
            queue
                .into_iter()
                .flat_map(|queue| &queue.steps)
                .flat_map(|step| step.queues.iter().cloned())
                .collect()
        };
        if reach(change.new).difference(&reach(change.old)).any(|queue| !self.has(queue)) {
            let path = format!("{}.steps", change.path);
            beyond.add(path, "a step names agents of a queue that is not yours: ask who supervises it too");
        }
    }

    fn leads_here<'a, T>(
        &self,
        change: &Change<'a, T>,
        queue: impl Fn(&'a T) -> Option<&'a SubjectToken>,
        beyond: &mut Beyond,
    ) {
        let both = [change.old, change.new].into_iter().flatten();
        if !both.map(queue).all(|queue| queue.is_some_and(|queue| self.has(queue))) {
            beyond.add(change.path.clone(), "it is of a queue that is not yours: ask who supervises that");
        }
    }
}

/// What all queues share, and whether it is another one now.
fn common(present: &RoutingConfig, new: &RoutingConfig) -> [(&'static str, bool); 10] {
    [
        ("skills", present.skills != new.skills),
        ("dispositions", present.dispositions != new.dispositions),
        ("priorities", present.priorities != new.priorities),
        ("channels", present.channels != new.channels),
        ("hours", present.hours != new.hours),
        ("languages", present.languages != new.languages),
        ("facts", present.facts != new.facts),
        ("routes", present.routes != new.routes),
        ("tags", present.tags != new.tags),
        ("contact_fields", present.contact_fields != new.contact_fields),
    ]
}

struct Beyond {
    found: Vec<ConfigFault>,
}

impl Beyond {
    fn add(&mut self, path: String, message: &str) {
        self.found.push(ConfigFault { path, message: message.to_owned() });
    }
}

/// Something that was added, changed or taken away.
struct Change<'a, T> {
    path: String,
    old: Option<&'a T>,
    new: Option<&'a T>,
}

fn changes<'a, T: PartialEq, K: Ord>(
    list: &str,
    old: &'a [T],
    new: &'a [T],
    key: impl Fn(&T) -> K,
) -> Vec<Change<'a, T>> {
    let mut left: std::collections::BTreeMap<K, &'a T> = old.iter().map(|one| (key(one), one)).collect();
    let mut changes = Vec::new();
    for (n, one) in new.iter().enumerate() {
        let before = left.remove(&key(one));
        if before != Some(one) {
            changes.push(Change { path: format!("{list}[{n}]"), old: before, new: Some(one) });
        }
    }
    changes.extend(left.into_values().map(|one| Change { path: list.to_owned(), old: Some(one), new: None }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelKind;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn agent(n: u128, role: Role, queues: &[&str]) -> Agent {
        let queues = queues.iter().map(|name| token(name)).collect();
        Agent { role, queues, ..Agent::new(AgentId(uuid::Uuid::from_u128(n)), token(&format!("agent-{n}"))) }
    }

    fn account(name: &str, queue: &str) -> Account {
        let (channel, name, queue) = (ChannelKind::Web, token(name), token(queue));
        Account { channel, name, title: String::new(), queue, priority: 0, practice: false }
    }

    fn present() -> RoutingConfig {
        RoutingConfig {
            queues: vec![Queue::new(token("returns")), Queue::new(token("tyres"))],
            agents: vec![
                agent(1, Role::Administrator, &[]),
                agent(2, Role::Supervisor, &["returns"]),
                agent(3, Role::Agent, &["returns"]),
                agent(4, Role::Lead, &["returns", "tyres"]),
                agent(5, Role::Agent, &["tyres"]),
            ],
            accounts: vec![account("shop", "returns"), account("garage", "tyres")],
            ..RoutingConfig::default()
        }
    }

    fn giver(scope: &[&str]) -> Giver {
        let scope = scope.iter().map(|name| token(name)).collect();
        Giver { gives: Role::Supervisor, scope, own: Some(AgentId(uuid::Uuid::from_u128(2))) }
    }

    fn beyond(giver: &Giver, change: impl FnOnce(&mut RoutingConfig)) -> Vec<String> {
        let mut new = present();
        change(&mut new);
        giver.beyond(&present(), &new).into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn nobody_gives_a_role_above_their_own_or_changes_who_is() {
        let all = giver(&[]);
        assert_eq!(beyond(&all, |_| {}), [""; 0]);
        assert_eq!(beyond(&all, |new| new.agents[2].role = Role::Supervisor), [""; 0]);
        assert_eq!(beyond(&all, |new| new.agents[2].role = Role::Administrator), ["agents[2].role"]);
        assert_eq!(beyond(&all, |new| new.agents[1].role = Role::Administrator), ["agents[1].role"]);
        assert_eq!(beyond(&all, |new| new.agents[1].title = "Me".to_owned()), [""; 0]);
        assert_eq!(beyond(&all, |new| new.agents[0].role = Role::Agent), ["agents[0]"]);
        assert_eq!(beyond(&all, |new| drop(new.agents.remove(0))), ["agents"]);
        let added = |role| move |new: &mut RoutingConfig| new.agents.push(agent(9, role, &["returns"]));
        assert_eq!(beyond(&all, added(Role::Supervisor)), [""; 0]);
        let key = Giver { gives: Role::Lead, own: None, ..all };
        assert_eq!(beyond(&key, added(Role::Lead)), [""; 0]);
        assert_eq!(beyond(&key, added(Role::Supervisor)), ["agents[5].role"]);
        assert_eq!(beyond(&key, |new| new.agents[1].title = "Me".to_owned()), ["agents[1]"]);
    }

    #[test]
    fn whose_queues_are_named_touches_no_other() {
        let one = giver(&["returns"]);
        assert_eq!(beyond(&one, |new| new.queues[0].picking = false), [""; 0]);
        assert_eq!(beyond(&one, |new| new.queues[1].picking = false), ["queues[1]"]);
        assert_eq!(beyond(&one, |new| new.queues[0].overflow = Some(token("tyres"))), ["queues[0].overflow"]);
        let step = |queues: &[&str]| super::super::Step {
            queues: queues.iter().map(|name| token(name)).collect(),
            ..super::super::Step::default()
        };
        assert_eq!(beyond(&one, |new| new.queues[0].steps.push(step(&["returns"]))), [""; 0]);
        assert_eq!(beyond(&one, |new| new.queues[0].steps.push(step(&["tyres"]))), ["queues[0].steps"]);
        assert_eq!(beyond(&one, |new| new.queues.push(Queue::new(token("new")))), ["queues[2]"]);
        assert_eq!(beyond(&one, |new| drop(new.queues.remove(1))), ["queues"]);
        assert_eq!(beyond(&one, |new| new.accounts[0].title = "Shop".to_owned()), [""; 0]);
        assert_eq!(beyond(&one, |new| new.accounts[1].queue = token("returns")), ["accounts[1]"]);
        assert_eq!(beyond(&one, |new| new.accounts[0].queue = token("tyres")), ["accounts[0]"]);
        let skill = super::super::Skill { name: token("dutch"), title: "Dutch".to_owned() };
        assert_eq!(beyond(&one, |new| new.skills.push(skill.clone())), ["skills"]);
        assert_eq!(beyond(&giver(&[]), |new| new.skills.push(skill)), [""; 0]);
    }

    #[test]
    fn whose_queues_are_named_changes_who_works_there() {
        let one = giver(&["returns"]);
        assert_eq!(beyond(&one, |new| new.agents[2].title = "Cas".to_owned()), [""; 0]);
        assert_eq!(beyond(&one, |new| new.agents[4].title = "Eva".to_owned()), ["agents[4]"]);
        let (returns, tyres) = (token("returns"), token("tyres"));
        assert_eq!(beyond(&one, |new| new.agents[4].queues.extend([returns.clone()])), ["agents[4]"]);
        assert_eq!(beyond(&one, |new| new.agents[2].queues.extend([tyres.clone()])), ["agents[2]"]);
        assert_eq!(beyond(&one, |new| drop(new.agents.pop())), ["agents"]);
        let added = |queues: &'static [&str], scope: &'static [&str]| {
            move |new: &mut RoutingConfig| {
                let scope = scope.iter().map(|name| token(name)).collect();
                new.agents.push(Agent { scope, ..agent(9, Role::Lead, queues) });
            }
        };
        assert_eq!(beyond(&one, added(&["returns"], &["returns"])), [""; 0]);
        assert_eq!(beyond(&one, added(&["returns"], &[])), ["agents[5].scope"]);
        assert_eq!(beyond(&one, added(&["tyres"], &["returns"])), ["agents[5]"]);
        assert_eq!(beyond(&one, added(&[], &["returns"])), ["agents[5]"]);
        // Who works in their queue and in others may be taken out of theirs, and nothing else.
        let two = giver(&["returns"]);
        let cas = |new: &mut RoutingConfig| new.agents[3].role = Role::Agent;
        assert_eq!(beyond(&two, cas), ["agents[3]"]);
    }

    #[test]
    fn who_works_in_several_queues_is_taken_out_of_ones_own() {
        let mut mixed = present();
        mixed.agents[3].role = Role::Agent;
        let mut new = mixed.clone();
        new.agents[3].queues.remove(&token("returns"));
        assert_eq!(giver(&["returns"]).beyond(&mixed, &new), []);
        new.agents[3].capacity.insert(ChannelKind::Web, 9);
        assert_eq!(giver(&["returns"]).beyond(&mixed, &new).len(), 1);
    }
}
