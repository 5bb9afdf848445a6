//! `rules check`, `rules test`, `rules explain`: the policy, before it is in force.
#![expect(clippy::print_stdout, reason = "a tool's answer")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use empowerment_core::rules::{
    CardTrace, CompiledPolicy, RulingTrace, SignalEffect, Truth, Verdict, explain,
};
use protocol::facts::{FactName, FactType, FactValue, FactValues};
use protocol::policy::{Ask, Because, Per, Policy};
use protocol::remedy::{Claim, RemedyKind};
use protocol::{Currency, Money, SubjectToken};
use service::SettingsErrors;
use service::settings::Fault;

/// What to do with a policy.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Tells all faults of a policy at once, with lines and what to write instead; exit code 64 if there are any.
    Check {
        /// empowerment.toml, or the folder that it lies in; the built-in demo policy if not given.
        path: Option<PathBuf>,
    },
    /// Runs the policy's own examples and tells each with its answer.
    Test {
        /// empowerment.toml, or the folder that it lies in; the built-in demo policy if not given.
        path: Option<PathBuf>,
    },
    /// Shows how a case is decided: every card, every condition, and what could be given.
    Explain(Case),
}

/// A case on the command line.
#[derive(clap::Args)]
pub(crate) struct Case {
    /// empowerment.toml, or the folder that it lies in; the built-in demo policy if not given.
    path: Option<PathBuf>,
    /// What the customer says, one of the policy's reasons.
    #[arg(long)]
    reason: Option<SubjectToken>,
    /// What they would like best, such as refund.
    #[arg(long, value_parser = kind)]
    wish: Option<RemedyKind>,
    /// Their order.
    #[arg(long)]
    order: Option<SubjectToken>,
    /// A fact that is known, such as order.days_late=4; may be given several times.
    #[arg(long = "fact")]
    facts: Vec<String>,
    /// In which currency; the policy's first if not given.
    #[arg(long)]
    currency: Option<Currency>,
}

/// Runs it.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check { path } => {
            let (place, policy) = load(path.as_deref())?;
            println!("{place}: no faults, {} cards, {} examples", policy.cards.len(), examples(&policy));
        }
        Command::Test { path } => test(&load(path.as_deref())?.1)?,
        Command::Explain(case) => show(case)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the policy of a folder or file; the demo policy when nothing is named.
///
/// # Errors
/// [`SettingsErrors`] with every fault of it.
pub(crate) fn load(path: Option<&Path>) -> Result<(String, Policy)> {
    let (place, text) = match path {
        None => ("built-in empowerment.toml".to_owned(), policy_file::DEMO.to_owned()),
        Some(path) => {
            let file = if path.is_dir() { path.join(policy_file::FILE_NAME) } else { path.to_owned() };
            let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
            (file.display().to_string(), text)
        }
    };
    let policy = read(&place, &text).map_err(SettingsErrors)?;
    Ok((place, policy))
}

/// Reads a text, or tells all its faults at once: first those of its form, then those of what it says.
fn read(place: &str, text: &str) -> Result<Policy, Vec<Fault>> {
    let policy = policy_file::parse(place, text)?;
    let faults = empowerment_core::rules::check(&policy);
    if faults.is_empty() {
        return Ok(policy);
    }
    let told = faults.into_iter().map(|fault| {
        let (line, path) = policy_file::place(text, &fault);
        let expected = "a policy that says what it means".to_owned();
        Fault { place: place.to_owned(), line, path, expected, found: fault.message }
    });
    Err(told.collect())
}

fn examples(policy: &Policy) -> usize {
    policy.cards.iter().map(|card| card.examples.len()).sum()
}

/// A policy that loads passes its examples; what is told is what each of them gets.
fn test(policy: &Policy) -> Result<()> {
    let compiled = compile(policy)?;
    for card in &policy.cards {
        for example in &card.examples {
            let case = compiled.case(example.claim.clone(), example.facts.clone());
            let trace = explain(&compiled, &case, example.money.currency, &|_| 0, SignalEffect::default());
            let ruling = trace.rulings.iter().find(|ruling| ruling.kind == example.gives);
            let answer =
                ruling.map_or_else(String::new, |found| words(policy, found, example.money.currency));
            println!("{:<14} {}", card.id.as_str(), example.says);
            println!("{:<14} {} {}: {answer}", "", example.gives.as_str(), example.money);
        }
    }
    println!("{} examples answered as expected", examples(policy));
    Ok(())
}

fn compile(policy: &Policy) -> Result<CompiledPolicy> {
    let told = |faults: Vec<protocol::policy::PolicyFault>| {
        let faults = faults.into_iter().map(|fault| Fault {
            place: policy_file::FILE_NAME.to_owned(),
            line: None,
            path: fault.path,
            expected: "a policy that says what it means".to_owned(),
            found: fault.message,
        });
        SettingsErrors(faults.collect())
    };
    Ok(CompiledPolicy::compile(policy.clone()).map_err(told)?)
}

fn show(asked: &Case) -> Result<()> {
    let (_, policy) = load(asked.path.as_deref())?;
    let compiled = compile(&policy)?;
    let known = asked.facts.iter().map(|text| fact(&compiled, text)).collect::<Result<FactValues>>()?;
    let mut claim = Claim { reason: asked.reason.clone(), wish: asked.wish, ..Claim::default() };
    claim.order.clone_from(&asked.order);
    if let Some(reason) = &claim.reason
        && !policy.reasons.iter().any(|known| known.name == *reason)
    {
        let names: Vec<_> = policy.reasons.iter().map(|reason| reason.name.as_str()).collect();
        bail!("the policy knows no reason {reason}: use one of {}", names.join(", "));
    }
    // What an agent can see is part of the claim; everything else is known from elsewhere.
    claim.facts = known.clone();
    let currency = asked.currency.or_else(|| policy.currencies.first().copied());
    let currency = currency.context("the policy names no currency")?;
    let case = compiled.case(claim, known);
    let trace = explain(&compiled, &case, currency, &|_| 0, SignalEffect::default());
    println!("{:?}, with empty wallets\n", trace.occasion);
    for card in &trace.cards {
        println!("{}", card_words(card));
    }
    println!();
    for ruling in &trace.rulings {
        println!("{:<12} {}", ruling.kind.as_str(), words(&policy, ruling, currency));
    }
    Ok(())
}

fn card_words(card: &CardTrace) -> String {
    let mut text = format!("{:<8} {}", truth(card.holds), card.card);
    for condition in &card.conditions {
        text += &format!("\n           {:<8} {}", truth(condition.holds), condition.text);
        if !condition.unknown.is_empty() {
            let names: Vec<_> = condition.unknown.iter().map(FactName::as_str).collect();
            text += &format!("   (not known: {})", names.join(", "));
        }
    }
    if let Some((fact, holds)) = &card.evidence {
        text += &format!("\n           {:<8} evidence {fact}", truth(*holds));
    }
    text
}

fn truth(truth: Truth) -> &'static str {
    match truth {
        Truth::Holds => "holds",
        Truth::Fails => "fails",
        Truth::Unknown => "unknown",
    }
}

fn words(policy: &Policy, trace: &RulingTrace, currency: Currency) -> String {
    let card = trace.ruling.card.and_then(|at| policy.cards.get(at));
    let by = card.map_or("the latitude", |card| card.id.as_str());
    match trace.ruling.verdict {
        Verdict::Yes { up_to, because_of, beyond } => {
            let money = Money { cents: i64::try_from(up_to).unwrap_or(i64::MAX), currency };
            let per = because_of.map_or("", per_words);
            format!("yes, up to {money}{per}; above it {} ({by})", ask_words(beyond))
        }
        Verdict::Ask { whom } => format!("{} ({by})", ask_words(whom)),
        Verdict::NotAllowed { because } => {
            format!("not allowed because of {} ({by})", because_words(because))
        }
    }
}

fn ask_words(ask: Ask) -> &'static str {
    match ask {
        Ask::AskPeer => "ask a colleague",
        Ask::AskLead => "ask a lead",
    }
}

fn because_words(because: Because) -> &'static str {
    match because {
        Because::Law => "the law",
        Because::Safety => "safety",
        Because::Fraud => "evidence of fraud",
    }
}

fn per_words(per: Per) -> &'static str {
    match per {
        Per::Contact => " a contact",
        Per::AgentDay => " an agent and day",
        Per::TeamDay => " a queue and day",
        Per::CustomerYear => " a customer and year",
        Per::Incident => " an incident",
        Per::SurpriseYear => " of surprises a customer and year",
    }
}

fn kind(word: &str) -> Result<RemedyKind, String> {
    let found = RemedyKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| format!("use one of {}", RemedyKind::ALL.map(RemedyKind::as_str).join(", ")))
}

/// `order.days_late=4`, read as the type that the policy gives it.
fn fact(policy: &CompiledPolicy, text: &str) -> Result<(FactName, FactValue)> {
    let (name, value) =
        text.split_once('=').context("write a fact as name=value, such as order.days_late=4")?;
    let name: FactName = name.parse()?;
    let type_ = policy.type_of(&name).with_context(|| format!("the policy knows no fact {name}"))?;
    let value = match type_ {
        FactType::Bool => {
            value.parse().map(FactValue::Bool).with_context(|| format!("{name} is true or false"))?
        }
        FactType::Int => {
            value.parse().map(FactValue::Int).with_context(|| format!("{name} is a whole number"))?
        }
        FactType::Text => FactValue::Text(value.to_owned()),
    };
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_file::{DEMO, FILE_NAME};

    #[test]
    fn the_demo_policy_has_no_faults() {
        let policy = read(FILE_NAME, DEMO).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(policy.cards.len() >= 8);
        assert_eq!(policy.undo_ms, 10_000);
        let tyres = policy.cards.iter().find(|card| card.id.as_str() == "never_sold").unwrap();
        assert_eq!(tyres.up_to[0].cents.values().next(), Some(&75_000));
    }

    /// The demo policy with the card that stands in it as an example.
    fn with_its_example() -> String {
        let lines = DEMO.lines().skip_while(|line| *line != "#   [[card]]");
        let card: Vec<&str> = lines.map_while(|line| line.strip_prefix('#')).collect();
        format!("{DEMO}\n{}\n", card.join("\n"))
    }

    #[test]
    fn the_card_for_who_was_unhappy_last_time_has_no_faults() {
        let policy = read(FILE_NAME, &with_its_example()).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let card = policy.cards.last().unwrap();
        assert_eq!((card.id.as_str(), card.examples.len()), ("unhappy_last_time", 1));
        test(&policy).unwrap();
    }

    #[test]
    fn a_misspelt_score_is_told_with_its_line_and_the_right_word() {
        let text = with_its_example()
            .replace("\n   when = [\"customer.satisfaction", "\nwhen = [\"customer.satisfation");
        let faults = read(FILE_NAME, &text).unwrap_err();
        let line = text.lines().position(|line| line.contains("satisfation")).unwrap() + 1;
        let told =
            faults.iter().find(|fault| fault.line == Some(line)).unwrap_or_else(|| panic!("{faults:?}"));
        assert!(told.found.contains("customer.satisfaction"), "{told}");
    }

    #[test]
    fn a_fault_of_meaning_has_its_line() {
        let text = DEMO.replace("customer.failures_90d >= 2\"", "customer.failures_90 >= 2\"");
        let faults = read(FILE_NAME, &text).unwrap_err();
        let line = text.lines().position(|line| line.contains("failures_90 >=")).unwrap() + 1;
        assert!(faults.iter().any(|fault| fault.line == Some(line)), "{faults:?}");
    }

    #[test]
    fn what_the_desk_shows_of_the_demo_policy_has_no_faults_either() {
        let policy = read(FILE_NAME, DEMO).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let shown = read(FILE_NAME, &policy_file::write(&policy));
        assert_eq!(shown.unwrap_or_else(|faults| panic!("{faults:#?}")), policy);
    }
}
