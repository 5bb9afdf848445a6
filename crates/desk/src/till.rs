//! "What can I do for you?": a desk's question to the empowerment worker. It is answered in time whatever happens there.

use std::sync::Arc;
use std::time::Duration;

use bus::Deadline;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use protocol::desk::ToDesk;
use protocol::remedies::RemedyRefusal;
use protocol::remedy::Claim;
use protocol::till::{TillAnswer, TillQuestion};
use protocol::{AgentId, ContactId, Currency};
use tokio::sync::mpsc;

use crate::frames::{Fault, bad_claim};
use crate::line::Outbox;
use crate::{Gateway, render};

/// How long the worker has to answer, from when the question was read: a desk has its answer within 500 ms.
pub(crate) const TILL_WAIT: Duration = Duration::from_millis(450);
/// Most questions of one desk at once, and as many that wait for their turn.
pub(crate) const QUESTIONS_MAX: usize = 8;

/// A question that a desk asked.
#[derive(Debug)]
pub(crate) struct Question {
    contact: ContactId,
    claim: Claim,
    currency: Option<Currency>,
    until: Deadline,
}

impl Question {
    /// It was read now.
    pub(crate) fn new(contact: ContactId, claim: Claim, currency: Option<Currency>) -> Self {
        Self { contact, claim, currency, until: Deadline::after(TILL_WAIT) }
    }
}

/// Asks for one desk: beside its commands, which do not wait for it, and answers in the order of the questions.
pub(crate) struct Asker {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) agent: AgentId,
    pub(crate) out: Outbox,
}

impl Asker {
    /// Runs until the desk is gone; nobody is left then to tell.
    pub(crate) async fn run(self, mut questions: mpsc::Receiver<Question>) {
        let mut asked = FuturesOrdered::new();
        loop {
            tokio::select! {
                question = questions.recv(), if asked.len() < QUESTIONS_MAX => match question {
                    Some(question) => asked.push_back(self.ask(question)),
                    None => break,
                },
                Some(frame) = asked.next(), if !asked.is_empty() => self.out.send(render::frame(&frame)),
            }
        }
    }

    async fn ask(&self, question: Question) -> ToDesk {
        let Question { contact, claim, currency, until } = question;
        let refused = |refusal: RemedyRefusal| {
            let answer = Box::new(TillAnswer::Refused { refusal });
            ToDesk::Till { contact, answer }
        };
        if let Some(refusal) = bad_claim(&claim) {
            return refused(refusal);
        }
        let context = match self.gateway.hub.standing(self.agent, contact) {
            Ok(context) => context,
            Err(refusal) => return refused(refusal),
        };
        let question = TillQuestion { agent: self.agent, context, claim, currency };
        match self.put(&question, until).await {
            Ok(answer) => ToDesk::Till { contact, answer: Box::new(answer) },
            Err(reason) => {
                tracing::debug!(reason, "the worker said nothing of what can be given");
                self.silent()
            }
        }
    }

    async fn put(&self, question: &TillQuestion, until: Deadline) -> Result<TillAnswer, String> {
        let gateway = &self.gateway;
        let bytes = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let subject = gateway.subjects.till();
        let asked = gateway.bus.request(&subject, bytes.into(), until);
        // The client library waits without a deadline while too much waits to be sent.
        let answer = tokio::time::timeout(until.left(), asked).await.map_err(|_| "no answer in time")?;
        let answer = answer.map_err(|error| error.to_string())?;
        serde_json::from_slice(&answer)
            .inspect_err(|error| tracing::warn!(%error, "the worker's answer does not read"))
            .map_err(|error| error.to_string())
    }

    fn silent(&self) -> ToDesk {
        let words = "what can be given here cannot be shown now. Write, give and ask as ever: it is kept, and answered as \
                     soon as it can be. Look again in a moment";
        let fault = Fault::new("till_silent", words);
        self.gateway.kit.metrics.refused_total.inc(["desk", fault.code]);
        fault.frame()
    }
}
