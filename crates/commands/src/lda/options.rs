//! The options of `dovecot-lda` (dovecot-lda(1)).

use std::path::PathBuf;

use crate::configuration;

pub(super) const HELP: &str =
    "usage: dovecot-lda [-d USER] [-m MAILBOX] [-f SENDER] [-a ADDRESS] [-r ADDRESS] [-p FILE] [-c FILE]
                   [-o NAME=VALUE] [-e] [-k]
Puts the message on standard input into a user's mailbox.
  -d USER     whose mailbox; without it, that of whoever calls
  -m MAILBOX  the mailbox instead of INBOX, which gets the message where that one is not
  -f SENDER   the envelope's sender
  -a ADDRESS  the recipient as the sender wrote it
  -r ADDRESS  the recipient as it is after aliases
  -p FILE     reads the message from FILE
  -c FILE     reads FILE instead of /etc/yubin/dovecot.conf or /etc/dovecot/dovecot.conf
  -o N=V      a setting that holds in spite of the file
  -e          a message that is refused is told by the exit code 77 and on standard error, as it is without -e
  -k          has no effect: no program is started that could see the environment";

/// What the command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) user: Option<String>,
    pub(super) mailbox: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) config_file: PathBuf,
    pub(super) overrides: Vec<(String, String)>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    Options(Options),
    Help,
}

/// Reads the command line; letters may stand together (`-ek`), values behind their letter or in the next word.
///
/// # Errors
/// What of it makes no sense.
pub(super) fn parse(args: &[String]) -> Result<Parsed, String> {
    let mut options = Options {
        user: None,
        mailbox: None,
        path: None,
        config_file: configuration::dovecot_file(),
        overrides: Vec::new(),
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--help" {
            return Ok(Parsed::Help);
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return Err(format!("Unknown argument: {word}. See dovecot-lda --help"));
        };
        for (at, letter) in letters.char_indices() {
            match letter {
                // Refusals are told so in any case, and no program is started that could see the environment.
                'e' | 'k' => continue,
                'd' | 'm' | 'f' | 'a' | 'r' | 'p' | 'c' | 'o' => {}
                // Of the time before 1.1; whoever has it in a file means nothing by it.
                's' => continue,
                other => return Err(format!("there is no option -{other}. See dovecot-lda --help")),
            }
            let rest = &letters[at + 1..];
            let value = match rest {
                "" => words
                    .next()
                    .ok_or_else(|| format!("Missing argument: -{letter}. See dovecot-lda --help"))?
                    .clone(),
                rest => rest.to_owned(),
            };
            take(&mut options, letter, value)?;
            break;
        }
    }
    Ok(Parsed::Options(options))
}

fn take(options: &mut Options, letter: char, value: String) -> Result<(), String> {
    match letter {
        'd' => options.user = Some(value),
        'm' => options.mailbox = Some(value),
        'p' => options.path = Some(PathBuf::from(value)),
        'c' => options.config_file = configuration::named_dovecot_file(value),
        'o' => match value.split_once('=') {
            Some((name, text)) => options.overrides.push((name.to_owned(), text.to_owned())),
            None => return Err(format!("-o {value}: write NAME=VALUE")),
        },
        // Addresses are for filters, which are not there yet; they must be addresses all the same.
        _ if value.is_empty() || value == "<>" => {}
        'f' | 'a' | 'r' if value.contains(char::is_control) => {
            return Err(format!("-{letter}: this is no address"));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, String> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&args)
    }

    #[test]
    fn options_are_read_in_every_form() {
        let Ok(Parsed::Options(options)) = parsed("-ekd alice -mBox -f a@b -oprotocols=none -c /x") else {
            panic!("they make sense");
        };
        assert_eq!(options.user.as_deref(), Some("alice"));
        assert_eq!(options.mailbox.as_deref(), Some("Box"));
        assert_eq!(options.overrides, [("protocols".to_owned(), "none".to_owned())]);
        assert_eq!(options.config_file, PathBuf::from("/x"));
        for wrong in ["-d", "-z", "alice", "-o x", "-f a\nb"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parsed("--help"), Ok(Parsed::Help));
    }
}
