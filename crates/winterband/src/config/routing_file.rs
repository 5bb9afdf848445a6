//! The routing configuration as people write it (`routing.toml`), read into the form that is published.

use std::collections::BTreeMap;

use protocol::config::{
    Account, Agent, Category, Disposition, Field, Queue, Role, RoutingConfig, Skill, Tag, TagColour,
};
use protocol::feedback::Feedback;
use protocol::ids::AgentId;
use protocol::input::SkillNeed;
use protocol::{ChannelKind, SkillLevel, SubjectToken};
use service::settings::{Fault, locate};
use toml_edit::{ArrayOfTables, Document, InlineTable};

use super::order_file::{self, only};
use super::table::{Source, Table, token};
use super::{facts_file, feedback_file, hours_file};

/// The name of the file in the configuration folder.
pub(crate) const FILE_NAME: &str = "routing.toml";

/// The demo floor, built in, so that the first start needs no folder.
pub(crate) const DEMO: &str = include_str!("../../../../deploy/config/routing.toml");

const FIELDS: &str =
    "a list of { name = \"cause\", title = \"Cause\", choices = [names] }, of which choices may be left out";
const ROLES: &str = "one of agent, lead, supervisor, administrator";
const COLOURS: &str = "one of red, orange, yellow, green, blue, purple, grey";
const KINDS: [&str; 14] = [
    "queue",
    "skill",
    "agent",
    "account",
    "category",
    "disposition",
    "priority",
    "channel",
    "hours",
    "language",
    "fact",
    "route",
    "tag",
    "contact_field",
];

/// The one table that there is once at most.
const FEEDBACK: &str = "feedback";

/// Reads a text, or tells all its faults at once.
///
/// Agents keep the id that `known` has for their name; new names get new ids.
pub(crate) fn read(
    place: &str,
    text: &str,
    known: &BTreeMap<SubjectToken, AgentId>,
) -> Result<RoutingConfig, Vec<Fault>> {
    let mut source = Source { place, text, faults: Vec::new() };
    let document = match Document::parse(text.to_owned()) {
        Ok(document) => document,
        Err(error) => {
            let offset = error.span().map(|span| span.start);
            source.fault(offset, "", "TOML", &error.message().replace('\n', " "));
            return Err(source.faults);
        }
    };
    for (key, item) in document.iter() {
        if key == FEEDBACK && item.as_table_like().is_some() {
            continue;
        }
        if !KINDS.contains(&key) || item.as_array_of_tables().is_none() {
            let offset = item.span().map(|span| span.start);
            let expected = format!("one of [[{}]], or [{FEEDBACK}]", KINDS.join("]], [["));
            source.fault(offset, key, &expected, key);
        }
    }
    let tables = |kind: &str| document.get(kind).and_then(toml_edit::Item::as_array_of_tables);
    let config = RoutingConfig {
        queues: each(&mut source, "queue", tables("queue"), queue),
        skills: each(&mut source, "skill", tables("skill"), skill),
        agents: each(&mut source, "agent", tables("agent"), |table| agent(table, known)),
        accounts: each(&mut source, "account", tables("account"), account),
        categories: each(&mut source, "category", tables("category"), category),
        dispositions: each(&mut source, "disposition", tables("disposition"), disposition),
        priorities: each(&mut source, "priority", tables("priority"), order_file::priority),
        channels: each(&mut source, "channel", tables("channel"), order_file::channel),
        languages: each(&mut source, "language", tables("language"), order_file::language)
            .into_iter()
            .collect(),
        hours: each(&mut source, "hours", tables("hours"), hours_file::hours),
        facts: each(&mut source, "fact", tables("fact"), facts_file::fact),
        routes: each(&mut source, "route", tables("route"), facts_file::route),
        tags: each(&mut source, "tag", tables("tag"), tag),
        contact_fields: each(&mut source, "contact_field", tables("contact_field"), contact_field),
        feedback: document.get(FEEDBACK).and_then(|item| feedback(&mut source, item)),
    };
    // Faults between the parts make sense only when each part could be read.
    if source.faults.is_empty() {
        for fault in config.faults().into_iter().chain(conditions::routing::faults(&config)) {
            let path = file_path(&fault.path);
            let line = locate(text, &path);
            let path = fault.path;
            source.faults.push(Fault {
                place: place.to_owned(),
                line,
                path,
                expected: "a configuration that fits together".to_owned(),
                found: fault.message,
            });
        }
    }
    if source.faults.is_empty() { Ok(config) } else { Err(source.faults) }
}

/// `agents[2].queues` is `agent.2.queues` in the file.
fn file_path(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "");
    match path.split_once('.') {
        Some(("categories", rest)) => format!("category.{rest}"),
        Some(("hours", rest)) => format!("hours.{}", rest.replace("week.", "")),
        Some(("priorities", rest)) => format!("priority.{rest}"),
        Some((kind, rest)) => format!("{}.{rest}", kind.trim_end_matches('s')),
        None => path,
    }
}

fn each<T>(
    source: &mut Source<'_>,
    kind: &str,
    tables: Option<&ArrayOfTables>,
    read: impl Fn(&mut Table<'_, '_>) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for (n, table) in tables.into_iter().flatten().enumerate() {
        let offset = table.span().map(|span| span.start);
        let mut reader = Table::new(source, table, format!("{kind}[{n}]"), offset);
        found.extend(read(&mut reader));
        reader.finish();
    }
    found
}

fn feedback(source: &mut Source<'_>, item: &toml_edit::Item) -> Option<Feedback> {
    let offset = item.span().map(|span| span.start);
    let mut reader = Table::new(source, item.as_table_like()?, FEEDBACK.to_owned(), offset);
    let found = feedback_file::feedback(&mut reader);
    reader.finish();
    found
}

// Each reads all its keys before it gives up on one, so that all faults are told at once.

fn queue(table: &mut Table<'_, '_>) -> Option<Queue> {
    let (name, title) = (table.token("name"), table.title("title"));
    let (offer, wrap_up) = (table.duration_ms("offer"), table.duration_ms("wrap_up"));
    let (owner_wait, reopen) = (table.duration_ms("owner_wait"), table.duration_ms("reopen"));
    let decline_rest = table.duration_ms("decline_rest");
    let order = order_file::queue(table);
    Some(Queue {
        title: title?,
        offer_ms: offer?,
        wrap_up_ms: wrap_up?,
        owner_wait_ms: owner_wait?,
        reopen_ms: reopen?,
        decline_rest_ms: decline_rest?,
        ..order(name?)
    })
}

fn skill(table: &mut Table<'_, '_>) -> Option<Skill> {
    let (name, title) = (table.token("name"), table.title("title"));
    Some(Skill { name: name?, title: title? })
}

fn disposition(table: &mut Table<'_, '_>) -> Option<Disposition> {
    let (name, title) = (table.token("name"), table.title("title"));
    let fields = table.list("fields", FIELDS, field);
    Some(Disposition { name: name?, title: title?, fields: fields.unwrap_or_default() })
}

fn field(table: &InlineTable) -> Option<Field> {
    only(table, &["name", "title", "choices"])?;
    let choices = match table.get("choices") {
        Some(value) => value.as_array()?.iter().map(token).collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    Some(Field { name: token(table.get("name")?)?, title: table.get("title")?.as_str()?.to_owned(), choices })
}

fn agent(table: &mut Table<'_, '_>, known: &BTreeMap<SubjectToken, AgentId>) -> Option<Agent> {
    let (name, title, queues) = (table.token("name"), table.title("title"), table.tokens("queues"));
    let skills = table.map("skills", "a table of skill = level, 1 to 5", |key, value| {
        Some((SubjectToken::new(key).ok()?, level(value)?))
    });
    let capacity = table.map("capacity", "a table of channel = contacts at once", |key, value| {
        Some((channel(key)?, u16::try_from(value).ok()?))
    });
    let lead = table.optional_yes_no("lead").unwrap_or_default();
    let role = table.optional_word("role", ROLES, role).unwrap_or_default();
    let scope = table.optional_tokens("scope").unwrap_or_default();
    let (team, load_max) = (table.optional_token("team"), table.optional_whole("load_max"));
    let bot = table.optional_yes_no("bot").unwrap_or_default();
    let answer_within_ms = table.optional_duration_ms("answer_within");
    let attributes = facts_file::attributes(table);
    let name = name?;
    let id = known.get(&name).copied().unwrap_or_else(|| AgentId(uuid::Uuid::now_v7()));
    Some(Agent {
        title: title?,
        queues: queues?,
        skills: skills?,
        capacity: capacity?,
        lead,
        role,
        scope,
        team,
        load_max,
        bot,
        answer_within_ms,
        attributes,
        ..Agent::new(id, name)
    })
}

fn tag(table: &mut Table<'_, '_>) -> Option<Tag> {
    let (name, title) = (table.token("name"), table.title("title"));
    let colour = table.optional_word("colour", COLOURS, |word| {
        TagColour::ALL.into_iter().find(|colour| colour.as_str() == word)
    });
    Some(Tag { name: name?, title: title?, colour })
}

fn contact_field(table: &mut Table<'_, '_>) -> Option<Field> {
    let (name, title) = (table.token("name"), table.title("title"));
    let choices = table.optional_tokens("choices").unwrap_or_default().into_iter().collect();
    Some(Field { name: name?, title: title?, choices })
}

fn role(word: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.as_str() == word)
}

fn account(table: &mut Table<'_, '_>) -> Option<Account> {
    let channel = table.word("channel", "one of web, api", channel);
    let (name, title, queue) = (table.token("name"), table.title("title"), table.token("queue"));
    let priority = table.small("priority");
    let practice = table.optional_yes_no("practice").unwrap_or_default();
    Some(Account {
        channel: channel?,
        name: name?,
        title: title?,
        queue: queue?,
        priority: priority?,
        practice,
    })
}

fn category(table: &mut Table<'_, '_>) -> Option<Category> {
    let (name, queue, priority) =
        (table.token("name"), table.optional_token("queue"), table.optional_small("priority"));
    let needs =
        table.list("needs", "a list of { skill = \"name\", level = 1 to 5 }", need).unwrap_or_default();
    Some(Category { name: name?, queue, priority, needs })
}

pub(super) fn need(table: &InlineTable) -> Option<SkillNeed> {
    let skill = SubjectToken::new(table.get("skill")?.as_str()?).ok()?;
    let level = level(table.get("level")?.as_integer()?)?;
    (table.len() == 2).then_some(SkillNeed { skill, level })
}

fn level(number: i64) -> Option<SkillLevel> {
    SkillLevel::try_from(u8::try_from(number).ok()?).ok()
}

pub(super) fn channel(word: &str) -> Option<ChannelKind> {
    ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_floor_is_sound() {
        let config = read(FILE_NAME, DEMO, &BTreeMap::new()).unwrap();
        assert_eq!(config.agents.len(), 2);
        assert!(config.categories.iter().any(|category| !category.needs.is_empty()));
    }

    #[test]
    fn who_leads_is_said_in_the_file() {
        let leads = |text: &str| {
            let config = read(FILE_NAME, text, &BTreeMap::new())?;
            Ok::<_, Vec<Fault>>(config.agents.iter().filter(|agent| agent.leads()).count())
        };
        let nobody = DEMO.lines().filter(|line| !line.starts_with("role")).collect::<Vec<_>>().join("\n");
        assert_eq!(leads(&nobody).unwrap(), 0);
        assert_eq!(leads(&nobody.replacen("[[agent]]", "[[agent]]\nlead = true", 1)).unwrap(), 1);
        let faults = leads(&nobody.replacen("[[agent]]", "[[agent]]\nlead = 'yes'", 1)).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(
            (faults[0].path.as_str(), faults[0].expected.as_str()),
            ("agent[0].lead", "true or false")
        );
    }

    #[test]
    fn roles_and_where_they_count_are_said_in_the_file() {
        let read_with = |lines: &str| {
            read(FILE_NAME, &DEMO.replacen("[[agent]]", &format!("[[agent]]\n{lines}"), 1), &BTreeMap::new())
        };
        let queue = read(FILE_NAME, DEMO, &BTreeMap::new()).unwrap().queues[0].name.clone();
        let config = read_with(&format!("role = 'supervisor'\nscope = ['{queue}']")).unwrap();
        assert_eq!(config.agents[0].role, Role::Supervisor);
        assert_eq!(config.agents[0].scope, [queue].into());
        let faults = read_with("role = 'king'\nscope = 'all'").unwrap_err();
        let told: Vec<_> =
            faults.iter().map(|fault| (fault.path.as_str(), fault.expected.as_str())).collect();
        assert_eq!(told, [("agent[0].role", ROLES), ("agent[0].scope", "a list of names")]);
    }

    #[test]
    fn known_agents_keep_their_ids() {
        let first = read(FILE_NAME, DEMO, &BTreeMap::new()).unwrap();
        let known = first.agents.iter().map(|agent| (agent.name.clone(), agent.id)).collect();
        assert_eq!(read(FILE_NAME, DEMO, &known).unwrap(), first);
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_lines() {
        let text = "[[queue]]\nname = 'a b'\ntitle = 'A'\noffer = '1 parsec'\nwrap_up = '0s'\nowner_wait = '1s'\n\
            reopen = '1s'\ncolour = 'red'\n\n[[skill]]\nname = 'x'\ntitle = ''\n[server]\nport = 1\n";
        let faults = read("routing.toml", text, &BTreeMap::new()).unwrap_err();
        let mut found: Vec<_> = faults.iter().map(|fault| (fault.line, fault.path.as_str())).collect();
        found.sort_unstable();
        let expected = vec![
            (Some(1), "queue[0].decline_rest"),
            (Some(1), "queue[0].wait_bound"),
            (Some(2), "queue[0].name"),
            (Some(4), "queue[0].offer"),
            (Some(8), "queue[0].colour"),
            (Some(12), "skill[0].title"),
            (Some(13), "server"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_fault_between_parts_has_its_line() {
        let text = DEMO.replace("queue = \"returns\"\nneeds", "queue = \"nowhere\"\nneeds");
        let faults = read("routing.toml", &text, &BTreeMap::new()).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].line.is_some());
        assert!(faults[0].found.contains("nowhere"), "{}", faults[0]);
    }
}
