//! The other side: a client with an integration's key, as any NATS client is one. For tries, tests and the example of how it is done.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use protocol::subjects::Subjects;
use protocol::{Subject, SubjectToken};

use crate::connection::{Bus, BusError, Secret, addresses, patience};
use crate::deadline::Deadline;
use crate::ephemeral::{EphemeralMessages, RequestError};

/// How long something forbidden may take to arrive before it counts as kept away.
const PROBE_WAIT: Duration = Duration::from_millis(500);

/// A connection with an integration's key.
#[derive(Clone)]
pub struct Guest {
    client: async_nats::Client,
    name: SubjectToken,
}

/// What the server lets an integration do that it should not; all `false` is as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// It can publish beside its edge.
    pub publishes_elsewhere: bool,
    /// It can hear what is not its own.
    pub hears_others: bool,
    /// It can ask the server about streams.
    pub asks_the_server: bool,
}

impl Confinement {
    /// Whether the server keeps it where it belongs.
    #[must_use]
    pub fn is_kept(self) -> bool {
        self == Self::default()
    }
}

impl Guest {
    /// Connects as an integration, trying until `deadline`: a server learns of a new one after a moment.
    ///
    /// # Errors
    /// [`BusError::Unreachable`], also when the server does not let it in; fate: retry.
    pub async fn connect(
        url: &str,
        name: &SubjectToken,
        seed: &Secret,
        deadline: Deadline,
    ) -> Result<Self, BusError> {
        Self::connect_trusting(url, None, name, seed, deadline).await
    }

    /// As [`Guest::connect`], to a server whose certificate is of the authority in this file (PEM).
    ///
    /// # Errors
    /// As [`Guest::connect`].
    pub async fn connect_trusting(
        url: &str,
        authority: Option<&Path>,
        name: &SubjectToken,
        seed: &Secret,
        deadline: Deadline,
    ) -> Result<Self, BusError> {
        loop {
            let options = patience(async_nats::ConnectOptions::with_nkey(seed.reveal().to_owned()))
                .name(name.as_str())
                .custom_inbox_prefix(format!("_INBOX_{name}"));
            let options = match authority {
                Some(file) => options.add_root_certificates(file.to_owned()),
                None => options,
            };
            let attempt = tokio::time::timeout_at(deadline.tokio(), options.connect(addresses(url))).await;
            let reason = match attempt {
                Ok(Ok(client)) => return Ok(Self { client, name: name.clone() }),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if deadline.has_passed() {
                return Err(BusError::Unreachable { url: url.to_owned(), reason });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Publishes without asking for an answer.
    ///
    /// # Errors
    /// [`BusError::Send`] if the connection takes nothing.
    pub async fn publish(&self, subject: &Subject, payload: Bytes) -> Result<(), BusError> {
        let sent = self.client.publish(subject.as_str().to_owned(), payload).await;
        sent.map_err(|error| BusError::Send(error.to_string()))?;
        self.client.flush().await.map_err(|error| BusError::Send(error.to_string()))
    }

    /// Publishes and waits for the answer in an inbox of its own.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ask(
        &self,
        subject: &Subject,
        payload: Bytes,
        deadline: Deadline,
    ) -> Result<Bytes, RequestError> {
        let name = || subject.as_str().to_owned();
        let request = async_nats::client::Request::new().payload(payload).timeout(Some(deadline.left()));
        match self.client.send_request(name(), request).await {
            Ok(answer) => Ok(answer.payload),
            Err(error) if error.kind() == async_nats::RequestErrorKind::NoResponders => {
                Err(RequestError::NoResponder(name()))
            }
            Err(error) if error.kind() == async_nats::RequestErrorKind::TimedOut => {
                Err(RequestError::Deadline(name()))
            }
            Err(error) => Err(RequestError::Send { subject: name(), reason: error.to_string() }),
        }
    }

    /// Hears what is sent to these subjects, if the server lets it.
    ///
    /// # Errors
    /// [`BusError::Send`] if the connection takes nothing.
    pub async fn hear(&self, subjects: &Subject) -> Result<EphemeralMessages, BusError> {
        let heard = self.client.subscribe(subjects.as_str().to_owned()).await;
        let heard = heard.map_err(|error| BusError::Send(error.to_string()))?;
        self.client.flush().await.map_err(|error| BusError::Send(error.to_string()))?;
        Ok(EphemeralMessages::new(heard))
    }

    /// Tries what it should not be able to do, with subjects on which nobody listens; `ours` is a connection with all rights.
    ///
    /// # Errors
    /// [`BusError`] when either connection is away; fate: retry.
    pub async fn probe(&self, ours: &Bus, subjects: &Subjects) -> Result<Confinement, BusError> {
        let probe = subjects.probe(&self.name);
        let mut heard_by_us = ours.subscribe_ephemeral(&probe).await?;
        self.publish(&probe, Bytes::from_static(b"guest")).await?;
        let publishes_elsewhere = tokio::time::timeout(PROBE_WAIT, heard_by_us.next()).await.is_ok();
        let mut heard_by_it = self.hear(&probe).await?;
        // Its subscription is refused or stands once the server has answered something sent after it.
        let asked = self.client.send_request(
            "$JS.API.INFO".to_owned(),
            async_nats::client::Request::new().timeout(Some(PROBE_WAIT)),
        );
        let asks_the_server = asked.await.is_ok();
        ours.publish_ephemeral(&probe, Bytes::from_static(b"ours")).await?;
        let hears_others = matches!(tokio::time::timeout(PROBE_WAIT, heard_by_it.next()).await, Ok(Some(_)));
        Ok(Confinement { publishes_elsewhere, hears_others, asks_the_server })
    }
}
