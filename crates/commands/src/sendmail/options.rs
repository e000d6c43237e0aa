//! sendmail's command line as Postfix's sendmail(1) reads it.

use envelope::{BodyKind, Notify, Ret, Trace};

use crate::submission;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Take a message from standard input (`-bm`, the default).
    #[default]
    Submit,
    /// Speak SMTP on standard input and output (`-bs`).
    Smtp,
    /// Show the queue (`-bp`, `mailq`).
    Queue,
    /// Build the alias databases (`-bi`, `-I`, `newaliases`).
    Aliases,
    /// Have queued mail tried now (`-q`): postqueue.
    Flush,
    /// Start the mail system (`-bd`, `-bl`): postfix.
    Daemon,
    /// Nothing: the host status of sendmail, which nobody keeps (`-bh`, `-bH`).
    HostStatus,
    /// Say where mail would go (`-bv`): by mail, or on the screen where Sendmail's files are in use.
    Verify,
    /// Show how addresses are rewritten (`-bt`).
    Test,
}

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) mode: Mode,
    /// Arguments for the other command.
    pub(super) passed_on: Vec<String>,
    /// `-oA`: the table of `-bi`.
    pub(super) aliases: Option<String>,
    pub(super) configuration: Option<String>,
    /// `-C /etc/mail/sendmail.cf`
    pub(super) sendmail_cf: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) full_name: Option<String>,
    /// `-i`, `-oi`: a lone dot is text.
    pub(super) keeps_dots: bool,
    /// `-t`
    pub(super) reads_recipients: bool,
    /// `-G`: the message comes from elsewhere.
    pub(super) is_relayed: bool,
    /// How often `-v` was given: once asks for a report, more often Postfix logs more.
    verbosity: usize,
    pub(super) body: Option<BodyKind>,
    pub(super) notify: Option<Notify>,
    pub(super) ret: Option<Ret>,
    pub(super) envid: Option<String>,
    pub(super) recipients: Vec<String>,
    /// Options that make no sense and are passed over.
    pub(super) warnings: Vec<String>,
}

/// Options that take a value; it follows at once or as the next argument.
const WITH_VALUE: &str = "ABCFLNORVXbfhopqr";
/// Options that say nothing to a mail system of today.
const WITHOUT_EFFECT: &str = "UacemxEd";

impl Request {
    /// Reads the arguments of a command that goes by one of sendmail's names. Like C's getopt outside of GNU it stops
    /// at the first recipient: what comes behind it is one too.
    ///
    /// # Errors
    /// What Postfix says after `sendmail: fatal: `.
    pub(super) fn parse(name: &str, args: &[String]) -> Result<Request, String> {
        let mut request = Request {
            mode: match name {
                "mailq" => Mode::Queue,
                "newaliases" => Mode::Aliases,
                _ => Mode::Submit,
            },
            ..Request::default()
        };
        let usage = || format!("usage: {name} [options]");
        let mut args = args.iter();
        while let Some(arg) = args.as_slice().first() {
            let letters = arg.strip_prefix('-').filter(|letters| !letters.is_empty());
            let Some(letters) = letters else { break };
            args.next();
            if letters == "-" {
                break;
            }
            request
                .cluster(letters, &mut args)
                .map_err(|wrong| wrong.unwrap_or_else(usage))?;
        }
        request.recipients = args.cloned().collect();
        request.check()?;
        // Sendmail's own configuration is not read; whoever names it means the system as it is.
        request.sendmail_cf = request.configuration.take_if(|file| is_sendmail_cf(file));
        if let Some(directory) = &request.configuration {
            let option = ["-c".to_owned(), directory.clone()];
            request.passed_on.splice(0..0, option);
        }
        Ok(request)
    }

    /// What does not go together.
    fn check(&self) -> Result<(), String> {
        let named = match self.mode {
            Mode::Submit | Mode::HostStatus | Mode::Test => None,
            Mode::Verify => {
                let given = [
                    (self.reads_recipients, "-t"),
                    (self.notify.is_some(), "-N"),
                    (self.verbosity == 1, "-v"),
                ];
                let given = given.into_iter().find(|(is_given, _)| *is_given);
                return given.map_or(Ok(()), |(_, option)| {
                    Err(format!("{option} option cannot be used with -bv"))
                });
            }
            Mode::Smtp => Some("stand-alone mode"),
            Mode::Queue => Some("display queue mode"),
            Mode::Aliases => Some("alias initialization mode"),
            Mode::Flush => Some("flush queue mode"),
            Mode::Daemon => Some("daemon mode"),
        };
        match named {
            Some(_) if self.reads_recipients => Err("-t can be used only in delivery mode".to_owned()),
            Some(named) if !self.recipients.is_empty() => Err(format!("{named} requires no recipient")),
            _ => Ok(()),
        }
    }

    /// What the sender wants to be told of the first attempt.
    pub(super) fn trace(&self) -> Trace {
        match self.mode {
            Mode::Verify => Trace::Verify,
            _ if self.verbosity == 1 => Trace::Record,
            _ => Trace::None,
        }
    }

    /// One argument: letters without a value, and at its end perhaps one with. `Err(None)`: the usage is to be told.
    fn cluster(
        &mut self,
        letters: &str,
        args: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), Option<String>> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            match letter {
                'i' => self.keeps_dots = true,
                't' => self.reads_recipients = true,
                'I' => self.mode = Mode::Aliases,
                'G' => self.is_relayed = true,
                'v' => self.verbosity += 1,
                'n' => return Err(Some("-n option not supported".to_owned())),
                'q' if rest.is_empty() => self.flush(&["-f"]),
                // Debugging and error modes have their value at once or none.
                'd' | 'e' => return Ok(()),
                letter if WITH_VALUE.contains(letter) => {
                    let value = match rest {
                        "" => args.next().ok_or(None)?,
                        rest => rest,
                    };
                    return self.value(letter, value).map_err(Some);
                }
                letter if WITHOUT_EFFECT.contains(letter) => {}
                _ => return Err(None),
            }
        }
        Ok(())
    }

    fn flush(&mut self, args: &[&str]) {
        self.mode = Mode::Flush;
        self.passed_on = args.iter().map(|&arg| arg.to_owned()).collect();
    }

    fn value(&mut self, letter: char, value: &str) -> Result<(), String> {
        match letter {
            'C' => self.configuration = Some(value.to_owned()),
            'F' => self.full_name = Some(value.to_owned()),
            'f' | 'r' => self.sender = Some(value.to_owned()),
            'V' => self.envid = Some(value.to_owned()),
            'B' => self.body = Some(body(value)?),
            'b' => self.mode = mode(value)?,
            'X' => return Err(format!("unsupported: -X{}", value.get(..1).unwrap_or(value))),
            'N' => match Notify::parse(value) {
                Some(notify) => self.notify = Some(notify),
                None => self.warnings.push("bad -N option value -- ignored".to_owned()),
            },
            'R' => match Ret::parse(value) {
                Some(ret) => self.ret = Some(ret),
                None => self.warnings.push("bad -R option value -- ignored".to_owned()),
            },
            'q' => self.queue(value)?,
            'o' => self.old_option(value)?,
            // -A -L -O -h -p: nothing hangs on them.
            _ => {}
        }
        Ok(())
    }

    /// `-qRsite`, `-qIid`, `-q30m`.
    fn queue(&mut self, value: &str) -> Result<(), String> {
        match value.split_at_checked(1) {
            Some(("R", "")) => return Err("specify: -qRsitename".to_owned()),
            Some(("R", site)) => self.flush(&["-s", site]),
            Some(("I", "")) => return Err("specify: -qIqueueid".to_owned()),
            Some(("I", id)) => self.flush(&["-i", id]),
            // An interval: the queue manager runs all the time.
            Some((digit, _)) if digit.starts_with(|c: char| c.is_ascii_digit()) => self.flush(&["-f"]),
            _ => {
                let letter: String = value.chars().take(1).collect();
                return Err(format!("-q{} is not implemented", submission::shown(&letter)));
            }
        }
        Ok(())
    }

    /// `-oX`: the options of sendmail's own configuration.
    fn old_option(&mut self, value: &str) -> Result<(), String> {
        match value.split_at_checked(1) {
            Some(("i", "")) => self.keeps_dots = true,
            Some(("7", "")) => self.body = Some(BodyKind::SevenBit),
            Some(("8", "")) => self.body = Some(BodyKind::EightBitMime),
            Some(("A", "")) => return Err("-oA requires pathname".to_owned()),
            Some(("A", table)) => self.aliases = Some(table.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a file is one of Sendmail's, such as sendmail.cf and submit.cf.
fn is_sendmail_cf(file: &str) -> bool {
    let path = std::path::Path::new(file);
    let is_cf = path.extension().is_some_and(|extension| extension == "cf");
    is_cf && path.file_name().is_some_and(|name| name != "main.cf") && !path.is_dir()
}

fn body(value: &str) -> Result<BodyKind, String> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyKind::SevenBit),
        "8BITMIME" => Ok(BodyKind::EightBitMime),
        _ => Err("-B option needs 8BITMIME or 7BIT".to_owned()),
    }
}

fn mode(value: &str) -> Result<Mode, String> {
    match value {
        "m" => Ok(Mode::Submit),
        "s" => Ok(Mode::Smtp),
        "v" => Ok(Mode::Verify),
        "t" => Ok(Mode::Test),
        "p" => Ok(Mode::Queue),
        "i" => Ok(Mode::Aliases),
        "d" | "l" => Ok(Mode::Daemon),
        "h" | "H" => Ok(Mode::HostStatus),
        other => Err(format!("unsupported: -b{}", submission::shown(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Request::parse("sendmail", &args)
    }

    #[test]
    fn what_programs_usually_say() {
        let cron = parsed("-FCronDaemon -i -B8BITMIME -oem root").unwrap();
        assert_eq!(cron.full_name.as_deref(), Some("CronDaemon"));
        assert!(cron.keeps_dots && !cron.reads_recipients);
        assert_eq!(cron.body, Some(BodyKind::EightBitMime));
        assert_eq!(cron.recipients, ["root"]);
        let php = parsed("-t -i -fwww@example.com").unwrap();
        assert!(php.reads_recipients && php.keeps_dots);
        assert_eq!(php.sender.as_deref(), Some("www@example.com"));
        let git = parsed("-oi -odi -f a@b -- c@d -e@f").unwrap();
        assert_eq!(git.recipients, ["c@d", "-e@f"]);
        assert!(git.keeps_dots);
        let last = parsed("-ti -N success,failure -R hdrs -V id1 ann -f b -- -x").unwrap();
        assert_eq!(last.recipients, ["ann", "-f", "b", "--", "-x"]);
        assert_eq!(last.sender, None);
        assert_eq!(last.ret, Some(Ret::Headers));
        assert_eq!(last.envid.as_deref(), Some("id1"));
        assert!(last.notify.is_some_and(|n| n.success && n.failure && !n.delay));
    }

    #[test]
    fn other_modes() {
        assert_eq!(parsed("-bp").unwrap().mode, Mode::Queue);
        assert_eq!(parsed("-bs").unwrap().mode, Mode::Smtp);
        let flush = parsed("-q -C /x").unwrap();
        assert_eq!(
            (flush.mode, flush.passed_on.join(" ")),
            (Mode::Flush, "-c /x -f".to_owned())
        );
        assert_eq!(parsed("-qRexample.com").unwrap().passed_on, ["-s", "example.com"]);
        assert_eq!(parsed("-bi -oA/a").unwrap().aliases.as_deref(), Some("/a"));
        assert_eq!(parsed("-bH").unwrap().mode, Mode::HostStatus);
        assert_eq!(parsed("-v root").unwrap().trace(), Trace::Record);
        assert_eq!(parsed("-vv root").unwrap().trace(), Trace::None);
        assert_eq!(parsed("-bv root").unwrap().trace(), Trace::Verify);
        let test = parsed("-bt -C /etc/mail/sendmail.cf").unwrap();
        assert_eq!((test.mode, test.configuration), (Mode::Test, None));
        assert_eq!(test.sendmail_cf.as_deref(), Some("/etc/mail/sendmail.cf"));
        assert_eq!(parsed("-C/x/main.cf a").unwrap().sendmail_cf, None);
        assert!(parsed("-G root").unwrap().is_relayed);
        for (line, said) in [
            ("-bs -t", "-t can be used only in delivery mode"),
            ("-bz", "unsupported: -bz"),
            ("-qX", "-qX is not implemented"),
            ("-qSexample.com", "-qS is not implemented"),
            ("-qR", "specify: -qRsitename"),
            ("-B 9 root", "-B option needs 8BITMIME or 7BIT"),
            ("-Z root", "usage: sendmail [options]"),
            ("-V", "usage: sendmail [options]"),
            ("-n", "-n option not supported"),
            ("-X /tmp/log root", "unsupported: -X/"),
            ("-bp foo", "display queue mode requires no recipient"),
            ("-bs foo", "stand-alone mode requires no recipient"),
            ("-bi foo", "alias initialization mode requires no recipient"),
            ("-bd foo", "daemon mode requires no recipient"),
            ("-q foo", "flush queue mode requires no recipient"),
            ("-bi -oA", "-oA requires pathname"),
            ("-bv -t", "-t option cannot be used with -bv"),
            ("-v -bv root", "-v option cannot be used with -bv"),
            ("-qI", "specify: -qIqueueid"),
        ] {
            assert_eq!(parsed(line).unwrap_err(), said, "{line}");
        }
        assert_eq!(parsed("-N foo root").unwrap().warnings.len(), 1);
        let mailq = |arg: &str| Request::parse("mailq", &[arg.to_owned()]).unwrap_err();
        assert_eq!(mailq("-j"), "usage: mailq [options]");
        assert_eq!(mailq("foo"), "display queue mode requires no recipient");
    }
}
