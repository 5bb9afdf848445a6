//! Facts pushed over the bus, by systems that speak NATS anyhow: the same bytes as over HTTP, with the same fate.

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Endpoint, Service, ServiceRequest, ServiceSpec};
use protocol::SubjectToken;
use service::http::read_json;
use service::{HealthHandle, Problem};
use tokio_util::sync::CancellationToken;

use crate::{Api, BEAT_EVERY, Shared, empowerment, problems};

/// Pushes being stored at once; more wait.
const STORED_AT_ONCE_MAX: usize = 64;

/// Offers the service `integrations` until the process drains.
///
/// # Errors
/// When the bus is away.
pub(crate) async fn serve(api: &Shared) -> anyhow::Result<()> {
    let spec = ServiceSpec {
        name: SubjectToken::new("integrations")?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "Takes what other systems know.".to_owned(),
    };
    let service = api.bus.offer_service(&spec).await.context("failed to offer the service")?;
    let facts = SubjectToken::new("facts")?;
    let facts =
        service.endpoint(&facts, &api.subjects.push_facts()).await.context("failed to open the endpoint")?;
    let health = api.kit.health.register("api pushes");
    health.beat();
    let token = api.kit.drain.token();
    api.kit.drain.spawn("api pushes", run(Arc::clone(api), service, facts, health, token));
    Ok(())
}

async fn run(
    api: Shared,
    _service: Service,
    facts: Endpoint,
    health: HealthHandle,
    ended: CancellationToken,
) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(BEAT_EVERY);
    let answering = facts.answer_each(STORED_AT_ONCE_MAX, |request| answer(Arc::clone(&api), request));
    tokio::pin!(answering);
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            _ = beat.tick() => health.beat(),
            () = &mut answering => anyhow::bail!("the connection takes no pushes any more"),
        }
    }
    health.retire();
    Ok(())
}

async fn answer(api: Shared, request: ServiceRequest) {
    let sent = match take(&api, &request.payload).await {
        Ok(taken) => request.respond(taken.into()).await,
        Err(problem) => request.refuse(problem.status.as_u16(), &reason(&problem)).await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "whoever pushed facts was not answered");
    }
}

async fn take(api: &Api, payload: &[u8]) -> Result<Vec<u8>, Problem> {
    let limit = api.kit.settings.limits.body_max_bytes;
    if payload.len() > limit {
        return Err(problems::too_large(limit));
    }
    let taken = empowerment::take_facts(api, read_json(payload)?).await?;
    crate::publish::json(&taken)
}

/// One line, as a header has to be. The service's public figures show it too, so the parser's words, which may be the sender's
/// own, are left out.
fn reason(problem: &Problem) -> String {
    let line = match (problem.extra.get("line"), problem.extra.get("column")) {
        (Some(line), Some(column)) => format!("{}: {} at {line}:{column}", problem.code, problem.title),
        _ => format!("{}: {}: {}", problem.code, problem.title, problem.detail),
    };
    line.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_without_the_senders_words() {
        let malformed = read_json::<empowerment::NewFacts>(b"{\n\"secret words\":1}").map(drop).unwrap_err();
        let said = reason(&malformed);
        assert!(said.starts_with("invalid_body: ") && said.contains(" at 2:"), "{said}");
        assert!(!said.contains("secret"), "{said}");
        assert!(reason(&problems::too_large(9)).contains("at most 9 bytes"));
    }
}
