//! Requests and answers of providers that speak HTTP.

/// What is posted to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to.
    pub url: String,
    /// Names and values; the type of the content is among them.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes, which the signature covers.
    pub body: Vec<u8>,
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
        /// What it said, cut off at a limit.
        body: Vec<u8>,
    },
    /// The request went out and no answer came: nobody knows whether it was taken.
    NoAnswer,
    /// Nobody was reached: it was not taken.
    Unreachable,
}
