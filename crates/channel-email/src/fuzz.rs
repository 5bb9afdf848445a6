//! One entry for each parser that strangers' bytes reach, for fuzz targets. None of them panics or returns an error.

use crate::address::Address;
use crate::sign::Key;
use crate::thread::{SubjectTokens, evidence, own_message};
use crate::{Limits, automatic, content_key};

/// Everything that a mail goes through when it comes in.
pub fn mail(bytes: &[u8]) {
    let Ok(mail) = crate::read(bytes, &Limits::default()) else { return };
    let key = Key::new([1; 32]);
    let own = Address { name: None, email: "support@us.example".to_owned() };
    let _read = (content_key(bytes, &mail), own_message(&mail, &key, &["help"]));
    let _thread = evidence(&mail, &key, "help", &own, SubjectTokens::On);
    let _answer = automatic::may_answer_automatically(&mail, &["support@us.example"]);
    if let Some(html) = &mail.html {
        let _clean = crate::html::clean_folded(html, &crate::html::CleanOptions::default());
    }
}

/// A report about a mail of ours.
pub fn bounce(bytes: &[u8]) {
    let _found = crate::bounce::read_bounce(bytes);
}

/// A plain text that is split.
pub fn reply(bytes: &[u8]) {
    let _parts = crate::reply::split(&String::from_utf8_lossy(bytes));
}

/// Html that is folded, cleaned and turned into words.
pub fn html(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _clean = crate::html::clean_folded(&text, &crate::html::CleanOptions::default());
    let _words = crate::html::to_text(&text);
}

/// An id, a mark, an address and a subject.
pub fn names(bytes: &[u8]) {
    let (text, key) = (String::from_utf8_lossy(bytes), Key::new([1; 32]));
    let _id = crate::thread::read_own_message_id(&key, "help", &text);
    let _mark = crate::thread::read_own_mark(&key, "help", &text);
    let _addresses = crate::read_addresses(&text);
    let _results = crate::authentication::read_results(&text);
    let _subject = (crate::subject::base_subject(&text), crate::subject::subject_token(&text));
}
