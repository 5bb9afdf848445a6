//! What Twilio is answered, in its own language (https://www.twilio.com/docs/voice/twiml): the verbs that a contact centre needs, typed, and written so that
//! no value breaks out of its place. The same tree is the same bytes.

use std::fmt::Write as _;

use super::{Endpoint, Number};

/// Longest text of one `<Say>`, signs; what is longer is cut there (https://www.twilio.com/docs/voice/twiml/say#text-to-speech-limits).
pub const SAY_CHARS_MAX: usize = 4096;
/// Longest TwiML that goes along with a request to the API, signs (https://www.twilio.com/docs/voice/api/call-resource, `Twiml`).
pub const INLINE_CHARS_MAX: usize = 4000;

/// The media type of an answer.
pub const CONTENT_TYPE: &str = "text/xml";

/// What is done, one after the other; at its end the call is hung up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response(pub Vec<Verb>);

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Something is heard.
    Prompt(Prompt),
    /// What is typed on the keypad goes to an address.
    Gather(Gather),
    /// The call waits.
    Enqueue(Enqueue),
    /// The call is connected.
    Dial(Dial),
    /// What is done next stands there.
    Redirect {
        /// Where.
        url: String,
    },
    /// The call goes on after its `<Enqueue>`.
    Leave,
    /// The call is over.
    Hangup,
    /// The call is not taken, and costs nothing; only the first verb may be one.
    Reject {
        /// What the caller hears.
        reason: RejectReason,
    },
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Words.
    Say(Say),
    /// A recording.
    Play {
        /// Where it is.
        url: String,
        /// How often; 0: until the call goes elsewhere.
        times: u32,
    },
    /// Nothing.
    Pause {
        /// How long, s.
        seconds: u32,
    },
}

/// Words that are read out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Say {
    /// The words.
    pub words: String,
    /// In which language, as `en-GB`; `None`: the account's.
    pub language: Option<String>,
    /// By whose voice, as `Polly.Amy`; `None`: the account's.
    pub voice: Option<String>,
}

/// Waits for the keypad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Where the digits go. Where none come, the next verb is done.
    pub action: String,
    /// So many digits are all.
    pub digits: u32,
    /// How long it waits after the last word, s.
    pub timeout_s: u32,
    /// What is heard meanwhile; a digit ends it.
    pub prompts: Vec<Prompt>,
}

/// Has a call wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    /// The queue's name at Twilio, at most 64 signs.
    pub queue: String,
    /// Where it is asked what the waiting hear, again and again.
    pub wait_url: String,
    /// Where it is told why the call left.
    pub action: String,
}

/// Connects a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// With what.
    pub to: Noun,
    /// Where it is told that this is over.
    pub action: Option<String>,
    /// How long it rings, s.
    pub timeout_s: Option<u32>,
    /// Whether the caller hears the ringing and their call is taken only when somebody answers; it means nothing for a conference.
    pub answer_on_bridge: bool,
    /// The number that is shown.
    pub caller_id: Option<Number>,
}

/// With what a call is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noun {
    /// With one telephone, program or desk telephone.
    Endpoint {
        /// Which.
        endpoint: Endpoint,
        /// Where is told how far it has come.
        callback: Option<String>,
    },
    /// With all who are in a conference.
    Conference(Conference),
}

/// Someone's place in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conference {
    /// Its name within the account.
    pub name: String,
    /// What this one is called in it.
    pub label: String,
    /// Whether it begins when they come; until then all hear `wait_url`.
    pub starts: bool,
    /// Whether it is over for all when they leave.
    pub ends: bool,
    /// Whether they are not heard.
    pub muted: bool,
    /// Whether there is a sound when somebody comes or leaves.
    pub beep: bool,
    /// What is heard until it begins; empty: nothing.
    pub wait_url: String,
    /// Where is told what happens in it. That of the first who comes holds for all.
    pub callback: Option<String>,
}

/// What a caller hears whose call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// That the number is not in service.
    Rejected,
    /// That it is engaged.
    Busy,
}

/// How far a leg has come, as Twilio is asked to tell it.
const LEG_EVENTS: &str = "initiated ringing answered completed";
/// What happens in a conference, as Twilio is asked to tell it.
const CONFERENCE_EVENTS: &str = "start end join leave mute hold";

impl Response {
    /// Nothing: Twilio goes on with what it had, or hangs up.
    #[must_use]
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// As Twilio reads it.
    #[must_use]
    pub fn xml(&self) -> String {
        let mut out = Writer(r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned());
        out.element("Response", &[], |out| {
            for verb in &self.0 {
                out.verb(verb);
            }
        });
        out.0
    }
}

impl From<Prompt> for Verb {
    fn from(prompt: Prompt) -> Self {
        Self::Prompt(prompt)
    }
}

struct Writer(String);

type Attributes<'a> = [(&'static str, &'a str)];

impl Writer {
    /// Names are ours, values are anybody's.
    fn open(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        for (key, value) in attributes {
            // Writing to a string never fails.
            write!(self.0, " {key}=\"").ok();
            self.text(value);
            self.0.push('"');
        }
    }

    fn element(&mut self, name: &str, attributes: &Attributes<'_>, inner: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        let at = self.0.len();
        self.0.push('>');
        inner(self);
        if self.0.len() == at + 1 {
            self.0.truncate(at);
            self.0.push_str("/>");
        } else {
            write!(self.0, "</{name}>").ok();
        }
    }

    fn empty(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.element(name, attributes, |_| ());
    }

    /// What XML 1.0 cannot hold is left out (https://www.w3.org/TR/xml/#charsets). Blanks that a reader would make plain ones of are kept as they are.
    fn text(&mut self, text: &str) {
        for sign in text.chars() {
            match sign {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                '\t' => self.0.push_str("&#9;"),
                '\n' => self.0.push_str("&#10;"),
                '\r' => self.0.push_str("&#13;"),
                '\u{0}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {}
                _ => self.0.push(sign),
            }
        }
    }

    fn verb(&mut self, verb: &Verb) {
        match verb {
            Verb::Prompt(prompt) => self.prompt(prompt),
            Verb::Gather(gather) => self.gather(gather),
            Verb::Enqueue(enqueue) => self.enqueue(enqueue),
            Verb::Dial(dial) => self.dial(dial),
            Verb::Redirect { url } => self.element("Redirect", &[], |out| out.text(url)),
            Verb::Leave => self.empty("Leave", &[]),
            Verb::Hangup => self.empty("Hangup", &[]),
            Verb::Reject { reason: RejectReason::Rejected } => {
                self.empty("Reject", &[("reason", "rejected")])
            }
            Verb::Reject { reason: RejectReason::Busy } => self.empty("Reject", &[("reason", "busy")]),
        }
    }

    fn prompt(&mut self, prompt: &Prompt) {
        match prompt {
            Prompt::Say(say) => {
                let language = say.language.as_deref().map(|language| ("language", language));
                let voice = say.voice.as_deref().map(|voice| ("voice", voice));
                let attributes: Vec<_> = voice.into_iter().chain(language).collect();
                let cut = say.words.char_indices().nth(SAY_CHARS_MAX).map_or(say.words.len(), |(at, _)| at);
                self.element("Say", &attributes, |out| out.text(say.words.get(..cut).unwrap_or_default()));
            }
            Prompt::Play { url, times } => {
                self.element("Play", &[("loop", &times.to_string())], |out| out.text(url));
            }
            Prompt::Pause { seconds } => self.empty("Pause", &[("length", &seconds.to_string())]),
        }
    }

    fn gather(&mut self, gather: &Gather) {
        let (digits, timeout) = (gather.digits.to_string(), gather.timeout_s.to_string());
        let attributes = [
            ("input", "dtmf"),
            ("action", gather.action.as_str()),
            ("timeout", &timeout),
            ("numDigits", &digits),
        ];
        self.element("Gather", &attributes, |out| {
            for prompt in &gather.prompts {
                out.prompt(prompt);
            }
        });
    }

    fn enqueue(&mut self, enqueue: &Enqueue) {
        let attributes = [("action", enqueue.action.as_str()), ("waitUrl", &enqueue.wait_url)];
        self.element("Enqueue", &attributes, |out| out.text(&enqueue.queue));
    }

    fn dial(&mut self, dial: &Dial) {
        let timeout = dial.timeout_s.map(|seconds| seconds.to_string());
        let action = dial.action.as_deref().map(|action| ("action", action));
        let timeout = timeout.as_deref().map(|timeout| ("timeout", timeout));
        let caller_id = dial.caller_id.as_ref().map(|number| ("callerId", number.as_str()));
        let bridge = dial.answer_on_bridge.then_some(("answerOnBridge", "true"));
        let attributes: Vec<_> = [action, timeout, caller_id, bridge].into_iter().flatten().collect();
        self.element("Dial", &attributes, |out| match &dial.to {
            Noun::Endpoint { endpoint, callback } => out.endpoint(endpoint, callback.as_deref()),
            Noun::Conference(conference) => out.conference(conference),
        });
    }

    fn endpoint(&mut self, endpoint: &Endpoint, callback: Option<&str>) {
        let attributes: Vec<_> = callback
            .map(|callback| [("statusCallbackEvent", LEG_EVENTS), ("statusCallback", callback)])
            .into_iter()
            .flatten()
            .collect();
        let (name, text) = match endpoint {
            Endpoint::Number(number) => ("Number", number.as_str()),
            Endpoint::Client(name) => ("Client", name.as_str()),
            Endpoint::Sip(address) => ("Sip", address.as_str()),
        };
        self.element(name, &attributes, |out| out.text(text));
    }

    fn conference(&mut self, conference: &Conference) {
        let word = |is: bool| if is { "true" } else { "false" };
        let mut attributes = vec![
            ("muted", word(conference.muted)),
            ("beep", word(conference.beep)),
            ("startConferenceOnEnter", word(conference.starts)),
            ("endConferenceOnExit", word(conference.ends)),
            ("waitUrl", conference.wait_url.as_str()),
            ("participantLabel", conference.label.as_str()),
        ];
        if let Some(callback) = &conference.callback {
            attributes
                .extend([("statusCallbackEvent", CONFERENCE_EVENTS), ("statusCallback", callback.as_str())]);
        }
        self.element("Conference", &attributes, |out| out.text(&conference.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_places() {
        let words = "</Say><Hangup/> & \"you\" 'me' \u{0}\u{1b}\u{ffff}\r\n\t😀".to_owned();
        let say = Say { words, language: Some("en\"><Dial>+1".to_owned()), voice: None };
        assert_eq!(
            Response(vec![Prompt::Say(say).into(), Verb::Leave]).xml(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"en&quot;&gt;&lt;Dial&gt;+1\">\
             &lt;/Say&gt;&lt;Hangup/&gt; &amp; &quot;you&quot; &apos;me&apos; &#13;&#10;&#9;😀</Say><Leave/></Response>"
        );
        assert_eq!(Response::empty().xml(), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    }

    #[test]
    fn what_is_too_long_to_be_said_is_cut() {
        let said = |count: usize| {
            let say = Say { words: "é".repeat(count), ..Say::default() };
            Response(vec![Prompt::Say(say).into()]).xml().matches('é').count()
        };
        assert_eq!([said(SAY_CHARS_MAX), said(SAY_CHARS_MAX + 1)], [SAY_CHARS_MAX; 2]);
    }
}
