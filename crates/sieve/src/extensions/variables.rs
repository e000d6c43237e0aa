//! `variables` (RFC 5229): `set` and `string`; what `${…}` means is in the strings themselves.

use super::Extension;
use crate::checker::Checker;
use crate::matching::{MatchType, Matcher};
use crate::run::{Run, Step, Stop, Variable};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("variables").words(&[
    Word::command(
        "set",
        &[("name", Kind::Text), ("value", Kind::Text)],
        MODIFIERS,
        set,
    ),
    Word::test(
        "string",
        &[("source", Kind::Texts), ("key list", Kind::Texts)],
        &[],
        string,
    )
    .matching()
    // RFC 5229 §5 has it otherwise; this is what Pigeonhole's users know.
    .by_octets(),
]);

/// The tags of `set`, in no slot: which of them go together is looked at below.
pub(crate) const MODIFIERS: &[Tag] = &[
    Tag::flag("lower").slot(""),
    Tag::flag("upper").slot(""),
    Tag::flag("lowerfirst").slot(""),
    Tag::flag("upperfirst").slot(""),
    Tag::flag("quotewildcard").slot(""),
    Tag::flag("length").slot(""),
];

/// What is done to a value before it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modifier {
    Lower,
    Upper,
    LowerFirst,
    UpperFirst,
    QuoteWildcard,
    QuoteRegex,
    EncodeUrl,
    Length,
}

impl Modifier {
    fn from_tag(name: &str) -> Option<Modifier> {
        Some(match name {
            "lower" => Modifier::Lower,
            "upper" => Modifier::Upper,
            "lowerfirst" => Modifier::LowerFirst,
            "upperfirst" => Modifier::UpperFirst,
            "quotewildcard" => Modifier::QuoteWildcard,
            "quoteregex" => Modifier::QuoteRegex,
            "encodeurl" => Modifier::EncodeUrl,
            "length" => Modifier::Length,
            _ => return None,
        })
    }

    /// The higher ones come first (RFC 5229 §4.1).
    fn precedence(self) -> u8 {
        match self {
            Modifier::Lower | Modifier::Upper => 40,
            Modifier::LowerFirst | Modifier::UpperFirst => 30,
            Modifier::QuoteWildcard | Modifier::QuoteRegex => 20,
            Modifier::EncodeUrl => 15,
            Modifier::Length => 10,
        }
    }

    fn apply(self, value: &str) -> String {
        let first = |change: fn(&mut str)| {
            let mut text = value.to_owned();
            if let Some(first) = text.chars().next() {
                change(&mut text[..first.len_utf8()]);
            }
            text
        };
        let quoted = |special: &str| {
            let each = value
                .chars()
                .flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c]));
            each.collect::<String>()
        };
        match self {
            Modifier::Lower => value.to_ascii_lowercase(),
            Modifier::Upper => value.to_ascii_uppercase(),
            Modifier::LowerFirst => first(str::make_ascii_lowercase),
            Modifier::UpperFirst => first(str::make_ascii_uppercase),
            Modifier::QuoteWildcard => quoted("*?\\"),
            Modifier::QuoteRegex => quoted("*+?.[](){}|^$\\"),
            Modifier::EncodeUrl => {
                let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
                let coded = value.bytes().map(|b| match plain(&b) {
                    true => char::from(b).to_string(),
                    false => format!("%{b:02X}"),
                });
                coded.collect()
            }
            Modifier::Length => value.chars().count().to_string(),
        }
    }
}

/// The modifiers among the tags of `call`, in the order in which they are applied.
pub(crate) fn modifiers(checker: &mut Checker<'_>, call: &Call) -> Option<Vec<Modifier>> {
    let mut modifiers: Vec<(Modifier, &str)> = Vec::new();
    for (name, _) in &call.tags {
        let Some(modifier) = Modifier::from_tag(name) else {
            continue;
        };
        let clash = modifiers
            .iter()
            .find(|(other, _)| other.precedence() == modifier.precedence());
        if let Some((_, other)) = clash {
            let title = &call.title;
            checker.error(
                call.position,
                format!("modifiers :{other} and :{name} specified for the {title} conflict having equal precedence"),
            );
            return None;
        }
        modifiers.push((modifier, name));
    }
    modifiers.sort_by_key(|(modifier, _)| std::cmp::Reverse(modifier.precedence()));
    Some(modifiers.into_iter().map(|(modifier, _)| modifier).collect())
}

/// `value` with all of `modifiers` applied.
pub(crate) fn modified(modifiers: &[Modifier], value: String) -> String {
    modifiers
        .iter()
        .fold(value, |value, modifier| modifier.apply(&value))
}

#[derive(Debug)]
struct Set {
    variable: Variable,
    value: Text,
    modifiers: Vec<Modifier>,
}

fn set(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let modifiers = modifiers(checker, &call)?;
    let variable = checker.target(call.position, &call.text(0))?;
    Some(Box::new(Set {
        variable,
        value: call.text(1),
        modifiers,
    }))
}

impl Command for Set {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let value = modified(&self.modifiers, self.value.value(run));
        run.spend(value.len() as u64 / 64)?;
        run.trace(Level::Commands, |_| "set command".to_owned());
        run.trace(Level::Commands, |_| {
            let (Variable::Own(name) | Variable::Global(name)) = &self.variable;
            format!("  assign `{name}' = \"{value}\"")
        });
        run.set_variable(&self.variable, value);
        Ok(())
    }
}

#[derive(Debug)]
struct StringTest {
    sources: Vec<Text>,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn string(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(StringTest {
        sources: call.texts(0),
        keys: call.texts(1),
        matcher: call.matcher,
    }))
}

impl Test for StringTest {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "string test".to_owned());
        let mut values: Vec<String> = self.sources.iter().map(|source| source.value(run)).collect();
        if matches!(self.matcher.kind, MatchType::Count(_)) {
            // Empty strings do not count (RFC 5229 §5).
            values.retain(|value| !value.is_empty());
        }
        self.matcher.any(run, &self.keys, values)
    }
}
