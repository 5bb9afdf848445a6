//! What strangers send, damaged: the parser never panics.

mod common;
mod recorded;

use channel::conformance::{hammer, rounds};
use channel::{Adapter as _, Raw};

#[test]
fn whatever_comes_is_answered() {
    let corpus: Vec<Vec<u8>> = recorded::fixtures().into_iter().map(|fixture| fixture.bytes).collect();
    let bot = common::bot();
    let words: [&[u8]; 8] = [
        b"\"message\":{",
        b"\"photo\":[",
        b"\"entities\":[{\"type\":\"text_link\",\"offset\":",
        b"\\ud83d",
        b"[[[[",
        b"1e999",
        b"-9223372036854775808",
        b"\xff",
    ];
    hammer(&corpus, &words, rounds(), |bytes| {
        drop(bot.parse(&Raw::of(bytes)));
        drop(bot.acknowledge(&Raw::of(bytes)));
    });
}
