//! The line between one browser and the product, which can be cut without either of them being told.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
}

/// A port that passes everything on to another, as long as it is whole.
pub(crate) struct Line {
    /// The port of the product, which the browser believes to speak to.
    target: u16,
    port: u16,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Line {
    /// Lays a line to the port of an address such as `http://127.0.0.1:8080`.
    pub(crate) async fn to(url: &str) -> Self {
        let target = url.rsplit(':').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, seen) = watch::channel(State::Whole);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target, seen.clone()));
            }
        });
        Self { target, port, state, accepting }
    }

    /// What makes a browser take this line; its pages keep their address and origin.
    pub(crate) fn switch(&self) -> String {
        format!("--host-resolver-rules=MAP 127.0.0.1:{} 127.0.0.1:{}", self.target, self.port)
    }

    /// Ends every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut near: TcpStream, target: u16, mut state: watch::Receiver<State>) {
    let carry = async {
        if let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await {
            // An end is an end, whichever side it came from.
            drop(copy_bidirectional(&mut near, &mut far).await);
        }
    };
    tokio::select! {
        () = carry => {}
        _ = state.wait_for(|state| *state == State::Cut) => {}
    }
}
