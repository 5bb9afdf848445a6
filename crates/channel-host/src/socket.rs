//! One visitor's socket, from hello to its end.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bus::UnsealError;
use bytes::Bytes;
use channel_web::{
    Adapter as _, CustomerState, Hello, Outbound, Parsed, Rejected, ServerFrame, Signal, Visitor, issue, read,
};
use protocol::content::{Content, Sealed};
use protocol::thread::Entry;
use protocol::{ChannelKind, Hash128, SubjectToken};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use crate::Host;
use crate::history::{Past, PastNews};
use crate::limits::{
    HELLO_WITHIN, PING_EVERY, READY_WITHIN, RESUME_ENTRIES_MAX, SAYS_WAITING_MAX, SILENCE_MAX, STRIKES_MAX,
    TYPING_EVERY,
};
use crate::line::{End, Line};
use crate::projection::After;
use crate::rooms::Ear;
use crate::take::{self, Refusal, Speaker, Taker, Work};

/// The scope under which tokens are signed: no account can have this name, so no identity can have a token's hash.
const TOKEN_SCOPE: &str = "visitor.token";

const STARTING: End = End::TryAgain("starting", "we are just starting: try again in a moment");
const NO_HELLO: End = End::Rule("no_hello", "the first frame has to be hello, soon after connecting");
const UNKNOWN_ACCOUNT: End = End::Rule("unknown_account", "no web account of this name is configured");
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

/// Waits for hello and answers it.
async fn welcome(host: &Arc<Host>, line: &mut Line, account: &str, address: IpAddr) -> Result<Talk, End> {
    timeout(READY_WITHIN, host.rooms.ready()).await.map_err(|_| STARTING)?;
    let account = SubjectToken::new(account).map_err(|_| UNKNOWN_ACCOUNT)?;
    if !host.rooms.ask(|it| it.has_account(&account)) {
        return Err(UNKNOWN_ACCOUNT);
    }
    let hello = timeout(HELLO_WITHIN, hello(host, line)).await.map_err(|_| NO_HELLO)??;
    let sign = |bytes: &[u8]| sign(host, bytes);
    // A token that is not ours, or no longer, makes a new visitor: nobody is locked out by an old page.
    let visitor = hello.token.as_deref().and_then(|token| read(token, &account, sign).ok());
    let visitor = visitor.unwrap_or_else(|| Visitor(*Uuid::now_v7().as_bytes()));
    let identity = host.hasher.identity(ChannelKind::Web, account.as_str(), &visitor.value());
    // Listens before it looks, so that nothing falls between.
    let ear = host.rooms.listen(identity);
    let standing = host.rooms.ask(|it| it.standing(identity));
    let last_seq = standing.map_or(0, |it| it.last_seq);
    let cursor = first_cursor(hello.after, last_seq);
    let state = standing.map_or_else(CustomerState::default, |it| it.state);
    let token = issue(visitor, &account, sign);
    let conversation = standing.map(|it| it.conversation.to_string());
    line.send(&ServerFrame::Welcome { token: &token, conversation, state, from: cursor + 1 }).await?;
    let speaker = Speaker { account, identity, address };
    Ok(Talk::new(Arc::clone(host), speaker, ear, cursor, state))
}

/// After which entry a socket goes on: a page that has none gets the latest only.
fn first_cursor(after: u64, last_seq: u64) -> u64 {
    if after == 0 { last_seq.saturating_sub(RESUME_ENTRIES_MAX) } else { after }
}

async fn hello(host: &Host, line: &mut Line) -> Result<Hello, End> {
    loop {
        let bytes = match line.next().await? {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) => bytes,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return Err(End::Lost),
        };
        return match host.chat.parse(&bytes) {
            Ok(Parsed::Signal(Signal::Hello(hello))) => Ok(hello),
            Ok(_) => Err(NO_HELLO),
            Err(rejected) => {
                line.send(&ServerFrame::Error { code: rejected.code, words: &rejected.words }).await?;
                Err(NO_HELLO)
            }
        };
    }
}

fn sign(host: &Host, bytes: &[u8]) -> Hash128 {
    host.hasher.identity(ChannelKind::Web, TOKEN_SCOPE, &String::from_utf8_lossy(bytes)).0
}

/// The keys of words cannot be read now.
struct KeysAway;

/// A welcomed visitor.
struct Talk {
    host: Arc<Host>,
    speaker: Speaker,
    ear: Ear,
    /// The last entry that was sent.
    cursor: u64,
    past: Past,
    /// The visitor was told that entries are missing, and none came since.
    told_missing: bool,
    /// The last state that was sent.
    state: CustomerState,
    work: mpsc::Sender<Work>,
    answers: mpsc::Receiver<String>,
    strikes: u32,
    heard_at: Instant,
    typed_at: Option<Instant>,
    typing_shown_at: Option<Instant>,
}

impl Talk {
    fn new(host: Arc<Host>, speaker: Speaker, ear: Ear, cursor: u64, state: CustomerState) -> Self {
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
            cursor,
            past: Past::Known,
            told_missing: false,
            state,
            work,
            answers,
            strikes: 0,
            heard_at,
            typed_at,
            typing_shown_at,
        }
    }

    async fn run(mut self, line: &mut Line) -> End {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(end) = self.show(line).await {
            return end;
        }
        loop {
            if let Err(end) = self.turn(line, &mut pings).await {
                return end;
            }
        }
    }

    async fn turn(&mut self, line: &mut Line, pings: &mut Interval) -> Result<(), End> {
        // While too much of it is on its way, the socket is not read: its network holds it back.
        let has_room = self.work.capacity() > 0;
        tokio::select! {
            // What was taken is told before it shows as an entry.
            biased;
            Some(answer) = self.answers.recv() => line.send_text(answer).await,
            () = self.ear.woken() => self.show(line).await,
            news = self.past.news() => self.past_news(line, news).await,
            message = line.next(), if has_room => self.hear(line, message?).await,
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
        while self.past.is_known() {
            match self.host.rooms.ask(|it| it.after(identity, self.cursor)) {
                After::Nothing => break,
                After::Entries(entries) => {
                    self.show_entries(line, entries.iter().map(|entry| &**entry)).await?;
                }
                After::Older { conversation, before } => {
                    self.past = Past::ask(&self.host, conversation, self.cursor, before);
                }
            }
        }
        let state = self.host.rooms.ask(|it| it.standing(identity)).map_or(self.state, |it| it.state);
        if state != self.state {
            self.state = state;
            line.send(&ServerFrame::State { state }).await?;
        }
        let may_show = self.typing_shown_at.is_none_or(|at| at.elapsed() >= TYPING_EVERY);
        if self.ear.take_typing() && may_show {
            self.typing_shown_at = Some(Instant::now());
            line.send(&ServerFrame::Typing).await?;
        }
        Ok(())
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
            let text = match &entry.body {
                Some(body) if entry.kind.is_for_customer() => self.open(body).await,
                _ => Ok(None),
            };
            let Ok(text) = text else { return self.miss(line).await };
            self.show_entry(line, entry, text.as_deref()).await?;
        }
        Ok(())
    }

    async fn show_entry(&mut self, line: &mut Line, entry: &Entry, text: Option<&str>) -> Result<(), End> {
        let by = self.host.rooms.ask(|it| it.title(&entry.kind));
        let outbound = Outbound { entry, text, by: by.as_deref() };
        line.send_text(self.host.chat.render(&outbound)).await?;
        self.cursor = entry.seq;
        self.told_missing = false;
        if text.is_some() {
            self.host.kit.metrics.messages_sent_total.inc(["web"]);
        }
        Ok(())
    }

    /// The words; `None` where nobody can read them any more.
    async fn open(&mut self, body: &Sealed) -> Result<Option<String>, KeysAway> {
        match self.host.sealer.unseal(body).await {
            Ok(bytes) => Ok(serde_json::from_slice::<Content>(&bytes).ok().map(|content| content.text)),
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
        let parsed = self.host.chat.parse(&bytes);
        if let Err(wait) = self.host.frames.check(&self.speaker.identity) {
            self.strikes += 1;
            if self.strikes > STRIKES_MAX {
                return Err(TOO_MANY_FRAMES);
            }
            return self.hold_back(parsed, take::TOO_FAST.after(wait)).await;
        }
        // Others of the same network may have used it up, so this is nobody's strike.
        if let Err(wait) = self.host.admit(&self.speaker.address, bytes.len()) {
            return self.hold_back(parsed, take::NETWORK_BUSY.after(wait)).await;
        }
        match parsed {
            Ok(Parsed::Message(said)) => self.pass_on(Work::Say(said)).await,
            Ok(Parsed::Signal(signal)) => self.signal(line, signal).await,
            Err(rejected) => self.reject(line, &rejected).await,
        }
    }

    /// Past a rate: words are kept by the page and come again, all else is dropped.
    async fn hold_back(
        &mut self,
        parsed: Result<Parsed<Signal>, Rejected>,
        refusal: Refusal,
    ) -> Result<(), End> {
        match parsed {
            Ok(Parsed::Message(said)) => self.pass_on(Work::HoldBack(said, refusal)).await,
            Ok(Parsed::Signal(_)) | Err(_) => {
                self.host.refused(refusal.code());
                Ok(())
            }
        }
    }

    async fn signal(&mut self, line: &mut Line, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Ping { n } => line.send(&ServerFrame::Pong { n }).await,
            Signal::Leave => self.pass_on(Work::Leave).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_entries_gets_the_latest_only() {
        assert_eq!(first_cursor(0, 0), 0);
        assert_eq!(first_cursor(0, RESUME_ENTRIES_MAX), 0);
        assert_eq!(first_cursor(0, RESUME_ENTRIES_MAX + 1), 1);
        assert_eq!(first_cursor(7, 5 * RESUME_ENTRIES_MAX), 7);
    }

    #[test]
    fn no_account_has_the_scope_of_tokens() {
        assert!(SubjectToken::new(TOKEN_SCOPE).is_err());
    }
}
