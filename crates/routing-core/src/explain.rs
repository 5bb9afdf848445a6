//! Why a contact is where it is: the full table of agents, for a person who asks.

use protocol::command::Presence;
use protocol::facts::FactValues;
use protocol::input::SkillNeed;
use protocol::record::{Event, Preferred, Receipt, Record};
use protocol::remedy::Effort;
use protocol::{AgentId, ContactId, Hash128, Millis, SkillLevel, SubjectToken};
use serde::Serialize;

use crate::apply::{ApplyError, apply_watched};
use crate::contact::{Contact, DeclineHow, EndedHow, Phase};
use crate::floor::{ClassKey, ProfileKey};
use crate::rings::{Ring, rings};
use crate::state::State;

/// A contact and how every agent stands to it, at the moment of the last record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The contact.
    pub contact: ContactId,
    /// Up to which record this is true.
    pub log_seq: u64,
    /// When that record was decided.
    pub at: Millis,
    /// The configuration in force.
    pub policy: Hash128,
    /// Where the contact is.
    pub place: Place,
    /// What is known of it, if any condition could ask.
    #[serde(skip_serializing_if = "FactValues::is_empty")]
    pub facts: FactValues,
    /// The route that it took, if one decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<SubjectToken>,
    /// Every configured agent, best first; empty when the contact has ended or is not known.
    pub agents: Vec<AgentRow>,
}

/// Where a contact is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Place {
    /// Never heard of, or ended so long ago that it is not remembered.
    Unknown,
    /// It has ended.
    Ended {
        /// How.
        how: EndedHow,
        /// When.
        at: Millis,
        /// The last queue.
        queue: SubjectToken,
    },
    /// It is open.
    Open {
        /// Its phase.
        phase: Phase,
        /// The queue.
        queue: SubjectToken,
        /// 0 is served first.
        priority: u8,
        /// Its score at that moment, ms of waiting; none when it does not wait, and where priorities come strictly one
        /// before the other.
        score_ms: Option<u64>,
        /// What the agent must command.
        needs: Vec<SkillNeed>,
        /// When its queue opens, while that is closed: nobody can have it before.
        opens_at: Option<Millis>,
        /// Since when it waits, or had waited.
        since: Millis,
        /// What it cost the customer until then.
        effort: Effort,
        /// Who should have it first.
        preferred: Option<Preferred>,
        /// Its place among the waiting ones of its class, from 1; none when it does not wait.
        place_in_class: Option<u32>,
        /// How many wait in its class.
        waiting_in_class: u32,
        /// Its place among the waiting ones of its queue, from 1; none when it does not wait.
        place_in_queue: Option<u32>,
        /// How many wait in its queue.
        waiting_in_queue: u32,
    },
}

/// How one agent stands to the contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentRow {
    /// The agent.
    pub agent: AgentId,
    /// How long their contacts have not changed, ms.
    pub idle_ms: u64,
    /// The first reason that holds.
    pub standing: Standing,
}

/// Why an agent has, can have or cannot have a contact, best first.
///
/// Of several reasons the last one here is told: who does not serve the queue need not be told that they are away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// Has it, or is asked.
    Chosen,
    /// Could have it.
    Able,
    /// Would not have it, and may not be asked again yet.
    Declined {
        /// In which way.
        how: DeclineHow,
        /// When.
        at: Millis,
    },
    /// Stands back for who is preferred.
    StandsBack {
        /// Until when at most.
        until: Millis,
    },
    /// Could have it once it has waited for a later step of its queue.
    Later {
        /// From when on.
        at: Millis,
    },
    /// Has as many as they can of this queue.
    QueueFull {
        /// Contacts of this queue held.
        held: u16,
        /// Contacts of this queue at most.
        most: u16,
    },
    /// Has as many as they can, over all channels or of this one.
    Full {
        /// Contacts of this channel held.
        held: u16,
        /// Contacts of this channel at most.
        capacity: u16,
    },
    /// Is not there.
    NotThere {
        /// What they say of themselves.
        presence: Presence,
        /// Whether their desk is reachable.
        connected: bool,
        /// What they will be once they hold nothing any more: they take nothing new.
        next: Option<Presence>,
    },
    /// Lacks a skill.
    LacksSkill {
        /// The skill.
        skill: SubjectToken,
        /// The level needed.
        needs: SkillLevel,
        /// The level they have, if any.
        has: Option<SkillLevel>,
    },
    /// A condition of the last step that asks them does not hold, for what is known of the contact and of them.
    FailsCondition {
        /// The conditions of that step.
        when: Vec<String>,
    },
    /// Is of no team that is asked in any step.
    NotInTeam,
    /// Is a bot, and one has given the contact up, the customer wants a person, or it is only practised.
    NotAPerson,
    /// Does not take contacts of this channel.
    NotOnChannel,
    /// Does not serve the queue.
    NotInQueue,
}

/// One offer of a contact as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// In which record.
    pub log_seq: u64,
    /// When.
    pub at: Millis,
    /// Who was offered it.
    pub agent: AgentId,
    /// Why, as the record says it.
    pub receipt: Receipt,
    /// The contact and every agent, as they stood just before.
    pub table: Explanation,
}

/// Applies a record and tells each offer of a contact in it, recomputed from the state just before.
///
/// # Errors
/// As [`apply`](crate::apply()).
pub fn apply_and_explain(
    state: &mut State,
    seq: u64,
    record: &Record,
    id: ContactId,
) -> Result<Vec<Decision>, ApplyError> {
    let mut found = Vec::new();
    apply_watched(state, seq, record, |state, event| {
        if let Event::OfferMade { contact, agent, receipt, .. } = event
            && *contact == id
        {
            let (agent, receipt) = (*agent, receipt.clone());
            // The state is of the record before; who waits is told as of this one.
            let table = explain_at(state, record.at, id);
            found.push(Decision { log_seq: seq, at: record.at, agent, receipt, table });
        }
    })?;
    Ok(found)
}

/// Explains a contact.
#[must_use]
pub fn explain(state: &State, id: ContactId) -> Explanation {
    explain_at(state, state.last_at(), id)
}

fn explain_at(state: &State, at: Millis, id: ContactId) -> Explanation {
    let mut explanation = Explanation {
        contact: id,
        log_seq: state.log_seq(),
        at,
        policy: state.policy(),
        place: Place::Unknown,
        facts: FactValues::new(),
        route: None,
        agents: Vec::new(),
    };
    if let Some(ended) = state.ended(id) {
        explanation.place = Place::Ended { how: ended.how, at: ended.at, queue: ended.queue.clone() };
    }
    if let Some(brief) = state.stored.briefs.get(&id) {
        (explanation.facts, explanation.route) = (brief.facts.clone(), brief.route.clone());
    }
    if let Some(contact) = state.contact(id) {
        explanation.place = place(state, at, id, contact);
        // Nobody is asked for what waits for an incident.
        if !matches!(contact.phase, Phase::Gathered { .. }) {
            explanation.agents = agents(state, at, id, contact);
        }
    }
    explanation
}

fn place(state: &State, at: Millis, id: ContactId, contact: &Contact) -> Place {
    let order =
        |id, contact: &Contact| state.order(at, id, contact).map(|(_, score, since, id)| (score, since, id));
    let here = order(id, contact);
    let (mut in_queue, mut in_class, mut queue_before, mut class_before) = (0, 0, 0, 0);
    for (other_id, other) in state.contacts() {
        if !other.is_waiting() || other.queue != contact.queue {
            continue;
        }
        let before = u32::from(here.is_some() && order(other_id, other) < here);
        in_queue += 1;
        queue_before += before;
        let same_class = state.is_same_class((id, contact), (other_id, other));
        in_class += u32::from(same_class);
        class_before += before * u32::from(same_class);
    }
    Place::Open {
        phase: contact.phase,
        queue: contact.queue.clone(),
        priority: contact.priority,
        score_ms: state.score(at, id, contact).filter(|_| state.index.policy.tells_scores()),
        needs: contact.needs.clone(),
        opens_at: if state.is_closed(&contact.queue) {
            state.index.policy.opens_at(&contact.queue, at)
        } else {
            None
        },
        since: contact.since,
        effort: contact.effort_at(at),
        preferred: contact.preferred(),
        place_in_class: contact.is_waiting().then_some(class_before + 1),
        waiting_in_class: in_class,
        place_in_queue: contact.is_waiting().then_some(queue_before + 1),
        waiting_in_queue: in_queue,
    }
}

fn agents(state: &State, at: Millis, id: ContactId, contact: &Contact) -> Vec<AgentRow> {
    let rings = rings_of(state, id, contact);
    let mut rows: Vec<_> = state
        .config()
        .agents
        .iter()
        .filter_map(|config| {
            let known = state.agent(config.id)?;
            let standing = standing(state, at, (id, contact), &rings, config)?;
            Some(AgentRow { agent: config.id, idle_ms: at.since(known.idle_since), standing })
        })
        .collect();
    rows.sort_by(|one, two| {
        let key = |row: &AgentRow| (row.standing.clone(), std::cmp::Reverse(row.idle_ms), row.agent);
        key(one).cmp(&key(two))
    });
    rows
}

/// Whose agents may have a contact, step by step: the same for every agent.
pub(crate) fn rings_of(state: &State, id: ContactId, contact: &Contact) -> Vec<Ring> {
    let policy = &state.index.policy;
    rings(policy, &ClassKey::of(contact, state.stored.facts_of(id), policy))
}

pub(crate) fn standing(
    state: &State,
    at: Millis,
    (id, contact): (ContactId, &Contact),
    rings: &[Ring],
    config: &protocol::config::Agent,
) -> Option<Standing> {
    let known = state.agent(config.id)?;
    let desk = state.index.desks.get(&config.id)?;
    if contact.holder().or(contact.owner()) == Some(config.id) {
        return Some(Standing::Chosen);
    }
    let preferred = contact.preferred();
    let is_preferred = preferred.is_some_and(|preferred| preferred.agent == config.id);
    let policy = &state.index.policy;
    let queue = policy.queue(&contact.queue);
    let profile = ProfileKey::of(config, policy);
    let reached_at =
        rings.iter().find(|ring| ring.admits(&profile)).map(|ring| contact.since.plus(ring.after_ms));
    if !is_preferred && let Some(lack) = lack(contact, &profile, (config, queue), rings, reached_at.is_some())
    {
        return Some(lack);
    }
    if !known.is_there() {
        let next = known.next.as_ref().map(|(presence, _)| *presence);
        let (presence, connected) = (known.presence, known.gateway.is_some());
        return Some(Standing::NotThere { presence, connected, next });
    }
    if desk.room.spare(contact.channel) == 0 {
        let (held, capacity) = (desk.room.held(contact.channel), desk.room.capacity(contact.channel));
        return Some(Standing::Full { held, capacity });
    }
    let most = queue.and_then(|queue| queue.per_agent_max);
    if let Some(most) = most.filter(|_| !desk.has_room_in(&contact.queue, most)) {
        return Some(Standing::QueueFull { held: desk.room.held_of(&contact.queue), most });
    }
    match preferred {
        Some(_) if is_preferred => return Some(Standing::Able),
        Some(preferred) => return Some(Standing::StandsBack { until: preferred.until }),
        None => {}
    }
    if let Some(reached) = reached_at.filter(|reached| *reached > at) {
        return Some(Standing::Later { at: reached });
    }
    let decline = contact.decline_of(config.id).filter(|_| state.is_barred(config.id, id, contact));
    Some(decline.map_or(Standing::Able, |one| Standing::Declined { how: one.how, at: one.at }))
}

/// What they do not serve or command, in any step.
fn lack(
    contact: &Contact,
    profile: &ProfileKey,
    (config, queue): (&protocol::config::Agent, Option<&protocol::config::Queue>),
    rings: &[Ring],
    is_admitted: bool,
) -> Option<Standing> {
    // A channel that they do not take is told after a queue that they do not serve.
    let serving = rings.iter().rfind(|ring| ring.serves(profile));
    let Some(ring) = serving else { return Some(Standing::NotInQueue) };
    if !profile.takes_channel(contact.channel) {
        return Some(Standing::NotOnChannel);
    }
    if contact.people_only && config.bot {
        return Some(Standing::NotAPerson);
    }
    if is_admitted {
        return None;
    }
    let Some(lacks) = ring.lacks(profile) else {
        if !ring.wants_team_of(profile) {
            return Some(Standing::NotInTeam);
        }
        let step = queue.and_then(|queue| queue.steps.iter().find(|step| step.after_ms == ring.after_ms));
        return Some(Standing::FailsCondition {
            when: step.map(|step| step.when.clone()).unwrap_or_default(),
        });
    };
    let has = config.skills.get(&lacks.skill).copied();
    Some(Standing::LacksSkill { skill: lacks.skill.clone(), needs: lacks.level, has })
}
