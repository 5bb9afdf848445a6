//! A policy as a text that people read and change, each kind of row with what it is.

use std::collections::BTreeMap;

use protocol::facts::{FactName, FactValue, FactValues};
use protocol::money::{Currency, Money};
use protocol::policy::{
    Answer, Asking, Card, Example, FactEntry, Latitude, Limit, Policy, Reason, SignalRule, Words,
};
use protocol::remedy::Claim;
use serde::Serialize;
use serde_json::Value;

const HEAD: &str = "\
# What an agent may give now, unasked. The default answer is yes.
#
# This is empowerment.toml as `winterband rules check` reads it. It is written anew from the policy in force: comments of one's
# own are not kept.
#
# Times are such as \"10s\", \"5m\", \"24h\", \"30d\"; amounts such as \"600\" or \"600.50\" by currency; words stand by language.
";
const HELPS_FIRST: &str = "\
# What is offered, what helps the customer most first; the customer's own wish comes before all of them.
";
const LATITUDE: &str = "\
# What may be given when no card speaks. Each limit holds within its scope (contact, agent_day, team_day, customer_year, incident,
# surprise_year), whichever card gave; above them, `beyond` says who is asked: ask_peer or ask_lead.
";
const ASKING: &str = "\
# How agents ask one another: it ends in yes or in a dated promise, never in no.
";
const REASONS: &str = "\
# What customers may say. Nobody has to prove anything.
";
const FACTS: &str = "\
# What conditions may name. Whatever is not known, or older than `fresh`, only ever makes less automatic, never more.
";
const SIGNALS: &str = "\
# Reasons to look twice: each lowers what needs no colleague, for a while; it never refuses, and no customer hears of it.
";
const CARDS: &str = "\
# Cards are read from top to bottom; the first whose conditions all hold answers: yes, ask_peer, ask_lead, or not_allowed for law,
# safety or evidence of fraud. A condition (`when`) is one CEL expression that names facts, never the amount: amounts are `up_to`.
# A card without `up_to` or `beyond` has those of the latitude. Examples are tried before the policy is in force.
";

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The text of a policy, which reads as the same policy.
///
/// An amount below zero, which no policy in force has, is written as it is and is refused where it is read.
#[must_use]
pub fn write(policy: &Policy) -> String {
    let Policy {
        sentence,
        stands_behind,
        customer_word,
        languages,
        currencies,
        helps_first,
        undo_ms,
        latitude,
        asking,
        reasons,
        facts,
        signals,
        cards,
    } = policy;
    let mut text = Text(HEAD.to_owned());
    text.gap();
    text.row("stands_behind", &quoted(stands_behind));
    text.noted("languages", &named(languages), "the first one for customers of none of them");
    text.noted("currencies", &named(currencies), "the shop's own first");
    text.comment(HELPS_FIRST);
    text.row("helps_first", &named(helps_first));
    text.noted("undo", &duration(*undo_ms), "how long a gift can be taken back");
    text.table("[sentence]", "");
    text.rows(sentence);
    text.table("[customer_word]", "");
    text.rows(customer_word);
    text.latitude(latitude);
    text.asking(asking);
    for (n, one) in reasons.iter().enumerate() {
        text.table("[[reason]]", if n == 0 { REASONS } else { "" });
        text.reason(one);
    }
    for (n, one) in facts.iter().enumerate() {
        text.table("[[fact]]", if n == 0 { FACTS } else { "" });
        text.fact(one);
    }
    for (n, one) in signals.iter().enumerate() {
        text.table("[[signal]]", if n == 0 { SIGNALS } else { "" });
        text.signal(one);
    }
    for (n, one) in cards.iter().enumerate() {
        text.table("[[card]]", if n == 0 { CARDS } else { "" });
        text.card(one);
    }
    text.0
}

struct Text(String);

impl Text {
    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn comment(&mut self, comment: &str) {
        self.0.push_str(comment);
    }

    /// The head of a table, after an empty line and what is said of all of its kind.
    fn table(&mut self, head: &str, comment: &str) {
        self.gap();
        if !comment.is_empty() {
            self.comment(comment);
            self.gap();
        }
        self.0.push_str(head);
        self.gap();
    }

    fn row(&mut self, key: &str, value: &str) {
        for part in [key, " = ", value, "\n"] {
            self.0.push_str(part);
        }
    }

    /// A row with what it means behind it.
    fn noted(&mut self, key: &str, value: &str, note: &str) {
        let row = format!("{key} = {value}");
        self.0.push_str(&format!("{row:<31}# {note}\n"));
    }

    fn some(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row(key, &value);
        }
    }

    fn rows(&mut self, words: &Words) {
        for (language, words) in words {
            self.row(&language.to_string(), &quoted(words));
        }
    }

    fn limits(&mut self, limits: &[Limit]) {
        if limits.is_empty() {
            return self.row("up_to", "[]");
        }
        let each = limits.iter().map(|Limit { per, cents }| {
            let per = std::iter::once(("per".to_owned(), value(per)));
            format!("    {},\n", inline(per.chain(by_currency(cents))))
        });
        self.row("up_to", &format!("[\n{}]", each.collect::<String>()));
    }

    fn latitude(&mut self, Latitude { up_to, beyond, hint, tell }: &Latitude) {
        self.table("[latitude]", LATITUDE);
        self.limits(up_to);
        self.row("beyond", &value(beyond));
        self.row("hint", &words(hint));
        self.row("tell", &words(tell));
    }

    fn asking(&mut self, asking: &Asking) {
        let Asking { peer_ms, lead_ms, soft_limit, promise_ms, promise_tell } = asking;
        self.table("[asking]", ASKING);
        self.noted("peer", &duration(*peer_ms), "how long colleagues have to answer");
        self.noted("lead", &duration(*lead_ms), "how long leads have");
        self.noted("soft_limit", &amounts(soft_limit), "up to here, silence is a yes");
        let note = "by when the customer has an answer if nobody could give one";
        self.noted("promise", &duration(*promise_ms), note);
        self.row("promise_tell", &words(promise_tell));
    }

    fn reason(&mut self, Reason { name, title, is_failure }: &Reason) {
        self.row("name", &quoted(name.as_str()));
        self.row("title", &words(title));
        self.some("is_failure", is_failure.then(|| value(is_failure)));
    }

    fn fact(&mut self, entry: &FactEntry) {
        let FactEntry { name, type_, unit, source, fresh_ms, says, absent } = entry;
        self.row("name", &quoted(name.as_str()));
        self.row("type", &value(type_));
        self.some("unit", unit.as_deref().map(quoted));
        self.row("source", &quoted(source.as_str()));
        self.row("fresh", &duration(*fresh_ms));
        self.some("absent", absent.as_ref().map(value));
        self.row("says", &words(says));
    }

    fn signal(&mut self, SignalRule { name, lasts_ms, lowers_to, says }: &SignalRule) {
        self.row("name", &quoted(name.as_str()));
        self.row("lasts", &duration(*lasts_ms));
        self.some("lowers_to", lowers_to.as_ref().map(amounts));
        self.row("says", &words(says));
    }

    fn card(&mut self, card: &Card) {
        let Card {
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
        } = card;
        self.row("id", &quoted(id.as_str()));
        self.row("title", &words(title));
        self.some("occasion", occasion.as_ref().map(value));
        self.some("gives", (!gives.is_empty()).then(|| named(gives)));
        self.row("when", &conditions(when));
        self.row("answer", &answered(answer));
        if !up_to.is_empty() {
            self.limits(up_to);
        }
        self.some("beyond", beyond.as_ref().map(value));
        self.some("why_less", why_less.as_deref().map(quoted));
        self.row("hint", &words(hint));
        self.some("tell", (!tell.is_empty()).then(|| words(tell)));
        self.some("praise", praise.as_ref().map(words));
        for example in examples {
            self.table("[[card.example]]", "");
            self.example(example);
        }
    }

    fn example(&mut self, Example { says, claim, facts, gives, money, expects }: &Example) {
        self.row("says", &quoted(says));
        self.row("claim", &claimed(claim));
        self.some("facts", (!facts.is_empty()).then(|| known(facts)));
        self.row("gives", &value(gives));
        self.row("money", &one_amount(money));
        self.row("expects", &value(expects));
    }
}

/// One value of TOML as people write it, with the quotes that it needs.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// A word, a flag or a number as the wire has it.
fn value(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(Value::String(word)) => quoted(&word),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// `["refund", "gesture"]`
fn named(list: &[impl Serialize]) -> String {
    format!("[{}]", list.iter().map(value).collect::<Vec<_>>().join(", "))
}

fn conditions(when: &[String]) -> String {
    match when {
        [] => "[]".to_owned(),
        [one] => format!("[{}]", quoted(one)),
        _ => {
            format!("[\n{}]", when.iter().map(|line| format!("    {},\n", quoted(line))).collect::<String>())
        }
    }
}

/// `{ en = "refund", nl = "geld terug" }`
fn inline(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows: Vec<_> = rows.map(|(key, value)| format!("{key} = {value}")).collect();
    if rows.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", rows.join(", ")) }
}

fn words(words: &Words) -> String {
    inline(words.iter().map(|(language, words)| (language.to_string(), quoted(words))))
}

fn known(facts: &FactValues) -> String {
    inline(facts.iter().map(|(name, fact): (&FactName, &FactValue)| (quoted(name.as_str()), value(fact))))
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Yes | Answer::AskPeer | Answer::AskLead => value(answer),
        Answer::NotAllowed { because, evidence } => {
            format!("{{ not_allowed = {{ because = {}, evidence = {} }} }}", value(because), value(evidence))
        }
    }
}

fn claimed(claim: &Claim) -> String {
    let Claim { reason, wish, price, order, line, incident, facts } = claim;
    let rows = [
        ("reason", reason.as_ref().map(value)),
        ("wish", wish.as_ref().map(value)),
        ("price", price.as_ref().map(one_amount)),
        ("order", order.as_ref().map(value)),
        ("line", line.as_ref().map(value)),
        ("incident", incident.as_ref().map(value)),
        ("facts", (!facts.is_empty()).then(|| known(facts))),
    ];
    inline(rows.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))))
}

fn by_currency(cents: &BTreeMap<Currency, u64>) -> impl Iterator<Item = (String, String)> {
    cents.iter().map(|(currency, cents)| (currency.to_string(), amount("", *cents)))
}

fn amounts(cents: &BTreeMap<Currency, u64>) -> String {
    inline(by_currency(cents))
}

fn one_amount(Money { cents, currency }: &Money) -> String {
    let sign = if *cents < 0 { "-" } else { "" };
    inline(std::iter::once((currency.to_string(), amount(sign, cents.unsigned_abs()))))
}

/// `"600"` or `"600.50"`
fn amount(sign: &str, cents: u64) -> String {
    let (whole, part) = (cents / 100, cents % 100);
    if part == 0 { format!("\"{sign}{whole}\"") } else { format!("\"{sign}{whole}.{part:02}\"") }
}

/// In the largest unit in which it is whole; a day is 24 hours.
fn duration(ms: u64) -> String {
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")];
    let is_fit = |(unit, _): &(u64, &str)| ms.is_multiple_of(*unit) && ms >= *unit;
    match units.into_iter().filter(|(unit, _)| ms != DAY_MS || *unit != DAY_MS).find(is_fit) {
        Some((unit, name)) => format!("\"{}{name}\"", ms / unit),
        None if ms < SECOND_MS => format!("\"{ms}ms\""),
        None => format!("\"{}s {}ms\"", ms / SECOND_MS, ms % SECOND_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_say_them() {
        for (ms, text) in [
            (0, "0ms"),
            (1_500, "1s 500ms"),
            (10_000, "10s"),
            (60_000, "1m"),
            (90_000, "90s"),
            (DAY_MS, "24h"),
            (36 * HOUR_MS, "36h"),
            (30 * DAY_MS, "30d"),
            (u64::MAX, "18446744073709551s 615ms"),
        ] {
            assert_eq!(duration(ms), format!("\"{text}\""));
        }
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for (cents, text) in [(0, "0"), (5, "0.05"), (60_000, "600"), (60_050, "600.50")] {
            assert_eq!(amount("", cents), format!("\"{text}\""));
        }
    }
}
