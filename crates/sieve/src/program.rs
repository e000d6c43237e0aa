//! A script that was checked and can be run any number of times, and the file that keeps it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

use crate::actions::{Outcome, Verdict};
use crate::capabilities::Capabilities;
use crate::checker::{self, Compiled, Failure};
use crate::diagnostics::Position;
use crate::host::{Found, Host, Library, Location};
use crate::run::{Delivery, Run};
use crate::settings::Settings;
use crate::words::Block;

/// How many expressions a program keeps compiled.
const EXPRESSIONS_MAX: usize = 256;
/// The first line of a file that keeps a program.
const MAGIC: &str = "YUBIN-SIEVE 1\n";

/// A checked script with those that it includes.
#[derive(Debug)]
pub struct Program {
    /// The main script is the first.
    pub(crate) units: Vec<Unit>,
    pub(crate) expressions: Expressions,
}

/// A script of a program.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: Arc<str>,
    pub(crate) block: Block,
    /// Whether it has variables, so that match values count.
    pub(crate) variables: bool,
    /// Whether it is a script of the test language.
    pub(crate) testsuite: bool,
    pub(crate) capabilities: Vec<&'static str>,
    pub(crate) source: String,
    /// Where it was found and under which name; `None` for the main script.
    pub(crate) origin: Option<(Location, String)>,
}

/// Regular expressions that were compiled already.
#[derive(Debug, Default)]
pub(crate) struct Expressions(Mutex<HashMap<(String, bool), Regex>>);

impl Expressions {
    pub(crate) fn find(&self, text: &str, case_matters: bool) -> Option<Regex> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(text.to_owned(), case_matters)).cloned()
    }

    pub(crate) fn keep(&self, text: &str, case_matters: bool, regex: &Regex) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < EXPRESSIONS_MAX {
            known.insert((text.to_owned(), case_matters), regex.clone());
        }
    }
}

impl Program {
    /// Runs the script. Never fails: what goes wrong is in the outcome, which keeps the message then.
    pub fn run(&self, delivery: Delivery, settings: &Settings, host: &mut dyn Host) -> Outcome {
        let mut run = Run::new(self, delivery, Arc::new(settings.clone()), host);
        let verdict = run.start();
        run.outcome(verdict)
    }

    /// Runs a script of the test language; its cases are told to the host's suite.
    pub fn run_suite(
        &self,
        delivery: Delivery,
        settings: &Settings,
        host: &mut dyn Host,
    ) -> (Verdict, Outcome) {
        let mut run = Run::new(self, delivery, Arc::new(settings.clone()), host);
        run.testing.directory = run
            .host
            .suite()
            .map(|suite| suite.directory())
            .unwrap_or_default();
        let verdict = run.start();
        (verdict, run.outcome(verdict))
    }

    /// The capabilities that the main script requires.
    pub fn capabilities(&self) -> &[&'static str] {
        self.units
            .first()
            .map_or(&[], |unit| unit.capabilities.as_slice())
    }

    /// The program as text, for people: what was understood.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for unit in &self.units {
            text.push_str(&format!(
                "* Script {}:\n\nrequire: {}\n\n",
                unit.name,
                unit.capabilities.join(", ")
            ));
            for statement in &unit.block {
                let Position { line, .. } = statement.position;
                text.push_str(&format!(
                    "{line:5}: {} {:#?}\n",
                    statement.name, statement.command
                ));
            }
            text.push('\n');
        }
        text
    }

    /// The program as a file. The checked text is kept rather than a code of its own: checking it again takes less time than
    /// reading the message does, and a file that somebody made up can do no more than a script can.
    pub fn to_file(&self) -> Vec<u8> {
        let mut file = MAGIC.to_owned();
        for unit in &self.units {
            let (location, found_as) = match &unit.origin {
                Some((location, name)) => (location.word(), name.as_str()),
                None => ("main", &*unit.name),
            };
            file.push_str(&format!(
                "{location} {} {}\n{found_as}\n",
                found_as.len(),
                unit.source.len()
            ));
            file.push_str(&unit.source);
            file.push('\n');
        }
        file.into_bytes()
    }

    /// The program that such a file keeps.
    ///
    /// # Errors
    /// It is no such file, or the script cannot be used any more.
    pub fn from_file(
        file: &[u8],
        settings: &Settings,
        capabilities: &Capabilities,
    ) -> Result<Compiled, FileError> {
        let mut kept = Kept::read(file).ok_or(FileError::Form)?;
        let (name, source) = kept.main.take().ok_or(FileError::Form)?;
        checker::compile(&name, &source, settings, capabilities, &mut kept).map_err(FileError::Script)
    }
}

/// Why a file keeps no program.
#[derive(Debug)]
pub enum FileError {
    /// It is not of the form that [`Program::to_file`] makes.
    Form,
    /// Its script has mistakes.
    Script(Failure),
}

/// The scripts in a file.
#[derive(Default)]
struct Kept {
    main: Option<(String, String)>,
    included: HashMap<(Location, String), String>,
}

impl Kept {
    fn read(file: &[u8]) -> Option<Kept> {
        let mut rest = std::str::from_utf8(file).ok()?.strip_prefix(MAGIC)?;
        let mut kept = Kept::default();
        while !rest.is_empty() {
            let (header, behind) = rest.split_once('\n')?;
            let mut words = header.split(' ');
            let (location, name_bytes, source_bytes) = (words.next()?, words.next()?, words.next()?);
            let name_bytes: usize = name_bytes.parse().ok()?;
            let source_bytes: usize = source_bytes.parse().ok()?;
            let name = behind.get(..name_bytes)?;
            let behind = behind.get(name_bytes..)?.strip_prefix('\n')?;
            let source = behind.get(..source_bytes)?.to_owned();
            rest = behind.get(source_bytes..)?.strip_prefix('\n')?;
            match location {
                "main" => kept.main = Some((name.to_owned(), source)),
                "personal" => drop(
                    kept.included
                        .insert((Location::Personal, name.to_owned()), source),
                ),
                "global" => drop(kept.included.insert((Location::Global, name.to_owned()), source)),
                _ => return None,
            }
        }
        Some(kept)
    }
}

impl Library for Kept {
    fn script(&mut self, location: Location, name: &str) -> Found {
        let script = self.included.get(&(location, name.to_owned()));
        script.map_or(Found::Missing, |text| Found::Text(text.clone()))
    }
}
