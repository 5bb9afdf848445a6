//! The server as far as the product leans on it: sequences, the dedupe window, the fenced append, two small buckets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use protocol::{GatewayId, Input, Record};

/// Whether the server checks what an append expects. Off, only to show that the laws notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    On,
    Off,
}

/// What an append expects of the stream's end.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) last_seq: u64,
    pub(crate) last_id: Option<String>,
}

/// An append on its way.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) attempt: u64,
    pub(crate) router: usize,
    pub(crate) life: u64,
    pub(crate) conn: u64,
    /// Which leadership sent it; the server does not know, the laws do.
    pub(crate) writer: u64,
    pub(crate) msg_id: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Stored(u64),
    Duplicate,
    WrongLast,
}

/// A stream's bookkeeping; its messages lie with their readers' forms in [`Bus`].
#[derive(Debug, Default)]
struct Stream {
    last_seq: u64,
    last_id: String,
    known: BTreeMap<String, u64>,
    forgets_after_ms: u64,
}

impl Stream {
    fn new(forgets_after_ms: u64) -> Self {
        Self { forgets_after_ms, ..Self::default() }
    }

    /// A stale expectation is told before a duplicate, as measured on the real server.
    fn take(&mut self, msg_id: &str, expected: Option<&Expected>, wall: u64) -> Answer {
        if let Some(expected) = expected
            && (expected.last_seq != self.last_seq
                || expected.last_id.as_ref().is_some_and(|id| *id != self.last_id))
        {
            return Answer::WrongLast;
        }
        if self.known.get(msg_id).is_some_and(|at| wall - at < self.forgets_after_ms) {
            return Answer::Duplicate;
        }
        self.last_seq += 1;
        msg_id.clone_into(&mut self.last_id);
        self.known.insert(msg_id.to_owned(), wall);
        Answer::Stored(self.last_seq)
    }
}

/// A router's connection: in order, until it is cut.
#[derive(Debug, Default)]
pub(crate) struct Conn {
    pub(crate) queue: VecDeque<Append>,
    pub(crate) last_arrival: u64,
    pub(crate) last_answer: u64,
    pub(crate) hold_until: u64,
}

#[derive(Debug, Default)]
pub(crate) struct LeaseKey {
    pub(crate) holder: Option<GatewayId>,
    pub(crate) revision: u64,
}

pub(crate) struct Bus {
    fence: Fence,
    pub(crate) is_up: bool,
    contacts: Stream,
    inbound: Stream,
    /// CONTACTS as bytes and as read.
    pub(crate) log: Vec<(Vec<u8>, Rc<Record>)>,
    /// INBOUND as read; nothing where a message is no input.
    pub(crate) inputs: Vec<Option<Rc<Input>>>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) lease: LeaseKey,
    pub(crate) gateways: BTreeMap<GatewayId, u64>,
    /// INBOUND sequences with bytes in PARKED.
    pub(crate) parked: BTreeSet<u64>,
    pub(crate) snapshots: Vec<(u64, String)>,
}

impl Bus {
    pub(crate) fn new(fence: Fence, forgets_after_ms: u64) -> Self {
        Self {
            fence,
            is_up: true,
            contacts: Stream::new(forgets_after_ms),
            inbound: Stream::new(forgets_after_ms),
            log: Vec::new(),
            inputs: Vec::new(),
            conns: BTreeMap::new(),
            lease: LeaseKey::default(),
            gateways: BTreeMap::new(),
            parked: BTreeSet::new(),
            snapshots: Vec::new(),
        }
    }

    pub(crate) fn log_end(&self) -> u64 {
        self.log.len() as u64
    }

    pub(crate) fn inbound_end(&self) -> u64 {
        self.inputs.len() as u64
    }

    /// The record of this sequence.
    pub(crate) fn record(&self, seq: u64) -> Rc<Record> {
        Rc::clone(&self.log[usize::try_from(seq).unwrap() - 1].1)
    }

    /// The input of this sequence, if it is one.
    pub(crate) fn input(&self, seq: u64) -> Option<Rc<Input>> {
        self.inputs[usize::try_from(seq).unwrap() - 1].clone()
    }

    /// An append arrives.
    pub(crate) fn append(&mut self, append: &Append, wall: u64) -> Result<Answer, String> {
        let expected = match self.fence {
            Fence::On => Some(&append.expected),
            Fence::Off => None,
        };
        let answer = self.contacts.take(&append.msg_id, expected, wall);
        if let Answer::Stored(seq) = answer {
            let record = serde_json::from_slice(&append.bytes);
            let record = record.map_err(|error| format!("record {seq} cannot be read back: {error}"))?;
            self.log.push((append.bytes.clone(), Rc::new(record)));
        }
        Ok(answer)
    }

    /// Something for INBOUND arrives.
    pub(crate) fn publish(&mut self, msg_id: &str, bytes: &[u8], wall: u64) -> Answer {
        let answer = self.inbound.take(msg_id, None, wall);
        if let Answer::Stored(_) = answer {
            self.inputs.push(serde_json::from_slice(bytes).ok().map(Rc::new));
        }
        answer
    }
}
