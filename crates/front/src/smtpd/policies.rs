//! Connections to policy services (SMTPD_POLICY_README): kept between questions, made anew when they are broken or old.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use access::policy::{ANSWER_BYTES_MAX, Failure, Server, action};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};

/// How many connections without a question are kept for one service.
const IDLE_MAX: usize = 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connections of one SMTP service.
pub(super) struct Policies {
    queue_directory: PathBuf,
    idle: Mutex<HashMap<String, Vec<Connection>>>,
}

struct Connection {
    stream: Box<dyn Stream>,
    opened: Instant,
    used: Instant,
    questions: usize,
}

impl Connection {
    fn is_good_for(&self, server: &Server) -> bool {
        self.used.elapsed() < server.max_idle
            && self.opened.elapsed() < server.max_ttl
            && (server.request_limit == 0 || self.questions < server.request_limit)
    }

    /// One question and its answer.
    async fn ask(&mut self, question: &str) -> io::Result<String> {
        self.stream.write_all(question.as_bytes()).await?;
        self.stream.flush().await?;
        let mut answer = Vec::new();
        let mut piece = [0; 1024];
        while !answer.ends_with(b"\n\n") {
            let read = self.stream.read(&mut piece).await?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            answer.extend_from_slice(&piece[..read]);
            if answer.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other("the answer is too long"));
            }
        }
        self.questions += 1;
        self.used = Instant::now();
        let text = String::from_utf8_lossy(&answer);
        let action = action(&text).map(str::to_owned);
        action.ok_or_else(|| io::Error::other("the answer has no action"))
    }
}

fn failure(is_unreachable: bool, error: &io::Error) -> Failure {
    Failure {
        is_unreachable,
        reason: words(error),
    }
}

/// What the log calls an error: the system's words.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
        io::ErrorKind::UnexpectedEof => "Application error".to_owned(),
        _ => error.to_string(),
    }
}

impl Policies {
    /// No connections yet. Sockets in the file system are named from `queue_directory` on.
    pub(super) fn new(queue_directory: &Path) -> Policies {
        Policies {
            queue_directory: queue_directory.to_owned(),
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a service, as often as its settings say; what it says to do.
    ///
    /// # Errors
    /// Why the last attempt failed.
    pub(super) async fn ask(&self, server: &Server, question: &str) -> Result<String, Failure> {
        let mut tries = 0;
        loop {
            let kept = self.take(server);
            let is_kept = kept.is_some();
            let attempt = timeout(server.timeout, self.attempt(server, kept, question)).await;
            let failure = match attempt {
                Ok(Ok((action, connection))) => {
                    self.keep(server, connection);
                    return Ok(action);
                }
                Ok(Err(failure)) => failure,
                Err(_) => failure(false, &io::Error::from(io::ErrorKind::TimedOut)),
            };
            // The service may close what waits for questions: that says nothing about it.
            if is_kept {
                continue;
            }
            tries += 1;
            if tries >= server.try_limit {
                return Err(failure);
            }
            sleep(server.retry_delay).await;
        }
    }

    async fn attempt(
        &self,
        server: &Server,
        kept: Option<Connection>,
        question: &str,
    ) -> Result<(String, Connection), Failure> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let now = Instant::now();
                Connection {
                    stream: self
                        .connect(&server.endpoint)
                        .await
                        .map_err(|error| failure(true, &error))?,
                    opened: now,
                    used: now,
                    questions: 0,
                }
            }
        };
        let answer = connection.ask(question).await;
        let action = answer.map_err(|error| failure(false, &error))?;
        Ok((action, connection))
    }

    async fn connect(&self, endpoint: &str) -> io::Result<Box<dyn Stream>> {
        let unix = endpoint.strip_prefix("unix:").or_else(|| {
            // Without a type it is a socket of the mail system's own.
            (!endpoint.starts_with("inet:")).then_some(endpoint)
        });
        if let Some(path) = unix {
            let path = self.queue_directory.join(path);
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let address = endpoint.strip_prefix("inet:").unwrap_or(endpoint);
        let address = match address.contains(':') {
            true => address.replace(['[', ']'], ""),
            false => format!("localhost:{address}"),
        };
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        let port = port
            .parse::<u16>()
            .map_err(|_| io::Error::other("the port is no number"))?;
        Ok(Box::new(TcpStream::connect((host, port)).await?))
    }

    /// A connection that waits for questions. What is too old is closed.
    fn take(&self, server: &Server) -> Option<Connection> {
        let mut idle = self.idle();
        let waiting = idle.get_mut(&server.endpoint)?;
        waiting.retain(|connection| connection.is_good_for(server));
        waiting.pop()
    }

    fn keep(&self, server: &Server, connection: Connection) {
        let mut idle = self.idle();
        let waiting = idle.entry(server.endpoint.clone()).or_default();
        waiting.retain(|connection| connection.is_good_for(server));
        if connection.is_good_for(server) && waiting.len() < IDLE_MAX {
            waiting.push(connection);
        }
    }
}
