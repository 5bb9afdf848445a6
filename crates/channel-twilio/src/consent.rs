//! Who wants to be written to no more, and who again: words that carriers give a meaning
//! (https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out).

use channel::Consent;

use crate::kind::Kind;

/// Words after which nothing more may be sent; Twilio itself sends nothing more then.
const STOPS: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
/// Words after which it may be again.
const STARTS: [&str; 2] = ["START", "UNSTOP"];
/// Another such word, which is more often an answer to what an agent asked.
const YES: &str = "YES";
/// Words that ask who is writing; Twilio answers them.
const HELPS: [&str; 2] = ["HELP", "INFO"];

/// What a message says of being written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whether they want no more, or again.
    pub(crate) consent: Option<Consent>,
    /// Whether Twilio has answered it, so that nobody here is to answer it by itself.
    pub(crate) is_answered: bool,
}

/// A word counts if it is the whole message: "stop texting me" says something else. Where Twilio says what it took the message for, that counts: a service
/// may have words of its own.
pub(crate) fn heard<K: Kind>(opt_out_type: Option<&str>, body: &str) -> Heard {
    let word = body.trim().to_ascii_uppercase();
    let is_one_of = |words: &[&str]| K::HAS_KEYWORDS && words.contains(&word.as_str());
    match opt_out_type.map(str::to_ascii_uppercase).as_deref() {
        Some("STOP") => Heard { consent: Some(Consent::Stop), is_answered: true },
        Some("START") => Heard { consent: Some(Consent::Start), is_answered: word != YES },
        Some("HELP") => Heard { consent: None, is_answered: true },
        Some(_) | None if is_one_of(&STOPS) => Heard { consent: Some(Consent::Stop), is_answered: true },
        Some(_) | None if is_one_of(&STARTS) => Heard { consent: Some(Consent::Start), is_answered: true },
        Some(_) | None if is_one_of(&[YES]) => Heard { consent: Some(Consent::Start), is_answered: false },
        Some(_) | None => Heard { consent: None, is_answered: is_one_of(&HELPS) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Sms, Whatsapp};

    const STOP: Heard = Heard { consent: Some(Consent::Stop), is_answered: true };
    const START: Heard = Heard { consent: Some(Consent::Start), is_answered: true };
    const HELP: Heard = Heard { consent: None, is_answered: true };
    const NOTHING: Heard = Heard { consent: None, is_answered: false };
    const ONLY_YES: Heard = Heard { consent: Some(Consent::Start), is_answered: false };

    #[test]
    fn a_word_counts_as_the_whole_message_alone() {
        for (body, expected) in [
            ("STOP", STOP),
            (" stop\n", STOP),
            ("StopAll", STOP),
            ("unsubscribe", STOP),
            ("cancel", STOP),
            ("end", STOP),
            ("quit", STOP),
            ("revoke", STOP),
            ("optout", STOP),
            ("start", START),
            ("Unstop", START),
            ("yes", ONLY_YES),
            ("help", HELP),
            ("INFO", HELP),
            ("Stop texting me", NOTHING),
            ("stop.", NOTHING),
            ("opt out", NOTHING),
            ("yes please", NOTHING),
            ("", NOTHING),
        ] {
            assert_eq!(heard::<Sms>(None, body), expected, "{body}");
            assert_eq!(heard::<Whatsapp>(None, body), NOTHING, "no carrier hears WhatsApp: {body}");
        }
    }

    #[test]
    fn what_twilio_took_it_for_counts() {
        for (kind, body, expected) in [
            ("STOP", "ARRET", STOP),
            ("stop", "ARRET", STOP),
            ("START", "OUI", START),
            ("START", "Yes", ONLY_YES),
            ("HELP", "AIDE", HELP),
            ("OTHER", "hello", NOTHING),
            ("OTHER", "stop", STOP),
        ] {
            assert_eq!(heard::<Sms>(Some(kind), body), expected, "{kind} {body}");
        }
        assert_eq!(heard::<Whatsapp>(Some("STOP"), "stop"), STOP);
        assert_eq!(heard::<Whatsapp>(Some("START"), "start"), START);
        assert_eq!(heard::<Whatsapp>(Some("HELP"), "help"), HELP);
    }
}
