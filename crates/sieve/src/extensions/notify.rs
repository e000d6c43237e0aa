//! `notify`: the deprecated draft before enotify, as Pigeonhole has it: by mail only.

use super::Extension;
use super::enotify::CONFLICT;
use crate::actions::{Action, Notify};
use crate::checker::Checker;
use crate::matching::Matcher;
use crate::parts;
use crate::result::Keep;
use crate::run::{Run, Step};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, Call, Command, Given, Kind, Tag, Word};

pub(crate) const EXTENSION: Extension = Extension::new("notify")
    .off()
    .conflicts(&[("enotify", CONFLICT)])
    .words(&[
        Word::command(
            "notify",
            &[],
            &[
                Tag::with("method", Kind::Text),
                Tag::with("id", Kind::Text),
                Tag::with("options", Kind::Texts),
                Tag::with("message", Kind::Text),
                LOW,
                NORMAL,
                HIGH,
            ],
            notify,
        ),
        Word::command("denotify", &[], &[LOW, NORMAL, HIGH], denotify)
            .matching()
            .by_octets()
            .own_arguments(),
    ]);

const LOW: Tag = Tag::flag("low").slot("importance");
const NORMAL: Tag = Tag::flag("normal").slot("importance");
const HIGH: Tag = Tag::flag("high").slot("importance");

fn importance(call: &Call) -> Option<u8> {
    let levels = [("high", 1), ("normal", 2), ("low", 3)];
    levels
        .into_iter()
        .find(|(name, _)| call.has(name))
        .map(|(_, level)| level)
}

#[derive(Debug)]
struct NotifyCommand {
    id: Option<Text>,
    options: Vec<Text>,
    message: Option<Text>,
    importance: u8,
}

fn notify(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    if let Some(method) = call.tag_text("method").as_ref().and_then(Text::literal)
        && !method.eq_ignore_ascii_case("mailto")
    {
        checker.error(
            call.position,
            "the notify command of the deprecated notify extension only supports the 'mailto' notification method",
        );
        return None;
    }
    let options = call.tag_texts("options").unwrap_or_default();
    if options.is_empty() {
        checker.warning(
            call.position,
            "no :options (and hence recipients) specified for the notify command",
        );
    }
    for option in options.iter().filter_map(Text::literal) {
        if let Err(why) = parts::single(option) {
            checker.error(
                call.position,
                format!(
                    "specified :options address '{option}' is invalid for the mailto notify method: {why}"
                ),
            );
            return None;
        }
    }
    Some(Box::new(NotifyCommand {
        id: call.tag_text("id"),
        options,
        message: call.tag_text("message"),
        // Pigeonhole's default, not the draft's.
        importance: importance(&call).unwrap_or(1),
    }))
}

impl Command for NotifyCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "notify action".to_owned());
        let mut to = Vec::new();
        for option in &self.options {
            let text = option.value(run);
            match parts::single(&text) {
                Ok(address) => to.push(address.whole()),
                Err(why) => run.error(format!(
                    "specified :options address '{text}' is invalid for the deprecated notify action: {why}"
                )),
            }
        }
        if to.is_empty() {
            return Ok(());
        }
        let message = match self.message.as_ref().map(|text| text.value(run)) {
            Some(text) => expand(run, &text),
            None => expand(run, "$from$: $subject$"),
        };
        let notify = Notify {
            method: "mailto:".to_owned(),
            to,
            message: Some(message),
            importance: self.importance,
            deprecated: true,
            id: self.id.as_ref().map(|id| id.value(run)),
            ..Notify::default()
        };
        run.add(Action::Notify(notify), Keep::Stays)
    }
}

/// `$from$`, `$env-from$`, `$subject$`, `$text[N]$`.
fn expand(run: &mut Run<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 1..];
        let Some(end) = inner.find('$') else {
            rest = &rest[start..];
            break;
        };
        let name = &inner[..end];
        let value = match name {
            "from" => Some(run.mail.text_of("from").unwrap_or_default()),
            "env-from" => Some(run.envelope.sender.clone()),
            "subject" => Some(run.mail.text_of("subject").unwrap_or_default()),
            _ => body_text(run, name),
        };
        match value {
            Some(value) => {
                out.push_str(&value);
                rest = &inner[end + 1..];
            }
            None => {
                out.push('$');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The first part that is text, or so many bytes of it.
fn body_text(run: &mut Run<'_>, name: &str) -> Option<String> {
    let inner = name.strip_prefix("text")?;
    let max = match inner {
        "" => usize::MAX,
        _ => inner.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
    };
    let parts = run.mail.parts();
    let index = (0..parts.list.len()).find(|&index| parts.list[index].content_type.is_kind("text"))?;
    let mut text = parts.content(index);
    crate::text::cut(&mut text, max);
    Some(text)
}

#[derive(Debug)]
struct Denotify {
    keys: Option<Vec<Text>>,
    matcher: Matcher,
    importance: Option<u8>,
}

fn denotify(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let keys = match call.positional.as_slice() {
        [] => None,
        [keys @ (Given::Text(_) | Given::Texts(_))] if call.has_match_type => Some(keys.clone().into_texts()),
        more => {
            let count = more.len();
            checker.error(
                call.position,
                format!(
                    "the denotify command requires 0 positional argument(s), but {count} is/are specified"
                ),
            );
            return None;
        }
    };
    Some(Box::new(Denotify {
        keys,
        matcher: call.matcher,
        importance: importance(&call),
    }))
}

impl Command for Denotify {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| "denotify action".to_owned());
        let mut kept = Vec::new();
        for entry in std::mem::take(&mut run.actions) {
            let goes = match &entry.action {
                Action::Notify(notify) => {
                    let named = match (&self.keys, &notify.id) {
                        (None, _) => true,
                        (Some(_), None) => false,
                        (Some(keys), Some(id)) => self.matcher.any(run, keys, [id.clone()])?,
                    };
                    named && self.importance.is_none_or(|level| level == notify.importance)
                }
                _ => false,
            };
            if !goes {
                kept.push(entry);
            }
        }
        run.actions = kept;
        Ok(())
    }
}
