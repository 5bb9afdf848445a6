//! Reads a file's rows: CSV with a header, or one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::Context;
use csv::StringRecord;
use serde_json::{Map, Value};

use super::rows::{BadRow, Cells, Field, Mold, Row};

/// Longest row, bytes: the server takes far less, and a quote that is never closed must not fill the memory.
const ROW_BYTES_MAX: usize = 256 * 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// Guesses by the file's extension.
    ///
    /// # Errors
    /// When the extension tells nothing.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            _ => anyhow::bail!(
                "{}: its extension does not tell what it is; say --format csv or --format jsonl",
                path.display()
            ),
        }
    }
}

/// A file's rows, good and bad, in its order.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Row, BadRow>> + Send>;

/// Opens a file.
///
/// # Errors
/// When the file as a whole cannot be used: not there, empty, a column missing or named twice.
pub(super) fn open(path: &Path, format: Format, mold: Mold) -> anyhow::Result<Rows> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("failed to open {}", place()))?;
    anyhow::ensure!(!file.metadata().is_ok_and(|facts| facts.is_dir()), "{} is a folder", place());
    match format {
        Format::Csv => csv_rows(BufReader::new(file), mold).with_context(place),
        Format::Jsonl => Ok(json_rows(BufReader::new(file), mold)),
    }
}

/// Where each field stands in a CSV row.
type Places = Vec<(Field, usize)>;

fn csv_rows(mut file: impl BufRead + Send + 'static, mold: Mold) -> anyhow::Result<Rows> {
    // The library ends a row at the CR and counts lines by the LF, which it then finds in the next row.
    let begin = file.fill_buf().context("failed to read the header")?;
    let first_end = begin.iter().position(|byte| *byte == b'\n').and_then(|end| end.checked_sub(1));
    let lines_behind = u64::from(first_end.and_then(|last| begin.get(last)) == Some(&b'\r'));
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().context("line 1: failed to read the header")?.clone();
    anyhow::ensure!(!header.is_empty(), "the file is empty: expected a header with the column names");
    let places = places(&header, &mold)?;
    let mut number = 0;
    let rows = reader.into_records().map(move |record| {
        number += 1;
        let row = csv_row(number, record, &places, &mold);
        row.map(|row| Row { line: row.line + lines_behind, ..row })
            .map_err(|bad| BadRow { line: bad.line + lines_behind, ..bad })
    });
    Ok(Box::new(rows))
}

fn places(header: &StringRecord, mold: &Mold) -> anyhow::Result<Places> {
    let mut places = Places::new();
    for field in Field::ALL {
        let name = mold.columns.name_of(field);
        let mut found = header.iter().enumerate().filter(|(_, title)| title.trim() == name);
        match (found.next(), found.next()) {
            (Some((first, _)), Some((second, _))) => anyhow::bail!(
                "line 1: columns {} and {} are both named {name:?}: rename one",
                first + 1,
                second + 1
            ),
            (Some((first, _)), None) => places.push((field, first)),
            (None, _) if mold.columns.is_needed(field) => {
                let titles: Vec<&str> = header.iter().take(20).collect();
                let there = titles.join(", ");
                anyhow::bail!(
                    "line 1: there is no column {name:?}, there are: {there}; name it with --column-..."
                )
            }
            (None, _) => {}
        }
    }
    Ok(places)
}

fn csv_row(
    number: u64,
    record: Result<StringRecord, csv::Error>,
    places: &Places,
    mold: &Mold,
) -> Result<Row, BadRow> {
    let record = record.map_err(|error| csv_fault(number, &error))?;
    let line = record.position().map_or(0, csv::Position::line);
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(too_long(number, line));
    }
    mold.row(number, line, &CsvCells { record: &record, places })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's own words do for all other faults")]
fn csv_fault(number: u64, error: &csv::Error) -> BadRow {
    let line = error.position().map_or(0, csv::Position::line);
    let (column, what) = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            (None, format!("{len} cells where the header has {expected_len}"))
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            let column = format!("number {}", err.field() + 1);
            (Some(column), format!("not UTF-8 from byte {} of the cell", err.valid_up_to() + 1))
        }
        _ => (None, error.to_string()),
    };
    BadRow { number, line, column, what }
}

fn too_long(number: u64, line: u64) -> BadRow {
    let what = format!("more than {ROW_BYTES_MAX} bytes: is a quote not closed?");
    BadRow { number, line, column: None, what }
}

struct CsvCells<'a> {
    record: &'a StringRecord,
    places: &'a Places,
}

impl Cells for CsvCells<'_> {
    fn cell(&self, field: Field) -> Result<Option<String>, String> {
        let place = self.places.iter().find(|(at, _)| *at == field);
        Ok(place.and_then(|(_, n)| self.record.get(*n)).map(str::to_owned))
    }
}

fn json_rows(mut file: impl BufRead + Send + 'static, mold: Mold) -> Rows {
    let (mut number, mut line) = (0, 0);
    Box::new(std::iter::from_fn(move || {
        loop {
            line += 1;
            let bytes = match read_line(&mut file) {
                Ok(None) => return None,
                Ok(Some(bytes)) => bytes,
                Err(error) => {
                    // Nothing can be read from here on, so it is the last row.
                    let what = format!("failed to read on: {error}");
                    return (number != u64::MAX).then(|| {
                        let bad = BadRow { number: number + 1, line, column: None, what };
                        number = u64::MAX;
                        Err(bad)
                    });
                }
            };
            let bytes =
                if line == 1 { bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes) } else { &bytes };
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            number += 1;
            return Some(json_row(number, line, bytes, &mold));
        }
    }))
}

/// One line, at most one byte more than allowed; what is beyond is skipped. `None` at the end.
fn read_line(file: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(ROW_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    if file.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() > ROW_BYTES_MAX && bytes.last() != Some(&b'\n') {
        file.skip_until(b'\n')?;
    }
    Ok(Some(bytes))
}

fn json_row(number: u64, line: u64, bytes: &[u8], mold: &Mold) -> Result<Row, BadRow> {
    if bytes.len() > ROW_BYTES_MAX {
        return Err(too_long(number, line));
    }
    match serde_json::from_slice::<Map<String, Value>>(bytes.trim_ascii_end()) {
        Ok(object) => mold.row(number, line, &JsonCells { object: &object, mold }),
        Err(error) => {
            let column = (error.column() > 0).then(|| format!("character {}", error.column()));
            // The words of the error name the line within this text, which is always 1.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_owned();
            Err(BadRow { number, line, column, what: format!("expected a JSON object: {what}") })
        }
    }
}

struct JsonCells<'a> {
    object: &'a Map<String, Value>,
    mold: &'a Mold,
}

impl Cells for JsonCells<'_> {
    fn cell(&self, field: Field) -> Result<Option<String>, String> {
        match self.object.get(self.mold.columns.name_of(field)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                Err("expected a text or a number".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::replay::rows::ColumnArgs;

    fn mold() -> Mold {
        Mold { file_name: "a".into(), account: "shop".into(), columns: ColumnArgs::default() }
    }

    fn csv(text: impl Into<Vec<u8>>) -> anyhow::Result<Vec<Result<Row, BadRow>>> {
        csv_rows(Cursor::new(text.into()), mold()).map(Iterator::collect)
    }

    fn json(text: impl Into<Vec<u8>>) -> Vec<Result<Row, BadRow>> {
        json_rows(Cursor::new(text.into()), mold()).collect()
    }

    fn shown(rows: &[Result<Row, BadRow>]) -> Vec<String> {
        let one = |row: &Result<Row, BadRow>| match row {
            Ok(row) => format!("{}/{} {}", row.number, row.line, row.message.text),
            Err(bad) => format!("{}/{} {:?}: {}", bad.number, bad.line, bad.column.as_deref(), bad.what),
        };
        rows.iter().map(one).collect()
    }

    #[test]
    fn csv_with_quotes_lines_and_a_mark_is_read() {
        let rows = csv("\u{feff}text,category\n\"one,\ntwo\",a b\nthree,\n").unwrap();
        assert_eq!(shown(&rows), ["1/2 one,\ntwo", "2/4 three"]);
        assert_eq!(rows[0].as_ref().unwrap().message.category.as_deref(), Some("a_b"));
    }

    #[test]
    fn lines_are_counted_alike_however_they_end() {
        let text = "text\none\n\"two\n2\"\nthree\n \nfive";
        let unix = shown(&csv(text).unwrap());
        assert_eq!(
            unix,
            ["1/2 one", "2/3 two\n2", "3/5 three", "4/6 Some(\"text\"): there are no words", "5/7 five"]
        );
        let places = |rows: &[String]| {
            rows.iter().map(|row| row.chars().take(3).collect::<String>()).collect::<Vec<_>>()
        };
        let windows = shown(&csv(text.replace('\n', "\r\n")).unwrap());
        assert_eq!(places(&windows), places(&unix));
    }

    #[test]
    fn a_bad_csv_row_is_named_and_the_rest_goes_on() {
        let rows = csv(b"text,category\none,a\ntwo\n\xff\xfe,b\n  ,c\nfive,d\n".as_slice()).unwrap();
        assert_eq!(
            shown(&rows),
            [
                "1/2 one",
                "2/3 None: 1 cells where the header has 2",
                "3/4 Some(\"number 1\"): not UTF-8 from byte 1 of the cell",
                "4/5 Some(\"text\"): there are no words",
                "5/6 five",
            ]
        );
    }

    #[test]
    fn a_csv_that_was_not_meant_is_refused_whole() {
        let told = |text: &str| format!("{:#}", csv(text).unwrap_err());
        assert!(told("").contains("empty"));
        assert!(told("words,category\n").contains("no column \"text\", there are: words, category"));
        assert!(told("text,text\n").contains("columns 1 and 2 are both named \"text\""));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_one_bad_row() {
        let text = format!("text\none\n\"{}", "x\n".repeat(ROW_BYTES_MAX));
        let rows = csv(text).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows[1].as_ref().unwrap_err().what.contains("quote"));
    }

    #[test]
    fn json_lines_are_read_and_bad_ones_named() {
        let text = concat!(
            "\u{feff}{\"text\":\"one\",\"key\":7}\n\n",
            "{\"text\":\"two\"\n",
            "[1]\n",
            "{\"text\":[]}\n",
            "{\"category\":\"a\"}\n",
            "{\"text\":\"six\",\"from\":null}"
        );
        let rows = json(text);
        assert_eq!(
            shown(&rows),
            [
                "1/1 one",
                "2/3 Some(\"character 13\"): expected a JSON object: EOF while parsing an object",
                "3/4 None: expected a JSON object: invalid type: sequence, expected a map",
                "4/5 Some(\"text\"): expected a text or a number",
                "5/6 Some(\"text\"): there are no words",
                "6/7 six",
            ]
        );
        assert_eq!(rows[0].as_ref().unwrap().message.id, "7");
    }

    #[test]
    fn a_json_line_has_a_limit() {
        let text = |n: usize| format!("{{\"text\":\"{}\"}}\n{{\"text\":\"next\"}}\n", "x".repeat(n - 12));
        let at = json(text(ROW_BYTES_MAX - 1));
        assert!(at.iter().all(Result::is_ok), "{:?}", at.iter().map(Result::is_ok).collect::<Vec<_>>());
        let past = json(text(ROW_BYTES_MAX + 1));
        assert!(past[0].as_ref().unwrap_err().what.contains("bytes"));
        assert_eq!(past[1].as_ref().unwrap().message.text, "next");
        assert_eq!(past.len(), 2);
    }
}
