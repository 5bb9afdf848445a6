//! One visitor's socket, from hello to its end.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bus::UnsealError;
use bytes::Bytes;
use channel::Attached;
use channel_web::{CustomerState, Inbound, Outbound, Parsed, Rejected, ServerFrame, Signal};
use forecast::{Outlook, Wait};
use protocol::ConversationId;
use protocol::content::{Attachment, Content, Sealed};
use protocol::record::EntryKind;
use protocol::thread::Entry;
use service::spans::Kind;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::Host;
use crate::files;
use crate::history::{Past, PastNews};
use crate::limits::{
    OUTLOOK_EVERY, OUTLOOK_STEP_MS, PING_EVERY, SAYS_WAITING_MAX, SILENCE_MAX, STRIKES_MAX, TYPING_EVERY,
};
use crate::line::{End, Line};
use crate::projection::After;
use crate::rooms::Ear;
use crate::take::{self, Refusal, Speaker, Taker, Words, Work};
use crate::welcome::welcome;

const TOO_MANY_FRAMES: End = End::Rule("too_many_frames", "far too many frames: come back later");
const NO_HISTORY: (&str, &str) = ("history_unavailable", "earlier messages come as soon as they can be had");

/// Serves a socket until it ends.
pub(crate) async fn serve(host: Arc<Host>, socket: WebSocket, account: String, address: IpAddr) {
    let mut line = Line::new(socket);
    let token = host.kit.drain.token();
    let welcomed = tokio::select! {
        welcomed = welcome(&host, &mut line, &account, address) => welcomed,
        () = token.cancelled() => Err(End::Draining),
    };
    let end = match welcomed {
        Ok(talk) => tokio::select! {
            end = talk.run(&mut line) => end,
            () = token.cancelled() => End::Draining,
        },
        Err(end) => end,
    };
    if let End::TryAgain(code, _) | End::Rule(code, _) = end {
        host.refused(code);
    }
    line.end(end).await;
}

/// The keys of words cannot be read now.
struct KeysAway;

/// What the page was sent.
pub(crate) struct Shown {
    /// The conversation that its entries are of.
    pub(crate) conversation: Option<ConversationId>,
    /// The last entry.
    pub(crate) cursor: u64,
    /// The last state.
    pub(crate) state: CustomerState,
    /// The last word about how long it takes.
    pub(crate) outlook: Option<Outlook>,
}

/// A welcomed visitor.
pub(crate) struct Talk {
    host: Arc<Host>,
    speaker: Speaker,
    ear: Ear,
    shown: Shown,
    past: Past,
    /// The visitor was told that entries are missing, and none came since.
    told_missing: bool,
    work: mpsc::Sender<Work>,
    answers: mpsc::Receiver<String>,
    strikes: u32,
    heard_at: Instant,
    typed_at: Option<Instant>,
    typing_shown_at: Option<Instant>,
}

impl Talk {
    pub(crate) fn new(host: Arc<Host>, speaker: Speaker, ear: Ear, shown: Shown) -> Self {
        let (work, says) = mpsc::channel(SAYS_WAITING_MAX);
        let (answering, answers) = mpsc::channel(SAYS_WAITING_MAX);
        let taker = Taker::new(Arc::clone(&host), speaker.clone(), answering);
        // Not ended with the socket: what was said last, before the page was closed, is still taken.
        host.sockets.spawn(taker.run(says));
        let (heard_at, typed_at, typing_shown_at) = (Instant::now(), None, None);
        Self {
            host,
            speaker,
            ear,
            shown,
            past: Past::Known,
            told_missing: false,
            work,
            answers,
            strikes: 0,
            heard_at,
            typed_at,
            typing_shown_at,
        }
    }

    async fn run(mut self, line: &mut Line) -> End {
        let [mut pings, mut outlooks] = [PING_EVERY, OUTLOOK_EVERY].map(interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        outlooks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(end) = self.show(line).await {
            return end;
        }
        loop {
            if let Err(end) = self.turn(line, &mut pings, &mut outlooks).await {
                return end;
            }
        }
    }

    async fn turn(
        &mut self,
        line: &mut Line,
        pings: &mut Interval,
        outlooks: &mut Interval,
    ) -> Result<(), End> {
        // While too much of it is on its way, the socket is not read: its network holds it back.
        let has_room = self.work.capacity() > 0;
        tokio::select! {
            // What was taken is told before it shows as an entry.
            biased;
            Some(answer) = self.answers.recv() => line.send_text(answer).await,
            () = self.ear.woken() => self.show(line).await,
            news = self.past.news() => self.past_news(line, news).await,
            message = line.next(), if has_room => self.hear(line, message?).await,
            _ = outlooks.tick() => self.look_out(line).await,
            _ = pings.tick() => {
                if has_room && self.heard_at.elapsed() > SILENCE_MAX {
                    return Err(End::Lost);
                }
                line.ping().await
            }
        }
    }

    /// Sends what is new. Entries wait while earlier ones are missing, so that no order is broken; all else goes on.
    async fn show(&mut self, line: &mut Line) -> Result<(), End> {
        let identity = self.speaker.identity;
        let standing = self.host.rooms.ask(|it| it.standing(identity));
        let conversation = standing.map(|it| it.conversation);
        // Forgotten, and perhaps begun anew: its entries count from 1 again, and must not be taken for those after the last.
        if self.shown.conversation.is_some() && self.shown.conversation != conversation {
            return Err(End::Anew);
        }
        self.shown.conversation = conversation;
        while self.past.is_known() {
            match self.host.rooms.ask(|it| it.after(identity, self.shown.cursor)) {
                After::Nothing => break,
                After::Entries(entries) => {
                    self.show_entries(line, entries.iter().map(|entry| &**entry)).await?;
                }
                After::Older { conversation, before } => {
                    self.past = Past::ask(&self.host, conversation, self.shown.cursor, before);
                }
            }
        }
        let state = self.host.rooms.ask(|it| it.standing(identity)).map_or(self.shown.state, |it| it.state);
        if state != self.shown.state {
            self.shown.state = state;
            line.send(&ServerFrame::State { state }).await?;
        }
        self.look_out(line).await?;
        let may_show = self.typing_shown_at.is_none_or(|at| at.elapsed() >= TYPING_EVERY);
        if self.ear.take_typing() && may_show {
            self.typing_shown_at = Some(Instant::now());
            line.send(&ServerFrame::Typing).await?;
        }
        Ok(())
    }

    /// Says how long it takes, if that is something else than what was said last.
    async fn look_out(&mut self, line: &mut Line) -> Result<(), End> {
        if self.shown.state != CustomerState::Waiting {
            self.shown.outlook = None;
            return Ok(());
        }
        let (identity, now) = (self.speaker.identity, self.host.now());
        let Some(outlook) = self.host.rooms.ask(|it| it.outlook(identity, now)).map(rounded) else {
            return Ok(());
        };
        if self.shown.outlook == Some(outlook) {
            return Ok(());
        }
        self.shown.outlook = Some(outlook);
        let (p50_ms, p90_ms) = outlook.wait.map(|wait| (wait.p50_ms, wait.p90_ms)).unzip();
        let frame =
            ServerFrame::Outlook { position: outlook.position, p50_ms, p90_ms, late: outlook.is_late };
        line.send(&frame).await
    }

    /// What was missing came, or is tried again: meanwhile the socket was read, and what was said was taken.
    async fn past_news(&mut self, line: &mut Line, news: PastNews) -> Result<(), End> {
        match news {
            PastNews::Entries(entries) => {
                self.past = Past::Known;
                self.show_entries(line, entries.iter()).await?;
            }
            PastNews::NotNow => return self.miss(line).await,
            PastNews::TryAgain => self.past = Past::Known,
        }
        self.show(line).await
    }

    /// Entries cannot be shown now: it is said once, and they are tried again.
    async fn miss(&mut self, line: &mut Line) -> Result<(), End> {
        self.past = Past::missing();
        if std::mem::replace(&mut self.told_missing, true) {
            return Ok(());
        }
        let (code, words) = NO_HISTORY;
        self.host.refused(code);
        line.send(&ServerFrame::Error { code, words }).await
    }

    /// Sends entries up to the first that cannot be opened now.
    async fn show_entries(
        &mut self,
        line: &mut Line,
        entries: impl Iterator<Item = &Entry>,
    ) -> Result<(), End> {
        for entry in entries {
            let said = match (&entry.body, &entry.kind) {
                (_, EntryKind::IncidentTold { text, .. }) => Ok(Some(Content::words(text.clone()))),
                (Some(body), _) if entry.kind.is_for_customer() => self.open(body).await,
                _ => Ok(None),
            };
            let Ok(said) = said else { return self.miss(line).await };
            self.show_entry(line, entry, said).await?;
        }
        Ok(())
    }

    async fn show_entry(&mut self, line: &mut Line, entry: &Entry, said: Option<Content>) -> Result<(), End> {
        let (text, files) = said.map(|said| (said.text, said.attachments)).unzip();
        let files = self.links(entry, files.unwrap_or_default());
        let attached: Vec<Attached<'_>> =
            files.iter().map(|(file, url)| Attached { file, bytes: &[], url, pixels: None }).collect();
        let (by, bot) = self.host.rooms.ask(|it| (it.title(&entry.kind), it.is_bot(&entry.kind)));
        let outbound = Outbound {
            entry,
            conversation: None,
            text: text.as_deref(),
            content: None,
            attached: &attached,
            by: by.as_deref(),
            bot,
            to: None,
            now: self.host.now(),
        };
        let _span = self.host.intake.traced.delivering(entry, "send frame", Kind::Producer);
        line.send_text(self.host.chat.frame(&outbound)).await?;
        self.shown.cursor = entry.seq;
        self.told_missing = false;
        if text.is_some() && !self.speaker.is_canary {
            self.host.kit.metrics.messages_sent_total.inc(["web"]);
        }
        Ok(())
    }

    /// Files with their links; whose key sealed the entry, theirs are its files.
    fn links(&self, entry: &Entry, files: Vec<Attachment>) -> Vec<(Attachment, String)> {
        let sealed_for = entry.body.as_ref().and_then(Sealed::parts).map(|(identity, _, _)| identity);
        let identity = sealed_for.unwrap_or(self.speaker.identity);
        let link = |file: Attachment| {
            let url = files::page_link(&self.host, identity, file.object, &file.name);
            (file, url)
        };
        files.into_iter().map(link).collect()
    }

    /// What is said; `None` where nobody can read it any more.
    async fn open(&mut self, body: &Sealed) -> Result<Option<Content>, KeysAway> {
        match self.host.sealer.unseal(body).await {
            Ok(bytes) => Ok(serde_json::from_slice::<Content>(&bytes).ok()),
            Err(UnsealError::Erased) => Ok(None),
            Err(error @ (UnsealError::NoKey | UnsealError::Damaged)) => {
                tracing::error!(%error, "failed to open an entry; it is shown as erased");
                Ok(None)
            }
            Err(UnsealError::Unavailable(_)) => Err(KeysAway),
        }
    }

    async fn hear(&mut self, line: &mut Line, message: Message) -> Result<(), End> {
        self.heard_at = Instant::now();
        let bytes = match message {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Lost),
        };
        let (files, identity) = (&self.host.files, self.speaker.identity);
        let parsed = self.host.chat.read(&bytes, |file, signature| files.vouches(identity, file, signature));
        if let Err(wait) = self.host.frames.check(&self.speaker.identity) {
            self.strikes += 1;
            if self.strikes > STRIKES_MAX {
                return Err(TOO_MANY_FRAMES);
            }
            return self.hold_back(line, parsed, take::TOO_FAST.after(wait)).await;
        }
        // Others of the same network may have used it up, so this is nobody's strike.
        if let Err(wait) = self.host.admit(&self.speaker.address, bytes.len()) {
            return self.hold_back(line, parsed, take::NETWORK_BUSY.after(wait)).await;
        }
        match parsed {
            Ok(Parsed::Message(said)) => match words(*said) {
                Some(words) => self.pass_on(Work::Say(words)).await,
                None => Ok(()),
            },
            // Nobody but a page sends here.
            Ok(Parsed::Status(_) | Parsed::Echo { .. } | Parsed::Left { .. }) => Ok(()),
            Ok(Parsed::Signal(signal)) => self.signal(line, signal).await,
            Err(rejected) => self.reject(line, &rejected).await,
        }
    }

    /// Past a rate: words are kept by the page and come again, all else is dropped.
    async fn hold_back(
        &mut self,
        line: &mut Line,
        parsed: Result<Parsed<Signal>, Rejected>,
        refusal: Refusal,
    ) -> Result<(), End> {
        match parsed {
            Ok(Parsed::Message(said)) => match words(*said) {
                Some(words) => self.pass_on(Work::HoldBack(words, refusal)).await,
                None => Ok(()),
            },
            Ok(Parsed::Signal(Signal::Thank(thanks))) => {
                line.send_text(take::refuse(&self.host, thanks.id, refusal)).await
            }
            Ok(Parsed::Signal(
                Signal::Hello(_) | Signal::Typing | Signal::Leave | Signal::Person | Signal::Ping { .. },
            ))
            | Ok(Parsed::Status(_) | Parsed::Echo { .. } | Parsed::Left { .. })
            | Err(_) => {
                self.host.refused(refusal.code());
                Ok(())
            }
        }
    }

    async fn signal(&mut self, line: &mut Line, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Ping { n } => line.send(&ServerFrame::Pong { n }).await,
            Signal::Leave => self.pass_on(Work::Leave).await,
            Signal::Person => self.pass_on(Work::Person).await,
            Signal::Thank(thanks) => self.pass_on(Work::Thank(thanks)).await,
            Signal::Typing => {
                self.tell_typing().await;
                Ok(())
            }
            Signal::Hello(_) => {
                self.host.refused("hello_twice");
                line.send(&ServerFrame::Error {
                    code: "hello_twice",
                    words: "hello was said: connect anew to say it again",
                })
                .await
            }
        }
    }

    async fn reject(&mut self, line: &mut Line, rejected: &Rejected) -> Result<(), End> {
        self.host.refused(rejected.code);
        let Rejected { code, words, about, .. } = rejected;
        match about {
            Some(id) => line.send(&ServerFrame::Refused { id, code, words, retry_after_ms: None }).await,
            None => line.send(&ServerFrame::Error { code, words }).await,
        }
    }

    async fn pass_on(&mut self, work: Work) -> Result<(), End> {
        self.work.send(work).await.map_err(|_| End::Lost)
    }

    /// Tells the desk that the customer is typing; nobody misses a word about typing that was lost.
    async fn tell_typing(&mut self) {
        let is_due = self.typed_at.is_none_or(|at| at.elapsed() >= TYPING_EVERY);
        let Some(standing) = self.host.rooms.ask(|it| it.standing(self.speaker.identity)).filter(|_| is_due)
        else {
            return;
        };
        self.typed_at = Some(Instant::now());
        let subject = self.host.subjects.typing(standing.conversation);
        if let Err(error) =
            self.host.bus.publish_ephemeral(&subject, Bytes::from_static(br#"{"who":"customer"}"#)).await
        {
            tracing::debug!(%error, "failed to tell that a customer is typing");
        }
    }
}

/// A page gives every message its id; what has none was no page's.
fn words(inbound: Inbound) -> Option<Words> {
    Some(Words { message: inbound.message?, inbound })
}

/// Up to the next half minute: rather too long than too short.
fn rounded(outlook: Outlook) -> Outlook {
    let up = |ms: u64| ms.div_ceil(OUTLOOK_STEP_MS).max(1).saturating_mul(OUTLOOK_STEP_MS);
    let wait = outlook.wait.map(|wait| Wait { p50_ms: up(wait.p50_ms), p90_ms: up(wait.p90_ms) });
    Outlook { wait, ..outlook }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_half_minutes_rather_too_long() {
        let told = |p50_ms, p90_ms| {
            let outlook = Outlook { position: 1, wait: Some(Wait { p50_ms, p90_ms }), is_late: false };
            rounded(outlook).wait.map(|wait| (wait.p50_ms, wait.p90_ms))
        };
        assert_eq!(told(0, 1), Some((30_000, 30_000)));
        assert_eq!(told(30_000, 30_001), Some((30_000, 60_000)));
    }
}
