//! The pump with a tiny machine over loopback: lines come back, deadlines and wakes are told, floods wait.

use std::sync::Arc;

use machine::lines::{Line, Lines};
use machine::{Machine, Stamp};
use serve::Link;
use serve::pump::{End, Host, Step, Work, pump};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Asks its host for each line and says the answer; `quit` ends it.
#[derive(Default)]
struct Echo {
    lines: Lines,
    open: bool,
    output: Vec<u8>,
    deadline: Option<Stamp>,
    finished: bool,
}

impl Machine for Echo {
    type Event = Vec<u8>;
    type Answer = Vec<u8>;

    fn feed(&mut self, input: &[u8], _: Stamp) {
        self.lines.feed(input);
    }

    fn end_of_input(&mut self, _: Stamp) {
        self.finished = true;
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        if self.open || self.finished {
            return None;
        }
        match self.lines.next_line(100)? {
            Line::Complete(line) if line == b"quit" => {
                self.finished = true;
                self.output.extend_from_slice(b"bye\n");
                None
            }
            Line::Complete(line) => {
                self.open = true;
                Some(line)
            }
            Line::TooLong => None,
        }
    }

    fn answer(&mut self, mut answer: Vec<u8>, _: Stamp) {
        self.open = false;
        answer.push(b'\n');
        self.output.extend_from_slice(&answer);
    }

    fn next_output(&mut self, into: &mut Vec<u8>, limit: usize) {
        let count = self.output.len().min(limit);
        into.extend(self.output.drain(..count));
    }

    fn deadline(&self) -> Option<Stamp> {
        self.deadline
    }

    fn time_out(&mut self, _: Stamp) {
        self.deadline = None;
        self.finished = true;
        self.output.extend_from_slice(b"late\n");
    }

    fn wants_input(&self) -> bool {
        !self.open && !self.finished && !self.lines.has_line()
    }

    fn is_finished(&self) -> bool {
        self.finished
    }

    fn wake(&mut self, _: Stamp) {
        self.output.extend_from_slice(b"woken\n");
    }
}

struct Upper;

impl Host<Echo> for Upper {
    async fn decide(&mut self, event: Vec<u8>, _: &Link) -> Step<Vec<u8>> {
        match event.as_slice() {
            b"drop" => Step::Abort,
            b"leave" => Step::Detach,
            line => Step::Answer(line.to_ascii_uppercase()),
        }
    }
}

/// Pumps `machine` against a client that sends `input` and closes; gives the end and what the client saw.
async fn run(machine: Echo, input: &[u8], wake: Arc<Notify>) -> (End, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut client = TcpStream::connect(listener.local_addr().expect("bound"))
        .await
        .expect("connects");
    let mut link = Link::new(listener.accept().await.expect("accepted").0).expect("is there");
    client.write_all(input).await.expect("is taken");
    let server = tokio::spawn(async move {
        let mut machine = machine;
        let end = pump(&mut machine, &mut Upper, &mut link, Work::Quick, &wake).await;
        link.close().await;
        end
    });
    let mut seen = String::new();
    client.read_to_string(&mut seen).await.expect("is text");
    (server.await.expect("no panic"), seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_lines_come_back_in_order() {
    let input: String = (0..5000)
        .map(|n| format!("line {n}\n"))
        .chain(["quit\n".to_owned()])
        .collect();
    let (end, seen) = run(Echo::default(), input.as_bytes(), Arc::default()).await;
    assert!(matches!(end, End::Finished));
    let wanted: String = (0..5000)
        .map(|n| format!("LINE {n}\n"))
        .chain(["bye\n".to_owned()])
        .collect();
    assert_eq!(seen, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_told() {
    let machine = Echo {
        deadline: Some(serve::clock::now() + 50_000),
        ..Echo::default()
    };
    let (end, seen) = run(machine, b"", Arc::default()).await;
    assert!(matches!(end, End::Finished));
    assert_eq!(seen, "late\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_is_told() {
    let wake = Arc::new(Notify::new());
    wake.notify_one();
    let machine = Echo {
        deadline: Some(serve::clock::now() + 50_000),
        ..Echo::default()
    };
    let (_, seen) = run(machine, b"", wake).await;
    assert_eq!(seen, "woken\nlate\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_can_leave_or_drop() {
    let (end, _) = run(Echo::default(), b"leave\nmore\n", Arc::default()).await;
    assert!(matches!(end, End::Detached));
    let (end, seen) = run(Echo::default(), b"drop\n", Arc::default()).await;
    assert!(matches!(end, End::Broken(_)) && seen.is_empty());
}
