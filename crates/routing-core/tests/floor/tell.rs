//! A record in words, one line an event.

use protocol::command::Outcome;
use protocol::incident::IncidentWork;
use protocol::record::{
    AsideWhy, CompanyRole, EntryKind, Event, HandOverWhy, OfferEnd, PassedOver, Receipt, Record,
};
use protocol::remedy::ContactContext;
use protocol::{AgentId, Millis};
use routing_core::State;

pub(crate) fn tell(state: &State, record: &Record) -> String {
    record.events.iter().map(|event| event_line(state, record.at, event) + "\n").collect()
}

fn event_line(state: &State, at: Millis, event: &Event) -> String {
    let name = |agent: &AgentId| name(state, *agent);
    let within = |until: &Millis| until.since(at);
    match event {
        Event::Fenced { epoch } => format!("fenced, epoch {epoch}"),
        Event::ConfigApplied => "config applied".into(),
        Event::ConfigRefused { faults } => {
            let faults: Vec<_> =
                faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
            format!("config refused\n  {}", faults.join("\n  "))
        }
        Event::ConversationOpened { conversation, channel, account, .. } => {
            format!("{conversation} opened by {channel} {account}")
        }
        Event::ConversationForgotten { conversation } => format!("{conversation} forgotten"),
        Event::ContactOpened { contact, .. } => format!("{contact} opened"),
        Event::ContactReopened { contact } => format!("{contact} reopened"),
        Event::ContactMoved { contact, from, conversation, .. } => {
            format!("{contact} moves from {from} to {conversation}")
        }
        Event::EntryAdded { contact, seq, entry, .. } => {
            format!("{contact} entry {seq}: {}", entry_words(state, entry))
        }
        Event::Queued { contact, queue, priority, needs, since, preferred, why } => {
            let needs: String =
                needs.iter().map(|need| format!(" {}>={}", need.skill, need.level.get())).collect();
            let first = preferred.map_or(String::new(), |first| {
                format!(", first {} for {} ms", name(&first.agent), within(&first.until))
            });
            let waits = at.since(*since);
            format!("{contact} waits in {queue}{needs} at {priority} since {waits} ms ({why:?}){first}")
        }
        Event::PreferenceEnded { contact } => format!("{contact} is for anyone"),
        Event::Widened { contact, step } => format!("{contact} reaches step {step}"),
        Event::DeclinesLapsed { contact } => format!("{contact} may be asked again"),
        Event::OfferMade { offer, contact, agent, expires_at, receipt } => {
            let ms = within(expires_at);
            format!("{offer}: {contact} to {} for {ms} ms, {}", name(agent), receipt_words(state, receipt))
        }
        Event::OfferEnded { offer, contact, agent, end } => {
            format!("{offer}: {contact} from {}, {}", name(agent), end_words(end))
        }
        Event::Assigned { contact, agent } => format!("{contact} with {}", name(agent)),
        Event::CompanyChanged { contact, agent, role } => {
            let role = match role {
                None => "with it no more".to_owned(),
                Some(CompanyRole::Asked { by, until }) => {
                    format!("asked by {} for {} ms", name(by), within(until))
                }
                Some(role) => format!("{role:?}").to_lowercase(),
            };
            format!("{contact}: {} {role}", name(agent))
        }
        Event::SetAside { contact, agent, why } => {
            let why = match why {
                AsideWhy::Snoozed { until } => format!("for {} ms", within(until)),
                AsideWhy::Silent { since } => format!("after {} ms of silence", at.since(*since)),
            };
            format!("{contact} aside with {} {why}", name(agent))
        }
        Event::WrapUpStarted { contact, agent, until } => {
            format!("{contact} wrapped up by {} for {} ms", name(agent), within(until))
        }
        Event::Resolved { contact, agent } => format!("{contact} resolved by {}", name(agent)),
        Event::Abandoned { contact } => format!("{contact} abandoned"),
        _ => other_line(state, at, event),
    }
}

fn other_line(state: &State, at: Millis, event: &Event) -> String {
    let name = |agent: &AgentId| name(state, *agent);
    let within = |until: &Millis| until.since(at);
    match event {
        Event::AgentConnected { agent, .. } => format!("{} connected", name(agent)),
        Event::AgentDisconnected { agent, reclaim_at } => {
            format!("{} disconnected, reclaim in {} ms", name(agent), within(reclaim_at))
        }
        Event::PresenceChanged { agent, presence, reason } => {
            let reason = reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
            format!("{} {presence:?}{reason}", name(agent))
        }
        Event::PresenceQueued { agent, presence, reason } => {
            let reason = reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
            format!("{} {presence:?} when free{reason}", name(agent))
        }
        Event::ServiceWarned { contact, measure, due } => {
            format!("{contact}: {measure:?} is due in {} ms", within(due))
        }
        Event::ServiceMissed { contact, measure, .. } => format!("{contact}: {measure:?} was not kept"),
        Event::CustomerChanged { contact, agent, change } => {
            format!("{contact}: {} says {change:?}", name(agent))
        }
        Event::HoursChanged { queue, open } => format!("{queue} {}", if *open { "opens" } else { "closes" }),
        Event::Passed { context: None } => "passed on".into(),
        Event::Passed { context: Some(context) } => format!("passed on, {}", context_words(state, context)),
        Event::ColleaguesAsked { ask, round, agents } => {
            let names: String = agents.iter().map(|agent| format!(" {}", name(agent))).collect();
            format!("{ask} round {round} asks{names}")
        }
        Event::CustomerTold { tell, told: true } => format!("{tell} told"),
        Event::CustomerTold { tell, told: false } => format!("{tell} cannot be told"),
        Event::AtRisk { conversation, until } => format!("{conversation} at risk for {} ms", within(until)),
        Event::IncidentSet { terms, .. } => format!("incident: {}", terms.title),
        Event::IncidentAsked { work, ends, .. } => {
            let what = match work {
                IncidentWork::Gather => "gather",
                IncidentWork::Answer { .. } => "answer",
                IncidentWork::Resolve { .. } => "resolve",
                IncidentWork::Release => "release",
            };
            format!("incident: {what} all{}", if *ends { ", then it ends" } else { "" })
        }
        Event::IncidentWorked { upto, .. } => {
            format!("incident: worked{}", upto.map_or(String::new(), |upto| format!(" up to {upto}")))
        }
        Event::IncidentEnded { .. } => "incident: ended".into(),
        Event::Gathered { contact, .. } => format!("{contact} waits for the incident"),
        Event::CommandSettled { outcome: Outcome::Done, .. } => "done".into(),
        Event::CommandSettled { outcome: Outcome::Refused { refusal }, .. } => format!("refused {refusal:?}"),
        Event::DuplicateSkipped => "duplicate".into(),
        Event::Parked { reason } => format!("parked {}", reason.as_str()),
        _ => marked_line(state, at, event),
    }
}

fn marked_line(state: &State, at: Millis, event: &Event) -> String {
    let name = |agent: &AgentId| name(state, *agent);
    let within = |until: &Millis| until.since(at);
    match event {
        Event::ContactMarked { contact, tags, fields, .. } => {
            let tags: String = tags.iter().map(|tag| format!(" {tag}")).collect();
            let fields: String = fields.iter().map(|(field, value)| format!(" {field}={value}")).collect();
            format!("{contact} is marked{tags}{fields}")
        }
        Event::Mentioned { contact, seq, by, agents, .. } => {
            let names: String = agents.iter().map(|agent| format!(" {}", name(agent))).collect();
            format!("{contact} entry {seq}: {} mentions{names}", name(by))
        }
        Event::MentionsRead { contact, agent } => format!("{contact}: {} has looked", name(agent)),
        Event::CustomerBlocked { by, until, reason, queue, .. } => {
            format!("{} blocks the customer in {queue} for {} ms: {reason}", name(by), within(until))
        }
        Event::CustomerUnblocked { by, .. } => {
            format!(
                "the customer is heard again by {}",
                by.map_or_else(|| "itself".to_owned(), |by| name(&by))
            )
        }
        Event::MessageHeldBack { .. } => "held back".into(),
        Event::ActSettled { integration, outcome: Outcome::Done, .. } => format!("{integration}: done"),
        Event::ActSettled { integration, outcome: Outcome::Refused { refusal }, .. } => {
            format!("{integration}: refused {refusal:?}")
        }
        _ => unreachable!("told above: {event:?}"),
    }
}

fn name(state: &State, agent: AgentId) -> String {
    let known = state.config().agents.iter().find(|known| known.id == agent);
    known.map_or_else(|| agent.to_string(), |known| known.name.to_string())
}

fn context_words(state: &State, context: &ContactContext) -> String {
    let holder = context.holder.map_or_else(|| "nobody".to_owned(), |agent| name(state, agent));
    let language = context.language.map_or(String::new(), |language| format!(" in {language}"));
    let effort = context.effort;
    format!(
        "{} of {} in {}{language} with {holder}: {} before, {} reopened, {} handed on, waited {} ms",
        context.contact,
        context.conversation,
        context.queue,
        effort.contacts_before,
        effort.reopenings,
        effort.transfers,
        effort.waited_ms,
    )
}

fn entry_words(state: &State, entry: &EntryKind) -> String {
    match entry {
        EntryKind::FromCustomer => "customer".into(),
        EntryKind::Automatic => "a machine of the customer's".into(),
        EntryKind::FromAgent { agent, bot } => {
            format!("reply of {}{}", if *bot { "the bot " } else { "" }, name(state, *agent))
        }
        EntryKind::IncidentTold { text, .. } => format!("told of the incident: {text}"),
        EntryKind::Suggested { agent } => format!("suggestion of {}", name(state, *agent)),
        EntryKind::HandedOver { agent, why } => {
            let from = agent.map_or_else(|| "nobody".to_owned(), |agent| name(state, agent));
            format!("people have it from {from}, {}", hand_over_words(why))
        }
        EntryKind::Told { agent, remedy } => {
            let about = remedy.map_or(String::new(), |remedy| format!(" of {remedy}"));
            format!("{} told{about}", name(state, *agent))
        }
        EntryKind::Annotated { integration } => format!("note of {integration}"),
        EntryKind::Warned { agent } => format!("{} warned the customer", name(state, *agent)),
        EntryKind::Blocked { agent, .. } => format!("told: not heard, by {}", name(state, *agent)),
        EntryKind::FromBlocked => "customer, not heard".into(),
        EntryKind::Note { agent } => format!("note of {}", name(state, *agent)),
        EntryKind::Joined { agent } => format!("{} joined", name(state, *agent)),
        EntryKind::TransferredToQueue { agent, queue } => {
            format!("{} gave it to {queue}", name(state, *agent))
        }
        EntryKind::TransferredToAgent { agent, to, back } => {
            let back = if *back { ", or back" } else { "" };
            format!("{} gave it to {}{back}", name(state, *agent), name(state, *to))
        }
        EntryKind::HandedBack { agent, from, why } => {
            format!("with {} again, {} did not take it ({why:?})", name(state, *agent), name(state, *from))
        }
        EntryKind::Consulted { agent, colleague } => {
            format!("{} asks {} for a word", name(state, *agent), name(state, *colleague))
        }
        EntryKind::ConsultDeclined { agent, why } => {
            format!("{} says nothing to it ({why:?})", name(state, *agent))
        }
        EntryKind::Whispered { agent } => format!("whisper of {}", name(state, *agent)),
        EntryKind::JoinedBeside { agent } => format!("{} joined beside", name(state, *agent)),
        EntryKind::LeftAgain { agent } => format!("{} left again", name(state, *agent)),
        EntryKind::Reclaimed { agent } => format!("taken back from {}", name(state, *agent)),
        EntryKind::Resolved { agent, disposition, fields } => {
            let fields: String = fields.iter().map(|(field, value)| format!(" {field}={value}")).collect();
            format!("{} resolved it as {disposition}{fields}", name(state, *agent))
        }
        EntryKind::Snoozed { agent, .. } => format!("{} laid it aside", name(state, *agent)),
        EntryKind::CallbackAsked => "asks to be called back".to_owned(),
        EntryKind::SilenceWarned { closes_at } => {
            format!("warned that it ends in {} ms", closes_at.since(state.last_at()))
        }
        EntryKind::ClosedAfterSilence { agent } => format!("closed in silence with {}", name(state, *agent)),
        EntryKind::TakenOver { agent, from } => {
            let from = from.map_or(String::new(), |from| format!(" from {}", name(state, from)));
            format!("{} took it over{from}", name(state, *agent))
        }
        EntryKind::Closed { opens_at } => {
            opens_at.map_or_else(|| "told: closed".into(), |at| format!("told: opens at {}", at.0))
        }
        EntryKind::FromColleague => "a colleague, elsewhere".into(),
        EntryKind::FeedbackAsked { question } => format!("asked for {}", question.as_str()),
        EntryKind::FeedbackGiven { question, score } => format!("answers {} with {score}", question.as_str()),
        EntryKind::WentOn { channel } => format!("goes on by {channel}"),
        EntryKind::CameFrom { conversation, channel } => format!("comes from {conversation} by {channel}"),
        EntryKind::Reopened => "reopened".into(),
        EntryKind::CustomerLeft => "customer left".into(),
    }
}

fn hand_over_words(why: &HandOverWhy) -> String {
    match why {
        HandOverWhy::Stalled => "which stalled".into(),
        HandOverWhy::Failed { reason } => format!("which failed: {reason}"),
        HandOverWhy::CalledForHelp { reason } => format!("which called for help: {reason}"),
        HandOverWhy::Gone => "which is gone".into(),
        HandOverWhy::CustomerAsked => "as the customer asked".into(),
    }
}

fn end_words(end: &OfferEnd) -> &'static str {
    match end {
        OfferEnd::Accepted => "accepted",
        OfferEnd::Declined { .. } => "declined",
        OfferEnd::TimedOut => "timed out",
        OfferEnd::AgentGone => "agent gone",
        OfferEnd::CustomerGone => "customer gone",
        OfferEnd::Revoked { .. } => "revoked",
        OfferEnd::PersonWanted => "a person is wanted",
    }
}

fn receipt_words(state: &State, receipt: &Receipt) -> String {
    let PassedOver { unqualified, not_there, full, declined, later } = receipt.passed_over;
    let later = if later > 0 { format!("+{later}") } else { String::new() };
    let others: String = receipt
        .runners_up
        .iter()
        .map(|one| format!(" then {} {} ms", name(state, one.agent), one.idle_ms))
        .collect();
    format!(
        "{:?} of {}, waited {} ms, idle {} ms{others}; passed over {unqualified}+{not_there}+{full}+{declined}{later}",
        receipt.rule, receipt.waiting_in_class, receipt.waited_ms, receipt.idle_ms,
    )
}
