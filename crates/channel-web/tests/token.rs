//! The visitor token.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use channel::limits::TOKEN_BYTES_MAX as ACCOUNT_BYTES_MAX;
use channel::{Hash128, SubjectToken};
use channel_web::{TOKEN_BYTES_MAX, TokenError, Visitor, issue, read};

/// Not a hash that one should use: it is enough to see that all of the body goes in.
fn sign(key: u8) -> impl Fn(&[u8]) -> Hash128 {
    move |bytes| {
        let mut sum = [key; 16];
        for (n, byte) in bytes.iter().enumerate() {
            let place = &mut sum[n % 16];
            *place = place.wrapping_mul(31).wrapping_add(*byte).rotate_left(3);
        }
        Hash128(sum)
    }
}

fn account(name: &str) -> SubjectToken {
    SubjectToken::new(name).expect("a name of the test")
}

const VISITOR: Visitor = Visitor([7; 16]);

#[test]
fn a_token_names_its_visitor_to_its_account_only() {
    let token = issue(VISITOR, &account("shop"), sign(1));
    assert!(token.starts_with("v1.07070707070707070707070707070707.shop."), "{token}");
    assert_eq!(read(&token, &account("shop"), sign(1)), Ok(VISITOR));
    assert_eq!(read(&token, &account("other"), sign(1)), Err(TokenError::OtherAccount));
    assert_eq!(read(&token, &account("shop"), sign(2)), Err(TokenError::NotSigned));
}

#[test]
fn no_changed_byte_passes() {
    let token = issue(VISITOR, &account("shop"), sign(1));
    for place in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(read(&changed, &account("shop"), sign(1)).is_err(), "{changed}");
    }
}

#[test]
fn what_has_not_the_form_is_refused() {
    let longest = "x".repeat(TOKEN_BYTES_MAX + 1);
    for bad in ["", "v1", "v1...", "v2.a.b.c", "v1.zz.shop.zz", longest.as_str()] {
        assert_eq!(read(bad, &account("shop"), sign(1)), Err(TokenError::Malformed), "{bad}");
    }
    let long = account(&"a".repeat(ACCOUNT_BYTES_MAX));
    let token = issue(VISITOR, &long, sign(1));
    assert_eq!(token.len(), TOKEN_BYTES_MAX);
    assert_eq!(read(&token, &long, sign(1)), Ok(VISITOR));
}
