//! What a text message comes to, held to the standard's tables, which stand here a second time as numbers.

use channel_twilio::segments::{Encoding, Segments};
use serde::Deserialize;

/// Code points of the default alphabet, by Unicode's numbers (3GPP TS 23.038, 6.2.1, with GSM0338.TXT of the Unicode Consortium).
const BASIC: [u32; 42] = [
    0x0A, 0x0D, 0x5F, 0xA1, 0xA3, 0xA4, 0xA5, 0xA7, 0xBF, 0xC4, 0xC5, 0xC6, 0xC7, 0xC9, 0xD1, 0xD6, 0xD8,
    0xDC, 0xDF, 0xE0, 0xE4, 0xE5, 0xE6, 0xE8, 0xE9, 0xEC, 0xF1, 0xF2, 0xF6, 0xF8, 0xF9, 0xFC, 0x393, 0x394,
    0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9,
];
/// Those of the extension, which take two units (6.2.1.1).
const EXTENSION: [u32; 10] = [0x0C, 0x5B, 0x5C, 0x5D, 0x5E, 0x7B, 0x7C, 0x7D, 0x7E, 0x20AC];

fn is_basic(code: u32) -> bool {
    (0x20..=0x5A).contains(&code) || (0x61..=0x7A).contains(&code) || BASIC.contains(&code)
}

#[test]
fn every_sign_of_unicode_is_of_the_right_alphabet() {
    let (mut basic, mut extended) = (0, 0);
    for sign in '\0'..=char::MAX {
        let code = u32::from(sign);
        let one = Segments::of(sign.encode_utf8(&mut [0; 4]));
        let (encoding, units) = if is_basic(code) {
            basic += 1;
            (Encoding::Gsm7, 1)
        } else if EXTENSION.contains(&code) {
            extended += 1;
            (Encoding::Gsm7, 2)
        } else {
            (Encoding::Ucs2, if code > 0xFFFF { 2 } else { 1 })
        };
        let single = if encoding == Encoding::Gsm7 { 160 } else { 70 };
        assert_eq!(one, Segments { encoding, count: 1, left: single - units }, "U+{code:04X}");
    }
    // 128 codes of which one is the escape.
    assert_eq!((basic, extended), (127, 10));
}

#[test]
fn segments_end_where_the_standard_says() {
    let of = |sign: &str, count: usize| {
        let Segments { encoding, count, left } = Segments::of(&sign.repeat(count));
        (encoding.as_str(), count, left)
    };
    for (sign, length, expected) in [
        ("a", 1, ("GSM-7", 1, 159)),
        ("a", 160, ("GSM-7", 1, 0)),
        ("a", 161, ("GSM-7", 2, 145)),
        ("a", 2 * 153, ("GSM-7", 2, 0)),
        ("a", 2 * 153 + 1, ("GSM-7", 3, 152)),
        ("a", 10 * 153, ("GSM-7", 10, 0)),
        ("[", 80, ("GSM-7", 1, 0)),
        ("[", 81, ("GSM-7", 2, 143)),
        // An escape is not parted from its sign: 76 of them fill 152 of 153.
        ("[", 2 * 76, ("GSM-7", 2, 1)),
        ("[", 2 * 76 + 1, ("GSM-7", 3, 151)),
        ("ж", 70, ("UCS-2", 1, 0)),
        ("ж", 71, ("UCS-2", 2, 63)),
        ("ж", 2 * 67, ("UCS-2", 2, 0)),
        ("ж", 2 * 67 + 1, ("UCS-2", 3, 66)),
        ("😀", 35, ("UCS-2", 1, 0)),
        ("😀", 36, ("UCS-2", 2, 61)),
        // Neither are the two halves of a pair: 33 of them fill 66 of 67.
        ("😀", 2 * 33, ("UCS-2", 2, 1)),
        ("😀", 2 * 33 + 1, ("UCS-2", 3, 65)),
    ] {
        assert_eq!(of(sign, length), expected, "{sign} x {length}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    encoding: String,
    count: usize,
    left: usize,
}

/// The same rows that a composer's own count is held to.
#[test]
fn every_row_of_the_fixture_is_right() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../fixtures/segments.json")).unwrap();
    assert!(rows.len() >= 20, "{} rows", rows.len());
    for row in rows {
        let Segments { encoding, count, left } = Segments::of(&row.text);
        let expected = (row.encoding.as_str(), row.count, row.left);
        assert_eq!((encoding.as_str(), count, left), expected, "{:?}", row.text);
    }
}
