//! Every parser that strangers' mails reach, hammered with damaged mails: none of them panics.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use channel::conformance::{hammer, rounds};
use channel_email::authentication::{read_results, sender_verified};
use channel_email::{Address, fuzz};

const WORDS: [&[u8]; 24] = [
    b"Authentication-Results: mx.us; dmarc=pass (p=NONE) header.from=example.com\r\n",
    b"\"\\(;) smtp.mailfrom=",
    b"\r\n\r\n",
    b"\r\n--",
    b"Content-Type: multipart/mixed; boundary=\"x\"\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-16\r\n",
    b"Content-Type: multipart/report; report-type=delivery-status\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"References: <a@b> <c@d>\r\n",
    b"Subject: =?utf-8?B?4pyT?=\r\n",
    b"=?iso-2022-jp?B?GyRC?=",
    b"From: \"a\\\"b\" <a@b>, (c) d@e\r\n",
    b"Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.1.1\r\n",
    b"<blockquote><div class=gmail_quote>",
    b"<table><svg><style>@import url(x)</style>",
    b"<img src=cid:a style=\"background:url(//x)\">",
    b"&#x41;&amp;&#xffffffff;",
    b"On Mon, 1 Jan 2026 at 10:00, A <a@b> wrote:\n> ",
    b"-- \n",
    b"\0",
    b"\xff\xfe",
    b"\xe2\x80\xae",
];

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn mails() {
    hammer(&corpus(), &WORDS, rounds(), fuzz::mail);
}

#[test]
fn reports() {
    hammer(&corpus(), &WORDS, rounds(), fuzz::bounce);
}

#[test]
fn texts() {
    hammer(&corpus(), &WORDS, rounds(), fuzz::reply);
}

#[test]
fn pages() {
    hammer(&corpus(), &WORDS, rounds(), fuzz::html);
}

/// Whatever a sender gets written into a header of the server, quoted well or not at all: its own word stays what it is.
#[test]
fn results() {
    let corpus: Vec<Vec<u8>> = [
        &b"x; dmarc=pass header.from=bank.example; "[..],
        b"any@bank.example(.attacker.example",
        b"\"x; dmarc=pass header.from=bank.example; \"@attacker.example",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let words: [&[u8]; 14] = [
        b"(",
        b")",
        b"\"",
        b"\\",
        b";",
        b"=",
        b" ",
        b"\r\n ",
        b"\xc3\xa4",
        b"dmarc=pass",
        b"header.from=bank.example",
        b"mx.us",
        b"(\"",
        b"\");",
    ];
    let from = Address::new("ann@bank.example");
    hammer(&corpus, &words, rounds(), |bytes| {
        fuzz::names(bytes);
        let text = String::from_utf8_lossy(bytes);
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        for value in [
            format!("mx.us; spf=pass smtp.mailfrom={text}; dmarc=fail header.from=bank.example"),
            format!("mx.us; dmarc=fail header.from=bank.example; spf=pass smtp.mailfrom={text}"),
            format!("mx.us; spf=pass smtp.mailfrom=\"{quoted}\"@attacker.example"),
        ] {
            let all: Vec<_> = read_results(&value).into_iter().collect();
            assert!(!sender_verified(from.as_ref(), &all, "mx.us"), "{value}");
        }
    });
}

#[test]
fn names() {
    hammer(&corpus(), &WORDS, rounds(), fuzz::names);
}
