//! Conditions against `cel`'s own interpreter, and every way to write one wrongly.

use std::sync::Arc;

use proptest::prelude::*;
use protocol::facts::{FactValue, FactValues};
use protocol::limits::{CONDITION_BYTES_MAX, CONDITION_LIST_MAX};

use super::*;

/// A vocabulary as a shop's policy has it.
struct Shop(Vec<(&'static str, FactType, Option<FactValue>, Vec<String>)>);

fn dictionary() -> Shop {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let nothing = Some(FactValue::Text(String::new()));
    let mut facts = vec![
        ("claim.has_order", FactType::Bool, Some(FactValue::Bool(false)), vec![]),
        ("claim.order", FactType::Text, nothing.clone(), vec![]),
        ("claim.reason", FactType::Text, nothing.clone(), words(&["used", "late"])),
        ("claim.wish", FactType::Text, nothing, words(&["refund", "voucher"])),
        ("contact.channel", FactType::Text, None, words(&["web", "api", "email", "webhook"])),
        ("contact.transfers", FactType::Int, None, vec![]),
    ];
    let orders = [
        ("order.days_late", FactType::Int),
        ("order.lines", FactType::Int),
        ("order.recalled", FactType::Bool),
        ("order.returned", FactType::Bool),
        ("order.status", FactType::Text),
        ("order.tier", FactType::Text),
    ];
    facts.extend(orders.map(|(name, type_)| (name, type_, None, vec![])));
    Shop(facts)
}

impl Shop {
    fn known<'a>(&'a self, facts: &'a FactValues) -> Vec<Option<Value<'a>>> {
        let value = |(name, type_, absent, _): &'a (&str, FactType, Option<FactValue>, Vec<String>)| {
            let given = facts.iter().find(|(given, _)| given.as_str() == *name);
            match given {
                Some((_, value)) => Some(value).filter(|value| value.kind() == *type_),
                None => absent.as_ref(),
            }
        };
        self.0.iter().map(|entry| value(entry).map(Value::from)).collect()
    }
}

impl Vocabulary for Shop {
    const MISSING: &'static str = "a fact that is missing is unknown";

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|entry| entry.0 == name)
    }

    fn type_at(&self, place: usize) -> Option<FactType> {
        self.0.get(place).map(|entry| entry.1)
    }

    fn words_at(&self, place: usize) -> Option<(&str, &[String])> {
        self.0.get(place).filter(|entry| !entry.3.is_empty()).map(|entry| (entry.0, entry.3.as_slice()))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|entry| entry.0)
    }

    fn never_a_fact(&self, name: &str) -> Option<String> {
        (name == "claim.price").then(|| "would be the amount".to_owned())
    }
}

fn truth(text: &str, facts: &FactValues) -> Truth {
    let dictionary = dictionary();
    let condition = read(text, &dictionary).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    condition.node.truth(&dictionary.known(facts))
}

fn facts(of: &[(&str, FactValue)]) -> FactValues {
    of.iter().map(|(name, value)| (name.parse().unwrap(), value.clone())).collect()
}

/// What `cel` itself says; its errors are what we call unknown.
fn reference(text: &str, facts: &FactValues) -> Truth {
    let order = facts.iter().map(|(name, value)| {
        let value = match value {
            FactValue::Bool(value) => cel::Value::from(*value),
            FactValue::Int(value) => cel::Value::from(*value),
            FactValue::Text(value) => cel::Value::from(value.as_str()),
        };
        (name.parts().1.to_owned().into(), value)
    });
    let order = cel::objects::Map { map: Arc::new(order.collect()) };
    let mut context = cel::Context::default();
    context.add_variable_from_value("order", cel::Value::Map(order));
    match cel::Program::compile(text).unwrap().execute(&context) {
        Ok(value) if value == cel::Value::from(true) => Truth::Holds,
        Ok(value) if value == cel::Value::from(false) => Truth::Fails,
        Ok(other) => panic!("{text} gave {other:?}"),
        Err(_) => Truth::Unknown,
    }
}

const INTS: [i64; 8] = [0, 1, 2, 3, -1, i64::MAX, i64::MIN, 4_611_686_018_427_387_904];
const WORDS: [&str; 4] = ["", "gold", "go", "sent"];

fn int() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(INTS.as_slice()).prop_map(|value| format!("({value})")),
        prop::sample::select(vec!["order.days_late", "order.lines"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("(-{of})")),
            (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%"]), inner)
                .prop_map(|(left, how, right)| format!("({left} {how} {right})")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(WORDS.as_slice()).prop_map(|word| format!("\"{word}\"")),
        prop::sample::select(vec!["order.status", "order.tier"]).prop_map(str::to_owned),
    ]
}

fn yes() -> impl Strategy<Value = String> {
    let same = || prop::sample::select(vec!["==", "!="]);
    let leaf = prop_oneof![
        prop::sample::select(vec!["order.recalled", "order.returned", "true", "false"])
            .prop_map(str::to_owned),
        (int(), prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]), int())
            .prop_map(|(left, how, right)| format!("({left} {how} {right})")),
        (text(), same(), text()).prop_map(|(left, how, right)| format!("({left} {how} {right})")),
        (text(), prop::sample::select(WORDS.as_slice()))
            .prop_map(|(of, start)| format!("{of}.startsWith(\"{start}\")")),
        (text(), prop::collection::vec(prop::sample::select(WORDS.as_slice()), 1..4))
            .prop_map(|(of, words)| format!("({of} in {words:?})")),
        (int(), prop::collection::vec(prop::sample::select(INTS.as_slice()), 1..4))
            .prop_map(|(of, ints)| format!("({of} in {ints:?})")),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("(!{of})")),
            (inner.clone(), prop::sample::select(vec!["&&", "||", "==", "!="]), inner.clone())
                .prop_map(|(left, how, right)| format!("({left} {how} {right})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(which, then, otherwise)| format!("({which} ? {then} : {otherwise})")),
        ]
    })
}

fn any_facts() -> impl Strategy<Value = FactValues> {
    let int = || prop::option::of(prop::sample::select(INTS.as_slice()).prop_map(FactValue::Int));
    let word = || {
        prop::option::of(prop::sample::select(WORDS.as_slice()).prop_map(|word| FactValue::Text(word.into())))
    };
    let bool = || prop::option::of(any::<bool>().prop_map(FactValue::Bool));
    (int(), int(), bool(), bool(), word(), word()).prop_map(
        |(late, lines, recalled, returned, status, tier)| {
            let all = [
                ("order.days_late", late),
                ("order.lines", lines),
                ("order.recalled", recalled),
                ("order.returned", returned),
                ("order.status", status),
                ("order.tier", tier),
            ];
            all.into_iter().filter_map(|(name, value)| Some((name.parse().unwrap(), value?))).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_we_evaluate_is_what_cel_evaluates(text in yes(), facts in any_facts()) {
        let dictionary = dictionary();
        match read(&text, &dictionary) {
            Ok(condition) => {
                prop_assert_eq!(condition.node.truth(&dictionary.known(&facts)), reference(&text, &facts), "{}", text);
            }
            Err(faults) => {
                let too_much = ["bytes", "parts", "brackets", "names no fact"];
                prop_assert!(faults.iter().all(|one| too_much.iter().any(|word| one.contains(word))), "{} {:?}", text, faults);
                return Err(TestCaseError::reject("too large to be read"));
            }
        }
    }

    #[test]
    fn what_is_left_to_ask_has_the_same_answer(text in yes(), facts in any_facts(), known in any::<u8>()) {
        let dictionary = dictionary();
        let Ok(condition) = read(&text, &dictionary) else { return Err(TestCaseError::reject("too large to be read")) };
        let all = dictionary.known(&facts);
        let first: Vec<_> = all.iter().enumerate().map(|(at, value)| value.filter(|_| known >> (at % 8) & 1 == 1)).collect();
        let rest: Vec<_> = all.iter().zip(&first).map(|(all, first)| all.filter(|_| first.is_none())).collect();
        let left = condition.node.given(&first);
        prop_assert_eq!(left.truth(&rest), condition.node.truth(&all), "{} {:?}", text, left);
        prop_assert_eq!(left.given(&first), left, "{}", text);
    }

    #[test]
    fn taking_a_fact_away_only_ever_makes_it_unknown(text in yes(), facts in any_facts(), at in any::<prop::sample::Index>()) {
        let dictionary = dictionary();
        let Ok(condition) = read(&text, &dictionary) else { return Err(TestCaseError::reject("too large to be read")) };
        prop_assume!(!facts.is_empty());
        let before = condition.node.truth(&dictionary.known(&facts));
        let mut less = facts.clone();
        let name = facts.keys().nth(at.index(facts.len())).unwrap();
        less.remove(name);
        let after = condition.node.truth(&dictionary.known(&less));
        prop_assert!(after == before || after == Truth::Unknown, "{}: {:?} became {:?} without {}", text, before, after, name);
    }

    #[test]
    fn no_text_breaks_the_reader(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..30), any in ".{0,60}") {
        let dictionary = dictionary();
        for text in [pieces.concat(), pieces.join(" "), any] {
            if let Err(faults) = read(&text, &dictionary) {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|one| one.len() < 1_000 && !one.contains('\n')), "{:?}", faults);
            }
        }
    }
}

const PIECES: [&str; 44] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    ".",
    ",",
    "'",
    "\"",
    "\\",
    "`",
    "a",
    "order",
    "order.recalled",
    "has",
    "all",
    "x",
    "1",
    "1u",
    "1.5",
    "-",
    "!",
    "&&",
    "||",
    "==",
    "in",
    "\u{e9}",
    "\\u",
    "r'",
    "b'",
    "'''",
    "null",
    "0x",
    "1e999",
    "@",
    "//",
    "=",
    ".all(x,",
    "\u{1F600}",
    "?.",
    "[?",
];

#[test]
fn what_is_not_known_is_exactly_what_matters() {
    let late = facts(&[("order.days_late", FactValue::Int(4))]);
    for (text, expected) in [
        ("order.days_late > 3", Truth::Holds),
        ("order.days_late > 4", Truth::Fails),
        ("order.lines > 3", Truth::Unknown),
        ("order.days_late > 3 || order.recalled", Truth::Holds),
        ("order.recalled || order.days_late > 3", Truth::Holds),
        ("order.recalled && order.days_late > 4", Truth::Fails),
        ("order.recalled && order.days_late > 3", Truth::Unknown),
        ("!order.recalled", Truth::Unknown),
        ("order.recalled ? true : true", Truth::Unknown),
        ("order.days_late > 3 ? order.days_late == 4 : order.recalled", Truth::Holds),
        ("order.days_late / 0 > 1", Truth::Unknown),
        ("order.days_late % 0 > 1 || order.days_late == 4", Truth::Holds),
        ("order.days_late * 9223372036854775807 > 1", Truth::Unknown),
        ("order.days_late in [1, 4]", Truth::Holds),
        ("order.status in [\"sent\"]", Truth::Unknown),
        ("claim.reason == \"used\"", Truth::Fails),
        ("claim.has_order", Truth::Fails),
        ("contact.transfers > 1", Truth::Unknown),
    ] {
        assert_eq!(truth(text, &late), expected, "{text}");
    }
}

#[test]
fn a_value_of_another_type_is_not_known() {
    for value in [FactValue::Text("4".into()), FactValue::Bool(true)] {
        assert_eq!(truth("order.days_late > 3", &facts(&[("order.days_late", value)])), Truth::Unknown);
    }
}

#[test]
fn every_wrong_condition_is_told_what_to_write() {
    let dictionary = dictionary();
    for (text, expected) in [
        ("", "is empty"),
        ("order.recalled &&\norder.returned", "more than one line"),
        ("order.days_late >", "is no CEL expression at column 18"),
        ("order.status = \"sent\"", "compare with =="),
        ("order.recalled and order.returned", "write && for and"),
        ("[1].all(x, x > order.lines)", "are loops"),
        ("[1].exists(x, x > order.lines)", "are loops"),
        ("[1].exists_one(x, x > order.lines)", "are loops"),
        ("[1].map(x, x) == order.lines", "are loops"),
        ("[1].filter(x, true) == order.lines", "are loops"),
        ("has(order.recalled)", "has() cannot be used"),
        ("size(order.status) > 1", "`size` cannot be called"),
        ("order.status.matches(\"(a+)+\")", "`matches` cannot be called"),
        (
            "order.status + \"x\" == \"y\"",
            "order.status is a word (text), but a whole number (int) is needed",
        ),
        ("order.day_late > 1", "did you mean order.days_late?"),
        ("days_late > 1", "`days_late` is no fact that this policy knows; use one of"),
        ("order.days.late > 1", "order.days.late is no fact: a fact has two words"),
        ("claim.price > 100", "would be the amount"),
        (
            "order.days_late",
            "order.days_late is a whole number (int), but yes or no (bool) is needed here: compare it",
        ),
        (
            "order.status",
            "is a word (text), but yes or no (bool) is needed here: compare it, as in order.status ==",
        ),
        ("order.days_late + 1", "+ is a whole number (int), but yes or no (bool)"),
        ("order.status > 3", "words can only be the same"),
        ("order.recalled > 3", "write the fact alone"),
        ("order.days_late == \"4\"", "== compares a whole number (int) with a word (text)"),
        ("order.recalled ? 1 : \"x\"", "\"x\" is a word (text), but a whole number (int)"),
        ("order.days_late > 1.5", "numbers are whole"),
        ("order.days_late > 1u", "without u"),
        ("order.status == b\"sent\"", "without b"),
        ("order.status == null", "null cannot be compared"),
        ("order.status[0] == \"s\"", "[...] after a fact"),
        ("{\"a\": order.recalled}.a", "is no fact: a fact has two words"),
        ("order.recalled == {\"a\": 1}", "{...} cannot be used"),
        ("[order.recalled]", "a list can only stand after `in`"),
        ("order.status in order.tier", "`in` needs a list"),
        ("order.status in []", "the list is empty"),
        ("order.status in [order.tier]", "plain words only"),
        ("order.lines in [order.days_late]", "plain numbers only"),
        ("order.recalled in [true]", "for yes or no write the fact alone"),
        ("order.status.startsWith(order.tier)", "startsWith needs a plain word"),
        ("claim.reason == \"usde\"", "claim.reason is never \"usde\"; did you mean used?"),
        ("claim.reason in [\"used\", \"stolen\"]", "claim.reason is never \"stolen\"; use one of used, late"),
        ("claim.wish == \"money\"", "claim.wish is never \"money\""),
        ("contact.channel == \"wbe\"", "did you mean web?"),
        ("true", "names no fact"),
        ("1 == 1", "names no fact"),
    ] {
        let faults = read(text, &dictionary).expect_err(text);
        assert!(faults.iter().any(|one| one.contains(expected)), "{text}: {faults:?}");
    }
}

#[test]
fn all_that_is_wrong_with_a_condition_is_told_at_once() {
    let faults = read("order.stauts == 1.5 && claim.price > 3", &dictionary()).unwrap_err();
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn a_condition_is_bounded() {
    let dictionary = dictionary();
    let of_bytes = |bytes: usize| format!("order.status == \"{}\"", "x".repeat(bytes - 18));
    let sum_of = |ones: usize| format!("order.lines > {}", vec!["1"; ones].join("+"));
    let of_list = |entries: usize| format!("order.lines in [{}]", vec!["1"; entries].join(","));
    let of_brackets = |deep: usize| format!("{}order.recalled{}", "(".repeat(deep), ")".repeat(deep));
    for (fits, too_much, says) in [
        (of_bytes(CONDITION_BYTES_MAX), of_bytes(CONDITION_BYTES_MAX + 1), "bytes"),
        (format!("!({})", sum_of(31)), sum_of(32), "more than 64 parts"),
        (of_list(CONDITION_LIST_MAX), of_list(CONDITION_LIST_MAX + 1), "the list has 33 entries"),
        (of_brackets(16), of_brackets(17), "brackets"),
        (of_brackets(1), of_brackets(190), "brackets"),
        ("!".repeat(380) + "order.recalled", format!("order.recalled{}", ".a".repeat(190)), "is no fact"),
    ] {
        assert!(read(&fits, &dictionary).is_ok(), "{fits}: {:?}", read(&fits, &dictionary));
        let faults = read(&too_much, &dictionary).expect_err(&too_much);
        assert!(faults.iter().any(|one| one.contains(says)), "{too_much}: {faults:?}");
    }
}

#[test]
fn what_cel_parsed_could_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<cel::Program>();
    shared::<Condition>();
}
