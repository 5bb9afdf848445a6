//! The routes of this API for who supervises, by way of the desk's gateway: over the bus, in an agent's name.
//!
//! The gateway says who somebody is, since it has their session. What they may is looked up here, in the configuration in force. The
//! request then goes through the same table of routes as every other, so that there is one way in which anything is changed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bus::{Request, Requests};
use protocol::admin::{AdminAnswer, AdminRequest};
use protocol::{AgentId, SubjectToken};
use service::http::read_json;
use service::{HealthHandle, Problem};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::door::Caller;
use crate::{BEAT_EVERY, NAME, Shared, problems};

/// The group of processes that share the requests.
const GROUP: &str = "admin";
/// Requests that are carried out at once; more wait.
const AT_ONCE_MAX: usize = 8;
/// Largest answer, bytes: what the bus takes.
const ANSWER_BYTES_MAX: usize = 7 * 1024 * 1024;
/// How long a process that ends waits for what is being carried out.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Answers until the process drains.
///
/// # Errors
/// When the bus is away; the process does not start then.
pub(crate) async fn start(api: &Shared, router: Router) -> anyhow::Result<()> {
    let asked = api.bus.serve(&api.subjects.admin(), &SubjectToken::new(GROUP)?).await;
    let asked = asked.context("failed to hear who supervises")?;
    let health = api.kit.health.register("api admin");
    health.beat();
    let end = api.kit.drain.token();
    api.kit.drain.spawn("api admin", run(Arc::clone(api), router, asked, health, end));
    Ok(())
}

async fn run(
    api: Shared,
    router: Router,
    mut asked: Requests,
    health: HealthHandle,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(AT_ONCE_MAX)));
    let mut beat = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            _ = beat.tick() => health.beat(),
            request = asked.next() => {
                let request = request.context("failed to hear who supervises: the connection is closed")?;
                let (api, router, places) = (Arc::clone(&api), router.clone(), Arc::clone(&places));
                tasks.spawn(async move {
                    let Ok(_place) = places.acquire().await else { return };
                    answer(&api, router, request).await;
                });
            }
        }
    }
    health.retire();
    tasks.close();
    if tokio::time::timeout(END_WITHIN, tasks.wait()).await.is_err() {
        tracing::warn!("a request of who supervises was still being carried out at the end");
    }
    Ok(())
}

async fn answer(api: &Shared, router: Router, request: Request) {
    let answer = match carried_out(api, router, &request.payload).await {
        Ok(answer) => answer,
        Err(problem) => {
            api.kit.metrics.refused_total.inc([NAME, problem.code]);
            AdminAnswer { status: problem.status.as_u16(), body: Some(problem.body().into()) }
        }
    };
    match serde_json::to_vec(&answer) {
        Ok(bytes) => {
            if let Err(error) = request.respond(bytes.into()).await {
                tracing::warn!(%error, "who supervises was not answered");
            }
        }
        Err(error) => tracing::error!(%error, "an answer to who supervises cannot be written"),
    }
}

async fn carried_out(api: &Shared, router: Router, payload: &[u8]) -> Result<AdminAnswer, Problem> {
    let AdminRequest { agent, method, path, body } = read_json(payload)?;
    let caller = caller(api, agent)?;
    let body = body.map_or_else(|| Ok(Vec::new()), |body| crate::publish::json(&body))?;
    let request = HttpRequest::builder().method(method.as_str()).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    let mut request = request.map_err(|_| problems::path_malformed())?;
    request.extensions_mut().insert(caller);
    let Ok(response) = router.oneshot(request).await;
    read(response).await
}

/// Who supervises, as the configuration in force has them.
fn caller(api: &Shared, agent: AgentId) -> Result<Caller, Problem> {
    let in_force = api.floor.in_force().ok_or_else(problems::starting)?;
    let found = in_force.config.agents.iter().find(|one| one.id == agent);
    found.and_then(Caller::of_agent).ok_or_else(|| {
        let detail = "ask somebody who supervises, or have this role given to you";
        Problem::new(StatusCode::FORBIDDEN, "role_too_low", "only who supervises may do this", detail)
    })
}

async fn read(response: Response) -> Result<AdminAnswer, Problem> {
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(|error| {
        tracing::error!(%error, "an answer to who supervises is too large");
        Problem::internal()
    })?;
    let body = if bytes.is_empty() { None } else { Some(&bytes) };
    let body = body.map(|bytes| serde_json::from_slice(bytes)).transpose().map_err(|error| {
        tracing::error!(%error, "an answer to who supervises is no JSON");
        Problem::internal()
    })?;
    Ok(AdminAnswer { status, body })
}
