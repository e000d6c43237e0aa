//! IDLE (RFC 2177): changes are told as they happen.

use super::{Command, Extension};
use machine::Stamp;
use mailbox::ModSeq;
use mailbox::store::Watch;

use crate::session::{Event, Job, Session};
use crate::wire::Result;
use crate::wire::cursor::Cursor;

pub(crate) const EXTENSION: Extension = Extension {
    capabilities: &["IDLE"],
    commands: &[Command {
        name: "IDLE",
        needs_mailbox: false,
        run: Session::start_idle,
    }],
};

/// An IDLE under way.
pub(crate) struct Idle {
    tag: String,
    /// When something is said even if nothing happened.
    pub(crate) next_notice: Stamp,
    _watch: Option<Watch>,
    /// Up to this modseq the client knows everything, and has not been told so.
    modseq: Option<ModSeq>,
}

impl Session {
    fn start_idle(&mut self, tag: &str, _arguments: &mut Cursor<'_>) -> Result<()> {
        self.say("+ idling");
        let mut watch = None;
        if let Some(view) = &self.view {
            match self.store.watch(&view.id, self.wake.clone()) {
                Ok(kept) => watch = Some(kept),
                Err(error) => self
                    .events
                    .push_back(Event::Problem(format!("Watching a mailbox: {error}"))),
            }
        }
        let next_notice = self.now.saturating_add(self.settings.idle_notify);
        self.job = Job::Idle(Box::new(Idle {
            tag: tag.to_owned(),
            next_notice,
            _watch: watch,
            modseq: None,
        }));
        // What happened before the watch began is told now.
        self.sync_idle();
        Ok(())
    }

    /// Tells what happened.
    pub(crate) fn sync_idle(&mut self) {
        let modseq = self.sync(true, false);
        if let (Job::Idle(idle), Some(modseq)) = (&mut self.job, modseq) {
            idle.modseq = Some(modseq);
        }
    }

    /// A line arrived: DONE.
    pub(crate) fn end_idle(&mut self, line: &[u8]) {
        let Job::Idle(idle) = std::mem::replace(&mut self.job, Job::None) else {
            return;
        };
        if line.eq_ignore_ascii_case(b"DONE") {
            if let (Some(modseq), Some(view)) = (idle.modseq, &mut self.view) {
                view.modseq_told = modseq;
                self.say(&format!("* OK [HIGHESTMODSEQ {modseq}] Highest"));
            }
            self.complete(&idle.tag, "OK Idle completed.");
        } else {
            self.bad(&idle.tag, "Expected DONE");
        }
    }
}
