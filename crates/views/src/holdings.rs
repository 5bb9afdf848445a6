//! What is held of identities, for whoever exports or erases it.

use std::collections::BTreeSet;

use protocol::limits::IDENTITIES_MAX;
use protocol::rights::{Holding, HoldingsAnswer, HoldingsQuestion, TracesAnswer, TracesQuestion};
use protocol::{ContactId, IdentityId, Millis};
use rusqlite::{Connection, OptionalExtension, params};

use crate::answer::Asked;
use crate::customer::{Joined, channel, timeline};
use crate::history::word;
use crate::store::{StoreError, read_progress, unsigned};

/// What is held.
pub(crate) struct Holdings;

impl Asked for Holdings {
    type Question = HoldingsQuestion;
    type Answer = HoldingsAnswer;
    const ABOUT: &'static str = "holdings";

    fn answer(
        connection: &mut Connection,
        question: &HoldingsQuestion,
        _now: Millis,
    ) -> Result<HoldingsAnswer, StoreError> {
        holdings(connection, question)
    }
}

/// Reads it in one snapshot of the rows.
fn holdings(connection: &mut Connection, question: &HoldingsQuestion) -> Result<HoldingsAnswer, StoreError> {
    let tx = connection.transaction()?;
    let mut answer = HoldingsAnswer { log_seq: read_progress(&tx)?.log_seq, ..HoldingsAnswer::default() };
    let mut asked: Vec<IdentityId> = question.identities.iter().copied().take(IDENTITIES_MAX).collect();
    answer.is_cut = question.identities.len() > IDENTITIES_MAX;
    if let Some(conversation) = question.conversation {
        let owner = tx
            .prepare_cached("SELECT identity FROM conversations WHERE conversation = ?1")?
            .query_row([conversation.to_string()], |row| row.get::<_, String>(0))
            .optional()?;
        asked.extend(owner.as_deref().map(word::<IdentityId>).transpose()?);
    }
    let mut all: BTreeSet<IdentityId> = asked.iter().copied().collect();
    if question.joined {
        for one in &asked {
            let joined = Joined::around(&tx, *one)?;
            answer.is_cut |= joined.is_cut;
            all.extend(joined.order);
        }
    }
    let all: Vec<IdentityId> = all.into_iter().collect();
    for identity in &all {
        answer.holdings.extend(holding(&tx, *identity)?);
    }
    (answer.entries, answer.has_more) = timeline(&tx, &all, question.before, question.limit)?;
    Ok(answer)
}

fn holding(tx: &Connection, identity: IdentityId) -> Result<Option<Holding>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT conversation, channel, account, opened_at FROM conversations WHERE identity = ?1 ORDER BY opened_at, conversation",
    )?;
    let mut rows = select.query([identity.to_string()])?;
    let mut held: Option<Holding> = None;
    while let Some(row) = rows.next()? {
        let conversation: String = row.get(0)?;
        let kind = channel(&row.get::<_, String>(1)?)?;
        let account = word(&row.get::<_, String>(2)?)?;
        let since = Millis(unsigned(row.get(3)?)?);
        let holding = held.get_or_insert_with(|| Holding {
            identity,
            channel: kind,
            accounts: Vec::new(),
            since,
            conversations: Vec::new(),
            contacts: Vec::new(),
            open: Vec::new(),
        });
        if !holding.accounts.contains(&account) {
            holding.accounts.push(account);
        }
        contacts(tx, &conversation, holding)?;
        holding.conversations.push(word(&conversation)?);
    }
    Ok(held)
}

fn contacts(tx: &Connection, conversation: &str, holding: &mut Holding) -> Result<(), StoreError> {
    let mut select =
        tx.prepare_cached("SELECT contact, state FROM contacts WHERE conversation = ?1 ORDER BY row")?;
    let mut rows = select.query([conversation])?;
    while let Some(row) = rows.next()? {
        let contact: ContactId = word(&row.get::<_, String>(0)?)?;
        let is_over = matches!(row.get::<_, String>(1)?.as_str(), "wrap_up" | "resolved" | "abandoned");
        if !is_over {
            holding.open.push(contact);
        }
        holding.contacts.push(contact);
    }
    Ok(())
}

/// What the index of the search still holds.
pub(crate) struct Traces;

impl Asked for Traces {
    type Question = TracesQuestion;
    type Answer = TracesAnswer;
    const ABOUT: &'static str = "traces";

    fn answer(
        connection: &mut Connection,
        question: &TracesQuestion,
        _now: Millis,
    ) -> Result<TracesAnswer, StoreError> {
        let mut count = connection.prepare_cached(
            "SELECT count(*) FROM keys JOIN entries ON entries.key = keys.row
             WHERE keys.identity = ?1 AND keys.generation <= ?2",
        )?;
        let mut rows = 0;
        for key in &question.keys {
            let found =
                count.query_row(params![key.identity.to_string(), key.generation], |row| row.get(0))?;
            rows += unsigned(found)?;
        }
        Ok(TracesAnswer { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Conversations;
    use crate::sample;
    use crate::store::{Store, connect_reader};

    #[test]
    fn what_is_held_is_told_with_what_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("views.sqlite");
        let mut store = Store::<Conversations>::open(path.clone()).unwrap();
        let mut reader = connect_reader(&path).unwrap();
        let rows = sample::conversation();
        store.apply(&rows).unwrap();
        let question = HoldingsQuestion {
            conversation: Some(sample::conversation_id()),
            joined: true,
            limit: 2,
            ..HoldingsQuestion::default()
        };
        let answer = holdings(&mut reader, &question).unwrap();
        let [held] = answer.holdings.as_slice() else { panic!("{:?}", answer.holdings) };
        assert_eq!((held.contacts.as_slice(), held.open.len()), (&[sample::contact_id()][..], 0));
        assert_eq!(held.conversations, [sample::conversation_id()]);
        assert_eq!((answer.entries.len(), answer.has_more), (2, true));
        store.apply(&[sample::reopened(rows.last().unwrap().origin.seq + 1)]).unwrap();
        assert_eq!(holdings(&mut reader, &question).unwrap().holdings[0].open, [sample::contact_id()]);
        let nobody = HoldingsQuestion {
            identities: vec![IdentityId(protocol::Hash128([9; 16]))],
            ..Default::default()
        };
        assert!(holdings(&mut reader, &nobody).unwrap().holdings.is_empty());
    }
}
