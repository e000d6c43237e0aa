//! A dialogue that nobody has with us: what would be answered, and why. The session is a real one; no message is taken.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as Pair;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use access::{Rule, Step};
use serve::Link;
use serve::clock::now;
use serve::pump::{Work, pump};
use smtp::server::Server;
use tables::watch::{self, Hit};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Notify;

use super::Smtpd;
use super::session::{Login, Session, Watched};

/// What a client would say.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its address and port.
    pub client: SocketAddr,
    /// The address of ours that it came to.
    pub local: SocketAddr,
    /// Its name, where that is not to be looked up.
    pub name: Option<String>,
    /// Behind EHLO.
    pub helo: String,
    /// Between the brackets of MAIL FROM.
    pub sender: String,
    /// Between the brackets of RCPT TO.
    pub recipient: String,
    /// Who has logged in.
    pub login: Option<String>,
}

/// One command and its answer.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// What the client says; empty for the connection itself.
    pub command: String,
    /// The answer, its lines without their ends.
    pub reply: Vec<String>,
    /// What restriction lists looked at.
    pub steps: Vec<Step>,
    /// The rule that made the reply a refusal, if a restriction did; it may be of an earlier command.
    pub decided: Option<Rule>,
    /// The rule that made the reply a refusal, as the log names it.
    pub rule: Option<String>,
    /// Which tables knew something.
    pub hits: Vec<Hit>,
}

impl Exchange {
    /// Whether the client may go on.
    pub fn is_accepted(&self) -> bool {
        self.reply.iter().all(|line| line.starts_with('2'))
    }
}

impl Smtpd {
    /// Plays a part up to RCPT, or to the first refusal. The thread watches tables ([`watch::begin`]); the client's name as the
    /// session has it comes first.
    ///
    /// # Errors
    /// When the system has no sockets for it.
    pub async fn rehearse(self: Arc<Smtpd>, part: &Part) -> io::Result<(String, Vec<Exchange>)> {
        let (near, far) = Pair::pair()?;
        let mut link = Link::handed(near.into(), part.client, part.local)?;
        let mut session = Session::new(Arc::clone(&self), part.client.ip());
        session.is_called(match &part.name {
            Some(name) => dns::ClientName::verified(name),
            None => self.client_name(part.client.ip()).await,
        });
        session.login = part.login.as_ref().map(|user| Login {
            method: "PLAIN".to_owned(),
            user: user.clone(),
        });
        let client = session.client().to_string();
        let looked_at: Arc<Mutex<Looked>> = Arc::default();
        let shown = Arc::clone(&looked_at);
        session.watching = Some(Box::new(move |watched| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            match watched {
                Watched::Lists(outcome) => {
                    shown.steps.extend(outcome.trace.iter().cloned());
                    shown.decided.clone_from(&outcome.rule);
                }
                Watched::Refused(rule) => shown.rule = Some(rule.to_owned()),
            }
        }));
        let config = self.config_for(session.client()).await;
        let mut server = Server::new(config, now()).with_footers(session.footers(&link));
        let serving = async move {
            pump(&mut server, &mut session, &mut link, Work::Quick, &Notify::new()).await;
            link.close().await;
        };
        let mut speaking = pin!(speak(far, part, &looked_at));
        let exchanges = tokio::select! {
            exchanges = &mut speaking => exchanges?,
            () = serving => speaking.await?,
        };
        Ok((client, exchanges))
    }
}

/// What was seen of a command.
#[derive(Default)]
struct Looked {
    steps: Vec<Step>,
    decided: Option<Rule>,
    rule: Option<String>,
}

/// The client's side.
async fn speak(socket: Pair, part: &Part, looked_at: &Mutex<Looked>) -> io::Result<Vec<Exchange>> {
    socket.set_nonblocking(true)?;
    let mut stream = BufReader::new(UnixStream::from_std(socket)?);
    let commands = [
        String::new(),
        format!("EHLO {}", part.helo),
        format!("MAIL FROM:<{}>", part.sender),
        format!("RCPT TO:<{}>", part.recipient),
    ];
    let mut exchanges = Vec::new();
    let is_international = !part.sender.is_ascii() || !part.recipient.is_ascii();
    for mut command in commands {
        let offered = exchanges.last().map(|exchange: &Exchange| &exchange.reply);
        let offers = offered.is_some_and(|reply| reply.iter().any(|line| line.ends_with("SMTPUTF8")));
        // As a client would (RFC 6531 §3.2).
        if is_international && offers && command.starts_with("MAIL") {
            command.push_str(" SMTPUTF8");
        }
        if !command.is_empty() {
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        }
        let mut exchange = Exchange {
            command,
            reply: reply(&mut stream).await?,
            ..Exchange::default()
        };
        let looked = std::mem::take(&mut *looked_at.lock().unwrap_or_else(PoisonError::into_inner));
        (exchange.steps, exchange.rule) = (looked.steps, looked.rule);
        exchange.decided = looked.decided;
        exchange.hits = watch::take();
        let is_over = !exchange.is_accepted();
        exchanges.push(exchange);
        if is_over {
            break;
        }
    }
    Ok(exchanges)
}

/// The lines of one reply.
async fn reply(stream: &mut BufReader<UnixStream>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(lines);
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        let is_last = line.as_bytes().get(3) != Some(&b'-');
        lines.push(line);
        if is_last {
            return Ok(lines);
        }
    }
}
