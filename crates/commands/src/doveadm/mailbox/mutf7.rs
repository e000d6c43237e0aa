//! `doveadm mailbox mutf7`: names in modified UTF-7 and in UTF-8, one made of the other.

use std::process::ExitCode;

use mailbox::mutf7;

use crate::doveadm::USAGE;
use crate::doveadm::mail::IMPOSSIBLE;
use crate::getopt::{Part, parts_of};
use crate::{eprint_line, print_line};

pub(in crate::doveadm) fn run(args: &[String]) -> ExitCode {
    let parts = match parts_of(args, "78", "") {
        Ok(parts) => parts,
        Err(text) => {
            eprint_line(&format!("mutf7: {text}"));
            return ExitCode::from(USAGE);
        }
    };
    let mut decodes = false;
    let mut names = Vec::new();
    for part in parts {
        match part {
            Part::Flag('7') => decodes = true,
            Part::Word(name) => names.push(name),
            Part::Flag(_) | Part::Value(..) => decodes = false,
        }
    }
    if names.is_empty() {
        eprint_line("doveadm mailbox mutf7 [-7|-8] <name> [...]");
        return ExitCode::from(USAGE);
    }
    let mut code = ExitCode::SUCCESS;
    for name in names {
        if !decodes {
            print_line(&mutf7::encode(&name));
            continue;
        }
        match mutf7::decode(name.as_bytes()) {
            Some(text) => print_line(&text),
            None => {
                eprint_line(&format!("Error: Mailbox name not valid mUTF-7: {name}"));
                print_line("");
                code = ExitCode::from(IMPOSSIBLE);
            }
        }
    }
    code
}
