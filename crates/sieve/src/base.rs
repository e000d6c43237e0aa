//! The base language (RFC 5228 §4, §5): its actions and tests.

use crate::actions::{Action, Redirect};
use crate::checker::Checker;
use crate::control::{Constant, StopCommand, allof, anyof, not};
use crate::envelope::split;
use crate::headers::Fields;
use crate::matching::Matcher;
use crate::parts::{self, AddressPart};
use crate::result::Keep;
use crate::run::{Run, Step, Stop};
use crate::store::{self, StoreOptions};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltCommand, BuiltTest, Call, Command, Kind, Role, Subtests, Tag, Test, Word};

/// The words that need no `require`.
pub(crate) const WORDS: &[Word] = &[
    Word {
        role: Role::Grammar,
        ..Word::command("require", &[], &[], keep)
    },
    Word {
        role: Role::Grammar,
        ..Word::command("if", &[], &[], keep)
    },
    Word {
        role: Role::Grammar,
        ..Word::command("elsif", &[], &[], keep)
    },
    Word {
        role: Role::Grammar,
        ..Word::command("else", &[], &[], keep)
    },
    Word::command("keep", &[], &[], keep),
    Word::command("discard", &[], &[], |_, _| Some(Box::new(Discard))),
    Word::command("stop", &[], &[], |_, _| Some(Box::new(StopCommand))),
    Word::command("redirect", &[("address", Kind::Text)], &[], redirect),
    Word::test("true", &[], &[], |_, _| Some(Box::new(Constant(true)))),
    Word::test("false", &[], &[], |_, _| Some(Box::new(Constant(false)))),
    Word::test("not", &[], &[], not).subtests(Subtests::One),
    Word::test("allof", &[], &[], allof).subtests(Subtests::List),
    Word::test("anyof", &[], &[], anyof).subtests(Subtests::List),
    Word::test("exists", &[("header names", Kind::Texts)], &[], exists),
    Word::test(
        "size",
        &[("limit", Kind::Number)],
        &[Tag::flag("over"), Tag::flag("under")],
        size,
    ),
    Word::test("header", HEADER_ARGUMENTS, &[], header).matching(),
    Word::test("address", ADDRESS_ARGUMENTS, &[], address).matching_addresses(),
];

const HEADER_ARGUMENTS: &[(&str, Kind)] = &[("header names", Kind::Texts), ("key list", Kind::Texts)];
const ADDRESS_ARGUMENTS: &[(&str, Kind)] = &[("header list", Kind::Texts), ("key list", Kind::Texts)];

/// The fields that hold addresses, and so can be asked by `address` (RFC 5228 §5.1): those that Pigeonhole knows.
const ADDRESS_FIELDS: [&str; 21] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "resent-from",
    "resent-sender",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-reply-to",
    "mail-followup-to",
    "mail-reply-to",
    "delivered-to",
    "apparently-to",
    "errors-to",
    "return-receipt-to",
    "x-original-to",
    "abuse-reports-to",
    "x-complaints-to",
];

#[derive(Debug)]
struct KeepCommand(StoreOptions);

fn keep(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let options = store::options(checker, &call)?;
    Some(Box::new(KeepCommand(options)))
}

impl Command for KeepCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| {
            "keep action; store message in default mailbox".to_owned()
        });
        let store = self.0.store(run, None);
        run.add(Action::Store(store), Keep::Cancelled)
    }
}

#[derive(Debug)]
struct Discard;

impl Command for Discard {
    fn run(&self, run: &mut Run<'_>) -> Step {
        run.trace(Level::Actions, |_| {
            "discard action; cancel implicit keep".to_owned()
        });
        run.add(Action::Discard, Keep::Cancelled)
    }
}

#[derive(Debug)]
struct RedirectCommand {
    address: Text,
    copy: bool,
    delivery: crate::extensions::redirect_dsn::Options,
}

fn redirect(checker: &mut Checker<'_>, call: Call) -> BuiltCommand {
    let address = call.text(0);
    if let Some(literal) = address.literal()
        && let Err(why) = parts::single(literal)
    {
        checker.error(
            call.position,
            format!("specified redirect address '{literal}' is invalid: {why}"),
        );
        return None;
    }
    Some(Box::new(RedirectCommand {
        address,
        copy: call.has("copy"),
        delivery: crate::extensions::redirect_dsn::options(checker, &call)?,
    }))
}

impl Command for RedirectCommand {
    fn run(&self, run: &mut Run<'_>) -> Step {
        let text = self.address.value(run);
        let parsed = match parts::single(&text) {
            Ok(parsed) => parsed,
            Err(why) => return run.fail(format!("specified redirect address '{text}' is invalid: {why}")),
        };
        run.trace(Level::Actions, |_| "redirect action".to_owned());
        let address = parsed.whole();
        run.trace(Level::Actions, |_| {
            format!("  forward message to address <{address}>")
        });
        if run.settings.redirects_max == 0 {
            return run.fail("local policy prohibits the use of a redirect action".to_owned());
        }
        let redirect = Redirect {
            address: parsed.whole(),
            ..self.delivery.redirect(run)?
        };
        let keep = if self.copy { Keep::Stays } else { Keep::Cancelled };
        run.add(Action::Redirect(redirect), keep)
    }
}

#[derive(Debug)]
struct Exists(Fields);

fn exists(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    Fields::of(checker, &call, 0).map(|fields| Box::new(Exists(fields)) as Box<dyn Test>)
}

impl Test for Exists {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "exists test".to_owned());
        for name in self.0.names(run) {
            run.spend(1)?;
            let found = !self.0.of_name(run, &name).is_empty();
            run.trace(Level::Matching, |_| {
                let word = if found { "exists" } else { "is missing" };
                format!("  header `{name}' {word}")
            });
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[derive(Debug)]
struct Size {
    limit: u64,
    over: bool,
}

fn size(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let (over, under) = (call.has("over"), call.has("under"));
    if over == under {
        let text = if over {
            "exactly one of the ':under' or ':over' tags must be specified for the size test, but more were found"
        } else {
            "the size test requires either the :under or the :over tag to be specified"
        };
        checker.error(call.position, text);
        return None;
    }
    Some(Box::new(Size {
        limit: call.number(0),
        over,
    }))
}

impl Test for Size {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "size test".to_owned());
        let size = run.mail.size();
        run.trace(Level::Matching, |_| format!("  comparing message size {size}"));
        Ok(if self.over {
            size > self.limit
        } else {
            size < self.limit
        })
    }
}

#[derive(Debug)]
struct Header {
    fields: Fields,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn header(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    let fields = Fields::of(checker, &call, 0)?;
    Some(Box::new(Header {
        fields,
        keys: call.texts(1),
        matcher: call.matcher,
    }))
}

impl Test for Header {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "header test".to_owned());
        let values = self.fields.texts(run)?;
        self.matcher.any(run, &self.keys, values)
    }
}

#[derive(Debug)]
struct Address {
    fields: Fields,
    keys: Vec<Text>,
    matcher: Matcher,
    part: AddressPart,
}

fn address(checker: &mut Checker<'_>, call: Call) -> BuiltTest {
    for name in call.texts(0) {
        let Some(literal) = name.literal() else {
            continue;
        };
        if !ADDRESS_FIELDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(literal))
        {
            checker.error(
                call.position,
                format!("specified header '{literal}' is not allowed for the address test"),
            );
            return None;
        }
    }
    let fields = Fields::of(checker, &call, 0)?;
    Some(Box::new(Address {
        fields,
        keys: call.texts(1),
        matcher: call.matcher,
        part: call.part,
    }))
}

impl Test for Address {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "address test".to_owned());
        let mut values = Vec::new();
        for body in self.fields.bodies(run)? {
            run.spend(1 + body.len() as u64 / 64)?;
            let delimiters = run.settings.recipient_delimiter.clone();
            let mut found = addresses(&body).peekable();
            if found.peek().is_none() && self.part == AddressPart::All {
                // What holds no address at all is looked at as it stands, as with Pigeonhole.
                values.push(crate::mail::header_text(&body));
            }
            values
                .extend(found.filter_map(|(local, domain)| self.part.of(&local, Some(&domain), &delimiters)));
        }
        self.matcher.any(run, &self.keys, values)
    }
}

/// The addresses of a field's body; what has no domain is none.
fn addresses(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let entries = address::list::parse(body);
    let whole: Vec<_> = address::list::mailboxes(&entries)
        .filter_map(|mailbox| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let domain = mailbox.domain.as_ref().filter(|domain| !domain.is_empty())?;
            let local = Some(&mailbox.local).filter(|local| !local.is_empty())?;
            Some((text(local), text(domain)))
        })
        .collect();
    whole.into_iter()
}

/// A part of an envelope address, for tests that ask for one. The null sender is the empty string in every part
/// (RFC 5228 §5.4).
pub(crate) fn envelope_part(address: &str, part: AddressPart, delimiters: &str) -> Option<String> {
    if address.is_empty() {
        return Some(String::new());
    }
    let (local, domain) = split(address);
    part.of(&local, domain, delimiters)
}
