//! A socket that is written to within a time, and that ends with a reason.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use channel_web::{ServerFrame, SocketAnswer};

use crate::limits::SEND_WITHIN;

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side is gone or too slow: there is nobody to tell.
    Lost,
    /// The process ends; the page comes back at once, to another.
    Draining,
    /// What the page shows is of a conversation that is no more; the page comes back and is told so.
    Anew,
    /// It cannot be served now; the page comes back.
    TryAgain(&'static str, &'static str),
    /// It breaks a rule.
    Rule(&'static str, &'static str),
}

/// The socket.
pub(crate) struct Line(WebSocket);

impl Line {
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self(socket)
    }

    /// The next message; an end if there is none. Cancelling it loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Message, End> {
        match self.0.recv().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(_)) | None => Err(End::Lost),
        }
    }

    pub(crate) async fn send(&mut self, frame: &ServerFrame<'_>) -> Result<(), End> {
        self.send_text(frame.to_json()).await
    }

    pub(crate) async fn send_text(&mut self, text: String) -> Result<(), End> {
        self.write(Message::Text(Utf8Bytes::from(text))).await
    }

    pub(crate) async fn ping(&mut self) -> Result<(), End> {
        self.write(Message::Ping(bytes::Bytes::new())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND_WITHIN, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(lost(SocketAnswer::Closed)),
            Err(_) => Err(lost(SocketAnswer::TooSlow)),
        }
    }

    /// Says why and closes.
    pub(crate) async fn end(mut self, end: End) {
        let (code, reason) = match end {
            End::Lost => return,
            End::Draining => (close_code::AWAY, "going away"),
            End::Anew => (close_code::AGAIN, "begins anew"),
            End::TryAgain(code, words) => {
                // Who cannot be told is gone already.
                if self.send(&ServerFrame::Error { code, words }).await.is_err() {
                    return;
                }
                (close_code::AGAIN, code)
            }
            End::Rule(code, words) => {
                if self.send(&ServerFrame::Error { code, words }).await.is_err() {
                    return;
                }
                (close_code::POLICY, code)
            }
        };
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        if self.write(close).await.is_err() {
            tracing::debug!("a socket was gone before it was closed");
        }
    }
}

fn lost(answer: SocketAnswer) -> End {
    tracing::debug!(?answer, "a socket is lost; its page resumes by its last entry");
    End::Lost
}
