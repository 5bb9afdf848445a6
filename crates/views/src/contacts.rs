//! Answers: which contacts there are, and how each stands.

use protocol::Millis;
use protocol::limits::CONTACTS_PAGE_MAX;
use protocol::views::{ContactSeen, ContactState, ContactsAnswer, ContactsQuestion};
use rusqlite::{Connection, Row, params};

use crate::answer::Asked;
use crate::history::word;
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Which contacts there are.
pub(crate) struct Contacts;

impl Asked for Contacts {
    type Question = ContactsQuestion;
    type Answer = ContactsAnswer;
    const ABOUT: &'static str = "contacts";

    fn answer(
        connection: &mut Connection,
        question: &ContactsQuestion,
        _now: Millis,
    ) -> Result<ContactsAnswer, StoreError> {
        // One snapshot, so that the cursor told is true for the rows told.
        let tx = connection.transaction()?;
        let log_seq = read_progress(&tx)?.log_seq;
        Ok(ContactsAnswer { log_seq, contacts: contacts(&tx, question)? })
    }
}

fn contacts(
    connection: &Connection,
    question: &ContactsQuestion,
) -> Result<Vec<(u64, ContactSeen)>, StoreError> {
    let most = usize::try_from(question.limit).unwrap_or(usize::MAX).min(CONTACTS_PAGE_MAX);
    let mut select = connection.prepare_cached(
        "SELECT row, contact, c.conversation, c.channel, v.account, category, c.opened_at, state, queue, owner,
                CASE WHEN state IN ('wrap_up', 'resolved', 'abandoned') THEN ended_at END
         FROM contacts c JOIN conversations v ON v.conversation = c.conversation
         WHERE row > ?1 AND (?2 IS NULL OR contact = ?2) AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR queue = ?4)
         ORDER BY row LIMIT ?5",
    )?;
    let state = question.state.map(|state| json_word(&state)).transpose()?;
    let mut rows = select.query(params![
        signed(question.after),
        question.contact.map(|contact| contact.to_string()),
        state,
        question.queue.as_ref().map(|queue| queue.as_str()),
        i64::try_from(most).unwrap_or(i64::MAX)
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((unsigned(row.get(0)?)?, contact(row)?));
    }
    Ok(found)
}

fn contact(row: &Row<'_>) -> Result<ContactSeen, StoreError> {
    let text = |n: usize| row.get::<_, Option<String>>(n);
    let at = |ms: Option<i64>| ms.map(unsigned).transpose().map(|ms| ms.map(Millis));
    Ok(ContactSeen {
        contact: word(&row.get::<_, String>(1)?)?,
        conversation: word(&row.get::<_, String>(2)?)?,
        channel: of_json(&row.get::<_, String>(3)?)?,
        account: word(&row.get::<_, String>(4)?)?,
        category: text(5)?.as_deref().map(word).transpose()?,
        opened_at: Millis(unsigned(row.get(6)?)?),
        state: of_json(&row.get::<_, String>(7)?)?,
        queue: text(8)?.as_deref().map(word).transpose()?,
        owner: text(9)?.as_deref().map(word).transpose()?,
        ended_at: at(row.get(10)?)?,
    })
}

/// The word of a state, as its column has it.
fn json_word(state: &ContactState) -> Result<String, StoreError> {
    let json = serde_json::to_string(state).map_err(|error| StoreError::Row(error.to_string()))?;
    Ok(json.trim_matches('"').to_owned())
}

fn of_json<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(word.into()).map_err(|error| StoreError::Row(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::State;

    #[test]
    fn every_state_of_the_rows_has_its_word_in_the_answers() {
        let known = [
            (State::Waiting, ContactState::Waiting),
            (State::Gathered, ContactState::Gathered),
            (State::Offered, ContactState::Offered),
            (State::WithAgent, ContactState::WithAgent),
            (State::Aside, ContactState::Aside),
            (State::WrapUp, ContactState::WrapUp),
            (State::Resolved, ContactState::Resolved),
            (State::Abandoned, ContactState::Abandoned),
        ];
        for (row, told) in known {
            assert_eq!(json_word(&told).unwrap(), row.word());
            assert_eq!(of_json::<ContactState>(row.word()).unwrap(), told);
        }
    }
}
