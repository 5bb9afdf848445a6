//! The parts of `routing.toml` that conditions need: facts, routes, attributes.

use protocol::config::{ABOUT_AGENT, DeclaredFact, Route};
use protocol::facts::{FactName, FactType, FactValue, FactValues};
use toml_edit::Value;

use super::routing_file::need;
use super::table::Table;

const NAME: &str = "two words in small letters with a dot, as in customer.tier";
const TYPE: &str = "one of bool, int, text";
const VALUE: &str = "true or false, a whole number, or a word";
const WORDS: &str = "a list of words";
const ATTRIBUTES: &str = "a table of fact = value, as in { site = \"north\" } for agent.site";
const WHEN: &str = "a list of conditions, as in [\"customer.tier == \\\"gold\\\"\"]";
const NEEDS: &str = "a list of { skill = \"name\", level = 1 to 5 }";

pub(super) fn fact(table: &mut Table<'_, '_>) -> Option<DeclaredFact> {
    let name = table.word("name", NAME, |word| word.parse().ok());
    let type_ = table.word("type", TYPE, |word| match word {
        "bool" => Some(FactType::Bool),
        "int" => Some(FactType::Int),
        "text" => Some(FactType::Text),
        _ => None,
    });
    let words = table.values("words", WORDS, text).unwrap_or_default();
    let absent = table.value("absent", VALUE, value);
    Some(DeclaredFact { name: name?, type_: type_?, words, absent })
}

pub(super) fn route(table: &mut Table<'_, '_>) -> Option<Route> {
    let (name, when) = (table.token("name"), table.values("when", WHEN, text).unwrap_or_default());
    let (queue, priority) = (table.optional_token("queue"), table.optional_small("priority"));
    let needs = table.list("needs", NEEDS, need).unwrap_or_default();
    Some(Route { name: name?, when, queue, priority, needs })
}

pub(super) fn attributes(table: &mut Table<'_, '_>) -> FactValues {
    let read = table.inline("attributes", ATTRIBUTES, |table| {
        let attribute = |(says, said): (&str, &Value)| {
            let name: FactName = format!("{ABOUT_AGENT}.{says}").parse().ok()?;
            Some((name, value(said)?))
        };
        table.iter().map(attribute).collect::<Option<_>>()
    });
    read.unwrap_or_default()
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn value(value: &Value) -> Option<FactValue> {
    let yes_no = value.as_bool().map(FactValue::Bool);
    yes_no.or_else(|| value.as_integer().map(FactValue::Int)).or_else(|| text(value).map(FactValue::Text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::routing_file::{DEMO, FILE_NAME, read};

    const CONDITIONS: &str = r#"
        [[fact]]
        name = "customer.tier"
        type = "text"
        words = ["gold", "basic"]

        [[fact]]
        name = "agent.senior"
        type = "bool"
        absent = false

        [[route]]
        name = "gold"
        when = ["customer.tier == \"gold\""]
        priority = 1
        needs = [{ skill = "dutch", level = 2 }]
    "#;

    #[test]
    fn facts_routes_and_attributes_are_read_from_the_file() {
        let text = DEMO.replacen("[[agent]]", "[[agent]]\nattributes = { senior = true }", 1) + CONDITIONS;
        let config = read(FILE_NAME, &text, &BTreeMap::new()).unwrap();
        assert_eq!((config.facts.len(), config.routes.len()), (2, 1));
        assert_eq!(config.agents[0].attributes.len(), 1);
    }

    #[test]
    fn a_wrong_condition_is_told_with_its_line() {
        let text = DEMO.to_owned()
            + &CONDITIONS
                .replace("== \\\"gold", "== \\\"golden")
                .replace("priority = 1", "priority = 1\nqueue = \"nowhere\"");
        let faults = read(FILE_NAME, &text, &BTreeMap::new()).unwrap_err();
        let line_of = |word: &str| text.lines().position(|line| line.contains(word)).map(|at| at + 1);
        let told: Vec<_> =
            faults.iter().map(|fault| (fault.line, fault.path.as_str(), fault.found.as_str())).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!((told[0].0, told[0].1), (line_of("nowhere"), "routes[0].queue"));
        assert_eq!((told[1].0, told[1].1), (line_of("golden"), "routes[0].when[0]"));
        assert!(told[1].2.contains("did you mean gold?"), "{told:?}");
    }
}
