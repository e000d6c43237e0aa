//! `mailbox` (RFC 5490 §3.1): `mailboxexists` and `:create`.

use super::{Extension, Offer};
use crate::checker::Checker;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("mailbox")
    .words(&[Word::test(
        "mailboxexists",
        &[("mailbox-names", Kind::Texts)],
        &[],
        build,
    )])
    .offers(&[Offer {
        words: &["fileinto"],
        tags: &[Tag::flag("create")],
    }]);

#[derive(Debug)]
struct MailboxExists(Vec<Text>);

fn build(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(MailboxExists(call.texts(0))))
}

impl Test for MailboxExists {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "mailboxexists test".to_owned());
        for name in &self.0 {
            run.spend(10)?;
            let name = name.value(run);
            if !run.host.mailbox_exists(&name) {
                run.trace(Level::Matching, |_| {
                    format!("  mailbox `{name}' cannot be opened or does not exist")
                });
                return Ok(false);
            }
        }
        Ok(true)
    }
}
