//! The suite that every adapter runs over its fixtures.
//!
//! It takes data and gives back what is wrong, so that an adapter's test is one assertion: that nothing is.

use std::collections::BTreeSet;

use protocol::feedback::Question;
use protocol::record::EntryKind;
use protocol::thread::Entry;
use protocol::{ChannelKind, ContactId, ConversationId, Millis};

use crate::{Adapter, Correspondent, Fate, Inbound, Outbound, Parsed, Raw, Rejected, StatusOf, Verdict};

/// Mutations tried of every fixture.
pub const MUTATIONS: u32 = 400;
/// Bytes of pure noise tried, in pieces of growing length.
const NOISE_PIECES: usize = 300;
/// A fixture longer than this is cut at so many places, evenly; a shorter one at every byte.
const CUTS_MAX: usize = 20_000;

/// Bytes as a provider sends them, and what has to come of them.
#[derive(Clone, Debug, Default)]
pub struct Fixture {
    /// Named by its peculiarity.
    pub name: String,
    /// Headers as they came, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// Bytes as they came.
    pub bytes: Vec<u8>,
    /// A line for each item: `message <provider id>`, `colleague <provider id>` for what somebody of ours wrote in the provider's own app, `status <id> <state>`, `echo <provider id>`, `left <who>`, `signal`,
    /// `refuse <code>` or `park <code>`; below a message's line its files, as `  file <id> <name>`.
    pub expected: String,
}

/// A limit, tried at and one past.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name.
    pub name: &'static str,
    /// Just fits.
    pub at: Vec<u8>,
    /// Does not fit any more.
    pub past: Vec<u8>,
    /// The code that `past` is rejected with; none: it is cut, and taken all the same.
    pub code: &'static str,
}

/// Requests for [`Adapter::verify`].
#[derive(Clone, Debug)]
pub struct SignedCase {
    /// Named by its peculiarity.
    pub name: &'static str,
    /// Headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// Bytes.
    pub body: Vec<u8>,
    /// When it comes.
    pub now: Millis,
    /// The code that it is refused with; `None`: it is the provider's.
    pub refused: Option<&'static str>,
}

/// Who says that what came in is the provider's.
#[derive(Clone, Debug)]
pub enum Signing {
    /// Its signature; at least one case that is good is among these.
    Signed(Vec<SignedCase>),
    /// A secret that it says with each request, whatever the bytes; at least one case that is good is among these.
    Secret(Vec<SignedCase>),
    /// The transport, which is signed in to: a socket's token, a mailbox's password.
    Transport,
}

/// What an adapter is tried with.
#[derive(Debug)]
pub struct Case<'a, A: Adapter> {
    /// Recorded cases.
    pub fixtures: &'a [Fixture],
    /// Limits.
    pub limits: &'a [Limit],
    /// Who vouches for what comes in.
    pub signing: Signing,
    /// The same message as it comes a second time: bytes by bytes, perhaps with other headers about its way.
    pub redeliveries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Answers, and whether such a one may count as taken.
    pub answers: Vec<(A::Answer, bool)>,
    /// Whether the provider shows us our own messages: then one of the fixtures is an echo.
    pub echoes: bool,
    /// Whether it shows what somebody of ours writes in an app of its own: then one of the fixtures is that.
    pub colleagues: bool,
    /// A customer who wrote just now, at the moment 0; `None` where the transport knows them.
    pub customer: Option<Correspondent>,
    /// What is handed to the transport, as a text that differs where that differs.
    pub written: fn(&A::Sending) -> String,
}

/// Runs everything; an empty answer means that the adapter conforms.
pub fn faults<A: Adapter>(adapter: &A, case: &Case<'_, A>) -> Vec<String> {
    let mut found = Vec::new();
    if case.fixtures.is_empty()
        || case.limits.is_empty()
        || case.redeliveries.is_empty()
        || case.answers.is_empty()
    {
        found.push("an adapter without fixtures, limits, redeliveries or answers proves nothing".to_owned());
    }
    for fixture in case.fixtures {
        let outcome = outcome(&adapter.parse(&raw(fixture)));
        if outcome != fixture.expected.trim() {
            found.push(format!("{}: {outcome:?}, expected {:?}", fixture.name, fixture.expected.trim()));
        }
    }
    if case.echoes && !case.fixtures.iter().any(|fixture| fixture.expected.contains("echo ")) {
        found.push("the provider shows us our own messages, and no fixture is one".to_owned());
    }
    if case.colleagues && !case.fixtures.iter().any(|fixture| fixture.expected.contains("colleague ")) {
        found.push(
            "the provider shows us what colleagues write in its app, and no fixture is that".to_owned(),
        );
    }
    found.extend(case.fixtures.iter().flat_map(|fixture| colleagues(adapter, fixture)));
    found.extend(kinds(adapter));
    found.extend(questions(adapter, case));
    found.extend(limits(adapter, case.limits));
    found.extend(signatures(adapter, &case.signing));
    found.extend(redeliveries(adapter, &case.redeliveries));
    for (n, (answer, may_be_taken)) in case.answers.iter().enumerate() {
        let taken = matches!(adapter.judge(answer), Verdict::Accepted { .. });
        if taken != *may_be_taken {
            found.push(format!("answer {n}: counts as {}", if taken { "taken" } else { "not taken" }));
        }
    }
    found.extend(noise(adapter, case.fixtures));
    found
}

/// What a colleague wrote says nothing of its customer, and goes to one.
fn colleagues<A: Adapter>(adapter: &A, fixture: &Fixture) -> Vec<String> {
    let says_something = |one: &Inbound| {
        let Inbound { identity, known, callback, consent, language, automatic, category, .. } = one;
        let is_nobodys = identity.as_deref().is_none_or(str::is_empty);
        let has_names = one.content.name.is_some() || one.content.identity.is_some() || !known.is_empty();
        is_nobodys
            || has_names
            || *callback
            || *automatic
            || consent.is_some()
            || language.is_some()
            || category.is_some()
    };
    let all = adapter.parse(&raw(fixture)).into_iter();
    all.filter_map(|one| if let Ok(Parsed::Message(one)) = one { Some(one) } else { None })
        .filter(|one| one.by_colleague.is_some() && says_something(one))
        .map(|one| {
            format!(
                "{}: {} of a colleague says something of its customer, or goes to nobody",
                fixture.name, one.provider_id
            )
        })
        .collect()
}

/// Questions go out on every channel, and what was already said to the customer, or by them, on none but one that shows the whole conversation.
fn kinds<A: Adapter>(adapter: &A) -> Vec<String> {
    let shows_all = adapter.sends(&EntryKind::FromCustomer);
    let given = |question: Question| EntryKind::FeedbackGiven { question, score: question.range().0 };
    let said = Question::ALL.into_iter().map(given).chain([
        EntryKind::FromColleague,
        EntryKind::CameFrom { conversation: ConversationId { log_seq: 1, n: 0 }, channel: ChannelKind::Web },
    ]);
    let asked = Question::ALL.into_iter().map(|question| EntryKind::FeedbackAsked { question });
    let mut found: Vec<String> = said
        .filter(|kind| adapter.sends(kind) && !shows_all)
        .map(|kind| format!("{kind:?} is sent"))
        .collect();
    found.extend(asked.filter(|kind| !adapter.sends(kind)).map(|kind| format!("{kind:?} is not sent")));
    found
}

/// Each question can be written, though it has neither words nor an id of its own, and no two of them read the same.
fn questions<A: Adapter>(adapter: &A, case: &Case<'_, A>) -> Vec<String> {
    let mut found = Vec::new();
    let mut written = BTreeSet::new();
    for question in Question::ALL {
        let contact = ContactId { log_seq: 1, n: 1 };
        let kind = EntryKind::FeedbackAsked { question };
        let entry = Entry { seq: 4, at: Millis(0), contact, kind, message: None, body: None };
        let outbound = Outbound {
            entry: &entry,
            conversation: Some(ConversationId { log_seq: 1, n: 0 }),
            text: None,
            content: None,
            attached: &[],
            by: None,
            bot: false,
            to: case.customer.as_ref(),
            now: Millis(0),
        };
        match adapter.render(&outbound) {
            Ok(sending) => drop(written.insert((case.written)(&sending))),
            Err(unsendable) => found.push(format!("{question:?} cannot be asked: {unsendable}")),
        }
    }
    if found.is_empty() && written.len() < Question::ALL.len() {
        found.push("two questions read the same".to_owned());
    }
    found
}

fn raw(fixture: &Fixture) -> Raw<'_> {
    Raw { headers: &fixture.headers, query: "", body: &fixture.bytes }
}

/// What came of parsing, in the words of [`Fixture::expected`].
fn outcome<S>(parsed: &[Result<Parsed<S>, Rejected>]) -> String {
    let lines: Vec<String> = parsed.iter().map(line).collect();
    lines.join("\n")
}

fn line<S>(parsed: &Result<Parsed<S>, Rejected>) -> String {
    match parsed {
        Ok(Parsed::Message(message)) => {
            let files = message.files.iter().map(|file| format!("\n  file {} {}", file.id, file.name));
            let by = if message.by_colleague.is_some() { "colleague" } else { "message" };
            format!("{by} {}{}", message.provider_id, files.collect::<String>())
        }
        Ok(Parsed::Left { identity, .. }) => format!("left {identity}"),
        Ok(Parsed::Status(status)) => {
            let about = match &status.about {
                StatusOf::Ours(message) => message.to_string(),
                StatusOf::Theirs(id) => id.clone(),
                StatusOf::Hash(hash) => hash.to_string(),
            };
            format!("status {about} {}", status.state.as_str())
        }
        Ok(Parsed::Echo { provider_id }) => format!("echo {provider_id}"),
        Ok(Parsed::Signal(_)) => "signal".to_owned(),
        Err(Rejected { fate: Fate::Refuse, code, .. }) => format!("refuse {code}"),
        Err(Rejected { fate: Fate::Park, code, .. }) => format!("park {code}"),
    }
}

fn limits<A: Adapter>(adapter: &A, limits: &[Limit]) -> Vec<String> {
    let mut found = Vec::new();
    for limit in limits {
        let code =
            |bytes: &[u8]| adapter.parse(&Raw::of(bytes)).into_iter().find_map(|one| Some(one.err()?.code));
        if let Some(code) = code(&limit.at) {
            found.push(format!("{} at its limit: {code}", limit.name));
        }
        let past = code(&limit.past);
        if past.unwrap_or_default() != limit.code {
            found.push(format!("{} one past its limit: {past:?}, expected {}", limit.name, limit.code));
        }
    }
    found
}

/// What is signed is taken, and with any one of its bytes changed it is not, however well it would read.
fn signatures<A: Adapter>(adapter: &A, signing: &Signing) -> Vec<String> {
    let (cases, covers_body) = match signing {
        Signing::Signed(cases) => (cases, true),
        Signing::Secret(cases) => (cases, false),
        Signing::Transport => return Vec::new(),
    };
    let mut found = Vec::new();
    if !cases.iter().any(|case| case.refused.is_none()) || cases.iter().all(|case| case.refused.is_none()) {
        found.push("signatures need a good case and a bad one".to_owned());
    }
    for case in cases {
        let verified = adapter.verify(&Raw { headers: &case.headers, query: "", body: &case.body }, case.now);
        let code = verified.err().map(|rejected| rejected.code);
        if code != case.refused {
            found.push(format!("signature {}: {code:?}, expected {:?}", case.name, case.refused));
        }
        if case.refused.is_some() {
            continue;
        }
        for place in (0..case.body.len()).filter(|_| covers_body) {
            let mut changed = case.body.clone();
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1;
            }
            if adapter.verify(&Raw { headers: &case.headers, query: "", body: &changed }, case.now).is_ok() {
                found.push(format!("signature {}: byte {place} may be anything", case.name));
            }
        }
        if adapter.verify(&Raw::of(&case.body), case.now).is_ok() {
            found.push(format!("signature {}: is not needed", case.name));
        }
    }
    found
}

/// Whatever its way, the same message has the same id.
fn redeliveries<A: Adapter>(adapter: &A, pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    let ids = |bytes: &[u8]| -> Vec<String> {
        let of = |one| if let Ok(Parsed::Message(message)) = one { Some(message.provider_id) } else { None };
        adapter.parse(&Raw::of(bytes)).into_iter().filter_map(of).collect()
    };
    let mut found = Vec::new();
    for (n, (first, second)) in pairs.iter().enumerate() {
        let (first, second) = (ids(first), ids(second));
        if first.is_empty() || first != second {
            found.push(format!("redelivery {n}: {first:?} and {second:?}"));
        }
    }
    found
}

/// Bytes that nobody would send: the adapter must answer, must say the same twice, and must say why in words.
fn noise<A: Adapter>(adapter: &A, fixtures: &[Fixture]) -> Vec<String> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut found = Vec::new();
    let mut try_ = |name: &str, headers: &[(String, String)], bytes: &[u8]| {
        let raw = Raw { headers, query: "", body: bytes };
        let (first, second) = (adapter.parse(&raw), adapter.parse(&raw));
        if outcome(&first) != outcome(&second) {
            found.push(format!("{name}: read in two ways"));
        }
        let wordless = |one: &Rejected| one.code.is_empty() || one.words.is_empty();
        if first.iter().filter_map(|one| one.as_ref().err()).any(wordless) {
            found.push(format!("{name}: rejected without words"));
        }
    };
    for fixture in fixtures {
        let step = fixture.bytes.len().div_ceil(CUTS_MAX).max(1);
        for end in (0..fixture.bytes.len()).step_by(step) {
            try_(&fixture.name, &fixture.headers, fixture.bytes.get(..end).unwrap_or_default());
        }
        for _ in 0..MUTATIONS {
            try_(&fixture.name, &fixture.headers, &dice.mutate(&fixture.bytes));
        }
    }
    for length in 0..NOISE_PIECES {
        let bytes: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
        try_("noise", &[], &bytes);
    }
    found
}

/// Inputs tried by [`hammer`]: many more with `WINTERBAND_SLOW`, minutes' worth for a parser of mails.
#[must_use]
pub fn rounds() -> u32 {
    if std::env::var_os("WINTERBAND_SLOW").is_some() { 400_000 } else { 4_000 }
}

/// Damages what is known in every way: cut, spliced with another, words of the format put in, bytes changed, several times over.
/// The same inputs in every run; whatever is tried must not panic.
pub fn hammer(corpus: &[Vec<u8>], words: &[&[u8]], rounds: u32, mut try_: impl FnMut(&[u8])) {
    /// Damaged inputs grow no larger than this, or the rounds would be few.
    const BYTES_MAX: usize = 64 * 1024;
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..rounds {
        let mut bytes = corpus.get(dice.below(corpus.len())).cloned().unwrap_or_default();
        for _ in 0..=dice.below(6) {
            let place = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes = dice.mutate(&bytes),
                1 => {
                    let word = words.get(dice.below(words.len())).copied().unwrap_or_default();
                    bytes.splice(place..place, word.iter().copied());
                }
                _ => {
                    let other = corpus.get(dice.below(corpus.len())).map(Vec::as_slice).unwrap_or_default();
                    let from = dice.below(other.len());
                    bytes.truncate(place);
                    bytes.extend_from_slice(other.get(from..).unwrap_or_default());
                }
            }
        }
        bytes.truncate(BYTES_MAX);
        try_(&bytes);
    }
}

/// Xorshift: the same bytes in every run, so that a fault found once is found again.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() & 0xFF).unwrap_or_default()
    }

    /// A number below `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let place = self.below(bytes.len());
        match self.below(4) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, self.byte()),
            2 => {
                let end = place + self.below(bytes.len() - place);
                bytes.drain(place..end);
            }
            _ => {
                let byte = self.byte();
                if let Some(changed) = bytes.get_mut(place) {
                    *changed = byte;
                }
            }
        }
        bytes
    }
}
