//! mail's command line, as Heirloom mailx reads it.

/// What the arguments ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) subject: Option<String>,
    pub(super) cc: Vec<String>,
    pub(super) bcc: Vec<String>,
    pub(super) to: Vec<String>,
    /// `-r`
    pub(super) from: Option<String>,
    /// `-a`
    pub(super) attachments: Vec<String>,
    /// `-q`: a file that the text starts with.
    pub(super) start: Option<String>,
    /// `-S`
    pub(super) settings: Vec<String>,
    /// `-f`: read this folder; the inner `None` is the user's mbox.
    pub(super) folder: Option<Option<String>>,
    /// `-u`: read this user's mailbox.
    pub(super) user: Option<String>,
    /// `-e`: only say whether there is mail.
    pub(super) checks: bool,
    /// `-H`: only show the header summary.
    pub(super) summary_only: bool,
    /// `-N`: do not show it at the start.
    pub(super) no_summary: bool,
    /// `-R`
    pub(super) read_only: bool,
    /// `-E`: a message without a text is not sent.
    pub(super) skips_empty: bool,
    /// `-n`: the system's mailrc is not read.
    pub(super) no_system_rc: bool,
    /// `-t`: recipients come from the text.
    pub(super) reads_recipients: bool,
    /// `-~`: tilde escapes though input is no terminal.
    pub(super) escapes: bool,
    /// `-F`: keep a copy in a file named after the first recipient.
    pub(super) records: bool,
    /// `-V`
    pub(super) version: bool,
}

/// What is said about arguments that do not fit.
pub(super) const USAGE: &str = "Usage: mail -eiIUdEFntBDNHRVv~ -T FILE -u USER -h hops -r address -s SUBJECT -a FILE -q FILE -f FILE -A ACCOUNT -b USERS -c USERS -S OPTION users";

/// Options with a value.
const WITH_VALUE: &str = "sabcrqSuhTAf";

impl Arguments {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What goes to standard error.
    pub(super) fn parse(args: &[String]) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        let mut sends = None;
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let letters = match arg.strip_prefix('-') {
                Some("-") => {
                    arguments.to.extend(args.cloned());
                    break;
                }
                Some(letters) if !letters.is_empty() => letters,
                _ => {
                    // The first name ends the options.
                    arguments.to.push(arg.clone());
                    arguments.to.extend(args.cloned());
                    break;
                }
            };
            for (at, letter) in letters.char_indices() {
                if !WITH_VALUE.contains(letter) {
                    arguments.switch(letter)?;
                    continue;
                }
                if "sabcrq".contains(letter) {
                    sends = Some(letter);
                }
                let rest = &letters[at + 1..];
                let value = match rest {
                    "" if letter == 'f' => args.next_if(|next| !next.starts_with('-')).cloned(),
                    "" => Some(args.next().cloned().ok_or_else(|| missing(letter))?),
                    rest => Some(rest.to_owned()),
                };
                arguments.value(letter, value)?;
                break;
            }
        }
        arguments.judged(sends.is_some())
    }

    fn judged(mut self, sends: bool) -> Result<Arguments, String> {
        if let Some(None) = self.folder
            && !self.to.is_empty()
        {
            self.folder = Some(Some(self.to.remove(0)));
        }
        let reads = self.folder.is_some() || self.user.is_some() || self.checks || self.summary_only;
        if reads && (sends || !self.to.is_empty()) {
            return Err(format!("Cannot give -f and people to send to.\n{USAGE}"));
        }
        if sends && self.to.is_empty() && self.cc.is_empty() && self.bcc.is_empty() && !self.reads_recipients
        {
            return Err(format!(
                "Send options without primary recipient specified.\n{USAGE}"
            ));
        }
        Ok(self)
    }

    fn switch(&mut self, letter: char) -> Result<(), String> {
        match letter {
            'e' => self.checks = true,
            'H' => self.summary_only = true,
            'N' => self.no_summary = true,
            'R' => self.read_only = true,
            'E' => self.skips_empty = true,
            'n' => self.no_system_rc = true,
            't' => self.reads_recipients = true,
            '~' => self.escapes = true,
            'F' => self.records = true,
            'V' => self.version = true,
            'i' | 'I' | 'U' | 'd' | 'B' | 'D' | 'v' => {}
            other => return Err(format!("mail: invalid option -- '{other}'\n{USAGE}")),
        }
        Ok(())
    }

    fn value(&mut self, letter: char, value: Option<String>) -> Result<(), String> {
        let text = value.clone().unwrap_or_default();
        match letter {
            's' => self.subject = Some(text),
            'a' => self.attachments.push(text),
            'b' => self.bcc.push(text),
            'c' => self.cc.push(text),
            'r' => self.from = Some(text),
            'q' => self.start = Some(text),
            'S' => self.settings.push(text),
            'u' => self.user = Some(text),
            'f' => self.folder = Some(value),
            'A' => return Err(format!("mail: -A {text}: accounts are not there yet")),
            // -h hops, -T file: nothing hangs on them.
            _ => {}
        }
        Ok(())
    }

    /// Whether a message is to be sent.
    pub(super) fn sends(&self) -> bool {
        self.reads_recipients || !(self.to.is_empty() && self.cc.is_empty() && self.bcc.is_empty())
    }
}

fn missing(letter: char) -> String {
    format!("mail: option requires an argument -- '{letter}'\n{USAGE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&args)
    }

    #[test]
    fn what_is_usually_typed() {
        let sent = parsed("-s testmail -c a@x -rme@x -a f wantan b@x").unwrap();
        assert_eq!((sent.subject.as_deref(), sent.to.len()), (Some("testmail"), 2));
        assert!(sent.sends());
        let read = parsed("-f box").unwrap();
        assert_eq!(read.folder, Some(Some("box".to_owned())));
        assert!(!read.sends() && !parsed("").unwrap().sends());
        assert_eq!(parsed("-fN").unwrap().folder, Some(Some("N".to_owned())));
        assert_eq!(parsed("-f -N box").unwrap().folder, Some(Some("box".to_owned())));
        assert_eq!(parsed("-Nf").unwrap().folder, Some(None));
        assert!(parsed("-Hu ann").unwrap().summary_only);
        assert!(
            parsed("-s x")
                .unwrap_err()
                .starts_with("Send options without primary recipient")
        );
        assert!(parsed("-f box -s x").is_err() && parsed("-Z").is_err() && parsed("-s").is_err());
        assert_eq!(parsed("-- -x").unwrap().to, ["-x"]);
    }
}
