//! `vnd.dovecot.testsuite`: the language of tests. What it acts on is behind [`crate::testing::Suite`].

use std::sync::Arc;

use super::Extension;
use crate::actions::{Entry, Verdict};
use crate::checker::Checker;
use crate::diagnostics::{Diagnostic, Severity};
use crate::envelope::Envelope;
use crate::mail::Mail;
use crate::matching::Matcher;
use crate::program::Program;
use crate::run::{Delivery, Run, Step, Stop};
use crate::testing::{Case, EXTENSION as NAME, Stored, Suite};
use crate::text::Text;
use crate::words::{Block, BlockUse, BuiltCommand, BuiltTest, Call, Command, Kind, Tag, Test, Word};

const TEXT: Kind = Kind::Text;
const INDEX: &[Tag] = &[Tag::with("index", Kind::Number)];
const WHERE: &[Tag] = &[
    Tag::flag("smtp").slot("where"),
    Tag::with("folder", Kind::Text).slot("where"),
];

pub(crate) const EXTENSION: Extension = Extension::new(NAME).off().words(&[
    Word::command("test", &[("name", TEXT)], &[], test_case).block(BlockUse::Case),
    Word::command("test_fail", &[("reason", TEXT)], &[], |_, call| {
        simple(Simple::Fail(call.text(0)))
    }),
    Word::command("test_set", &[("object", TEXT), ("value", TEXT)], &[], test_set),
    Word::command("test_message", &[("index", Kind::Number)], WHERE, |c, call| {
        message(c, &call, true).map(|built| Box::new(built) as Box<dyn Command>)
    }),
    Word::test("test_message", &[("index", Kind::Number)], WHERE, |c, call| {
        message(c, &call, false).map(|built| Box::new(built) as Box<dyn Test>)
    }),
    Word::command("test_message_print", &[], &[], |_, _| {
        simple(Simple::MessagePrint)
    }),
    Word::test("test_script_compile", &[("script", TEXT)], &[], |_, call| {
        ask(Ask::Compile(call.text(0)))
    }),
    Word::test(
        "test_script_run",
        &[],
        &[Tag::flag("append_result")],
        |_, call| {
            ask(Ask::Run {
                append: call.has("append_result"),
            })
        },
    ),
    Word::test("test_multiscript", &[("scripts", Kind::Texts)], &[], |_, call| {
        ask(Ask::Multiscript(call.texts(0)))
    }),
    Word::test(
        "test_result_action",
        &[("keys", Kind::Texts)],
        INDEX,
        |_, call| matched(&call, List::Actions),
    )
    .matching()
    .by_octets(),
    Word::test("test_error", &[("keys", Kind::Texts)], INDEX, |_, call| {
        matched(&call, List::Errors)
    })
    .matching()
    .by_octets(),
    Word::test("test_result_execute", &[], &[], |_, _| ask(Ask::Execute)),
    Word::command("test_result_reset", &[], &[], |_, _| simple(Simple::Reset)),
    Word::command("test_result_print", &[], &[], |_, _| simple(Simple::ResultPrint)),
    Word::command("test_mailbox_create", &[("mailbox", TEXT)], &[], |_, call| {
        simple(Simple::Create(call.text(0)))
    }),
    Word::command("test_mailbox_delete", &[("mailbox", TEXT)], &[], |_, _| {
        simple(Simple::Delete)
    }),
    Word::command(
        "test_imap_metadata_set",
        &[("annotation", TEXT), ("value", TEXT)],
        &[Tag::with("mailbox", Kind::Text)],
        |_, call| {
            simple(Simple::Metadata(
                call.tag_text("mailbox"),
                call.text(0),
                call.text(1),
            ))
        },
    ),
    Word::command("test_binary_save", &[("name", TEXT)], &[], |_, call| {
        simple(Simple::Save(call.text(0)))
    }),
    Word::command("test_binary_load", &[("name", TEXT)], &[], |_, call| {
        simple(Simple::Load(call.text(0)))
    }),
    Word::command(
        "test_config_set",
        &[("setting", TEXT), ("value", TEXT)],
        &[],
        |_, call| simple(Simple::ConfigSet(call.text(0), call.text(1))),
    ),
    Word::command("test_config_unset", &[("setting", TEXT)], &[], |_, call| {
        simple(Simple::ConfigUnset(call.text(0)))
    }),
    Word::command(
        "test_config_reload",
        &[],
        &[Tag::with("extension", Kind::Text)],
        |_, call| simple(Simple::ConfigReload(call.tag_text("extension"))),
    ),
]);

/// The message that a file of tests starts with.
pub const FIRST_MESSAGE: &str =
    "From: sender@example.com\nTo: recipient@example.org\nSubject: Frop!\n\nFriep!\n";

#[derive(Debug)]
struct TestCase {
    name: Text,
    block: Block,
}

fn test_case(_: &mut Checker<'_>, call: Call) -> BuiltCommand {
    Some(Box::new(TestCase {
        name: call.text(0),
        block: call.block?,
    }))
}

impl Run<'_> {
    /// The driver.
    fn suite(&mut self) -> Result<&mut dyn Suite, Stop> {
        if self.host.suite().is_none() {
            return self.fail("the test language can be used only by sieve-testsuite".to_owned());
        }
        self.host.suite().ok_or(Stop::Failed)
    }
}

impl Command for TestCase {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let name = self.name.value(run);
        run.suite()?.case(Case::Started(name));
        match run.block(&self.block) {
            Ok(()) => run.suite()?.case(Case::Succeeded),
            Err(Stop::Case(reason)) => run.suite()?.case(Case::Failed(reason)),
            Err(other) => return Err(other),
        }
        Ok(())
    }
}

/// What `test_set` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Message,
    From,
    To,
    OriginalTo,
    Auth,
}

#[derive(Debug)]
struct Set(Object, Text);

fn test_set(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let name = call.text(0);
    let name = name.literal().unwrap_or_default();
    let object = match name.to_ascii_lowercase().as_str() {
        "message" => Object::Message,
        "envelope.from" => Object::From,
        "envelope.to" => Object::To,
        "envelope.orig_to" => Object::OriginalTo,
        "envelope.auth" => Object::Auth,
        _ => {
            checker.error(call.position, format!("unknown testsuite object '{name}'"));
            return None;
        }
    };
    Some(Box::new(Set(object, call.text(1))))
}

impl Command for Set {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let value = self.1.value(run);
        match self.0 {
            Object::Message => {
                let mail = Mail::new(value.replace("\r\n", "\n").into_bytes());
                let user = run.suite()?.user();
                take_message(run, mail, user);
            }
            Object::From => run.envelope.sender = Envelope::bare(&value),
            Object::To => {
                run.envelope.recipient = Envelope::bare(&value);
                run.envelope.original_recipient = run.envelope.recipient.clone();
            }
            Object::OriginalTo => run.envelope.original_recipient = Envelope::bare(&value),
            Object::Auth => run.envelope.auth = Some(value),
        }
        Ok(())
    }
}

fn take_message(run: &mut Run<'_>, mail: Mail, user: String) {
    run.envelope = Envelope {
        auth: Some(user),
        ..Envelope::of_message(&mail)
    };
    run.mail = mail;
}

/// Which message becomes the current one.
#[derive(Debug)]
struct Message {
    mailbox: Option<Text>,
    index: u64,
    required: bool,
}

fn message(checker: &mut Checker<'_>, call: &Call, required: bool) -> Option<Message> {
    if !call.has("smtp") && !call.has("folder") {
        let title = &call.title;
        checker.error(
            call.position,
            format!("the {title} requires either the :smtp or the :folder tag to be specified"),
        );
        return None;
    }
    Some(Message {
        mailbox: call.tag_text("folder"),
        index: call.number(0),
        required,
    })
}

impl Message {
    fn take(&self, run: &mut Run<'_>) -> Result<Option<String>, Stop> {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        let Some(mailbox) = &self.mailbox else {
            let Some(sent) = run.suite()?.sent(index) else {
                return Ok(Some(format!("no outgoing SMTP message with index {index}")));
            };
            run.mail = Mail::new(sent.message);
            run.envelope = Envelope {
                sender: sent.sender,
                original_recipient: sent.recipient.clone(),
                recipient: sent.recipient,
                ..run.envelope.clone()
            };
            return Ok(None);
        };
        let name = mailbox.value(run);
        match run.suite()?.stored(&name, index) {
            Stored::Message(bytes, flags) => {
                let mut mail = Mail::new(bytes);
                mail.flags = flags;
                let user = run.suite()?.user();
                take_message(run, mail, user);
                Ok(None)
            }
            Stored::NoMessage => Ok(Some(format!("no message in folder '{name}' with index {index}"))),
            Stored::NoMailbox => {
                let user = run.suite()?.user();
                take_message(run, Mail::new(FIRST_MESSAGE.as_bytes()), user);
                Ok(Some(format!("folder '{name}' does not exist")))
            }
        }
    }
}

impl Command for Message {
    fn run(&self, run: &mut Run<'_>) -> Step {
        match self.take(run)? {
            Some(missing) if self.required => Err(Stop::Case(missing)),
            _ => Ok(()),
        }
    }
}

impl Test for Message {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        Ok(self.take(run)?.is_none())
    }
}

/// Commands without anything to check.
#[derive(Debug)]
enum Simple {
    Fail(Text),
    MessagePrint,
    Reset,
    ResultPrint,
    Create(Text),
    Delete,
    Metadata(Option<Text>, Text, Text),
    Save(Text),
    Load(Text),
    ConfigSet(Text, Text),
    ConfigUnset(Text),
    ConfigReload(Option<Text>),
}

fn simple(command: Simple) -> BuiltCommand {
    Some(Box::new(command))
}

impl Command for Simple {
    fn run(&self, run: &mut Run<'_>) -> Step {
        match self {
            Simple::Fail(reason) => {
                let reason = reason.value(run);
                return Err(Stop::Case(reason));
            }
            Simple::MessagePrint => {
                let text = String::from_utf8_lossy(run.mail.bytes()).into_owned();
                run.suite()?.print(&format!("\n--MESSAGE:\n{text}--MESSAGE--\n"));
            }
            Simple::Reset => {
                reset(run);
                run.suite()?.forget_sent();
            }
            Simple::ResultPrint => {
                let keep = (!run.keep_cancelled).then(|| implicit_keep(run));
                let actions = run.actions.clone();
                let suite = run.suite()?;
                suite.print("\n--\n");
                suite.print_actions(&actions, keep.as_ref());
                suite.print("--\n");
            }
            Simple::Create(name) => {
                let name = name.value(run);
                if let Err(why) = run.suite()?.create_mailbox(&name) {
                    return run.fail(format!("failed to create mailbox '{name}': {why}"));
                }
            }
            Simple::Delete => {
                return Err(Stop::Case("test_mailbox_delete is not implemented".to_owned()));
            }
            Simple::Metadata(mailbox, entry, value) => {
                let mailbox = mailbox.as_ref().map(|mailbox| mailbox.value(run));
                let (entry, value) = (entry.value(run), value.value(run));
                if let Err(why) = run.suite()?.set_metadata(mailbox.as_deref(), &entry, &value) {
                    return run.fail(format!("failed to set annotation '{entry}': {why}"));
                }
            }
            _ => return self.files_and_settings(run),
        }
        Ok(())
    }
}

impl Simple {
    fn files_and_settings(&self, run: &mut Run<'_>) -> Step {
        match self {
            Simple::Save(name) => {
                let name = name.value(run);
                let Some(program) = run.testing.program.take() else {
                    return run.fail(format!("no compiled binary to save as {name}"));
                };
                run.suite()?.save(&name, &program);
                run.testing.program = Some(program);
            }
            Simple::Load(name) => {
                let name = name.value(run);
                let settings = Arc::clone(&run.settings);
                match run.suite()?.load(&name, &settings) {
                    Some(program) => run.testing.program = Some(program),
                    None => return run.fail(format!("failed to load binary {name}")),
                }
            }
            Simple::ConfigSet(name, value) => {
                let (name, value) = (name.value(run), value.value(run));
                let result = pending(run).set(&name, &value);
                if let Err(why) = result {
                    return run.fail(format!("setting {name}: {why}"));
                }
            }
            Simple::ConfigUnset(name) => {
                let name = name.value(run);
                pending(run).unset(&name);
            }
            Simple::ConfigReload(extension) => {
                let extension = extension.as_ref().map(|extension| extension.value(run));
                if let Some(name) = extension.as_deref()
                    && super::find(name).is_none()
                {
                    return run.fail(format!("unknown extension '{name}'"));
                }
                let settings = pending(run).clone();
                if let Err(why) = run.suite()?.configure(&settings, extension.as_deref()) {
                    return run.fail(format!("failed to reload the configuration: {why}"));
                }
                run.settings = Arc::new(settings);
            }
            _ => {}
        }
        Ok(())
    }
}

fn pending<'r>(run: &'r mut Run<'_>) -> &'r mut crate::settings::Settings {
    let settings = &run.settings;
    run.testing.pending.get_or_insert_with(|| (**settings).clone())
}

/// The implicit keep of the script that ran, or of the file of tests itself.
fn implicit_keep(run: &Run<'_>) -> Entry {
    run.testing.keep.clone().unwrap_or_else(|| run.implicit_keep())
}

/// Forgets the result.
fn reset(run: &mut Run<'_>) {
    run.actions.clear();
    run.keep_cancelled = false;
    run.testing.executed = 0;
    run.testing.kept = false;
    run.testing.keep = None;
}

/// Tests that do something.
#[derive(Debug)]
enum Ask {
    Compile(Text),
    Run { append: bool },
    Multiscript(Vec<Text>),
    Execute,
}

fn ask(test: Ask) -> BuiltTest {
    Some(Box::new(test))
}

impl Test for Ask {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        match self {
            Ask::Compile(path) => {
                let path = path.value(run);
                run.testing.errors.clear();
                match compile(run, &path)? {
                    Some(program) => {
                        run.testing.program = Some(program);
                        Ok(true)
                    }
                    None => Ok(false),
                }
            }
            Ask::Run { append } => {
                let Some(program) = run.testing.program.take() else {
                    return run.fail("no script compiled yet".to_owned());
                };
                run.testing.errors.clear();
                if !append {
                    reset(run);
                }
                let verdict = run_script(run, &program);
                run.testing.program = Some(program);
                Ok(verdict == Verdict::Done)
            }
            Ask::Multiscript(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| path.value(run)).collect();
                multiscript(run, &paths)
            }
            Ask::Execute => {
                run.testing.errors.clear();
                execute(run, true)
            }
        }
    }
}

fn note(run: &mut Run<'_>, log: &[Diagnostic]) {
    let errors = log.iter().filter(|line| line.severity == Severity::Error);
    run.testing.errors.extend(errors.map(|line| line.text.clone()));
}

fn compile(run: &mut Run<'_>, path: &str) -> Result<Option<Program>, Stop> {
    let settings = Arc::clone(&run.settings);
    match run.suite()?.compile(path, &settings) {
        Ok(compiled) => Ok(Some(compiled.program)),
        Err(failure) => {
            note(run, &failure.diagnostics);
            Ok(None)
        }
    }
}

/// Runs `program` on the current message; its actions are added to those that are there.
fn run_script(run: &mut Run<'_>, program: &Program) -> Verdict {
    let delivery = Delivery {
        mail: run.mail.clone(),
        envelope: run.envelope.clone(),
        trace: run.trace_level,
    };
    let actions = std::mem::take(&mut run.actions);
    let cancelled = run.keep_cancelled;
    let mut inner = Run::new(program, delivery, Arc::clone(&run.settings), &mut *run.host);
    inner.actions = actions;
    inner.keep_cancelled = cancelled;
    inner.testing.directory.clone_from(&run.testing.directory);
    let verdict = inner.start();
    let is_suite = program.units.first().is_some_and(|unit| unit.testsuite);
    let keep = inner.implicit_keep();
    let (mut actions, mut cancelled) = (inner.actions, inner.keep_cancelled);
    let (flags, log, mail, envelope) = (inner.flags, inner.log, inner.mail, inner.envelope);
    if verdict != Verdict::Done {
        actions.clear();
        cancelled = false;
    }
    run.actions = actions;
    run.keep_cancelled = cancelled;
    run.flags = flags;
    run.testing.keep = Some(keep);
    if is_suite {
        run.mail = mail;
        run.envelope = envelope;
    }
    note(run, &log);
    verdict
}

/// Carries out what was not yet; with `finally`, the implicit keep too.
fn execute(run: &mut Run<'_>, finally: bool) -> Result<bool, Stop> {
    let from = run.testing.executed.min(run.actions.len());
    let mut entries: Vec<Entry> = run.actions[from..].to_vec();
    run.testing.executed = run.actions.len();
    if finally && !run.keep_cancelled && !run.testing.kept {
        entries.push(implicit_keep(run));
        run.testing.kept = true;
    }
    let (envelope, settings) = (run.envelope.clone(), Arc::clone(&run.settings));
    let executed = run.suite()?.execute(&entries, &envelope, &settings);
    note(run, &executed.log);
    if !executed.succeeded && !run.testing.kept {
        // The message is kept, whatever else failed.
        run.testing.kept = true;
        let keep = implicit_keep(run);
        let kept = run.suite()?.execute(&[keep], &envelope, &settings);
        note(run, &kept.log);
    }
    Ok(executed.succeeded)
}

fn multiscript(run: &mut Run<'_>, paths: &[String]) -> Result<bool, Stop> {
    run.testing.errors.clear();
    reset(run);
    let mut succeeded = true;
    for path in paths {
        let Some(program) = compile(run, path)? else {
            succeeded = false;
            break;
        };
        run.actions.clear();
        run.testing.executed = 0;
        succeeded &= run_script(run, &program) == Verdict::Done;
        succeeded &= execute(run, false)?;
        if !succeeded || run.keep_cancelled {
            break;
        }
    }
    if !run.keep_cancelled {
        run.actions.clear();
        run.testing.executed = 0;
        succeeded &= execute(run, true)?;
    }
    Ok(succeeded)
}

/// What a list of is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Actions,
    Errors,
}

#[derive(Debug)]
struct Matched {
    list: List,
    index: Option<u64>,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn matched(call: &Call, list: List) -> BuiltTest {
    Some(Box::new(Matched {
        list,
        index: call.tag_number("index"),
        keys: call.texts(0),
        matcher: call.matcher,
    }))
}

impl Test for Matched {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        let mut values: Vec<String> = match self.list {
            List::Errors => run.testing.errors.clone(),
            List::Actions => {
                let keep = (!run.keep_cancelled).then_some("keep");
                let names = run.actions.iter().map(|entry| entry.action.name());
                names.chain(keep).map(str::to_owned).collect()
            }
        };
        if let Some(index) = self.index {
            let place = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
            let value = place.and_then(|place| values.get(place).cloned());
            values = value.into_iter().collect();
        }
        self.matcher.any(run, &self.keys, values)
    }
}
