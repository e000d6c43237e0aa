//! `enotify` (RFC 5435) with the method `mailto` (RFC 5436).

use super::{Extension, Offer};
use crate::actions::{Action, Notify, Store};
use crate::checker::Checker;
use crate::extensions::fcc;
use crate::mailto::{self, Mailto};
use crate::matching::Matcher;
use crate::parts;
use crate::result::Keep;
use crate::run::{Run, Step, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("enotify")
    .conflicts(&[("notify", CONFLICT)])
    .words(&[
        Word::command(
            "notify",
            &[("method", Kind::Text)],
            &[
                Tag::with("from", Kind::Text),
                Tag::with("importance", Kind::Text),
                Tag::with("options", Kind::Texts),
                Tag::with("message", Kind::Text),
            ],
            notify,
        ),
        Word::test(
            "valid_notify_method",
            &[("notification-uris", Kind::Texts)],
            &[],
            valid,
        ),
        Word::test(
            "notify_method_capability",
            &[
                ("notification-uri", Kind::Text),
                ("notification-capability", Kind::Text),
                ("key-list", Kind::Texts),
            ],
            &[],
            capability,
        )
        .matching(),
    ])
    .offers(&[Offer {
        words: &["set"],
        tags: &[Tag::flag("encodeurl").slot("")],
    }]);

/// What is said when both are required.
pub(crate) const CONFLICT: &str =
    "the (deprecated) notify extension cannot be used together with the enotify extension";

/// A method URI, read.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn method(uri: &str) -> Result<Mailto, String> {
    let scheme = uri.split_once(':');
    let valid = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    match scheme.filter(|(scheme, _)| valid(scheme)) {
        None => Err(format!("invalid scheme part for method URI '{uri}'")),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto") => {
            mailto::parse(rest).map_err(|why| format!("mailto URI: {why}"))
        }
        Some((scheme, _)) => Err(format!("invalid method '{scheme}'")),
    }
}

#[derive(Debug)]
struct NotifyCommand {
    method: Text,
    from: Option<Text>,
    importance: Option<Text>,
    message: Option<Text>,
    fcc: Option<fcc::Fcc>,
}

fn notify(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let position = call.position;
    let importance = call.tag_text("importance");
    if let Some(literal) = importance.as_ref().and_then(Text::literal)
        && !matches!(literal, "1" | "2" | "3")
    {
        checker.error(
            position,
            format!("invalid :importance value for notify command: {literal}"),
        );
        return None;
    }
    for option in call.tag_texts("options").unwrap_or_default() {
        if let Some(literal) = option.literal()
            && !literal
                .split_once('=')
                .is_some_and(|(name, _)| is_option_name(name))
        {
            checker.error(
                position,
                format!("notify command: invalid option name specified in option '{literal}'"),
            );
            return None;
        }
    }
    let from = call.tag_text("from");
    if let Some(literal) = from.as_ref().and_then(Text::literal)
        && let Err(why) = parts::single(literal)
    {
        checker.error(
            position,
            format!(
                "notify command: specified :from address '{literal}' is invalid for the mailto method: {why}"
            ),
        );
        return None;
    }
    let uri = call.text(0);
    if let Some(literal) = uri.literal() {
        match method(literal) {
            Ok(mailto) => {
                for warning in mailto.warnings {
                    checker.warning(position, format!("notify command: mailto URI: {warning}"));
                }
            }
            Err(why) => {
                checker.error(position, format!("notify command: {why}"));
                return None;
            }
        }
    }
    if call.has("options") {
        checker.warning(position, "notify command: method 'mailto' accepts no options");
    }
    Some(Box::new(NotifyCommand {
        method: uri,
        from,
        importance,
        message: call.tag_text("message"),
        fcc: fcc::of(checker, &call)?,
    }))
}

fn is_option_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

impl Command for NotifyCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "notify action".to_owned());
        let uri = self.method.value(run);
        run.trace(Level::Actions, |_| format!("  notify with uri `{uri}'"));
        let mailto = match method(&uri) {
            Ok(mailto) => mailto,
            Err(why) => return run.fail(format!("notify action: {why}")),
        };
        for warning in &mailto.warnings {
            run.warning(format!("notify_action: mailto URI: {warning}"));
        }
        let from = match self.from.as_ref().map(|from| from.value(run)) {
            Some(text) => match parts::single(&text) {
                Ok(_) => Some(text),
                Err(why) => {
                    return run.fail(format!(
                        "notify action: specified :from address '{text}' is invalid for the mailto method: {why}"
                    ));
                }
            },
            None => None,
        };
        let importance = match self.importance.as_ref().map(|text| text.value(run)).as_deref() {
            Some("1") => 1,
            Some("3") => 3,
            _ => 2,
        };
        let max = run
            .settings
            .text("sieve_notify_max_notifications")
            .and_then(|max| max.trim().parse::<usize>().ok());
        let there = run
            .actions
            .iter()
            .filter(|entry| matches!(entry.action, Action::Notify(_)))
            .count();
        if let Some(max) = max.filter(|&max| max > 0 && there >= max) {
            return run.fail(format!(
                "number of notify actions exceeds policy limit ({} > {max})",
                there + 1
            ));
        }
        let fcc: Option<Store> = self.fcc.as_ref().map(|fcc| fcc.store(run));
        let notify = Notify {
            method: uri,
            to: mailto.to,
            cc: mailto.cc,
            subject: mailto.subject,
            body: mailto.body,
            headers: mailto.headers,
            message: self.message.as_ref().map(|text| text.value(run)),
            from,
            importance,
            deprecated: false,
            id: None,
            fcc,
        };
        run.add(Action::Notify(notify), Keep::Stays)
    }
}

#[derive(Debug)]
struct Valid(Vec<Text>);

fn valid(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(Valid(call.texts(0))))
}

impl Test for Valid {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "valid_notify_method test".to_owned());
        for uri in &self.0 {
            run.spend(1)?;
            let uri = uri.value(run);
            if method(&uri).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[derive(Debug)]
struct Capability {
    uri: Text,
    name: Text,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn capability(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(Capability {
        uri: call.text(0),
        name: call.text(1),
        keys: call.texts(2),
        matcher: call.matcher,
    }))
}

impl Test for Capability {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "notify_method_capability test".to_owned());
        let (uri, name) = (self.uri.value(run), self.name.value(run));
        // Nobody knows whether the reader of a mail is there (RFC 5436 §2.8).
        let value = (method(&uri).is_ok() && name.eq_ignore_ascii_case("online")).then(|| "maybe".to_owned());
        self.matcher.any(run, &self.keys, value)
    }
}
