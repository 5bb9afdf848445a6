//! The parts of `routing.toml` that weigh: order, choice, steps, room.

use std::collections::BTreeSet;

use protocol::config::{AgentChoice, BreachBoost, ChannelRule, PriorityClass, Queue, ServiceLevel, Step};
use protocol::input::SkillNeed;
use protocol::{Language, SkillLevel, SubjectToken};
use toml_edit::{InlineTable, Value};

use super::facts_file::text;
use super::routing_file::{channel as channel_kind, need};
use super::table::{Table, duration_ms, token};

const CHOICES: &str = "one of longest_idle, least_occupied, most_spare, best_proficiency";
const STEPS: &str = "a list of { after = \"20s\", queues = [names], teams = [names], any_of = [[{ skill = \"name\", level = 1 to 5 }]], any_language = true, \
                     ease = levels, when = [\"condition\"] }, of which only after has to be there";
const SERVICE: &str = "{ first = \"60s\", next = \"5m\", resolution = \"24h\", business = true, warn_percent = 80, escalate = true }, \
                       of which one time has to be there";
const BREACH: &str = "{ within = \"60s\", window = \"20s\", head_start = \"5m\" }";

/// What a queue says of these; its other keys are read elsewhere.
pub(super) fn queue(table: &mut Table<'_, '_>) -> impl FnOnce(SubjectToken) -> Queue + use<> {
    let choose = table.optional_word("choose", CHOICES, choice);
    let steps = table.list("steps", STEPS, step);
    // Stated by each, so that nobody waits for ever because nobody thought of it.
    let wait_bound_ms = table.duration_ms("wait_bound");
    let breach = table.inline("breach", BREACH, breach);
    let per_agent_max = table.optional_whole("per_agent_max");
    let auto_accept = table.optional_yes_no("auto_accept");
    let misses_max = table.optional_small("misses_max");
    let silent_after_ms = table.optional_duration_ms("silent_after");
    let close_after_ms = table.optional_duration_ms("close_after");
    let close_warning_ms = table.optional_duration_ms("close_warning");
    let service = table.inline("service", SERVICE, service);
    let picking = table.optional_yes_no("picking").unwrap_or(true);
    let speaks = table.optional_yes_no("speaks").unwrap_or_default();
    let (hours, overflow) = (table.optional_token("hours"), table.optional_token("overflow"));
    move |name| Queue {
        choose: choose.unwrap_or_default(),
        steps: steps.unwrap_or_default(),
        wait_bound_ms,
        breach,
        per_agent_max,
        auto_accept: auto_accept.unwrap_or_default(),
        misses_max: misses_max.unwrap_or(1),
        silent_after_ms,
        close_after_ms,
        close_warning_ms,
        hours,
        service,
        speaks,
        picking,
        overflow,
        ..Queue::new(name)
    }
}

pub(super) fn priority(table: &mut Table<'_, '_>) -> Option<PriorityClass> {
    let (priority, head_start) = (table.small("priority"), table.duration_ms("head_start"));
    let ageing = table.optional_whole("ageing_percent");
    Some(PriorityClass {
        priority: priority?,
        head_start_ms: head_start?,
        ageing_percent: ageing.unwrap_or(100),
    })
}

fn service(table: &InlineTable) -> Option<ServiceLevel> {
    only(table, &["first", "next", "resolution", "business", "warn_percent", "escalate"])?;
    let time = |key: &str| match table.get(key) {
        Some(value) => duration_ms(value).map(Some),
        None => Some(None),
    };
    let yes = |key: &str| table.get(key).map_or(Some(false), Value::as_bool);
    let warn_percent = match table.get("warn_percent") {
        Some(value) => u8::try_from(value.as_integer()?).ok()?,
        None => 80,
    };
    Some(ServiceLevel {
        first_ms: time("first")?,
        next_ms: time("next")?,
        resolution_ms: time("resolution")?,
        business: yes("business")?,
        warn_percent,
        escalate: yes("escalate")?,
    })
}

pub(super) fn language(table: &mut Table<'_, '_>) -> Option<(Language, SkillNeed)> {
    let code = table.word("code", "two letters, as in nl", |word| word.parse::<Language>().ok());
    let (skill, level) = (table.token("skill"), table.optional_small("level"));
    let level = level.map_or(Some(SkillLevel::LOWEST), |level| SkillLevel::try_from(level).ok());
    Some((code?, SkillNeed { skill: skill?, level: level? }))
}

pub(super) fn channel(table: &mut Table<'_, '_>) -> Option<ChannelRule> {
    let channel = table.word("channel", "one of web, api", channel_kind);
    let weight = table.whole("weight");
    let (exclusive, interruptible) =
        (table.optional_yes_no("exclusive"), table.optional_yes_no("interruptible"));
    Some(ChannelRule {
        channel: channel?,
        weight: weight?,
        exclusive: exclusive.unwrap_or_default(),
        interruptible: interruptible.unwrap_or_default(),
    })
}

fn choice(word: &str) -> Option<AgentChoice> {
    match word {
        "longest_idle" => Some(AgentChoice::LongestIdle),
        "least_occupied" => Some(AgentChoice::LeastOccupied),
        "most_spare" => Some(AgentChoice::MostSpare),
        "best_proficiency" => Some(AgentChoice::BestProficiency),
        _ => None,
    }
}

/// Nothing but these keys.
pub(super) fn only(table: &InlineTable, keys: &[&str]) -> Option<()> {
    table.iter().all(|(key, _)| keys.contains(&key)).then_some(())
}

fn step(table: &InlineTable) -> Option<Step> {
    only(table, &["after", "queues", "teams", "any_of", "any_language", "ease", "when"])?;
    let names = |key: &str| match table.get(key) {
        Some(value) => value.as_array()?.iter().map(token).collect::<Option<BTreeSet<_>>>(),
        None => Some(BTreeSet::new()),
    };
    let (queues, teams) = (names("queues")?, names("teams")?);
    let any_of = match table.get("any_of") {
        Some(value) => value.as_array()?.iter().map(all_of).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    let any_language = match table.get("any_language") {
        Some(value) => value.as_bool()?,
        None => false,
    };
    let ease = match table.get("ease") {
        Some(value) => u8::try_from(value.as_integer()?).ok()?,
        None => 0,
    };
    let when = match table.get("when") {
        Some(value) => value.as_array()?.iter().map(text).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    let after_ms = duration_ms(table.get("after")?)?;
    Some(Step { after_ms, queues, teams, any_of, any_language, ease, when })
}

fn all_of(value: &Value) -> Option<Vec<SkillNeed>> {
    value.as_array()?.iter().map(|one| need(one.as_inline_table()?)).collect()
}

fn breach(table: &InlineTable) -> Option<BreachBoost> {
    only(table, &["within", "window", "head_start"])?;
    let of = |key: &str| duration_ms(table.get(key)?);
    Some(BreachBoost { within_ms: of("within")?, window_ms: of("window")?, head_start_ms: of("head_start")? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::ChannelKind;
    use protocol::config::RoutingConfig;
    use service::settings::Fault;

    use super::super::routing_file::{DEMO, FILE_NAME, read};

    fn with(queue: &str, rest: &str) -> Result<RoutingConfig, Vec<Fault>> {
        let text = DEMO.replacen("[[queue]]\n", &format!("[[queue]]\n{queue}"), 1);
        read(FILE_NAME, &format!("{text}\n{rest}"), &BTreeMap::new())
    }

    #[test]
    fn all_that_weighs_is_read() {
        let queue = r#"
choose = "best_proficiency"
breach = { within = "60s", window = "20s", head_start = "5m" }
per_agent_max = 2
auto_accept = true
misses_max = 3
silent_after = "5m"
close_after = "1h"
close_warning = "5m"
steps = [
    { after = "0s" },
    { after = "20s", ease = 1 },
    { after = "60s", queues = ["orders"], any_of = [[{ skill = "dutch", level = 2 }], []] },
]
"#;
        let rest = r#"
[[priority]]
priority = 0
head_start = "5m"

[[priority]]
priority = 1
head_start = "0s"
ageing_percent = 150

[[priority]]
priority = 2
head_start = "0s"

[[channel]]
channel = "api"
weight = 2
interruptible = true
"#;
        let config = with(queue, rest).unwrap();
        let queue = &config.queues[0];
        assert_eq!((queue.wait_bound_ms, queue.per_agent_max, queue.misses_max), (Some(900_000), Some(2), 3));
        assert_eq!(queue.breach.unwrap().window_ms, 20_000);
        assert!(queue.auto_accept);
        assert_eq!((queue.silent_after_ms, queue.close_after_ms), (Some(300_000), Some(3_600_000)));
        assert_eq!(queue.close_warning_ms, Some(300_000));
        assert_eq!(queue.steps.iter().map(|step| step.after_ms).collect::<Vec<_>>(), [0, 20_000, 60_000]);
        assert_eq!((queue.steps[1].ease, queue.steps[2].any_of.len()), (1, 2));
        assert_eq!(
            config.priorities.iter().map(|one| one.ageing_percent).collect::<Vec<_>>(),
            [100, 150, 100]
        );
        assert_eq!((config.channels[0].channel, config.channels[0].weight), (ChannelKind::Api, 2));
        assert!(config.channels[0].interruptible && !config.channels[0].exclusive);
    }

    #[test]
    fn what_does_not_read_has_its_line_and_what_is_expected() {
        let faults = with(
            "choose = 'best'\nsteps = [{ ease = 1 }]\nmisses_max = -1\n",
            "[[channel]]\nchannel = 'fax'\n",
        );
        let faults = faults.unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        let expected = [
            "queue[0].choose",
            "queue[0].steps",
            "queue[0].misses_max",
            "channel[0].channel",
            "channel[0].weight",
        ];
        assert_eq!(found, expected);
        assert!(faults.iter().all(|fault| fault.line.is_some()));
    }

    #[test]
    fn what_does_not_fit_together_is_told_where_it_stands() {
        let rest = "[[priority]]\npriority = 1\nhead_start = '0s'\nageing_percent = 0\n";
        let faults = with("steps = [{ after = '0s', queues = ['nowhere'] }]\n", rest).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert!(
            paths.contains(&"queues[0].steps[0]") && paths.contains(&"priorities[0].ageing_percent"),
            "{paths:?}"
        );
        let line = |path: &str| faults.iter().find(|fault| fault.path == path).and_then(|fault| fault.line);
        assert!(line("priorities[0].ageing_percent").is_some());
    }
}
