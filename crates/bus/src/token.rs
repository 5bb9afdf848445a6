//! Tokens that let somebody in: made here, and kept anywhere else only as their hash.

/// 256 random bits as 64 hex digits.
///
/// # Errors
/// When the machine gives no randomness; fate: refuse.
pub fn new_token() -> Result<String, NoRandomness> {
    Ok(blake3::Hash::from_bytes(new_secret()?).to_hex().to_string())
}

/// 256 random bits.
///
/// # Errors
/// When the machine gives no randomness; fate: refuse.
pub fn new_secret() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// The machine gave no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("get random bits: {0}")]
pub struct NoRandomness(String);

/// The key under which a token or API key is found: its BLAKE3 hash as 64 hex digits.
#[must_use]
pub fn token_hash(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_their_hashes_do_not_show_them() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), token_hash(&one).len()), (64, 64));
        assert_eq!(token_hash(&one), token_hash(&one));
        assert_ne!(token_hash(&one), one);
    }
}
