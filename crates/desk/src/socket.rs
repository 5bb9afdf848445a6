//! One desk's WebSocket: hello, frames in, frames out, and the reasons for which it ends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::{Error as AxumError, Extension};
use protocol::desk::{FromDesk, ToDesk};
use service::{Rate, RateLimiter};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::commands::{Lane, TASKS_WAITING_MAX, Task};
use crate::frames::{Fault, MESSAGE_BYTES_MAX, TextLimits};
use crate::hub::ToLine;
use crate::line::{self, Attach, Frame, Outbox};
use crate::order::Order;
use crate::sessions::{self, Session};
use crate::till::{Asker, QUESTIONS_MAX, Question};
use crate::{Gateway, render};

/// Most frames that wait for a desk; past it the desk is closed, comes back and resumes.
pub(crate) const OUTBOX_FRAMES_MAX: usize = 512;
/// Read at once. The library's own 128 KiB would be held by every desk, and wiped at every read.
const READ_BYTES: usize = 8 * 1024;
/// How long one frame may take to be written.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long the last frame may take to be written.
const GOODBYE_WAIT: Duration = Duration::from_secs(1);
/// How long a desk may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// How long a hello waits for the log to be read; shorter than a desk's patience.
const LOG_WAIT: Duration = Duration::from_secs(9);
/// How often it is looked whether the session still stands and is in use.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a desk is asked for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Silence after which a desk counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Frames dropped for coming too fast, less those that were taken meanwhile, after which the desk is closed.
pub(crate) const DROPPED_MAX: u32 = 500;

/// Why a socket ends: the close code and word that the desk gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The desk is gone: nobody to tell.
    Gone,
    SignedOut,
    Restart,
    ComeBack,
    TooFast,
}

impl End {
    fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            // Nothing is left to say; if it said goodbye, it gets one back.
            Self::Gone => return None,
            Self::SignedOut => (4401, "signed_out"),
            Self::Restart => (1012, "restart"),
            Self::ComeBack => (1013, "come_back"),
            Self::TooFast => (4429, "too_fast"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

pub(crate) async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(session): Extension<Session>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BYTES);
    upgrade.on_upgrade(move |socket| run(gateway, session, socket))
}

async fn run(gateway: Arc<Gateway>, session: Session, mut socket: WebSocket) {
    let _open = gateway.kit.metrics.sockets_open.hold(["desk"]);
    let entered = gateway.live.enter(&session);
    let (frames, outbox) = mpsc::channel(OUTBOX_FRAMES_MAX);
    let stop = CancellationToken::new();
    let out = Outbox::new(frames, stop.clone());
    let mut desk = Desk::new(&gateway, &session, out);
    // Asked after it was entered: from here on its end is heard of.
    let end = if sessions::still_stands(&gateway, &session).await {
        serve(&mut socket, &mut desk, outbox, &stop, &entered.ended).await
    } else {
        End::SignedOut
    };
    gateway.hub.tell(session.agent, ToLine::Detach { socket: desk.number });
    // The desk may be gone by now; then there is nobody to tell.
    drop(tokio::time::timeout(GOODBYE_WAIT, socket.send(Message::Close(end.frame()))).await);
}

async fn serve(
    socket: &mut WebSocket,
    desk: &mut Desk,
    mut outbox: mpsc::Receiver<Frame>,
    stop: &CancellationToken,
    session_ended: &CancellationToken,
) -> End {
    let drained = desk.gateway.kit.drain.token();
    let session_left = tokio::time::sleep(desk.session_left());
    tokio::pin!(session_left);
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut look = tokio::time::interval(LOOK_EVERY);
    let hello_by = Instant::now() + HELLO_WAIT;
    loop {
        tokio::select! {
            () = drained.cancelled() => return End::Restart,
            () = session_ended.cancelled() => return End::SignedOut,
            () = &mut session_left => return End::SignedOut,
            () = stop.cancelled() => return flush(socket, &mut outbox).await,
            () = tokio::time::sleep_until(hello_by), if !desk.said_hello => return End::Gone,
            Some(frame) = outbox.recv() => {
                if !write(socket, Message::Text(frame.text)).await {
                    return End::Gone;
                }
            }
            message = socket.recv() => {
                if let Some(end) = desk.hear(message).await {
                    return end;
                }
            }
            _ = look.tick() => {
                // Beside the frames: a bus that is away answers late.
                let is_active = std::mem::take(&mut desk.is_active);
                let (gateway, session) = (Arc::clone(&desk.gateway), desk.session.clone());
                tokio::spawn(async move { sessions::look(&gateway, &session, is_active).await });
            }
            _ = ping.tick() => {
                if desk.heard_at.elapsed() > SILENCE_MAX || !write(socket, Message::Ping(bytes::Bytes::new())).await {
                    return End::Gone;
                }
            }
        }
    }
}

/// A last word, such as why the desk is closed, may still be in the outbox; one that is full is of no more use.
async fn flush(socket: &mut WebSocket, outbox: &mut mpsc::Receiver<Frame>) -> End {
    if outbox.len() < OUTBOX_FRAMES_MAX {
        while let Ok(frame) = outbox.try_recv() {
            if !write(socket, Message::Text(frame.text)).await {
                return End::Gone;
            }
        }
    }
    End::ComeBack
}

async fn write(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(WRITE_WAIT, socket.send(message)).await, Ok(Ok(())))
}

/// What is known of the desk at the other end.
struct Desk {
    gateway: Arc<Gateway>,
    session: Session,
    number: u64,
    out: Outbox,
    tasks: mpsc::Sender<Task>,
    questions: mpsc::Sender<Question>,
    order: Arc<Order>,
    limits: TextLimits,
    rate: RateLimiter<()>,
    dropped: u32,
    said_hello: bool,
    heard_at: Instant,
    /// Whether its agent did something since the session was looked at.
    is_active: bool,
}

impl Desk {
    fn new(gateway: &Arc<Gateway>, session: &Session, out: Outbox) -> Self {
        let limits = &gateway.kit.settings.limits;
        let rate =
            RateLimiter::new(Rate::per_second(limits.desk_frames_per_second), 1, gateway.kit.clock.clone());
        let limits = TextLimits::new(limits);
        let number = gateway.hub.number_socket();
        let (tasks, waiting) = mpsc::channel(TASKS_WAITING_MAX);
        let order = Arc::<Order>::default();
        let lane = Lane {
            gateway: Arc::clone(gateway),
            agent: session.agent,
            socket: number,
            out: out.clone(),
            limits,
            order: Arc::clone(&order),
        };
        // It ends when the sender is gone, after what the desk asked for before.
        tokio::spawn(lane.run(waiting));
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let asker = Asker { gateway: Arc::clone(gateway), agent: session.agent, out: out.clone() };
        tokio::spawn(asker.run(asked));
        Self {
            gateway: Arc::clone(gateway),
            session: session.clone(),
            number,
            out,
            tasks,
            questions,
            order,
            limits,
            rate,
            dropped: 0,
            said_hello: false,
            heard_at: Instant::now(),
            is_active: true,
        }
    }

    fn session_left(&self) -> Duration {
        Duration::from_millis(self.session.until.since(self.gateway.now()))
    }

    /// Takes what came; gives the reason if the socket ends here.
    async fn hear(&mut self, message: Option<Result<Message, AxumError>>) -> Option<End> {
        self.heard_at = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                self.fault(Fault::new("binary_frame", "frames are JSON texts, not binary"));
                return None;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return None,
            Some(Ok(Message::Close(_))) | None => return Some(End::Gone),
            Some(Err(error)) => {
                tracing::debug!(%error, "a desk's socket broke");
                return Some(End::Gone);
            }
        };
        if let Err(wait) = self.rate.check(&()) {
            self.dropped = self.dropped.saturating_add(1);
            if let Ok(FromDesk::Command { id, .. }) = self.limits.read(&text) {
                self.order.put_off(id, self.order.place_of(id));
            }
            let words = format!("too many frames at once: wait {} s and send it again", wait.seconds());
            self.fault(Fault::new("too_fast", words));
            return (self.dropped > DROPPED_MAX).then_some(End::TooFast);
        }
        self.dropped = self.dropped.saturating_sub(1);
        match self.limits.read(&text) {
            Ok(frame) => self.take(frame).await,
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    async fn take(&mut self, frame: FromDesk) -> Option<End> {
        // A page that is open says so by itself, and asks for its lists; only what its agent does keeps the session.
        self.is_active |=
            !matches!(frame, FromDesk::Hello { .. } | FromDesk::Ping { .. } | FromDesk::Line {});
        let task = match frame {
            FromDesk::Hello { have } => return self.hello(have).await,
            FromDesk::Ping { n } => {
                self.out.send(render::frame(&ToDesk::Pong { n, now: self.gateway.now() }));
                return None;
            }
            FromDesk::Command { id, command } => {
                Task::Command { id, place: self.order.place_of(id), command }
            }
            FromDesk::Line {} if self.said_hello => {
                let (contacts, more) = self.gateway.hub.line(self.session.agent, self.gateway.now());
                self.out.send(render::frame(&ToDesk::Line { contacts, more }));
                return None;
            }
            FromDesk::Line {} => {
                self.fault(Fault::new("hello_first", "say hello before anything else"));
                return None;
            }
            FromDesk::Typing { contact, note } => Task::Typing { contact, note },
            FromDesk::Draft { contact, text } => Task::Draft { contact, text },
            FromDesk::Older { contact, before_seq } => Task::Older { contact, before_seq },
            FromDesk::Till { contact, claim, currency } => {
                self.ask(Question::new(contact, claim, currency));
                return None;
            }
        };
        if !self.said_hello {
            self.fault(Fault::new("hello_first", "say hello before anything else"));
        } else if let Err(dropped) = self.tasks.try_send(task) {
            if let Task::Command { id, place, .. } = dropped.into_inner() {
                self.order.put_off(id, place);
            }
            let words =
                format!("more than {TASKS_WAITING_MAX} requests wait: this one is dropped, send it again");
            self.fault(Fault::new("too_many_at_once", words));
        }
        None
    }

    fn ask(&self, question: Question) {
        if !self.said_hello {
            self.fault(Fault::new("hello_first", "say hello before anything else"));
        } else if self.questions.try_send(question).is_err() {
            let words = format!("more than {QUESTIONS_MAX} questions wait: this one is dropped, ask again");
            self.fault(Fault::new("too_many_at_once", words));
        }
    }

    async fn hello(
        &mut self,
        have: std::collections::BTreeMap<protocol::ConversationId, u64>,
    ) -> Option<End> {
        if tokio::time::timeout(LOG_WAIT, self.gateway.hub.caught_up()).await.is_err() {
            return Some(End::ComeBack);
        }
        // Who left while no desk of theirs was open does not come back.
        if let Err(problem) = sessions::rank_now(&self.gateway, &self.session).await {
            return Some(if problem.code == "signed_out" { End::SignedOut } else { End::ComeBack });
        }
        self.said_hello = true;
        let (socket, out) = (self.number, self.out.clone());
        line::attach(&self.gateway, self.session.agent, Attach { socket, out, have });
        None
    }

    fn fault(&self, fault: Fault) {
        self.gateway.kit.metrics.refused_total.inc(["desk", fault.code]);
        self.out.send(render::frame(&fault.frame()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_is_told_why_it_is_closed() {
        assert!(End::Gone.frame().is_none());
        let told =
            [End::SignedOut, End::Restart, End::ComeBack, End::TooFast].map(|end| end.frame().unwrap().code);
        assert_eq!(told, [4401, 1012, 1013, 4429]);
    }

    #[tokio::test]
    async fn a_desk_that_does_not_read_is_closed_and_no_frame_is_dropped_in_silence() {
        let (frames, mut taken) = mpsc::channel(OUTBOX_FRAMES_MAX);
        let stop = CancellationToken::new();
        let out = Outbox::new(frames, stop.clone());
        for _ in 0..OUTBOX_FRAMES_MAX {
            out.send("x".into());
        }
        assert!(!stop.is_cancelled());
        out.send("one past".into());
        assert!(stop.is_cancelled());
        assert_eq!(taken.recv().await.map(|frame| frame.text), Some("x".into()));
    }
}
