//! How fast a line has to be: who sends or reads next to nothing holds a connection, and what is kept for it, from others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is asked of one direction of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Longest wait for anything.
    pub(super) within: Duration,
    /// All waits together may be as much longer as what went earns at this many bytes a second.
    pub(super) bytes_per_second: u64,
}

/// A request's body. What has limits of its own, as uploads have, is stricter than this.
pub(super) const BODY: Rate = Rate { within: Duration::from_secs(20), bytes_per_second: 16 * 1024 };
/// An answer, which a poor mobile line may read slowly, and what a socket is sent.
pub(super) const ANSWER: Rate = Rate { within: Duration::from_secs(30), bytes_per_second: 2 * 1024 };

/// The body did not come in time; whoever reads it answers 408.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("read a body: it comes too slowly")]
pub(super) struct TooSlow;

/// The time that was waited for the other side, and what went. Time in which we did not ask is ours and does not count.
struct Pace {
    rate: Rate,
    waited: Duration,
    bytes: u64,
    waits: Option<Wait>,
}

struct Wait {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Pace {
    fn new(rate: Rate) -> Self {
        Self { rate, waited: Duration::ZERO, bytes: 0, waits: None }
    }

    fn went(&mut self, bytes: usize) {
        if let Some(wait) = self.waits.take() {
            self.waited += wait.since.elapsed();
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Nothing goes now: ready when that lasts for too long.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let earned = Duration::from_secs(self.bytes / self.rate.bytes_per_second.max(1));
        let left = self.rate.within.saturating_add(earned).saturating_sub(self.waited);
        let wait = self.waits.get_or_insert_with(|| {
            let since = Instant::now();
            Wait { since, end: Box::pin(sleep_until(since + left.min(self.rate.within))) }
        });
        wait.end.as_mut().poll(cx)
    }
}

/// A body that breaks off when it comes too slowly.
pub(super) struct PacedBody<B> {
    body: B,
    pace: Pace,
}

impl<B> PacedBody<B> {
    pub(super) fn new(body: B, rate: Rate) -> Self {
        Self { body, pace: Pace::new(rate) }
    }
}

impl<B> HttpBody for PacedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, pace } = self.get_mut();
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
            return pace.poll_too_slow(cx).map(|()| Some(Err(TooSlow.into())));
        };
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len));
        pace.went(bytes.unwrap_or_default());
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A line that breaks off when the other side reads too slowly what it is sent.
pub(super) struct PacedLine<L> {
    line: L,
    pace: Pace,
}

impl<L> PacedLine<L> {
    pub(super) fn new(line: L, rate: Rate) -> Self {
        Self { line, pace: Pace::new(rate) }
    }

    fn poll_paced<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut L, &mut Context<'_>) -> Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = poll(&mut self.line, cx) {
            self.pace.went(done.as_ref().map_or(0, bytes));
            return Poll::Ready(done);
        }
        ready!(self.pace.poll_too_slow(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side reads too slowly")))
    }
}

impl<L: AsyncRead + Unpin> AsyncRead for PacedLine<L> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_read(cx, buffer)
    }
}

impl<L: AsyncWrite + Unpin> AsyncWrite for PacedLine<L> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_paced(cx, |line, cx| Pin::new(line).poll_write(cx, bytes), |went| *went)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_paced(cx, |line, cx| Pin::new(line).poll_write_vectored(cx, parts), |went| *went)
    }

    fn is_write_vectored(&self) -> bool {
        self.line.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_paced(cx, |line, cx| Pin::new(line).poll_flush(cx), |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_paced(cx, |line, cx| Pin::new(line).poll_shutdown(cx), |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::{Body, to_bytes};
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Reads a body of so many pieces of so many bytes, one after each pause; gives its length or how long it was waited for.
    async fn read(pieces: u32, bytes: usize, pause: Duration) -> Result<usize, Duration> {
        let began = Instant::now();
        let body = Body::from_stream(stream::unfold(pieces, move |left| async move {
            sleep(pause).await;
            (left > 0).then(|| (Ok::<_, Infallible>(Bytes::from(vec![7; bytes])), left - 1))
        }));
        let paced = Body::new(PacedBody::new(body, BODY));
        to_bytes(paced, usize::MAX).await.map(|bytes| bytes.len()).map_err(|_| began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_take_long_while_it_comes_and_breaks_off_when_it_stands_still() {
        let rate = usize::try_from(BODY.bytes_per_second).unwrap();
        assert_eq!(read(600, rate, SECOND).await, Ok(600 * rate));
        assert_eq!(read(1, 9, BODY.within - SECOND / 2).await, Err(BODY.within), "its end is waited for too");
        let still = read(1, 9, 600 * SECOND).await.unwrap_err();
        assert!(still <= BODY.within + SECOND, "{still:?}");
        let trickle = read(600, 9, SECOND).await.unwrap_err();
        assert!(trickle <= BODY.within + SECOND, "a few bytes now and then are no progress: {trickle:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_nobody_reads_a_body_is_not_its_senders() {
        let mut paced = PacedBody::new(Body::from("words"), BODY);
        sleep(600 * SECOND).await;
        let frame = std::future::poll_fn(|cx| Pin::new(&mut paced).poll_frame(cx)).await;
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "words");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_broken_off_and_who_reads_slowly_is_not() {
        let (near, _far) = tokio::io::duplex(1024);
        let began = Instant::now();
        let mut line = PacedLine::new(near, ANSWER);
        let told = line.write_all(&[7; 2048]).await.unwrap_err();
        assert_eq!((told.kind(), began.elapsed()), (io::ErrorKind::TimedOut, ANSWER.within));
        let (near, mut far) = tokio::io::duplex(1024);
        let reader = tokio::spawn(async move {
            let mut piece = [0; 1024];
            let mut got = 0;
            while let Ok(more @ 1..) = far.read(&mut piece).await {
                got += more;
                sleep(SECOND / 2).await;
            }
            got
        });
        let mut line = PacedLine::new(near, ANSWER);
        line.write_all(&vec![7; 600 * 1024]).await.unwrap();
        line.shutdown().await.unwrap();
        drop(line);
        assert_eq!(reader.await.unwrap(), 600 * 1024);
    }
}
