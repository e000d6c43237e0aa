//! `body` (RFC 5173): the text of a message.

use message::structure::Kind as PartKind;

use super::Extension;
use crate::checker::Checker;
use crate::mail::Parts;
use crate::matching::Matcher;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("body").words(&[Word::test(
    "body",
    &[("key list", Kind::Texts)],
    &[
        Tag::flag("raw").slot("transform"),
        Tag::flag("text").slot("transform"),
        Tag::with("content", Kind::Texts).slot("transform"),
    ],
    build,
)
.matching()]);

/// How the body is looked at.
#[derive(Debug)]
enum Transform {
    Raw,
    Text,
    Content(Vec<Text>),
}

#[derive(Debug)]
struct Body {
    transform: Transform,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn build(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    let transform = match call.tag_texts("content") {
        Some(types) => Transform::Content(types),
        None if call.has("raw") => Transform::Raw,
        None => Transform::Text,
    };
    Some(Box::new(Body {
        transform,
        keys: call.texts(0),
        matcher: call.matcher,
    }))
}

impl Test for Body {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "body test".to_owned());
        run.spend(run.mail.bytes().len() as u64 / 16)?;
        let values = match &self.transform {
            Transform::Raw => vec![String::from_utf8_lossy(run.mail.body()).into_owned()],
            Transform::Text => of_types(&run.mail.parts(), &["text".to_owned()], true),
            Transform::Content(types) => {
                let types: Vec<String> = types
                    .iter()
                    .map(|name| name.value(run).to_ascii_lowercase())
                    .collect();
                of_types(&run.mail.parts(), &types, false)
            }
        };
        self.matcher.any(run, &self.keys, values)
    }
}

/// The texts of the parts whose type is one of `types` (RFC 5173 §4.2).
fn of_types(parts: &Parts, types: &[String], plain: bool) -> Vec<String> {
    let mut texts = Vec::new();
    for index in 0..parts.list.len() {
        let name = parts.type_name(index);
        if !types.iter().any(|wanted| is_of(&name, wanted)) {
            continue;
        }
        let text = match parts.list[index].kind {
            PartKind::Leaf if plain && name == "text/html" => without_markup(&parts.content(index)),
            PartKind::Leaf => parts.content(index),
            // Of a multipart what is around its parts, of a message its header.
            PartKind::Multipart => around(parts, index),
            PartKind::Message => String::from_utf8_lossy(parts.header(index + 1)).into_owned(),
        };
        texts.push(text.replace("\r\n", "\n"));
    }
    texts
}

/// Whether the media type `name` is of `wanted`: a type, a type with subtype, or "" for all.
fn is_of(name: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    match wanted.split_once('/') {
        // "/" at an end, or two of them, is no type and fits nothing.
        Some((kind, subtype)) => {
            !kind.is_empty() && !subtype.is_empty() && !subtype.contains('/') && name == wanted
        }
        None => name.split('/').next() == Some(wanted),
    }
}

/// Prologue and epilogue of a multipart.
fn around(parts: &Parts, index: usize) -> String {
    let raw = String::from_utf8_lossy(parts.raw(index)).into_owned();
    let boundary = parts.list[index].content_type.parameters.find("boundary");
    let boundary = format!("--{}", String::from_utf8_lossy(boundary.unwrap_or_default()));
    let before = raw.find(&boundary).map_or(raw.as_str(), |at| &raw[..at]);
    let after = raw
        .rfind(&format!("{boundary}--"))
        .map_or("", |at| &raw[at + boundary.len() + 2..]);
    format!("{before}{after}")
}

/// Text of HTML: markup, scripts and styles left out, the commonest character references undone.
pub(crate) fn without_markup(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        // Words on both sides of a tag stay apart.
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        let inner = &rest[start..];
        let hidden = ["script", "style"].into_iter().find(|name| {
            inner
                .get(1..=name.len())
                .is_some_and(|tag| tag.eq_ignore_ascii_case(name))
        });
        let end = match hidden {
            Some(name) => closing_tag(inner, name),
            None if inner.starts_with("<!--") => inner.find("-->").map(|at| at + 2),
            None => inner.find('>'),
        };
        match end {
            Some(end) => rest = &inner[end + 1..],
            None => {
                rest = "";
                break;
            }
        }
    }
    text.push_str(rest);
    for (reference, character) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        if text.contains(reference) {
            text = text.replace(reference, character);
        }
    }
    text
}

/// Where the tag that closes `name` ends.
fn closing_tag(html: &str, name: &str) -> Option<usize> {
    let mut tags = html.match_indices("</").map(|(at, _)| at);
    let start = tags.find(|at| {
        html.get(at + 2..at + 2 + name.len())
            .is_some_and(|tag| tag.eq_ignore_ascii_case(name))
    })?;
    Some(start + html[start..].find('>')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_left_out() {
        assert_eq!(
            without_markup("<p>a&amp;b<SCRIPT>x<y</Script >c<!-- <z> -->d"),
            "a&b c d"
        );
        assert_eq!(without_markup("a <b"), "a ");
    }

    #[test]
    fn types_are_compared_as_the_standard_says() {
        assert!(is_of("text/plain", "") && is_of("text/plain", "text") && is_of("text/plain", "text/plain"));
        assert!(
            !is_of("text/plain", "text/") && !is_of("text/plain", "/plain") && !is_of("text/plain", "plain")
        );
    }
}
