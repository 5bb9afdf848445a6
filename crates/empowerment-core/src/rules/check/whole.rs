//! What stands above the cards: names, languages, currencies, times, reasons, facts, signals.

use conditions::spelling;
use protocol::facts::FactValue;
use protocol::limits::{FACT_TEXT_BYTES_MAX, NAME_BYTES_MAX, PROMISE_MS_MAX};
use protocol::policy::{FactEntry, Policy};
use protocol::remedy::RemedyKind;

use super::Faults;
use super::limits::{self, Of};
use super::words::{self, For};
use crate::rules::dictionary::{CLAIM, FLOOR, is_product, names_the_amount};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
const UNDO_MS_MAX: u64 = 10 * MINUTE_MS;
const YEAR_MS: u64 = 366 * DAY_MS;

pub(super) fn check(policy: &Policy, faults: &mut Faults) {
    lists(policy, faults);
    let name = policy.stands_behind.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        faults.add(
            "stands_behind",
            format!("write the name of who stands behind this policy, on one line of at most {NAME_BYTES_MAX} bytes: it makes agents free"),
        );
    }
    words::check(policy, "sentence", &policy.sentence, For::Colleagues, faults);
    words::check(policy, "customer_word", &policy.customer_word, For::Title, faults);
    times(policy, faults);
    if !policy.asking.soft_limit.is_empty() {
        limits::amounts(policy, "asking.soft_limit", &policy.asking.soft_limit, faults);
    }
    words::check(policy, "asking.promise_tell", &policy.asking.promise_tell, For::Promise, faults);
    limits::check(policy, "latitude.up_to", &policy.latitude.up_to, Of::Latitude, faults);
    words::check(policy, "latitude.hint", &policy.latitude.hint, For::Colleagues, faults);
    words::check(policy, "latitude.tell", &policy.latitude.tell, For::Customer, faults);
    for (at, reason) in policy.reasons.iter().enumerate() {
        words::check(policy, &format!("reasons[{at}].title"), &reason.title, For::Title, faults);
    }
    for (at, fact) in policy.facts.iter().enumerate() {
        entry(policy, &format!("facts[{at}]"), fact, faults);
    }
    signals(policy, faults);
}

fn lists(policy: &Policy, faults: &mut Faults) {
    if policy.languages.is_empty() {
        faults.add("languages", "is empty: name at least one, as in [\"en\"]");
    }
    if policy.currencies.is_empty() {
        faults.add("currencies", "is empty: name at least one, as in [\"EUR\"]");
    }
    let missing: Vec<&str> = RemedyKind::ALL
        .iter()
        .filter(|kind| !policy.helps_first.contains(kind))
        .map(|kind| kind.as_str())
        .collect();
    if !missing.is_empty() {
        faults.add(
            "helps_first",
            format!(
                "does not name {}: put every remedy in its place, what helps the customer most first",
                missing.join(", ")
            ),
        );
    }
    let at = |list: &str, at: usize| format!("{list}[{at}]");
    faults.doubles(policy.languages.iter().enumerate().map(|(i, one)| (at("languages", i), one)));
    faults.doubles(policy.currencies.iter().enumerate().map(|(i, one)| (at("currencies", i), one)));
    faults
        .doubles(policy.helps_first.iter().enumerate().map(|(i, one)| (at("helps_first", i), one.as_str())));
    faults.doubles(policy.reasons.iter().enumerate().map(|(i, one)| (at("reasons", i), &one.name)));
    faults.doubles(policy.facts.iter().enumerate().map(|(i, one)| (at("facts", i), &one.name)));
    faults.doubles(policy.signals.iter().enumerate().map(|(i, one)| (at("signals", i), &one.name)));
    faults.doubles(policy.cards.iter().enumerate().map(|(i, one)| (at("cards", i), &one.id)));
}

fn times(policy: &Policy, faults: &mut Faults) {
    let asking = &policy.asking;
    time("undo_ms", policy.undo_ms, UNDO_MS_MAX, faults);
    time("asking.peer_ms", asking.peer_ms, DAY_MS, faults);
    time("asking.lead_ms", asking.lead_ms, DAY_MS, faults);
    time("asking.promise_ms", asking.promise_ms, PROMISE_MS_MAX, faults);
}

fn time(path: &str, ms: u64, most: u64, faults: &mut Faults) {
    if ms == 0 || ms > most {
        faults.add(path, format!("is {}: write more than 0 and at most {}", said(ms), said(most)));
    }
}

fn said(ms: u64) -> String {
    match ms {
        0 => "0".to_owned(),
        ms if ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms % MINUTE_MS == 0 => format!("{}m", ms / MINUTE_MS),
        ms => format!("{ms}ms"),
    }
}

fn entry(policy: &Policy, path: &str, fact: &FactEntry, faults: &mut Faults) {
    let name = &fact.name;
    let at = |field: &str| format!("{path}.{field}");
    if names_the_amount(name.as_str()) {
        faults.add(
            at("name"),
            format!("{name} would be the amount, which no condition can name: say how much in `up_to`"),
        );
    } else if is_product(name.as_str()) {
        faults.add(at("name"), format!("{name} is a fact of the product: leave it out, it is always there"));
    } else if matches!(name.parts().0, "contact" | FLOOR) {
        faults.add(at("name"), format!("{name}: names that begin with contact or floor are the product's own: use another, as in order or customer"));
    }
    let source = fact.source.as_str();
    if source == FLOOR {
        faults.add(
            at("source"),
            "floor is routing, which says only the product's facts: name the integration that knows it",
        );
    }
    if (source == CLAIM) != (name.parts().0 == CLAIM) {
        faults.add(at("source"), format!("{name}: what the agent says for the customer is named claim.something and has source = \"claim\", nothing else"));
    }
    time(&at("fresh_ms"), fact.fresh_ms, YEAR_MS, faults);
    words::check(policy, &at("says"), &fact.says, For::Colleagues, faults);
    if fact.unit.as_ref().is_some_and(|unit| unit.trim().is_empty() || unit.len() > FACT_TEXT_BYTES_MAX) {
        faults.add(at("unit"), "is empty or too long: write it as in days, or leave it out");
    }
    let Some(absent) = &fact.absent else { return };
    if source != CLAIM {
        faults.add(
            at("absent"),
            format!(
                "{name} is for {} to say, and unknown without it: leave this out",
                spelling::short(source)
            ),
        );
    }
    if absent.kind() != fact.type_ {
        faults.add(at("absent"), format!("is of another type than {name}"));
    }
    if let FactValue::Text(text) = absent
        && text.len() > FACT_TEXT_BYTES_MAX
    {
        faults.add(
            at("absent"),
            format!("is longer than {FACT_TEXT_BYTES_MAX} bytes: a fact is a word of a list"),
        );
    }
}

fn signals(policy: &Policy, faults: &mut Faults) {
    for (at, signal) in policy.signals.iter().enumerate() {
        let path = format!("signals[{at}]");
        time(&format!("{path}.lasts_ms"), signal.lasts_ms, YEAR_MS, faults);
        words::check(policy, &format!("{path}.says"), &signal.says, For::Colleagues, faults);
        let Some(lowers_to) = &signal.lowers_to else { continue };
        let path = format!("{path}.lowers_to");
        limits::amounts(policy, &path, lowers_to, faults);
        let gaps: Vec<String> = policy
            .currencies
            .iter()
            .filter(|currency| !lowers_to.contains_key(currency))
            .map(ToString::to_string)
            .collect();
        if !gaps.is_empty() {
            faults.add(path, format!("says nothing of {}: name every currency", gaps.join(", ")));
        }
    }
}
