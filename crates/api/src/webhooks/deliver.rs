//! What one endpoint is posted: one at a time, in order, again and again until it takes it.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::integration::fold::Folded;
use protocol::integration::webhook::{
    Attempt, AttemptOutcome, EndpointRow, Failing, Mark, StateRow, WebhookEvent, WebhookState,
};
use protocol::integration::{PublicEvent, PublicLog};
use protocol::{Millis, WebhookId};
use service::settings::WebhookSettings;
use service::{Problem, failpoint};
use tokio::sync::watch;
use tokio::time::Instant;
use webhook_signature::Secrets;

use crate::feed::routes::newest;
use crate::feed::{self, Ask, Scanned};
use crate::webhooks::attempts::Attempts;
use crate::webhooks::post::{Answer, Open, Posted, Poster, is_gone};
use crate::webhooks::rows::{Key, Rows};
use crate::{Api, problems};

/// Events looked for at once.
const BATCH: usize = 50;
/// How long what was taken may stand in memory alone: after a crash it is posted again, under the same ids.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How much later than that it is noted that there was nothing to post: who looks again sees it again.
const NOTE_PROGRESS_AFTER: Duration = Duration::from_secs(30);
/// Between two places that are remembered, in numbers, at first; twice that whenever there are too many of them.
const MARK_EVERY: u64 = 100;
/// Places that are remembered of one endpoint.
const MARKS_MAX: usize = 400;

/// Posts to an endpoint until something cannot be read or noted.
pub(super) async fn run(
    api: &Api,
    rows: &Rows,
    poster: &Poster,
    id: WebhookId,
    row: watch::Receiver<EndpointRow>,
) -> Problem {
    match Endpoint::read(api, rows, poster, id, row).await {
        Ok(mut endpoint) => {
            // Before anything is posted: whoever posted until now can note nothing from here on, and ends.
            let mut done = endpoint.note().await;
            while done.is_ok() {
                done = endpoint.go_on().await;
            }
            done.err().unwrap_or_else(Problem::internal)
        }
        Err(problem) => problem,
    }
}

struct Endpoint<'a> {
    api: &'a Api,
    rows: &'a Rows,
    poster: &'a Poster,
    id: WebhookId,
    changes: watch::Receiver<EndpointRow>,
    row: EndpointRow,
    secrets: Option<Secrets>,
    state: StateRow,
    revision: u64,
    attempts: Attempts,
    open: Option<Open>,
    /// Since when something stands in memory alone.
    unnoted: Option<Instant>,
}

impl<'a> Endpoint<'a> {
    async fn read(
        api: &'a Api,
        rows: &'a Rows,
        poster: &'a Poster,
        id: WebhookId,
        mut changes: watch::Receiver<EndpointRow>,
    ) -> Result<Self, Problem> {
        let row = changes.borrow_and_update().clone();
        let (state, revision) = match rows.state(id).await? {
            Some(found) => found,
            None => (at_first(&row), 0),
        };
        up_to_now(api, row.log).await?;
        let attempts = Attempts::read(rows, id, state.part).await?;
        let (secrets, open, unnoted) = (None, None, None);
        Ok(Self { api, rows, poster, id, changes, row, secrets, state, revision, attempts, open, unnoted })
    }

    /// Does the next thing there is to do, or waits for one.
    async fn go_on(&mut self) -> Result<(), Problem> {
        if self.changes.has_changed().unwrap_or(false) {
            self.row = self.changes.borrow_and_update().clone();
            self.secrets = None;
            self.open = None;
        }
        if self.row.orders != self.state.orders {
            self.obey().await?;
        }
        if !self.row.enabled || self.state.ended.is_some() {
            self.note().await?;
            self.changed().await;
            return Ok(());
        }
        let now = Millis(self.api.kit.clock.unix_ms());
        if let Some(failing) = self.state.failing.as_ref().filter(|failing| now < failing.next_at) {
            let pause = Duration::from_millis(failing.next_at.since(now));
            self.note().await?;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.changed() => {}
            }
            return Ok(());
        }
        let scanned = self.scan().await?;
        if scanned.told.is_empty() {
            return self.nothing_to_post(&scanned).await;
        }
        for folded in scanned.told {
            let went_through = self.deliver(folded).await?;
            if !went_through || self.changes.has_changed().unwrap_or(true) {
                break;
            }
        }
        Ok(())
    }

    async fn changed(&self) {
        let mut changes = self.changes.clone();
        if changes.changed().await.is_err() {
            // Whoever tells of changes has gone, and ends this task too.
            std::future::pending().await
        }
    }

    /// Looks on in the log from the place that was reached.
    async fn scan(&self) -> Result<Scanned, Problem> {
        let types: BTreeSet<_> = self.row.types.iter().copied().collect();
        let after = if self.state.n.is_some() { self.state.seq.saturating_sub(1) } else { self.state.seq };
        let ask = Ask { log: self.row.log, after, limit: BATCH, types: &types };
        let mut scanned = feed::scan(self.api, ask).await?;
        scanned.told.retain(|folded| is_after(&folded.event, &self.state));
        Ok(scanned)
    }

    async fn nothing_to_post(&mut self, scanned: &Scanned) -> Result<(), Problem> {
        if looked_up_to(&mut self.state, scanned.next) {
            self.unnoted.get_or_insert_with(|| Instant::now() + NOTE_PROGRESS_AFTER);
        }
        if scanned.next < scanned.last {
            return self.note_now_and_then().await;
        }
        let mut newer = self.api.feeds.end(self.row.log).newer();
        if *newer.borrow_and_update() > scanned.last {
            return Ok(());
        }
        let noting = self.unnoted.map(|since| since + NOTE_EVERY);
        tokio::select! {
            _ = newer.changed() => Ok(()),
            () = self.changed() => Ok(()),
            () = until(noting) => self.note().await,
        }
    }

    /// Posts one event; false if it was not taken.
    async fn deliver(&mut self, folded: Folded) -> Result<bool, Problem> {
        let event = feed::opened(self.api, folded, self.row.words).await?;
        let (seq, n) = (event.seq, event.n);
        let number = self.state.number + 1;
        let posted = self.posted(number, event).await?;
        let begun = Instant::now();
        let answer = self.poster.post(&self.row.url, &mut self.open, &posted).await;
        failpoint::hit("api.after_webhook_before_note");
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at = Millis(self.api.kit.clock.unix_ms());
        let attempt = Attempt { number, seq, at, ms, outcome: answer.outcome.clone() };
        self.state.part = self.attempts.add(self.rows, attempt).await?;
        self.unnoted = Some(self.unnoted.map_or(begun, |since| since.min(begun)));
        if let AttemptOutcome::Taken { .. } = answer.outcome {
            (self.state.number, self.state.seq, self.state.n) = (number, seq, Some(n));
            self.state.failing = None;
            mark(&mut self.state.marks, Mark { number, seq, n });
            self.note_now_and_then().await?;
            return Ok(true);
        }
        self.failed(answer, at);
        self.note().await?;
        Ok(false)
    }

    async fn posted(&mut self, number: u64, event: PublicEvent) -> Result<Posted, Problem> {
        let timestamp_s = self.api.kit.clock.unix_ms() / 1000;
        let event = WebhookEvent { number, webhook: self.id, timestamp: event.at.rfc3339(), event };
        let (id, body) = (event.id(), crate::publish::json(&event)?);
        let (secrets, old_count) = match self.secrets.take() {
            Some(secrets) => (secrets, false),
            None => self.read_secrets(timestamp_s).await?,
        };
        let signature = secrets.sign(&id, timestamp_s, &body);
        // While several of them sign, the older ones' ends are looked at each time.
        self.secrets = Some(secrets).filter(|_| !old_count);
        Ok(Posted { id, timestamp_s, signature, number, body: body.into() })
    }

    /// What signs now, and whether older secrets are among that.
    async fn read_secrets(&self, now_s: u64) -> Result<(Secrets, bool), Problem> {
        let old = self.row.old_secret.iter().chain(&self.row.older_secrets);
        let old: Vec<_> = old.filter(|(_, until)| until.0 / 1000 > now_s).map(|(sealed, _)| sealed).collect();
        let mut texts = Vec::new();
        for sealed in std::iter::once(&self.row.secret).chain(old.iter().copied()) {
            let bytes = self.api.sealer.unseal(sealed).await.map_err(|error| {
                tracing::warn!(%error, webhook = %self.id, "the secret of a webhook cannot be opened");
                problems::bus_unavailable()
            })?;
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        let secrets = Secrets::read(&texts.join(" ")).map_err(|_| Problem::internal())?;
        Ok((secrets, !old.is_empty()))
    }

    fn failed(&mut self, answer: Answer, now: Millis) {
        let settings = &self.api.kit.settings.webhooks;
        if is_gone(&answer.outcome) {
            tracing::error!(webhook = %self.id, "an endpoint says that it is gone: nothing more is posted to it");
            self.state.ended = Some(WebhookState::Gone);
        }
        let before = self.state.failing.take();
        let since = before.as_ref().map_or(now, |failing| failing.since);
        let attempts = before.map_or(0, |failing| failing.attempts).saturating_add(1);
        let asked = answer.retry_after.unwrap_or_default().min(settings.retry_longest);
        let pause = pause(settings, attempts, dice()).max(asked);
        let next_at = now.plus(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        if self.state.ended.is_none() && Duration::from_millis(now.since(since)) >= settings.give_up_after {
            tracing::error!(webhook = %self.id, "an endpoint has taken nothing for too long and is given up");
            self.state.ended = Some(WebhookState::GivenUp);
        }
        self.state.failing = Some(Failing { since, attempts, next_at, last: answer.outcome });
    }

    /// Does what the owner asked for: goes on at once, from another number if one was named.
    async fn obey(&mut self) -> Result<(), Problem> {
        if let Some(from) = self.row.replay_from {
            self.go_back_to(from).await?;
        }
        (self.state.failing, self.state.ended) = (None, None);
        self.state.orders = self.row.orders;
        self.note().await
    }

    /// Finds the place before a number: from the nearest one that is remembered, the rest is counted.
    async fn go_back_to(&mut self, from: u64) -> Result<(), Problem> {
        let before = from.saturating_sub(1).min(self.state.number);
        let nearest = self.state.marks.iter().rev().find(|mark| mark.number <= before).copied();
        let mut place = at_first(&self.row);
        if let Some(mark) = nearest {
            (place.number, place.seq, place.n) = (mark.number, mark.seq, Some(mark.n));
        }
        (self.state.number, self.state.seq, self.state.n) = (place.number, place.seq, place.n);
        while self.state.number < before {
            let scanned = self.scan().await?;
            let at_end = scanned.told.is_empty() && scanned.next >= scanned.last;
            let wanted = usize::try_from(before - self.state.number).unwrap_or(usize::MAX);
            match scanned.told.iter().take(wanted).next_back() {
                Some(last) => {
                    let counted = scanned.told.len().min(wanted);
                    self.state.number += u64::try_from(counted).unwrap_or(u64::MAX);
                    (self.state.seq, self.state.n) = (last.event.seq, Some(last.event.n));
                }
                None => {
                    looked_up_to(&mut self.state, scanned.next);
                }
            }
            if at_end {
                break;
            }
        }
        Ok(())
    }

    async fn note_now_and_then(&mut self) -> Result<(), Problem> {
        match self.unnoted {
            Some(since) if since.elapsed() >= NOTE_EVERY => self.note().await,
            Some(_) | None => Ok(()),
        }
    }

    /// Writes down how far it has come. Only who read the row last may: another process that posts meanwhile ends this one.
    async fn note(&mut self) -> Result<(), Problem> {
        self.attempts.note(self.rows).await?;
        self.revision = self.rows.update(Key::State(self.id), &self.state, self.revision).await?;
        self.unnoted = None;
        Ok(())
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until what this process knows of a log goes as far as the log: another one may have posted from there.
async fn up_to_now(api: &Api, log: PublicLog) -> Result<(), Problem> {
    let last = newest(api, log).await?;
    let mut newer = api.feeds.end(log).newer();
    newer.wait_for(|known| *known >= last).await.map(drop).map_err(|_| problems::bus_unavailable())
}

/// Goes on to a place at which there was nothing to post; false if that is none further. A place before the present one tells
/// nothing of the rest of its record.
fn looked_up_to(state: &mut StateRow, next: u64) -> bool {
    let is_further = next > state.seq || (next == state.seq && state.n.is_some());
    if is_further {
        (state.seq, state.n) = (next, None);
    }
    is_further
}

/// Before anything was posted.
pub(super) fn at_first(row: &EndpointRow) -> StateRow {
    StateRow {
        number: 0,
        seq: row.after,
        n: None,
        failing: None,
        ended: None,
        orders: row.orders,
        part: 0,
        marks: Vec::new(),
    }
}

fn is_after(event: &PublicEvent, state: &StateRow) -> bool {
    match state.n {
        None => event.seq > state.seq,
        Some(n) => (event.seq, event.n) > (state.seq, n),
    }
}

/// Remembers a place now and then; when there are too many, every second one goes.
fn mark(marks: &mut Vec<Mark>, new: Mark) {
    let step = match marks.as_slice() {
        [first, second, ..] => second.number - first.number,
        [] | [_] => MARK_EVERY,
    };
    if !new.number.is_multiple_of(step) || marks.last().is_some_and(|last| last.number >= new.number) {
        return;
    }
    marks.push(new);
    if marks.len() > MARKS_MAX {
        let mut keep = false;
        marks.retain(|_| {
            keep = !keep;
            !keep
        });
    }
}

/// Twice as long with each attempt, give or take a fifth, so that many that failed together do not come back together.
fn pause(settings: &WebhookSettings, attempts: u32, dice: u32) -> Duration {
    let doubled = settings.retry_first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    let whole = doubled.min(settings.retry_longest);
    whole * 4 / 5 + whole * 2 / 5 * (dice % 1_000) / 1_000
}

/// Some random number.
fn dice() -> u32 {
    u32::try_from(uuid::Uuid::now_v7().as_u128() & u128::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_give_or_take_a_fifth() {
        let settings = service::Settings::defaults().unwrap().webhooks;
        let seconds = |attempts, dice| pause(&settings, attempts, dice).as_secs_f64();
        assert_eq!((seconds(1, 0), seconds(1, 500), seconds(1, 999).round()), (4.0, 5.0, 6.0));
        assert_eq!((seconds(2, 500), seconds(3, 500)), (10.0, 20.0));
        assert_eq!(seconds(u32::MAX, 500), 4.0 * 3_600.0);
        let all: f64 = (1..=30).map(|attempts| seconds(attempts, 500)).sum();
        assert!(all > 3.0 * 24.0 * 3_600.0 / 2.0, "days of attempts, {all} s");
    }

    #[test]
    fn the_rest_of_a_record_is_owed_until_the_log_was_looked_at_up_to_it() {
        let noted = serde_json::json!({"number": 1, "seq": 100, "n": 0, "orders": 0, "part": 0, "marks": []});
        let mut state: StateRow = serde_json::from_value(noted).unwrap();
        assert!(!looked_up_to(&mut state, 99), "the log is not known as far as that yet");
        assert_eq!((state.seq, state.n), (100, Some(0)));
        assert!(looked_up_to(&mut state, 100));
        assert_eq!((state.seq, state.n), (100, None));
        assert!(!looked_up_to(&mut state, 100) && looked_up_to(&mut state, 103));
        assert_eq!((state.seq, state.n), (103, None));
    }

    #[test]
    fn so_many_places_are_remembered_and_each_is_a_step_from_the_next() {
        let mut marks = Vec::new();
        for number in 1..=1_000_000 {
            mark(&mut marks, Mark { number, seq: number * 2, n: 0 });
        }
        assert!(marks.len() <= MARKS_MAX && marks.len() >= MARKS_MAX / 2, "{}", marks.len());
        let step = marks[1].number - marks[0].number;
        assert!(marks.windows(2).all(|two| two[1].number - two[0].number == step), "{step}");
        assert_eq!(marks[0].number, step, "the first is a step from the beginning");
        let before = marks.clone();
        mark(&mut marks, before[0]);
        assert_eq!(marks, before, "what is posted again is remembered once");
    }
}
