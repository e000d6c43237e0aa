//! sendmail's command line as Postfix's sendmail(1) reads it.

use envelope::{BodyKind, Notify, Ret};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Take a message from standard input (`-bm`, the default).
    #[default]
    Submit,
    /// Speak SMTP on standard input and output (`-bs`).
    Smtp,
    /// Run another command: `mailq` (`-bp`), `newaliases` (`-bi`, `-I`), `postqueue` (`-q`), `postfix` (`-bd`).
    Other(&'static str),
    /// Say where mail would go, by mail (`-bv`).
    Verify,
}

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) mode: Mode,
    /// Arguments for the other command.
    pub(super) passed_on: Vec<String>,
    pub(super) configuration: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) full_name: Option<String>,
    /// `-i`, `-oi`: a lone dot is text.
    pub(super) keeps_dots: bool,
    /// `-t`
    pub(super) reads_recipients: bool,
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
const WITHOUT_EFFECT: &str = "GUacemnvxEd";

impl Request {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What Postfix says after `sendmail: fatal: `.
    pub(super) fn parse(args: &[String]) -> Result<Request, String> {
        let mut request = Request::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.strip_prefix('-') {
                // GNU's getopt goes on after the recipients.
                Some(letters) if !letters.is_empty() && letters != "-" => {
                    request.cluster(letters, &mut args)?;
                }
                Some("-") => {
                    request.recipients.extend(args.cloned());
                    break;
                }
                _ => request.recipients.push(arg.clone()),
            }
        }
        if request.reads_recipients && !matches!(request.mode, Mode::Submit | Mode::Verify) {
            return Err("-t can be used only in delivery mode".to_owned());
        }
        if let (Mode::Other(_), Some(directory)) = (request.mode, &request.configuration) {
            let option = if request.mode == Mode::Other("newaliases") {
                "-C"
            } else {
                "-c"
            };
            request
                .passed_on
                .splice(0..0, [option.to_owned(), directory.clone()]);
        }
        Ok(request)
    }

    /// One argument: letters without a value, and at its end perhaps one with.
    fn cluster(&mut self, letters: &str, args: &mut std::slice::Iter<'_, String>) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            match letter {
                'i' => self.keeps_dots = true,
                't' => self.reads_recipients = true,
                'I' => self.mode = Mode::Other("newaliases"),
                'q' if rest.is_empty() => self.flush(&["-f"]),
                // Debugging and error modes have their value at once or none.
                'd' | 'e' => return Ok(()),
                letter if WITH_VALUE.contains(letter) => {
                    let value = match rest {
                        "" => args.next().ok_or("usage: sendmail [options]")?,
                        rest => rest,
                    };
                    return self.value(letter, value);
                }
                letter if WITHOUT_EFFECT.contains(letter) => {}
                'c' => {}
                _ => return Err("usage: sendmail [options]".to_owned()),
            }
        }
        Ok(())
    }

    fn flush(&mut self, args: &[&str]) {
        self.mode = Mode::Other("postqueue");
        self.passed_on = args.iter().map(|&arg| arg.to_owned()).collect();
    }

    fn value(&mut self, letter: char, value: &str) -> Result<(), String> {
        match letter {
            'C' => self.configuration = Some(value.to_owned()),
            'F' => self.full_name = Some(value.to_owned()),
            'f' | 'r' => self.sender = Some(value.to_owned()),
            'V' => self.envid = Some(value.to_owned()),
            'B' => self.body = Some(body(value)?),
            'b' => self.mode = mode(value, &mut self.passed_on)?,
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
            // -A -L -O -X -h -p: nothing hangs on them.
            _ => {}
        }
        Ok(())
    }

    /// `-qRsite`, `-qIid`, `-q30m`.
    fn queue(&mut self, value: &str) -> Result<(), String> {
        match value.split_at_checked(1) {
            Some(("R" | "S", site)) if !site.is_empty() => self.flush(&["-s", site]),
            Some(("I", id)) if !id.is_empty() => self.flush(&["-i", id]),
            // An interval: the queue manager runs all the time.
            Some((digit, _)) if digit.starts_with(|c: char| c.is_ascii_digit()) => self.flush(&["-f"]),
            _ => return Err(format!("-q{value} is not implemented")),
        }
        Ok(())
    }

    /// `-oX`: the options of sendmail's own configuration.
    fn old_option(&mut self, value: &str) -> Result<(), String> {
        match value.split_at_checked(1) {
            Some(("i", "")) => self.keeps_dots = true,
            Some(("7", "")) => self.body = Some(BodyKind::SevenBit),
            Some(("8", "")) => self.body = Some(BodyKind::EightBitMime),
            Some(("A", table)) if !table.is_empty() => self.passed_on = vec![format!("-oA{table}")],
            _ => {}
        }
        Ok(())
    }
}

fn body(value: &str) -> Result<BodyKind, String> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyKind::SevenBit),
        "8BITMIME" => Ok(BodyKind::EightBitMime),
        _ => Err("-B option needs 8BITMIME or 7BIT".to_owned()),
    }
}

fn mode(value: &str, passed_on: &mut Vec<String>) -> Result<Mode, String> {
    match value {
        "m" => Ok(Mode::Submit),
        "s" => Ok(Mode::Smtp),
        "v" => Ok(Mode::Verify),
        "p" => Ok(Mode::Other("mailq")),
        "i" => Ok(Mode::Other("newaliases")),
        "d" | "l" => {
            *passed_on = vec!["start".to_owned()];
            Ok(Mode::Other("postfix"))
        }
        other => Err(format!("unsupported: -b{other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Request::parse(&args)
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
        let last = parsed("ann -ti -N success,failure -R hdrs -V id1").unwrap();
        assert_eq!(last.recipients, ["ann"]);
        assert_eq!(last.ret, Some(Ret::Headers));
        assert_eq!(last.envid.as_deref(), Some("id1"));
        assert!(last.notify.is_some_and(|n| n.success && n.failure && !n.delay));
    }

    #[test]
    fn other_modes() {
        assert_eq!(parsed("-bp").unwrap().mode, Mode::Other("mailq"));
        assert_eq!(parsed("-bs").unwrap().mode, Mode::Smtp);
        let flush = parsed("-q -C /x").unwrap();
        assert_eq!(
            (flush.mode, flush.passed_on.join(" ")),
            (Mode::Other("postqueue"), "-c /x -f".to_owned())
        );
        assert_eq!(parsed("-qRexample.com").unwrap().passed_on, ["-s", "example.com"]);
        assert_eq!(parsed("-bi -oA/a").unwrap().passed_on, ["-oA/a"]);
        for (line, said) in [
            ("-bs -t", "-t can be used only in delivery mode"),
            ("-bz", "unsupported: -bz"),
            ("-qX", "-qX is not implemented"),
            ("-B 9 root", "-B option needs 8BITMIME or 7BIT"),
            ("-Z root", "usage: sendmail [options]"),
            ("-V", "usage: sendmail [options]"),
        ] {
            assert_eq!(parsed(line).unwrap_err(), said, "{line}");
        }
        assert_eq!(parsed("-N foo root").unwrap().warnings.len(), 1);
    }
}
