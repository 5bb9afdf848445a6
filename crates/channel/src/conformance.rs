//! The suite that every adapter runs over its fixtures.
//!
//! It takes data and gives back what is wrong, so that an adapter's test is one assertion: that nothing is.

use crate::{Adapter, Fate, Parsed, Rejected};

/// Mutations tried of every fixture.
pub const MUTATIONS: u32 = 400;
/// Bytes of pure noise tried, in pieces of growing length.
const NOISE_PIECES: usize = 300;

/// Bytes as a provider sends them, and what has to come of them.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Named by its peculiarity.
    pub name: String,
    /// As they came.
    pub bytes: Vec<u8>,
    /// One line: `message <provider id>`, `signal`, `refuse <code>` or `park <code>`.
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
    /// The code that `past` is rejected with.
    pub code: &'static str,
}

/// Runs everything; an empty answer means that the adapter conforms.
pub fn faults<A: Adapter>(adapter: &A, fixtures: &[Fixture], limits: &[Limit]) -> Vec<String> {
    let mut found = Vec::new();
    if fixtures.is_empty() || limits.is_empty() {
        found.push("an adapter without fixtures or limits proves nothing".to_owned());
    }
    for fixture in fixtures {
        let outcome = outcome(&adapter.parse(&fixture.bytes));
        if outcome != fixture.expected.trim() {
            found.push(format!("{}: {outcome:?}, expected {:?}", fixture.name, fixture.expected.trim()));
        }
    }
    for limit in limits {
        if let Err(rejected) = adapter.parse(&limit.at) {
            found.push(format!("{} at its limit: {}", limit.name, rejected.code));
        }
        let past = adapter.parse(&limit.past).err().map(|rejected| rejected.code);
        if past != Some(limit.code) {
            found.push(format!("{} one past its limit: {past:?}, expected {}", limit.name, limit.code));
        }
    }
    found.extend(noise(adapter, fixtures));
    found
}

/// What came of parsing, in the words of [`Fixture::expected`].
fn outcome<S>(parsed: &Result<Parsed<S>, Rejected>) -> String {
    match parsed {
        Ok(Parsed::Message(message)) => format!("message {}", message.provider_id),
        Ok(Parsed::Signal(_)) => "signal".to_owned(),
        Err(Rejected { fate: Fate::Refuse, code, .. }) => format!("refuse {code}"),
        Err(Rejected { fate: Fate::Park, code, .. }) => format!("park {code}"),
    }
}

/// Bytes that nobody would send: the adapter must answer, must say the same twice, and must say why in words.
fn noise<A: Adapter>(adapter: &A, fixtures: &[Fixture]) -> Vec<String> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut found = Vec::new();
    let mut try_ = |name: &str, bytes: &[u8]| {
        let (first, second) = (adapter.parse(bytes), adapter.parse(bytes));
        if outcome(&first) != outcome(&second) {
            found.push(format!("{name}: read in two ways"));
        }
        if let Err(rejected) = first
            && (rejected.code.is_empty() || rejected.words.is_empty())
        {
            found.push(format!("{name}: rejected without words"));
        }
    };
    for fixture in fixtures {
        for _ in 0..MUTATIONS {
            try_(&fixture.name, &dice.mutate(&fixture.bytes));
        }
    }
    for length in 0..NOISE_PIECES {
        let bytes: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
        try_("noise", &bytes);
    }
    found
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
