//! How files go over lines that may be slow: in pieces, each within its time and all of them above a least rate, so that nobody
//! who sends or reads nothing holds what others need.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use service::{Problem, RetryAfter};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::door::{Seat, Seats};
use crate::limits::{DOWNLOAD_TURN_WITHIN, PACE_BYTES_PER_SECOND, PIECE_BYTES, PIECE_WITHIN, UPLOAD_AGAIN};

/// How far something is that goes over a line.
struct Pace {
    began: Instant,
    bytes: u64,
}

impl Pace {
    fn begin() -> Self {
        Self { began: Instant::now(), bytes: 0 }
    }

    fn went(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// When the next piece has to have gone.
    fn until(&self) -> Instant {
        let earned = std::time::Duration::from_secs(self.bytes / PACE_BYTES_PER_SECOND);
        (Instant::now() + PIECE_WITHIN).min(self.began + PIECE_WITHIN + earned)
    }
}

/// Why a file did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCome {
    /// It stood still, or came too slowly.
    Slow,
    /// It broke off, or is longer than was said.
    CutOff,
}

/// A file that comes in.
pub(crate) struct Coming {
    pieces: BodyDataStream,
    pace: Pace,
    length: usize,
    first: Bytes,
}

impl Coming {
    /// Waits for the first piece of a file that is said to be so long: who sends nothing takes nobody's seat.
    pub(crate) async fn begun(body: Body, length: usize) -> Result<Self, NotCome> {
        let (pieces, first) = (body.into_data_stream(), Bytes::new());
        let mut coming = Self { pieces, pace: Pace::begin(), length, first };
        coming.first = coming.piece().await?.unwrap_or_default();
        Ok(coming)
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, NotCome> {
        let next = timeout_at(self.pace.until(), self.pieces.next()).await.map_err(|_| NotCome::Slow)?;
        let piece = next.transpose().map_err(|_| NotCome::CutOff)?;
        self.pace.went(piece.as_ref().map_or(0, Bytes::len));
        Ok(piece)
    }

    /// All of it.
    pub(crate) async fn read(mut self) -> Result<Vec<u8>, NotCome> {
        let mut bytes = Vec::with_capacity(self.length);
        let mut piece = Some(std::mem::take(&mut self.first));
        while let Some(more) = piece {
            if bytes.len() + more.len() > self.length {
                return Err(NotCome::CutOff);
            }
            bytes.extend_from_slice(&more);
            piece = self.piece().await?;
        }
        if bytes.len() == self.length { Ok(bytes) } else { Err(NotCome::CutOff) }
    }

    /// What is left of it, to be listened to and thrown away.
    pub(crate) fn rest(self) -> Body {
        Body::from_stream(self.pieces)
    }
}

/// A turn to read a file for this address: a page shows many pictures at once, so they wait for one another.
pub(crate) async fn turn(seats: &Arc<Seats>, address: IpAddr) -> Result<Seat, Problem> {
    timeout(DOWNLOAD_TURN_WITHIN, seats.wait(address)).await.map_err(|_| {
        let problem = Problem::unavailable("too_many_downloads", "too many files are being read just now");
        problem.retry_after(RetryAfter(UPLOAD_AGAIN))
    })
}

/// An answer with these bytes, which holds their seat until they are gone or nobody reads them any more.
pub(crate) fn answer(bytes: Bytes, seat: Seat) -> Response {
    let length = HeaderValue::from(bytes.len());
    // What waits in the connection is copied pieces: the whole goes when its reader is too slow, whatever becomes of the line.
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(feed(bytes, seat, send));
    let pieces = stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|piece| (Ok::<Bytes, std::convert::Infallible>(piece), receive))
    });
    let mut response = Body::from_stream(pieces).into_response();
    // The answer of a reader who was too slow ends before it, so that they know that something is missing.
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

async fn feed(bytes: Bytes, seat: Seat, send: mpsc::Sender<Bytes>) {
    let mut pace = Pace::begin();
    for piece in bytes.chunks(PIECE_BYTES) {
        match timeout_at(pace.until(), send.send(Bytes::copy_from_slice(piece))).await {
            Ok(Ok(())) => pace.went(piece.len()),
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::debug!("a file is read too slowly; its reader has to ask again");
                return;
            }
        }
    }
    drop(seat);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A body of so many pieces of so many bytes, one after each pause.
    fn body(pieces: usize, bytes: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(pieces, move |left| async move {
            sleep(pause).await;
            let piece = Bytes::from(vec![7; bytes]);
            (left > 0).then(|| (Ok::<Bytes, std::convert::Infallible>(piece), left - 1))
        }))
    }

    async fn come(body: Body, length: usize) -> Result<usize, NotCome> {
        Ok(Coming::begun(body, length).await?.read().await?.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_may_take_long_while_it_comes_and_ends_when_it_stands_still() {
        let rate = usize::try_from(PACE_BYTES_PER_SECOND).unwrap();
        let second = Duration::from_secs(1);
        let began = Instant::now();
        assert_eq!(come(body(600, rate, second), 600 * rate).await, Ok(600 * rate));
        assert!(began.elapsed() > Duration::from_secs(599));
        let began = Instant::now();
        assert_eq!(come(body(1, 9, 600 * second), 9).await, Err(NotCome::Slow));
        assert!(began.elapsed() <= PIECE_WITHIN, "nothing came");
        let began = Instant::now();
        assert_eq!(come(body(600, 9, second), 600 * 9).await, Err(NotCome::Slow));
        assert!(began.elapsed() <= PIECE_WITHIN + second, "a few bytes now and then are no progress");
        assert_eq!(come(body(2, 9, second), 19).await, Err(NotCome::CutOff));
        assert_eq!(come(body(2, 9, second), 17).await, Err(NotCome::CutOff));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_loses_the_seat_and_who_reads_slowly_keeps_it() {
        let seats = Seats::new(1, 1);
        let large = Bytes::from(vec![7; 10 * PIECE_BYTES]);
        let response = answer(large.clone(), turn(&seats, HERE).await.unwrap());
        assert_eq!(response.headers()[header::CONTENT_LENGTH], (10 * PIECE_BYTES).to_string().as_str());
        assert_eq!(turn(&seats, HERE).await.unwrap_err().code, "too_many_downloads");
        let seat =
            turn(&seats, HERE).await.expect("the bytes are given up, though the answer is still there");
        let got: usize = pieces_of(response, Duration::ZERO).await;
        assert!(got < large.len(), "{got}");
        let got = pieces_of(answer(large.clone(), seat), Duration::from_secs(2)).await;
        assert_eq!(got, large.len());
        sleep(Duration::from_millis(1)).await;
        assert!(seats.take(HERE).is_ok());
    }

    async fn pieces_of(response: Response, pause: Duration) -> usize {
        let mut pieces = response.into_body().into_data_stream();
        let mut got = 0;
        while let Some(piece) = pieces.next().await {
            got += piece.unwrap().len();
            sleep(pause).await;
        }
        got
    }
}
