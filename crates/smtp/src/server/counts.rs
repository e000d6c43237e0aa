//! Which commands a session gave, for the log's last line.

use std::fmt;

/// The commands that are counted, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `HELO`
    Helo,
    /// `EHLO`
    Ehlo,
    /// `LHLO`
    Lhlo,
    /// `XCLIENT`
    Xclient,
    /// `XFORWARD`
    Xforward,
    /// `STARTTLS`
    StartTls,
    /// `AUTH`
    Auth,
    /// `MAIL`
    Mail,
    /// `RCPT`
    Rcpt,
    /// `DATA`
    Data,
    /// `BDAT`
    Bdat,
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `VRFY`
    Vrfy,
    /// `ETRN`
    Etrn,
    /// `HELP`
    Help,
    /// `QUIT`
    Quit,
    /// Anything else.
    Unknown,
}

const NAMES: [&str; 18] = [
    "HELO", "EHLO", "LHLO", "XCLIENT", "XFORWARD", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT",
    "RSET", "NOOP", "VRFY", "ETRN", "HELP", "QUIT", "UNKNOWN",
];

impl Verb {
    /// The command that `word` names, in any case.
    pub(super) fn parse(word: &str) -> Verb {
        const ALL: [Verb; 17] = [
            Verb::Helo,
            Verb::Ehlo,
            Verb::Lhlo,
            Verb::Xclient,
            Verb::Xforward,
            Verb::StartTls,
            Verb::Auth,
            Verb::Mail,
            Verb::Rcpt,
            Verb::Data,
            Verb::Bdat,
            Verb::Rset,
            Verb::Noop,
            Verb::Vrfy,
            Verb::Etrn,
            Verb::Help,
            Verb::Quit,
        ];
        ALL.into_iter()
            .find(|verb| word.eq_ignore_ascii_case(verb.name()))
            .unwrap_or(Verb::Unknown)
    }

    /// In capitals.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// How often each command was given, and how often it was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    accepted: [u32; NAMES.len()],
    given: [u32; NAMES.len()],
}

impl Counts {
    pub(super) fn given(&mut self, verb: Verb) {
        self.given[verb as usize] = self.given[verb as usize].saturating_add(1);
    }

    pub(super) fn accepted(&mut self, verb: Verb) {
        self.accepted[verb as usize] = self.accepted[verb as usize].saturating_add(1);
    }

    /// Accepted and given, of one command.
    pub fn of(&self, verb: Verb) -> (u32, u32) {
        (self.accepted[verb as usize], self.given[verb as usize])
    }
}

impl fmt::Display for Counts {
    /// `ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4`: accepted/given where they differ, as smtpd logs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut all_accepted, mut all_given) = (0u32, 0u32);
        for ((name, &accepted), &given) in NAMES.iter().zip(&self.accepted).zip(&self.given) {
            if given > 0 {
                show(f, &name.to_ascii_lowercase(), accepted, given)?;
                f.write_str(" ")?;
            }
            all_accepted = all_accepted.saturating_add(accepted);
            all_given = all_given.saturating_add(given);
        }
        match all_given {
            0 => f.write_str("commands=0/0"),
            _ => show(f, "commands", all_accepted, all_given),
        }
    }
}

fn show(f: &mut fmt::Formatter<'_>, name: &str, accepted: u32, given: u32) -> fmt::Result {
    if accepted == given {
        write!(f, "{name}={given}")
    } else {
        write!(f, "{name}={accepted}/{given}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_as_smtpd_does() {
        let mut counts = Counts::default();
        assert_eq!(counts.to_string(), "commands=0/0");
        for verb in [Verb::Ehlo, Verb::Mail, Verb::Rcpt, Verb::Rcpt] {
            assert_eq!(Verb::parse(&verb.name().to_lowercase()), verb);
            counts.given(verb);
        }
        counts.accepted(Verb::Ehlo);
        counts.accepted(Verb::Mail);
        counts.accepted(Verb::Rcpt);
        assert_eq!(counts.to_string(), "ehlo=1 mail=1 rcpt=1/2 commands=3/4");
        assert_eq!(counts.of(Verb::Rcpt), (1, 2));
    }
}
