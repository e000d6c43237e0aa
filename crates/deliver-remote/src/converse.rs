//! Drives the client machine over one connection until its message has its outcomes.

use crate::CONTENT_PIECE_OCTETS;
use crate::connection::{Connection, in_words};
use envelope::{DeliveryResult, Outcome, StatusCode};
use machine::{Machine, Stamp};
use rustls::ClientConfig;
use smtp::client::{Answer, Client, Config, Event, Message, Report};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// How long the last words may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// About how much is written at once, in octets.
const OUTPUT_OCTETS: usize = 256 * 1024;
/// How much is read at once, in octets.
const INPUT_OCTETS: usize = 8 * 1024;

/// One connection and what it is for.
pub(crate) struct Session<'a> {
    pub(crate) connection: Connection,
    pub(crate) config: Config,
    /// How to encrypt, and whether from the first octet.
    pub(crate) tls: Option<(Arc<ClientConfig>, bool)>,
    pub(crate) server_name: &'a str,
    pub(crate) content: Box<dyn Read + Send + 'a>,
}

/// How a session ended.
pub(crate) enum End {
    /// The message was begun; every recipient has an outcome.
    Done(Report),
    /// Nothing was begun; another address may be tried.
    NeverBegun(Outcome),
    /// The same, because there is no TLS with this peer.
    HandshakeFailed(Outcome),
}

impl Session<'_> {
    /// Delivers `message`.
    pub(crate) async fn run(&mut self, message: &Message) -> End {
        let patience = micros(self.config.timeouts.starttls);
        if let Some((config, true)) = &self.tls {
            let handshake = self.connection.start_tls(config.clone(), self.server_name);
            if let Err(error) = timeout(patience, handshake)
                .await
                .unwrap_or_else(|late| Err(late.into()))
            {
                return End::HandshakeFailed(self.handshake_outcome(&error));
            }
        }
        let relay = self.config.relay.clone();
        let mut client = Client::new(self.config.clone(), now());
        let mut waiting = Some(message.clone());
        let mut handshake_failed = false;
        let mut report = None;
        loop {
            while let Some(event) = client.next_event() {
                match event {
                    Event::Done(done) => report = Some(done),
                    Event::Ready => {
                        let answer = waiting
                            .take()
                            .map_or(Answer::Quit, |message| Answer::Next(Box::new(message)));
                        client.answer(answer, now());
                    }
                    Event::Content => client.answer(self.piece(), now()),
                    Event::StartTls => {
                        let answer = self.handshake(patience).await;
                        handshake_failed = matches!(answer, Answer::TlsFailed(_));
                        client.answer(answer, now());
                    }
                }
            }
            let mut output = Vec::new();
            client.next_output(&mut output, OUTPUT_OCTETS);
            if !output.is_empty() {
                self.write(&mut client, &output).await;
            } else if client.is_finished() {
                break;
            } else {
                self.read(&mut client).await;
            }
        }
        drop(timeout(CLOSE_TIMEOUT, self.connection.close()).await);
        end(report, client.failure(), handshake_failed, &relay)
    }

    /// Writes, as long as the machine has patience. A peer that takes no more may have said why.
    async fn write(&mut self, client: &mut Client, output: &[u8]) {
        let patience = client.deadline().map_or(CLOSE_TIMEOUT, left);
        match timeout(patience, self.connection.send(output)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                let mut last_words = vec![0; INPUT_OCTETS];
                if let Ok(Ok(count)) = timeout(CLOSE_TIMEOUT, self.connection.receive(&mut last_words)).await
                {
                    client.feed(&last_words[..count], now());
                }
                client.end_of_input(now());
            }
            Err(_) => client.time_out(now()),
        }
    }

    /// Reads once, as long as the machine has patience.
    async fn read(&mut self, client: &mut Client) {
        let patience = client.deadline().map_or(CLOSE_TIMEOUT, left);
        let mut input = vec![0; INPUT_OCTETS];
        match timeout(patience, self.connection.receive(&mut input)).await {
            Ok(Ok(0) | Err(_)) => client.end_of_input(now()),
            Ok(Ok(count)) => client.feed(&input[..count], now()),
            Err(_) => client.time_out(now()),
        }
    }

    /// The next piece of content.
    fn piece(&mut self) -> Answer {
        let mut piece = vec![0; CONTENT_PIECE_OCTETS];
        loop {
            match self.content.read(&mut piece) {
                Ok(0) => return Answer::ContentEnd,
                Ok(count) => {
                    piece.truncate(count);
                    return Answer::Content(piece);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Answer::ContentFailed,
            }
        }
    }

    async fn handshake(&mut self, patience: Duration) -> Answer {
        let Some((config, _)) = self.tls.clone() else {
            return Answer::TlsFailed("it is not configured".to_owned());
        };
        let handshake = self.connection.start_tls(config, self.server_name);
        match timeout(patience, handshake)
            .await
            .unwrap_or_else(|late| Err(late.into()))
        {
            Ok(()) => Answer::TlsStarted,
            Err(error) => Answer::TlsFailed(in_words(&error)),
        }
    }

    fn handshake_outcome(&self, error: &io::Error) -> Outcome {
        Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(7, 5),
            text: format!("Cannot start TLS: {}", in_words(error)),
            relay: self.config.relay.clone(),
            detail: Default::default(),
        }
    }
}

/// What the session came to.
fn end(report: Option<Report>, failure: Option<Outcome>, handshake_failed: bool, relay: &str) -> End {
    match (report, failure) {
        (None, Some(outcome)) if handshake_failed => End::HandshakeFailed(outcome),
        (None, Some(outcome)) => End::NeverBegun(outcome),
        (Some(report), _) => {
            let put_off = report
                .outcomes
                .iter()
                .all(|outcome| outcome.result == DeliveryResult::Deferred);
            match report.outcomes.first() {
                Some(outcome) if report.never_begun && put_off => End::NeverBegun(outcome.clone()),
                _ => End::Done(report),
            }
        }
        (None, None) => End::NeverBegun(Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(4, 0),
            text: "the session ended before the message was begun".to_owned(),
            relay: relay.to_owned(),
            detail: Default::default(),
        }),
    }
}

/// The time as machines count it.
fn now() -> Stamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Stamp::try_from(since.as_micros()).unwrap_or(Stamp::MAX / 2)
}

/// How long it is until `deadline`; a little more, so that it has passed then.
fn left(deadline: Stamp) -> Duration {
    micros(deadline - now()) + Duration::from_millis(1)
}

fn micros(time: Stamp) -> Duration {
    Duration::from_micros(u64::try_from(time).unwrap_or(0))
}
