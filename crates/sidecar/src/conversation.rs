//! One client of a line protocol of Dovecot's, whatever it asks for: it says its version first, asks by number, and waits for one
//! answer at a time.

use machine::lines::{Line, Lines};
use machine::{Machine, Stamp};

use crate::escape::fields;
use crate::{Error, LINE_BYTES_MAX};

/// What makes one protocol differ from the others.
pub trait Protocol {
    /// What the caller decides, or is told.
    type Event;
    /// What is answered to the events that ask.
    type Answer;

    /// Understands a line after the version: its verb and the fields behind it. What needs no decision is answered in `output`.
    ///
    /// # Errors
    /// A line after which the conversation cannot go on.
    fn hear(
        &mut self,
        verb: &str,
        fields: Fields<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Heard<Self::Event>, Error>;

    /// Writes the answer to the question of that number.
    fn answer(&mut self, id: u32, answer: Self::Answer, output: &mut Vec<u8>);

    /// The event that the conversation is over because of the client.
    fn broken(error: Error) -> Self::Event;
}

/// The fields of a line that are not read yet.
pub type Fields<'a> = &'a mut dyn Iterator<Item = &'a str>;

/// What a line means.
#[derive(Debug)]
pub enum Heard<E> {
    /// Nothing that anybody is to know.
    Nothing,
    /// Something that needs no answer.
    Told(E),
    /// A question by its number.
    Asked(u32, E),
}

/// A client.
#[derive(Debug)]
pub struct Conversation<P: Protocol> {
    protocol: P,
    lines: Lines,
    output: Vec<u8>,
    event: Option<P::Event>,
    /// The question that waits for an answer.
    open: Option<u32>,
    /// The client has said which version it speaks.
    has_version: bool,
    is_finished: bool,
}

impl<P: Protocol> Conversation<P> {
    /// With a client that has just connected and is greeted with `hello`.
    pub(crate) fn begin(protocol: P, hello: Vec<u8>) -> Conversation<P> {
        Conversation {
            protocol,
            lines: Lines::new(),
            output: hello,
            event: None,
            open: None,
            has_version: false,
            is_finished: false,
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        let fields = fields(line);
        let mut fields = fields.iter().map(String::as_str);
        let verb = fields.next().unwrap_or_default();
        if verb == "VERSION" {
            return match fields.next() {
                Some("1") => {
                    self.has_version = true;
                    Ok(())
                }
                other => Err(Error::Version(other.unwrap_or_default().to_owned())),
            };
        }
        if !self.has_version {
            return Err(Error::Line("the version is missing"));
        }
        match self.protocol.hear(verb, &mut fields, &mut self.output)? {
            Heard::Nothing => {}
            Heard::Told(event) => self.event = Some(event),
            Heard::Asked(id, event) => (self.open, self.event) = (Some(id), Some(event)),
        }
        Ok(())
    }
}

impl<P: Protocol> Machine for Conversation<P> {
    type Event = P::Event;
    type Answer = P::Answer;

    fn feed(&mut self, input: &[u8], _now: Stamp) {
        self.lines.feed(input);
    }

    fn end_of_input(&mut self, _now: Stamp) {
        self.is_finished = true;
    }

    fn next_event(&mut self) -> Option<P::Event> {
        while self.event.is_none() && self.open.is_none() && !self.is_finished {
            let outcome = match self.lines.next_line(LINE_BYTES_MAX)? {
                Line::Complete(line) => self.line(&line),
                Line::TooLong => Err(Error::TooLong),
            };
            if let Err(error) = outcome {
                self.is_finished = true;
                self.event = Some(P::broken(error));
            }
        }
        self.event.take()
    }

    fn answer(&mut self, answer: P::Answer, _now: Stamp) {
        if let Some(id) = self.open.take() {
            self.protocol.answer(id, answer, &mut self.output);
        }
    }

    fn next_output(&mut self, into: &mut Vec<u8>, _limit: usize) {
        into.append(&mut self.output);
    }

    fn deadline(&self) -> Option<Stamp> {
        None
    }

    fn time_out(&mut self, _now: Stamp) {}

    fn wants_input(&self) -> bool {
        self.event.is_none() && self.open.is_none() && !self.is_finished && !self.lines.has_line()
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

/// The number by which something is asked.
pub(crate) fn number(text: Option<&str>) -> Result<u32, Error> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or(Error::Line("a number is missing"))
}
