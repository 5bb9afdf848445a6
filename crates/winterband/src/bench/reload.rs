//! A policy replaced as a whole while desks ask: how long until answers go by the new one, and what the askers feel of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bus::{Bus, Deadline};
use bytes::Bytes;
use protocol::Hash128;
use protocol::policy::Policy;
use protocol::till::TillAnswer;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::empowerment::{DEADLINE, compile, publish_policy};
use super::figures::Latency;
use crate::boot;
use crate::roles::Shared;

/// How often the policy is replaced.
const RELOADS: usize = 20;
/// Who asks meanwhile, each one question after another.
const ASKERS: usize = 4;

/// What replacing the policy costs.
#[derive(Debug, Serialize)]
pub(super) struct Reload {
    reloads: usize,
    /// From sending the policy to its being stored, routed, checked, compiled and recorded, and the first answer by it; milliseconds.
    in_force_ms: Median,
    /// The questions answered meanwhile, by the old policy or the new, never by none.
    answered_meanwhile: usize,
    /// How long those took.
    meanwhile_us: Latency,
}

#[derive(Debug, Serialize)]
struct Median {
    median: f64,
    max: f64,
}

/// An answer: when it was asked for, when it came, and by which policy.
struct Answered {
    asked: Instant,
    came: Instant,
    policy: Hash128,
}

pub(super) fn compile_ms(policy: &Policy) -> Result<f64> {
    let mut took = Vec::with_capacity(RELOADS);
    for _ in 0..RELOADS {
        let start = Instant::now();
        std::hint::black_box(compile(policy)?);
        took.push(start.elapsed());
    }
    Ok(Latency::of(took).context("no reloads")?.p50 / 1e3)
}

pub(super) async fn measure(
    shared: &Shared,
    asker: &Bus,
    policy: &Policy,
    question: &Bytes,
) -> Result<Reload> {
    let till = boot::subjects(&shared.kit.settings)?.till();
    let (stop, stopped) = watch::channel(false);
    let (in_force, mut newest) = watch::channel(None::<Hash128>);
    let mut asking = JoinSet::new();
    for _ in 0..ASKERS {
        let (bus, till, question) = (asker.clone(), till.clone(), question.clone());
        let (stopped, in_force) = (stopped.clone(), in_force.clone());
        asking.spawn(async move {
            let mut answers = Vec::new();
            while !*stopped.borrow() {
                let asked = Instant::now();
                let answer = bus.request(&till, question.clone(), Deadline::after(DEADLINE)).await?;
                let came = Instant::now();
                let TillAnswer::Till(till) = serde_json::from_slice(&answer)? else {
                    bail!("a question was answered without a till while the policy was replaced");
                };
                in_force.send_if_modified(|known| {
                    let is_new = *known != Some(till.policy);
                    *known = Some(till.policy);
                    is_new
                });
                answers.push(Answered { asked, came, policy: till.policy });
            }
            anyhow::Ok(answers)
        });
    }
    let mut sent = Vec::with_capacity(RELOADS);
    for n in 0..RELOADS {
        let next = Policy { stands_behind: format!("{} {n}", policy.stands_behind), ..policy.clone() };
        let start = Instant::now();
        let hash = publish_policy(shared, &format!("bench-policy-{n}"), next).await?;
        tokio::time::timeout(DEADLINE, newest.wait_for(|known| *known == Some(hash)))
            .await
            .context("no answer went by the new policy")??;
        sent.push((start, hash));
    }
    stop.send(true).ok();
    let mut answers = Vec::new();
    while let Some(asked) = asking.join_next().await {
        answers.extend(asked??);
    }
    figures(&sent, &answers)
}

fn figures(sent: &[(Instant, Hash128)], answers: &[Answered]) -> Result<Reload> {
    let mut in_force = Vec::with_capacity(sent.len());
    let mut meanwhile = Vec::new();
    for (start, hash) in sent {
        let by_it = answers.iter().filter(|answer| answer.policy == *hash).map(|answer| answer.came).min();
        let since = by_it.context("no answer went by the new policy")?;
        in_force.push(since.duration_since(*start));
        let under_way = answers.iter().filter(|answer| answer.came >= *start && answer.asked <= since);
        meanwhile.extend(under_way.map(|answer| answer.came.duration_since(answer.asked)));
    }
    let max = in_force.iter().max().map_or(0.0, Duration::as_secs_f64) * 1e3;
    let median = Latency::of(in_force).context("no reloads")?.p50 / 1e3;
    let answered_meanwhile = meanwhile.len();
    let meanwhile_us = Latency::of(meanwhile).context("nobody asked while the policy was replaced")?;
    Ok(Reload { reloads: sent.len(), in_force_ms: Median { median, max }, answered_meanwhile, meanwhile_us })
}
