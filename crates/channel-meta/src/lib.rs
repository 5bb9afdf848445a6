//! Meta's channels: WhatsApp, by the Cloud API (https://developers.facebook.com/documentation/business-messaging/whatsapp), and Messenger and
//! Instagram, by the Messenger Platform (https://developers.facebook.com/documentation/business-messaging/messenger-platform).
//!
//! Pure. What all of Meta's channels have in common stands at the top: `signature` says whose updates they are, `challenge` answers
//! whether an address is its account's, `settings` is where Meta is asked and by which token; `reading` is what each update is made of,
//! `graph` what each answer, `trust` which address of a file may be asked. The channels are `whatsapp` and `pages`.
//! The README beside this crate has the limits.

#![warn(missing_docs)]

mod challenge;
mod graph;
mod pages;
mod reading;
mod settings;
mod signature;
mod trust;
mod whatsapp;

pub use challenge::{CHALLENGE_BYTES_MAX, VerifyToken};
pub use pages::{
    HUMAN_AGENT_MS, INSTAGRAM_TEXT_BYTES_MAX, Instagram, MESSENGER_TEXT_UNITS_MAX, Messenger,
    PAGE_FILE_BYTES_MAX, PAGE_IMAGE_BYTES_MAX, PageKind, Pages, RESPONSE_MS,
};
pub use settings::{API, AccessToken, Api, AppId, NotASetting, PageId, PhoneNumberId};
pub use signature::{AppSecret, BODY_BYTES_MAX};
pub use whatsapp::{
    CAPTION_UNITS_MAX, DOCUMENT_BYTES_MAX, IMAGE_BYTES_MAX, PAIR_MS, SOUND_BYTES_MAX, TEXT_UNITS_MAX,
    WINDOW_MS, WhatsappCloud,
};
