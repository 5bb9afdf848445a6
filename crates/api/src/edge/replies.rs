//! Who waits for an answer in an inbox. A stream does not keep reply subjects, so each message is heard twice: as it comes, with its
//! reply, and from the stream, when it is taken. Whichever is second sends the answer. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use protocol::Subject;

/// For how long a publisher is remembered that waits.
const WAITING_FOR: Duration = Duration::from_secs(30);
/// For how long an answer is kept for a message that was taken before it was heard.
const DONE_FOR: Duration = Duration::from_secs(5);
/// Most of each that is remembered; past that the oldest goes, and its publisher runs into its own deadline.
pub(super) const REMEMBERED_MAX: usize = 4096;

/// What makes a message the same one: a hash of its subject and its bytes.
pub(super) type Mark = [u8; 32];

/// The publishers of one integration.
#[derive(Default)]
pub(super) struct Replies {
    waiting: VecDeque<(Mark, Option<Subject>, Duration)>,
    done: VecDeque<(Mark, Bytes, Duration)>,
}

impl Replies {
    /// A message was heard, with or without somebody who waits; gives the answer if it was taken already.
    pub(super) fn heard(
        &mut self,
        mark: Mark,
        reply: Option<Subject>,
        now: Duration,
    ) -> Option<(Subject, Bytes)> {
        self.forget(now);
        if let Some(at) = self.done.iter().position(|(done, _, _)| *done == mark) {
            let (_, answer, _) = self.done.remove(at)?;
            return reply.map(|reply| (reply, answer));
        }
        keep(&mut self.waiting, (mark, reply, now));
        None
    }

    /// A message was taken or refused; gives who waits for that.
    pub(super) fn done(&mut self, mark: Mark, answer: &Bytes, now: Duration) -> Option<Subject> {
        self.forget(now);
        if let Some(at) = self.waiting.iter().position(|(waiting, _, _)| *waiting == mark) {
            return self.waiting.remove(at)?.1;
        }
        keep(&mut self.done, (mark, answer.clone(), now));
        None
    }

    fn forget(&mut self, now: Duration) {
        while self.waiting.front().is_some_and(|(_, _, at)| now.saturating_sub(*at) > WAITING_FOR) {
            self.waiting.pop_front();
        }
        while self.done.front().is_some_and(|(_, _, at)| now.saturating_sub(*at) > DONE_FOR) {
            self.done.pop_front();
        }
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= REMEMBERED_MAX {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::SubjectToken;
    use protocol::subjects::Subjects;

    fn inbox(n: usize) -> Subject {
        Subjects::guest_reply(&SubjectToken::new("shop").unwrap(), &format!("_INBOX_shop.{n}")).unwrap()
    }

    fn mark(n: u8) -> Mark {
        [n; 32]
    }

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn whichever_comes_second_sends_the_answer() {
        let (mut replies, yes) = (Replies::default(), Bytes::from_static(b"yes"));
        assert_eq!(replies.heard(mark(1), Some(inbox(1)), NOW), None);
        assert_eq!(replies.done(mark(1), &yes, NOW), Some(inbox(1)));
        assert_eq!(replies.done(mark(2), &yes, NOW), None);
        assert_eq!(replies.heard(mark(2), Some(inbox(2)), NOW), Some((inbox(2), yes.clone())));
        assert_eq!(replies.heard(mark(2), Some(inbox(2)), NOW), None, "an answer is for one message");
    }

    #[test]
    fn who_does_not_wait_takes_no_answer_from_who_does() {
        let (mut replies, no, yes) =
            (Replies::default(), Bytes::from_static(b"no"), Bytes::from_static(b"yes"));
        assert_eq!(replies.done(mark(1), &no, NOW), None);
        assert_eq!(replies.heard(mark(1), None, NOW), None);
        assert_eq!(replies.heard(mark(1), Some(inbox(1)), NOW), None, "the old answer went with its message");
        assert_eq!(replies.done(mark(1), &yes, NOW), Some(inbox(1)));
    }

    #[test]
    fn nothing_is_remembered_for_ever_or_without_bound() {
        let (mut replies, yes) = (Replies::default(), Bytes::from_static(b"yes"));
        replies.heard(mark(1), Some(inbox(1)), NOW);
        assert_eq!(replies.done(mark(1), &yes, NOW + WAITING_FOR + Duration::from_millis(1)), None);
        replies.done(mark(2), &yes, NOW);
        assert_eq!(replies.heard(mark(2), Some(inbox(2)), NOW + Duration::from_secs(60)), None);
        let mut replies = Replies::default();
        for n in 0..=REMEMBERED_MAX {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&n.to_le_bytes());
            replies.heard(mark, Some(inbox(n)), NOW);
        }
        assert_eq!(replies.done([0; 32], &yes, NOW), None, "the oldest went");
        assert_eq!(replies.waiting.len(), REMEMBERED_MAX);
    }
}
