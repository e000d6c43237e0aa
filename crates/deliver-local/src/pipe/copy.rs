//! The message as the command of a pipe reads it: lines on top by `flags=`, and every line with its ends and marks.

use std::io::{self, BufRead, BufReader, Read};

use super::{Mail, Pipe};
use crate::Content;
use crate::hands::date_of;
use crate::task::Facts;

/// How much of a line is looked at at once, in octets. Longer lines are passed on in pieces.
const PIECE_BYTES: u64 = 64 * 1024;

/// Reads a message as a pipe wants it.
pub(super) struct Copying<'a> {
    content: BufReader<Box<dyn Read + 'a>>,
    eol: &'a [u8],
    /// `.`: another dot before a dot at the start of a line.
    doubles_dots: bool,
    /// `>`: that sign before `From ` at the start of a line.
    marks_from: bool,
    /// `B`: an empty line at the end.
    ends_blank: bool,
    at_line_start: bool,
    ended: bool,
    /// What is ready to be read, and how much of it was.
    ready: Vec<u8>,
    taken: usize,
    piece: Vec<u8>,
}

impl<'a> Copying<'a> {
    pub(super) fn new(
        pipe: &'a Pipe,
        (mail, facts): (&Mail, &Facts),
        content: &'a dyn Content,
        now_secs: i64,
    ) -> Copying<'a> {
        Copying {
            content: BufReader::new(content.reader()),
            eol: &pipe.eol,
            doubles_dots: pipe.has_flag('.'),
            marks_from: pipe.has_flag('>'),
            ends_blank: pipe.has_flag('B'),
            at_line_start: true,
            ended: false,
            ready: top(pipe, mail, facts, now_secs),
            taken: 0,
            piece: Vec::new(),
        }
    }

    /// Makes the next piece of a line ready.
    fn advance(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        self.piece.clear();
        let read = (&mut self.content)
            .take(PIECE_BYTES)
            .read_until(b'\n', &mut self.piece)?;
        if read == 0 {
            self.end();
            return Ok(());
        }
        if self.at_line_start && self.marks_from && self.piece.starts_with(b"From ") {
            self.ready.push(b'>');
        }
        if self.at_line_start && self.doubles_dots && self.piece.starts_with(b".") {
            self.ready.push(b'.');
        }
        self.at_line_start = self.piece.ends_with(b"\n");
        match self.piece.strip_suffix(b"\n") {
            Some(line) => {
                self.ready.extend_from_slice(line);
                self.ready.extend_from_slice(self.eol);
            }
            None => self.ready.extend_from_slice(&self.piece),
        }
        Ok(())
    }

    /// What follows the last line.
    fn end(&mut self) {
        self.ended = true;
        if !self.at_line_start {
            self.ready.extend_from_slice(self.eol);
        }
        if self.ends_blank {
            self.ready.extend_from_slice(self.eol);
        }
    }
}

impl Read for Copying<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.ended {
            self.advance()?;
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

/// The lines on top (`F`, `R`, `O`, `D`).
fn top(pipe: &Pipe, mail: &Mail, facts: &Facts, now_secs: i64) -> Vec<u8> {
    let sender = match &facts.sender {
        Some(sender) => sender.to_string(),
        None => pipe.null_sender.clone(),
    };
    let mut lines = Vec::new();
    if pipe.has_flag('F') {
        let sender = if sender.is_empty() {
            "MAILER-DAEMON"
        } else {
            &sender
        };
        lines.push(format!("From {sender}  {}", date_of(now_secs).asctime()));
    }
    if pipe.has_flag('R') {
        lines.push(format!("Return-Path: <{sender}>"));
    }
    if let Some((address, original)) = mail.recipients.first() {
        if pipe.has_flag('O') {
            lines.push(format!("X-Original-To: {original}"));
        }
        if pipe.has_flag('D') {
            lines.push(format!("Delivered-To: {address}"));
        }
    }
    let mut top = Vec::new();
    for line in lines {
        top.extend_from_slice(line.as_bytes());
        top.extend_from_slice(&pipe.eol);
    }
    top
}
