//! The borders between the pages of the index, which outlive the words that they were made of.
//!
//! FTS5 keeps, for each page of terms, a beginning of its first term that is long enough to tell it from the page before. When
//! that term is deleted, securely too, the border stays as long as the page does, and with it most of a word.

use rusqlite::{Connection, params};

use crate::store::StoreError;

/// The index of whole words among those that FTS5 keeps; the others hold two to four letters.
const OF_WORDS: u8 = b'0';
/// Borders looked at in one transaction.
const BORDERS_AT_ONCE: i64 = 2_000;

/// A border: of which segment, and its bytes.
pub(super) type Border = (i64, Vec<u8>);

/// What was done to some borders.
pub(super) struct Wiped {
    /// The last one looked at; none at the end.
    pub(super) last: Option<Border>,
    /// How many were of no word any more.
    pub(super) moved: usize,
}

/// Makes the words of the index readable as a table; it stores nothing.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch(
        "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, words, row)",
    )?;
    Ok(())
}

/// Looks at some borders after this one. A border that no word begins with any more is moved up to the next word that there is:
/// it stays above all words of the page before, and not above any word of its own page.
pub(super) fn wipe_some(tx: &Connection, after: Option<&Border>) -> Result<Wiped, StoreError> {
    let start: Border = (i64::MIN, Vec::new());
    let (segment, term) = after.unwrap_or(&start);
    let borders: Vec<Border> = {
        let mut select = tx.prepare_cached(
            "SELECT segid, term FROM words_idx WHERE (segid, term) > (?1, ?2) ORDER BY segid, term LIMIT ?3",
        )?;
        let found = select.query_map(params![segment, term, BORDERS_AT_ONCE], |row| {
            // An empty one is kept as an empty text.
            let bytes = row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default().to_vec();
            Ok((row.get(0)?, bytes))
        })?;
        found.collect::<Result<_, _>>()?
    };
    let mut moved = 0;
    for (segment, term) in &borders {
        let Some((&OF_WORDS, bytes)) = term.split_first() else { continue };
        let next = next_word(tx, bytes)?;
        if next.as_ref().is_some_and(|word| word.starts_with(bytes)) {
            continue;
        }
        moved += 1;
        let Some(next) = next else {
            // No word lies behind it: its page is empty, and only FTS5 can say what becomes of that.
            tx.execute("INSERT INTO words (words) VALUES ('optimize')", [])?;
            return Ok(Wiped { last: None, moved });
        };
        let border = [&[OF_WORDS], next.as_slice()].concat();
        tx.prepare_cached("UPDATE words_idx SET term = ?3 WHERE segid = ?1 AND term = ?2")?
            .execute(params![segment, term, border])?;
    }
    Ok(Wiped { last: borders.into_iter().next_back(), moved })
}

/// The first word of the index that is not before these bytes.
fn next_word(tx: &Connection, bytes: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    // A border may end within a letter: the search begins before it.
    let whole = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut select = tx.prepare_cached("SELECT term FROM temp.vocabulary WHERE term >= ?1 ORDER BY term")?;
    let mut rows = select.query([whole])?;
    while let Some(row) = rows.next()? {
        let word = row.get_ref(0)?.as_bytes().map_err(rusqlite::Error::from)?;
        if word >= bytes {
            return Ok(Some(word.to_vec()));
        }
    }
    Ok(None)
}
