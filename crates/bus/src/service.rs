//! Services that others find by name: `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` answer for them, as the server's own tools ask.
//!
//! A service is found only while it is held: dropping it takes it off the bus.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::service::endpoint::Endpoint as ClientEndpoint;
use async_nats::service::error::Error as ServiceError;
use async_nats::service::{Info, Request as ClientRequest, Service as ClientService, ServiceExt as _};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use protocol::{Subject, SubjectToken};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::connection::{Bus, BusError};
use crate::deadline::Deadline;
use crate::ephemeral::is_inbox;

/// What a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name; processes of the same name share the questions.
    pub name: SubjectToken,
    /// Its version, three numbers as in `0.1.0`.
    pub version: String,
    /// One sentence about it.
    pub description: String,
}

/// A service that is being offered. Dropping it ends it and closes its endpoints.
pub struct Service {
    running: Option<ClientService>,
    bus: Bus,
}

/// Where a service is asked. Questions that come while nobody reads wait, up to the connection's limit.
pub struct Endpoint(ClientEndpoint);

/// One question to a service.
pub struct ServiceRequest {
    /// Its bytes.
    pub payload: Bytes,
    request: ClientRequest,
}

/// A running service that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundService {
    /// The one process of it.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its endpoints by name, with their subjects.
    pub endpoints: Vec<(String, String)>,
}

impl Bus {
    /// Offers a service; it has no endpoint yet.
    ///
    /// # Errors
    /// [`BusError::Send`] if the version is malformed or the bus is away; fate: retry.
    pub async fn offer_service(&self, spec: &ServiceSpec) -> Result<Service, BusError> {
        let builder = self.client.service_builder().description(&spec.description);
        let running = builder.start(&spec.name, &spec.version).await.map_err(|error| send(&*error))?;
        Ok(Service { running: Some(running), bus: self.clone() })
    }

    /// The running processes of a service, as many as answer within `wait`.
    ///
    /// # Errors
    /// [`BusError::Send`] if the bus is away; fate: retry.
    pub async fn find_service(
        &self,
        name: &SubjectToken,
        wait: Duration,
    ) -> Result<Vec<FoundService>, BusError> {
        let deadline = Deadline::after(wait);
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(|error| send(&error))?;
        let question = format!("$SRV.INFO.{name}");
        let asked = self.client.publish_with_reply(question, inbox, Bytes::new()).await;
        asked.map_err(|error| send(&error))?;
        let mut found = Vec::new();
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline.tokio(), answers.next()).await {
            // Nobody there answers with a status and no body; whoever else answers there is no service.
            let Ok(info) = serde_json::from_slice::<Info>(&answer.payload) else { continue };
            let endpoints = info.endpoints.into_iter().map(|endpoint| (endpoint.name, endpoint.subject));
            found.push(FoundService {
                id: info.id,
                version: info.version,
                endpoints: endpoints.collect::<HashMap<_, _>>().into_iter().collect(),
            });
        }
        for service in &mut found {
            service.endpoints.sort();
        }
        Ok(found)
    }
}

impl Service {
    /// Opens an endpoint. The server knows of it when this returns.
    ///
    /// # Errors
    /// [`BusError::Send`] if the bus is away; fate: retry.
    pub async fn endpoint(&self, name: &SubjectToken, subject: &Subject) -> Result<Endpoint, BusError> {
        let Some(running) = &self.running else { return Err(BusError::Send("the service has ended".into())) };
        let opened = running.endpoint_builder().name(name).add(subject.as_str()).await;
        let endpoint = opened.map_err(|error| send(&*error))?;
        self.bus.check().await?;
        Ok(Endpoint(endpoint))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Nothing in it waits, so one look is all it needs; without it the service would be found for ever.
            drop(running.stop().now_or_never());
        }
    }
}

impl Endpoint {
    /// The next question; `None` when the service has ended or the connection was drained.
    pub async fn next(&mut self) -> Option<ServiceRequest> {
        let request = self.0.next().await?;
        Some(ServiceRequest { payload: request.message.payload.clone(), request })
    }

    /// Answers each question in a task of its own, so many `at_once`; more wait. Ends where [`Endpoint::next`] does, and what
    /// is being answered then ends with it.
    pub async fn answer_each<F, A>(mut self, at_once: usize, answer: F)
    where
        F: Fn(ServiceRequest) -> A,
        A: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(at_once));
        let mut tasks = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Some(request) = self.next().await else { return };
            let answering = answer(request);
            tasks.spawn(async move {
                answering.await;
                drop(place);
            });
            while tasks.try_join_next().is_some() {}
        }
    }
}

impl ServiceRequest {
    /// Answers in an inbox of ours; a question that wants its answer elsewhere gets none.
    ///
    /// # Errors
    /// [`BusError::Send`] if nobody wants the answer or the connection takes nothing; the asker then runs into its deadline.
    pub async fn respond(self, answer: Bytes) -> Result<(), BusError> {
        if self.is_wanted_elsewhere() {
            return Ok(());
        }
        self.request.respond(Ok(answer)).await.map_err(|error| send(&error))
    }

    /// Answers that the question cannot be answered: a status as HTTP has them, and why, without personal data. It is counted.
    ///
    /// # Errors
    /// As [`ServiceRequest::respond`].
    pub async fn refuse(self, status: u16, reason: &str) -> Result<(), BusError> {
        if self.is_wanted_elsewhere() {
            return Ok(());
        }
        let refusal = ServiceError { status: reason.to_owned(), code: usize::from(status) };
        self.request.respond(Err(refusal)).await.map_err(|error| send(&error))
    }

    fn is_wanted_elsewhere(&self) -> bool {
        let elsewhere = self.request.message.reply.as_deref().is_some_and(|reply| !is_inbox(reply));
        if elsewhere {
            tracing::debug!("an answer that was wanted elsewhere than in an inbox is none");
        }
        elsewhere
    }
}

fn send(error: &(dyn std::error::Error + 'static)) -> BusError {
    BusError::Send(error.to_string())
}
