//! Texts in parts, where the limit is one of bytes.

/// A text in pieces of so many bytes of UTF-8, cut at the end of a line or a word where there is one in its second half.
pub(super) fn in_bytes(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while let Some(letter) = rest.chars().next() {
        let end = if rest.len() <= bytes_max { rest.len() } else { cut(rest, bytes_max) };
        // Where not even one letter fits it goes all the same, or there would be no end.
        let (piece, after) = rest.split_at(end.max(letter.len_utf8()));
        pieces.push(piece.trim_end());
        rest = after.trim_start();
    }
    pieces
}

/// Where a text that is too long is cut best: between letters, never within one.
fn cut(text: &str, bytes_max: usize) -> usize {
    let end = text.floor_char_boundary(bytes_max);
    let (whole, after) = text.split_at(end);
    let line = if after.starts_with('\n') { Some(end) } else { whole.rfind('\n') };
    let word =
        if after.starts_with(char::is_whitespace) { Some(end) } else { whole.rfind(char::is_whitespace) };
    [line, word].into_iter().flatten().find(|place| *place > end / 2).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_it_breaks_least() {
        assert_eq!(in_bytes("short", 10), ["short"]);
        assert_eq!(in_bytes("one two three", 9), ["one two", "three"]);
        assert_eq!(in_bytes("one two three", 7), ["one two", "three"]);
        assert_eq!(in_bytes("one two\nab three", 10), ["one two", "ab three"]);
        assert_eq!(in_bytes("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert!(in_bytes(" \n ", 4).is_empty());
    }

    #[test]
    fn bytes_are_counted_and_no_letter_is_cut_in_two() {
        // Two bytes, three and four.
        assert_eq!(in_bytes("ääää", 8), ["ääää"]);
        assert_eq!(in_bytes("ääää", 7), ["äää", "ä"]);
        assert_eq!(in_bytes("日本語", 8), ["日本", "語"]);
        assert_eq!(in_bytes("😀😀😀", 9), ["😀😀", "😀"]);
        assert_eq!(in_bytes("äöü", 0), ["ä", "ö", "ü"], "it ends");
    }

    #[test]
    fn nothing_of_a_long_text_is_lost() {
        let long = "Größe 日本 😀 und so weiter, ".repeat(300);
        let pieces = in_bytes(&long, 1000);
        assert!(pieces.iter().all(|piece| piece.len() <= 1000));
        assert!(pieces.len() >= long.len() / 1000);
        let kept: String = pieces.concat().split_whitespace().collect();
        assert_eq!(kept, long.split_whitespace().collect::<String>());
    }
}
