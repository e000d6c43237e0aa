//! Debian's Postfix and Yubin with the same settings, and files of cases that both go through in a host of their own: how they are
//! set up, which cases are wanted, and how what they tell is compared.

use std::fmt::{Display, Write};

use crate::users;
use crate::{Sandbox, has_program};

/// A setting: parameter and value.
pub type Setting = (String, String);

/// The ports of the services, one for each case, from these on.
pub const OUR_FIRST_PORT: u16 = 20_000;
/// As above, Postfix's.
pub const THEIR_FIRST_PORT: u16 = 30_000;

/// A main.cf with these settings.
pub fn main_cf<'a>(settings: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let lines = settings.into_iter();
    lines.map(|(name, value)| format!("{name} = {value}\n")).collect()
}

/// Yubin with these settings besides those of the embedded system; it does not run yet.
pub fn stopped<'a>(settings: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Sandbox {
    let mut sandbox = Sandbox::start();
    sandbox.stop();
    for (name, value) in settings {
        sandbox.edit_main_cf(name, value);
    }
    sandbox
}

/// A row of master.cf for a service on a port of the loopback with settings of its own.
pub fn row<'a>(port: u16, settings: impl IntoIterator<Item = &'a Setting>) -> String {
    format!("127.0.0.1:{port} inet n - n - - smtpd\n") + &options(settings)
}

/// The same with a cleanup of its own, which has the same settings.
pub fn row_with_cleanup(port: u16, settings: &[Setting]) -> String {
    let (own, options) = (format!("cleanup{port}"), options(settings));
    let smtpd = format!("127.0.0.1:{port} inet n - n - - smtpd\n  -o cleanup_service_name={own}\n");
    format!("{smtpd}{options}{own} unix n - n - 0 cleanup\n{options}")
}

fn options<'a>(settings: impl IntoIterator<Item = &'a Setting>) -> String {
    let lines = settings.into_iter();
    lines
        .map(|(name, value)| format!("  -o {{ {name} = {value} }}\n"))
        .collect()
}

/// A line `name = value` of a file of cases.
///
/// # Panics
/// When it is none.
pub fn setting(line: &str) -> Setting {
    match line.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
        None => panic!("no setting: {line}"),
    }
}

/// The outer test: has `inside_the_host` run in a host of its own, with the cases that `YUBIN_CASES` names (parts of names, with commas
/// between them) or all, and fails with the differences. Skips without Postfix.
///
/// # Panics
/// When there are differences.
pub fn compare() {
    compare_by("inside_the_host");
}

/// The same with another test in place of `inside_the_host`, by its whole name.
///
/// # Panics
/// When there are differences.
pub fn compare_by(test: &str) {
    if !has_program("/usr/sbin/postfix", "postfix") || !users::can_make_hosts() {
        return;
    }
    let task = std::env::var("YUBIN_CASES").unwrap_or_default();
    let told = users::run_in_host(test, &format!("cases {task}"));
    if !task.is_empty() {
        show(&told["shown"]);
    }
    assert!(told["differences"].trim().is_empty(), "{}", told["differences"]);
}

#[allow(clippy::print_stdout, reason = "it was asked for")]
fn show(text: &str) {
    println!("{text}");
}

/// The inner test's task: which cases are wanted; `None` when it was not asked by the outer one.
pub fn wanted() -> Option<impl Fn(&str) -> bool> {
    let task = users::task()?;
    let names: Vec<String> = task["cases".len()..]
        .trim()
        .split(',')
        .map(str::to_owned)
        .collect();
    Some(move |name: &str| names.iter().any(|wanted| name.contains(wanted.as_str())))
}

/// What both told of each case.
pub struct Ledger {
    listed: &'static [&'static str],
    differences: String,
    shown: String,
    cases: usize,
}

impl Ledger {
    /// Nothing yet. `listed` are the cases in which Yubin tells something else on purpose.
    pub fn new(listed: &'static [&'static str]) -> Ledger {
        Ledger {
            listed,
            differences: String::new(),
            shown: String::new(),
            cases: 0,
        }
    }

    /// A case as Postfix told it.
    pub fn told(&mut self, name: &str, by_theirs: &impl Display) {
        self.cases += 1;
        // A String takes everything.
        let _ = write!(self.shown, "== {name}\n{by_theirs}");
    }

    /// The same case as Yubin told it: a difference unless both are the same, or are not where they should not be.
    pub fn compare<T: PartialEq + Display>(&mut self, name: &str, by_theirs: &T, by_ours: &T) {
        if (by_ours != by_theirs) != self.listed.contains(&name) {
            let text = format!("== {name}\n-- Postfix\n{by_theirs}-- Yubin\n{by_ours}\n");
            self.differ(&text);
        }
    }

    /// Another difference.
    pub fn differ(&mut self, text: &str) {
        self.differences.push_str(text);
    }

    /// Tells the outer test.
    pub fn tell(mut self) {
        self.shown.push_str(&format!("{} cases\n", self.cases));
        users::print_block("differences", &self.differences);
        users::print_block("shown", &self.shown);
    }
}
