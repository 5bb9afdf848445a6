//! `bench empowerment`: what a question to the till costs, beside a bare round trip on the same bus in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bus::{Bus, Deadline, SupervisedServer};
use bytes::Bytes;
use empowerment_core::rules::{CompiledPolicy, SignalEffect, explain};
use protocol::config::{Account, Agent, Queue, RoutingConfig};
use protocol::feedback::Scores;
use protocol::input::{ConfigInput, WIRE_VERSION};
use protocol::policy::{Answer, Card, Policy, PolicyInput};
use protocol::remedy::{Claim, ContactContext, Effort, EmpowermentInput};
use protocol::till::{TillAnswer, TillQuestion};
use protocol::{
    AgentId, ChannelKind, ContactId, ConversationId, Hash128, IdentityId, Input, InputBody, Millis, NoticeId,
    SubjectToken,
};
use serde::Serialize;
use service::Kit;

use super::figures::Latency;
use super::reload::{self, Reload};
use crate::boot;
use crate::roles::{self, Role, Shared};
use crate::rules;

/// Cards of the policy that is measured.
const CARDS: usize = 50;
/// The queue's and the account's times do not matter here.
const ANY_MS: u64 = 30_000;
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    cards: usize,
    samples: usize,
    /// Request and answer on the bare bus, with the till's bytes both ways.
    raw_round_trip_us: Latency,
    /// Every card judged and explained, every kind answered, in this process.
    decide_us: Latency,
    /// The question and its answer over the bus, through the worker.
    till_us: Latency,
    /// To check and compile the policy whole, with its examples, in this process; milliseconds, median.
    compile_ms: f64,
    /// The policy replaced as a whole while questions are under way.
    reload: Reload,
    /// The aim is a p99 of at most 2.
    ratio: Ratio,
}

#[derive(Debug, Serialize)]
struct Ratio {
    decide_p99: f64,
    till_p50: f64,
    till_p99: f64,
}

/// Runs it on a server of its own; `samples` of each.
pub(super) async fn run(kit: &Kit, server: &SupervisedServer, samples: usize) -> Result<String> {
    let shared = boot::shared(kit.clone(), &server.settings().named("bench-product")).await?;
    let policy = policy()?;
    let agent = AgentId(uuid::Uuid::now_v7());
    publish_floor(&shared, agent).await?;
    // A fault is told here, before anything runs.
    let compiled = compile(&policy)?;
    publish_policy(&shared, "bench-policy", policy.clone()).await?;
    let running = roles::start(&shared, &[Role::Routing, Role::Empowerment]).await?;
    let question: Bytes = serde_json::to_vec(&question(agent))?.into();
    let answer = first_answer(&shared, &question).await?;
    let asker = Bus::connect(&server.settings().named("bench-asker")).await?;
    let echo = Bus::connect(&server.settings().named("bench-echo")).await?;
    let raw_round_trip_us = round_trips(&asker, &echo, &shared, &question, answer, samples).await?;
    let till = boot::subjects(&kit.settings)?.till();
    let till_us = ask(&asker, &till, &question, samples).await?;
    let decide_us = decide(&compiled, samples)?;
    let compile_ms = reload::compile_ms(&policy)?;
    let reload = reload::measure(&shared, &asker, &policy, &question).await?;
    running.drain().await;
    let ratio = Ratio {
        decide_p99: decide_us.p99 / raw_round_trip_us.p99,
        till_p50: till_us.p50 / raw_round_trip_us.p50,
        till_p99: till_us.p99 / raw_round_trip_us.p99,
    };
    let cards = policy.cards.len();
    let figures =
        Figures { cards, samples, raw_round_trip_us, decide_us, till_us, compile_ms, reload, ratio };
    Ok(serde_json::to_string_pretty(&figures)?)
}

/// The demo policy with as many cards as are wanted: those of its own that say yes, again and again before them, each for a case
/// of its own and with limits so wide that the demo's answers and examples stay as they are.
fn policy() -> Result<Policy> {
    let (_, mut policy) = rules::load(None)?;
    let own: Vec<Card> = policy.cards.iter().filter(|card| card.answer == Answer::Yes).cloned().collect();
    let more = CARDS.saturating_sub(policy.cards.len());
    let mut cards = Vec::with_capacity(CARDS);
    for (n, card) in own.iter().cycle().take(more).enumerate() {
        let id = SubjectToken::new(&format!("{}_{n}", card.id))?;
        let when = vec!["claim.has_order".to_owned(), format!("order.days_late == {n}")];
        let mut up_to = card.up_to.clone();
        for cents in up_to.iter_mut().flat_map(|limit| limit.cents.values_mut()) {
            *cents = cents.saturating_mul(100);
        }
        cards.push(Card { id, when, up_to, examples: Vec::new(), ..card.clone() });
    }
    cards.append(&mut policy.cards);
    policy.cards = cards;
    Ok(policy)
}

pub(super) fn compile(policy: &Policy) -> Result<CompiledPolicy> {
    CompiledPolicy::compile(policy.clone()).map_err(|faults| {
        let first = faults.first().map(|fault| format!("{}: {}", fault.path, fault.message));
        anyhow::anyhow!("the bench's policy is faulty: {}", first.unwrap_or_default())
    })
}

async fn publish_floor(shared: &Shared, agent: AgentId) -> Result<()> {
    let name = SubjectToken::new("bench")?;
    let queue = Queue { title: "Bench".to_owned(), offer_ms: ANY_MS, ..Queue::new(name.clone()) };
    let account = Account {
        channel: ChannelKind::Api,
        name: name.clone(),
        title: "Bench".to_owned(),
        queue: name.clone(),
        priority: 0,
        practice: false,
    };
    let agent = Agent {
        title: "Bench".to_owned(),
        queues: [name.clone()].into(),
        capacity: [(ChannelKind::Api, 1)].into(),
        ..Agent::new(agent, name)
    };
    let config = RoutingConfig {
        queues: vec![queue],
        agents: vec![agent],
        accounts: vec![account],
        ..RoutingConfig::default()
    };
    let hash = shared.hasher.content(&serde_json::to_vec(&config)?);
    let body = InputBody::Config(ConfigInput {
        replaces: None,
        id: NoticeId(uuid::Uuid::now_v7()),
        hash,
        config: Box::new(config),
    });
    publish(shared, &boot::subjects(&shared.kit.settings)?.inbound_config(), "bench-config", body).await
}

/// Gives the hash by which its answers are known.
pub(super) async fn publish_policy(shared: &Shared, id: &str, policy: Policy) -> Result<Hash128> {
    let hash = shared.hasher.content(&serde_json::to_vec(&policy)?);
    let input = PolicyInput { id: NoticeId(uuid::Uuid::now_v7()), hash, policy, replaces: None };
    let body = InputBody::Empowerment(EmpowermentInput::Policy(Box::new(input)));
    publish(shared, &boot::subjects(&shared.kit.settings)?.inbound_empowerment(), id, body).await?;
    Ok(hash)
}

async fn publish(shared: &Shared, to: &protocol::Subject, id: &str, body: InputBody) -> Result<()> {
    let made_at = Millis(shared.kit.clock.unix_ms());
    let payload = serde_json::to_vec(&Input { v: WIRE_VERSION, made_at, body })?.into();
    shared.bus.publish_durable(to, id, payload, Deadline::after(DEADLINE)).await?;
    Ok(())
}

fn claim() -> Result<Claim> {
    Ok(Claim { reason: Some(SubjectToken::new("not_ours")?), ..Claim::default() })
}

fn question(agent: AgentId) -> TillQuestion {
    TillQuestion {
        agent,
        context: ContactContext {
            contact: ContactId { log_seq: 1, n: 0 },
            conversation: ConversationId { log_seq: 1, n: 1 },
            identity: IdentityId(Hash128([7; 16])),
            channel: ChannelKind::Api,
            queue: bench_name(),
            holder: Some(agent),
            team: None,
            language: None,
            effort: Effort::default(),
            scores: Scores::default(),
            practice: false,
        },
        claim: claim().unwrap_or_default(),
        currency: None,
    }
}

#[expect(clippy::expect_used, reason = "a constant name is a token")]
fn bench_name() -> SubjectToken {
    SubjectToken::new("bench").expect("a token")
}

/// Waits until the worker leads and the policy is in force.
async fn first_answer(shared: &Shared, question: &Bytes) -> Result<Bytes> {
    let subject = boot::subjects(&shared.kit.settings)?.till();
    let until = Instant::now() + DEADLINE;
    loop {
        let asked = shared.bus.request(&subject, question.clone(), Deadline::after(DEADLINE)).await;
        if let Ok(answer) = asked
            && let TillAnswer::Till(till) = serde_json::from_slice(&answer)?
        {
            tracing::debug!(offers = till.offers.len(), "the till answers");
            return Ok(answer);
        }
        if Instant::now() > until {
            bail!("the worker gave no till within {DEADLINE:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Somebody who answers at once with as many bytes as the till does.
async fn round_trips(
    asker: &Bus,
    echo: &Bus,
    shared: &Shared,
    question: &Bytes,
    answer: Bytes,
    samples: usize,
) -> Result<Latency> {
    let subject = boot::subjects(&shared.kit.settings)?.bench();
    let mut requests = echo.serve(&subject, &bench_name()).await?;
    let answering = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            if request.respond(answer.clone()).await.is_err() {
                return;
            }
        }
    });
    let took = ask(asker, &subject, question, samples).await;
    answering.abort();
    took
}

/// One question after another.
async fn ask(asker: &Bus, subject: &protocol::Subject, question: &Bytes, samples: usize) -> Result<Latency> {
    let mut took = Vec::with_capacity(samples);
    for _ in 0..samples {
        let start = Instant::now();
        asker.request(subject, question.clone(), Deadline::after(DEADLINE)).await?;
        took.push(start.elapsed());
    }
    Latency::of(took).context("no samples")
}

fn decide_once(compiled: &CompiledPolicy, claim: &Claim) -> Result<usize> {
    let case = compiled.case(claim.clone(), [].into());
    let currency = *compiled.policy().currencies.first().context("a policy has a currency")?;
    let explained = explain(compiled, &case, currency, &|_| 0, SignalEffect::default());
    Ok(explained.rulings.len())
}

fn decide(compiled: &CompiledPolicy, samples: usize) -> Result<Latency> {
    let claim = claim()?;
    let mut took = Vec::with_capacity(samples);
    for _ in 0..samples {
        let start = Instant::now();
        std::hint::black_box(decide_once(compiled, &claim)?);
        took.push(start.elapsed());
    }
    Latency::of(took).context("no samples")
}
