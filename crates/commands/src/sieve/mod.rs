//! The tools for Sieve scripts: `sievec`, `sieve-test`, `sieve-dump`, `sieve-testsuite`. What they have in common: options, the
//! settings of dovecot.conf, where scripts are.

mod execution;
mod printing;
mod programs;
mod scratch;
mod sieve_dump;
mod sieve_test;
mod sievec;
mod testsuite;

pub(crate) use sieve_dump::run as run_dump;
pub(crate) use sieve_test::run as run_test;
pub(crate) use sievec::run as run_compiler;
pub(crate) use testsuite::run as run_testsuite;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use config::dovecot_conf::{self, Entry};
use message::date::Date;
use sieve::{Capabilities, Compiled, Found, Host, Library, Location, Program, Settings};

use crate::getopt::Part;
use crate::{Invocation, configuration, eprint_line};

/// The largest message that a tool reads, in octets.
const MESSAGE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Options that all of the tools have.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    config: Option<String>,
    overrides: Vec<(String, String)>,
    extensions: Option<String>,
    user: Option<String>,
    pub(super) debug: bool,
}

impl Common {
    /// Whether a file is named.
    fn has_config(&self) -> bool {
        self.config.is_some()
    }

    /// Settings that hold in spite of a file.
    fn overrides(&self) -> impl Iterator<Item = (String, String)> {
        let named = self
            .overrides
            .iter()
            .map(|(name, value)| (name.trim_start_matches("plugin/").to_owned(), value.clone()));
        named.collect::<Vec<_>>().into_iter()
    }

    /// Takes `part` when it is one of these.
    ///
    /// # Errors
    /// What is wrong with its value.
    pub(super) fn take(&mut self, part: &Part) -> Result<bool, String> {
        match part {
            Part::Flag('D') => self.debug = true,
            Part::Value('c', file) => self.config = Some(file.clone()),
            Part::Value('x', names) => self.extensions = Some(names.clone()),
            Part::Value('u', user) => self.user = Some(user.clone()),
            // Built in here, or not there at all.
            Part::Value('P', _) => {}
            Part::Value('o', text) => {
                let pair = text
                    .split_once('=')
                    .ok_or_else(|| format!("-o {text}: not of the form setting=value"))?;
                self.overrides
                    .push((pair.0.trim().to_owned(), pair.1.trim().to_owned()));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What a tool works with.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    /// Messages tell columns too.
    columns: bool,
    pub(super) settings: Settings,
    pub(super) capabilities: Capabilities,
    pub(super) user: String,
    pub(super) directories: Directories,
}

/// Where included scripts are.
#[derive(Debug, Clone, Default)]
pub(super) struct Directories {
    pub(super) personal: Option<PathBuf>,
    pub(super) global: Option<PathBuf>,
}

impl Library for Directories {
    fn script(&mut self, location: Location, name: &str) -> Found {
        let directory = match location {
            Location::Personal => &self.personal,
            Location::Global => &self.global,
        };
        let Some(directory) = directory else {
            return Found::Unavailable;
        };
        match std::fs::read(directory.join(format!("{name}.sieve"))) {
            Ok(bytes) => Found::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Missing,
            Err(_) => Found::Unavailable,
        }
    }
}

impl Tool {
    /// With the settings of dovecot.conf, when there is one, and the options.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(common: &Common) -> Result<Tool, String> {
        let file = match &common.config {
            Some(named) => {
                let file = configuration::named_dovecot_file(named);
                match file.exists() {
                    true => file,
                    false => return Err(format!("cannot read {}: no such file", file.display())),
                }
            }
            None => configuration::dovecot_file(),
        };
        let mut values = if file.exists() {
            values_of(&file)
        } else {
            BTreeMap::new()
        };
        values.extend(common.overrides());
        Tool::with(values, common)
    }

    /// With these settings alone.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn with(values: BTreeMap<String, String>, common: &Common) -> Result<Tool, String> {
        let mut settings = Settings::default();
        for (name, value) in &values {
            settings
                .set(name, value)
                .map_err(|why| format!("{name}: {why}"))?;
        }
        let account = os::users::user_by_uid(os::identity::Identity::current().uid)
            .ok()
            .flatten();
        let own = account
            .as_ref()
            .map_or_else(|| "nobody".to_owned(), |account| account.name.clone());
        let user = common.user.clone().unwrap_or(own);
        let home = home_of(&user);
        let directories = directories(&settings, &user, home.as_deref());
        Ok(Tool {
            columns: common.debug,
            settings,
            capabilities: Capabilities::default(),
            user,
            directories,
        })
    }

    /// Takes the extensions that settings and `-x` name; tells of those that are not known.
    pub(super) fn choose_extensions(&mut self, call: &Invocation, common: &Common) {
        let mut unknown = Vec::new();
        for name in ["sieve_extensions", "sieve_global_extensions"] {
            let words = self.settings.text(name).unwrap_or_default().to_owned();
            unknown.extend(self.capabilities.apply(&words));
        }
        unknown.extend(
            self.capabilities
                .apply(common.extensions.as_deref().unwrap_or_default()),
        );
        for name in unknown {
            call.complain(format!(
                "Warning: sieve: ignored unknown extension '{name}' while configuring available extensions"
            ));
        }
    }

    fn tell(&self, line: &sieve::Diagnostic) {
        match line.position.filter(|_| self.columns) {
            Some(position) => eprint_line(&format!("{line} (column {})", position.column)),
            None => eprint_line(&line.to_string()),
        }
    }

    /// Compiles the script in a file; messages go to standard error. `None` when it cannot be used.
    pub(super) fn compile(&mut self, path: &Path) -> Option<Program> {
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprint_line("error: script not found.");
                return None;
            }
            Err(error) => {
                eprint_line(&format!(
                    "error: cannot read {}: {}.",
                    path.display(),
                    os::words(&error)
                ));
                return None;
            }
        };
        let name = script_name(path);
        match sieve::compile(
            &name,
            &text,
            &self.settings,
            &self.capabilities,
            &mut self.directories,
        ) {
            Ok(Compiled { program, warnings }) => {
                warnings.iter().for_each(|warning| self.tell(warning));
                Some(program)
            }
            Err(failure) => {
                failure.diagnostics.iter().for_each(|line| self.tell(line));
                eprint_line(&format!("{name}: error: {}.", failure.stage.verdict()));
                None
            }
        }
    }
}

/// The name of a script: its file's without `.sieve`.
pub(super) fn script_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    ["sieve", "svtest"]
        .iter()
        .find_map(|end| name.strip_suffix(&format!(".{end}")))
        .unwrap_or(&name)
        .to_owned()
}

fn home_of(user: &str) -> Option<PathBuf> {
    let from_environment = std::env::var_os("HOME").map(PathBuf::from);
    from_environment.or_else(|| {
        os::users::user_by_name(user)
            .ok()
            .flatten()
            .map(|account| account.home)
    })
}

/// The settings of a dovecot.conf by name: at the top level, in `plugin`, and those of named blocks as `KIND/NAME/SETTING`.
fn values_of(file: &Path) -> BTreeMap<String, String> {
    let mut problems = Vec::new();
    let tree = dovecot_conf::read(file, &mut problems);
    let mut values = BTreeMap::new();
    for entry in &tree.entries {
        match entry {
            Entry::Setting(setting) => drop(values.insert(setting.name.clone(), setting.text.clone())),
            Entry::Block(block) if block.kind == "plugin" => {
                for entry in &block.entries {
                    if let Entry::Setting(setting) = entry {
                        values.insert(setting.name.clone(), setting.text.clone());
                    }
                }
            }
            Entry::Block(block) if block.kind.starts_with("sieve_") => {
                let (kind, name) = (&block.kind, &block.name);
                values.insert(format!("{kind}/{name}/name"), name.clone());
                for entry in &block.entries {
                    if let Entry::Setting(setting) = entry {
                        values.insert(format!("{kind}/{name}/{}", setting.name), setting.text.clone());
                    }
                }
            }
            Entry::Block(_) => {}
        }
    }
    values
}

/// Where scripts to include are, by `sieve`, `sieve_dir`, `sieve_global`, `sieve_global_dir` (2.3) or the blocks
/// `sieve_script` (2.4).
pub(super) fn directories(settings: &Settings, user: &str, home: Option<&Path>) -> Directories {
    let expand = |text: &str| {
        let text = text.strip_prefix("file:").unwrap_or(text);
        let text = text.split(';').next().unwrap_or(text);
        let home = home
            .map(|home| home.to_string_lossy().into_owned())
            .unwrap_or_default();
        let text = match text.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => text.to_owned(),
        };
        PathBuf::from(
            text.replace("%h", &home)
                .replace("%u", user)
                .replace("%{user}", user)
                .replace("%{home}", &home),
        )
    };
    let by_block = |wanted: &str| {
        settings.below("sieve_script/").find_map(|(key, path)| {
            let (block, setting) = key.split_once('/')?;
            let get = |name: &str| {
                let names = [
                    format!("sieve_script/{block}/{name}"),
                    format!("sieve_script/{block}/sieve_script_{name}"),
                ];
                names.iter().find_map(|name| settings.text(name))
            };
            let kind = get("type").unwrap_or("personal");
            (matches!(setting, "path" | "sieve_script_path") && kind == wanted).then(|| expand(path))
        })
    };
    let personal = settings.first(&["sieve_dir"]).map(expand).or_else(|| {
        settings
            .first(&["sieve"])
            .map(expand)
            .filter(|path| path.extension().is_none_or(|end| end != "sieve"))
    });
    Directories {
        personal: by_block("personal").or(personal),
        global: by_block("global")
            .or_else(|| settings.first(&["sieve_global", "sieve_global_dir"]).map(expand)),
    }
}

/// A message from a file, `-` is standard input.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read_message(path: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin()
            .lock()
            .take(MESSAGE_BYTES_MAX)
            .read_to_end(&mut bytes),
        path => {
            std::fs::File::open(path).and_then(|file| file.take(MESSAGE_BYTES_MAX).read_to_end(&mut bytes))
        }
    };
    read.map_err(|error| format!("cannot read the message {path}: {}", os::words(&error)))?;
    Ok(bytes)
}

/// A moment in the zone of this place.
pub(super) fn local_date(secs: i64) -> Date {
    let zone = jiff::tz::TimeZone::system();
    let offset_secs = jiff::Timestamp::from_second(secs).map_or(0, |moment| zone.to_offset(moment).seconds());
    Date { secs, offset_secs }
}

/// Now, in the zone of this place.
pub(super) fn now() -> Date {
    local_date(jiff::Timestamp::now().as_second())
}

/// What a tool can answer a script by itself.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) user: String,
    pub(super) default_mailbox: String,
}

impl Surroundings {
    /// An item of the environment (RFC 5183).
    pub(super) fn item(&self, name: &str) -> Option<String> {
        Some(match name {
            "domain" | "host" => os::hostname::hostname(),
            "location" => "MS".to_owned(),
            "name" => "Yubin Sieve".to_owned(),
            "version" => env!("CARGO_PKG_VERSION").to_owned(),
            "phase" => "post".to_owned(),
            "vnd.dovecot.default-mailbox" => self.default_mailbox.clone(),
            "vnd.dovecot.username" => self.user.clone(),
            _ => return None,
        })
    }
}

/// Where the lines of a trace go.
#[derive(Debug, Default)]
pub(super) enum TraceTo {
    #[default]
    Nowhere,
    Screen,
    File(std::fs::File),
}

impl TraceTo {
    /// The place that `-t` names.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn named(name: &str) -> Result<TraceTo, String> {
        match name {
            "-" => Ok(TraceTo::Screen),
            name => std::fs::File::create(name)
                .map(TraceTo::File)
                .map_err(|error| format!("cannot write the trace file {name}: {}", os::words(&error))),
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        use std::io::Write;
        match self {
            TraceTo::Nowhere => {}
            TraceTo::Screen => crate::print_line(line),
            TraceTo::File(file) => {
                // A trace that cannot be written does not stop the script.
                let _ = writeln!(file, "{line}");
            }
        }
    }
}

/// How much a trace tells, from the options `-T`.
///
/// # Errors
/// One that is not known.
pub(super) fn trace_level(options: &[String]) -> Result<sieve::Level, String> {
    let mut level = sieve::Level::Actions;
    for option in options {
        match option.strip_prefix("level=") {
            Some("none" | "actions") => level = sieve::Level::Actions,
            Some("commands") => level = sieve::Level::Commands,
            Some("tests") => level = sieve::Level::Tests,
            Some("matching") => level = sieve::Level::Matching,
            None if matches!(option.as_str(), "debug" | "addresses") => {}
            _ => return Err(format!("unknown trace option: {option}")),
        }
    }
    Ok(level)
}

/// The host of a script that a tool runs on a message of a file.
#[derive(Debug)]
pub(super) struct ToolHost {
    pub(super) surroundings: Surroundings,
    pub(super) settings: Settings,
    pub(super) envelope: sieve::Envelope,
    pub(super) trace: TraceTo,
}

impl Host for ToolHost {
    fn now(&mut self) -> Date {
        now()
    }

    fn offset_at(&mut self, secs: i64) -> i32 {
        local_date(secs).offset_secs
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        self.surroundings.item(name)
    }

    /// No mail store is asked: every mailbox could be there.
    fn mailbox_exists(&mut self, _name: &str) -> bool {
        true
    }

    fn program(&mut self, call: &sieve::ProgramCall) -> sieve::ProgramEnd {
        programs::run(&self.settings, &self.envelope, call)
    }

    fn trace(&mut self, line: &str) {
        self.trace.line(line);
    }
}
