//! `mail`'s outside for real: standard input and output, the user's files, editor and pager, the mail system.

use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use message::date::Date;
use message::mbox::FromLine;

use super::compose::{Circumstances, Draft, bare_address};
use super::files::{self, Source};
use super::folder::{Fate, Folder};
use super::outside::Outside;
use super::variables::Variables;
use crate::submission::{self, Submitter, words_of};
use crate::{configuration, eprint_line};

/// The longest line that is taken from a terminal or a script, in octets.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// The largest text or file that is taken, in octets.
const INPUT_BYTES_MAX: u64 = submission::MESSAGE_BYTES_MAX;
/// Columns and rows where no terminal says.
const SCREEN: (usize, usize) = (80, 24);

/// The user's terminal, files and mail system.
pub(super) struct Terminal {
    submitter: Submitter,
    is_interactive: bool,
    /// The user's system mailbox.
    spool: PathBuf,
    /// What the user has set about files and sending.
    settings: Variables,
    /// The envelope sender, by `-r`.
    sender: Option<String>,
    source: Option<Source>,
}

impl Terminal {
    pub(super) fn new(submitter: Submitter, settings: Variables, sender: Option<String>) -> Terminal {
        let spool = spool_of(&submitter);
        Terminal {
            is_interactive: os::terminal::stdin_is_terminal(),
            submitter,
            spool,
            settings,
            sender,
            source: None,
        }
    }

    /// The file of the user's system mailbox.
    pub(super) fn spool(&self) -> &Path {
        &self.spool
    }

    fn home(&self) -> PathBuf {
        std::env::var_os("HOME").map_or_else(|| self.submitter.home.clone(), PathBuf::from)
    }

    /// Where rewriting folders leaves its traces.
    fn state(&self) -> PathBuf {
        let base = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        base.unwrap_or_else(|| self.home().join(".local/state"))
            .join("yubin/mail")
    }

    fn hand_in(&self, draft: &Draft, message: &[u8]) -> Result<(), String> {
        let recipients = draft
            .recipients()
            .map_err(|word| format!("\"{word}\" is not an address"))?;
        if let Some(program) = self.settings.text("sendmail").filter(|text| !text.is_empty()) {
            return self.pipe_to(program, &recipients, message);
        }
        let settings = configuration::postfix(&configuration::directory(None))?;
        let own = || address::Address::new(&self.submitter.name, None);
        let sender = match &self.sender {
            Some(text) => bare_address(text).ok_or_else(|| format!("\"{text}\" is not an address"))?,
            None => own(),
        };
        let mut envelope = submission::envelope_from(Some(sender));
        envelope.smtputf8 = recipients
            .iter()
            .any(|recipient| recipient.address.needs_smtputf8());
        envelope.recipients = recipients;
        envelope.body = submission::body_kind(message);
        submission::submit(&settings, &self.submitter, &envelope, message)
            .map(drop)
            .map_err(|refusal| refusal.to_string())
    }

    /// Hands the message to the program that the variable `sendmail` names.
    fn pipe_to(
        &self,
        program: &str,
        recipients: &[envelope::Recipient],
        message: &[u8],
    ) -> Result<(), String> {
        let mut words = program.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or(program));
        command.args(words).arg("-i");
        if let Some(sender) = self.sender.as_deref().and_then(bare_address) {
            command.arg("-f").arg(sender.to_string());
        }
        command
            .arg("--")
            .args(recipients.iter().map(|recipient| recipient.address.to_string()));
        let said = |error: io::Error| format!("{program}: {}", words_of(&error));
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(said)?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read to the end says by its status what it thinks of that.
            let _ = input.write_all(message);
        }
        let status = child.wait().map_err(said)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{program}: {status}"))
        }
    }
}

/// `$MAIL`; else `home_mailbox` below the home directory, or the file below `mail_spool_directory`.
fn spool_of(submitter: &Submitter) -> PathBuf {
    if let Some(mail) = std::env::var_os("MAIL").filter(|mail| !mail.is_empty()) {
        return PathBuf::from(mail);
    }
    mailbox_of(&submitter.name, &submitter.home)
}

/// Where a user's mail is delivered.
pub(super) fn mailbox_of(user: &str, home: &Path) -> PathBuf {
    match configuration::postfix(&configuration::directory(None)) {
        Ok(settings) if !settings.home_mailbox.is_empty() => home.join(&settings.home_mailbox),
        Ok(settings) => settings.mail_spool_directory.join(user),
        Err(_) => Path::new("/var/mail").join(user),
    }
}

/// A moment in the zone of this place.
pub(super) fn local_date(secs: i64) -> Date {
    let zone = jiff::tz::TimeZone::system();
    let offset_secs = jiff::Timestamp::from_second(secs).map_or(0, |moment| zone.to_offset(moment).seconds());
    Date { secs, offset_secs }
}

fn now() -> Date {
    local_date(jiff::Timestamp::now().as_second())
}

impl Outside for Terminal {
    fn say(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        // A reader that went away (`mail | head`) wants no more.
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    fn page(&mut self, text: &str) {
        let fits = text.lines().count() < self.screen().1;
        if fits || !self.is_interactive || !os::terminal::stdout_is_terminal() {
            return self.say(text);
        }
        let pager = std::env::var("PAGER").ok().filter(|name| !name.trim().is_empty());
        let pager = pager.unwrap_or_else(|| "more".to_owned());
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(&pager)
            .stdin(Stdio::piped())
            .spawn();
        match child {
            Ok(mut child) => {
                if let Some(mut input) = child.stdin.take() {
                    // The user may leave the pager before the end.
                    let _ = input.write_all(text.as_bytes());
                }
                let _ = child.wait();
            }
            Err(_) => self.say(text),
        }
    }

    fn complain(&mut self, text: &str) {
        eprint_line(text);
    }

    fn ask(&mut self, prompt: &str) -> Option<Vec<u8>> {
        if self.is_interactive && !prompt.is_empty() {
            self.say(prompt);
        }
        let mut line = Vec::new();
        let read = io::stdin()
            .lock()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line);
        if read.is_err() || line.is_empty() {
            return None;
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        Some(line)
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        // What was read before an error is sent, as Heirloom's mailx does.
        let _ = io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut text);
        text
    }

    fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    fn screen(&self) -> (usize, usize) {
        let size = os::terminal::size();
        size.map_or(SCREEN, |(columns, rows)| {
            (usize::from(columns), usize::from(rows))
        })
    }

    fn user(&self) -> &str {
        &self.submitter.name
    }

    fn file_of(&self, name: &str) -> String {
        let home = self.home().display().to_string();
        let mbox = || {
            let variable = self.settings.text("MBOX").map(str::to_owned);
            variable
                .or_else(|| std::env::var("MBOX").ok())
                .unwrap_or_else(|| format!("{home}/mbox"))
        };
        match name {
            "&" => mbox(),
            "%" => self.spool.display().to_string(),
            _ => match (name.split_at_checked(1), name.strip_prefix("~/")) {
                (_, Some(rest)) => format!("{home}/{rest}"),
                (Some(("+", rest)), _) => {
                    let folder = self.settings.text("folder").unwrap_or("Mail");
                    let base = folder.strip_prefix("~/").unwrap_or(folder);
                    match base.starts_with('/') {
                        true => format!("{base}/{rest}"),
                        false => format!("{home}/{base}/{rest}"),
                    }
                }
                (Some(("%", user)), _) => {
                    let found = os::users::user_by_name(user).ok().flatten();
                    let home = found.map_or_else(PathBuf::new, |user| user.home);
                    mailbox_of(user, &home).display().to_string()
                }
                _ => name.to_owned(),
            },
        }
    }

    fn load(&mut self, name: &str) -> Result<Folder, String> {
        let file = self.file_of(name);
        let (mut folder, source) = files::load(Path::new(&file), &file, &self.state())?;
        folder.is_spool = Path::new(&file) == self.spool;
        self.source = Some(source);
        Ok(folder)
    }

    fn store(&mut self, folder: &Folder, fates: &[Fate]) -> Result<usize, String> {
        match &self.source {
            Some(source) => files::store(folder, fates, source),
            None => Ok(0),
        }
    }

    fn append(&mut self, file: &str, content: &[u8]) -> Result<bool, String> {
        files::append(Path::new(file), content, &self.state())
    }

    fn read(&mut self, file: &str) -> Result<Vec<u8>, String> {
        let said = |error: io::Error| format!("{file}: {}", words_of(&error));
        let mut content = Vec::new();
        let opened = std::fs::File::open(file).map_err(said)?;
        opened
            .take(INPUT_BYTES_MAX)
            .read_to_end(&mut content)
            .map_err(said)?;
        Ok(content)
    }

    fn edit(&mut self, text: &[u8]) -> Result<Vec<u8>, String> {
        let number = world::World::real().random.next_u64();
        let file = std::env::temp_dir().join(format!("mail.{number:016x}"));
        let said = |error: io::Error| format!("{}: {}", file.display(), words_of(&error));
        let mut made = std::fs::OpenOptions::new();
        let mut made = made
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .map_err(said)?;
        let name = |variable| {
            std::env::var(variable)
                .ok()
                .filter(|name| !name.trim().is_empty())
        };
        let editor = name("VISUAL")
            .or_else(|| name("EDITOR"))
            .unwrap_or_else(|| "vi".to_owned());
        let edited = made.write_all(text).and_then(|()| {
            Command::new("/bin/sh")
                .arg("-c")
                .arg(format!("{editor} \"$0\""))
                .arg(&file)
                .status()
        });
        let content = edited
            .map_err(said)
            .and_then(|_| self.read(&file.display().to_string()));
        let _ = std::fs::remove_file(&file);
        content
    }

    fn send(&mut self, draft: &Draft) -> Result<Vec<u8>, (Vec<u8>, String)> {
        let circumstances = Circumstances {
            now: now(),
            boundary: world::World::real().random.next_u64(),
            quoted_printable: self.settings.text("encoding") == Some("quoted-printable"),
        };
        let message = draft
            .message(circumstances)
            .map_err(|error| (draft.body.clone(), format!("cannot write the header: {error}")))?;
        match self.hand_in(draft, &message) {
            Ok(()) => Ok(message),
            Err(text) => Err((message, text)),
        }
    }

    fn own_from_line(&self) -> String {
        let own = address::Address::new(&self.submitter.name, None);
        FromLine::display(Some(&own), now()) + "\n"
    }
}
