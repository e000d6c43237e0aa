//! `sieve-test`: runs scripts over a message and shows what would become of it (sieve-test(1)).

use std::path::Path;
use std::process::ExitCode;

use sieve::{Delivery, Envelope, Mail, Outcome, Program, Verdict};

use super::execution::{Execution, NoMailboxes};
use super::{Common, Surroundings, Tool, ToolHost, TraceTo, printing, read_message, trace_level};
use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: sieve-test [OPTIONS] SCRIPT MESSAGE
Runs a Sieve script over the message of a file (- is standard input) and shows what would be done.
  -a ADDRESS     the recipient before rewriting       -r ADDRESS  the recipient
  -f ADDRESS     the sender                           -m MAILBOX  where keep puts mail
  -c FILE        the dovecot.conf to read             -o NAME=VALUE  a setting
  -C             has no effect: scripts are always read anew
  -D             shows more                           -u USER     the user
  -d FILE        shows what was understood (- is the screen)
  -e             does it: prints the mails that would be sent; nothing is stored
  -s SCRIPT      a script to run before, as often as wanted
  -t FILE        tells each step (- is the screen); -T level=actions|commands|tests|matching
  -x EXTENSIONS  the extensions that there are; with + and - more or fewer than the settings say";

#[derive(Debug, Default)]
struct Options {
    common: Common,
    original_recipient: Option<String>,
    recipient: Option<String>,
    sender: Option<String>,
    mailbox: Option<String>,
    dump: Option<String>,
    executes: bool,
    before: Vec<String>,
    trace: Option<String>,
    trace_options: Vec<String>,
    words: Vec<String>,
}

/// Runs `sieve-test`.
pub(crate) fn run(call: &Invocation) -> ExitCode {
    if call.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match options(&call.args).and_then(|options| sieve_test(call, &options)) {
        Ok(code) => code,
        Err(why) => {
            call.complain(format!("Fatal: {why}"));
            ExitCode::from(EX_USAGE)
        }
    }
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    for part in parts_of(args, "CDe", "acdflmorstTuxP")? {
        match part {
            Part::Flag('C') => {}
            Part::Flag('e') => options.executes = true,
            Part::Value('a', text) => options.original_recipient = Some(text),
            Part::Value('r', text) => options.recipient = Some(text),
            Part::Value('f', text) => options.sender = Some(text),
            Part::Value('m', text) => options.mailbox = Some(text),
            Part::Value('d', text) => options.dump = Some(text),
            Part::Value('s', text) => options.before.push(text),
            Part::Value('t', text) => options.trace = Some(text),
            Part::Value('T', text) => options.trace_options.push(text),
            Part::Value('l', _) => {
                return Err("-l: storing is not there yet; without it -e stores nothing".to_owned());
            }
            Part::Word(word) => options.words.push(word),
            other => drop(options.common.take(&other)?),
        }
    }
    match options.words.len() {
        0 => Err("Missing <script-file> argument".to_owned()),
        1 => Err("Missing <mail-file> argument".to_owned()),
        2 => Ok(options),
        _ => Err("Unknown argument".to_owned()),
    }
}

fn sieve_test(call: &Invocation, options: &Options) -> Result<ExitCode, String> {
    let mut tool = Tool::new(&options.common)?;
    tool.capabilities.add("vnd.dovecot.debug");
    tool.choose_extensions(call, &options.common);
    let mut programs = Vec::new();
    for script in options.before.iter().chain([&options.words[0]]) {
        match tool.compile(Path::new(script)) {
            Some(program) => programs.push((script.as_str(), program)),
            None => {
                call.complain(format!("Fatal: failed to compile sieve script '{script}'"));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    if let Some(file) = &options.dump {
        dump(file, &programs)?;
    }
    let mail = match read_message(&options.words[1]) {
        Ok(bytes) => Mail::new(bytes),
        Err(why) => {
            call.complain(format!("Fatal: {why}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let mailbox = options.mailbox.as_deref().unwrap_or("INBOX");
    let mut host = ToolHost {
        surroundings: Surroundings {
            user: tool.user.clone(),
            default_mailbox: mailbox.to_owned(),
        },
        settings: tool.settings.clone(),
        envelope: envelope(options, &mail),
        trace: match &options.trace {
            Some(file) => TraceTo::named(file)?,
            None => TraceTo::Nowhere,
        },
    };
    let level = trace_level(&options.trace_options)?;
    let delivery = Delivery {
        envelope: envelope(options, &mail),
        mail,
        trace: options.trace.as_ref().map(|_| level),
    };
    Ok(run_all(call, &tool, options, &programs, (&delivery, &mut host)))
}

fn dump(file: &str, programs: &[(&str, Program)]) -> Result<(), String> {
    let text: String = programs.iter().map(|(_, program)| program.dump()).collect();
    match file {
        "-" => print_bytes(text.as_bytes()),
        file => {
            std::fs::write(file, text)
                .map_err(|error| format!("cannot write {file}: {}", os::words(&error)))?;
        }
    }
    Ok(())
}

fn envelope(options: &Options, mail: &Mail) -> Envelope {
    let bare = |text: &str| {
        text.trim()
            .trim_start_matches('<')
            .trim_end_matches('>')
            .to_owned()
    };
    let mut envelope = Envelope::of_message(mail);
    if let Some(text) = &options.original_recipient {
        envelope.original_recipient = bare(text);
        envelope.recipient = bare(text);
    }
    if let Some(text) = &options.recipient {
        envelope.recipient = bare(text);
        if options.original_recipient.is_none() {
            envelope.original_recipient = bare(text);
        }
    }
    if let Some(text) = &options.sender {
        envelope.sender = bare(text);
    }
    envelope
}

/// Runs the scripts one after the other, each as long as those before it left the implicit keep.
fn run_all(
    call: &Invocation,
    tool: &Tool,
    options: &Options,
    programs: &[(&str, Program)],
    (delivery, host): (&Delivery, &mut ToolHost),
) -> ExitCode {
    let mailbox = host.surroundings.default_mailbox.clone();
    let mut failed = false;
    for (script, program) in programs {
        if programs.len() > 1 {
            print_line(&format!("\n## Executing script: {script}"));
        }
        let outcome = program.run(delivery.clone(), &tool.settings, host);
        outcome.log.iter().for_each(|line| eprint_line(&line.to_string()));
        failed = outcome.verdict != Verdict::Done;
        let keep = outcome.implicit_keep.as_ref();
        match options.executes {
            true => failed |= !execute(tool, delivery, &outcome),
            false if failed => {}
            false => print_bytes(printing::result(&outcome.actions, keep, &mailbox).as_bytes()),
        }
        if failed || keep.is_none() {
            break;
        }
    }
    if failed {
        call.complain("Info: final result: failed; resolved with successful implicit keep");
        return ExitCode::FAILURE;
    }
    call.complain("Info: final result: success");
    ExitCode::SUCCESS
}

/// Prints the mails that would be sent.
fn execute(tool: &Tool, delivery: &Delivery, outcome: &Outcome) -> bool {
    let mut sent = Vec::new();
    let mut execution = Execution::new(&tool.settings, &delivery.envelope);
    let entries: Vec<_> = outcome
        .actions
        .iter()
        .chain(&outcome.implicit_keep)
        .cloned()
        .collect();
    let executed = execution.all(&entries, &mut NoMailboxes, &mut sent);
    for sieve::testing::Sent {
        message,
        sender,
        recipient,
    } in sent
    {
        print_line(&format!(
            "\nSENDER: {sender}\nRECIPIENT: {recipient}\nSTART MESSAGE:"
        ));
        print_bytes(&message);
        print_line("END MESSAGE");
    }
    executed
        .log
        .iter()
        .for_each(|line| eprint_line(&line.to_string()));
    executed.succeeded
}
