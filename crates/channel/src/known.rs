//! What names a person on every channel, so that one customer is known by all of them.

/// Most addresses that are read out of one text.
const SAID_MAX: usize = 2;
/// Longest mail address, bytes (RFC 5321 4.5.3.1.3, without the brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// Something by which a person is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// By what.
    pub by: PersonKey,
    /// Whether somebody we trust says that it is theirs; otherwise they only say so themselves.
    pub verified: bool,
}

/// What a person is known by, in the one form that equals itself wherever it came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PersonKey {
    /// A mail address in small letters.
    Email(Box<str>),
    /// A telephone number, `+` and 6 to 15 digits (E.164).
    Phone(Box<str>),
    /// The id that a provider gives a person for this company, with the provider's name before it, as `whatsapp:NL.1234`.
    Account(Box<str>),
}

impl PersonKey {
    /// A mail address; `None` if it is none. Upper and lower case are one, as every large provider has it.
    #[must_use]
    pub fn email(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@')?;
        let is_host = domain.split('.').count() >= 2 && domain.split('.').all(is_label);
        let is_local =
            !local.is_empty() && local.chars().all(|letter| is_of_address(letter) && letter != '@');
        (is_host && is_local && text.len() <= EMAIL_BYTES_MAX)
            .then(|| Self::Email(text.to_lowercase().into()))
    }

    /// An id of a provider.
    #[must_use]
    pub fn account(provider: &str, id: &str) -> Self {
        Self::Account(format!("{provider}:{id}").into())
    }

    /// A number in the international form, spaces and signs between the digits left out; `None` if it is none.
    #[must_use]
    pub fn phone(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('+')?;
        let kept: String =
            digits.chars().filter(|sign| !matches!(sign, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
        let is_number = (6..=15).contains(&kept.len()) && kept.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| Self::Phone(format!("+{}", one_of_variants(&kept)).into()))
    }
}

/// The one form of a number that providers write in two: mobile numbers of Brazil with and without the ninth digit (Anatel, resolution 553/2010),
/// of Argentina with and without the 9 behind the country (ITU-T E.164 national plan of Argentina), of Mexico with and without the 1 there (until
/// 2019). It is for comparing alone: what is sent to is the number as its channel wrote it.
fn one_of_variants(digits: &str) -> String {
    let with = |country: &str, sign: &str, rest: &str| format!("{country}{sign}{rest}");
    if let Some(rest) = digits.strip_prefix("55")
        && let Some((area, own)) = rest.split_at_checked(2)
        && own.len() == 8
        // Eight digits that begin so are a mobile number of before; others are a line's.
        && own.starts_with(['6', '7', '8', '9'])
    {
        return with("55", &format!("{area}9"), own);
    }
    if let Some(rest) = digits.strip_prefix("54")
        && rest.len() == 10
        && !rest.starts_with('9')
    {
        return with("54", "9", rest);
    }
    if let Some(rest) = digits.strip_prefix("521")
        && rest.len() == 10
    {
        return with("52", "", rest);
    }
    digits.to_owned()
}

/// The mail addresses that a customer writes in their words, at most two: what they say of themselves, or of somebody else.
#[must_use]
pub fn said_in(text: &str) -> Vec<Known> {
    let mut found = Vec::new();
    let words = text.split(|letter: char| !(is_of_address(letter) || letter == '@'));
    for word in words.filter(|word| word.contains('@')) {
        let Some(by) = PersonKey::email(word.trim_matches(['.', '\'', '-'])) else { continue };
        let known = Known { by, verified: false };
        if !found.contains(&known) {
            found.push(known);
        }
        if found.len() == SAID_MAX {
            break;
        }
    }
    found
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
}

/// Letters of an address without quotes, RFC 5322 3.2.3, those beyond ASCII with RFC 6531; a slash or a bracket more often ends one.
fn is_of_address(letter: char) -> bool {
    letter.is_alphanumeric() || ".!#$%&'*+-=?^_`{|}~".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_is_one_however_it_is_written() {
        let anna = Some(PersonKey::Email("anna.b+shop@example.org".into()));
        for text in ["anna.b+shop@example.org", " Anna.B+Shop@EXAMPLE.org "] {
            assert_eq!(PersonKey::email(text), anna, "{text:?}");
        }
        for text in [
            "",
            "anna",
            "@example.org",
            "anna@",
            "anna@example",
            "a b@example.org",
            "a@b@example.org",
            "a@.org",
        ] {
            assert_eq!(PersonKey::email(text), None, "{text:?}");
        }
        assert_eq!(PersonKey::email(&format!("{}@example.org", "x".repeat(250))), None);
    }

    #[test]
    fn the_same_number_is_one_however_it_is_written() {
        let number = Some(PersonKey::Phone("+31201234567".into()));
        for text in ["+31201234567", "+31 (20) 123-45.67"] {
            assert_eq!(PersonKey::phone(text), number, "{text:?}");
        }
        for text in ["", "0201234567", "+31", "+31 20 abc", "+1234567890123456"] {
            assert_eq!(PersonKey::phone(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_same_number_is_one_in_each_of_its_countrys_forms() {
        for (one, other) in [
            ("+55 41 98799-1234", "+55 41 8799-1234"),
            ("+54 9 11 2345-6789", "+54 11 2345-6789"),
            ("+52 1 55 1234 5678", "+52 55 1234 5678"),
        ] {
            assert_eq!(PersonKey::phone(one), PersonKey::phone(other), "{one}");
        }
        // A line of São Paulo has eight digits and no ninth; other countries' numbers are left as they are.
        for text in ["+551133334444", "+541123", "+521555123", "+5544123456789", "+31652112345"] {
            assert_eq!(PersonKey::phone(text), Some(PersonKey::Phone(text.into())), "{text}");
        }
        assert_ne!(PersonKey::phone("+551133334444"), PersonKey::phone("+5511933334444"));
    }

    #[test]
    fn addresses_are_read_out_of_words() {
        let found = |text: &str| -> Vec<String> {
            let key = |known: Known| match known.by {
                PersonKey::Email(text) | PersonKey::Phone(text) | PersonKey::Account(text) => {
                    text.into_string()
                }
            };
            said_in(text).into_iter().inspect(|known| assert!(!known.verified)).map(key).collect()
        };
        assert_eq!(found("I am Anna@Example.org, order 7."), ["anna@example.org"]);
        assert_eq!(found("<mailto:a@b.example>. (c@d.example) e@f.example"), ["a@b.example", "c@d.example"]);
        assert_eq!(found("write to anna@example.org."), ["anna@example.org"]);
        assert_eq!(found("a@b.example A@B.EXAMPLE"), ["a@b.example"]);
        assert!(found("5 @ 3 euros, @anna, anna@home").is_empty());
    }
}
