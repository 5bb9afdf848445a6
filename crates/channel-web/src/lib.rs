//! The web chat: the frames between our widget and us.
//!
//! Pure: frames in, checked messages out, entries in, frames out. Sockets, clocks and keys are `channel-host`'s.
//! The README beside this crate lists its limits.

#![warn(missing_docs)]

mod inbound;
mod outbound;
mod state;
mod token;
mod user;
mod wire;

pub use channel::{Adapter, Fate, Inbound, Outbound, Parsed, Raw, Rejected, Unsendable, Verdict};
pub use inbound::{FRAME_BYTES_MAX, Hello, LANG_BYTES_MAX, Signal, Thanks};
pub use outbound::SocketAnswer;
pub use state::CustomerState;
pub use token::{TOKEN_BYTES_MAX, TokenError, Visitor, issue, read};
pub use user::{IDENTITY_BYTES_MAX, IdentityError, SECRET_BYTES_MIN, SUB_BYTES_MAX, User, verify};
pub use wire::{EntryFrame, FileFrame, ServerFrame, Uploaded, WireKind};

use channel::limits::TEXT_BYTES_MAX;
use channel::{Attachment, ChannelKind, EntryKind, Hash128, Millis};

use inbound::Terms;

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

impl WebChat {
    /// Reads one frame; `vouches` says of a file whether that is our signature under it, for who sent the frame.
    ///
    /// # Errors
    /// [`Rejected`]; a frame is always refused, since its page still has it.
    pub fn read(
        &self,
        frame: &[u8],
        vouches: impl Fn(&Attachment, Hash128) -> bool,
    ) -> Result<Parsed<Signal>, Rejected> {
        inbound::parse(frame, Terms { text_bytes_max: self.text_bytes_max, vouches: &vouches })
    }

    /// Writes one entry as a frame; what is not for customers keeps its place and shows nothing.
    #[must_use]
    pub fn frame(&self, outbound: &Outbound<'_>) -> String {
        outbound::render(outbound)
    }
}

impl Adapter for WebChat {
    type Signal = Signal;
    type Sending = String;
    type Answer = SocketAnswer;

    const KIND: ChannelKind = ChannelKind::Web;
    /// A widget knows entries by their sequence.
    const IS_RESENDABLE: bool = true;

    /// The socket's token says whose it is.
    fn verify(&self, _: &Raw<'_>, _: Millis) -> Result<(), Rejected> {
        Ok(())
    }

    fn parse(&self, raw: &Raw<'_>) -> Vec<Result<Parsed<Signal>, Rejected>> {
        // Whose socket it is, is known to who holds it: they ask [`WebChat::read`], which believes no file without a signature.
        vec![self.read(raw.body, |_, _| true)]
    }

    /// What is not for customers keeps its place and shows nothing.
    fn sends(&self, _: &EntryKind) -> bool {
        true
    }

    fn render(&self, outbound: &Outbound<'_>) -> Result<String, Unsendable> {
        Ok(self.frame(outbound))
    }

    fn judge(&self, answer: &SocketAnswer) -> Verdict {
        outbound::judge(*answer)
    }

    fn probe(&self, _: Millis) -> Option<String> {
        None
    }
}
