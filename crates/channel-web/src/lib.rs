//! The web chat: the frames between our widget and us.
//!
//! Pure: frames in, checked messages out, entries in, frames out. Sockets, clocks and keys are `channel-host`'s.
//! The README beside this crate lists its limits.

#![warn(missing_docs)]

mod inbound;
mod outbound;
mod state;
mod token;
mod wire;

pub use channel::{Adapter, Fate, Inbound, Outbound, Parsed, Rejected, Verdict};
pub use inbound::{FRAME_BYTES_MAX, Hello, LANG_BYTES_MAX, Signal, Thanks};
pub use outbound::SocketAnswer;
pub use state::CustomerState;
pub use token::{TOKEN_BYTES_MAX, TokenError, Visitor, issue, read};
pub use wire::{EntryFrame, ServerFrame, WireKind};

use channel::ChannelKind;
use channel::limits::TEXT_BYTES_MAX;

/// The adapter of the web chat.
#[derive(Clone, Copy, Debug)]
pub struct WebChat {
    text_bytes_max: usize,
}

impl WebChat {
    /// With a limit of its own on the text, bytes; never above the product's.
    #[must_use]
    pub fn new(text_bytes_max: usize) -> Self {
        Self { text_bytes_max: text_bytes_max.min(TEXT_BYTES_MAX) }
    }
}

impl Adapter for WebChat {
    type Signal = Signal;
    type Answer = SocketAnswer;

    const KIND: ChannelKind = ChannelKind::Web;

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<Signal>, Rejected> {
        inbound::parse(bytes, self.text_bytes_max)
    }

    fn render(&self, entry: &Outbound<'_>) -> String {
        outbound::render(entry)
    }

    fn judge(&self, answer: SocketAnswer) -> Verdict {
        outbound::judge(answer)
    }
}
