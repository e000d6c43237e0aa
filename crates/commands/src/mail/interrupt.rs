//! Lines of input beside the interrupt key and a terminal that goes away, and how often a person is asked whether they mean it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;

use os::signals::{self, Gesture};

use super::variables::Variables;

/// How many ends of input in a row `ignoreeof` passes over: a terminal that is gone ends for ever.
const ENDS_MAX: u32 = 25;

/// What came from the person or the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A line without its end.
    Line(Vec<u8>),
    /// The end of input.
    End,
    /// The interrupt key.
    Interrupt,
    /// The terminal is gone: nothing is shown or asked any more.
    Hangup,
}

/// Standard input by lines. What a person does besides typing ends the wait for a line.
#[derive(Debug)]
pub(super) struct Lines {
    input: Option<BufReader<File>>,
    is_hung_up: bool,
}

impl Lines {
    /// Standard input; interrupts and hangups are caught when a person types.
    pub(super) fn new(is_interactive: bool) -> Lines {
        let input = io::stdin().as_fd().try_clone_to_owned().ok();
        if is_interactive {
            // Without descriptors the signals do what they did: end the program.
            let _ = signals::catch_gestures();
        }
        Lines {
            input: input.map(|input| BufReader::new(File::from(input))),
            is_hung_up: false,
        }
    }

    /// The next line, at most so many octets of it.
    pub(super) fn line(&mut self, bytes_max: usize) -> Input {
        let mut line = Vec::new();
        loop {
            if self.is_hung_up {
                return Input::Hangup;
            }
            let Some(input) = &mut self.input else {
                return Input::End;
            };
            if input.buffer().is_empty() {
                match signals::wait_for(input.get_ref().as_fd()) {
                    Ok(None) | Err(_) => {}
                    Ok(Some(Gesture::Interrupt)) => return Input::Interrupt,
                    Ok(Some(Gesture::Hangup)) => {
                        self.is_hung_up = true;
                        continue;
                    }
                }
            }
            let found = match input.fill_buf() {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A terminal that is gone before its signal comes, or an input that cannot be read.
                Err(_) => {
                    self.is_hung_up = true;
                    continue;
                }
            };
            let room = bytes_max - line.len();
            let end = found.iter().position(|&b| b == b'\n');
            let taken = end.unwrap_or(found.len()).min(room);
            line.extend_from_slice(&found[..taken]);
            let is_end = found.is_empty();
            let is_whole = end == Some(taken);
            input.consume(taken + usize::from(is_whole));
            if is_whole || line.len() >= bytes_max || (is_end && !line.is_empty()) {
                return Input::Line(line);
            }
            if is_end {
                return Input::End;
            }
        }
    }

    /// All that is left, at most so many octets. What was read before an error counts.
    pub(super) fn rest(&mut self, bytes_max: u64) -> Vec<u8> {
        let mut text = Vec::new();
        if let Some(input) = &mut self.input {
            let _ = input.take(bytes_max).read_to_end(&mut text);
        }
        text
    }

    /// Whether the interrupt key was pressed since the last question or line.
    pub(super) fn interrupted(&mut self) -> bool {
        let gesture = signals::caught();
        self.is_hung_up |= gesture == Some(Gesture::Hangup);
        gesture == Some(Gesture::Interrupt)
    }
}

/// How a person who interrupts or ends is asked again.
#[derive(Debug, Default)]
pub(super) struct Patience {
    is_warned: bool,
    ends: u32,
}

impl Patience {
    /// A line was typed: what came before is forgotten.
    pub(super) fn restore(&mut self) {
        *self = Patience::default();
    }

    /// The interrupt key in a letter: what to say; `None` when the letter is given up.
    pub(super) fn interrupt(&mut self, variables: &Variables) -> Option<&'static str> {
        if variables.is_set("ignore") {
            return Some("@\n");
        }
        let was_warned = std::mem::replace(&mut self.is_warned, true);
        (!was_warned).then_some("\n(Interrupt -- one more to kill letter)\n")
    }

    /// The end of input: whether it is passed over.
    pub(super) fn passes_over_end(&mut self, variables: &Variables, is_interactive: bool) -> bool {
        self.ends += 1;
        is_interactive && variables.is_set("ignoreeof") && self.ends < ENDS_MAX
    }
}
