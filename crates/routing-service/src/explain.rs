//! Why a contact is where it is: asked of who leads, answered from the state that decides.

use anyhow::{Context as _, Result};
use bus::{Service, ServiceRequest, ServiceSpec};
use protocol::views::WhyQuestion;
use protocol::{ContactId, SubjectToken};
use routing_core::Explanation;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::Role;
use crate::decisions::Decisions;

/// Questions that may wait for the leader's loop; each looks at every agent and every contact of a queue.
const WAITING_MAX: usize = 16;

/// A question that only the state can answer.
pub(crate) struct Question {
    pub(crate) contact: ContactId,
    pub(crate) answer: oneshot::Sender<Explanation>,
}

/// The service as long as this process leads. Dropping it takes it off the bus.
pub(crate) struct Questions {
    asked: mpsc::Receiver<Question>,
    answering: [JoinHandle<()>; 2],
    decisions: Decisions,
    _service: Service,
}

impl Questions {
    /// Offers the service `routing` with its endpoints `explain` and `decisions`.
    ///
    /// # Errors
    /// When the bus is away; the leader steps down then.
    pub(crate) async fn serve(role: &Role) -> Result<Self> {
        let spec = ServiceSpec {
            name: SubjectToken::new("routing")?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Who is offered what, and why.".to_owned(),
        };
        let service = role.bus.offer_service(&spec).await.context("offer the service")?;
        let endpoint = service.endpoint(&SubjectToken::new("explain")?, &role.subjects.explain()).await?;
        let (sender, asked) = mpsc::channel(WAITING_MAX);
        let answering =
            tokio::spawn(endpoint.answer_each(WAITING_MAX, move |request| answer(sender.clone(), request)));
        let endpoint = service.endpoint(&SubjectToken::new("decisions")?, &role.subjects.decisions()).await?;
        let decisions = Decisions::new(role.bus.clone(), role.snapshots.clone());
        let of_the_past = decisions.clone();
        let past = endpoint.answer_each(WAITING_MAX, move |request| of_the_past.clone().answer(request));
        let answering = [answering, tokio::spawn(past)];
        Ok(Self { asked, answering, decisions, _service: service })
    }

    /// The next question for the state.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        self.asked.recv().await
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        self.answering.iter().for_each(JoinHandle::abort);
        self.decisions.stop();
    }
}

async fn answer(to: mpsc::Sender<Question>, request: ServiceRequest) {
    let Ok(WhyQuestion { contact }) = serde_json::from_slice(&request.payload) else {
        return sent(request.refuse(400, "not a question").await);
    };
    let (answer, answered) = oneshot::channel();
    // Who leads no more answers nobody: whoever asked runs into their deadline and asks again.
    if to.send(Question { contact, answer }).await.is_err() {
        return;
    }
    let Ok(explanation) = answered.await else { return };
    match serde_json::to_vec(&explanation) {
        Ok(bytes) => sent(request.respond(bytes.into()).await),
        Err(error) => tracing::error!(%error, "an explanation does not write"),
    }
}

pub(crate) fn sent(outcome: Result<(), bus::BusError>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "an answer was not sent");
    }
}
