//! The limits of reading, each with what happens past it.

/// Longest message looked at, bytes. What is past it is not read; [`crate::Mail::cut_bytes`] says how much that was.
pub const MESSAGE_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Longest plain text kept, bytes. The rest is cut at a character; [`crate::Mail::text_cut`] says so.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Longest html body kept as html, bytes. A longer one becomes a part, so that it can still be fetched.
pub const HTML_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most parts kept. The others are counted in [`crate::Mail::left_out`].
pub const PARTS_MAX: usize = 100;
/// Largest part kept, bytes once decoded. A larger one is counted in [`crate::Mail::left_out`].
pub const PART_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Most addresses read from one header. The others are not read.
pub const ADDRESSES_MAX: usize = 200;
/// Most ids read from one header; of `References` the first and the last ones are kept.
pub const IDS_MAX: usize = 100;
/// Longest id, address or name of a person, bytes. A longer id or address is not one; a longer name is cut.
pub const ID_BYTES_MAX: usize = 998;
/// Longest subject, characters; the rest is cut.
pub const SUBJECT_CHARS_MAX: usize = 998;
/// Longest file name, characters; it is cut before its extension.
pub const NAME_CHARS_MAX: usize = 120;

/// The limits one reading works with; none is above the constant it starts from unless the caller says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`MESSAGE_BYTES_MAX`].
    pub message_bytes_max: usize,
    /// See [`TEXT_BYTES_MAX`].
    pub text_bytes_max: usize,
    /// See [`HTML_BYTES_MAX`].
    pub html_bytes_max: usize,
    /// See [`PARTS_MAX`].
    pub parts_max: usize,
    /// See [`PART_BYTES_MAX`].
    pub part_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: MESSAGE_BYTES_MAX,
            text_bytes_max: TEXT_BYTES_MAX,
            html_bytes_max: HTML_BYTES_MAX,
            parts_max: PARTS_MAX,
            part_bytes_max: PART_BYTES_MAX,
        }
    }
}
