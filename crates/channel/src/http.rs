//! Requests and answers of providers that speak HTTP.

/// What is done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// It is asked, and nothing is changed.
    Get,
    /// It is told.
    Post,
}

/// What is said to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// What is done.
    pub method: HttpMethod,
    /// Where to; it may hold a secret.
    pub url: String,
    /// Names and values; the type of the content is among them.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes, which the signature covers.
    pub body: Vec<u8>,
    /// What is sent after it, once it is taken: the rest of an entry that the provider takes in parts.
    pub then: Vec<HttpRequest>,
}

impl HttpRequest {
    /// Asks an address.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self { method: HttpMethod::Get, url, headers: Vec::new(), body: Vec::new(), then: Vec::new() }
    }

    /// Posts a body with these headers.
    #[must_use]
    pub fn post(url: String, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> Self {
        Self { method: HttpMethod::Post, url, headers, body, then: Vec::new() }
    }
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers hold secrets, the body a customer's words.
        f.debug_struct("HttpRequest").field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAnswer {
    /// The provider answered.
    Status {
        /// The status.
        status: u16,
        /// How long it has us wait, ms, if it says so.
        retry_after_ms: Option<u64>,
        /// Where it says that something else is, as it says it; nobody goes there but who knows the place.
        location: Option<String>,
        /// What it said, cut off at a limit.
        body: Vec<u8>,
    },
    /// The request went out and no answer came: nobody knows whether it was taken.
    NoAnswer,
    /// Nobody was reached: it was not taken.
    Unreachable,
}
