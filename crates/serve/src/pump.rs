//! The pump: drives one machine over one link until one of them is done.
//!
//! Order in each round: decisions first, then what is to be written, then reading. So replies to pipelined
//! commands leave in one write, and nothing is read while a decision is open.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use machine::{Machine, Stamp};
use tokio::io::ReadBuf;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::Link;
use crate::clock::{now, until};

/// About how much is asked of a machine for one write.
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// How much is read at once.
const INPUT_BYTES: usize = 32 * 1024;
/// A peer that takes nothing for so long is given up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(300);
/// The longest single wait: a machine without a deadline is looked at this often.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

thread_local! {
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; INPUT_BYTES]);
}

/// What the host wants done about an event.
pub enum Step<A> {
    /// Answer the machine.
    Answer(A),
    /// The event needed no answer.
    Done,
    /// Write what the machine has to say, do the TLS handshake, then answer.
    StartTls(Arc<rustls::ServerConfig>, A),
    /// Stop pumping and leave link and machine as they are: somebody else takes over.
    Detach,
    /// Drop the connection without another word.
    Abort,
}

/// The side that decides.
pub trait Host<M: Machine> {
    /// Decides about one event.
    fn decide(&mut self, event: M::Event, link: &Link) -> impl Future<Output = Step<M::Answer>> + Send;
}

/// A host for machines that decide everything themselves.
pub struct NoHost;

impl<M: Machine> Host<M> for NoHost
where
    M::Event: Send,
{
    async fn decide(&mut self, _: M::Event, _: &Link) -> Step<M::Answer> {
        Step::Done
    }
}

/// Why the pump stopped.
#[derive(Debug)]
pub enum End {
    /// The machine has said its last word, and it was written.
    Finished,
    /// The host asked for it: [`Step::Detach`].
    Detached,
    /// The connection broke, the handshake failed, or the host asked for it: [`Step::Abort`].
    Broken(io::Error),
}

/// Whether the machine's verbs may block (a session over a store) or not (pure computation).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Runs in place.
    Quick,
    /// Other tasks are moved off this thread first.
    Blocking,
}

impl Work {
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Work::Quick => work(),
            Work::Blocking => tokio::task::block_in_place(work),
        }
    }
}

/// Pumps until the end. `wake` is notified when something that the machine watches has changed.
pub async fn pump<M, H>(machine: &mut M, host: &mut H, link: &mut Link, work: Work, wake: &Notify) -> End
where
    M: Machine,
    H: Host<M>,
{
    loop {
        match decisions(machine, host, link).await {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(error) => return End::Broken(error),
        }
        match write_output(machine, link, work).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => return End::Broken(error),
        }
        if machine.is_finished() {
            return End::Finished;
        }
        if let Err(error) = wait(machine, link, work, wake).await {
            return End::Broken(error);
        }
    }
}

/// Takes every open event to the host.
async fn decisions<M, H>(machine: &mut M, host: &mut H, link: &mut Link) -> io::Result<Option<End>>
where
    M: Machine,
    H: Host<M>,
{
    while let Some(event) = machine.next_event() {
        match host.decide(event, link).await {
            Step::Answer(answer) => machine.answer(answer, now()),
            Step::Done => {}
            Step::StartTls(config, answer) => {
                write_output(machine, link, Work::Quick).await?;
                timeout(WRITE_TIMEOUT, link.start_tls(config))
                    .await
                    .map_err(io::Error::from)??;
                machine.answer(answer, now());
            }
            Step::Detach => return Ok(Some(End::Detached)),
            Step::Abort => return Ok(Some(End::Broken(io::ErrorKind::ConnectionAborted.into()))),
        }
    }
    Ok(None)
}

/// Writes what the machine has to say now; whether there was anything.
async fn write_output<M: Machine>(machine: &mut M, link: &mut Link, work: Work) -> io::Result<bool> {
    let mut output = Vec::new();
    let mut wrote = false;
    loop {
        work.run(|| machine.next_output(&mut output, OUTPUT_BYTES));
        if output.is_empty() {
            return Ok(wrote);
        }
        timeout(WRITE_TIMEOUT, link.send(&output))
            .await
            .map_err(io::Error::from)??;
        wrote = true;
        output.clear();
    }
}

/// Waits for input, a deadline or a wake, and tells the machine.
async fn wait<M: Machine>(machine: &mut M, link: &mut Link, work: Work, wake: &Notify) -> io::Result<()> {
    let deadline: Option<Stamp> = machine.deadline();
    let patience = deadline.map_or(IDLE_WAIT, until);
    let wants_input = machine.wants_input();
    tokio::select! {
        biased;
        () = wake.notified() => work.run(|| machine.wake(now())),
        received = receive(machine, link, work), if wants_input => received?,
        () = tokio::time::sleep(patience) => {
            if deadline.is_some_and(|deadline| deadline <= now()) {
                work.run(|| machine.time_out(now()));
            }
        }
    }
    Ok(())
}

/// Reads once into the thread's scratch buffer and feeds the machine from there.
async fn receive<M: Machine>(machine: &mut M, link: &mut Link, work: Work) -> io::Result<()> {
    poll_fn(|context| {
        INPUT.with_borrow_mut(|scratch| {
            let mut into = ReadBuf::new(scratch);
            match link.poll_read(context, &mut into) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if into.filled().is_empty() => {
                    work.run(|| machine.end_of_input(now()));
                    Poll::Ready(Ok(()))
                }
                Poll::Ready(Ok(())) => {
                    work.run(|| machine.feed(into.filled(), now()));
                    Poll::Ready(Ok(()))
                }
            }
        })
    })
    .await
}
