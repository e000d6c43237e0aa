//! How commands and tests are described: their arguments, tags and what they become when a script is checked.

use std::fmt::Debug;

use crate::checker::Checker;
use crate::comparator::Comparator;
use crate::diagnostics::Position;
use crate::matching::Matcher;
use crate::parts::AddressPart;
use crate::run::{Run, Step, Stop};
use crate::text::Text;

/// A command of a checked script.
pub(crate) trait Command: Debug + Send + Sync {
    /// Carries it out; what is to happen to the message is added to the run's actions.
    fn run(&self, run: &mut Run<'_>) -> Step;
}

/// A test of a checked script.
pub(crate) trait Test: Debug + Send + Sync {
    /// Its answer.
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop>;

    /// Its answer, when it is always the same.
    fn constant(&self) -> Option<bool> {
        None
    }
}

/// A command with its place.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) position: Position,
    pub(crate) name: &'static str,
    pub(crate) command: Box<dyn Command>,
}

/// Commands in order.
pub(crate) type Block = Vec<Statement>;
/// What a command is built as; `None` when there was something to complain about.
pub(crate) type BuiltCommand = Option<Box<dyn Command>>;
/// What a test is built as.
pub(crate) type BuiltTest = Option<Box<dyn Test>>;

/// What an argument must be. A string may stand for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Texts,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Text => "string",
            Kind::Texts => "string list",
        }
    }
}

/// A tagged argument. Of the tags of one slot there may be one; the slot without a name is not watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag {
    pub(crate) name: &'static str,
    pub(crate) slot: &'static str,
    pub(crate) parameter: Option<Kind>,
}

impl Tag {
    pub(crate) const fn flag(name: &'static str) -> Tag {
        Tag {
            name,
            slot: name,
            parameter: None,
        }
    }

    pub(crate) const fn with(name: &'static str, kind: Kind) -> Tag {
        Tag {
            name,
            slot: name,
            parameter: Some(kind),
        }
    }

    pub(crate) const fn slot(self, slot: &'static str) -> Tag {
        Tag { slot, ..self }
    }
}

/// How many tests a word takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subtests {
    None,
    One,
    List,
}

/// What a word is in the grammar, and how it is built.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Command(fn(&mut Checker<'_>, Call) -> BuiltCommand),
    Test(fn(&mut Checker<'_>, Call) -> BuiltTest),
    /// `require`, `if`, `elsif`, `else`: the checker itself knows them.
    Grammar,
}

/// What stands between the name and the positional arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Tags,
    MatchType,
    MatchTypeAndAddressPart,
}

/// What may stand behind the name, apart from tags.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Positional {
    /// These, by name and kind.
    These(&'static [(&'static str, Kind)]),
    /// The word looks itself.
    Own,
}

/// A command or a test.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) takes: Takes,
    pub(crate) tags: &'static [Tag],
    pub(crate) positional: Positional,
    pub(crate) subtests: Subtests,
    pub(crate) block: BlockUse,
    /// The comparator when the script names none.
    pub(crate) comparator: Comparator,
}

/// Whether a word has a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockUse {
    None,
    /// `break` may stand in it.
    Loop,
    /// A test case of the test language.
    Case,
}

impl Word {
    pub(crate) const fn command(
        name: &'static str,
        positional: &'static [(&'static str, Kind)],
        tags: &'static [Tag],
        build: fn(&mut Checker<'_>, Call) -> BuiltCommand,
    ) -> Word {
        Word::new(name, positional, tags, Role::Command(build))
    }

    pub(crate) const fn test(
        name: &'static str,
        positional: &'static [(&'static str, Kind)],
        tags: &'static [Tag],
        build: fn(&mut Checker<'_>, Call) -> BuiltTest,
    ) -> Word {
        Word::new(name, positional, tags, Role::Test(build))
    }

    const fn new(
        name: &'static str,
        positional: &'static [(&'static str, Kind)],
        tags: &'static [Tag],
        role: Role,
    ) -> Word {
        Word {
            name,
            role,
            takes: Takes::Tags,
            tags,
            positional: Positional::These(positional),
            subtests: Subtests::None,
            block: BlockUse::None,
            comparator: Comparator::AsciiCasemap,
        }
    }

    pub(crate) const fn matching(self) -> Word {
        Word {
            takes: Takes::MatchType,
            ..self
        }
    }

    pub(crate) const fn matching_addresses(self) -> Word {
        Word {
            takes: Takes::MatchTypeAndAddressPart,
            ..self
        }
    }

    /// Strings are compared octet for octet when the script says nothing else.
    pub(crate) const fn by_octets(self) -> Word {
        Word {
            comparator: Comparator::Octet,
            ..self
        }
    }

    pub(crate) const fn own_arguments(self) -> Word {
        Word {
            positional: Positional::Own,
            ..self
        }
    }

    pub(crate) const fn subtests(self, subtests: Subtests) -> Word {
        Word { subtests, ..self }
    }

    pub(crate) const fn block(self, block: BlockUse) -> Word {
        Word { block, ..self }
    }

    pub(crate) const fn is_test(&self) -> bool {
        matches!(self.role, Role::Test(_))
    }

    /// `the keep command`'s `keep command`.
    pub(crate) fn title(&self) -> String {
        let what = if self.is_test() { "test" } else { "command" };
        format!("{} {what}", self.name)
    }
}

/// A value of a checked argument.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    Number(u64),
    Text(Text),
    Texts(Vec<Text>),
}

impl Given {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Given::Number(_) => "number",
            Given::Text(_) => "string",
            Given::Texts(_) => "string list",
        }
    }

    /// As a list, which a single string is too.
    pub(crate) fn into_texts(self) -> Vec<Text> {
        match self {
            Given::Number(_) => Vec::new(),
            Given::Text(text) => vec![text],
            Given::Texts(texts) => texts,
        }
    }
}

/// A word of a script with its checked arguments, for what builds it.
pub(crate) struct Call {
    /// `keep command`.
    pub(crate) title: String,
    pub(crate) position: Position,
    pub(crate) tags: Vec<(&'static str, Option<Given>)>,
    pub(crate) positional: Vec<Given>,
    pub(crate) matcher: Matcher,
    /// Whether a match type stands there.
    pub(crate) has_match_type: bool,
    pub(crate) part: AddressPart,
    /// The address part as it stands there.
    pub(crate) named_part: Option<String>,
    pub(crate) tests: Vec<Box<dyn Test>>,
    pub(crate) block: Option<Block>,
}

impl Call {
    /// Whether the tag `name` stands there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tags.iter().any(|(tag, _)| *tag == name)
    }

    fn given(&self, name: &str) -> Option<&Given> {
        self.tags
            .iter()
            .find(|(tag, _)| *tag == name)
            .and_then(|(_, given)| given.as_ref())
    }

    /// The string behind the tag `name`.
    pub(crate) fn tag_text(&self, name: &str) -> Option<Text> {
        match self.given(name)? {
            Given::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The strings behind the tag `name`.
    pub(crate) fn tag_texts(&self, name: &str) -> Option<Vec<Text>> {
        self.given(name).map(|given| given.clone().into_texts())
    }

    /// The number behind the tag `name`.
    pub(crate) fn tag_number(&self, name: &str) -> Option<u64> {
        match self.given(name)? {
            Given::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The positional string number `index`; empty when there is none, which the checker has told then.
    pub(crate) fn text(&self, index: usize) -> Text {
        match self.positional.get(index) {
            Some(Given::Text(text)) => text.clone(),
            _ => Text::default(),
        }
    }

    /// The positional strings number `index`.
    pub(crate) fn texts(&self, index: usize) -> Vec<Text> {
        self.positional
            .get(index)
            .map(|given| given.clone().into_texts())
            .unwrap_or_default()
    }

    /// The positional number `index`.
    pub(crate) fn number(&self, index: usize) -> u64 {
        match self.positional.get(index) {
            Some(Given::Number(number)) => *number,
            _ => 0,
        }
    }
}
