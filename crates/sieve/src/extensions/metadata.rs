//! `mboxmetadata` and `servermetadata` (RFC 5490 §3.3, §4.3): annotations of mailboxes and of the server.

use super::Extension;
use crate::checker::Checker;
use crate::matching::Matcher;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Test, Word};

pub(crate) const MAILBOX: Extension = Extension::new("mboxmetadata").off().words(&[
    Word::test(
        "metadata",
        &[
            ("mailbox", Kind::Text),
            ("annotation-name", Kind::Text),
            ("key list", Kind::Texts),
        ],
        &[],
        |checker, call| value(checker, call, true),
    )
    .matching(),
    Word::test(
        "metadataexists",
        &[("mailbox", Kind::Text), ("annotation-names", Kind::Texts)],
        &[],
        |checker, call| exists(checker, call, true),
    ),
]);
pub(crate) const SERVER: Extension = Extension::new("servermetadata").off().words(&[
    Word::test(
        "servermetadata",
        &[("annotation-name", Kind::Text), ("key list", Kind::Texts)],
        &[],
        |checker, call| value(checker, call, false),
    )
    .matching(),
    Word::test(
        "servermetadataexists",
        &[("annotation-names", Kind::Texts)],
        &[],
        |checker, call| exists(checker, call, false),
    ),
]);

/// Warns of names that no annotation can have (RFC 5464 §3.2).
fn check(checker: &mut Checker<'_>, call: &Call, names: &[Text]) {
    for name in names.iter().filter_map(Text::literal) {
        let why = if !name.starts_with('/') {
            "entry name must begin with '/'"
        } else if name.contains("//") {
            "entry name contains consecutive '/'"
        } else if name.ends_with('/') {
            "entry name ends with '/'"
        } else if name.contains(['*', '%']) || !name.bytes().all(|b| b.is_ascii() && !b.is_ascii_control()) {
            "entry name contains invalid characters"
        } else if !["/private", "/shared"]
            .iter()
            .any(|root| name.len() >= root.len() && name[..root.len()].eq_ignore_ascii_case(root))
        {
            "entry name must begin with /private or /shared"
        } else {
            continue;
        };
        let title = &call.title;
        checker.warning(
            call.position,
            format!("{title}: specified annotation name `{name}' is invalid: {why}"),
        );
    }
}

#[derive(Debug)]
struct Metadata {
    title: String,
    mailbox: Option<Text>,
    name: Text,
    keys: Vec<Text>,
    matcher: Matcher,
}

fn value(checker: &mut Checker<'_>, call: Call, of_mailbox: bool) -> BuiltTest {
    let first = usize::from(of_mailbox);
    let name = call.text(first);
    check(checker, &call, std::slice::from_ref(&name));
    Some(Box::new(Metadata {
        mailbox: of_mailbox.then(|| call.text(0)),
        name,
        keys: call.texts(first + 1),
        matcher: call.matcher,
        title: call.title,
    }))
}

/// The annotation `name`; `None` too when the mailbox is not there.
fn read(run: &mut Run<'_>, title: &str, mailbox: Option<&str>, name: &str) -> Result<Option<String>, Stop> {
    run.spend(10)?;
    if let Some(mailbox) = mailbox
        && !run.host.mailbox_exists(mailbox)
    {
        return Ok(None);
    }
    match run.host.metadata(mailbox, &name.to_ascii_lowercase()) {
        Ok(value) => Ok(value),
        Err(why) => run.fail(format!("{title}: failed to retrieve annotation `{name}': {why}")),
    }
}

impl Test for Metadata {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| self.title.clone());
        let mailbox = self.mailbox.as_ref().map(|mailbox| mailbox.value(run));
        let name = self.name.value(run);
        let value = read(run, &self.title, mailbox.as_deref(), &name)?;
        match value {
            Some(value) => self.matcher.any(run, &self.keys, [value]),
            None => Ok(false),
        }
    }
}

#[derive(Debug)]
struct MetadataExists {
    title: String,
    mailbox: Option<Text>,
    names: Vec<Text>,
}

fn exists(checker: &mut Checker<'_>, call: Call, of_mailbox: bool) -> BuiltTest {
    let names = call.texts(usize::from(of_mailbox));
    check(checker, &call, &names);
    Some(Box::new(MetadataExists {
        mailbox: of_mailbox.then(|| call.text(0)),
        names,
        title: call.title,
    }))
}

impl Test for MetadataExists {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| self.title.clone());
        let mailbox = self.mailbox.as_ref().map(|mailbox| mailbox.value(run));
        for name in &self.names {
            let name = name.value(run);
            if read(run, &self.title, mailbox.as_deref(), &name)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
