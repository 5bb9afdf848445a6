//! What text messages and WhatsApp differ in; the rest of the API is one.

use std::fmt;

use channel::ChannelKind;
use channel::known::PersonKey;

/// Most files of one text message (https://www.twilio.com/docs/messaging/api/media-resource).
pub const MMS_FILES_MAX: usize = 10;
/// Largest files of one text message together, bytes (https://www.twilio.com/docs/messaging/guides/accepted-mime-types).
pub const MMS_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Largest file that WhatsApp takes from Twilio, bytes (https://www.twilio.com/docs/whatsapp/guidance-whatsapp-media-messages).
pub const WHATSAPP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest picture that it takes, bytes (there too).
pub const WHATSAPP_IMAGE_BYTES_MAX: u64 = 5 * 1024 * 1024;

mod sealed {
    /// Nobody else adds a kind.
    pub trait Sealed {}
}

/// Which of Twilio's channels an account is of; there are [`Sms`] and [`Whatsapp`].
pub trait Kind: sealed::Sealed + Clone + fmt::Debug {
    /// The kind of channel.
    const KIND: ChannelKind;
    /// What stands before a number, so that Twilio knows the channel.
    const PREFIX: &'static str;
    /// Most files of one message.
    const FILES_MAX: usize;
    /// Largest files of one message together, bytes.
    const FILES_BYTES_MAX: u64;
    /// Whether free words are taken for a while only.
    const HAS_WINDOW: bool;
    /// Whether carriers give single words a meaning (STOP).
    const HAS_KEYWORDS: bool;

    /// Largest file of a type, bytes.
    fn file_bytes_max(media_type: &str) -> u64;

    /// Whether words go in one message with a file of a type.
    fn takes_words(media_type: &str) -> bool;

    /// Whether somebody with this identity can be written to.
    fn is_answerable(identity: &str) -> bool;

    /// What stands before the words of a machine of this name.
    fn by_machine(name: &str) -> String;
}

/// Text messages: SMS and MMS.
#[derive(Clone, Copy, Debug)]
pub struct Sms;

/// WhatsApp by Twilio.
#[derive(Clone, Copy, Debug)]
pub struct Whatsapp;

impl sealed::Sealed for Sms {}
impl sealed::Sealed for Whatsapp {}

impl Kind for Sms {
    const KIND: ChannelKind = ChannelKind::Sms;
    const PREFIX: &'static str = "";
    const FILES_MAX: usize = MMS_FILES_MAX;
    const FILES_BYTES_MAX: u64 = MMS_BYTES_MAX;
    const HAS_WINDOW: bool = false;
    const HAS_KEYWORDS: bool = true;

    fn file_bytes_max(_: &str) -> u64 {
        MMS_BYTES_MAX
    }

    fn takes_words(_: &str) -> bool {
        true
    }

    /// A short code and a name of letters are senders alone.
    fn is_answerable(identity: &str) -> bool {
        PersonKey::phone(identity).is_some()
    }

    /// Without a sign beyond GSM-7, which would make every text message of a machine more than twice as dear.
    fn by_machine(name: &str) -> String {
        format!("{name} (bot): ")
    }
}

impl Kind for Whatsapp {
    const KIND: ChannelKind = ChannelKind::Whatsapp;
    const PREFIX: &'static str = "whatsapp:";
    const FILES_MAX: usize = 1;
    const FILES_BYTES_MAX: u64 = WHATSAPP_BYTES_MAX;
    const HAS_WINDOW: bool = true;
    const HAS_KEYWORDS: bool = false;

    fn file_bytes_max(media_type: &str) -> u64 {
        if media_type.starts_with("image/") { WHATSAPP_IMAGE_BYTES_MAX } else { WHATSAPP_BYTES_MAX }
    }

    /// Documents have no caption ("Filenames and Captions" in the same guide), and of sounds and contacts nothing is said; pictures have one.
    fn takes_words(media_type: &str) -> bool {
        matches!(media_type, "image/jpeg" | "image/png")
    }

    /// Whoever wrote by WhatsApp can be answered there, also without a number of theirs.
    fn is_answerable(identity: &str) -> bool {
        !identity.is_empty()
    }

    fn by_machine(name: &str) -> String {
        format!("🤖 {name}: ")
    }
}
