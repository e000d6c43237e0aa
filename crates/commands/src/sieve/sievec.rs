//! `sievec`: checks scripts, and keeps what was checked in `.svbin` files (sievec(1)).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Common, Tool};
use crate::getopt::{Part, parts_of};
use crate::{EX_USAGE, Invocation, print_bytes, print_line};

const HELP: &str =
    "usage: sievec [-c FILE] [-d] [-D] [-o NAME=VALUE] [-u USER] [-x EXTENSIONS] SCRIPT|DIRECTORY [OUTPUT]
Checks a Sieve script and keeps it in OUTPUT, by default beside it as NAME.svbin.
  -c FILE        the dovecot.conf to read
  -d             shows what was understood instead; OUTPUT is the screen, or - or a file
  -D             shows columns too
  -o NAME=VALUE  a setting that holds in spite of the file
  -u USER        the user whose scripts these are
  -x EXTENSIONS  the extensions that there are; with + and - more or fewer than the settings say";

/// Runs `sievec`.
pub(crate) fn run(call: &Invocation) -> ExitCode {
    if call.wants_help() {
        print_line(HELP);
        return ExitCode::SUCCESS;
    }
    match sievec(call) {
        Ok(code) => code,
        Err(why) => {
            call.complain(format!("Fatal: {why}"));
            ExitCode::from(EX_USAGE)
        }
    }
}

fn sievec(call: &Invocation) -> Result<ExitCode, String> {
    let mut common = Common::default();
    let mut dumps = false;
    let mut words = Vec::new();
    for part in parts_of(&call.args, "dD", "couxP")? {
        match part {
            Part::Flag('d') => dumps = true,
            Part::Word(word) => words.push(word),
            other => drop(common.take(&other)?),
        }
    }
    let (script, output) = match words.as_slice() {
        [script] => (script, None),
        [script, output] => (script, Some(output.as_str())),
        [] => return Err("Missing <script-file> argument".to_owned()),
        _ => return Err("Unknown argument".to_owned()),
    };
    let mut tool = Tool::new(&common)?;
    tool.capabilities.add("vnd.dovecot.debug");
    tool.choose_extensions(call, &common);
    let path = Path::new(script);
    if path.is_dir() {
        if dumps || output.is_some() {
            return Err("the -d option and an output file are not allowed for a directory".to_owned());
        }
        return directory(call, &mut tool, path);
    }
    let Some(program) = tool.compile(path) else {
        call.complain(format!("Fatal: failed to compile sieve script '{script}'"));
        return Ok(ExitCode::FAILURE);
    };
    let written = match (dumps, output) {
        (true, None | Some("-")) => {
            print_bytes(program.dump().as_bytes());
            Ok(())
        }
        (true, Some(output)) => std::fs::write(output, program.dump()),
        (false, output) => std::fs::write(
            output.map_or_else(|| binary_of(path), PathBuf::from),
            program.to_file(),
        ),
    };
    Ok(match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            call.complain(format!("Fatal: cannot write the output: {}", os::words(&error)));
            ExitCode::FAILURE
        }
    })
}

/// The file beside a script that keeps it checked.
pub(super) fn binary_of(script: &Path) -> PathBuf {
    match script.extension() {
        Some(end) if end == "sieve" => script.with_extension("svbin"),
        _ => {
            let mut name = script.as_os_str().to_owned();
            name.push(".svbin");
            PathBuf::from(name)
        }
    }
}

/// All scripts of a directory; goes on behind one that cannot be used.
fn directory(call: &Invocation, tool: &mut Tool, path: &Path) -> Result<ExitCode, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {}", path.display(), os::words(&error));
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let script = entry.map_err(unreadable)?.path();
        if script.extension().is_some_and(|end| end == "sieve") {
            scripts.push(script);
        }
    }
    scripts.sort();
    let mut code = ExitCode::SUCCESS;
    for script in scripts {
        let written = tool
            .compile(&script)
            .map(|program| std::fs::write(binary_of(&script), program.to_file()));
        match written {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                call.complain(format!(
                    "Error: cannot write {}: {}",
                    binary_of(&script).display(),
                    os::words(&error)
                ));
                code = ExitCode::FAILURE;
            }
            None => {
                call.complain(format!(
                    "Error: failed to compile sieve script '{}'",
                    script.display()
                ));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
