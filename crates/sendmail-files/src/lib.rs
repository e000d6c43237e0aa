//! The files of Sendmail's `/etc/mail`: what their keys and values mean, in which order keys are looked up.
//!
//! In charge of the grammar of `access`, `mailertable`, `virtusertable`, `domaintable`, `genericstable`, of the lists of words
//! (`local-host-names` and its like), of what stands in a `sendmail.mc` ([`mc`], [`import`]), and of the look of the lines of
//! `sendmail -bt` ([`rulesets`]). Not in charge of reading files or databases: a lookup is a function that the caller brings
//! along. Not in charge of what follows: routing, restrictions and rewriting are those of `main.cf`.
//!
//! Entries: [`access::client`], [`mailertable::find`], [`virtusertable::find`], [`domaintable::find`], [`genericstable::find`],
//! [`import::import`]. Sources: Sendmail's cf/README, its Installation and Operation Guide, and what Debian's sendmail answers
//! (`crates/system-tests/scenarios/sendmail.cases`).
//! Limits: [`LABELS_MAX`], [`mc::STATEMENTS_MAX`].

pub mod access;
pub mod class_file;
pub mod domaintable;
pub mod failure;
pub mod genericstable;
pub mod import;
pub mod mailertable;
pub mod mc;
pub mod rulesets;
pub mod virtusertable;

pub use failure::Failure;

/// How many labels of a name are cut off while its parents are looked up.
pub const LABELS_MAX: usize = 130;

/// A table: the value of a key, which is written as the file has it.
pub type Lookup<'a, E> = dyn FnMut(&str) -> Result<Option<String>, E> + 'a;

/// The local part without its `+detail`, and the detail.
fn split_detail(local: &str) -> (&str, Option<&str>) {
    match local.split_once('+') {
        Some((user, detail)) if !user.is_empty() => (user, Some(detail)),
        _ => (local, None),
    }
}

/// `text` with `%0` to `%9` replaced; an argument that is not there is empty.
fn substituted(text: &str, arguments: &[&str]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let digit = rest.peek().and_then(|next| next.to_digit(10));
        match digit.filter(|_| c == '%') {
            Some(digit) => {
                rest.next();
                result.push_str(arguments.get(digit as usize).copied().unwrap_or_default());
            }
            None => result.push(c),
        }
    }
    result
}
