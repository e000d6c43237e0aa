//! `sieve-dump`: shows what a `.svbin` file keeps (sieve-dump(1)).

use std::process::ExitCode;

use sieve::{FileError, Program};

use super::{Common, Tool};
use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, eprint_line, print_bytes, print_line};

const HELP: &str = "usage: sieve-dump [-c FILE] [-D] [-h] [-o NAME=VALUE] [-x EXTENSIONS] BINARY [OUTPUT]
Shows what a file made by sievec keeps.
  -h  the scripts as they stand in the file, not what was understood";

/// Runs `sieve-dump`.
pub(crate) fn run(call: &Invocation) -> ExitCode {
    if call.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match dump(call) {
        Ok(code) => code,
        Err(why) => {
            call.complain(format!("Fatal: {why}"));
            ExitCode::from(EX_USAGE)
        }
    }
}

fn dump(call: &Invocation) -> Result<ExitCode, String> {
    let mut common = Common::default();
    let mut raw = false;
    let mut words = Vec::new();
    for part in parts_of(&call.args, "Dh", "coxuP")? {
        match part {
            Part::Flag('h') => raw = true,
            Part::Word(word) => words.push(word),
            other => drop(common.take(&other)?),
        }
    }
    let (binary, output) = match words.as_slice() {
        [binary] => (binary, "-"),
        [binary, output] => (binary, output.as_str()),
        [] => return Err("Missing <binary-file> argument".to_owned()),
        _ => return Err("Unknown argument".to_owned()),
    };
    let mut tool = Tool::new(&common)?;
    tool.capabilities = sieve::Capabilities::all();
    let bytes = match std::fs::read(binary) {
        Ok(bytes) => bytes,
        Err(error) => {
            call.complain(format!("Fatal: cannot read {binary}: {}", os::words(&error)));
            return Ok(ExitCode::FAILURE);
        }
    };
    let text = match Program::from_file(&bytes, &tool.settings, &tool.capabilities) {
        Ok(_) if raw => bytes,
        Ok(compiled) => compiled.program.dump().into_bytes(),
        Err(FileError::Form) => {
            call.complain(format!("Fatal: {binary} is no file that sievec of Yubin made"));
            return Ok(ExitCode::FAILURE);
        }
        Err(FileError::Script(failure)) => {
            failure
                .diagnostics
                .iter()
                .for_each(|line| eprint_line(&line.to_string()));
            return Ok(ExitCode::FAILURE);
        }
    };
    match output {
        "-" => print_bytes(&text),
        output => {
            if let Err(error) = std::fs::write(output, text) {
                call.complain(format!("Fatal: cannot write {output}: {}", os::words(&error)));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
