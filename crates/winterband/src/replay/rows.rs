//! What a row of a file becomes: a message, or a fault with its place. Pure.

use std::collections::BTreeMap;

use protocol::api::{NewMessage, Sender};
use serde::Serialize;

/// One row, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number among the data rows, from 1.
    pub(super) number: u64,
    /// Where it begins in the file, from 1.
    pub(super) line: u64,
    /// What is sent.
    pub(super) message: NewMessage,
}

impl Row {
    /// Whose rows go one after another.
    pub(super) fn sender(&self) -> &str {
        &self.message.from.value
    }
}

/// A row that cannot become a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BadRow {
    /// Its number among the data rows, from 1.
    pub(super) number: u64,
    /// Where it begins in the file, from 1.
    pub(super) line: u64,
    /// The column at fault, where there is one.
    pub(super) column: Option<String>,
    /// What is wrong.
    pub(super) what: String,
}

/// Which columns hold what.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ColumnArgs {
    /// The column with the words [default: text].
    #[arg(long, value_name = "NAME")]
    column_text: Option<String>,
    /// The column with what it is about [default: category].
    #[arg(long, value_name = "NAME")]
    column_category: Option<String>,
    /// The column with the sender's id of the message [default: key].
    #[arg(long, value_name = "NAME")]
    column_key: Option<String>,
    /// The column with who wrote: an address, a number, an id [default: from].
    #[arg(long, value_name = "NAME")]
    column_from: Option<String>,
    /// The column with the name they give [default: name].
    #[arg(long, value_name = "NAME")]
    column_name: Option<String>,
    /// The column with when it was written, ms since the epoch [default: sent_at].
    #[arg(long, value_name = "NAME")]
    column_sent_at: Option<String>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Text,
    Category,
    Key,
    From,
    Name,
    SentAt,
}

impl Field {
    pub(super) const ALL: [Self; 6] =
        [Self::Text, Self::Category, Self::Key, Self::From, Self::Name, Self::SentAt];
}

impl ColumnArgs {
    /// The name of the field's column.
    pub(super) fn name_of(&self, field: Field) -> &str {
        let (given, default) = match field {
            Field::Text => (&self.column_text, "text"),
            Field::Category => (&self.column_category, "category"),
            Field::Key => (&self.column_key, "key"),
            Field::From => (&self.column_from, "from"),
            Field::Name => (&self.column_name, "name"),
            Field::SentAt => (&self.column_sent_at, "sent_at"),
        };
        given.as_deref().unwrap_or(default)
    }

    /// Whether a file without this column is not the file that was meant.
    pub(super) fn is_needed(&self, field: Field) -> bool {
        match field {
            Field::Text => true,
            Field::Category => self.column_category.is_some(),
            Field::Key => self.column_key.is_some(),
            Field::From => self.column_from.is_some(),
            Field::Name => self.column_name.is_some(),
            Field::SentAt => self.column_sent_at.is_some(),
        }
    }
}

/// What all rows of a file share.
#[derive(Clone, Debug)]
pub(super) struct Mold {
    /// The file's name without its folders: part of ids, so the same file is the same messages anywhere.
    pub(super) file_name: String,
    /// The account that the messages come in by.
    pub(super) account: String,
    /// Which columns hold what.
    pub(super) columns: ColumnArgs,
}

/// The cells of one row.
pub(super) trait Cells {
    /// The text of a cell; `None` if there is none.
    ///
    /// # Errors
    /// When there is something that is no text, in words.
    fn cell(&self, field: Field) -> Result<Option<String>, String>;
}

impl Mold {
    /// Makes the message of a row.
    ///
    /// # Errors
    /// A [`BadRow`] when a cell cannot be used; it is reported and the rest goes on.
    pub(super) fn row(&self, number: u64, line: u64, cells: &impl Cells) -> Result<Row, BadRow> {
        let bad = |field: Field, what: String| {
            let column = Some(self.columns.name_of(field).to_owned());
            BadRow { number, line, column, what }
        };
        let cell = |field: Field| cells.cell(field).map_err(|what| bad(field, what));
        let short = |field: Field| {
            cell(field).map(|text| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
        };
        let text = cell(Field::Text)?.filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| bad(Field::Text, "there are no words".to_owned()))?;
        let sent_at =
            match short(Field::SentAt)? {
                None => None,
                Some(digits) => Some(digits.parse().map_err(|_| {
                    bad(Field::SentAt, "expected whole milliseconds since the epoch".to_owned())
                })?),
            };
        let file = &self.file_name;
        let message = NewMessage {
            account: self.account.clone(),
            id: short(Field::Key)?.unwrap_or_else(|| format!("{file}:{number}")),
            from: Sender {
                value: short(Field::From)?.unwrap_or_else(|| format!("{file}:row-{number}")),
                name: short(Field::Name)?,
            },
            text,
            category: short(Field::Category)?.map(|words| as_token(&words)),
            sent_at,
            language: None,
            facts: BTreeMap::new(),
            practice: false,
        };
        Ok(Row { number, line, message })
    }
}

/// Every character that cannot stand in a token becomes `_`.
fn as_token(words: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    words.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
pub(super) fn row_for_test(number: u64, sender: &str) -> Row {
    let from = Sender { value: sender.to_owned(), name: None };
    let (account, id, text) = ("shop".to_owned(), format!("id-{number}"), "hello".to_owned());
    let message = NewMessage {
        account,
        id,
        from,
        text,
        category: None,
        sent_at: None,
        language: None,
        facts: BTreeMap::new(),
        practice: false,
    };
    Row { number, line: number + 1, message }
}

#[cfg(test)]
mod tests {

    use super::*;

    impl Cells for BTreeMap<Field, &str> {
        fn cell(&self, field: Field) -> Result<Option<String>, String> {
            Ok(self.get(&field).map(|text| (*text).to_owned()))
        }
    }

    fn mold() -> Mold {
        Mold { file_name: "a.csv".into(), account: "shop".into(), columns: ColumnArgs::default() }
    }

    #[test]
    fn a_full_row_is_a_message() {
        let cells: BTreeMap<Field, &str> = [
            (Field::Text, " Where is it? "),
            (Field::Category, " Refund not showing up?"),
            (Field::Key, "k-1"),
            (Field::From, "ada@example.org"),
            (Field::Name, "Ada"),
            (Field::SentAt, "1700000000000"),
        ]
        .into();
        let row = mold().row(3, 4, &cells).unwrap();
        assert_eq!((row.number, row.line, row.sender()), (3, 4, "ada@example.org"));
        let NewMessage { account, id, from, text, category, sent_at, .. } = row.message;
        assert_eq!((account.as_str(), id.as_str(), text.as_str()), ("shop", "k-1", " Where is it? "));
        assert_eq!(from.name.as_deref(), Some("Ada"));
        assert_eq!(category.as_deref(), Some("Refund_not_showing_up_"));
        assert_eq!(sent_at, Some(1_700_000_000_000));
    }

    #[test]
    fn what_is_missing_is_named_after_the_file_and_the_row() {
        let cells = BTreeMap::from([(Field::Text, "hello"), (Field::Key, " "), (Field::From, "")]);
        let message = mold().row(7, 9, &cells).unwrap().message;
        assert_eq!(message.id, "a.csv:7");
        assert_eq!(message.from, Sender { value: "a.csv:row-7".into(), name: None });
        assert_eq!((message.category, message.sent_at), (None, None));
    }

    #[test]
    fn faults_have_their_place() {
        let cells = BTreeMap::from([(Field::Text, " \n")]);
        let bad = mold().row(1, 2, &cells).unwrap_err();
        assert_eq!((bad.number, bad.line, bad.column.as_deref()), (1, 2, Some("text")));
        let cells = BTreeMap::from([(Field::Text, "hello"), (Field::SentAt, "yesterday")]);
        let bad = mold().row(1, 2, &cells).unwrap_err();
        assert_eq!(bad.column.as_deref(), Some("sent_at"));
    }

    #[test]
    fn categories_become_tokens() {
        assert_eq!(as_token("top_up-9"), "top_up-9");
        assert_eq!(as_token("caf\u{e9} a.b>*"), "caf__a_b__");
    }
}
