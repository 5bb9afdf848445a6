//! Where words were said: the index of all of them, and the answers from it.

mod borders;
mod forget;
mod index;
mod open;
#[cfg(test)]
mod tests;
mod words;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::str::FromStr;

use protocol::limits::{SEARCH_CONVERSATIONS_MAX, SEARCH_HITS_MAX, SEARCH_RANKED_MAX};
use protocol::search::{
    SearchAnswer, SearchCursor, SearchHit, SearchOrder, SearchQuestion, SearchRefusal, SnippetPart,
};
use protocol::{ConversationId, Millis};
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

use crate::answer::Asked;
use crate::store::{StoreError, read_progress, signed, unsigned};
pub(crate) use forget::{Forgetter, begin, forget, wipe};
use index::{MARK, MARK_END, customer_name};
pub(crate) use index::{Search, Spoken};
pub(crate) use open::Opener;

/// Most words in a snippet.
const SNIPPET_WORDS: u32 = 24;

/// Where words were said.
pub(crate) struct Found;

impl Asked for Found {
    type Question = SearchQuestion;
    type Answer = SearchAnswer;
    const ABOUT: &'static str = "search";

    fn answer(
        connection: &mut Connection,
        question: &SearchQuestion,
        _now: Millis,
    ) -> Result<SearchAnswer, StoreError> {
        search(connection, question)
    }
}

/// The rows that a search looks at.
struct Scope {
    /// What FTS5 is asked.
    expression: String,
    /// From this row on.
    first: i64,
    /// Up to this row.
    last: i64,
    skip: usize,
    limit: usize,
}

/// The rows of one page, first things first.
struct Page {
    rows: Vec<i64>,
    has_more: bool,
    is_cut: bool,
}

/// Finds a page of hits.
pub(crate) fn search(
    connection: &mut Connection,
    question: &SearchQuestion,
) -> Result<SearchAnswer, StoreError> {
    // One snapshot, so that the rows found are there when they are told.
    let tx = connection.transaction()?;
    let mut answer = SearchAnswer { log_seq: read_progress(&tx)?.log_seq, ..SearchAnswer::default() };
    let expression = match expression(&tx, question)? {
        Ok(Some(expression)) => expression,
        Ok(None) => return Ok(answer),
        Err(refusal) => {
            answer.refusal = Some(refusal);
            return Ok(answer);
        }
    };
    let Some(scope) = scope(&tx, question, expression)? else { return Ok(answer) };
    let page = match question.order {
        SearchOrder::Newest => newest(&tx, &scope)?,
        SearchOrder::Best => best(&tx, &scope)?,
    };
    let skipped = scope.skip + page.rows.len();
    answer.next = page.has_more.then(|| SearchCursor {
        upto: u64::try_from(scope.last).unwrap_or(0),
        skip: u32::try_from(skipped).unwrap_or(u32::MAX),
    });
    if question.order == SearchOrder::Newest
        && let Some(next) = &mut answer.next
        && let Some(oldest) = page.rows.last()
    {
        // Nothing is skipped one by one: the next page begins below this one.
        *next = SearchCursor { upto: u64::try_from(oldest - 1).unwrap_or(0), skip: 0 };
    }
    answer.is_cut = page.is_cut;
    answer.hits = hits(&tx, &scope, &page.rows)?;
    Ok(answer)
}

/// The words and what is filtered by, as one expression; `None` if nothing can be found within the filters.
fn expression(
    tx: &Connection,
    question: &SearchQuestion,
) -> Result<Result<Option<String>, SearchRefusal>, StoreError> {
    let mut expression = match words::expression(&question.words) {
        Ok(expression) => expression,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut must = |tag: &str| expression.push_str(&format!(" AND tags : ({tag})"));
    if let Some(channel) = question.channel {
        must(&format!("c{channel}"));
    }
    if let Some(agent) = question.agent {
        let mut select = tx.prepare_cached("SELECT row FROM agents WHERE agent = ?1")?;
        let known: Option<i64> = select.query_row([agent.to_string()], |row| row.get(0)).optional()?;
        let Some(row) = known else { return Ok(Ok(None)) };
        must(&format!("a{row}"));
    }
    if let Some(tag) = &question.tag {
        let mut select = tx.prepare_cached("SELECT row FROM tags WHERE tag = ?1")?;
        let known: Option<i64> = select.query_row([tag.as_str()], |row| row.get(0)).optional()?;
        let Some(row) = known else { return Ok(Ok(None)) };
        must(&format!("t{row}"));
    }
    if question.within.as_ref().is_some_and(|within| within.len() > SEARCH_CONVERSATIONS_MAX) {
        return Ok(Err(SearchRefusal::TooManyConversations));
    }
    if let Some(rows) = conversations(tx, question)? {
        if rows.is_empty() {
            return Ok(Ok(None));
        }
        let tags: Vec<String> = rows.iter().map(|row| format!("v{row}")).collect();
        must(&tags.join(" OR "));
    }
    Ok(Ok(Some(expression)))
}

/// The conversations that are searched in; `None`: in all.
fn conversations(tx: &Connection, question: &SearchQuestion) -> Result<Option<BTreeSet<i64>>, StoreError> {
    let mut rows: Option<BTreeSet<i64>> = None;
    if let Some(within) = &question.within {
        let mut select = tx.prepare_cached("SELECT row FROM conversations WHERE conversation = ?1")?;
        let mut known = BTreeSet::new();
        for conversation in within {
            known
                .extend(select.query_row([conversation.to_string()], |row| row.get::<_, i64>(0)).optional()?);
        }
        rows = Some(known);
    }
    if let Some(identity) = question.identity {
        let mut select = tx
            .prepare_cached("SELECT row FROM conversations WHERE identity = ?1 ORDER BY row DESC LIMIT ?2")?;
        let most = i64::try_from(SEARCH_CONVERSATIONS_MAX).unwrap_or(i64::MAX);
        let theirs = select.query_map(params![identity.to_string(), most], |row| row.get(0))?;
        let theirs = theirs.collect::<Result<BTreeSet<i64>, _>>()?;
        rows = Some(match rows {
            Some(rows) => rows.intersection(&theirs).copied().collect(),
            None => theirs,
        });
    }
    Ok(rows)
}

/// Between which rows, and from which hit on; `None` if there are none.
fn scope(
    tx: &Connection,
    question: &SearchQuestion,
    expression: String,
) -> Result<Option<Scope>, StoreError> {
    // The log's time never runs backwards, so a time is a place among the rows.
    let at = |sql: &str, at: Millis| -> Result<Option<i64>, StoreError> {
        Ok(tx.prepare_cached(sql)?.query_row([signed(at.0)], |row| row.get(0)).optional()?)
    };
    let first = match question.from {
        None => Some(1),
        Some(from) => at("SELECT row FROM entries WHERE at >= ?1 ORDER BY at, row LIMIT 1", from)?,
    };
    let to = question.to.unwrap_or(Millis(u64::MAX));
    let last = at("SELECT row FROM entries WHERE at <= ?1 ORDER BY at DESC, row DESC LIMIT 1", to)?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let cursor = question.cursor;
    let last = cursor.map_or(last, |cursor| last.min(signed(cursor.upto)));
    Ok((first <= last).then(|| Scope {
        expression,
        first,
        last,
        skip: cursor.map_or(0, |cursor| usize::try_from(cursor.skip).unwrap_or(usize::MAX)),
        limit: usize::try_from(question.limit).unwrap_or(usize::MAX).min(SEARCH_HITS_MAX),
    }))
}

/// The newest hits. The index is read backwards and only as far as the page needs.
fn newest(tx: &Connection, scope: &Scope) -> Result<Page, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC LIMIT ?4",
    )?;
    let one_more = i64::try_from(scope.limit + 1).unwrap_or(i64::MAX);
    let found =
        select.query_map(params![scope.expression, scope.first, scope.last, one_more], |row| row.get(0))?;
    let mut rows = found.collect::<Result<Vec<i64>, _>>()?;
    let has_more = rows.len() > scope.limit;
    rows.truncate(scope.limit);
    Ok(Page { rows, has_more, is_cut: false })
}

/// The hits in which the words weigh most. Only the newest are weighed: a word that stands in every third message would
/// otherwise cost a look at each of them.
fn best(tx: &Connection, scope: &Scope) -> Result<Page, StoreError> {
    // A name weighs more than a word; what is filtered by weighs nothing.
    let mut select = tx.prepare_cached(
        "SELECT rowid, bm25(words, 1.0, 2.0, 0.0) FROM words
         WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC LIMIT ?4",
    )?;
    let most = i64::try_from(SEARCH_RANKED_MAX + 1).unwrap_or(i64::MAX);
    let found = select.query_map(params![scope.expression, scope.first, scope.last, most], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut found = found.collect::<Result<Vec<(i64, f64)>, _>>()?;
    let is_cut = found.len() > SEARCH_RANKED_MAX;
    found.truncate(SEARCH_RANKED_MAX);
    // Less is better; of equals the newer.
    found.sort_by(|(a_row, a), (b_row, b)| match a.total_cmp(b) {
        Ordering::Equal => b_row.cmp(a_row),
        other @ (Ordering::Less | Ordering::Greater) => other,
    });
    let has_more = found.len() > scope.skip.saturating_add(scope.limit);
    let rows = found.into_iter().skip(scope.skip).take(scope.limit).map(|(row, _)| row).collect();
    Ok(Page { rows, has_more, is_cut })
}

/// What is told of these rows, in their order.
fn hits(tx: &Connection, scope: &Scope, rows: &[i64]) -> Result<Vec<SearchHit>, StoreError> {
    let mut snippets = snippets(tx, scope, rows)?;
    let mut hits = Vec::with_capacity(rows.len());
    for row in rows {
        let snippet = snippets.remove(row).map_or_else(Vec::new, |text| parts(&text));
        hits.extend(hit(tx, *row, snippet)?);
    }
    Ok(hits)
}

fn snippets(
    tx: &Connection,
    scope: &Scope,
    rows: &[i64],
) -> Result<std::collections::BTreeMap<i64, String>, StoreError> {
    let (Some(first), Some(last)) = (rows.iter().min(), rows.iter().max()) else { return Ok([].into()) };
    // The hits are gone through once more, and the snippet is made of those of the page alone: asked for one by one, each
    // would have the words looked up anew. The plus keeps SQLite from doing just that.
    let mut select = tx.prepare_cached(
        "SELECT rowid, snippet(words, 0, ?4, ?5, '…', ?6) FROM words
         WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 AND +rowid IN (SELECT value FROM json_each(?7))",
    )?;
    let wanted = serde_json::to_string(rows).map_err(|error| StoreError::Row(error.to_string()))?;
    let (mark, end) = (MARK.to_string(), MARK_END.to_string());
    let found = select
        .query_map(params![scope.expression, first, last, mark, end, SNIPPET_WORDS, wanted], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn hit(tx: &Connection, row: i64, snippet: Vec<SnippetPart>) -> Result<Option<SearchHit>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT conversations.conversation, entries.contact, entries.seq, entries.at, entries.channel, entries.said,
                agents.agent, entries.conversation
         FROM entries JOIN conversations ON conversations.row = entries.conversation
         LEFT JOIN agents ON agents.row = entries.agent WHERE entries.row = ?1",
    )?;
    let mut rows = select.query([row])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let text = |column: usize| row.get::<_, String>(column);
    Ok(Some(SearchHit {
        conversation: word::<ConversationId>(&text(0)?)?,
        contact: word(&text(1)?)?,
        seq: unsigned(row.get(2)?)?,
        at: Millis(unsigned(row.get(3)?)?),
        channel: named(&text(4)?)?,
        said: named(&text(5)?)?,
        agent: row.get::<_, Option<String>>(6)?.as_deref().map(word).transpose()?,
        customer_name: customer_name(tx, row.get(7)?)?,
        snippet,
    }))
}

/// A snippet in its pieces.
fn parts(text: &str) -> Vec<SnippetPart> {
    let mut parts = Vec::new();
    let mut push = |text: &str, marked| {
        if !text.is_empty() {
            parts.push(SnippetPart { text: text.to_owned(), marked });
        }
    };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK) {
        push(before, false);
        let (within, after) = after.split_once(MARK_END).unwrap_or((after, ""));
        push(within, true);
        rest = after;
    }
    push(rest, false);
    parts
}

fn word<T>(text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::Row(error.to_string()))
}

/// One of the words of an enumeration.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    T::deserialize(StrDeserializer::<WordError>::new(text))
        .map_err(|error| StoreError::Row(error.to_string()))
}
