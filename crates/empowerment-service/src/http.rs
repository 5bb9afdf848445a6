//! Requests to the shop's system: bounded in time and size, with its token, never following where it points.

use std::time::Duration;

use anyhow::Result;
use protocol::limits::ANSWER_BYTES_MAX;
use reqwest::{Method, StatusCode, redirect};
use serde::Serialize;
use service::Secret;
use service::settings::EmpowermentSettings;

/// How long reaching the system may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The shop's system. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Shop {
    client: reqwest::Client,
    url: String,
    token: Option<Secret>,
    order_timeout: Duration,
}

/// Why there is no answer. Each is a stable word, for records and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nothing listens there, or the connection broke.
    Unreachable,
    /// It took too long.
    TooLate,
    /// More than [`ANSWER_BYTES_MAX`].
    TooLarge,
}

impl NoAnswer {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TooLate => "no_answer_in_time",
            Self::TooLarge => "answer_too_large",
        }
    }
}

impl Shop {
    /// `None` if the settings name no address.
    ///
    /// # Errors
    /// When no HTTP client can be made; the process does not start then.
    pub(crate) fn new(settings: &EmpowermentSettings) -> Result<Option<Self>> {
        if settings.shop_url.is_empty() {
            return Ok(None);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            // Its token and our customers' words go nowhere else.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        let (url, token) = (settings.shop_url.clone(), settings.shop_token.clone());
        Ok(Some(Self { client, url, token, order_timeout: settings.order_timeout }))
    }

    pub(crate) fn order_timeout(&self) -> Duration {
        self.order_timeout
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`NoAnswer`]; the request may have had its effect all the same.
    pub(crate) async fn ask<B: Serialize + ?Sized + Sync>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        within: Duration,
    ) -> Result<(StatusCode, Vec<u8>), NoAnswer> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).timeout(within);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(|error| no_answer(&error))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| no_answer(&error))? {
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(NoAnswer::TooLarge);
            }
            bytes.extend_from_slice(&part);
        }
        Ok((status, bytes))
    }
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    if error.is_timeout() { NoAnswer::TooLate } else { NoAnswer::Unreachable }
}
