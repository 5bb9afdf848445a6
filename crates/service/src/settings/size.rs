//! Sizes as people write them: `"16KiB"`.

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Bytes from a whole number and one of B, KiB, MiB, GiB, TiB; `None` for anything else, also without a unit.
pub fn parse(text: &str) -> Option<u64> {
    let (number, unit) = UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)))?;
    let number = number.trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The shortest exact writing of a number of bytes.
pub fn format(bytes: u64) -> String {
    let (name, unit) = UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .copied()
        .unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn sizes_are_read_as_written() {
        let cases = [
            ("0B", Some(0)),
            ("16KiB", Some(16_384)),
            ("1 MiB", Some(1 << 20)),
            ("2GiB", Some(1 << 31)),
            ("16777215TiB", Some(16_777_215 << 40)),
            ("16777216TiB", None),
            ("16KB", None),
            ("16", None),
            ("KiB", None),
            ("-1KiB", None),
            ("+1KiB", None),
            ("1.5MiB", None),
            ("", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_written_as_read() {
        for text in ["0B", "1023B", "1KiB", "1025B", "16KiB", "3GiB", "5TiB"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
    }
}
