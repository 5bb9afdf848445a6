//! Lists of words and phrases, each written as one text with bars between them.

/// A list in lower case, such as `wrote|schrieb`.
#[derive(Clone, Copy)]
pub(crate) struct Phrases(pub(crate) &'static str);

impl Phrases {
    /// Each of them.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split('|')
    }

    /// Whether one of them is somewhere in a text in lower case.
    pub(crate) fn within(self, text: &str) -> bool {
        self.iter().any(|phrase| text.contains(phrase))
    }

    /// Whether a text in lower case begins with one of them.
    pub(crate) fn begin(self, text: &str) -> bool {
        self.iter().any(|phrase| text.starts_with(phrase))
    }

    /// Whether a word in lower case is one of them.
    pub(crate) fn has(self, word: &str) -> bool {
        self.iter().any(|phrase| phrase == word)
    }
}
