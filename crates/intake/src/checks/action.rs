//! What the value of a check table says to do (header_checks(5)).

use address::Address;
use envelope::StatusCode;

/// One action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `DUNNO`, `OK`: nothing.
    Dunno,
    /// `REJECT`: the message is not taken; what its sender is told.
    Reject(StatusCode, String),
    /// `DISCARD`: the message is taken, and goes nowhere.
    Discard(String),
    /// `HOLD`: it waits until somebody lets it go.
    Hold(String),
    /// `WARN`: a line in the log.
    Warn(String),
    /// `INFO`: the same, without alarm.
    Info(String),
    /// `PASS`: the rest is not looked at.
    Pass(String),
    /// `FILTER transport:nexthop`
    Filter(String),
    /// `REDIRECT user@domain`: there instead of to its recipients.
    Redirect(Address),
    /// `BCC user@domain`: there too.
    Bcc(Address),
    /// `PREPEND`: a line before this one.
    Prepend(String),
    /// `REPLACE`: another line for this one.
    Replace(String),
    /// `STRIP`: without this line.
    Strip(String),
    /// `IGNORE`: the same, without a line in the log.
    Ignore,
}

/// Why a value is no action, for the log; `MAP` stands for the name of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(String);

impl Wrong {
    /// A value that is no action here.
    pub(super) fn command(what: &str, value: &str) -> Wrong {
        Wrong(format!("{what} command in MAP map: {value}"))
    }

    /// The same in the words of clients, to whom what they do not know is what is not for them.
    pub(super) fn of_clients(self) -> Wrong {
        match self.0.strip_prefix("unknown ") {
            Some(rest) => Wrong(format!("unsupported {rest}")),
            None => self,
        }
    }

    /// With the name of the table.
    pub(super) fn told(&self, table: &str) -> String {
        self.0.replacen("MAP", table, 1)
    }
}

/// What the sender of a rejected message is told where the rule says nothing.
const REJECTED: &str = "message content rejected";

impl Action {
    /// Reads a value; `is_header`: it was found for a header field.
    ///
    /// # Errors
    /// What is wrong with it; it is as if nothing was found.
    pub fn parse(value: &str, is_header: bool) -> Result<Action, Wrong> {
        let value = value.trim();
        let (word, text) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        let text = text.trim_start();
        let own = || text.to_owned();
        let address = |what: &str| {
            let wrong = || Wrong(format!("bad {what} \"{text}\" in MAP map -- need user@domain"));
            let address = Address::parse(text).map_err(|_| wrong())?;
            address.domain().is_some().then_some(address).ok_or_else(wrong)
        };
        Ok(match word.to_ascii_uppercase().as_str() {
            "DUNNO" | "OK" => Action::Dunno,
            "REJECT" => reject(text),
            "DISCARD" => Action::Discard(own()),
            "HOLD" => Action::Hold(own()),
            "WARN" => Action::Warn(own()),
            "INFO" => Action::Info(own()),
            "PASS" => Action::Pass(own()),
            "FILTER" if text.is_empty() => {
                return Err(Wrong("missing FILTER command argument in MAP map".to_owned()));
            }
            "FILTER" if !text.contains(':') => {
                let told = format!("bad FILTER command {text} in MAP -- need transport:destination");
                return Err(Wrong(told));
            }
            "FILTER" => Action::Filter(own()),
            "REDIRECT" => Action::Redirect(address("REDIRECT target")?),
            "BCC" => Action::Bcc(address("BCC address")?),
            "PREPEND" => Action::Prepend(line("PREPEND", text, is_header)?),
            "REPLACE" => Action::Replace(line("REPLACE", text, is_header)?),
            "STRIP" => Action::Strip(own()),
            "IGNORE" => Action::Ignore,
            _ => return Err(Wrong::command("unknown", value)),
        })
    }
}

/// The code is 5.7.1 where the text has none. A code that is of no failure is one for now: nobody's mail is lost by a slip.
fn reject(text: &str) -> Action {
    let usual = StatusCode::permanent(7, 1);
    match StatusCode::split(text) {
        Some((code, rest)) if code.class == envelope::Class::Success => {
            Action::Reject(StatusCode::temporary(code.subject, code.detail), rest.to_owned())
        }
        Some((code, rest)) => Action::Reject(code, rest.to_owned()),
        None if text.is_empty() => Action::Reject(usual, REJECTED.to_owned()),
        None => Action::Reject(usual, text.to_owned()),
    }
}

/// A text that becomes a line of the message.
fn line(action: &str, text: &str, is_header: bool) -> Result<String, Wrong> {
    let name = text.split(':').next().unwrap_or_default().trim_end();
    let is_field = text.contains(':') && message::header::is_name(name.as_bytes());
    if text.is_empty() {
        Err(Wrong(format!("{action} action without text in MAP map")))
    } else if is_header && !is_field {
        Err(Wrong(format!(
            "bad {action} header text \"{text}\" in MAP map -- need \"headername: headervalue\""
        )))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read() {
        let read = |value| Action::parse(value, true);
        assert_eq!(read("ok"), Ok(Action::Dunno));
        assert_eq!(read("Warn  two words "), Ok(Action::Warn("two words".to_owned())));
        let rejected = |code, text: &str| Ok(Action::Reject(code, text.to_owned()));
        assert_eq!(
            read("REJECT"),
            rejected(StatusCode::permanent(7, 1), "message content rejected")
        );
        assert_eq!(read("reject no"), rejected(StatusCode::permanent(7, 1), "no"));
        assert_eq!(
            read("reject 4.2.1 later"),
            rejected(StatusCode::temporary(2, 1), "later")
        );
        assert_eq!(
            read("reject 2.0.0 odd"),
            rejected(StatusCode::temporary(0, 0), "odd")
        );
        assert_eq!(
            read("FILTER scan:[h]:1"),
            Ok(Action::Filter("scan:[h]:1".to_owned()))
        );
        let moved = Address::parse("a@b").expect("an address");
        assert_eq!(read("redirect a@b"), Ok(Action::Redirect(moved)));
        assert_eq!(read("replace X: y"), Ok(Action::Replace("X: y".to_owned())));
        assert_eq!(
            Action::parse("replace xy", false),
            Ok(Action::Replace("xy".to_owned()))
        );
    }

    #[test]
    fn mistakes_are_told() {
        for value in [
            "",
            "REJEKT x",
            "FILTER",
            "FILTER scan",
            "REDIRECT me",
            "BCC",
            "PREPEND",
            "REPLACE xy",
        ] {
            assert!(Action::parse(value, true).is_err(), "{value}");
        }
    }
}
