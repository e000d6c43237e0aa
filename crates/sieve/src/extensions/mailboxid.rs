//! `mailboxid` (RFC 9042): mailboxes by their id.

use super::{Extension, Offer};
use crate::checker::Checker;
use crate::run::{Run, Stop};
use crate::text::Text;
use crate::trace::Level;
use crate::words::{BuiltTest, Call, Kind, Tag, Test, Word};

pub(crate) const EXTENSION: Extension = Extension::new("mailboxid")
    .words(&[Word::test(
        "mailboxidexists",
        &[("mailbox-ids", Kind::Texts)],
        &[],
        build,
    )])
    .offers(&[Offer {
        words: &["fileinto", "vacation", "notify"],
        tags: &[Tag::with("mailboxid", Kind::Text)],
    }]);

#[derive(Debug)]
struct MailboxIdExists(Vec<Text>);

fn build(_: &mut Checker<'_>, call: Call) -> BuiltTest {
    Some(Box::new(MailboxIdExists(call.texts(0))))
}

impl Test for MailboxIdExists {
    fn test(&self, run: &mut Run<'_>) -> Result<bool, Stop> {
        run.trace(Level::Tests, |_| "mailboxidexists test".to_owned());
        for id in &self.0 {
            run.spend(10)?;
            let id = id.value(run);
            if !run.host.mailbox_id_exists(&id) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
