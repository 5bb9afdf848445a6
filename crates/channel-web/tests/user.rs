//! Who a visitor is, as their site says it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use channel::Millis;
use channel::conformance::{hammer, rounds};
use channel::known::{Known, PersonKey};
use channel::limits::NAME_BYTES_MAX;
use channel_web::{IDENTITY_BYTES_MAX, IdentityError, SECRET_BYTES_MIN, SUB_BYTES_MAX, User, verify};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

const SECRET: &[u8] = b"a secret of the shop, long enough";
const NOW_S: u64 = 1_800_000_000;
const NOW: Millis = Millis(NOW_S * 1_000);

fn signed(head: &Value, claims: &Value) -> String {
    signed_text(&head.to_string(), &claims.to_string())
}

fn signed_text(head: &str, claims: &str) -> String {
    let body = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn head() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": "whatever"})
}

fn claims() -> Value {
    json!({"sub": "anna", "exp": NOW_S + 600})
}

fn of(claims: &Value) -> Result<User, IdentityError> {
    verify(&signed(&head(), claims), SECRET, "shop", NOW)
}

/// The claims with one of them other.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().insert(name.to_owned(), value);
    claims
}

#[test]
fn a_user_is_who_the_site_says() {
    let anna = of(&claims()).unwrap();
    assert_eq!(anna, User { sub: "anna".into(), name: None, known: Vec::new() });
    assert_eq!(anna.value(), "user:anna");
    let all = json!({
        "sub": "42", "exp": NOW_S + 600, "iat": NOW_S, "aud": ["x", "shop"], "name": "Anna B.",
        "email": "Anna@Example.org", "email_verified": true,
        "phone_number": "+31 20 123 45 67", "phone_number_verified": null,
    });
    let known = vec![
        Known { by: PersonKey::email("anna@example.org").unwrap(), verified: true },
        Known { by: PersonKey::phone("+31201234567").unwrap(), verified: false },
    ];
    assert_eq!(of(&all).unwrap(), User { sub: "42".into(), name: Some("Anna B.".into()), known });
    assert_eq!(of(&with("email", json!("none"))).unwrap().known, Vec::new());
    let long = of(&with("name", json!("ö".repeat(NAME_BYTES_MAX)))).unwrap().name.unwrap();
    assert_eq!(long.len(), NAME_BYTES_MAX);
}

#[test]
fn the_example_of_the_standard_is_read_and_has_run_out() {
    // RFC 7515, appendix A.1.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = URL_SAFE_NO_PAD.decode(key).unwrap();
    // Its signature holds, so that what is missing is told.
    assert_eq!(verify(token, &key, "shop", Millis(1_300_819_000_000)), Err(IdentityError::Claims));
    assert_eq!(verify(token, SECRET, "shop", Millis(1_300_819_000_000)), Err(IdentityError::NotSigned));
}

#[test]
fn another_algorithm_is_refused_whatever_its_signature() {
    for head in [
        json!({"alg": "none"}),
        json!({"alg": "None"}),
        json!({"alg": "hs256"}),
        json!({"alg": "HS512"}),
        json!({"alg": "RS256"}),
        json!({"alg": ""}),
        json!({"alg": "HS256", "crit": ["exp"]}),
    ] {
        assert_eq!(
            verify(&signed(&head, &claims()), SECRET, "shop", NOW),
            Err(IdentityError::Algorithm),
            "{head}"
        );
    }
    let body = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(claims().to_string())
    );
    assert_eq!(verify(&format!("{body}."), SECRET, "shop", NOW), Err(IdentityError::Algorithm));
    let body = body
        .replace(&URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), &URL_SAFE_NO_PAD.encode(head().to_string()));
    let mut mac = Hmac::<Sha512>::new_from_slice(SECRET).unwrap();
    mac.update(body.as_bytes());
    let other = format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(verify(&other, SECRET, "shop", NOW), Err(IdentityError::NotSigned));
    assert_eq!(verify(&format!("{body}."), SECRET, "shop", NOW), Err(IdentityError::NotSigned));
}

#[test]
fn no_changed_sign_passes() {
    let token = signed(&head(), &claims());
    assert_eq!(
        verify(&token, b"another secret that is long enough", "shop", NOW),
        Err(IdentityError::NotSigned)
    );
    for (place, sign) in token.char_indices() {
        let other = if sign == 'A' { 'B' } else { 'A' };
        let changed = format!("{}{other}{}", token.get(..place).unwrap(), token.get(place + 1..).unwrap());
        assert!(verify(&changed, SECRET, "shop", NOW).is_err(), "{changed}");
    }
    // A shorter signature is none.
    assert!(verify(token.get(..token.len() - 2).unwrap(), SECRET, "shop", NOW).is_err());
}

#[test]
fn what_has_not_the_form_is_refused() {
    let token = signed(&head(), &claims());
    let padded = format!("{token}=");
    for bad in
        ["", ".", "..", "a.b", "a.b.c", "....", padded.as_str(), &format!("{token}.x"), &format!(" {token}")]
    {
        assert!(verify(bad, SECRET, "shop", NOW).is_err(), "{bad}");
    }
    assert_eq!(verify("..", SECRET, "shop", NOW), Err(IdentityError::Malformed));
    // Padding is no part of the form, also where it is signed.
    assert_ne!(URL_SAFE.encode("{}"), URL_SAFE_NO_PAD.encode("{}"));
    for claims in ["", "[]", "7", "{", r#"{"sub":"a","sub":"b","exp":1800000600}"#] {
        assert_eq!(
            verify(&signed_text(&head().to_string(), claims), SECRET, "shop", NOW),
            Err(IdentityError::Claims),
            "{claims}"
        );
    }
    let long = |n: usize| of(&with("x", json!("x".repeat(n))));
    let room = IDENTITY_BYTES_MAX * 3 / 4;
    assert!(long(room - 250).is_ok());
    assert_eq!(long(room), Err(IdentityError::Malformed));
    assert_eq!(
        verify(&token, SECRET.get(..SECRET_BYTES_MIN - 1).unwrap(), "shop", NOW),
        Err(IdentityError::Malformed)
    );
}

#[test]
fn claims_are_needed_and_of_their_types() {
    let sub = |n: usize| of(&with("sub", json!("x".repeat(n))));
    assert!(sub(1).is_ok() && sub(SUB_BYTES_MAX).is_ok());
    assert_eq!((sub(0), sub(SUB_BYTES_MAX + 1)), (Err(IdentityError::Claims), Err(IdentityError::Claims)));
    for (name, value) in [
        ("sub", json!(7)),
        ("sub", json!(" ")),
        ("sub", json!(null)),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("email_verified", json!("true")),
        ("email", json!(["a@example.org"])),
    ] {
        assert_eq!(of(&with(name, value.clone())), Err(IdentityError::Claims), "{name} {value}");
    }
}

#[test]
fn a_token_works_for_its_time_and_a_day_at_most() {
    let day = 24 * 3_600;
    for (name, value, expected) in [
        ("exp", NOW_S - 59, Ok(())),
        ("exp", NOW_S - 60, Err(IdentityError::Expired)),
        ("exp", 0, Err(IdentityError::Expired)),
        ("exp", NOW_S + day + 60, Ok(())),
        ("exp", NOW_S + day + 61, Err(IdentityError::Times)),
        ("exp", u64::MAX, Err(IdentityError::Times)),
        ("nbf", NOW_S + 60, Ok(())),
        ("nbf", NOW_S + 61, Err(IdentityError::Times)),
    ] {
        assert_eq!(of(&with(name, json!(value))).map(drop), expected, "{name} {value}");
    }
    assert_eq!(IdentityError::Expired.code(), "identity_expired");
    assert_eq!(IdentityError::Times.code(), "identity_refused");
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    for aud in [json!("shop"), json!(["other", "shop"]), json!(null)] {
        assert!(of(&with("aud", aud.clone())).is_ok(), "{aud}");
    }
    for aud in [json!("other"), json!("SHOP"), json!(""), json!([]), json!(["other"])] {
        assert_eq!(of(&with("aud", aud.clone())), Err(IdentityError::Audience), "{aud}");
    }
    assert_eq!(of(&with("aud", json!(7))), Err(IdentityError::Claims));
    assert_eq!(IdentityError::Audience.code(), "identity_refused");
}

#[test]
fn whatever_comes_is_answered() {
    let corpus: Vec<Vec<u8>> = [
        signed(&head(), &claims()),
        signed(&json!({"alg": "none"}), &claims()),
        signed(&head(), &with("email", json!("anna@example.org"))),
    ]
    .map(String::into_bytes)
    .to_vec();
    let words: [&[u8]; 5] = [b".", b"eyJ", b"==", b"\xff", b"e30"];
    let whole = corpus.clone();
    hammer(&corpus, &words, rounds(), |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let passes = verify(text, SECRET, "shop", NOW).is_ok();
        assert!(!passes || whole.iter().any(|one| one == bytes), "{text}");
    });
}
