//! Drives the client machine over one connection: until a message has its outcomes, and then perhaps another one.

use crate::connection::{Connection, Established, Target, in_words};
use crate::filters::Replies;
use crate::logins::{Dialogue, Logins, Privacy};
use crate::terms::Terms;
use crate::{CONTENT_PIECE_OCTETS, FaultySession, Greeted};
use envelope::{DeliveryResult, Outcome, StatusCode};
use intake::checks::outgoing::TableFailed;
use machine::{Machine, Stamp};
use rustls::ClientConfig;
use smtp::client::{Answer, Client, Config, Event, Message, Report};
use std::io::{self, Read};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tls::client::Judgement;
use tokio::time::timeout;

/// How long the last words may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// About how much is written at once, in octets.
const OUTPUT_OCTETS: usize = 256 * 1024;
/// How much is read at once, in octets.
const INPUT_OCTETS: usize = 8 * 1024;

/// One connection, and the conversation over it. It may serve one message after another.
pub(crate) struct Session {
    connection: Connection,
    client: Client,
    pub(crate) target: Target,
    pub(crate) terms: Terms,
    /// How to encrypt, and the name that goes with it.
    tls: Option<(Arc<ClientConfig>, String)>,
    /// Who is told of handshakes.
    teller: Teller,
    logins: Arc<Logins>,
    /// What the peer's replies pass through.
    replies: Option<Replies>,
    dialogue: Option<Dialogue>,
    /// Encrypted with whom it must be.
    is_verified: bool,
    relay: String,
    /// How long a handshake may take.
    patience: Duration,
    /// When the connection was made.
    pub(crate) opened: Instant,
    /// When it was ready for the message it has, or has had.
    pub(crate) ready: Instant,
    /// How many messages it was used for.
    pub(crate) uses: u32,
}

/// What a conversation is begun with.
pub(crate) struct Beginning {
    pub(crate) target: Target,
    pub(crate) terms: Terms,
    pub(crate) config: Config,
    /// How to encrypt, and the name that goes with it.
    pub(crate) tls: Option<(Arc<ClientConfig>, String)>,
    /// Who is told of handshakes.
    pub(crate) teller: Teller,
    /// Which mechanisms may be used for a login.
    pub(crate) logins: Arc<Logins>,
    /// What the peer's replies pass through.
    pub(crate) replies: Option<Replies>,
}

/// Tells of a handshake (`smtp_tls_loglevel`): the session or what went wrong.
pub(crate) type Teller = Arc<dyn Fn(Result<&Established, &str>) + Send + Sync>;

/// How a message fared in a session.
pub(crate) enum End {
    /// The message was begun; every recipient has an outcome.
    Done(Report),
    /// Nothing was begun; another address may be tried.
    NeverBegun(Outcome),
    /// The same, because there is no TLS with this peer.
    HandshakeFailed(Outcome),
    /// The same: the kept connection was of no use any more.
    Stale,
}

impl Session {
    /// A conversation over a connection that has just been made.
    ///
    /// # Errors
    /// What a failed handshake means for the message.
    pub(crate) async fn begin(connection: Connection, beginning: Beginning) -> Result<Session, Outcome> {
        let Beginning {
            target,
            terms,
            config,
            tls,
            teller,
            logins,
            replies,
        } = beginning;
        let is_wrapped = config.tls_active;
        let mut session = Session {
            connection,
            relay: config.relay.clone(),
            patience: micros(config.timeouts.starttls),
            client: Client::new(config, now()),
            target,
            terms,
            tls,
            teller,
            logins,
            replies,
            dialogue: None,
            is_verified: false,
            opened: Instant::now(),
            ready: Instant::now(),
            uses: 0,
        };
        if !is_wrapped {
            return Ok(session);
        }
        let text = match session.handshake().await {
            Answer::TlsFailed(why) => format!("Cannot start TLS: {why}"),
            Answer::TlsRefused(text) => text,
            _ => return Ok(session),
        };
        Err(Outcome {
            result: DeliveryResult::Deferred,
            status: StatusCode::temporary(7, 5),
            text,
            relay: session.relay,
            detail: Default::default(),
        })
    }

    /// What was said, if the peer did not speak as mail servers do.
    pub(crate) fn take_faulty(&mut self) -> Option<FaultySession> {
        let transcript = self.client.take_faulty_transcript()?;
        let relay = self.relay.clone();
        Some(FaultySession { relay, transcript })
    }

    /// Whether another message may follow.
    pub(crate) fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    /// Whether the peer offers STARTTLS and it was not used.
    pub(crate) fn offers_unused_tls(&self) -> bool {
        self.client.offers_unused_tls()
    }

    /// Whether the greeting came through a firewall that has changed it.
    pub(crate) fn is_behind_pix(&self) -> bool {
        self.client.is_behind_pix()
    }

    /// Whether the connection is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.client.is_tls()
    }

    /// Whether the peer has said nothing, and not hung up, while the connection was kept.
    pub(crate) fn is_quiet(&self) -> bool {
        self.connection.is_quiet()
    }

    /// Delivers `message`. The content is read when the peer wants it; `greeted` is called when the peer has spoken.
    pub(crate) async fn run(
        &mut self,
        message: &Message,
        mut content: Box<dyn Read + Send + '_>,
        greeted: Greeted<'_>,
    ) -> End {
        let mut waiting = Some(message.clone());
        let (mut handshake_failed, mut is_greeted) = (false, false);
        let (mut report, mut unread) = (None, None);
        if self.uses > 0 {
            self.ready = Instant::now();
            self.client.resume();
            let message = waiting.take().unwrap_or_else(|| message.clone());
            self.client.answer(Answer::Next(Box::new(message)), now());
        }
        self.uses = self.uses.saturating_add(1);
        loop {
            while let Some(event) = self.client.next_event() {
                match event {
                    Event::Done(mut done) => {
                        done.warnings.extend(unread.take().flatten());
                        report = Some(done);
                    }
                    Event::Ready => match waiting.take() {
                        Some(message) => {
                            self.ready = Instant::now();
                            self.client.answer(Answer::Next(Box::new(message)), now());
                        }
                        // It stays unanswered: that is how a session is kept.
                        None => return end(report, None, handshake_failed, &self.relay),
                    },
                    Event::Pause(time) => {
                        // The machine wants this when everything is written.
                        tokio::time::sleep(micros(time)).await;
                        self.client.answer(Answer::Paused, now());
                    }
                    Event::Content => {
                        let read = piece(&mut *content);
                        unread = unread.or_else(|| read.as_ref().err().cloned());
                        self.client.answer(read.unwrap_or(Answer::ContentFailed), now());
                    }
                    Event::LogIn(_) | Event::Challenge(_) | Event::LoggedIn => {
                        let answer = self.log_in(&event);
                        self.client.answer(answer, now());
                    }
                    Event::StartTls => {
                        let answer = self.handshake().await;
                        handshake_failed = !matches!(answer, Answer::TlsStarted);
                        self.client.answer(answer, now());
                    }
                }
            }
            if self.client.is_finished() {
                return end(report, self.client.failure(), handshake_failed, &self.relay);
            }
            if self.move_octets().await == Heard::Something && !mem::replace(&mut is_greeted, true) {
                greeted();
            }
        }
    }

    /// The caller's side of a login.
    fn log_in(&mut self, event: &Event) -> Answer {
        let Some(login) = &self.terms.login else {
            return Answer::NoLogin("there is no login".to_owned());
        };
        match (event, &mut self.dialogue) {
            (Event::LogIn(offered), _) => {
                let privacy = match (self.client.is_tls(), self.is_verified) {
                    (false, _) => Privacy::Plain,
                    (true, false) => Privacy::Encrypted,
                    (true, true) => Privacy::Verified,
                };
                let mechanisms = (offered.as_slice(), self.logins.allowed(privacy));
                let binding = self.connection.binding();
                let (dialogue, answer) = Dialogue::begin(login, &self.target.peer, mechanisms, binding);
                self.dialogue = dialogue;
                answer
            }
            (Event::Challenge(challenge), Some(dialogue)) => dialogue.answer(challenge),
            (_, Some(dialogue)) => dialogue.end(),
            (_, None) => Answer::NoLogin("there is no login".to_owned()),
        }
    }

    /// Writes what there is, or reads.
    async fn move_octets(&mut self) -> Heard {
        if self.client.deadline().is_some_and(|deadline| deadline <= now()) {
            self.client.time_out(now());
            return Heard::Nothing;
        }
        let mut output = Vec::new();
        self.client.next_output(&mut output, OUTPUT_OCTETS);
        match output.is_empty() {
            false => {
                self.write(&output).await;
                Heard::Nothing
            }
            true => self.read().await,
        }
    }

    /// Says QUIT where that can be said, and closes the connection.
    pub(crate) async fn end(mut self) {
        if self.is_ready() {
            self.client.answer(Answer::Quit, now());
        }
        let mut output = Vec::new();
        self.client.next_output(&mut output, OUTPUT_OCTETS);
        if !output.is_empty() {
            self.write(&output).await;
        }
        while !self.client.is_finished() {
            while self.client.next_event().is_some() {}
            self.move_octets().await;
        }
        drop(timeout(CLOSE_TIMEOUT, self.connection.close()).await);
    }

    /// Writes, as long as the machine has patience. A peer that takes no more may have said why.
    async fn write(&mut self, output: &[u8]) {
        let client = &mut self.client;
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
    async fn read(&mut self) -> Heard {
        let client = &mut self.client;
        let patience = client.deadline().map_or(CLOSE_TIMEOUT, left);
        let mut input = vec![0; INPUT_OCTETS];
        match timeout(patience, self.connection.receive(&mut input)).await {
            Ok(Ok(0) | Err(_)) => client.end_of_input(now()),
            Ok(Ok(count)) => match &mut self.replies {
                None => client.feed(&input[..count], now()),
                Some(replies) => match replies.pass(&input[..count]) {
                    Ok(lines) => client.feed(&lines, now()),
                    // As if the connection were lost: mail waits, and the table's warning says why.
                    Err(_) => client.end_of_input(now()),
                },
            },
            Err(_) => {
                client.time_out(now());
                return Heard::Nothing;
            }
        }
        Heard::Something
    }

    async fn handshake(&mut self) -> Answer {
        let Some((config, name)) = self.tls.clone() else {
            return Answer::TlsFailed("it is not configured".to_owned());
        };
        let demand = &self.terms.policy.demand;
        let handshake = self.connection.start_tls(config, &name, demand);
        let shaken = timeout(self.patience, handshake).await;
        let established = match shaken.unwrap_or_else(|late| Err(late.into())) {
            Ok(established) => established,
            Err(error) => {
                let why = in_words(&error);
                (self.teller)(Err(&why));
                return Answer::TlsFailed(why);
            }
        };
        (self.teller)(Ok(&established));
        self.is_verified = established.judgement == Judgement::Verified;
        match established.judgement {
            _ if !demand.level.demands_identity() => Answer::TlsStarted,
            Judgement::Verified => Answer::TlsStarted,
            // Who signed it is in the log; the outcome is the same.
            Judgement::Trusted | Judgement::Untrusted => {
                Answer::TlsRefused("Server certificate not verified".to_owned())
            }
        }
    }
}

/// Whether the peer said something, or hung up.
#[derive(PartialEq, Eq)]
enum Heard {
    Something,
    Nothing,
}

/// The next piece of content, or what is to be said in the log of why there is none.
fn piece(content: &mut (dyn Read + Send)) -> Result<Answer, Option<String>> {
    let mut piece = vec![0; CONTENT_PIECE_OCTETS];
    loop {
        match content.read(&mut piece) {
            Ok(0) => return Ok(Answer::ContentEnd),
            Ok(count) => {
                piece.truncate(count);
                return Ok(Answer::Content(piece));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let is_told = error.get_ref().is_some_and(|why| why.is::<TableFailed>());
                let why = || format!("cannot read the message from the queue: {}", os::words(&error));
                return Err((!is_told).then(why));
            }
        }
    }
}

/// What the session came to.
fn end(report: Option<Report>, failure: Option<Outcome>, handshake_failed: bool, relay: &str) -> End {
    match (report, failure) {
        (None, Some(outcome)) if handshake_failed => End::HandshakeFailed(outcome),
        (None, Some(outcome)) => End::NeverBegun(outcome),
        (Some(report), _) if report.stale => End::Stale,
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
