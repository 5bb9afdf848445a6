//! The visitor token: `v1.<visitor>.<account>.<signature>`, visitor and signature as 32 hex digits.
//!
//! It says that the same browser is there again, for one account, and nothing about a person. Whoever holds it is that
//! visitor; it is shown to us over the socket and to no other page.

use channel::limits::TOKEN_BYTES_MAX as ACCOUNT_BYTES_MAX;
use channel::{Hash128, SubjectToken};

/// Longest token, bytes.
pub const TOKEN_BYTES_MAX: usize = 2 + 1 + 32 + 1 + ACCOUNT_BYTES_MAX + 1 + 32;

/// A browser that came before, or a new one: the bits of a UUID. It need not be secret, because tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Visitor(pub [u8; 16]);

impl Visitor {
    /// The value of the visitor's identity.
    #[must_use]
    pub fn value(self) -> String {
        Hash128(self.0).to_string()
    }
}

/// Why a token names nobody; the widget gets a new one then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not have the form.
    #[error("read the token: not of the form v1.visitor.account.signature")]
    Malformed,
    /// It was made for another account.
    #[error("read the token: made for another account")]
    OtherAccount,
    /// We did not sign it.
    #[error("read the token: not signed with our key")]
    NotSigned,
}

/// Makes the token of a visitor of an account; `sign` is a keyed hash that nobody else can compute.
#[must_use]
pub fn issue(visitor: Visitor, account: &SubjectToken, sign: impl Fn(&[u8]) -> Hash128) -> String {
    let body = body(visitor, account);
    let signature = sign(body.as_bytes());
    format!("{body}.{signature}")
}

/// The visitor that a token names.
///
/// # Errors
/// [`TokenError`]; fate: the visitor is a new one.
pub fn read(
    token: &str,
    account: &SubjectToken,
    sign: impl Fn(&[u8]) -> Hash128,
) -> Result<Visitor, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let mut parts = token.split('.');
    let (Some("v1"), Some(visitor), Some(named), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Malformed);
    };
    let visitor: Hash128 = visitor.parse().map_err(|_| TokenError::Malformed)?;
    let signature: Hash128 = signature.parse().map_err(|_| TokenError::Malformed)?;
    if named != account.as_str() {
        return Err(TokenError::OtherAccount);
    }
    let visitor = Visitor(visitor.0);
    let ours = sign(body(visitor, account).as_bytes());
    if same(ours, signature) { Ok(visitor) } else { Err(TokenError::NotSigned) }
}

fn body(visitor: Visitor, account: &SubjectToken) -> String {
    format!("v1.{}.{account}", visitor.value())
}

/// Looks at every byte, so that the time taken does not tell how many were right.
fn same(a: Hash128, b: Hash128) -> bool {
    a.0.iter().zip(b.0).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}
