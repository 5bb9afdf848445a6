//! Sealed data in the bytes of a record, found without reading the record.

use protocol::content::Sealed;

/// How sealed data begins within JSON.
const BEGINS: &[u8] = b"\"s1.";

/// All that is sealed in these bytes.
pub(crate) fn sealed_in(bytes: &[u8]) -> Vec<Sealed> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(BEGINS.len()).position(|window| window == BEGINS) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len());
        let text = rest.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        found.extend(text.and_then(|text| text.parse::<Sealed>().ok()));
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_found_wherever_it_stands() {
        let sealed = "s1.idn_01010101010101010101010101010101.1.abc";
        let text = format!(r#"{{"a":"{sealed}","b":["s1.no","{sealed}"],"c":"s1.{sealed}","d":"s1.01"#);
        let found: Vec<_> =
            sealed_in(text.as_bytes()).into_iter().map(|one| one.as_str().to_owned()).collect();
        assert_eq!(found, [sealed, sealed]);
        assert!(sealed_in(b"\"s1.").is_empty() && sealed_in(b"").is_empty());
    }
}
