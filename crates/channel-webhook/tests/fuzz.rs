//! What strangers send, damaged: the parser never panics.

use std::fs;
use std::path::Path;

use channel::conformance::{hammer, rounds};
use channel::{Adapter as _, Raw};
use channel_webhook::{Secrets, Webhook};

#[test]
fn whatever_comes_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty());
    let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let webhook = Webhook::new("https://crm.example".to_owned(), secrets);
    let words: [&[u8]; 6] = [b"{\"type\":", b"\"message.created\"", b"\\ud83d", b"[[[[", b"1e999", b"\xff"];
    hammer(&corpus, &words, rounds(), |bytes| drop(webhook.parse(&Raw::of(bytes))));
}
