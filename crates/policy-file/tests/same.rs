//! What is read can be written, and is read again as the same.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use policy_file::{DEMO, FILE_NAME, parse, write};
use proptest::prelude::*;
use proptest::{collection, option, sample};
use protocol::facts::{FactName, FactType, FactValue, FactValues};
use protocol::policy::{
    Answer, Ask, Asking, Because, Card, Example, Expected, FactEntry, Latitude, Limit, Per, Policy, Reason,
    SignalRule, Words,
};
use protocol::remedy::{Claim, Occasion, RemedyKind};
use protocol::{Currency, Language, Money, SubjectToken};

fn read(text: &str) -> Policy {
    parse(FILE_NAME, text).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"))
}

#[test]
fn the_demo_policy_is_written_as_it_is() {
    let policy = read(DEMO);
    let text = write(&policy);
    assert_eq!(read(&text), policy);
    assert_eq!(write(&read(&text)), text, "the same policy has the same text");
    // What people look for stands there as they know it.
    for line in [
        "stands_behind = \"Mara Wouters, managing director\"",
        "    { per = \"contact\", EUR = \"150\", GBP = \"125\" },",
        "answer = { not_allowed = { because = \"safety\", evidence = \"order.recalled\" } }",
        "when = ['claim.reason == \"not_ours\"']",
        "facts = { \"order.recalled\" = true }",
        "money = { EUR = \"600\" }",
        "lasts = \"30d\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    for kind in ["[sentence]", "[latitude]", "[asking]", "[[reason]]", "[[fact]]", "[[signal]]", "[[card]]"] {
        assert!(text.lines().any(|found| found == kind), "{kind} in\n{text}");
    }
}

#[test]
fn what_no_policy_in_force_has_is_refused_where_it_is_read() {
    let mut policy = read(DEMO);
    policy.cards[0].examples[0].money.cents = -150;
    let text = write(&policy);
    let faults = parse(FILE_NAME, &text).unwrap_err();
    let paths: Vec<_> = faults.iter().map(|fault| &*fault.path).collect();
    assert_eq!(paths, ["card.0.example.0.money"]);
    let line = text.lines().position(|line| line == "money = { EUR = \"-1.50\" }").unwrap() + 1;
    assert_eq!(faults[0].line, Some(line));
}

/// Texts as people write them, and as nobody does.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,12}",
        "[\"'\\\\{}\\[\\]=#,.\u{0}-\u{1f}\u{7f}\u{85}\u{2028}é\u{1F600}\r\n\t]{0,8}",
        any::<String>(),
        Just("\"\"\"'''\\".to_owned()),
        Just("\r\n\r".to_owned()),
        Just("{amount} # no comment".to_owned()),
    ]
}

fn token() -> impl Strategy<Value = SubjectToken> {
    "[a-z][a-z0-9_]{0,9}".prop_map(|text| SubjectToken::new(&text).unwrap())
}

fn words() -> impl Strategy<Value = Words> {
    let language = "[a-z]{2}".prop_map(|text| text.parse::<Language>().unwrap());
    collection::btree_map(language, text(), 0..3)
}

fn currency() -> impl Strategy<Value = Currency> {
    "[A-Z]{3}".prop_map(|text| text.parse().unwrap())
}

fn cents() -> impl Strategy<Value = BTreeMap<Currency, u64>> {
    collection::btree_map(currency(), prop_oneof![0..200_000_u64, any::<u64>()], 0..3)
}

fn money() -> impl Strategy<Value = Money> {
    (0..=i64::MAX, currency()).prop_map(|(cents, currency)| Money { cents, currency })
}

fn ms() -> impl Strategy<Value = u64> {
    let whole = (sample::select(vec![1, 1_000, 60_000, 3_600_000, 86_400_000]), 0..1_000_u64);
    prop_oneof![whole.prop_map(|(unit, n)| unit * n), any::<u64>()]
}

fn fact_name() -> impl Strategy<Value = FactName> {
    // Words of the file are names of facts too.
    let word = || prop_oneof!["[a-z][a-z0-9_]{0,5}", Just("money".to_owned()), Just("undo".to_owned())];
    (word(), word()).prop_map(|(about, says)| format!("{about}.{says}").parse().unwrap())
}

fn fact() -> impl Strategy<Value = FactValue> {
    prop_oneof![
        any::<bool>().prop_map(FactValue::Bool),
        any::<i64>().prop_map(FactValue::Int),
        text().prop_map(FactValue::Text)
    ]
}

fn facts() -> impl Strategy<Value = FactValues> {
    collection::btree_map(fact_name(), fact(), 0..3)
}

fn kind() -> impl Strategy<Value = RemedyKind> {
    sample::select(RemedyKind::ALL.to_vec())
}

fn ask() -> impl Strategy<Value = Ask> {
    sample::select(vec![Ask::AskPeer, Ask::AskLead])
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let all =
        vec![Per::Contact, Per::AgentDay, Per::TeamDay, Per::CustomerYear, Per::Incident, Per::SurpriseYear];
    collection::vec((sample::select(all), cents()).prop_map(|(per, cents)| Limit { per, cents }), 0..3)
}

fn claim() -> impl Strategy<Value = Claim> {
    let tokens = (option::of(token()), option::of(token()), option::of(token()), option::of(token()));
    (tokens, option::of(kind()), option::of(money()), facts()).prop_map(
        |((reason, order, line, incident), wish, price, facts)| Claim {
            reason,
            wish,
            price,
            order,
            line,
            incident,
            facts,
        },
    )
}

fn example() -> impl Strategy<Value = Example> {
    let all = vec![Expected::Yes, Expected::AskPeer, Expected::AskLead, Expected::NotAllowed];
    (text(), claim(), facts(), kind(), money(), sample::select(all)).prop_map(
        |(says, claim, facts, gives, money, expects)| Example { says, claim, facts, gives, money, expects },
    )
}

fn answer() -> impl Strategy<Value = Answer> {
    let because = sample::select(vec![Because::Law, Because::Safety, Because::Fraud]);
    let forbids = (because, fact_name());
    prop_oneof![
        sample::select(vec![Answer::Yes, Answer::AskPeer, Answer::AskLead]),
        forbids.prop_map(|(because, evidence)| Answer::NotAllowed { because, evidence }),
    ]
}

fn card() -> impl Strategy<Value = Card> {
    let occasion = sample::select(vec![Occasion::Trust, Occasion::Failure, Occasion::Surprise]);
    let says = (words(), words(), words(), option::of(words()), option::of(text()));
    let does = (collection::vec(kind(), 0..3), collection::vec(text(), 0..3), answer(), limits());
    let rest = (option::of(occasion), option::of(ask()), collection::vec(example(), 0..3));
    (token(), says, does, rest).prop_map(
        |(id, (title, hint, tell, praise, why_less), does, (occasion, beyond, examples))| {
            let (gives, when, answer, up_to) = does;
            Card {
                id,
                title,
                occasion,
                gives,
                when,
                answer,
                up_to,
                beyond,
                hint,
                tell,
                praise,
                why_less,
                examples,
            }
        },
    )
}

fn fact_entry() -> impl Strategy<Value = FactEntry> {
    let type_ = sample::select(vec![FactType::Bool, FactType::Int, FactType::Text]);
    (fact_name(), type_, option::of(text()), token(), ms(), words(), option::of(fact())).prop_map(
        |(name, type_, unit, source, fresh_ms, says, absent)| FactEntry {
            name,
            type_,
            unit,
            source,
            fresh_ms,
            says,
            absent,
        },
    )
}

fn head() -> impl Strategy<Value = Policy> {
    let latitude = (limits(), ask(), words(), words()).prop_map(|(up_to, beyond, hint, tell)| Latitude {
        up_to,
        beyond,
        hint,
        tell,
    });
    let asking = (ms(), ms(), cents(), ms(), words()).prop_map(
        |(peer_ms, lead_ms, soft_limit, promise_ms, promise_tell)| Asking {
            peer_ms,
            lead_ms,
            soft_limit,
            promise_ms,
            promise_tell,
        },
    );
    let language = "[a-z]{2}".prop_map(|text| text.parse::<Language>().unwrap());
    let lists =
        (collection::vec(language, 0..3), collection::vec(currency(), 0..3), collection::vec(kind(), 0..3));
    (words(), text(), words(), lists, ms(), latitude, asking).prop_map(
        |(sentence, stands_behind, customer_word, lists, undo_ms, latitude, asking)| {
            let (languages, currencies, helps_first) = lists;
            Policy {
                sentence,
                stands_behind,
                customer_word,
                languages,
                currencies,
                helps_first,
                undo_ms,
                latitude,
                asking,
                reasons: Vec::new(),
                facts: Vec::new(),
                signals: Vec::new(),
                cards: Vec::new(),
            }
        },
    )
}

fn policies() -> impl Strategy<Value = Policy> {
    let reason = (token(), words(), any::<bool>()).prop_map(|(name, title, is_failure)| Reason {
        name,
        title,
        is_failure,
    });
    let signal = (token(), ms(), option::of(cents()), words())
        .prop_map(|(name, lasts_ms, lowers_to, says)| SignalRule { name, lasts_ms, lowers_to, says });
    let lists = (
        collection::vec(reason, 0..3),
        collection::vec(fact_entry(), 0..3),
        collection::vec(signal, 0..3),
        collection::vec(card(), 0..3),
    );
    (head(), lists).prop_map(|(head, (reasons, facts, signals, cards))| Policy {
        reasons,
        facts,
        signals,
        cards,
        ..head
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_policy_is_read_as_it_was_written(policy in policies()) {
        let text = write(&policy);
        match parse(FILE_NAME, &text) {
            Ok(read) => prop_assert_eq!(read, policy, "{}", text),
            Err(faults) => prop_assert!(false, "{faults:#?}\n{text}"),
        }
    }

    /// Nothing that somebody types at the desk ends the process, and every fault of the text has its line.
    #[test]
    fn a_text_that_was_cut_is_refused_with_a_line(at in 0.0..1.0_f64, with in text()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a place within a text")]
        let at = DEMO.floor_char_boundary((DEMO.len() as f64 * at) as usize);
        let (before, after) = DEMO.split_at(at);
        for text in [format!("{before}{with}{after}"), format!("{before}{with}")] {
            if let Err(faults) = parse(FILE_NAME, &text) {
                prop_assert!(!faults.is_empty());
                let lines = text.lines().count() + 1;
                for fault in faults {
                    prop_assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault:?}");
                }
            }
        }
    }
}
