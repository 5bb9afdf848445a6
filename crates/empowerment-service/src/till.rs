//! The service that desks ask what they can give now. It is answered within half a second, whatever other systems do.

use anyhow::Result;
use bus::{Service, ServiceRequest, ServiceSpec};
use protocol::limits::POLICY_BYTES_MAX;
use protocol::policy::{Policy, PolicyFault};
use protocol::till::{PolicyChecked, TillAnswer, TillQuestion, Wallets, WalletsQuestion};
use protocol::{Subject, SubjectToken};
use serde::Serialize;
use service::Metrics;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Role;
use crate::facts::{Asker, Want};
use crate::leader::Said;

/// Longest question of a desk, bytes.
const QUESTION_BYTES_MAX: usize = 64 * 1024;
/// Questions of one kind that are being answered at once; more wait.
const ANSWERED_MAX: usize = 256;
/// Policies that are being checked at once: each takes a processor.
const CHECKED_MAX: usize = 1;
/// Questions that may wait for the leader's loop.
const WAITING_MAX: usize = 256;

/// A question that only the state can answer.
pub(crate) enum Question {
    Till {
        question: Box<TillQuestion>,
        /// Whether other systems may still be asked first.
        may_ask: bool,
        answer: oneshot::Sender<TillStep>,
    },
    Wallets {
        question: WalletsQuestion,
        answer: oneshot::Sender<Wallets>,
    },
}

/// An answer, or who has to be asked before.
pub(crate) enum TillStep {
    Answer(Box<TillAnswer>),
    Wants(Vec<Want>),
}

/// The service as long as this process leads. Dropping it takes it off the bus.
pub(crate) struct Desks {
    asker: Asker,
    questions: mpsc::Receiver<Question>,
    _tasks: JoinSet<()>,
    _service: Service,
}

/// What those share that answer.
#[derive(Clone)]
struct Counter {
    asker: Asker,
    metrics: Metrics,
    questions: mpsc::Sender<Question>,
    said: mpsc::Sender<Said>,
}

impl Desks {
    /// Offers the service and its endpoints.
    ///
    /// # Errors
    /// When the bus is away; the leader steps down then.
    pub(crate) async fn serve(role: &Role, said: mpsc::Sender<Said>) -> Result<Self> {
        let spec = ServiceSpec {
            name: SubjectToken::new("empowerment")?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "What an agent may give now, unasked.".to_owned(),
        };
        let service = role.bus.offer_service(&spec).await?;
        let open = async |name: &str, subject: Subject| {
            anyhow::Ok(service.endpoint(&SubjectToken::new(name)?, &subject).await?)
        };
        let till = open("till", role.subjects.till()).await?;
        let wallets = open("wallets", role.subjects.wallets()).await?;
        let check = open("check", role.subjects.policy_check()).await?;
        let asker = Asker::new(
            &role.kit.settings.empowerment,
            &role.kit.metrics,
            &role.bus,
            &role.subjects,
            role.shop.clone(),
        )?;
        let (sender, questions) = mpsc::channel(WAITING_MAX);
        let metrics = role.kit.metrics.clone();
        let counter = Counter { asker: asker.clone(), metrics, questions: sender, said };
        let mut tasks = JoinSet::new();
        let one = counter.clone();
        tasks.spawn(till.answer_each(ANSWERED_MAX, move |request| one.clone().till(request)));
        tasks.spawn(wallets.answer_each(ANSWERED_MAX, move |request| counter.clone().wallets(request)));
        tasks.spawn(check.answer_each(CHECKED_MAX, check_policy));
        Ok(Self { asker, questions, _tasks: tasks, _service: service })
    }

    /// The next question for the state.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }

    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }
}

impl Counter {
    async fn till(self, request: ServiceRequest) {
        let began = Instant::now();
        let question = match read::<TillQuestion>(&request) {
            Ok(question) => Box::new(question),
            Err(reason) => return refuse(request, reason).await,
        };
        let Some(mut step) = self.step(question.clone(), true).await else { return };
        let mut silent = Vec::new();
        if let TillStep::Wants(wants) = step {
            silent = self.asker.ask(wants, &self.said).await;
            let Some(next) = self.step(question, false).await else { return };
            step = next;
        }
        // Without a step, or with one that wants more, this process has stopped leading: the desk asks again.
        let TillStep::Answer(mut answer) = step else { return };
        if let TillAnswer::Till(till) = &mut *answer {
            till.silent = silent;
        }
        self.metrics.till_seconds.observe(began.elapsed().as_secs_f64());
        respond(request, &answer).await;
    }

    async fn step(&self, question: Box<TillQuestion>, may_ask: bool) -> Option<TillStep> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question::Till { question, may_ask, answer }).await.ok()?;
        answered.await.ok()
    }

    async fn wallets(self, request: ServiceRequest) {
        let question = match read::<WalletsQuestion>(&request) {
            Ok(question) => question,
            Err(reason) => return refuse(request, reason).await,
        };
        let (answer, answered) = oneshot::channel();
        if self.questions.send(Question::Wallets { question, answer }).await.is_err() {
            return;
        }
        if let Ok(wallets) = answered.await {
            respond(request, &wallets).await;
        }
    }
}

/// Compiling takes a while, so it is done where it holds up nobody.
async fn check_policy(request: ServiceRequest) {
    let payload = request.payload.clone();
    let checked = tokio::task::spawn_blocking(move || PolicyChecked { faults: faults_of(&payload) }).await;
    match checked {
        Ok(checked) => respond(request, &checked).await,
        Err(error) => tracing::error!(%error, "failed to check a policy"),
    }
}

fn faults_of(payload: &[u8]) -> Vec<PolicyFault> {
    let whole = |message: String| vec![PolicyFault { path: String::new(), message }];
    if payload.len() > POLICY_BYTES_MAX {
        let found = payload.len();
        return whole(format!(
            "the policy has {found} bytes, at most {POLICY_BYTES_MAX} are taken: shorten it"
        ));
    }
    match serde_json::from_slice::<Policy>(payload) {
        Ok(policy) => empowerment_core::rules::check(&policy),
        Err(error) => whole(format!("this is no policy: {error}")),
    }
}

fn read<T: serde::de::DeserializeOwned>(request: &ServiceRequest) -> Result<T, &'static str> {
    if request.payload.len() > QUESTION_BYTES_MAX {
        return Err("the question is too large");
    }
    serde_json::from_slice(&request.payload).map_err(|_| "not a question")
}

async fn refuse(request: ServiceRequest, reason: &str) {
    if let Err(error) = request.refuse(400, reason).await {
        tracing::debug!(%error, "a refusal was not sent");
    }
}

async fn respond<T: Serialize + Sync>(request: ServiceRequest, answer: &T) {
    match serde_json::to_vec(answer) {
        Ok(answer) => {
            if let Err(error) = request.respond(answer.into()).await {
                tracing::debug!(%error, "an answer was not sent");
            }
        }
        Err(error) => tracing::error!(%error, "an answer does not write"),
    }
}
