//! Which passwords are taken: long ones that are not among the first that anybody tries. Nothing is asked of their letters.

use axum::http::StatusCode;
use protocol::signin::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use service::Problem;
use zxcvbn::Score;

/// What is easy to guess here, besides the agent's own names.
const HOUSE_WORDS: [&str; 6] = ["winterband", "winter", "desk", "agent", "welkom", "wachtwoord"];

/// Whether this may be an agent's password. `names`: their sign-in name and what they are called.
///
/// # Errors
/// `password_too_short`, `password_too_long`, `password_common`.
pub(crate) fn check(password: &str, names: &[&str]) -> Result<(), Problem> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        let detail =
            format!("use at least {PASSWORD_CHARS_MIN} characters: a sentence is easy to keep in mind");
        return Err(unfit("password_too_short", "the password is too short", detail)
            .with("limit_chars", PASSWORD_CHARS_MIN));
    }
    if chars > PASSWORD_CHARS_MAX {
        let detail = format!("use at most {PASSWORD_CHARS_MAX} characters");
        return Err(unfit("password_too_long", "the password is too long", detail)
            .with("limit_chars", PASSWORD_CHARS_MAX));
    }
    if is_easily_guessed(password, names) {
        let detail = "use some words that do not belong together, and no name, row of keys or repetition";
        return Err(unfit("password_common", "this password is easily guessed", detail.to_owned()));
    }
    Ok(())
}

/// Common passwords, words, names, rows of keys, repetitions and dates, also written with digits for letters: a password that takes
/// fewer than a hundred million guesses is refused.
fn is_easily_guessed(password: &str, names: &[&str]) -> bool {
    let own: Vec<String> = names.iter().flat_map(|name| words_of(name)).collect();
    let known = own.iter().map(String::as_str).chain(HOUSE_WORDS).filter(|word| word.len() > 2);
    zxcvbn::zxcvbn(password, &known.collect::<Vec<_>>()).score() < Score::Three
}

/// A name as it is, its parts, and these written as one.
fn words_of(name: &str) -> Vec<String> {
    let parts = name.split(|sign: char| !sign.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words: Vec<String> = parts.map(str::to_owned).collect();
    words.extend([words.concat(), name.to_owned()]);
    words
}

fn unfit(code: &'static str, title: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<&'static str> {
        check(password, &["anna.devries", "Anna de Vries"]).err().map(|problem| problem.code)
    }

    #[test]
    fn a_password_is_12_to_128_characters_of_any_kind() {
        let at_least: String = "vuk zemel qr9".chars().take(PASSWORD_CHARS_MIN).collect();
        assert_eq!(code(&at_least), None);
        let short: String = at_least.chars().take(PASSWORD_CHARS_MIN - 1).collect();
        assert_eq!(code(&short), Some("password_too_short"));
        let long = "zeven gele fietsen huilen zacht ".repeat(4);
        assert_eq!((long.chars().count(), code(&long)), (PASSWORD_CHARS_MAX, None));
        assert_eq!(code(&format!("{long}!")), Some("password_too_long"));
        // Characters are counted, not bytes; spaces and letters of any script are letters like others.
        assert_eq!(code("дождь над рекой"), None);
        assert_eq!(code("  correct horse staple  "), None);
    }

    #[test]
    fn what_anybody_tries_first_is_refused() {
        for common in [
            "password1234",
            "passwordpassword",
            "123456789012",
            "qwertyuiop12",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "P@ssw0rd1234",
            "iloveyou1234",
            "winterband2026",
            "annadevries1",
            "anna.devries",
        ] {
            assert_eq!(code(common), Some("password_common"), "{common}");
        }
    }
    /// Of the lists of passwords that leaked: those at their head, which are all too short here as well, and the longest that stand
    /// high in them.
    #[test]
    fn what_leaked_most_often_is_refused_even_where_it_is_long_enough() {
        let short = "123456 password 123456789 12345678 12345 qwerty 1234567 111111 123123 abc123 password1 iloveyou \
                     1q2w3e4r 000000 qwerty123 zaq12wsx dragon sunshine princess letmein 654321 monkey 1qaz2wsx \
                     123321 qwertyuiop superman asdfghjkl trustno1 football baseball welcome admin passw0rd master \
                     michael shadow hello123 charlie starwars computer";
        let long = "123456789012 1234567890123 12345678901234567890 123456789abc 111111111111 000000000000 123123123123 \
                    112233445566 qwertyuiop12 qwertyuiop123 qwerty123456 1q2w3e4r5t6y 1q2w3e4r5t6y7u8i q1w2e3r4t5y6 \
                    1qaz2wsx3edc 1qaz2wsx3edc4rfv zaq12wsxcde3 asdfghjkl123 zxcvbnm12345 password1234 password12345 \
                    password123456 passw0rd1234 p@ssw0rd1234 passwordpassword iloveyou1234 iloveyouforever \
                    administrator administrator1 abcdefghijkl abcdefgh1234 abcd12345678 a1b2c3d4e5f6 qazwsxedcrfv \
                    qweasdzxc123 qwertyqwerty welcome12345 letmein12345 football1234 basketball12 superman1234 \
                    sunshine1234 princess1234 charlie12345 michael12345 liverpool123 manchester12 changeme1234 \
                    whatever1234 unbelievable";
        for common in short.split_whitespace().chain(long.split_whitespace()) {
            assert!(is_easily_guessed(common, &[]), "{common}");
            assert!(code(common).is_some(), "{common}");
        }
        assert!(long.split_whitespace().all(|common| code(common) == Some("password_common")));
    }
}
