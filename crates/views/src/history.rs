//! Answers: a conversation's past, read in one snapshot of the rows.

use std::str::FromStr;

use protocol::limits::HISTORY_ENTRIES_MAX;
use protocol::thread::Entry;
use protocol::views::{History, HistoryQuestion, PastContact};
use protocol::{ConversationId, Millis};
use rusqlite::{Connection, Row, params};

use crate::answer::Asked;
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Most contacts told of one conversation, the latest ones.
pub(crate) const CONTACTS_MAX: usize = 100;
/// Most bytes of words in one answer: the server takes messages of 1 MiB, and the rest of an entry is small.
///
/// Entries that do not fit are left out, the oldest first. The asker sees it: sequences begin at 1 and have no hole.
pub(crate) const WORDS_BYTES_MAX: usize = 768 * 1024;

/// A conversation's past.
pub(crate) struct Past;

impl Asked for Past {
    type Question = HistoryQuestion;
    type Answer = History;
    const ABOUT: &'static str = "history";

    fn answer(
        connection: &mut Connection,
        question: &HistoryQuestion,
        _now: Millis,
    ) -> Result<History, StoreError> {
        history(connection, question)
    }
}

/// Reads the past that is asked for.
pub(crate) fn history(
    connection: &mut Connection,
    question: &HistoryQuestion,
) -> Result<History, StoreError> {
    // One snapshot, so that the cursor told is true for the rows told.
    let tx = connection.transaction()?;
    let log_seq = read_progress(&tx)?.log_seq;
    let entries = entries(&tx, question)?;
    let contacts = contacts(&tx, question.conversation)?;
    Ok(History { log_seq, entries, contacts })
}

fn entries(connection: &Connection, question: &HistoryQuestion) -> Result<Vec<Entry>, StoreError> {
    let most = usize::try_from(question.limit).unwrap_or(usize::MAX).min(HISTORY_ENTRIES_MAX);
    let mut select = connection.prepare_cached(
        "SELECT seq, at, contact, kind, message, body FROM entries
         WHERE conversation = ?1 AND seq > ?2 AND seq < ?3 AND (?5 IS NULL OR contact = ?5)
         ORDER BY seq DESC LIMIT ?4",
    )?;
    let before = question.before_seq.map_or(i64::MAX, signed);
    let mut rows = select.query(params![
        question.conversation.to_string(),
        signed(question.after_seq),
        before,
        i64::try_from(most).unwrap_or(i64::MAX),
        question.contact.map(|contact| contact.to_string())
    ])?;
    let mut found = Vec::new();
    let mut words_bytes = 0;
    while let Some(row) = rows.next()? {
        let entry = entry(row)?;
        words_bytes += entry.body.as_ref().map_or(0, |body| body.as_str().len());
        if words_bytes > WORDS_BYTES_MAX {
            break;
        }
        found.push(entry);
    }
    found.reverse();
    Ok(found)
}

pub(crate) fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        seq: unsigned(row.get(0)?)?,
        at: Millis(unsigned(row.get(1)?)?),
        contact: word(&row.get::<_, String>(2)?)?,
        kind: json(&row.get::<_, String>(3)?)?,
        message: row.get::<_, Option<String>>(4)?.as_deref().map(word).transpose()?,
        body: row.get::<_, Option<String>>(5)?.as_deref().map(word).transpose()?,
    })
}

fn contacts(connection: &Connection, conversation: ConversationId) -> Result<Vec<PastContact>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT contact, opened_at, queue,
                CASE WHEN state IN ('wrap_up', 'resolved', 'abandoned') THEN ended END, tags, fields, practice
         FROM contacts WHERE conversation = ?1 ORDER BY row DESC LIMIT ?2",
    )?;
    let most = i64::try_from(CONTACTS_MAX).unwrap_or(i64::MAX);
    let mut rows = select.query(params![conversation.to_string(), most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(PastContact {
            contact: word(&row.get::<_, String>(0)?)?,
            opened_at: Millis(unsigned(row.get(1)?)?),
            queue: row.get::<_, Option<String>>(2)?.as_deref().map(word).transpose()?,
            ended: row.get::<_, Option<String>>(3)?.as_deref().map(json).transpose()?,
            tags: json(&row.get::<_, String>(4)?)?,
            fields: json(&row.get::<_, String>(5)?)?,
            practice: row.get(6)?,
        });
    }
    Ok(found)
}

pub(crate) fn word<T>(text: &str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::Row(error.to_string()))
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Row(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Conversations;
    use crate::sample;
    use crate::store::{Store, connect_reader};
    use protocol::ContactId;
    use protocol::record::EntryKind;

    struct Given {
        _folder: tempfile::TempDir,
        store: Store<Conversations>,
        reader: Connection,
    }

    fn given() -> Given {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.sqlite");
        let store = Store::<Conversations>::open(path.clone()).unwrap();
        let reader = connect_reader(&path).unwrap();
        Given { _folder: folder, store, reader }
    }

    fn ask(after_seq: u64, before_seq: Option<u64>, limit: u32) -> HistoryQuestion {
        HistoryQuestion {
            conversation: sample::conversation_id(),
            after_seq,
            before_seq,
            limit,
            contact: None,
        }
    }

    fn seqs(history: &History) -> Vec<u64> {
        history.entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn what_was_folded_is_read_back_with_its_words_sealed() {
        let mut given = given();
        let rows = sample::conversation();
        given.store.apply(&rows).unwrap();
        let history = history(&mut given.reader, &ask(0, None, 50)).unwrap();
        assert_eq!(history.log_seq, rows.last().unwrap().origin.seq);
        let expected: Vec<Entry> = rows
            .iter()
            .flat_map(|row| {
                protocol::thread::entries(&row.record).map(|(_, entry)| entry).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(history.entries, expected);
        assert_eq!(history.entries[0].body.as_ref(), Some(&sample::sealed("first")));
        assert_eq!(history.entries[0].kind, EntryKind::FromCustomer);
        let [contact] = history.contacts.as_slice() else { panic!("{:?}", history.contacts) };
        assert_eq!(contact.contact, sample::contact_id());
        assert_eq!(contact.queue.as_ref().map(|queue| queue.as_str()), Some("sales"));
        assert!(matches!(contact.ended, Some(EntryKind::Resolved { .. })));
    }

    #[test]
    fn a_contact_that_is_open_again_has_not_ended() {
        let mut given = given();
        let rows = sample::conversation();
        given.store.apply(&rows).unwrap();
        given.store.apply(&[sample::reopened(rows.last().unwrap().origin.seq + 1)]).unwrap();
        let history = history(&mut given.reader, &ask(0, None, 50)).unwrap();
        assert_eq!(history.contacts[0].ended, None);
    }

    #[test]
    fn what_a_customer_was_told_stands_among_the_messages() {
        let mut given = given();
        let rows = sample::conversation();
        given.store.apply(&rows).unwrap();
        given.store.apply(&[sample::told(rows.last().unwrap().origin.seq + 1)]).unwrap();
        let history = history(&mut given.reader, &ask(0, None, 50)).unwrap();
        let told = history.entries.last().unwrap();
        let (agent, remedy) = (sample::agent(), Some(sample::remedy_id()));
        assert_eq!((told.seq, &told.kind), (5, &EntryKind::Told { agent, remedy }));
        assert_eq!(told.body.as_ref(), Some(&sample::sealed("given")));
        assert!(told.message.is_some());
        assert!(matches!(history.contacts[0].ended, Some(EntryKind::Resolved { .. })), "it opens nothing");
    }

    #[test]
    fn what_the_router_forgets_can_still_be_read() {
        let mut given = given();
        let rows = sample::conversation();
        given.store.apply(&rows).unwrap();
        let before = history(&mut given.reader, &ask(0, None, 50)).unwrap();
        given.store.apply(&[sample::forgotten(rows.last().unwrap().origin.seq + 1)]).unwrap();
        let after = history(&mut given.reader, &ask(0, None, 50)).unwrap();
        assert_eq!((seqs(&after), &after.contacts), (vec![1, 2, 3, 4], &before.contacts));
    }

    #[test]
    fn a_stranger_has_no_past() {
        let mut given = given();
        given.store.apply(&sample::conversation()).unwrap();
        let mut question = ask(0, None, 50);
        question.conversation.n += 1;
        let history = history(&mut given.reader, &question).unwrap();
        assert!(history.entries.is_empty() && history.contacts.is_empty());
    }

    #[test]
    fn the_latest_entries_come_at_the_limit_and_never_past_it() {
        let mut given = given();
        let most = u64::try_from(HISTORY_ENTRIES_MAX).unwrap();
        given.store.apply(&sample::long_conversation(most + 1, "x")).unwrap();
        let mut read = |question| seqs(&history(&mut given.reader, &question).unwrap());
        assert_eq!(read(ask(0, None, 3)), [most - 1, most, most + 1]);
        assert_eq!(read(ask(0, Some(3), 9)), [1, 2]);
        assert_eq!(read(ask(most, None, 9)), [most + 1]);
        assert_eq!(read(ask(0, None, 0)), [0; 0]);
        assert_eq!(read(ask(0, Some(most + 1), u32::MAX)), (1..=most).collect::<Vec<_>>());
        assert_eq!(read(ask(0, None, u32::MAX)), (2..=most + 1).collect::<Vec<_>>());
    }

    #[test]
    fn a_contact_is_read_whole_however_much_was_said_after_it() {
        let mut given = given();
        let most = u64::try_from(HISTORY_ENTRIES_MAX).unwrap();
        given.store.apply(&sample::long_conversation(1, "first")).unwrap();
        let later = ContactId { log_seq: 2, n: 0 };
        let rows: Vec<_> = (2..=most + 1).map(|seq| sample::entry_of(seq, later)).collect();
        given.store.apply(&rows).unwrap();
        let all = history(&mut given.reader, &ask(0, None, u32::MAX)).unwrap();
        assert_eq!(seqs(&all), (2..=most + 1).collect::<Vec<_>>(), "the first is no longer among the latest");
        let mut of = |contact| {
            let question = HistoryQuestion { contact: Some(contact), ..ask(0, None, u32::MAX) };
            seqs(&history(&mut given.reader, &question).unwrap())
        };
        assert_eq!(of(sample::contact_id()), [1]);
        assert_eq!(of(later).len(), HISTORY_ENTRIES_MAX);
    }

    #[test]
    fn the_latest_contacts_come_at_the_limit_and_never_past_it() {
        let most = u32::try_from(CONTACTS_MAX).unwrap();
        for contacts in [most, most + 1] {
            let mut given = given();
            given.store.apply(&sample::many_contacts(contacts)).unwrap();
            let told = history(&mut given.reader, &ask(0, None, 1)).unwrap().contacts;
            assert_eq!(told.len(), CONTACTS_MAX);
            assert_eq!(told[0].contact.log_seq, u64::from(contacts), "latest first");
        }
    }

    #[test]
    fn an_answer_fits_the_server_at_and_past_its_words() {
        let mut given = given();
        let overhead = sample::sealed("").as_str().len();
        let each = WORDS_BYTES_MAX / 32;
        let words = "x".repeat(each - overhead);
        given.store.apply(&sample::long_conversation(33, &words)).unwrap();
        let read = history(&mut given.reader, &ask(0, None, 32)).unwrap();
        assert_eq!(read.entries.len(), 32);
        let read = history(&mut given.reader, &ask(0, None, 33)).unwrap();
        assert_eq!(seqs(&read).first(), Some(&2), "one past the limit: the oldest is left out");
        assert!(serde_json::to_vec(&read).unwrap().len() < 1024 * 1024);
    }
}
