//! The conditions of a routing configuration: what they may name, and what is wrong with them.

use protocol::config::{ABOUT_AGENT, ABOUT_CONTACT, Agent, ConfigFault, Route, RoutingConfig, Step};
use protocol::facts::{FactName, FactType, FactValue, FactValues};
use protocol::feedback::{Question, Scores};
use protocol::{ChannelKind, SubjectToken};

use crate::{Condition, Node, Value, Vocabulary, read};

/// The product's own facts of a contact, in the order of their names.
const OWN: [(&str, FactType); 8] = [
    ("contact.account", FactType::Text),
    ("contact.category", FactType::Text),
    ("contact.channel", FactType::Text),
    ("contact.language", FactType::Text),
    ("contact.returning", FactType::Bool),
    ("customer.effort", FactType::Int),
    ("customer.recommend", FactType::Int),
    ("customer.satisfaction", FactType::Int),
];

/// Two letters: there is an end of them.
const LANGUAGE: &str = "contact.language";

#[derive(Clone, Debug)]
struct Entry {
    name: FactName,
    type_: FactType,
    words: Option<Vec<String>>,
    absent: Option<FactValue>,
}

impl Entry {
    fn is_of_agents(&self) -> bool {
        self.name.parts().0 == ABOUT_AGENT
    }

    fn takes(&self, value: &FactValue) -> bool {
        value.kind() == self.type_
    }
}

/// What the product itself knows of a contact when it opens.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its channel.
    pub channel: ChannelKind,
    /// Its account.
    pub account: &'a SubjectToken,
    /// What it is about.
    pub category: Option<&'a SubjectToken>,
    /// The customer's language.
    pub language: Option<&'a str>,
    /// Whether they were here before.
    pub is_returning: bool,
    /// What they answered last.
    pub scores: Scores,
}

impl About<'_> {
    fn own(&self, name: &str) -> Option<FactValue> {
        let score = |question| self.scores.of(question).map(|score| FactValue::Int(score.into()));
        Some(match name {
            "contact.account" => FactValue::Text(self.account.to_string()),
            "contact.category" => {
                FactValue::Text(self.category.map_or_else(String::new, |name| name.to_string()))
            }
            "contact.channel" => FactValue::Text(self.channel.as_str().to_owned()),
            "contact.language" => FactValue::Text(self.language.unwrap_or_default().to_owned()),
            "customer.effort" => score(Question::Effort)?,
            "customer.recommend" => score(Question::Recommend)?,
            "customer.satisfaction" => score(Question::Satisfaction)?,
            _ => FactValue::Bool(self.is_returning),
        })
    }
}

/// The facts that the conditions of a configuration may name, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct RoutingFacts {
    entries: Vec<Entry>,
}

impl RoutingFacts {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &RoutingConfig) -> Self {
        let own = OWN.into_iter().filter_map(|(name, type_)| {
            let channels = || ChannelKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
            let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            let words = match name {
                "contact.account" => {
                    Some(names(config.accounts.iter().map(|one| one.name.as_str()).collect()))
                }
                "contact.category" => {
                    Some(names(config.categories.iter().map(|one| one.name.as_str()).collect()))
                }
                "contact.channel" => Some(channels()),
                _ => None,
            };
            Some(Entry { name: name.parse().ok()?, type_, words, absent: None })
        });
        let declared = config.facts.iter().filter(|fact| fact.name.parts().0 != ABOUT_CONTACT);
        let declared = declared.map(|fact| Entry {
            name: fact.name.clone(),
            type_: fact.type_,
            words: Some(fact.words.clone()).filter(|words| !words.is_empty()),
            absent: fact.absent.clone(),
        });
        // A name that was declared before it was the product's own means what it was declared as.
        let mut entries: Vec<Entry> = declared.chain(own).collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        entries.dedup_by(|left, right| left.name == right.name);
        Self { entries }
    }

    /// What a message says of the facts that are declared, with the product's own. What is of another type than declared or not
    /// among its words is left out: it is not known.
    #[must_use]
    pub fn of_contact(config: &RoutingConfig, about: &About<'_>, given: &FactValues) -> FactValues {
        let declared = config.facts.iter().filter(|fact| fact.name.parts().0 != ABOUT_AGENT);
        let said = declared.filter_map(|fact| {
            let value = given.get(&fact.name).filter(|value| fact.takes(value))?;
            Some((fact.name.clone(), value.clone()))
        });
        let is_declared = |name: &str| config.facts.iter().any(|fact| fact.name.as_str() == name);
        let own = OWN.into_iter().filter(|(name, _)| !is_declared(name));
        let own = own.filter_map(|(name, _)| Some((name.parse().ok()?, about.own(name)?)));
        said.chain(own).collect()
    }

    /// What is known of a contact, by place; of agents nothing.
    #[must_use]
    pub fn known<'a>(&'a self, facts: &'a FactValues) -> Vec<Option<Value<'a>>> {
        let value = |entry: &'a Entry| {
            let given = facts.get(&entry.name).filter(|value| entry.takes(value));
            given.or(entry.absent.as_ref()).filter(|_| !entry.is_of_agents()).map(Value::from)
        };
        self.entries.iter().map(value).collect()
    }

    /// What is known of an agent, by place, of those facts alone that some condition asks for; of contacts nothing.
    #[must_use]
    pub fn of_agent(&self, agent: &Agent, is_asked: impl Fn(usize) -> bool) -> Vec<Option<FactValue>> {
        let value = |(place, entry): (usize, &Entry)| {
            let given = agent.attributes.get(&entry.name).filter(|value| entry.takes(value));
            given.or(entry.absent.as_ref()).filter(|_| entry.is_of_agents() && is_asked(place)).cloned()
        };
        self.entries.iter().enumerate().map(value).collect()
    }

    /// Conditions that all have to hold, as one; `None` if there are none.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with the number of its line; the configuration is refused.
    pub fn all_of(&self, when: &[String]) -> Result<Option<Condition>, Vec<(usize, String)>> {
        let (mut faults, mut all) = (Vec::new(), None::<Condition>);
        for (line, text) in when.iter().enumerate() {
            match read(text, self) {
                Ok(next) => all = Some(all.map_or(next.clone(), |before| before.and(next))),
                Err(found) => faults.extend(found.into_iter().map(|fault| (line, fault))),
            }
        }
        if faults.is_empty() { Ok(all) } else { Err(faults) }
    }

    /// The steps of a queue: what each asks besides queues, teams and skills.
    #[must_use]
    pub fn of_steps(&self, steps: &[Step]) -> Vec<Option<Condition>> {
        // What cannot be read was refused with its configuration; were it not, nobody would belong to the step.
        let never = || Some(Condition { node: Node::Bool(false), facts: Box::default() });
        steps.iter().map(|step| self.all_of(&step.when).unwrap_or_else(|_| never())).collect()
    }

    /// The conditions of a route; `None` if it never holds.
    #[must_use]
    pub fn of_route(&self, route: &Route) -> Option<Condition> {
        self.all_of(&route.when).ok().flatten()
    }

    /// The facts of contacts that a condition compares with facts of agents and whose values have no end: each value would
    /// make a class of its own.
    fn endless(&self, node: &Node) -> Vec<&FactName> {
        match node {
            Node::Both(of) | Node::Either(of) => of.iter().flat_map(|one| self.endless(one)).collect(),
            Node::Not(of) => self.endless(of),
            // One of numbers or words stands within a comparison, and is looked at with it.
            Node::Choose(of) => of.iter().flat_map(|one| self.endless(one)).collect(),
            Node::Bool(_)
            | Node::Int(_)
            | Node::Text(_)
            | Node::Fact(_)
            | Node::Negate(_)
            | Node::Same(_)
            | Node::Differs(_)
            | Node::Compare(..)
            | Node::Compute(..)
            | Node::OneOfInts(..)
            | Node::OneOfTexts(..)
            | Node::StartsWith(..) => self.mixed(node),
        }
    }

    /// Those of a part that names facts of agents too.
    fn mixed(&self, node: &Node) -> Vec<&FactName> {
        let mut places = Vec::new();
        node.names(&mut places);
        let entries: Vec<&Entry> = places.iter().filter_map(|place| self.entries.get(*place)).collect();
        if !entries.iter().any(|entry| entry.is_of_agents()) {
            return Vec::new();
        }
        let is_endless = |entry: &&&Entry| {
            let ends =
                entry.words.is_some() || entry.type_ == FactType::Bool || entry.name.as_str() == LANGUAGE;
            !entry.is_of_agents() && !ends
        };
        entries.iter().filter(is_endless).map(|entry| &entry.name).collect()
    }

    fn names_agents(&self, condition: &Condition) -> Option<&FactName> {
        let named = condition.facts.iter().filter_map(|place| self.entries.get(*place));
        named.into_iter().find(|entry| entry.is_of_agents()).map(|entry| &entry.name)
    }
}

impl Vocabulary for RoutingFacts {
    const MISSING: &'static str = "a fact that is missing is unknown, and a condition that needs it does not hold; say with `absent` what its absence means";

    fn place(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()
    }

    fn type_at(&self, place: usize) -> Option<FactType> {
        self.entries.get(place).map(|entry| entry.type_)
    }

    fn words_at(&self, place: usize) -> Option<(&str, &[String])> {
        let entry = self.entries.get(place)?;
        Some((entry.name.as_str(), entry.words.as_deref()?))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    fn never_a_fact(&self, name: &str) -> Option<String> {
        matches!(name, "contact.queue" | "contact.priority").then(|| {
            format!("`{name}` is what routing decides: name what it follows from, as in contact.category")
        })
    }
}

/// All that is wrong with the conditions of a configuration; [`RoutingConfig::faults`] tells the rest.
#[must_use]
pub fn faults(config: &RoutingConfig) -> Vec<ConfigFault> {
    let facts = RoutingFacts::of(config);
    let mut faults = Vec::new();
    let mut add = |path: String, message: String| faults.push(ConfigFault { path, message });
    for (n, route) in config.routes.iter().enumerate() {
        let path = |line| format!("routes[{n}].when[{line}]");
        for (line, text) in route.when.iter().enumerate() {
            match read(text, &facts) {
                Ok(condition) => {
                    if let Some(name) = facts.names_agents(&condition) {
                        let message = format!(
                            "{name} is of agents, and a route has none yet: ask for it in a step of the queue"
                        );
                        add(path(line), message);
                    }
                }
                Err(found) => found.into_iter().for_each(|fault| add(path(line), fault)),
            }
        }
    }
    for (n, queue) in config.queues.iter().enumerate() {
        for (k, step) in queue.steps.iter().enumerate() {
            for (line, text) in step.when.iter().enumerate() {
                let path = || format!("queues[{n}].steps[{k}].when[{line}]");
                match read(text, &facts) {
                    Ok(condition) => {
                        for name in facts.endless(&condition.node) {
                            let message = format!(
                                "{name} is compared with what agents are, and each of its values would be a class of its own: \
                                 compare it with a number or word, or declare its `words`"
                            );
                            add(path(), message);
                        }
                    }
                    Err(found) => found.into_iter().for_each(|fault| add(path(), fault)),
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use protocol::SubjectToken;
    use protocol::config::{DeclaredFact, Queue};

    use super::*;
    use crate::Truth;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn fact(name: &str, type_: FactType, words: &[&str]) -> DeclaredFact {
        let words = words.iter().map(ToString::to_string).collect();
        DeclaredFact { name: name.parse().unwrap(), type_, words, absent: None }
    }

    fn route(name: &str, when: &[&str]) -> Route {
        let when = when.iter().map(ToString::to_string).collect();
        Route { name: token(name), when, queue: None, priority: Some(0), needs: Vec::new() }
    }

    fn config() -> RoutingConfig {
        RoutingConfig {
            facts: vec![
                fact("customer.tier", FactType::Text, &["gold", "basic"]),
                fact("order.value", FactType::Int, &[]),
                DeclaredFact {
                    absent: Some(FactValue::Bool(false)),
                    ..fact("agent.senior", FactType::Bool, &[])
                },
            ],
            ..RoutingConfig::default()
        }
    }

    #[test]
    fn every_wrong_condition_is_told_with_its_place_all_at_once() {
        let mut config = config();
        let step = |when: &str| Step { when: vec![when.to_owned()], ..Step::default() };
        config.queues =
            vec![Queue { steps: vec![step("agent.seniro"), step("agent.senior")], ..Queue::new(token("q")) }];
        config.routes = vec![
            route("fits", &["customer.tier == \"gold\" && order.value > 500", "contact.returning"]),
            route("typo", &["customer.tier == \"golden\"", "order.value == \"x\""]),
            route("agents", &["agent.senior"]),
            route("decided", &["contact.queue == \"q\""]),
        ];
        let told: Vec<_> = faults(&config).into_iter().map(|fault| (fault.path, fault.message)).collect();
        let expected = [
            ("routes[1].when[0]", "customer.tier is never \"golden\"; did you mean gold?"),
            ("routes[1].when[1]", "compares a whole number (int) with a word (text)"),
            ("routes[2].when[0]", "agent.senior is of agents"),
            ("routes[3].when[0]", "is what routing decides"),
            ("queues[0].steps[0].when[0]", "did you mean agent.senior?"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for ((path, message), (place, says)) in told.iter().zip(expected) {
            assert!(path == place && message.contains(says), "{path}: {message}");
        }
    }

    #[test]
    fn what_has_no_end_of_values_is_not_compared_with_agents() {
        let mut config = config();
        config.facts.push(fact("agent.most", FactType::Int, &[]));
        config.facts.push(fact("agent.site", FactType::Text, &[]));
        config.facts.push(fact("customer.town", FactType::Text, &[]));
        for (when, endless) in [
            ("order.value > 500 && agent.senior", None),
            ("(order.value > 500 ? agent.senior : !agent.senior) || agent.most > 3", None),
            ("agent.site == customer.tier", None),
            ("agent.site == contact.language", None),
            ("agent.most >= order.value", Some("order.value")),
            ("!(agent.most + 1 >= order.value * 2)", Some("order.value")),
            ("agent.site == customer.town", Some("customer.town")),
            ("(agent.senior ? order.value : 0) > 3", Some("order.value")),
            ("(order.value > 3 ? agent.site : customer.town) == \"x\"", Some("customer.town")),
        ] {
            let step = Step { when: vec![when.to_owned()], ..Step::default() };
            config.queues = vec![Queue { steps: vec![step], ..Queue::new(token("q")) }];
            let told: Vec<_> = faults(&config).into_iter().map(|fault| fault.message).collect();
            match endless {
                None => assert_eq!(told, [""; 0], "{when}"),
                Some(name) => assert!(told.iter().any(|one| one.starts_with(name)), "{when}: {told:?}"),
            }
        }
    }

    #[test]
    fn a_route_takes_who_was_unhappy_last_time_and_nobody_who_never_said() {
        let mut config = config();
        config.routes = vec![route("unhappy", &["customer.satisfaction <= 2"])];
        assert_eq!(faults(&config), []);
        let facts = RoutingFacts::of(&config);
        let condition = facts.of_route(&config.routes[0]).unwrap();
        let truth = |question: Option<(Question, u8)>, said: Option<i64>| {
            let mut scores = Scores::default();
            if let Some((question, score)) = question {
                scores.note(question, score);
            }
            let about = About {
                channel: ChannelKind::Web,
                account: &token("shop"),
                category: None,
                language: None,
                is_returning: true,
                scores,
            };
            let said = said.map(|score| ("customer.satisfaction".parse().unwrap(), FactValue::Int(score)));
            let known = RoutingFacts::of_contact(&config, &about, &said.into_iter().collect());
            condition.node.truth(&facts.known(&known))
        };
        let satisfaction = |score| Some((Question::Satisfaction, score));
        assert_eq!(truth(satisfaction(1), None), Truth::Holds);
        assert_eq!(truth(satisfaction(2), None), Truth::Holds);
        assert_eq!(truth(satisfaction(3), None), Truth::Fails);
        assert_eq!(truth(Some((Question::Effort, 1)), None), Truth::Unknown, "another question");
        assert_eq!(truth(None, None), Truth::Unknown);
        // What another system says of it is not asked for, and counts for nothing.
        assert_eq!(truth(None, Some(1)), Truth::Unknown);
        assert_eq!(truth(satisfaction(5), Some(1)), Truth::Fails);
    }

    #[test]
    fn a_name_that_was_declared_before_it_was_ours_means_what_it_was_declared_as() {
        let mut config = config();
        config.facts.push(fact("customer.recommend", FactType::Text, &["yes", "no"]));
        config.routes = vec![route("fans", &["customer.recommend == 'yes'"])];
        assert_eq!(faults(&config), []);
        let known = |recommend| {
            let scores = Scores { recommend, ..Scores::default() };
            let about = About {
                channel: ChannelKind::Web,
                account: &token("shop"),
                category: None,
                language: None,
                is_returning: false,
                scores,
            };
            let name: FactName = "customer.recommend".parse().unwrap();
            let said = [(name.clone(), FactValue::Text("yes".into()))].into();
            RoutingFacts::of_contact(&config, &about, &said).get(&name).cloned()
        };
        assert_eq!(known(Some(3)), Some(FactValue::Text("yes".into())));
        assert_eq!(known(None), Some(FactValue::Text("yes".into())));
    }

    #[test]
    fn what_a_step_asks_of_agents_is_left_when_the_contact_is_known() {
        let config = config();
        let facts = RoutingFacts::of(&config);
        let when = ["order.value > 500".to_owned(), "agent.senior || customer.tier == \"basic\"".to_owned()];
        let asks = facts.all_of(&when).unwrap().unwrap().node;
        let left = |said: &[(&str, FactValue)]| {
            let said = said.iter().map(|(name, value)| (name.parse().unwrap(), value.clone())).collect();
            asks.given(&facts.known(&said))
        };
        let (tier, value) = (
            |tier: &str| ("customer.tier", FactValue::Text(tier.into())),
            |cents| ("order.value", FactValue::Int(cents)),
        );
        assert_eq!(left(&[tier("gold"), value(10)]), Node::Bool(false));
        assert_eq!(left(&[tier("basic"), value(501)]), Node::Bool(true));
        assert_eq!(
            left(&[tier("gold"), value(501)]),
            left(&[tier("gold"), value(9_000)]),
            "one class for both"
        );
        let asks = left(&[tier("gold"), value(501)]);
        let mut agent = Agent::new(protocol::AgentId(Default::default()), token("ada"));
        let truth = |agent: &Agent| {
            let known = facts.of_agent(agent, |_| true);
            asks.truth(&known.iter().map(|value| value.as_ref().map(Value::from)).collect::<Vec<_>>())
        };
        assert_eq!(truth(&agent), Truth::Fails, "the absence of it means no");
        agent.attributes = [("agent.senior".parse().unwrap(), FactValue::Bool(true))].into();
        assert_eq!(truth(&agent), Truth::Holds);
        assert_eq!(
            left(&[value(501)]).truth(&[]),
            Truth::Unknown,
            "the tier is not known, and no agent settles it"
        );
    }
}
