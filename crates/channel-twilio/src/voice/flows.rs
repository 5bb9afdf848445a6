//! What customers and agents come across, in Twilio's language: the greeting with the wait that is promised, the waiting, the offer to be called back, the
//! conference in which customer and agent meet, hold music, and the ways out. There is no voicemail.

use super::twiml::{Conference, Dial, Enqueue, Gather, Noun, Prompt, RejectReason, Response, Say, Verb};
use super::{CallSid, Leg, Line};

/// What is typed to be called back.
pub const CALL_BACK_DIGIT: &str = "1";
/// What a customer is called in their conference, where they called us.
const CUSTOMER: &str = "customer";
/// How long a digit is waited for after the offer, s.
const OFFER_TIMEOUT_S: u32 = 4;
/// How long nothing is heard where there is no music, s; then the place is told again.
const SILENCE_S: u32 = 30;

/// What the house says, in one language. In the words `{minutes}` is the wait that is promised, `{place}` the place in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// In which language it is read out, as `en-GB`; `None`: the account's.
    pub language: Option<String>,
    /// By whose voice, as `Polly.Amy`; `None`: the account's.
    pub voice: Option<String>,
    /// Where the music is; `None`: there is silence.
    pub music: Option<String>,
    /// First of all; here a customer is told who they called.
    pub greeting: String,
    /// The wait, where somebody knows it.
    pub wait: String,
    /// The place in line, where somebody knows it.
    pub place: String,
    /// That they can be called back, by [`CALL_BACK_DIGIT`], and keep their place.
    pub offer: String,
    /// That they will be called back.
    pub kept: String,
    /// What is heard first by who is called back.
    pub back: String,
    /// That nobody is here.
    pub closed: String,
    /// That it does not work now.
    pub sorry: String,
}

impl Default for Script {
    fn default() -> Self {
        let words = str::to_owned;
        Self {
            language: None,
            voice: None,
            music: None,
            greeting: words("Thank you for calling."),
            wait: words("The expected wait, in minutes, is {minutes}."),
            place: words("You are number {place} in line."),
            offer: words("Press 1 to be called back. You keep your place in line."),
            kept: words("We call you back when it is your turn. Goodbye."),
            back: words("This is the call that you asked for."),
            closed: words("We are closed now. Please call again later."),
            sorry: words("We cannot take your call right now. Please call again later."),
        }
    }
}

/// What the router promises a customer at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// How long they will wait, minutes, rounded up; `None`: nobody knows.
    pub minutes: Option<u32>,
    /// Their place in line, from 1; `None`: nobody knows.
    pub place: Option<u32>,
    /// Whether they are offered to be called back: they have a number, and somebody will be here to do it.
    pub call_back: bool,
}

impl Script {
    fn say(&self, words: &str) -> Prompt {
        Prompt::Say(Say {
            words: words.to_owned(),
            language: self.language.clone(),
            voice: self.voice.clone(),
        })
    }

    /// The wait and the place, as far as they are known.
    fn promised(&self, promise: Promise) -> Vec<Prompt> {
        let wait = promise.minutes.map(|minutes| self.wait.replace("{minutes}", &minutes.to_string()));
        let place = promise.place.map(|place| self.place.replace("{place}", &place.to_string()));
        [wait, place].into_iter().flatten().map(|words| self.say(&words)).collect()
    }

    /// Music once, or silence for a while.
    fn music(&self) -> Prompt {
        match &self.music {
            Some(url) => Prompt::Play { url: url.clone(), times: 1 },
            None => Prompt::Pause { seconds: SILENCE_S },
        }
    }

    fn offer(&self, line: &Line, call: &CallSid) -> Verb {
        Verb::Gather(Gather {
            action: line.callback(call, None),
            digits: 1,
            timeout_s: OFFER_TIMEOUT_S,
            prompts: vec![self.say(&self.offer)],
        })
    }

    fn goodbye(&self, words: &str) -> Response {
        Response(vec![self.say(words).into(), Verb::Hangup])
    }

    /// A customer calls: they are greeted, promised a wait, offered to be called back, and wait.
    #[must_use]
    pub fn greet(&self, line: &Line, call: &CallSid, promise: Promise) -> Response {
        let mut verbs = vec![Verb::Prompt(self.say(&self.greeting))];
        verbs.extend(self.promised(promise).into_iter().map(Verb::Prompt));
        if promise.call_back {
            verbs.push(self.offer(line, call));
        }
        verbs.extend(self.enqueue(line, call).0);
        Response(verbs)
    }

    /// A customer waits, without a word.
    #[must_use]
    pub fn enqueue(&self, line: &Line, call: &CallSid) -> Response {
        let url = line.callback(call, None);
        Response(vec![Verb::Enqueue(Enqueue {
            queue: line.queue.clone(),
            wait_url: url.clone(),
            action: url,
        })])
    }

    /// What a customer hears who waits; when it is over Twilio asks again.
    #[must_use]
    pub fn waiting(&self, line: &Line, call: &CallSid, promise: Promise) -> Response {
        let mut verbs = vec![Verb::Prompt(self.music())];
        verbs.extend(self.promised(promise).into_iter().map(Verb::Prompt));
        if promise.call_back {
            verbs.push(self.offer(line, call));
        }
        Response(verbs)
    }

    /// What a customer hears who will be called back.
    #[must_use]
    pub fn kept(&self) -> Response {
        self.goodbye(&self.kept)
    }

    /// What a customer hears when nobody is here.
    #[must_use]
    pub fn closed(&self) -> Response {
        self.goodbye(&self.closed)
    }

    /// What a customer hears when it does not work.
    #[must_use]
    pub fn sorry(&self) -> Response {
        self.goodbye(&self.sorry)
    }

    /// What is heard by whoever is on hold; when it is over Twilio asks again.
    #[must_use]
    pub fn hold(&self) -> Response {
        Response(vec![self.music().into()])
    }

    /// A customer who is called back hears what it is about, and meets the agent.
    #[must_use]
    pub fn called_back(&self, line: &Line, call: &CallSid) -> Response {
        let mut verbs = vec![Verb::Prompt(self.say(&self.back))];
        let place = Seat { label: Leg::BACK.to_string(), ends: true };
        verbs.push(place.taken(line, call, Some(line.callback(call, Some(Leg::BACK)))));
        Response(verbs)
    }
}

/// A place in a call's conference, which has the call's name.
struct Seat {
    label: String,
    ends: bool,
}

impl Seat {
    fn taken(self, line: &Line, call: &CallSid, action: Option<String>) -> Verb {
        let conference = Conference {
            name: call.as_str().to_owned(),
            label: self.label,
            starts: true,
            ends: self.ends,
            muted: false,
            beep: false,
            wait_url: String::new(),
            callback: Some(line.callback(call, None)),
        };
        let to = Noun::Conference(conference);
        Verb::Dial(Dial { to, action, timeout_s: None, answer_on_bridge: false, caller_id: None })
    }
}

/// A customer who waited meets the agent. When they leave, it is over for all.
#[must_use]
pub fn connect(line: &Line, call: &CallSid) -> Response {
    let place = Seat { label: CUSTOMER.to_owned(), ends: true };
    Response(vec![place.taken(line, call, Some(line.callback(call, None)))])
}

/// An agent who picked up meets the customer. `ends`: when they leave, it is over for all, also if nobody of us is there to see it.
#[must_use]
pub fn agent(line: &Line, call: &CallSid, leg: Leg, ends: bool) -> Response {
    let place = Seat { label: leg.to_string(), ends };
    Response(vec![place.taken(line, call, None)])
}

/// The call is over.
#[must_use]
pub fn hang_up() -> Response {
    Response(vec![Verb::Hangup])
}

/// A caller in the queue is taken out of it, and the address of its `<Enqueue>` is asked what follows.
#[must_use]
pub fn leave() -> Response {
    Response(vec![Verb::Leave])
}

/// A call that is not taken.
#[must_use]
pub fn reject(reason: RejectReason) -> Response {
    Response(vec![Verb::Reject { reason }])
}
