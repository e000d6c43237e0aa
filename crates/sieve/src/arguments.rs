//! Arguments of commands and tests against what their words take.

use crate::checker::Checker;
use crate::comparator::Comparator;
use crate::diagnostics::Position;
use crate::matching::{MatchType, Matcher, Relation};
use crate::parser::{Argument, Node, Value};
use crate::parts::AddressPart;
use crate::regular;
use crate::words::{Call, Given, Kind, Positional, Tag, Takes, Word};

/// The arguments of `node` as `word` takes them; `None` when one is wrong, which is told.
pub(crate) fn check(checker: &mut Checker<'_>, node: &Node, word: &Word) -> Option<Call> {
    let mut reading = Reading {
        title: word.title(),
        takes: word.takes,
        tags: word.tags.to_vec(),
        call: Call {
            title: word.title(),
            position: node.position,
            tags: Vec::new(),
            positional: Vec::new(),
            matcher: Matcher {
                comparator: word.comparator,
                ..Matcher::default()
            },
            has_match_type: false,
            part: AddressPart::default(),
            named_part: None,
            tests: Vec::new(),
            block: None,
        },
        match_type: false,
        comparator: false,
        part: false,
        right: true,
    };
    reading.tags.extend(checker.offers(word.name));
    let mut rest = node.arguments.iter();
    while let Some(argument) = rest.next() {
        match &argument.value {
            Value::Tag(name) => reading.tag(checker, name, argument.position, &mut rest),
            _ => {
                let given = given(checker, argument);
                reading.call.positional.extend(given);
            }
        }
        if !reading.right {
            return None;
        }
    }
    if let Positional::These(wanted) = word.positional {
        reading.positional(checker, wanted);
    }
    reading.matcher(checker);
    reading.right.then_some(reading.call)
}

struct Reading {
    title: String,
    takes: Takes,
    tags: Vec<Tag>,
    call: Call,
    match_type: bool,
    comparator: bool,
    part: bool,
    right: bool,
}

type Rest<'a> = std::slice::Iter<'a, Argument>;

fn given(checker: &mut Checker<'_>, argument: &Argument) -> Option<Given> {
    Some(match &argument.value {
        Value::Number(number) => Given::Number(*number),
        Value::Text(text) => Given::Text(checker.text(argument.position, text)),
        Value::List(list) => {
            let texts = list.iter().map(|text| checker.text(argument.position, text));
            Given::Texts(texts.collect())
        }
        Value::Tag(_) => return None,
    })
}

impl Reading {
    fn wrong(&mut self, checker: &mut Checker<'_>, position: Position, text: String) {
        checker.error(position, text);
        self.right = false;
    }

    fn tag(&mut self, checker: &mut Checker<'_>, name: &str, position: Position, rest: &mut Rest<'_>) {
        if let Some(tag) = self
            .tags
            .iter()
            .find(|tag| tag.name.eq_ignore_ascii_case(name))
            .copied()
        {
            return self.own_tag(checker, tag, position, rest);
        }
        if self.takes != Takes::Tags {
            if name.eq_ignore_ascii_case("comparator") {
                return self.comparator_tag(checker, position, rest);
            }
            if let Some((kind, needs)) = MatchType::from_tag(name)
                && needs.is_none_or(|needs| checker.has(needs))
            {
                return self.match_type_tag(checker, kind, name, (position, rest));
            }
        }
        if self.takes == Takes::MatchTypeAndAddressPart
            && let Some((part, needs)) = AddressPart::from_tag(name)
            && needs.is_none_or(|needs| checker.has(needs))
        {
            if std::mem::replace(&mut self.part, true) {
                let title = self.title.clone();
                let text = format!("encountered duplicate ADDRESS-PART argument (:{name}) for the {title}");
                return self.wrong(checker, position, text);
            }
            self.call.part = part;
            self.call.named_part = Some(name.to_ascii_lowercase());
            return;
        }
        checker.unknown_tag(position, name, &self.title.clone());
        self.right = false;
    }

    fn own_tag(&mut self, checker: &mut Checker<'_>, tag: Tag, position: Position, rest: &mut Rest<'_>) {
        let title = self.title.clone();
        let same_slot = |(name, _): &(&'static str, Option<Given>)| {
            self.tags
                .iter()
                .any(|other| other.name == *name && other.slot == tag.slot)
        };
        if !tag.slot.is_empty() && self.call.tags.iter().any(same_slot) {
            let text = format!("encountered duplicate :{} argument for the {title}", tag.name);
            return self.wrong(checker, position, text);
        }
        let Some(kind) = tag.parameter else {
            self.call.tags.push((tag.name, None));
            return;
        };
        let given = rest.clone().next().and_then(|argument| given(checker, argument));
        match given {
            Some(given) if fits(&given, kind) => {
                rest.next();
                self.call.tags.push((tag.name, Some(given)));
            }
            found => {
                let found = found.map_or_else(
                    || "no parameters were found".to_owned(),
                    |given| format!("a {} was found", given.name()),
                );
                let (name, kind) = (tag.name, kind.name());
                let text =
                    format!("the :{name} tag for the {title} requires a {kind} as parameter, but {found}");
                self.wrong(checker, position, text);
            }
        }
    }

    fn comparator_tag(&mut self, checker: &mut Checker<'_>, position: Position, rest: &mut Rest<'_>) {
        let title = self.title.clone();
        if std::mem::replace(&mut self.comparator, true) {
            let text = format!("encountered duplicate comparator argument for the {title}");
            return self.wrong(checker, position, text);
        }
        let found = match rest.as_slice().first().map(|argument| &argument.value) {
            Some(Value::Text(name)) => {
                rest.next();
                let known = Comparator::from_name(name);
                match known.filter(|(_, needs)| needs.is_none_or(|needs| checker.has(needs))) {
                    Some((comparator, _)) => self.call.matcher.comparator = comparator,
                    None => self.wrong(checker, position, format!("unknown comparator '{name}'")),
                }
                return;
            }
            Some(Value::Tag(_)) | None => "no parameters were found".to_owned(),
            Some(other) => format!("a {} was found", other.name()),
        };
        let text = format!("the :comparator tag for the {title} requires a string as parameter, but {found}");
        self.wrong(checker, position, text);
    }

    fn match_type_tag(
        &mut self,
        checker: &mut Checker<'_>,
        mut kind: MatchType,
        name: &str,
        (position, rest): (Position, &mut Rest<'_>),
    ) {
        if std::mem::replace(&mut self.match_type, true) {
            let title = self.title.clone();
            let text = format!("encountered duplicate MATCH-TYPE argument (:{name}) for the {title}");
            return self.wrong(checker, position, text);
        }
        if let MatchType::Value(relation) | MatchType::Count(relation) = &mut kind {
            let found = match rest.as_slice().first().map(|argument| &argument.value) {
                Some(Value::Text(text)) => {
                    rest.next();
                    match Relation::from_name(text) {
                        Some(known) => {
                            *relation = known;
                            None
                        }
                        None => Some(format!("\"{text}\" was found")),
                    }
                }
                Some(Value::Tag(_)) | None => Some("none was found".to_owned()),
                Some(other) => Some(format!("a {} was found", other.name())),
            };
            if let Some(found) = found {
                let text = format!(
                    "the :{name} match-type requires a constant string argument being one of \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\", but {found}"
                );
                return self.wrong(checker, position, text);
            }
        }
        self.call.matcher.kind = kind;
        self.call.has_match_type = true;
    }

    fn positional(&mut self, checker: &mut Checker<'_>, wanted: &[(&str, Kind)]) {
        let (title, position) = (self.title.clone(), self.call.position);
        let found = self.call.positional.len();
        if found != wanted.len() {
            let count = wanted.len();
            let text =
                format!("the {title} requires {count} positional argument(s), but {found} is/are specified");
            return self.wrong(checker, position, text);
        }
        for (index, (name, kind)) in wanted.iter().enumerate() {
            let given = &self.call.positional[index];
            if !fits(given, *kind) {
                let text = format!(
                    "the {title} expects a {} as argument {} ({name}), but a {} was found",
                    kind.name(),
                    index + 1,
                    given.name()
                );
                return self.wrong(checker, position, text);
            }
        }
    }

    /// Whether match type, comparator and keys go together.
    fn matcher(&mut self, checker: &mut Checker<'_>) {
        if self.takes == Takes::Tags || !self.right {
            return;
        }
        let position = self.call.position;
        let Matcher { kind, comparator } = self.call.matcher;
        let substrings = matches!(kind, MatchType::Contains | MatchType::Matches | MatchType::Regex);
        if substrings && !comparator.finds_substrings() {
            let (name, kind) = (comparator.name(), kind.name());
            let text = format!(
                "the specified {name} comparator does not support sub-string matching as required by the :{kind} match type"
            );
            return self.wrong(checker, position, text);
        }
        if kind != MatchType::Regex {
            return;
        }
        let keys = self
            .call
            .positional
            .last()
            .cloned()
            .map(Given::into_texts)
            .unwrap_or_default();
        for key in keys {
            let Some(expression) = key.literal() else {
                continue;
            };
            if let Err(why) = regular::compile(expression, comparator == Comparator::Octet) {
                let text = format!("invalid regular expression '{expression}' for regex match: {why}");
                self.wrong(checker, position, text);
                return;
            }
        }
    }
}

/// A single string may stand for a list.
fn fits(given: &Given, kind: Kind) -> bool {
    matches!(
        (given, kind),
        (Given::Number(_), Kind::Number)
            | (Given::Text(_), Kind::Text | Kind::Texts)
            | (Given::Texts(_), Kind::Texts)
    )
}
