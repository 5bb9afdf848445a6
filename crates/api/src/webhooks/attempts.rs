//! The log of an endpoint's attempts: the newest thousand, in parts that are written anew in turn.

use protocol::WebhookId;
use protocol::integration::webhook::{ATTEMPTS_MAX, Attempt};
use service::Problem;

use crate::webhooks::rows::{Key, PART_MAX, PARTS, Rows};

/// The part that is written to.
pub(super) struct Attempts {
    id: WebhookId,
    part: u32,
    newest: Vec<Attempt>,
    is_noted: bool,
}

impl Attempts {
    pub(super) async fn read(rows: &Rows, id: WebhookId, part: u32) -> Result<Self, Problem> {
        Ok(Self { id, part, newest: rows.attempts(id, part).await?, is_noted: true })
    }

    /// Adds one; gives the part that is written to from here.
    pub(super) async fn add(&mut self, rows: &Rows, attempt: Attempt) -> Result<u32, Problem> {
        if self.newest.len() >= PART_MAX {
            self.note(rows).await?;
            self.part = (self.part + 1) % PARTS;
            self.newest.clear();
        }
        self.newest.push(attempt);
        self.is_noted = false;
        Ok(self.part)
    }

    /// Writes down what is not written yet.
    pub(super) async fn note(&mut self, rows: &Rows) -> Result<(), Problem> {
        if !self.is_noted {
            rows.put(Key::Attempts(self.id, self.part), &self.newest).await?;
            self.is_noted = true;
        }
        Ok(())
    }
}

/// All that are kept, the latest first.
pub(super) async fn latest(rows: &Rows, id: WebhookId, part: u32) -> Result<Vec<Attempt>, Problem> {
    let mut all = Vec::new();
    // Backwards from the part that is written to, around to the one that is written anew next.
    for back in 0..PARTS {
        let mut attempts = rows.attempts(id, (part + PARTS - back) % PARTS).await?;
        if attempts.is_empty() {
            break;
        }
        attempts.reverse();
        all.append(&mut attempts);
    }
    all.truncate(ATTEMPTS_MAX);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_hold_as_many_as_are_promised() {
        assert_eq!(PARTS as usize * PART_MAX, ATTEMPTS_MAX);
    }
}
