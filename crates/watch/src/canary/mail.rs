//! The canary customer of a mail account. Each round signs in at both of its servers, waits until its mailbox is looked into, and goes on from there as
//! a mail would; now and then another one sends the account a mail of its own, and waits until that has come back by the mailbox.
//!
//! A mail in each round would use up what a provider lets an account send. What only a mail shows, that it is carried from the one
//! server into the mailbox, is tried less often therefore, and a round offers one mail at most, whatever comes of it.
//!
//! A mail that is late is not lost: servers let an unknown sender wait, and look into what they carry. So the next mail goes with the next round, and only
//! when that does not come either, and the first one has not come meanwhile, it is told.

use std::time::Duration;

use anyhow::{Result, bail};
use hyper::StatusCode;
use protocol::MessageId;
use protocol::canary::{CanaryHop, MAILED, WORDS};
use serde_json::Value;
use tokio::time::Instant;

use super::dial::NotReached;
use super::heard::Expected;
use super::progress::Progress;
use super::webhook::{UNKNOWN_ACCOUNT, UNUSABLE_ACCOUNT, Webhook};

/// How long the account's servers may take; the round's own time ends it sooner.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The door's word for a mail server that does not do what is asked.
const MAIL_SERVER: &str = "mail_server";
/// Its word for a mailbox that nobody looks into.
const NOT_READ: &str = "mailbox_not_read";
/// Its word for one that was offered a mail and did not take it.
const NOT_TAKEN: &str = "mail_not_taken";
/// The word of an earlier version's door, which knows nothing of canary customers of mail accounts.
const NOTHING_POSTED: &str = "nothing_posted";
/// So many mails in a row that do not come are told as lost.
const MISSED_TOLD: u32 = 2;
/// What is said of a mail that did not come.
const NOT_BACK: &str = "a mail to itself was handed to its server and did not come into the mailbox";

/// What it knows of its mails.
pub(super) struct Mail {
    post: Webhook,
    every: Duration,
    /// Whether this round goes by mail.
    is_mailed: bool,
    /// Whether nobody looked into the mailbox, when it was asked last.
    is_unread: bool,
    /// Whether its mail may have been offered to a server.
    is_offered: bool,
    /// When the last mail was offered.
    offered_at: Option<Instant>,
    /// How many of the last mails in a row did not come back.
    missed: u32,
    /// The last of those.
    lost: Option<(Progress, Expected)>,
}

impl Mail {
    pub(super) fn new(post: Webhook, every: Duration) -> Self {
        Self {
            post,
            every,
            is_mailed: false,
            is_unread: false,
            is_offered: false,
            offered_at: None,
            missed: 0,
            lost: None,
        }
    }

    /// Whether the door waited in vain for somebody to look into the mailbox, and asks nobody to wait once more.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// Has the account tried, and waits for what is posted in answer.
    pub(super) async fn attempt(
        &mut self,
        message: MessageId,
        expected: &mut Expected,
        progress: &mut Progress,
    ) -> Result<()> {
        // After its one mail a round only waits, whatever was said of that.
        if self.is_offered || self.ask(message, progress).await? {
            self.comes_back(expected, progress).await;
        }
        Ok(())
    }

    /// Has the account tried; whether there is something to wait for.
    async fn ask(&mut self, message: MessageId, progress: &mut Progress) -> Result<bool> {
        let words = if self.is_mailed { MAILED } else { WORDS };
        // Until the door says otherwise: who does not answer may have offered it.
        self.is_offered = self.is_mailed;
        self.is_unread = false;
        let answered = self.post.post(message, words, ANSWER_WITHIN).await;
        if answered.as_ref().is_err_and(|error| error.is::<NotReached>()) {
            self.is_offered = false;
        }
        let (status, answer) = answered?;
        let of = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let code = of("code");
        self.is_unread = code == NOT_READ;
        if code == NOT_TAKEN {
            progress.told(of("detail").to_owned());
            return Ok(false);
        }
        // Without a code it is no word of the door's, but of who stands before it and gave up.
        if !status.is_success() && !code.is_empty() {
            self.is_offered = false;
        }
        if status == StatusCode::NOT_FOUND && [UNKNOWN_ACCOUNT, NOTHING_POSTED].contains(&code) {
            progress.is_not_there();
            return Ok(false);
        }
        if self.is_unread {
            progress.reached(CanaryHop::Door);
        }
        if code == UNUSABLE_ACCOUNT {
            bail!("{}", of("title"));
        }
        if self.is_unread || code == MAIL_SERVER {
            bail!("{}", of("detail"));
        }
        if status.is_success() || status.is_server_error() {
            progress.reached(CanaryHop::Door);
        }
        if !status.is_success() {
            bail!("the door answers {} {code}", status.as_u16());
        }
        Ok(true)
    }

    /// Waits until what the door took is answered.
    async fn comes_back(&self, expected: &mut Expected, progress: &mut Progress) {
        if !self.is_mailed {
            progress.reached(CanaryHop::Inbound);
        }
        loop {
            let steps = expected.steps();
            if steps.decided {
                // A mail that came back was taken, whatever the door said.
                progress.reached(CanaryHop::Door);
                progress.reached(CanaryHop::Inbound);
            }
            progress.learn(steps);
            if steps.delivered {
                progress.reached(CanaryHop::Delivery);
                return;
            }
            expected.changed().await;
        }
    }

    /// After a round without a mail: whether another one goes by mail now. Behind the first one that did not come the next goes at once, behind more of
    /// them as usual.
    pub(super) fn is_due(&mut self, progress: &Progress) -> bool {
        self.hear_late();
        let came_through = progress.was_there() && progress.broken().is_none();
        let is_time = self.offered_at.is_none_or(|at| at.elapsed() >= self.every);
        self.is_mailed = came_through && (is_time || self.missed == 1);
        self.is_offered = false;
        self.is_mailed
    }

    /// What is to be said after a round by mail, and after the one without a mail that went before it.
    pub(super) fn came(&mut self, before: Progress, mut mailed: Progress, expected: Expected) -> Progress {
        self.is_mailed = false;
        let (broken, is_offered) = (mailed.broken(), std::mem::take(&mut self.is_offered));
        // What was not offered is offered with the next round.
        self.offered_at = is_offered.then(Instant::now);
        if !is_offered {
            return mailed;
        }
        // Further behind, the next round without a mail sees the same.
        if !matches!(broken, Some(CanaryHop::Door | CanaryHop::Inbound)) {
            (self.missed, self.lost) = (0, None);
            return mailed;
        }
        if broken == Some(CanaryHop::Inbound) && mailed.words().is_none() {
            mailed.told(NOT_BACK.to_owned());
        }
        self.hear_late();
        self.missed = self.missed.saturating_add(1);
        self.lost = Some((mailed.clone(), expected));
        if self.missed < MISSED_TOLD { before } else { mailed }
    }

    /// What is to be said after a round that went by no mail: where mails are lost, nothing that goes past them makes that good.
    pub(super) fn said(&mut self, progress: Progress) -> Progress {
        self.hear_late();
        match &self.lost {
            Some((lost, _))
                if self.missed >= MISSED_TOLD && progress.was_there() && progress.broken().is_none() =>
            {
                lost.clone()
            }
            Some(_) | None => progress,
        }
    }

    /// What comes late was not lost.
    fn hear_late(&mut self) {
        if self.lost.as_ref().is_some_and(|(_, expected)| expected.steps().decided) {
            (self.missed, self.lost) = (0, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use bus::{IdHasher, MasterKey};
    use protocol::{ChannelKind, SubjectToken};
    use service::Clock;
    use uuid::Uuid;

    use super::*;
    use crate::canary::dial::tests::door;
    use crate::canary::heard::Heard;

    const HOUR: Duration = Duration::from_secs(3600);
    /// Where nobody listens.
    const NOWHERE: &str = "http://127.0.0.1:9";
    /// Where the account is posted to.
    const IN: &str = "/in/email/support";

    fn mail_at(url: &str) -> Mail {
        let folder = tempfile::tempdir().unwrap();
        let hasher = IdHasher::new(&MasterKey::load_or_create(&folder.path().join("key")).unwrap());
        let account = (ChannelKind::Email, SubjectToken::new("support").unwrap());
        Mail::new(Webhook::new(url, &account, &hasher, &Clock::system()).unwrap(), HOUR)
    }

    fn mail() -> Mail {
        mail_at(NOWHERE)
    }

    /// A round that came past these.
    fn past(hops: &[CanaryHop]) -> Progress {
        let mut progress = Progress::begin();
        for hop in hops {
            progress.reached(*hop);
        }
        progress
    }

    impl Mail {
        /// A round by mail that is due and came so far.
        fn goes(&mut self, progress: &Progress, expected: Expected) -> Progress {
            let through = past(&CanaryHop::ALL);
            assert!(self.is_due(&through), "it is time");
            self.is_offered = true;
            self.came(through, progress.clone(), expected)
        }
    }

    #[test]
    fn two_mails_in_a_row_that_do_not_come_are_told_until_one_comes() {
        let (mut mail, heard) = (mail(), Heard::default());
        let [first, second] = [7, 8].map(|n| MessageId(Uuid::from_u128(n)));
        let (through, not_back) = (past(&CanaryHop::ALL), past(&[CanaryHop::Door]));
        assert!(!mail.is_due(&past(&[])), "nobody gets in");
        assert_eq!(mail.goes(&not_back, heard.expect(first)).broken(), None, "it may be late");
        assert_eq!(mail.said(through.clone()).broken(), None);
        let told = mail.goes(&not_back, heard.expect(second));
        assert_eq!((told.broken(), told.words()), (Some(CanaryHop::Inbound), Some(NOT_BACK)));
        assert!(!mail.is_due(&through), "one an hour");
        assert_eq!(mail.said(through.clone()).broken(), Some(CanaryHop::Inbound), "it goes past it");
        let at_desk = past(&[CanaryHop::Door, CanaryHop::Inbound, CanaryHop::Routing]);
        assert_eq!(mail.said(at_desk).broken(), Some(CanaryHop::Desk), "what is broken now is told first");
        heard.note(second, |steps| steps.decided = true);
        assert_eq!(mail.said(through).broken(), None, "it came late");
    }

    #[test]
    fn mails_that_are_late_are_none_that_are_lost() {
        let (mut mail, heard) = (mail(), Heard::default());
        let (through, not_back) = (past(&CanaryHop::ALL), past(&[CanaryHop::Door]));
        for n in 1..5 {
            let message = MessageId(Uuid::from_u128(n));
            assert_eq!(mail.goes(&not_back, heard.expect(message)).broken(), None, "mail {n}");
            heard.note(message, |steps| steps.decided = true);
            assert!(!mail.is_due(&through), "one an hour");
            mail.offered_at = None;
        }
        // The first one comes while the second one is on its way.
        let [first, second] = [7, 8].map(|n| MessageId(Uuid::from_u128(n)));
        assert_eq!(mail.goes(&not_back, heard.expect(first)).broken(), None);
        assert!(mail.is_due(&through));
        mail.is_offered = true;
        heard.note(first, |steps| steps.decided = true);
        assert_eq!(mail.came(through, not_back, heard.expect(second)).broken(), None);
    }

    #[tokio::test]
    async fn a_round_offers_one_mail_however_often_it_tries() {
        let through = past(&CanaryHop::ALL);
        let (url, asked, _guard) = door(IN, &[(502, MAIL_SERVER), (502, NOT_TAKEN)]).await;
        let (mut mail, heard, message) = (mail_at(&url), Heard::default(), MessageId(Uuid::from_u128(7)));
        let (mut expected, mut progress) = (heard.expect(message), past(&[]));
        assert!(mail.is_due(&through));
        let let_in = mail.attempt(message, &mut expected, &mut progress).await;
        assert!(let_in.is_err(), "nothing was offered: it is tried again");
        mail.attempt(message, &mut expected, &mut progress).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(mail.came(through.clone(), progress, expected).broken(), None, "the next one tells");
        let (mut expected, mut progress) = (heard.expect(message), past(&[]));
        assert!(mail.is_due(&through));
        mail.attempt(message, &mut expected, &mut progress).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        let told = mail.came(through.clone(), progress, expected);
        assert_eq!((told.broken(), told.words()), (Some(CanaryHop::Door), Some("not now")));
        assert!(!mail.is_due(&through), "it was offered: one an hour");

        // Whoever stands before the door gave up waiting.
        let (url, asked, _guard) = door(IN, &[(504, "")]).await;
        let (mut mail, mut expected, mut progress) = (mail_at(&url), heard.expect(message), past(&[]));
        assert!(mail.is_due(&through));
        assert!(mail.attempt(message, &mut expected, &mut progress).await.is_err());
        heard.note(message, |steps| (steps.decided, steps.delivered) = (true, true));
        mail.attempt(message, &mut expected, &mut progress).await.unwrap();
        assert_eq!((progress.broken(), asked.load(Ordering::Relaxed)), (None, 1));
    }

    #[tokio::test]
    async fn a_mailbox_that_nobody_reads_is_told_and_asked_for_again() {
        let (url, asked, _guard) = door(IN, &[(502, NOT_READ), (502, MAIL_SERVER)]).await;
        let (mut mail, heard, message) = (mail_at(&url), Heard::default(), MessageId(Uuid::from_u128(7)));
        let (mut expected, mut progress) = (heard.expect(message), past(&[]));
        let told = mail.attempt(message, &mut expected, &mut progress).await.unwrap_err();
        assert_eq!((told.to_string().as_str(), progress.broken()), ("not now", Some(CanaryHop::Inbound)));
        assert!(mail.is_unread(), "the door has waited already");
        mail.attempt(message, &mut expected, &mut progress).await.unwrap_err();
        assert!(!mail.is_unread() && asked.load(Ordering::Relaxed) == 2);
    }

    #[tokio::test]
    async fn a_door_of_an_earlier_version_is_not_there_yet() {
        for (answer, is_there) in [(&[(404, NOTHING_POSTED)], false), (&[(401, "unknown_canary")], true)] {
            let (url, _, _guard) = door(IN, answer).await;
            let (mut mail, heard, message) = (mail_at(&url), Heard::default(), MessageId(Uuid::from_u128(7)));
            let (mut expected, mut progress) = (heard.expect(message), past(&[]));
            let ended = mail.attempt(message, &mut expected, &mut progress).await;
            assert_eq!((ended.is_err(), progress.was_there()), (is_there, is_there), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_mail_that_was_not_offered_is_sent_with_the_next_round() {
        let (mut mail, heard, message) = (mail(), Heard::default(), MessageId(Uuid::from_u128(7)));
        let (mut expected, mut progress) = (heard.expect(message), past(&[]));
        let through = past(&CanaryHop::ALL);
        assert!(mail.is_due(&through));
        assert!(mail.attempt(message, &mut expected, &mut progress).await.is_err());
        assert_eq!(mail.came(through.clone(), progress, expected).broken(), Some(CanaryHop::Door));
        assert_eq!(mail.goes(&through, heard.expect(message)).broken(), None);
        assert!(!mail.is_due(&through));
        assert_eq!(mail.said(through).broken(), None);
    }
}
