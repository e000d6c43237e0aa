//! `sieve-testsuite`: runs files of tests for Sieve scripts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use message::date::Date;
use sieve::testing::{Case, Executed, Sent, Stored, Suite};
use sieve::{
    Capabilities, Compiled, Delivery, DuplicateKey, Entry, Envelope, Failure, Host, Mail, Program,
    ProgramCall, ProgramEnd, Settings, Severity, Verdict,
};

use super::execution::Execution;
use super::scratch::{Places, Scratch, is_list, list_contains};
use super::{
    Common, Surroundings, Tool, TraceTo, local_date, now, printing, programs, script_name, trace_level,
};
use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, eprint_line, print_bytes, print_line};

const HELP: &str =
    "usage: sieve-testsuite [-D] [-E] [-F] [-c FILE] [-d FILE] [-o NAME=VALUE] [-t FILE] [-T OPTION]
                       [-x EXTENSIONS] [-W DIRECTORY] FILE.svtest...
Runs files of tests for Sieve scripts and says of each test whether it passed.
  -c FILE        takes the settings of this dovecot.conf; without it none is read
  -d FILE        shows what was understood (- is the screen)
  -E             prints what scripts log too
  -F             every test is expected to fail
  -o NAME=VALUE  a setting
  -t FILE        tells each step (- is the screen); -T level=actions|commands|tests|matching
  -x EXTENSIONS  the extensions that there are; all but those of the mail server without it
  -W DIRECTORY   is made when missing; nothing is written there: mail is kept in memory";

#[derive(Debug, Default)]
struct Options {
    common: Common,
    prints_log: bool,
    expects_failure: bool,
    dump: Option<String>,
    trace: Option<String>,
    trace_options: Vec<String>,
    directory: Option<String>,
    files: Vec<String>,
}

/// Runs `sieve-testsuite`.
pub(crate) fn run(call: &Invocation) -> ExitCode {
    if call.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    let all = options(&call.args).and_then(|options| {
        let mut right = true;
        for file in &options.files {
            right &= one_file(call, &options, file)?;
        }
        Ok(right)
    });
    match all {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            call.complain(format!("Fatal: {why}"));
            ExitCode::from(EX_USAGE)
        }
    }
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    for part in parts_of(args, "DEF", "cdotTPxWu")? {
        match part {
            Part::Flag('E') => options.prints_log = true,
            Part::Flag('F') => options.expects_failure = true,
            Part::Value('d', text) => options.dump = Some(text),
            Part::Value('t', text) => options.trace = Some(text),
            Part::Value('T', text) => options.trace_options.push(text),
            Part::Value('W', text) => options.directory = Some(text),
            Part::Word(word) => options.files.push(word),
            other => drop(options.common.take(&other)?),
        }
    }
    match options.files.is_empty() {
        true => Err("Missing <scriptfile> argument".to_owned()),
        false => Ok(options),
    }
}

/// Runs one file; whether its outcome is the expected one.
fn one_file(call: &Invocation, options: &Options, file: &str) -> Result<bool, String> {
    let mut tool = match options.common.has_config() {
        true => Tool::new(&options.common)?,
        false => {
            let mut values = BTreeMap::from([(
                "postmaster_address".to_owned(),
                "postmaster@example.com".to_owned(),
            )]);
            values.extend(options.common.overrides());
            Tool::with(values, &options.common)?
        }
    };
    tool.capabilities = Capabilities::all();
    tool.choose_extensions(call, &options.common);
    tool.capabilities.add(sieve::testing::EXTENSION);
    if let Some(directory) = &options.directory {
        std::fs::create_dir_all(directory)
            .map_err(|error| format!("cannot make {directory}: {}", os::words(&error)))?;
    }
    print_line(&format!("Test case: {file}:\n"));
    let path = Path::new(file);
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let directory = std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned());
    let places = Places::of(&tool.settings, &directory);
    let mut driver = Driver {
        tool,
        directory,
        places,
        scratch: Scratch::default(),
        sent: Vec::new(),
        saved: BTreeMap::new(),
        trace: match &options.trace {
            Some(name) => TraceTo::named(name)?,
            None => TraceTo::Nowhere,
        },
        prints_log: options.prints_log,
        cases: 0,
        failed: 0,
    };
    driver.run(path, options)?;
    Ok(driver.conclude(options.expects_failure))
}

/// Runs one file of tests.
struct Driver {
    tool: Tool,
    directory: PathBuf,
    places: Places,
    scratch: Scratch,
    sent: Vec<Sent>,
    saved: BTreeMap<String, Vec<u8>>,
    trace: TraceTo,
    prints_log: bool,
    /// Cases that began.
    cases: usize,
    /// Cases that failed, the file as a whole among them.
    failed: usize,
}

impl Driver {
    fn run(&mut self, path: &Path, options: &Options) -> Result<(), String> {
        let compiled = match std::fs::read(path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                sieve::compile(
                    &script_name(path),
                    &text,
                    &self.tool.settings,
                    &self.tool.capabilities,
                    &mut self.places,
                )
            }
            Err(error) => return Err(format!("cannot read {}: {}", path.display(), os::words(&error))),
        };
        let program = match compiled {
            Ok(compiled) => compiled.program,
            Err(failure) => {
                for line in &failure.diagnostics {
                    let place = line
                        .position
                        .map(|at| format!("line {}: ", at.line))
                        .unwrap_or_default();
                    let (file, word) = (path.display(), line.severity.word());
                    eprint_line(&format!("{file}: {place}{word}: {}", line.text));
                }
                self.case_failed("failed to compile testcase script");
                return Ok(());
            }
        };
        match options.dump.as_deref() {
            Some("-") => print_bytes(program.dump().as_bytes()),
            Some(file) => {
                std::fs::write(file, program.dump())
                    .map_err(|error| format!("cannot write {file}: {}", os::words(&error)))?;
            }
            None => {}
        }
        let level = trace_level(&options.trace_options)?;
        let mail = Mail::new(sieve::FIRST_MESSAGE.as_bytes());
        let delivery = Delivery {
            envelope: Envelope {
                auth: Some(self.tool.user.clone()),
                ..Envelope::of_message(&mail)
            },
            mail,
            trace: options.trace.as_ref().map(|_| level),
        };
        let settings = self.tool.settings.clone();
        let (verdict, outcome) = program.run_suite(delivery, &settings, self);
        if verdict != Verdict::Done {
            for line in outcome.log.iter().filter(|line| line.severity == Severity::Error) {
                eprint_line(&line.to_string());
            }
            self.case_failed(match verdict {
                Verdict::ResourceLimit => "resource limit exceeded",
                _ => "test script execution aborted due to error",
            });
        }
        Ok(())
    }

    fn case_failed(&mut self, why: &str) {
        self.failed += 1;
        print_line(&format!("XX: Test CASE FAILED: {why}"));
    }

    /// Says what the file came to.
    fn conclude(&self, expects_failure: bool) -> bool {
        let (cases, failed) = (self.cases, self.failed);
        print_line("");
        let right = match (expects_failure, failed) {
            (false, 0) => {
                print_line(&format!("PASS: {cases} tests succeeded."));
                true
            }
            (false, _) => {
                print_line(&format!("FAIL: {failed} of {cases} tests failed."));
                false
            }
            (true, _) if failed > 0 && failed >= cases => {
                print_line(&format!("PASS: {failed} tests failed (expected to fail)."));
                true
            }
            (true, _) => {
                print_line(&format!(
                    "FAIL: Only {failed} of {cases} tests failed (all expected to fail)."
                ));
                false
            }
        };
        print_line("");
        right
    }

    fn print_log<'d>(&self, log: impl IntoIterator<Item = &'d sieve::Diagnostic>) {
        for line in log.into_iter().filter(|_| self.prints_log) {
            let place = line
                .position
                .map(|at| format!("{}: line {}: ", line.script, at.line))
                .unwrap_or_default();
            print_line(&format!("LOG: {place}{}: {}", line.severity.word(), line.text));
        }
    }
}

impl Host for Driver {
    fn now(&mut self) -> Date {
        now()
    }

    fn offset_at(&mut self, secs: i64) -> i32 {
        local_date(secs).offset_secs
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        let surroundings = Surroundings {
            user: self.tool.user.clone(),
            default_mailbox: "INBOX".to_owned(),
        };
        surroundings.item(name)
    }

    fn mailbox_exists(&mut self, name: &str) -> bool {
        self.scratch.exists(name)
    }

    fn special_use_exists(&mut self, mailbox: Option<&str>, flag: &str) -> bool {
        let found = self.scratch.with_special_use(flag);
        found.is_some_and(|found| mailbox.is_none_or(|mailbox| mailbox == found))
    }

    fn metadata(&mut self, mailbox: Option<&str>, entry: &str) -> Result<Option<String>, String> {
        Ok(self.scratch.metadata(mailbox, entry))
    }

    /// A file of tests never saw a message before.
    fn is_duplicate(&mut self, _key: &DuplicateKey) -> bool {
        false
    }

    fn list_contains(&mut self, list: &str, member: &str) -> Result<bool, String> {
        list_contains(&self.tool.settings, &self.directory, list, member)
    }

    fn is_list(&mut self, list: &str) -> bool {
        is_list(&self.tool.settings, list)
    }

    fn program(&mut self, call: &ProgramCall) -> ProgramEnd {
        programs::run(&self.tool.settings, &Envelope::default(), call)
    }

    fn trace(&mut self, line: &str) {
        self.trace.line(line);
    }

    fn suite(&mut self) -> Option<&mut dyn Suite> {
        Some(self)
    }
}

impl Suite for Driver {
    fn directory(&self) -> String {
        self.directory.to_string_lossy().into_owned()
    }

    fn user(&self) -> String {
        self.tool.user.clone()
    }

    fn case(&mut self, case: Case) {
        match case {
            Case::Started(name) => {
                self.cases += 1;
                let quoted = if name.is_empty() {
                    String::new()
                } else {
                    format!(" '{name}'")
                };
                // The rest of the line follows with the end of the case.
                print_bytes(format!("{:2}: Test{quoted} ", self.cases).as_bytes());
            }
            Case::Succeeded => print_line("SUCCEEDED"),
            Case::Failed(reason) => {
                self.failed += 1;
                match reason.is_empty() {
                    true => print_line("FAILED"),
                    false => print_line(&format!("FAILED: {reason}")),
                }
            }
        }
    }

    fn sent(&mut self, index: usize) -> Option<Sent> {
        self.sent.get(index).cloned()
    }

    fn forget_sent(&mut self) {
        self.sent.clear();
    }

    fn stored(&mut self, mailbox: &str, index: usize) -> Stored {
        self.scratch.stored(mailbox, index)
    }

    fn compile(&mut self, path: &str, settings: &Settings) -> Result<Compiled, Failure> {
        let path = self.directory.join(path);
        let name = script_name(&path);
        let missing = |text: String| Failure {
            stage: sieve::Stage::Parse,
            diagnostics: vec![sieve::Diagnostic {
                script: name.as_str().into(),
                position: None,
                severity: Severity::Error,
                text,
            }],
        };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                return Err(missing(format!(
                    "failed to open script {}: {}",
                    path.display(),
                    os::words(&error)
                )));
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let compiled = sieve::compile(&name, &text, settings, &self.tool.capabilities, &mut self.places);
        match &compiled {
            Ok(compiled) => self.print_log(&compiled.warnings),
            Err(failure) => self.print_log(&failure.diagnostics),
        }
        compiled
    }

    fn execute(&mut self, entries: &[Entry], envelope: &Envelope, settings: &Settings) -> Executed {
        self.scratch.settings = settings.clone();
        self.scratch.envelope = envelope.clone();
        let mut execution = Execution::new(settings, envelope);
        let executed = execution.all(entries, &mut self.scratch, &mut self.sent);
        self.print_log(&executed.log);
        executed
    }

    fn create_mailbox(&mut self, name: &str) -> Result<(), String> {
        self.scratch.create(name);
        Ok(())
    }

    fn set_metadata(&mut self, mailbox: Option<&str>, entry: &str, value: &str) -> Result<(), String> {
        self.scratch.set_metadata(mailbox, entry, value)
    }

    fn save(&mut self, name: &str, program: &Program) {
        self.saved.insert(name.to_owned(), program.to_file());
    }

    fn load(&mut self, name: &str, settings: &Settings) -> Option<Program> {
        let file = self.saved.get(name)?;
        Program::from_file(file, settings, &self.tool.capabilities)
            .ok()
            .map(|compiled| compiled.program)
    }

    fn configure(&mut self, settings: &Settings, _extension: Option<&str>) -> Result<(), String> {
        self.places = Places::of(settings, &self.directory);
        self.tool.settings = settings.clone();
        Ok(())
    }

    fn print(&mut self, text: &str) {
        print_bytes(text.as_bytes());
    }

    fn print_actions(&mut self, actions: &[Entry], implicit_keep: Option<&Entry>) {
        print_bytes(printing::result(actions, implicit_keep, "INBOX").as_bytes());
    }
}
