//! `mail`'s outside for real: standard input and output, the user's files, editor and pager, the mail system.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use message::date::Date;
use message::mbox::FromLine;

use super::compose::{Circumstances, Draft, bare_address};
use super::files::{self, Source};
use super::folder::{Fate, Folder, Letter};
use super::interrupt::{Input, Lines};
use super::names::{self, Places};
use super::outside::Outside;
use super::shell::{self, Editor};
use super::state;
use super::variables::Variables;
use crate::submission::{self, Submitter, words_of};
use crate::{configuration, eprint_line};

/// The longest line that is taken from a terminal or a script, in octets.
const LINE_BYTES_MAX: usize = 1 << 20;
/// The largest text or file that is taken, in octets.
const INPUT_BYTES_MAX: u64 = submission::MESSAGE_BYTES_MAX;
/// Where mail is looked for when no configuration says where it is delivered.
const USUAL_SPOOL: &str = "/var/mail";
/// The most names of a directory that are listed.
const LISTED_MAX: usize = 100_000;
/// Columns and rows where no terminal says.
const SCREEN: (usize, usize) = (80, 24);

/// The user's terminal, files and mail system.
pub(super) struct Terminal {
    submitter: Submitter,
    is_interactive: bool,
    lines: Lines,
    /// The user's system mailbox.
    spool: PathBuf,
    /// What the user has set about files and sending.
    settings: Variables,
    /// The envelope sender, by `-r`.
    sender: Option<String>,
    source: Option<Source>,
    /// The folder that is open, and the one before it.
    opened: Option<String>,
    previous: Option<String>,
}

impl Terminal {
    pub(super) fn new(submitter: Submitter, settings: Variables, sender: Option<String>) -> Terminal {
        let spool = spool_of(&submitter);
        let is_interactive = os::terminal::stdin_is_terminal();
        Terminal {
            is_interactive,
            lines: Lines::new(is_interactive),
            submitter,
            spool,
            settings,
            sender,
            source: None,
            opened: None,
            previous: None,
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
        let preferred = base
            .unwrap_or_else(|| self.home().join(".local/state"))
            .join("yubin/mail");
        state::directory(preferred, &std::env::temp_dir(), self.submitter.uid)
    }

    fn submit(&self, draft: &Draft, message: &[u8]) -> Result<(), String> {
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
        submission::submit(&settings, self.submitter.slip(), &envelope, message)
            .map(drop)
            .map_err(|refusal| refusal.to_string())
    }

    /// Forgets the interrupt key: it was meant for a program that had the terminal.
    fn settle(&mut self) {
        self.lines.interrupted();
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

/// The variable `MAIL`.
fn own_choice() -> Option<PathBuf> {
    std::env::var_os("MAIL")
        .filter(|mail| !mail.is_empty())
        .map(PathBuf::from)
}

/// `$MAIL`; else where the mail system delivers.
fn spool_of(submitter: &Submitter) -> PathBuf {
    own_choice().unwrap_or_else(|| mailbox_of(&submitter.name, &submitter.home))
}

/// Where a user's mail is delivered: `home_mailbox` below the home directory, or the file below `mail_spool_directory`.
/// Without a main.cf that can be read it is the system's usual place; [`doubt`] says so.
fn mailbox_of(user: &str, home: &Path) -> PathBuf {
    match configuration::postfix(&configuration::directory(None)) {
        Ok(settings) if !settings.home_mailbox.is_empty() => home.join(&settings.home_mailbox),
        Ok(settings) => settings.mail_spool_directory.join(user),
        Err(_) => Path::new(USUAL_SPOOL).join(user),
    }
}

/// Why mail may be delivered elsewhere than it is looked for, the user's own (`None`) or another user's.
pub(super) fn doubt(user: Option<&str>) -> Option<String> {
    if user.is_none() && own_choice().is_some() {
        return None;
    }
    let error = configuration::postfix(&configuration::directory(None)).err()?;
    Some(format!(
        "cannot tell where mail is delivered: {error}. Looking below {USUAL_SPOOL}; the variable MAIL names another file"
    ))
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
    fn heed(&mut self, variables: &Variables) {
        self.settings = variables.clone();
    }

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
        if !shell::page(&self.settings, text) {
            self.say(text);
        }
        self.settle();
    }

    fn complain(&mut self, text: &str) {
        eprint_line(text);
    }

    fn ask(&mut self, prompt: &str) -> Input {
        if self.is_interactive && !prompt.is_empty() {
            self.say(prompt);
        }
        self.lines.line(LINE_BYTES_MAX)
    }

    fn interrupted(&mut self) -> bool {
        self.lines.interrupted()
    }

    fn rest(&mut self) -> Vec<u8> {
        // What was read before an error is sent, as Heirloom's mailx does.
        self.lines.rest(INPUT_BYTES_MAX)
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

    fn file_of(&self, name: &str) -> Result<String, String> {
        let home = self.home().display().to_string();
        let own = self.settings.text("MBOX").map(str::to_owned);
        let mbox = own.or_else(|| std::env::var("MBOX").ok());
        let mailbox = |user: &str| {
            let found = os::users::user_by_name(user).ok().flatten()?;
            Some(mailbox_of(user, &found.home).display().to_string())
        };
        names::file_of(
            name,
            &Places {
                home: &home,
                spool: &self.spool.display().to_string(),
                mbox: &mbox.unwrap_or_else(|| format!("{home}/mbox")),
                folder: self.settings.text("folder").unwrap_or("Mail"),
                previous: self.previous.as_deref(),
                mailbox_of: &mailbox,
            },
        )
    }

    fn load(&mut self, file: &str) -> Result<Folder, String> {
        let (mut folder, source) = files::load(Path::new(file), file, &self.state())?;
        folder.is_spool = Path::new(file) == self.spool;
        self.source = Some(source);
        let absolute =
            std::path::absolute(file).map_or_else(|_| file.to_owned(), |path| path.display().to_string());
        self.previous = self.opened.replace(absolute);
        Ok(folder)
    }

    fn arrivals(&mut self, known: &Folder) -> Result<Vec<Letter>, String> {
        match &mut self.source {
            Some(source) => files::arrivals(known, source),
            None => Ok(Vec::new()),
        }
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

    fn list(&self, directory: &str) -> Result<Vec<String>, String> {
        let said = |error: io::Error| format!("{directory}: {}", words_of(&error));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(said)?.take(LISTED_MAX) {
            let name = entry.map_err(said)?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn change_directory(&mut self, directory: &str) -> Result<(), String> {
        std::env::set_current_dir(directory).map_err(|error| format!("{directory}: {}", words_of(&error)))
    }

    fn edit(&mut self, text: &[u8], editor: Editor) -> Result<Vec<u8>, String> {
        let edited = shell::edit(&self.settings, text, editor);
        self.settle();
        edited
    }

    fn run(&mut self, command: &str, input: Option<&[u8]>) -> Result<(), String> {
        let done = shell::run(&self.settings, command, input);
        self.settle();
        done
    }

    fn output_of(&mut self, command: &str, input: &[u8]) -> Result<Vec<u8>, String> {
        let output = shell::output_of(&self.settings, command, input);
        self.settle();
        output
    }

    fn message(&mut self, draft: &Draft) -> Result<Vec<u8>, String> {
        let circumstances = Circumstances {
            now: now(),
            boundary: world::World::real().random.next_u64(),
            quoted_printable: self.settings.text("encoding") == Some("quoted-printable"),
        };
        draft
            .message(circumstances)
            .map_err(|error| format!("cannot write the header: {error}"))
    }

    fn hand_in(&mut self, draft: &Draft, message: &[u8]) -> Result<(), String> {
        self.submit(draft, message)
    }

    fn own_from_line(&self) -> String {
        let own = address::Address::new(&self.submitter.name, None);
        FromLine::display(Some(&own), now()) + "\n"
    }
}
