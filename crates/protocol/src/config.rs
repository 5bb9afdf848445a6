//! What routes, as data: queues, skills, agents, accounts. It is published as an input and replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::{FactName, FactValue};
use crate::feedback::Feedback;
use crate::hours::Hours;
use crate::ids::AgentId;
use crate::input::SkillNeed;
use crate::limits::{
    ACCOUNTS_MAX, AGENTS_MAX, BOT_ANSWER_MS, BOT_ANSWER_MS_MAX, BOT_ANSWER_MS_MIN, CAPACITY_MAX,
    CATEGORIES_MAX, CHOICES_PER_FIELD_MAX, CONTACT_FIELDS_MAX, DISPOSITIONS_MAX, FIELDS_PER_DISPOSITION_MAX,
    HOLIDAYS_MAX, HOURS_MAX, QUEUES_MAX, SKILLS_MAX, SKILLS_PER_AGENT_MAX, SKILLS_PER_CONTACT_MAX, TAGS_MAX,
};
use crate::token::{ChannelKind, Language, SkillLevel, SubjectToken};

mod change;
mod facts;
mod order;
mod role;
mod tag;

pub use change::Giver;
pub use facts::{ABOUT_AGENT, ABOUT_CONTACT, DeclaredFact, Route};
pub use order::{AgentChoice, BreachBoost, ChannelRule, PriorityClass, ServiceLevel, Step};
pub use role::{Authority, Role};
pub use tag::{Tag, TagColour};

/// The whole routing configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingConfig {
    /// Where contacts wait.
    pub queues: Vec<Queue>,
    /// What agents can and contacts need.
    pub skills: Vec<Skill>,
    /// Who takes contacts.
    pub agents: Vec<Agent>,
    /// Where messages come in.
    pub accounts: Vec<Account>,
    /// What messages may be about.
    pub categories: Vec<Category>,
    /// How contacts may end.
    pub dispositions: Vec<Disposition>,
    /// What a priority is worth against waiting. Without any, a lower number always comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<PriorityClass>,
    /// What a contact of a channel takes of an agent. A channel not named weighs 1 and mixes with all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelRule>,
    /// When queues are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
    /// Which skill speaks a language, and from which level on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<Language, SkillNeed>,
    /// What conditions may name besides the product's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<DeclaredFact>,
    /// Where contacts go whose facts say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// What contacts can be tagged with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// What can be noted of every contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact_fields: Vec<Field>,
    /// What customers are asked once an agent has resolved their contact; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// A queue and its times, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name in subjects and metrics.
    pub name: SubjectToken,
    /// Its name for people.
    pub title: String,
    /// How long an agent has to answer an offer, ms.
    pub offer_ms: u64,
    /// How long wrap-up may last after resolution, ms; 0 for none.
    pub wrap_up_ms: u64,
    /// How long a returning contact waits for its owner who is there but full, ms.
    pub owner_wait_ms: u64,
    /// How long after its end a contact is opened again by the customer's next message, ms.
    pub reopen_ms: u64,
    /// How long after a decline the same agent may be asked again when nobody else can take it, ms.
    pub decline_rest_ms: u64,
    /// Which of the able agents is asked.
    #[serde(default, skip_serializing_if = "AgentChoice::is_default")]
    pub choose: AgentChoice,
    /// Who may have its contacts, wider step by step. Without any: who serves the queue and commands what is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The wait past which its contacts come before all that are within theirs, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_bound_ms: Option<u64>,
    /// How the order is pressed by an answer that is nearly due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breach: Option<BreachBoost>,
    /// Most of its contacts that one agent holds at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_agent_max: Option<u16>,
    /// Whether who is chosen has it at once, without being asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_accept: bool,
    /// How many offers in a row an agent may leave unanswered; with the last of them they are away.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub misses_max: u8,
    /// How long a customer may leave their agent without an answer before the contact takes no room, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_after_ms: Option<u64>,
    /// How long a customer may leave their agent without an answer before the contact ends, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_after_ms: Option<u64>,
    /// How long before that end the customer is warned, ms; `None`: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_warning_ms: Option<u64>,
    /// When it is open; `None`: always. Outside, contacts wait for the opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<SubjectToken>,
    /// What it promises its customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceLevel>,
    /// Whether its agents must command the customer's language, if that is one of [`RoutingConfig::languages`]; a step can ask for
    /// it first and for others later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub speaks: bool,
    /// Where its contacts go while it is closed, if that queue is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overflow: Option<SubjectToken>,
    /// Whether its agents may take what waits without being asked.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub picking: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_yes(yes: &bool) -> bool {
    *yes
}

const fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_one(number: &u8) -> bool {
    *number == 1
}

impl Queue {
    /// A queue titled as it is named, with 30 s for an offer and no other times.
    #[must_use]
    pub fn new(name: SubjectToken) -> Self {
        Self {
            title: name.to_string(),
            name,
            offer_ms: 30_000,
            wrap_up_ms: 0,
            owner_wait_ms: 0,
            reopen_ms: 0,
            decline_rest_ms: 0,
            choose: AgentChoice::default(),
            steps: Vec::new(),
            wait_bound_ms: None,
            breach: None,
            per_agent_max: None,
            auto_accept: false,
            misses_max: 1,
            silent_after_ms: None,
            close_after_ms: None,
            close_warning_ms: None,
            hours: None,
            service: None,
            speaks: false,
            overflow: None,
            picking: true,
        }
    }
}

/// A skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// Its name.
    pub name: SubjectToken,
    /// Its name for people.
    pub title: String,
}

/// An agent as the router knows them; how they sign in is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The id, never reused.
    pub id: AgentId,
    /// The name used to sign in.
    pub name: SubjectToken,
    /// The name for customers and colleagues.
    pub title: String,
    /// The queues served.
    pub queues: BTreeSet<SubjectToken>,
    /// The skills commanded.
    pub skills: BTreeMap<SubjectToken, SkillLevel>,
    /// How many contacts of each channel at once; a channel not named takes none.
    pub capacity: BTreeMap<ChannelKind, u16>,
    /// Whether they lead at least, whatever their role says; [`Agent::rank`] is what counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lead: bool,
    /// What they may do beyond their own contacts; [`Agent::rank`] is what counts.
    #[serde(default, skip_serializing_if = "Role::is_default")]
    pub role: Role,
    /// The queues that they lead; empty: all. Who does not lead has none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<SubjectToken>,
    /// The team they work in: it shares a budget and can be asked first; `None`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<SubjectToken>,
    /// How much they hold at once over all channels, in the weights of [`RoutingConfig::channels`]; `None`: each channel's
    /// own number alone is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_max: Option<u16>,
    /// Whether it is a machine: customers are told, and it hands over what it cannot do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// How long a bot's customer may wait for it before people have the contact, ms; `None`: [`BOT_ANSWER_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within_ms: Option<u64>,
    /// What conditions may ask of them, each a declared fact named `agent.something`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<FactName, FactValue>,
}

impl Agent {
    /// How long a customer may wait for it before people have the contact, ms; `None`: it is a person.
    #[must_use]
    pub fn bot_answer_ms(&self) -> Option<u64> {
        self.bot.then(|| self.answer_within_ms.unwrap_or(BOT_ANSWER_MS))
    }

    /// An agent titled as they are named, who serves no queue yet.
    #[must_use]
    pub fn new(id: AgentId, name: SubjectToken) -> Self {
        Self {
            id,
            title: name.to_string(),
            name,
            queues: BTreeSet::new(),
            skills: BTreeMap::new(),
            capacity: BTreeMap::new(),
            lead: false,
            role: Role::Agent,
            scope: BTreeSet::new(),
            team: None,
            load_max: None,
            bot: false,
            answer_within_ms: None,
            attributes: BTreeMap::new(),
        }
    }
}

/// An account of a channel: a site with the widget, a sending system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The kind of channel.
    pub channel: ChannelKind,
    /// Its name.
    pub name: SubjectToken,
    /// Its name for people.
    pub title: String,
    /// Where its contacts wait, unless their category says otherwise.
    pub queue: SubjectToken,
    /// 0 is served first; the larger, the later.
    pub priority: u8,
    /// Whether all that comes by it is only practised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

/// What a message may be about, and what follows for its routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name.
    pub name: SubjectToken,
    /// The queue; the account's if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SubjectToken>,
    /// The priority; the account's if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The skills needed.
    #[serde(default)]
    pub needs: Vec<SkillNeed>,
}

/// How a contact may end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    /// Its name.
    pub name: SubjectToken,
    /// Its name for people.
    pub title: String,
    /// What an agent has to say with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// What has to be said when a contact ends: a word of a list or a short name such as an order's number, never a customer's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name.
    pub name: SubjectToken,
    /// Its name for people.
    pub title: String,
    /// What can be said; empty for any name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<SubjectToken>,
}

impl Field {
    /// Whether this can be said.
    #[must_use]
    pub fn takes(&self, value: &SubjectToken) -> bool {
        self.choices.is_empty() || self.choices.contains(value)
    }
}

/// One fault of a configuration: where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConfigFault {
    /// The place, as in `agents[2].queues`.
    pub path: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl RoutingConfig {
    /// All faults at once; empty if it can be used.
    #[must_use]
    pub fn faults(&self) -> Vec<ConfigFault> {
        let mut faults = Faults::default();
        faults.names("queues", self.queues.iter().map(|queue| &queue.name));
        faults.names("hours", self.hours.iter().map(|hours| &hours.name));
        faults.names("skills", self.skills.iter().map(|skill| &skill.name));
        faults.names("agents", self.agents.iter().map(|agent| &agent.name));
        faults.names("categories", self.categories.iter().map(|category| &category.name));
        faults.names("dispositions", self.dispositions.iter().map(|disposition| &disposition.name));
        self.tag_faults(&mut faults);
        faults.at_most("queues", self.queues.len(), QUEUES_MAX);
        faults.at_most("agents", self.agents.len(), AGENTS_MAX);
        faults.at_most("hours", self.hours.len(), HOURS_MAX);
        for (n, hours) in self.hours.iter().enumerate() {
            faults.at_most(&format!("hours[{n}].holidays"), hours.holidays.len(), HOLIDAYS_MAX);
            for (key, message) in hours.faults() {
                faults.add(format!("hours[{n}].{key}"), &message);
            }
        }
        faults.at_most("skills", self.skills.len(), SKILLS_MAX);
        faults.at_most("accounts", self.accounts.len(), ACCOUNTS_MAX);
        faults.at_most("categories", self.categories.len(), CATEGORIES_MAX);
        faults.at_most("dispositions", self.dispositions.len(), DISPOSITIONS_MAX);
        let known = Known {
            queues: self.queues.iter().map(|queue| &queue.name).collect(),
            skills: self.skills.iter().map(|skill| &skill.name).collect(),
            teams: self.agents.iter().filter_map(|agent| agent.team.as_ref()).collect(),
            hours: self.hours.iter().map(|hours| &hours.name).collect(),
        };
        for (n, queue) in self.queues.iter().enumerate() {
            queue.faults(n, &mut faults, &known);
        }
        self.order_faults(&mut faults);
        self.agent_faults(&mut faults, &known);
        self.account_faults(&mut faults, &known);
        self.category_faults(&mut faults, &known);
        self.disposition_faults(&mut faults);
        self.fact_faults(&mut faults, &known);
        if let Some(feedback) = &self.feedback {
            for (field, message) in feedback.faults() {
                faults.add(format!("feedback.{field}"), &message);
            }
            for queue in &feedback.queues {
                faults.known("feedback.queues".to_owned(), "queue", queue, &known.queues);
            }
        }
        for (language, need) in &self.languages {
            faults.known(format!("languages.{language}"), "skill", &need.skill, &known.skills);
        }
        faults.found
    }

    fn agent_faults(&self, faults: &mut Faults, known: &Known<'_>) {
        let mut ids = BTreeSet::new();
        for (n, agent) in self.agents.iter().enumerate() {
            if !ids.insert(agent.id) {
                faults.add(format!("agents[{n}].id"), "another agent has the same id: give each its own");
            }
            for queue in &agent.queues {
                faults.known(format!("agents[{n}].queues"), "queue", queue, &known.queues);
            }
            for skill in agent.skills.keys() {
                faults.known(format!("agents[{n}].skills"), "skill", skill, &known.skills);
            }
            for queue in &agent.scope {
                faults.known(format!("agents[{n}].scope"), "queue", queue, &known.queues);
            }
            if !agent.scope.is_empty() && !agent.leads() {
                let message = "who does not lead has no scope: give them a role, or leave it out";
                faults.add(format!("agents[{n}].scope"), message);
            }
            faults.at_most(&format!("agents[{n}].skills"), agent.skills.len(), SKILLS_PER_AGENT_MAX);
            for (channel, slots) in &agent.capacity {
                if *slots > CAPACITY_MAX {
                    let message = format!("{slots} contacts at once: expected at most {CAPACITY_MAX}");
                    faults.add(format!("agents[{n}].capacity.{channel}"), &message);
                }
            }
            self.bot_faults(n, agent, faults);
        }
    }

    /// A bot can be left at any word: it leads nobody, and has no channel that takes an agent whole, such as a call.
    fn bot_faults(&self, n: usize, agent: &Agent, faults: &mut Faults) {
        if !agent.bot {
            if agent.answer_within_ms.is_some() {
                let message = "a person has no such lease: say `bot = true`, or leave it out";
                faults.add(format!("agents[{n}].answer_within_ms"), message);
            }
            return;
        }
        if agent.lead {
            faults.add(format!("agents[{n}].lead"), "a bot does not lead: leave it out");
        } else if agent.leads() {
            faults.add(format!("agents[{n}].role"), "a bot does not lead: leave it out");
        }
        if agent.answer_within_ms.is_some_and(|ms| !(BOT_ANSWER_MS_MIN..=BOT_ANSWER_MS_MAX).contains(&ms)) {
            let message = format!("expected {BOT_ANSWER_MS_MIN} to {BOT_ANSWER_MS_MAX} ms");
            faults.add(format!("agents[{n}].answer_within_ms"), &message);
        }
        for rule in self.channels.iter().filter(|rule| rule.exclusive) {
            if agent.capacity.get(&rule.channel).is_some_and(|slots| *slots > 0) {
                let message = "a bot has no channel that takes an agent whole: leave it out";
                faults.add(format!("agents[{n}].capacity.{}", rule.channel), message);
            }
        }
    }

    fn account_faults(&self, faults: &mut Faults, known: &Known<'_>) {
        let mut seen = BTreeSet::new();
        for (n, account) in self.accounts.iter().enumerate() {
            if !seen.insert((account.channel, &account.name)) {
                faults
                    .add(format!("accounts[{n}].name"), "another account of this channel has the same name");
            }
            faults.known(format!("accounts[{n}].queue"), "queue", &account.queue, &known.queues);
        }
    }

    /// The queues that do not say after which wait their contacts come before all others: a new configuration has to, an old one
    /// in the log may do without.
    #[must_use]
    pub fn unbounded(&self) -> Vec<ConfigFault> {
        let mut faults = Faults::default();
        for (n, _) in self.queues.iter().enumerate().filter(|(_, queue)| queue.wait_bound_ms.is_none()) {
            let message = "each queue states after which wait its contacts come before all others: expected for example 900000";
            faults.add(format!("queues[{n}].wait_bound_ms"), message);
        }
        faults.found
    }

    fn disposition_faults(&self, faults: &mut Faults) {
        for (n, disposition) in self.dispositions.iter().enumerate() {
            let path = format!("dispositions[{n}].fields");
            faults.names(&path, disposition.fields.iter().map(|field| &field.name));
            faults.at_most(&path, disposition.fields.len(), FIELDS_PER_DISPOSITION_MAX);
            for field in &disposition.fields {
                faults.at_most(&path, field.choices.len(), CHOICES_PER_FIELD_MAX);
            }
        }
    }

    fn tag_faults(&self, faults: &mut Faults) {
        faults.names("tags", self.tags.iter().map(|tag| &tag.name));
        faults.at_most("tags", self.tags.len(), TAGS_MAX);
        faults.names("contact_fields", self.contact_fields.iter().map(|field| &field.name));
        faults.at_most("contact_fields", self.contact_fields.len(), CONTACT_FIELDS_MAX);
        for (n, field) in self.contact_fields.iter().enumerate() {
            let path = format!("contact_fields[{n}].choices");
            faults.at_most(&path, field.choices.len(), CHOICES_PER_FIELD_MAX);
        }
    }

    fn category_faults(&self, faults: &mut Faults, known: &Known<'_>) {
        for (n, category) in self.categories.iter().enumerate() {
            if let Some(queue) = &category.queue {
                faults.known(format!("categories[{n}].queue"), "queue", queue, &known.queues);
            }
            for need in &category.needs {
                faults.known(format!("categories[{n}].needs"), "skill", &need.skill, &known.skills);
            }
            faults.at_most(&format!("categories[{n}].needs"), category.needs.len(), SKILLS_PER_CONTACT_MAX);
        }
    }
}

type Names<'a> = BTreeSet<&'a SubjectToken>;

/// What a configuration may refer to.
struct Known<'a> {
    queues: Names<'a>,
    skills: Names<'a>,
    teams: Names<'a>,
    hours: Names<'a>,
}

#[derive(Default)]
struct Faults {
    found: Vec<ConfigFault>,
}

impl Faults {
    fn add(&mut self, path: String, message: &str) {
        self.found.push(ConfigFault { path, message: message.to_owned() });
    }

    fn names<'a>(&mut self, list: &str, names: impl Iterator<Item = &'a SubjectToken>) {
        let mut seen = BTreeSet::new();
        for (n, name) in names.enumerate() {
            if !seen.insert(name) {
                self.add(format!("{list}[{n}].name"), &format!("the name {name} stands twice in {list}"));
            }
        }
    }

    fn at_most(&mut self, path: &str, found: usize, most: usize) {
        if found > most {
            self.add(path.to_owned(), &format!("{found} of them: expected at most {most}"));
        }
    }

    fn known(&mut self, path: String, kind: &str, name: &SubjectToken, names: &Names<'_>) {
        if !names.contains(name) {
            let known: Vec<&str> = names.iter().take(8).map(|token| token.as_str()).collect();
            self.add(path, &format!("there is no {kind} {name}: expected one of {}", known.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    fn with_lists_of(counts: &[(&str, usize)]) -> RoutingConfig {
        let count = |list: &str| counts.iter().find(|(name, _)| *name == list).map_or(0, |(_, count)| *count);
        let names = |list: &str| (0..count(list)).map(|n| token(&format!("n{n}")));
        RoutingConfig {
            queues: names("queues").map(Queue::new).collect(),
            skills: names("skills").map(|name| Skill { name, title: String::new() }).collect(),
            accounts: names("accounts")
                .map(|name| Account {
                    channel: ChannelKind::Web,
                    name,
                    title: String::new(),
                    queue: token("n0"),
                    priority: 0,
                    practice: false,
                })
                .collect(),
            categories: names("categories")
                .map(|name| Category { name, queue: None, priority: None, needs: Vec::new() })
                .collect(),
            dispositions: names("dispositions")
                .map(|name| Disposition { name, title: String::new(), fields: Vec::new() })
                .collect(),
            ..RoutingConfig::default()
        }
    }

    #[test]
    fn each_list_may_be_as_long_as_its_limit_and_no_longer() {
        let limits = [
            ("queues", QUEUES_MAX),
            ("skills", SKILLS_MAX),
            ("accounts", ACCOUNTS_MAX),
            ("categories", CATEGORIES_MAX),
            ("dispositions", DISPOSITIONS_MAX),
        ];
        assert_eq!(with_lists_of(&limits).faults(), []);
        let one_more = limits.map(|(list, most)| (list, most + 1));
        let faults = with_lists_of(&one_more).faults();
        let told: BTreeSet<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(told, limits.map(|(list, _)| list).into());
    }

    #[test]
    fn a_bot_neither_leads_nor_takes_a_channel_that_takes_an_agent_whole() {
        let bot = Agent {
            bot: true,
            lead: true,
            answer_within_ms: Some(BOT_ANSWER_MS_MIN - 1),
            capacity: [(ChannelKind::Web, 1), (ChannelKind::Api, 1)].into(),
            ..Agent::new(AgentId(uuid::Uuid::from_u128(1)), token("bot"))
        };
        let person = Agent {
            answer_within_ms: Some(BOT_ANSWER_MS),
            ..Agent::new(AgentId(uuid::Uuid::from_u128(2)), token("ada"))
        };
        let rule = |channel, exclusive| ChannelRule { channel, weight: 1, exclusive, interruptible: false };
        let channels = vec![rule(ChannelKind::Web, true), rule(ChannelKind::Api, false)];
        let mut config = RoutingConfig { agents: vec![bot, person], channels, ..RoutingConfig::default() };
        let paths: Vec<_> = config.faults().into_iter().map(|fault| fault.path).collect();
        let expected = [
            "agents[0].lead",
            "agents[0].answer_within_ms",
            "agents[0].capacity.web",
            "agents[1].answer_within_ms",
        ];
        assert_eq!(paths, expected);
        (config.agents[0].lead, config.agents[0].role) = (false, Role::Supervisor);
        assert!(config.faults().iter().any(|fault| fault.path == "agents[0].role"));
        (config.agents[0].role, config.agents[1].bot) = (Role::Agent, true);
        config.channels.clear();
        for (ms, fits) in
            [(BOT_ANSWER_MS_MIN, true), (BOT_ANSWER_MS_MAX, true), (BOT_ANSWER_MS_MAX + 1, false)]
        {
            config.agents[0].answer_within_ms = Some(ms);
            assert_eq!(config.faults().is_empty(), fits, "{ms}");
        }
    }

    #[test]
    fn a_scope_is_of_who_leads_and_names_queues() {
        let scoped = Agent {
            scope: [token("nowhere")].into(),
            ..Agent::new(AgentId(uuid::Uuid::from_u128(1)), token("ada"))
        };
        let mut config = RoutingConfig { agents: vec![scoped], ..RoutingConfig::default() };
        let faults = |config: &RoutingConfig| {
            let faults = config.faults().into_iter();
            faults.map(|fault| (fault.path, fault.message)).collect::<Vec<_>>()
        };
        let found = faults(&config);
        assert!(found.iter().all(|(path, _)| path == "agents[0].scope"), "{found:?}");
        assert_eq!(found.len(), 2, "{found:?}");
        config.agents[0].role = Role::Lead;
        config.queues.push(Queue::new(token("nowhere")));
        assert_eq!(faults(&config), []);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let agent = Agent {
            queues: [token("nowhere")].into(),
            skills: [(token("magic"), SkillLevel::LOWEST)].into(),
            capacity: [(ChannelKind::Web, CAPACITY_MAX + 1)].into(),
            ..Agent::new(AgentId(uuid::Uuid::from_u128(1)), token("ada"))
        };
        let config = RoutingConfig { agents: vec![agent.clone(), agent], ..RoutingConfig::default() };
        let faults = config.faults();
        let paths: BTreeSet<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        let expected = [
            "agents[0].capacity.web",
            "agents[0].queues",
            "agents[0].skills",
            "agents[1].capacity.web",
            "agents[1].id",
            "agents[1].name",
            "agents[1].queues",
            "agents[1].skills",
        ];
        assert_eq!(paths, expected.into());
    }
}
