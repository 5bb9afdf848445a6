//! What strangers send, damaged: the parser never panics.

use std::fs;
use std::path::Path;

use channel::conformance::{hammer, rounds};
use channel_web::WebChat;

#[test]
fn whatever_comes_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "frame"));
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty());
    let chat = WebChat::new(1024);
    let words: [&[u8]; 6] = [b"{\"t\":", b"\"say\"", b"\\ud83d", b"[[[[", b"1e999", b"\xff"];
    hammer(&corpus, &words, rounds(), |bytes| drop(chat.read(bytes, |file, _| file.bytes > 0)));
}
