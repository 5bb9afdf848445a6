//! What differs between a page on Messenger and an account of Instagram.

use std::fmt;

use channel::{ChannelKind, words};

use super::pieces;

/// Longest text of a message on Messenger, UTF-16 units; what is longer goes in several
/// (https://developers.facebook.com/documentation/business-messaging/messenger-platform/reference/send-api).
/// Meta says "characters" and not of what kind: no kind is more.
pub const MESSENGER_TEXT_UNITS_MAX: usize = 2000;
/// Longest text of a message on Instagram, bytes of UTF-8
/// (https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message).
pub const INSTAGRAM_TEXT_BYTES_MAX: usize = 1000;

mod sealed {
    /// Nobody else adds a kind.
    pub trait Sealed {}
}

/// Which of the two an account is of: [`Messenger`] or [`Instagram`].
pub trait PageKind: sealed::Sealed + Clone + fmt::Debug {
    /// The kind of channel.
    const KIND: ChannelKind;
    /// What every update says that it is about.
    const OBJECT: &'static str;
    /// What it is called for who sets it up.
    const NAME: &'static str;
    /// What is asked of it.
    const FIELDS: &'static str;
    /// Whether an id of ours goes along with a message and comes back in its echo.
    const HAS_METADATA: bool;
    /// Whether what is asked of it says which apps are told of it.
    const TELLS_APPS: bool;
    /// Whether a file of any type is taken; otherwise of a few types alone.
    const TAKES_ANY_FILE: bool;

    /// Who sends, in the address of a message, given the id of the account.
    fn sender(id: &str) -> &str;

    /// Words in parts that fit below what stands before each of them.
    fn pieces<'a>(before: &str, words: &'a str) -> Vec<&'a str>;
}

/// A page, whose customers write on Messenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messenger;

/// An account of Instagram, whose customers write to it directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instagram;

impl sealed::Sealed for Messenger {}
impl sealed::Sealed for Instagram {}

impl PageKind for Messenger {
    const KIND: ChannelKind = ChannelKind::Messenger;
    const OBJECT: &'static str = "page";
    const NAME: &'static str = "page";
    /// The braces are written as addresses have them.
    const FIELDS: &'static str = "name,subscribed_apps%7Bid,name,subscribed_fields%7D";
    const HAS_METADATA: bool = true;
    const TELLS_APPS: bool = true;
    const TAKES_ANY_FILE: bool = true;

    fn sender(id: &str) -> &str {
        id
    }

    fn pieces<'a>(before: &str, words: &'a str) -> Vec<&'a str> {
        words::pieces(words, MESSENGER_TEXT_UNITS_MAX.saturating_sub(before.encode_utf16().count()))
    }
}

impl PageKind for Instagram {
    const KIND: ChannelKind = ChannelKind::Instagram;
    const OBJECT: &'static str = "instagram";
    const NAME: &'static str = "account of Instagram";
    const FIELDS: &'static str = "name,username";
    const HAS_METADATA: bool = false;
    const TELLS_APPS: bool = false;
    const TAKES_ANY_FILE: bool = false;

    /// Where one signs in by a page it is the page that sends, whose id nobody told us; the token says which.
    fn sender(_: &str) -> &str {
        "me"
    }

    fn pieces<'a>(before: &str, words: &'a str) -> Vec<&'a str> {
        pieces::in_bytes(words, INSTAGRAM_TEXT_BYTES_MAX.saturating_sub(before.len()))
    }
}
