//! How each queue went, hour by hour.

use protocol::record::{Event, QueuedWhy};
use protocol::time::DAY_MS;
use protocol::views::{FloorQuestion, FloorReport, HourCount};
use protocol::{ContactId, Millis, SubjectToken};
use rusqlite::{Connection, OptionalExtension, params};

use crate::answer::Asked;
use crate::store::{StoreError, read_progress, signed, unsigned};

/// Within which wait an answer counts as in time: 20 s, the field's usual measure (80 % in 20 s).
pub(crate) const WITHIN_MS: u64 = 20_000;
const HOUR_MS: u64 = 3_600_000;
/// Most lines of a report: a month of 40 queues.
const LINES_MAX: i64 = 31 * 24 * 40;

/// The hours of the floor.
pub(crate) struct Hours;

impl Asked for Hours {
    type Question = FloorQuestion;
    type Answer = FloorReport;
    const ABOUT: &'static str = "views floor";

    fn answer(
        connection: &mut Connection,
        question: &FloorQuestion,
        now: Millis,
    ) -> Result<FloorReport, StoreError> {
        let tx = connection.transaction()?;
        let since = now.0.saturating_sub(u64::from(question.days).saturating_mul(DAY_MS)) / HOUR_MS;
        let mut select = tx.prepare_cached(
            "SELECT queue, hour, arrived, answered, in_time, waited_ms, abandoned, resolved, handed_on, reopened FROM hours
             WHERE hour >= ?1 ORDER BY hour DESC, queue LIMIT ?2",
        )?;
        let mut rows = select.query(params![signed(since), LINES_MAX])?;
        let mut hours = Vec::new();
        while let Some(row) = rows.next()? {
            let queue: String = row.get(0)?;
            let count = |at: usize| unsigned(row.get(at)?);
            hours.push(HourCount {
                queue: queue.parse().map_err(|_| StoreError::Row(queue))?,
                from: Millis(count(1)?.saturating_mul(HOUR_MS)),
                arrived: count(2)?,
                answered: count(3)?,
                in_time: count(4)?,
                waited_ms: count(5)?,
                abandoned: count(6)?,
                resolved: count(7)?,
                handed_on: count(8)?,
                reopened: count(9)?,
            });
        }
        // The latest are kept where there are too many; they are told in order.
        hours.reverse();
        Ok(FloorReport { log_seq: read_progress(&tx)?.log_seq, within_ms: WITHIN_MS, hours })
    }
}

/// Before the contact's own row is changed.
pub(crate) fn fold_event(tx: &Connection, at: Millis, event: &Event) -> Result<(), StoreError> {
    match event {
        Event::Queued { contact, queue, why, .. } => queued(tx, at, *contact, queue, *why),
        Event::Assigned { contact, .. } => assigned(tx, at, *contact),
        Event::Abandoned { contact } => {
            of(tx, *contact)?.map_or(Ok(()), |one| add(tx, &one.queue, at, "abandoned", 1))
        }
        Event::Resolved { contact, .. } => {
            of(tx, *contact)?.map_or(Ok(()), |one| add(tx, &one.queue, at, "resolved", 1))
        }
        Event::Fenced { .. }
        | Event::ConfigApplied
        | Event::ConfigRefused { .. }
        | Event::ConversationOpened { .. }
        | Event::ConversationForgotten { .. }
        | Event::ContactOpened { .. }
        | Event::ContactReopened { .. }
        | Event::ContactMoved { .. }
        | Event::EntryAdded { .. }
        | Event::PreferenceEnded { .. }
        | Event::DeclinesLapsed { .. }
        | Event::Widened { .. }
        | Event::OfferMade { .. }
        | Event::OfferEnded { .. }
        | Event::CompanyChanged { .. }
        | Event::SetAside { .. }
        | Event::WrapUpStarted { .. }
        | Event::AgentConnected { .. }
        | Event::AgentDisconnected { .. }
        | Event::PresenceChanged { .. }
        | Event::PresenceQueued { .. }
        | Event::HoursChanged { .. }
        | Event::ServiceWarned { .. }
        | Event::CustomerChanged { .. }
        | Event::ServiceMissed { .. }
        | Event::Passed { .. }
        | Event::ColleaguesAsked { .. }
        | Event::CustomerTold { .. }
        | Event::AtRisk { .. }
        | Event::IncidentSet { .. }
        | Event::IncidentAsked { .. }
        | Event::IncidentWorked { .. }
        | Event::IncidentEnded { .. }
        | Event::Gathered { .. }
        | Event::ContactMarked { .. }
        | Event::Mentioned { .. }
        | Event::MentionsRead { .. }
        | Event::CustomerBlocked { .. }
        | Event::CustomerUnblocked { .. }
        | Event::MessageHeldBack { .. }
        | Event::ActSettled { .. }
        | Event::CommandSettled { .. }
        | Event::CanaryHeard { .. }
        | Event::DuplicateSkipped
        | Event::Parked { .. } => Ok(()),
    }
}

fn queued(
    tx: &Connection,
    at: Millis,
    contact: ContactId,
    queue: &SubjectToken,
    why: QueuedWhy,
) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE contacts SET waits_from = coalesce(waits_from, ?2) WHERE contact = ?1")?
        .execute(params![contact.to_string(), signed(at.0)])?;
    if is_practice(tx, contact)? {
        return Ok(());
    }
    match why {
        QueuedWhy::Opened => add(tx, queue.as_str(), at, "arrived", 1),
        QueuedWhy::Reopened => add(tx, queue.as_str(), at, "reopened", 1),
        QueuedWhy::Transferred | QueuedWhy::Reclaimed | QueuedWhy::HandedOver => {
            add(tx, queue.as_str(), at, "handed_on", 1)
        }
        QueuedWhy::OfferEnded
        | QueuedWhy::AtRisk
        | QueuedWhy::Escalated
        | QueuedWhy::Released
        | QueuedWhy::Returned => Ok(()),
    }
}

struct Waits {
    queue: String,
    since: Option<u64>,
    is_answered: bool,
}

fn is_practice(tx: &Connection, contact: ContactId) -> Result<bool, StoreError> {
    let mut select = tx.prepare_cached("SELECT practice FROM contacts WHERE contact = ?1")?;
    let found: Option<bool> = select.query_row([contact.to_string()], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

/// What counts of a contact; none of one that is only practised.
fn of(tx: &Connection, contact: ContactId) -> Result<Option<Waits>, StoreError> {
    let row: Option<(Option<String>, Option<i64>, bool)> = tx
        .prepare_cached(
            "SELECT queue, waits_from, answered FROM contacts WHERE contact = ?1 AND practice = 0",
        )?
        .query_row([contact.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((Some(queue), since, is_answered)) = row else { return Ok(None) };
    Ok(Some(Waits { queue, since: since.map(unsigned).transpose()?, is_answered }))
}

fn assigned(tx: &Connection, at: Millis, contact: ContactId) -> Result<(), StoreError> {
    let Some(Waits { queue, since, is_answered }) = of(tx, contact)? else { return Ok(()) };
    tx.prepare_cached("UPDATE contacts SET waits_from = NULL, answered = 1 WHERE contact = ?1")?
        .execute([contact.to_string()])?;
    if is_answered {
        return Ok(());
    }
    let waited_ms = since.map_or(0, |since| at.0.saturating_sub(since));
    add(tx, &queue, at, "answered", 1)?;
    add(tx, &queue, at, "waited_ms", waited_ms)?;
    if waited_ms <= WITHIN_MS { add(tx, &queue, at, "in_time", 1) } else { Ok(()) }
}

/// `column` is one of ours.
fn add(tx: &Connection, queue: &str, at: Millis, column: &'static str, more: u64) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO hours (queue, hour, {column}) VALUES (?1, ?2, ?3)
         ON CONFLICT (queue, hour) DO UPDATE SET {column} = {column} + excluded.{column}"
    );
    tx.prepare_cached(&sql)?.execute(params![queue, signed(at.0 / HOUR_MS), signed(more)])?;
    Ok(())
}

#[cfg(test)]
mod tests;
