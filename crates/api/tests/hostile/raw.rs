//! A NATS client that is not polite: it sends whatever bytes it is told to, and shows what the server says.

use std::time::Duration;

use bus::{BusSettings, Credentials, Nkey};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Waits of tests are long, because machines are busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Error(String),
    Message { subject: String, payload: Vec<u8> },
}

pub(crate) struct Raw {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    subscriptions: u32,
}

impl Raw {
    /// As an integration.
    pub(crate) async fn guest(settings: &BusSettings, seed: &str) -> Self {
        let key = Nkey::from_seed(seed).unwrap();
        Self::open(settings, |nonce| json!({"nkey": key.public(), "sig": key.sign(nonce).unwrap()})).await
    }

    /// As ourselves, with all rights: who sees everything.
    pub(crate) async fn ours(settings: &BusSettings) -> Self {
        let Credentials::Password { user, password } = &settings.credentials else { panic!("a password") };
        Self::open(settings, |_| json!({"user": user, "pass": password.reveal()})).await
    }

    async fn open(settings: &BusSettings, who: impl FnOnce(&str) -> Value) -> Self {
        let address = settings.url.strip_prefix("nats://").unwrap();
        let (read, write) = TcpStream::connect(address).await.unwrap().into_split();
        let mut raw = Self { read: BufReader::new(read), write, subscriptions: 0 };
        let info: Value = serde_json::from_str(raw.line().await.strip_prefix("INFO ").unwrap()).unwrap();
        let mut connect = who(info["nonce"].as_str().unwrap_or_default());
        for (name, value) in
            [("verbose", false), ("pedantic", false), ("headers", true), ("no_responders", true)]
        {
            connect[name] = json!(value);
        }
        raw.send(format!("CONNECT {connect}\r\n").as_bytes()).await;
        assert_eq!(raw.settle().await, []);
        raw
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::time::timeout(DEADLINE, self.read.read_line(&mut line)).await.unwrap().unwrap();
        line.trim_end().to_owned()
    }

    /// Any bytes at all.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn publish(&mut self, subject: &str, reply: &str, payload: &str) {
        let line = format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len());
        self.send(line.as_bytes()).await;
    }

    pub(crate) async fn publish_with(&mut self, subject: &str, headers: &[(&str, &str)], payload: &str) {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("NATS/1.0\r\n{lines}\r\n");
        let (of_head, of_all) = (head.len(), head.len() + payload.len());
        self.send(format!("HPUB {subject} {of_head} {of_all}\r\n{head}{payload}\r\n").as_bytes()).await;
    }

    pub(crate) async fn subscribe(&mut self, subject: &str, group: &str) {
        self.subscriptions += 1;
        let line = format!("SUB {subject} {group} {}\r\n", self.subscriptions);
        self.send(line.as_bytes()).await;
    }

    /// Everything that the server says until it has answered all that was sent.
    pub(crate) async fn settle(&mut self) -> Vec<Said> {
        self.send(b"PING\r\n").await;
        let mut said = Vec::new();
        loop {
            match self.next().await {
                Next::Said(one) => said.push(one),
                Next::Pong => return said,
                Next::Gone => panic!("the server hung up after {said:?}"),
            }
        }
    }

    /// Everything until the server hangs up.
    pub(crate) async fn until_gone(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            match self.next().await {
                Next::Said(one) => said.push(one),
                Next::Pong => {}
                Next::Gone => return said,
            }
        }
    }

    async fn next(&mut self) -> Next {
        loop {
            let line = self.line().await;
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "" => return Next::Gone,
                "PONG" => return Next::Pong,
                "PING" => self.send(b"PONG\r\n").await,
                "-ERR" => return Next::Said(Said::Error(line)),
                "MSG" | "HMSG" => {
                    let total: usize = words.last().unwrap().parse().unwrap();
                    let head: usize =
                        if words[0] == "HMSG" { words[words.len() - 2].parse().unwrap() } else { 0 };
                    let mut bytes = vec![0; total + 2];
                    self.read.read_exact(&mut bytes).await.unwrap();
                    bytes.truncate(total);
                    let (subject, payload) = (words[1].to_owned(), bytes.split_off(head));
                    return Next::Said(Said::Message { subject, payload });
                }
                // INFO comes again when the server has news.
                _ => {}
            }
        }
    }
}

enum Next {
    Said(Said),
    Pong,
    Gone,
}
