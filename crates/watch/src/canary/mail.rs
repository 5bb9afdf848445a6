//! The canary customer of a mail account. Each round signs in at both of its servers and goes on from there as a mail would; now and
//! then another one sends the account a mail of its own, and waits until that has come back by the mailbox.
//!
//! A mail in each round would use up what a provider lets an account send. What only a mail shows, that it is carried from the one
//! server into the mailbox, is tried less often therefore.

use std::time::Duration;

use anyhow::{Result, bail};
use hyper::StatusCode;
use protocol::MessageId;
use protocol::canary::{CanaryHop, MAILED, WORDS};
use serde_json::Value;
use tokio::time::Instant;

use super::heard::Expected;
use super::progress::Progress;
use super::webhook::{UNKNOWN_ACCOUNT, Webhook};

/// How long the account's servers may take; the round's own time ends it sooner.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The door's word for a mail server that does not do what is asked.
const MAIL_SERVER: &str = "mail_server";
/// What is said of a mail that was taken and did not come.
const NOT_BACK: &str = "a mail to itself was taken by its server and did not come into the mailbox";

/// What it knows of its mails.
pub(super) struct Mail {
    post: Webhook,
    every: Duration,
    /// Whether this round goes by mail.
    is_mailed: bool,
    /// When the last mail went out.
    mailed_at: Option<Instant>,
    /// The last one, if it did not come back.
    lost: Option<(Progress, Expected)>,
}

impl Mail {
    pub(super) fn new(post: Webhook, every: Duration) -> Self {
        Self { post, every, is_mailed: false, mailed_at: None, lost: None }
    }

    /// Has the account tried, and waits for what is posted in answer.
    pub(super) async fn attempt(
        &self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        let words = if self.is_mailed { MAILED } else { WORDS };
        let (status, answer) = self.post.post(message, words, ANSWER_WITHIN).await?;
        let of = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let code = of("code");
        if status == StatusCode::NOT_FOUND && code == UNKNOWN_ACCOUNT {
            progress.is_not_there();
            return Ok(());
        }
        if code == MAIL_SERVER {
            bail!("{}", of("detail"));
        }
        if status.is_success() || status.is_server_error() {
            progress.reached(CanaryHop::Door);
        }
        if !status.is_success() {
            bail!("the door answers {} {code}", status.as_u16());
        }
        if !self.is_mailed {
            progress.reached(CanaryHop::Inbound);
        }
        loop {
            let steps = expected.steps();
            if steps.decided {
                progress.reached(CanaryHop::Inbound);
            }
            progress.learn(steps);
            if steps.delivered {
                progress.reached(CanaryHop::Delivery);
                return Ok(());
            }
            expected.changed().await;
        }
    }

    /// After a round without a mail: whether another one goes by mail now.
    pub(super) fn is_due(&mut self, progress: &Progress) -> bool {
        let came_through = progress.was_there() && progress.broken().is_none();
        self.is_mailed = came_through && self.mailed_at.is_none_or(|at| at.elapsed() >= self.every);
        self.is_mailed
    }

    /// After a round by mail.
    pub(super) fn came(&mut self, mut progress: Progress, expected: Expected) -> Progress {
        self.is_mailed = false;
        let broken = progress.broken();
        // What was not taken was not sent, and is sent with the next round.
        self.mailed_at = (broken != Some(CanaryHop::Door)).then(Instant::now);
        if broken == Some(CanaryHop::Inbound) && progress.words().is_none() {
            progress.told(NOT_BACK.to_owned());
        }
        // Further behind, the next round without a mail sees the same.
        let is_lost = matches!(broken, Some(CanaryHop::Door | CanaryHop::Inbound));
        self.lost = is_lost.then(|| (progress.clone(), expected));
        progress
    }

    /// What is to be said after a round that went by no mail: where a mail is lost, nothing that goes past it makes that good.
    pub(super) fn said(&mut self, progress: Progress) -> Progress {
        // It may have come late.
        if self.lost.as_ref().is_some_and(|(_, expected)| expected.steps().decided) {
            self.lost = None;
        }
        match &self.lost {
            Some((lost, _)) if progress.was_there() && progress.broken().is_none() => lost.clone(),
            Some(_) | None => progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use bus::{IdHasher, MasterKey};
    use protocol::{ChannelKind, SubjectToken};
    use service::Clock;
    use uuid::Uuid;

    use super::*;
    use crate::canary::heard::Heard;

    const HOUR: Duration = Duration::from_secs(3600);

    fn mail() -> Mail {
        let folder = tempfile::tempdir().unwrap();
        let hasher = IdHasher::new(&MasterKey::load_or_create(&folder.path().join("key")).unwrap());
        let account = (ChannelKind::Email, SubjectToken::new("support").unwrap());
        Mail::new(Webhook::new("http://127.0.0.1:9", &account, &hasher, &Clock::system()).unwrap(), HOUR)
    }

    /// A round that came past these.
    fn past(hops: &[CanaryHop]) -> Progress {
        let mut progress = Progress::begin();
        for hop in hops {
            progress.reached(*hop);
        }
        progress
    }

    #[test]
    fn a_lost_mail_is_told_until_it_or_another_one_comes() {
        let (mut mail, heard, message) = (mail(), Heard::default(), MessageId(Uuid::from_u128(7)));
        let (through, not_back) = (past(&CanaryHop::ALL), past(&[CanaryHop::Door]));
        assert!(!mail.is_due(&past(&[])), "nobody gets in");
        assert!(mail.is_due(&through));
        let told = mail.came(not_back, heard.expect(message));
        assert_eq!((told.broken(), told.words()), (Some(CanaryHop::Inbound), Some(NOT_BACK)));
        assert!(!mail.is_due(&through), "one an hour");
        assert_eq!(mail.said(through.clone()).broken(), Some(CanaryHop::Inbound), "it goes past it");
        let at_desk = past(&[CanaryHop::Door, CanaryHop::Inbound, CanaryHop::Routing]);
        assert_eq!(mail.said(at_desk).broken(), Some(CanaryHop::Desk), "what is broken now is told first");
        heard.note(message, |steps| steps.decided = true);
        assert_eq!(mail.said(through).broken(), None, "it came late");
    }

    #[test]
    fn a_mail_that_was_not_taken_is_sent_with_the_next_round() {
        let (mut mail, heard, message) = (mail(), Heard::default(), MessageId(Uuid::from_u128(7)));
        let through = past(&CanaryHop::ALL);
        assert!(mail.is_due(&through));
        assert_eq!(mail.came(past(&[]), heard.expect(message)).broken(), Some(CanaryHop::Door));
        assert!(mail.is_due(&through));
        assert_eq!(mail.came(through.clone(), heard.expect(message)).broken(), None);
        assert!(!mail.is_due(&through));
        assert_eq!(mail.said(through).broken(), None);
    }
}
