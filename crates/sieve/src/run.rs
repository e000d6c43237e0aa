//! A run of a script over a message: what it knows, its budget, its variables, its messages.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use regex::Regex;

use crate::actions::{Action, Entry, Outcome, Place, Store, Verdict};
use crate::diagnostics::{Diagnostic, Position, Severity};
use crate::envelope::Envelope;
use crate::extensions::environment;
use crate::host::Host;
use crate::mail::Mail;
use crate::program::Program;
use crate::settings::Settings;
use crate::testing::Testing;
use crate::text::{MATCH_VALUES_MAX, Namespace, cut};
use crate::trace::Level;
use crate::words::{Block, Statement};

/// Why commands are not gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `stop`: the whole run is over.
    Script,
    /// `return`: this included script is over.
    Return,
    /// `break`: so many loops are over.
    Break(usize),
    /// An error that was told.
    Failed,
    /// The budget is spent; told.
    Limit,
    /// `test_fail` of the test language.
    Case(String),
}

/// How a command ends.
pub(crate) type Step = Result<(), Stop>;

/// How many messages of one run are kept.
const LOG_MAX: usize = 1_000;

/// What a script is run for.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub mail: Mail,
    /// Sender and recipient.
    pub envelope: Envelope,
    /// How much the host's trace is told; `None` is nothing.
    pub trace: Option<Level>,
}

/// A run that is on its way.
pub(crate) struct Run<'a> {
    pub(crate) settings: Arc<Settings>,
    pub(crate) host: &'a mut dyn Host,
    pub(crate) program: &'a Program,
    pub(crate) envelope: Envelope,
    pub(crate) mail: Mail,
    pub(crate) actions: Vec<Entry>,
    pub(crate) keep_cancelled: bool,
    pub(crate) log: Vec<Diagnostic>,
    pub(crate) trace_level: Option<Level>,
    /// Flags of the internal variable (RFC 5232 §2); `None` until it is set.
    pub(crate) flags: Vec<String>,
    pub(crate) globals: HashMap<String, String>,
    /// Of each unit its variables.
    scopes: Vec<HashMap<String, String>>,
    match_values: Vec<String>,
    /// The parts that `foreverypart` is at, the innermost last: index and how many follow.
    pub(crate) loops: Vec<(usize, usize)>,
    /// Units that run, the innermost last.
    pub(crate) units: Vec<usize>,
    /// Units that ran, for `:once`.
    pub(crate) included: HashSet<usize>,
    position: Position,
    steps_left: u64,
    pub(crate) testing: Testing,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        program: &'a Program,
        delivery: Delivery,
        settings: Arc<Settings>,
        host: &'a mut dyn Host,
    ) -> Run<'a> {
        let steps_left = settings.steps_max();
        Run {
            settings,
            host,
            program,
            envelope: delivery.envelope,
            mail: delivery.mail,
            actions: Vec::new(),
            keep_cancelled: false,
            log: Vec::new(),
            trace_level: delivery.trace,
            flags: Vec::new(),
            globals: HashMap::new(),
            scopes: vec![HashMap::new(); program.units.len()],
            match_values: Vec::new(),
            loops: Vec::new(),
            units: vec![0],
            included: HashSet::new(),
            position: Position { line: 0, column: 1 },
            steps_left,
            testing: Testing::default(),
        }
    }

    /// Runs the main script.
    pub(crate) fn start(&mut self) -> Verdict {
        let Some(main) = self.program.units.first() else {
            return Verdict::Done;
        };
        let name = Arc::clone(&main.name);
        self.trace_line(&format!("      ## Started executing script '{name}'"));
        let verdict = match self.block(&main.block) {
            Ok(()) | Err(Stop::Script | Stop::Return | Stop::Break(_)) => Verdict::Done,
            Err(Stop::Failed | Stop::Case(_)) => Verdict::Failed,
            Err(Stop::Limit) => Verdict::ResourceLimit,
        };
        self.trace_line(&format!("      ## Finished executing script '{name}'"));
        verdict
    }

    /// What the run came to.
    pub(crate) fn outcome(mut self, verdict: Verdict) -> Outcome {
        let done = verdict == Verdict::Done;
        let implicit_keep = (!done || !self.keep_cancelled).then(|| self.implicit_keep());
        Outcome {
            verdict,
            actions: if done { self.actions } else { Vec::new() },
            implicit_keep,
            log: std::mem::take(&mut self.log),
        }
    }

    /// The implicit keep as it would be now.
    pub(crate) fn implicit_keep(&self) -> Entry {
        let store = Store {
            flags: self.flags.clone(),
            ..Store::default()
        };
        Entry {
            action: Action::Store(store),
            place: Place {
                script: self.name(),
                position: None,
            },
            message: Arc::clone(self.mail.bytes()),
            copy: false,
        }
    }

    pub(crate) fn block(&mut self, block: &Block) -> Step {
        for statement in block {
            self.statement(statement)?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Step {
        self.position = statement.position;
        self.spend(1)?;
        statement.command.run(self)
    }

    /// The name of the script that runs.
    pub(crate) fn name(&self) -> Arc<str> {
        let unit = self.units.last().and_then(|&unit| self.program.units.get(unit));
        unit.map_or_else(|| Arc::from(""), |unit| Arc::clone(&unit.name))
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            script: self.name(),
            position: Some(self.position),
        }
    }

    /// Takes `steps` from the budget.
    pub(crate) fn spend(&mut self, steps: u64) -> Step {
        match self.steps_left.checked_sub(steps) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => {
                self.steps_left = 0;
                let secs = self.settings.cpu_secs_max;
                self.error(format!("execution exceeded CPU time limit (max {secs} seconds)"));
                Err(Stop::Limit)
            }
        }
    }

    /// A message for the user's log.
    pub(crate) fn say(&mut self, severity: Severity, text: String) {
        if self.log.len() < LOG_MAX {
            let place = self.place();
            self.log.push(Diagnostic {
                script: place.script,
                position: place.position,
                severity,
                text,
            });
        }
    }

    pub(crate) fn error(&mut self, text: String) {
        self.say(Severity::Error, text);
    }

    pub(crate) fn warning(&mut self, text: String) {
        self.say(Severity::Warning, text);
    }

    /// Ends the run with an error.
    pub(crate) fn fail<T>(&mut self, text: String) -> Result<T, Stop> {
        self.error(text);
        Err(Stop::Failed)
    }

    /// A line of the trace; `text` is made only when somebody reads it.
    pub(crate) fn trace(&mut self, level: Level, text: impl FnOnce(&Self) -> String) {
        if self.trace_level.is_some_and(|wanted| wanted >= level) {
            let line = format!("{:4}: {}", self.position.line, text(self));
            self.host.trace(&line);
        }
    }

    fn trace_line(&mut self, line: &str) {
        if self.trace_level.is_some() {
            self.host.trace(line);
        }
    }

    /// The value of a variable of this script; empty when it is not set (RFC 5229 §3).
    pub(crate) fn variable(&self, name: &str) -> &str {
        let unit = self.units.last().copied().unwrap_or(0);
        self.scopes
            .get(unit)
            .and_then(|scope| scope.get(name))
            .map_or("", String::as_str)
    }

    /// Sets a variable of this script, or one that all scripts of the run share.
    pub(crate) fn set_variable(&mut self, variable: &Variable, mut value: String) {
        cut(&mut value, self.settings.variable_bytes_max);
        let unit = self.units.last().copied().unwrap_or(0);
        match variable {
            Variable::Global(name) => {
                self.globals.insert(name.clone(), value);
            }
            Variable::Own(name) => {
                if let Some(scope) = self.scopes.get_mut(unit) {
                    scope.insert(name.clone(), value);
                }
            }
        }
    }

    /// The value of a variable, own or shared.
    pub(crate) fn value_of(&self, variable: &Variable) -> String {
        match variable {
            Variable::Global(name) => self.globals.get(name).cloned().unwrap_or_default(),
            Variable::Own(name) => self.variable(name).to_owned(),
        }
    }

    pub(crate) fn match_value(&self, index: usize) -> &str {
        self.match_values.get(index).map_or("", String::as_str)
    }

    /// What the wildcards of the last match stand for. Kept only where scripts can ask.
    pub(crate) fn set_match_values(&mut self, mut values: Vec<String>) {
        let unit = self.units.last().and_then(|&unit| self.program.units.get(unit));
        if unit.is_some_and(|unit| unit.variables) {
            values.truncate(MATCH_VALUES_MAX);
            values
                .iter_mut()
                .for_each(|value| cut(value, self.settings.variable_bytes_max));
            self.match_values = values;
        }
    }

    pub(crate) fn namespace_value(&mut self, namespace: Namespace, name: &str) -> String {
        match namespace {
            Namespace::Global => self.globals.get(name).cloned().unwrap_or_default(),
            Namespace::Environment => environment::item(self, name).unwrap_or_default(),
            Namespace::Testsuite if name == "path" => self.testing.directory.clone(),
            Namespace::Testsuite => String::new(),
        }
    }

    /// An expression that some run of this program compiled before.
    pub(crate) fn known_expression(&self, text: &str, case_matters: bool) -> Option<Regex> {
        self.program.expressions.find(text, case_matters)
    }

    pub(crate) fn remember_expression(&self, text: &str, case_matters: bool, regex: &Regex) {
        self.program.expressions.keep(text, case_matters, regex);
    }
}

/// A variable that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Of the script itself.
    Own(String),
    /// Shared by all scripts of a run.
    Global(String),
}
