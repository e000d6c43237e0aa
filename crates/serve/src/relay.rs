//! The TLS layer of a session that another process has: what the peer sends goes in, what the session says comes out.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// How much is carried at once.
const PIECE_BYTES: usize = 64 * 1024;

thread_local! {
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE_BYTES]);
}

/// The two ends.
pub struct Relay {
    pub(crate) peer: Box<TlsStream<TcpStream>>,
    pub(crate) owner: UnixStream,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// What was read and could not be written yet; nothing while the session is idle.
    waiting: Vec<u8>,
    written: usize,
    needs_flush: bool,
    state: State,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The source has ended; the sink is to be told.
    Ending,
    Ended,
}

impl Relay {
    /// Carries until both sides have ended, or one is broken.
    pub async fn run(mut self) {
        let (mut inward, mut outward) = (Way::default(), Way::default());
        // How a connection ends is not worth a word here: the session knows.
        let _ = poll_fn(|context| {
            let (peer, owner) = (&mut *self.peer, &mut self.owner);
            if outward.carry(owner, peer, context)?.is_ready() {
                return Poll::Ready(Ok::<(), io::Error>(()));
            }
            // A peer that closes its side still hears the answers to what it has sent.
            let _ = inward.carry(peer, owner, context)?;
            Poll::Pending
        })
        .await;
    }
}

impl Way {
    /// Carries what there is; ready when the source has ended and the sink knows.
    fn carry(
        &mut self,
        source: &mut (impl AsyncRead + Unpin),
        sink: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        PIECE.with_borrow_mut(|piece| {
            loop {
                while self.written < self.waiting.len() {
                    let rest = &self.waiting[self.written..];
                    match Pin::new(&mut *sink).poll_write(context, rest)? {
                        Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                        Poll::Ready(count) => self.written += count,
                        Poll::Pending => return Poll::Pending,
                    }
                }
                (self.waiting, self.written) = (Vec::new(), 0);
                match self.state {
                    State::Open => {}
                    State::Ending => {
                        if Pin::new(&mut *sink).poll_shutdown(context)?.is_pending() {
                            return Poll::Pending;
                        }
                        self.state = State::Ended;
                        return Poll::Ready(Ok(()));
                    }
                    State::Ended => return Poll::Ready(Ok(())),
                }
                let mut into = ReadBuf::new(piece);
                match Pin::new(&mut *source).poll_read(context, &mut into) {
                    Poll::Pending => {
                        if self.needs_flush && Pin::new(&mut *sink).poll_flush(context)?.is_ready() {
                            self.needs_flush = false;
                        }
                        return Poll::Pending;
                    }
                    // A peer that closes without close_notify is common and not worth an error.
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        self.state = State::Ending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) if into.filled().is_empty() => self.state = State::Ending,
                    Poll::Ready(Ok(())) => {
                        self.needs_flush = true;
                        let read = into.filled();
                        match Pin::new(&mut *sink).poll_write(context, read)? {
                            Poll::Ready(count) if count == read.len() => {}
                            Poll::Ready(count) => self.waiting = read[count..].to_vec(),
                            Poll::Pending => self.waiting = read.to_vec(),
                        }
                    }
                }
            }
        })
    }
}
