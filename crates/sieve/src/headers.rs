//! Which header fields a test looks at: names, `:index`, `:mime` and the part that `foreverypart` is at.

use crate::checker::Checker;
use crate::diagnostics::Position;
use crate::mail::{header_text, unfolded};
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::words::Call;
use message::parameters::{ContentType, Disposition};

/// Fields of the message or of its parts.
#[derive(Debug)]
pub(crate) struct Fields {
    names: Vec<Text>,
    index: Option<Index>,
    mime: Option<Mime>,
}

/// `:index` (RFC 5260 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) number: u64,
    pub(crate) last: bool,
}

/// `:mime` (RFC 5703 §4).
#[derive(Debug)]
struct Mime {
    anychild: bool,
    aspect: Aspect,
}

/// What of a field's value is looked at.
#[derive(Debug)]
enum Aspect {
    Whole,
    Type,
    Subtype,
    ContentType,
    Parameters(Vec<Text>),
}

impl Index {
    /// The index that tags of `call` give.
    ///
    /// # Errors
    /// They do not go together; told.
    pub(crate) fn of(checker: &mut Checker<'_>, call: &Call) -> Result<Option<Index>, ()> {
        let number = call.tag_number("index");
        if call.has("last") && number.is_none() {
            let title = &call.title;
            checker.error(
                call.position,
                format!("the :last tag for the {title} cannot be specified without the :index tag"),
            );
            return Err(());
        }
        // `deleteheader` takes it, and finds nothing then, as with Pigeonhole.
        if number == Some(0) && !call.title.starts_with("deleteheader") {
            let title = &call.title;
            checker.error(
                call.position,
                format!("the :index tag for the {title} cannot be zero"),
            );
            return Err(());
        }
        let last = call.has("last");
        Ok(number.map(|number| Index { number, last }))
    }

    /// Where in a list of `length` it points.
    pub(crate) fn place(self, length: usize) -> Option<usize> {
        let number = usize::try_from(self.number).ok()?;
        let place = if self.last {
            length.checked_sub(number)?
        } else {
            number.checked_sub(1)?
        };
        (place < length).then_some(place)
    }
}

/// Warns of names that no field can have.
pub(crate) fn check_names(checker: &mut Checker<'_>, position: Position, names: &[Text]) {
    for name in names.iter().filter_map(Text::literal) {
        if !message::header::is_name(name.as_bytes()) {
            checker.warning(
                position,
                format!("specified header field name '{name}' is invalid"),
            );
        }
    }
}

impl Fields {
    /// The fields that positional argument `argument` names.
    pub(crate) fn of(checker: &mut Checker<'_>, call: &Call, argument: usize) -> Option<Fields> {
        let names = call.texts(argument);
        check_names(checker, call.position, &names);
        let index = Index::of(checker, call).ok()?;
        let mime = Mime::of(checker, call).ok()?;
        Some(Fields { names, index, mime })
    }

    /// The names, as they are now.
    pub(crate) fn names(&self, run: &mut Run<'_>) -> Vec<String> {
        self.names.iter().map(|name| name.value(run)).collect()
    }

    /// The bodies of the fields `name`.
    pub(crate) fn of_name(&self, run: &Run<'_>, name: &str) -> Vec<Vec<u8>> {
        let Some(mime) = &self.mime else {
            return run.mail.bodies(name).map(<[u8]>::to_vec).collect();
        };
        let parts = run.mail.parts();
        let (at, below) = run
            .loops
            .last()
            .copied()
            .unwrap_or((0, parts.list.len().saturating_sub(1)));
        let last = if mime.anychild { at + below } else { at };
        let mut bodies = Vec::new();
        for index in at..=last {
            match index {
                0 => bodies.extend(run.mail.bodies(name).map(<[u8]>::to_vec)),
                _ => bodies.extend(parts.bodies(index, name)),
            }
        }
        bodies
    }

    /// The bodies of all of the fields, as `:index` picks them.
    pub(crate) fn bodies(&self, run: &mut Run<'_>) -> Result<Vec<Vec<u8>>, Stop> {
        let named = self.named_bodies(run)?;
        Ok(named.into_iter().map(|(_, body)| body).collect())
    }

    /// The same with the name that each is of.
    fn named_bodies(&self, run: &mut Run<'_>) -> Result<Vec<(String, Vec<u8>)>, Stop> {
        let mut bodies = Vec::new();
        for name in self.names(run) {
            run.spend(1 + run.mail.fields().len() as u64 / 16)?;
            run.trace(crate::trace::Level::Matching, |_| {
                format!("  extracting `{name}' headers from message")
            });
            bodies.extend(
                self.of_name(run, &name)
                    .into_iter()
                    .map(|body| (name.clone(), body)),
            );
        }
        Ok(match self.index {
            Some(index) => {
                let place = index.place(bodies.len());
                place.map(|place| bodies.swap_remove(place)).into_iter().collect()
            }
            None => bodies,
        })
    }

    /// The values as text.
    pub(crate) fn texts(&self, run: &mut Run<'_>) -> Result<Vec<String>, Stop> {
        let bodies = self.named_bodies(run)?;
        let Some(mime) = &self.mime else {
            return Ok(bodies.iter().map(|(_, body)| header_text(body)).collect());
        };
        let mut texts = Vec::new();
        for (name, body) in bodies {
            texts.extend(mime.aspect.texts(run, &name, &body));
        }
        Ok(texts)
    }
}

impl Mime {
    fn of(checker: &mut Checker<'_>, call: &Call) -> Result<Option<Mime>, ()> {
        const ASPECTS: [&str; 4] = ["type", "subtype", "contenttype", "param"];
        let title = &call.title;
        let aspects: Vec<_> = ASPECTS.into_iter().filter(|name| call.has(name)).collect();
        if aspects.len() > 1 {
            checker.error(
                call.position,
                format!(
                    "the :type, :subtype, :contenttype, and :param arguments for the {title} are mutually exclusive, but more than one was specified"
                ),
            );
            return Err(());
        }
        if !call.has("mime") {
            let alone = aspects
                .first()
                .copied()
                .or_else(|| call.has("anychild").then_some("anychild"));
            if let Some(name) = alone {
                checker.error(
                    call.position,
                    format!("the :{name} tag for the {title} cannot be specified without the :mime tag"),
                );
                return Err(());
            }
            return Ok(None);
        }
        let aspect = match aspects.first() {
            Some(&"type") => Aspect::Type,
            Some(&"subtype") => Aspect::Subtype,
            Some(&"contenttype") => Aspect::ContentType,
            Some(_) => Aspect::Parameters(call.tag_texts("param").unwrap_or_default()),
            None => Aspect::Whole,
        };
        Ok(Some(Mime {
            anychild: call.has("anychild"),
            aspect,
        }))
    }
}

impl Aspect {
    /// What is looked at of a field. What it does not have is empty, as with Pigeonhole.
    fn texts(&self, run: &mut Run<'_>, name: &str, body: &[u8]) -> Vec<String> {
        if let Aspect::Whole = self {
            return vec![header_text(body)];
        }
        let value = unfolded(body);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (kind, subtype, parameters) = match name.to_ascii_lowercase().as_str() {
            "content-type" => match ContentType::parse(&value) {
                Some(parsed) => (text(parsed.kind), text(parsed.subtype), parsed.parameters),
                None => Default::default(),
            },
            "content-disposition" => match Disposition::parse(&value) {
                Some(parsed) => (text(parsed.kind), String::new(), parsed.parameters),
                None => Default::default(),
            },
            _ => Default::default(),
        };
        match self {
            Aspect::Whole => Vec::new(),
            Aspect::Type => vec![kind],
            Aspect::Subtype => vec![subtype],
            Aspect::ContentType if subtype.is_empty() => vec![kind],
            Aspect::ContentType => vec![format!("{kind}/{subtype}")],
            Aspect::Parameters(names) => {
                let names: Vec<_> = names.iter().map(|name| name.value(run)).collect();
                let values = names.iter().map(|name| parameters.text(name));
                values.map(Option::unwrap_or_default).collect()
            }
        }
    }
}
