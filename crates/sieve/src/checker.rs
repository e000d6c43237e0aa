//! Tree to program: words are looked up, arguments checked, `if` chains and included scripts put together. Tells every
//! mistake of a script in one run.

use std::collections::HashSet;
use std::sync::Arc;

use crate::arguments;
use crate::capabilities::Capabilities;
use crate::control::{If, Noop};
use crate::diagnostics::{Diagnostic, Position, Severity, Stage};
use crate::extensions::{self, EXTENSIONS, Extension};
use crate::host::{Found, Library, Location};
use crate::parser::{self, Node, Tests, Value};
use crate::program::{Expressions, Program, Unit};
use crate::run::Variable;
use crate::settings::Settings;
use crate::text::{Namespace, Piece, Text, decode_characters, variable_name};
use crate::words::{Block, BlockUse, Role, Statement, Subtests, Test, Word};

/// How deep scripts include scripts at most, whatever the settings say: each takes its share of the stack.
const INCLUDE_NESTING_MAX: usize = 32;
/// How many messages of one script are told.
const DIAGNOSTICS_MAX: usize = 200;

/// A script that can be run, with what there is to warn of.
#[derive(Debug)]
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// Warnings, in order.
    pub warnings: Vec<Diagnostic>,
}

/// A script that cannot be run.
#[derive(Debug)]
pub struct Failure {
    /// Which step found the mistakes.
    pub stage: Stage,
    /// All of them, warnings too, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks the script `text`. `name` is what messages call it, its file's name without `.sieve`.
///
/// # Errors
/// Every mistake in it and in what it includes.
pub fn compile(
    name: &str,
    text: &str,
    settings: &Settings,
    capabilities: &Capabilities,
    library: &mut dyn Library,
) -> Result<Compiled, Failure> {
    let mut compilation = Compilation {
        settings,
        capabilities,
        library,
        units: Vec::new(),
        origins: Vec::new(),
        depth: 0,
        diagnostics: Vec::new(),
    };
    let stage = compilation.unit(name, text, None).err();
    let diagnostics = compilation.diagnostics;
    match stage {
        Some(stage) => Err(Failure { stage, diagnostics }),
        None => Ok(Compiled {
            program: Program {
                units: compilation.units.into_iter().flatten().collect(),
                expressions: Expressions::default(),
            },
            warnings: diagnostics,
        }),
    }
}

/// What all scripts of a program share while they are checked.
pub(crate) struct Compilation<'a> {
    pub(crate) settings: &'a Settings,
    capabilities: &'a Capabilities,
    library: &'a mut dyn Library,
    /// `None` while a script is being checked.
    units: Vec<Option<Unit>>,
    origins: Vec<Option<(Location, String)>>,
    /// How many scripts are around the one that is being checked.
    depth: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Compilation<'_> {
    /// Checks one script; its number.
    fn unit(&mut self, name: &str, text: &str, origin: Option<(Location, String)>) -> Result<usize, Stage> {
        let index = self.units.len();
        self.units.push(None);
        self.origins.push(origin.clone());
        let name: Arc<str> = Arc::from(name);
        let mut checker = Checker {
            compilation: self,
            name: Arc::clone(&name),
            active: Vec::new(),
            globals: HashSet::new(),
            locals: HashSet::new(),
            reported: HashSet::new(),
            loops: Vec::new(),
            in_case: false,
            diagnostics: Vec::new(),
            stage: Stage::Parse,
        };
        let block = checker.script(text);
        let (active, mut diagnostics, stage) = (checker.active, checker.diagnostics, checker.stage);
        diagnostics.sort_by_key(|diagnostic| diagnostic.position);
        let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
        self.diagnostics.extend(diagnostics);
        if failed {
            return Err(stage);
        }
        self.units[index] = Some(Unit {
            name,
            block,
            variables: active.contains(&"variables"),
            testsuite: active.contains(&crate::testing::EXTENSION),
            capabilities: active,
            source: text.to_owned(),
            origin,
        });
        Ok(index)
    }
}

/// One script while it is checked.
pub(crate) struct Checker<'a> {
    compilation: &'a mut dyn Shared,
    name: Arc<str>,
    /// The extensions that are required.
    active: Vec<&'static str>,
    /// Variables declared by `global`.
    globals: HashSet<String>,
    /// Variables that were used as the script's own.
    locals: HashSet<String>,
    /// Unknown words that were told.
    reported: HashSet<String>,
    /// Names of the loops around.
    pub(crate) loops: Vec<Option<String>>,
    /// Within `test` of the test language.
    in_case: bool,
    diagnostics: Vec<Diagnostic>,
    stage: Stage,
}

/// [`Compilation`] without its lifetime.
pub(crate) trait Shared {
    fn settings(&self) -> &Settings;
    fn allows(&self, name: &str) -> bool;
    fn include(&mut self, location: Location, name: &str) -> Included;
}

/// What including a script came to.
pub(crate) enum Included {
    Unit(usize),
    Missing,
    Unavailable,
    TooMany(usize),
    Circular,
    TooDeep(usize),
    Faulty(Stage),
}

impl Shared for Compilation<'_> {
    fn settings(&self) -> &Settings {
        self.settings
    }

    fn allows(&self, name: &str) -> bool {
        self.capabilities.has(name)
    }

    fn include(&mut self, location: Location, name: &str) -> Included {
        let origin = Some((location, name.to_owned()));
        if let Some(index) = self.origins.iter().position(|known| *known == origin) {
            return match self.units[index] {
                Some(_) => Included::Unit(index),
                None => Included::Circular,
            };
        }
        let deepest = self.settings.include_nesting_max.min(INCLUDE_NESTING_MAX);
        if self.depth >= deepest {
            return Included::TooDeep(deepest);
        }
        if self.units.len() > self.settings.includes_max {
            return Included::TooMany(self.settings.includes_max);
        }
        match self.library.script(location, name) {
            Found::Text(text) => {
                self.depth += 1;
                let unit = self.unit(name, &text, origin);
                self.depth -= 1;
                unit.map_or_else(Included::Faulty, Included::Unit)
            }
            Found::Missing => Included::Missing,
            Found::Unavailable => Included::Unavailable,
        }
    }
}

/// How a chain of `if`, `elsif`, `else` stands.
struct Chain {
    position: Position,
    branches: Vec<(Box<dyn Test>, Block)>,
    otherwise: Option<Block>,
    /// A branch before is always taken; what follows is not looked at.
    decided: bool,
}

impl Checker<'_> {
    fn script(&mut self, text: &str) -> Block {
        let max = self.settings().script_bytes_max;
        if max > 0 && text.len() > max {
            let start = None;
            self.say(
                start,
                Severity::Error,
                format!("sieve script is too large (max {max} bytes)"),
            );
            return Block::new();
        }
        match parser::parse(text) {
            Ok(nodes) => {
                self.stage = Stage::Validation;
                self.block(&nodes, true)
            }
            Err(complaints) => {
                for (position, text) in complaints {
                    self.error(position, text);
                }
                Block::new()
            }
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.compilation.settings()
    }

    fn say(&mut self, position: Option<Position>, severity: Severity, text: String) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(Diagnostic {
                script: Arc::clone(&self.name),
                position,
                severity,
                text,
            });
        }
    }

    pub(crate) fn error(&mut self, position: Position, text: impl Into<String>) {
        self.say(Some(position), Severity::Error, text.into());
    }

    pub(crate) fn warning(&mut self, position: Position, text: impl Into<String>) {
        self.say(Some(position), Severity::Warning, text.into());
    }

    /// Whether the extension `name` is required.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.active.contains(&name)
    }

    /// Whether scripts may require `name`.
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.compilation.allows(name)
    }

    /// Takes up the extension `name`; `false` when there is none.
    pub(crate) fn require(&mut self, name: &str, position: Position) -> bool {
        if matches!(name, "comparator-i;octet" | "comparator-i;ascii-casemap") {
            return true;
        }
        let Some(extension) = EXTENSIONS.iter().find(|e| e.name == name && self.allows(e.name)) else {
            return false;
        };
        self.activate(extension, position);
        true
    }

    fn activate(&mut self, extension: &'static Extension, position: Position) {
        if self.has(extension.name) {
            return;
        }
        self.active.push(extension.name);
        for &(other, text) in extension.conflicts {
            match other {
                _ if !self.has(other) => {}
                // Both spam extensions together are only needless.
                "spamtest" | "spamtestplus" => self.warning(position, text),
                _ => self.error(position, text),
            }
        }
        for implied in extension.implies {
            if let Some(implied) = EXTENSIONS.iter().find(|e| e.name == *implied) {
                self.activate(implied, position);
            }
        }
    }

    pub(crate) fn include(&mut self, location: Location, name: &str) -> Included {
        self.compilation.include(location, name)
    }

    /// Checking went on although a script that is included cannot be used.
    pub(crate) fn included_script_is_faulty(&mut self) {
        self.stage = Stage::Generation;
    }

    fn block(&mut self, nodes: &[Node], top: bool) -> Block {
        let mut block = Block::new();
        let mut chain: Option<Chain> = None;
        let mut beginning = top;
        for node in nodes {
            let lower = node.name.to_ascii_lowercase();
            let continues = matches!(lower.as_str(), "elsif" | "else");
            if !continues {
                block.extend(chain.take().map(Chain::statement));
            }
            match lower.as_str() {
                "require" => self.require_command(node, beginning),
                "if" => chain = Some(self.start_chain(node)),
                "elsif" | "else" => self.go_on(node, &lower, &mut chain),
                _ => block.extend(self.command(node)),
            }
            beginning &= lower == "require";
        }
        block.extend(chain.map(Chain::statement));
        block
    }

    fn require_command(&mut self, node: &Node, beginning: bool) {
        if !beginning {
            self.error(
                node.position,
                "require commands can only be placed at top level at the beginning of the file",
            );
            return;
        }
        self.no_tests(node, "require command");
        self.no_block(node, "require command");
        let names = match node.arguments.as_slice() {
            [argument] => match &argument.value {
                Value::Text(name) => std::slice::from_ref(name),
                Value::List(names) => names.as_slice(),
                other => {
                    let found = other.name();
                    self.error(
                        node.position,
                        format!("the require command accepts a single string or string list argument, but a {found} was found"),
                    );
                    return;
                }
            },
            others => {
                let count = others.len();
                self.error(
                    node.position,
                    format!(
                        "the require command requires 1 positional argument(s), but {count} is/are specified"
                    ),
                );
                return;
            }
        };
        for name in names {
            if !self.require(name, node.position) {
                self.error(
                    node.position,
                    format!("require command: unknown Sieve capability `{name}'"),
                );
            }
        }
    }

    fn start_chain(&mut self, node: &Node) -> Chain {
        let mut chain = Chain {
            position: node.position,
            branches: Vec::new(),
            otherwise: None,
            decided: false,
        };
        self.branch(node, "if command", &mut chain);
        chain
    }

    fn go_on(&mut self, node: &Node, lower: &str, chain: &mut Option<Chain>) {
        let title = format!("{lower} command");
        let Some(current) = chain.as_mut().filter(|chain| chain.otherwise.is_none()) else {
            self.error(
                node.position,
                format!("the {title} must follow an if or elseif command"),
            );
            return;
        };
        if lower == "elsif" {
            self.branch(node, &title, current);
            return;
        }
        self.no_arguments(node, &title);
        self.no_tests(node, &title);
        let block = match &node.block {
            Some(nodes) if !current.decided => self.block(nodes, false),
            Some(_) => Block::new(),
            None => {
                self.missing_block(node, &title);
                Block::new()
            }
        };
        current.otherwise = Some(block);
    }

    fn branch(&mut self, node: &Node, title: &str, chain: &mut Chain) {
        self.no_arguments(node, title);
        let test = self.one_test(node, title);
        let constant = test.as_ref().and_then(|test| test.constant());
        let Some(nodes) = &node.block else {
            self.missing_block(node, title);
            return;
        };
        if chain.decided || constant == Some(false) {
            return;
        }
        let block = self.block(nodes, false);
        if constant == Some(true) {
            chain.decided = true;
            chain.otherwise = Some(block);
            // Nothing behind it is ever reached, but `else` may still be written.
            if let Some(test) = test {
                let block = chain.otherwise.take().unwrap_or_default();
                chain.branches.push((test, block));
            }
            return;
        }
        chain.branches.extend(test.map(|test| (test, block)));
    }

    fn command(&mut self, node: &Node) -> Option<Statement> {
        let word = self.look_up(node, false)?;
        let Role::Command(build) = word.role else {
            return None;
        };
        let call = self.call(node, &word)?;
        let command = build(self, call)?;
        Some(Statement {
            position: node.position,
            name: word.name,
            command,
        })
    }

    /// A test of the script, checked.
    pub(crate) fn test(&mut self, node: &Node) -> Option<Box<dyn Test>> {
        let word = self.look_up(node, true)?;
        let Role::Test(build) = word.role else {
            return None;
        };
        let call = self.call(node, &word)?;
        build(self, call)
    }

    /// The arguments, tests and block of a node, all checked even when one of them is wrong.
    fn call(&mut self, node: &Node, word: &Word) -> Option<crate::words::Call> {
        let title = word.title();
        let call = arguments::check(self, node, word);
        let tests = match word.subtests {
            Subtests::None => {
                self.no_tests(node, &title);
                Some(Vec::new())
            }
            Subtests::One => self.one_test(node, &title).map(|test| vec![test]),
            Subtests::List => self.test_list(node, &title),
        };
        let block = match (&node.block, word.block) {
            (Some(_), BlockUse::None) => {
                self.no_block(node, &title);
                None
            }
            (None, BlockUse::None) => None,
            (None, _) => {
                self.missing_block(node, &title);
                return None;
            }
            (Some(nodes), BlockUse::Loop) => {
                let name = call.as_ref().and_then(|call| call.tag_text("name"));
                self.loops
                    .push(name.and_then(|name| name.literal().map(str::to_owned)));
                let block = self.block(nodes, false);
                self.loops.pop();
                Some(block)
            }
            (Some(nodes), BlockUse::Case) => {
                if std::mem::replace(&mut self.in_case, true) {
                    self.error(node.position, "tests cannot be nested");
                }
                let block = self.block(nodes, false);
                self.in_case = false;
                Some(block)
            }
        };
        let mut call = call?;
        call.tests = tests?;
        call.block = block;
        Some(call)
    }

    /// The word that a node names; tells when there is none.
    fn look_up(&mut self, node: &Node, wanted_test: bool) -> Option<Word> {
        match self
            .word_as(&node.name, wanted_test)
            .or_else(|| self.word(&node.name))
        {
            Some(word) if word.is_test() == wanted_test => Some(word),
            Some(word) => {
                let name = &node.name;
                let (is, wanted) = if word.is_test() {
                    ("test", "command")
                } else {
                    ("command", "test")
                };
                self.error(
                    node.position,
                    format!("attempted to use {is} '{name}' as {wanted}"),
                );
                None
            }
            None => {
                if self.reported.insert(node.name.to_ascii_lowercase()) {
                    let what = if wanted_test { "test" } else { "command" };
                    let name = &node.name;
                    self.error(
                        node.position,
                        format!("unknown {what} '{name}' (only reported once at first occurrence)"),
                    );
                }
                None
            }
        }
    }

    /// The command or test `name`, if the script may use it.
    fn word(&self, name: &str) -> Option<Word> {
        self.words_named(name).next()
    }

    /// The same in the wanted role: some names are both.
    fn word_as(&self, name: &str, test: bool) -> Option<Word> {
        self.words_named(name).find(|word| word.is_test() == test)
    }

    fn words_named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = Word> + 'n {
        let required = self.active.iter().filter_map(|name| extensions::find(name));
        let words = required
            .flat_map(|extension| extension.words)
            .chain(crate::base::WORDS);
        words
            .filter(move |word| word.name.eq_ignore_ascii_case(name))
            .copied()
    }

    /// The tags that required extensions offer for `word`.
    pub(crate) fn offers(&self, word: &str) -> Vec<crate::words::Tag> {
        let required = self.active.iter().filter_map(|name| extensions::find(name));
        let offers = required.flat_map(|extension| extension.offers);
        let offers = offers.filter(|offer| offer.words.contains(&word));
        offers.flat_map(|offer| offer.tags.iter().copied()).collect()
    }

    fn one_test(&mut self, node: &Node, title: &str) -> Option<Box<dyn Test>> {
        match &node.tests {
            Tests::One(test) => self.test(test),
            Tests::None => {
                self.error(
                    node.position,
                    format!("the {title} requires one sub-test, but none is specified"),
                );
                None
            }
            Tests::List(_) => {
                self.error(
                    node.position,
                    format!("the {title} requires one sub-test, but a list of tests is specified"),
                );
                None
            }
        }
    }

    fn test_list(&mut self, node: &Node, title: &str) -> Option<Vec<Box<dyn Test>>> {
        let found = match &node.tests {
            Tests::List(tests) => {
                return self.tests_until_decided(tests, node.name.eq_ignore_ascii_case("anyof"));
            }
            Tests::One(_) => "a single test is",
            Tests::None => "none are",
        };
        self.error(
            node.position,
            format!("the {title} requires a list of sub-tests, but {found} specified"),
        );
        None
    }

    /// Tests behind one that always decides are not looked at: they may stand there because an extension is missing
    /// (RFC 5463 §4).
    fn tests_until_decided(&mut self, nodes: &[Node], decisive: bool) -> Option<Vec<Box<dyn Test>>> {
        let mut tests = Vec::new();
        let mut right = true;
        for node in nodes {
            match self.test(node) {
                Some(test) => {
                    let decided = test.constant() == Some(decisive);
                    tests.push(test);
                    if decided {
                        break;
                    }
                }
                None => right = false,
            }
        }
        right.then_some(tests)
    }

    fn no_tests(&mut self, node: &Node, title: &str) {
        match &node.tests {
            Tests::None => {}
            // What looks like a test is the next command.
            Tests::One(test) if self.word_as(&test.name, true).is_none() => {
                self.error(node.position, format!("missing semicolon ';' after {title}"));
            }
            _ => self.error(
                node.position,
                format!("the {title} accepts no sub-tests, but tests are specified"),
            ),
        }
    }

    fn no_block(&mut self, node: &Node, title: &str) {
        if node.block.is_some() {
            self.error(
                node.position,
                format!("the {title} does not accept a command block, but one is specified anyway"),
            );
        }
    }

    fn missing_block(&mut self, node: &Node, title: &str) {
        self.error(
            node.position,
            format!("the {title} requires a command block, but it is missing"),
        );
    }

    fn no_arguments(&mut self, node: &Node, title: &str) {
        if let Some(argument) = node.arguments.first() {
            match &argument.value {
                Value::Tag(tag) => self.unknown_tag(argument.position, tag, title),
                _ => {
                    let count = node.arguments.len();
                    self.error(
                        node.position,
                        format!(
                            "the {title} requires 0 positional argument(s), but {count} is/are specified"
                        ),
                    );
                }
            }
        }
    }

    /// Tells of a tag that `title` does not have, once.
    pub(crate) fn unknown_tag(&mut self, position: Position, tag: &str, title: &str) {
        if self
            .reported
            .insert(format!(":{} {title}", tag.to_ascii_lowercase()))
        {
            self.error(
                position,
                format!("unknown tagged argument ':{tag}' for the {title} (reported only once at first occurrence)"),
            );
        }
    }

    /// A string of the script with what is to be substituted in it.
    pub(crate) fn text(&mut self, position: Position, text: &str) -> Text {
        let mut text = text.to_owned();
        if self.has("encoded-character") {
            match decode_characters(&text) {
                Ok(decoded) => text = decoded,
                Err(number) => {
                    self.error(
                        position,
                        format!("invalid unicode character 0x{number:08x} in encoded character substitution"),
                    );
                    return Text::unreadable();
                }
            }
        }
        if !self.has("variables") || !text.contains("${") {
            return Text::from_literal(text);
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            literal.push_str(&rest[..start]);
            let inner = &rest[start + 2..];
            let reference = inner
                .find('}')
                .and_then(|end| Some((end, variable_name(&inner[..end])?)));
            match reference {
                Some((end, parts)) => {
                    rest = &inner[end + 1..];
                    if let Some(piece) = self.reference(position, parts) {
                        if !literal.is_empty() {
                            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        }
                        pieces.push(piece);
                    }
                }
                None => {
                    literal.push_str("${");
                    rest = inner;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Text::from_pieces(pieces)
    }

    /// What `${…}` stands for. What stands for nothing is only warned of, as scripts with it run elsewhere.
    fn reference(&mut self, position: Position, parts: Vec<String>) -> Option<Piece> {
        let name = parts[1..].join(".");
        if parts.len() > 1 {
            let namespace = self.namespace(&parts[0]);
            if namespace.is_none() {
                let unknown = &parts[0];
                self.warning(
                    position,
                    format!("referring to variable in unknown namespace '{unknown}'"),
                );
            }
            return namespace.map(|namespace| Piece::Namespace(namespace, name));
        }
        let name = parts.into_iter().next()?;
        if let Ok(index) = name.parse::<usize>() {
            let max = crate::text::MATCH_VALUES_MAX;
            if index >= max {
                self.warning(
                    position,
                    format!("match value index {index} out of range (max: {max})"),
                );
                return None;
            }
            return Some(Piece::Match(index));
        }
        if name.bytes().all(|b| b.is_ascii_digit()) {
            self.warning(position, format!("match value index {name} out of range"));
            return None;
        }
        Some(match self.variable(name) {
            Variable::Global(name) => Piece::Namespace(Namespace::Global, name),
            Variable::Own(name) => Piece::Variable(name),
        })
    }

    fn namespace(&self, name: &str) -> Option<Namespace> {
        match name {
            "global" if self.has("include") => Some(Namespace::Global),
            "env" if self.has("vnd.dovecot.environment") => Some(Namespace::Environment),
            "tst" if self.has(crate::testing::EXTENSION) => Some(Namespace::Testsuite),
            _ => None,
        }
    }

    /// The variable `name`, shared when `global` declared it so.
    fn variable(&mut self, name: String) -> Variable {
        if self.globals.contains(&name) {
            return Variable::Global(name);
        }
        self.locals.insert(name.clone());
        Variable::Own(name)
    }

    /// The variable that a command sets, from its name in the script.
    pub(crate) fn target(&mut self, position: Position, name: &Text) -> Option<Variable> {
        let written = name.written();
        let Some(parts) = variable_name(&written) else {
            self.error(position, format!("invalid variable name '{written}'"));
            return None;
        };
        if parts.len() > 1 {
            let namespace = self.namespace(&parts[0]);
            let text = match namespace {
                Some(Namespace::Global) if parts.len() == 2 => {
                    return Some(Variable::Global(parts[1].clone()));
                }
                Some(_) => format!("cannot assign to variable in namespace '{}'", parts[0]),
                None => format!("referring to variable in unknown namespace '{}'", parts[0]),
            };
            self.error(position, text);
            return None;
        }
        if written.starts_with(|c: char| c.is_ascii_digit()) {
            self.error(position, "cannot assign to match variable");
            return None;
        }
        let max = self.settings().variables_max;
        let variable = self.variable(parts[0].clone());
        if self.locals.len() > max {
            self.error(position, format!("(implicit) declaration of new variable '{written}' exceeds the limit (max variables: {max})"));
            return None;
        }
        Some(variable)
    }

    /// Declares a variable that all scripts share.
    pub(crate) fn declare_global(&mut self, position: Position, name: &str) {
        let lower = name.to_ascii_lowercase();
        if !crate::text::is_identifier(name) {
            self.error(position, format!("invalid variable identifier '{name}'"));
        } else if self.locals.contains(&lower) {
            self.error(
                position,
                format!("declaration of new global variable '{name}' conflicts with earlier local use"),
            );
        } else {
            self.globals.insert(lower);
        }
    }
}

impl Chain {
    fn statement(self) -> Statement {
        let command: Box<dyn crate::words::Command> = match (self.branches.is_empty(), self.otherwise) {
            (true, None) => Box::new(Noop),
            (_, otherwise) => Box::new(If {
                branches: self.branches,
                otherwise,
            }),
        };
        Statement {
            position: self.position,
            name: "if",
            command,
        }
    }
}
