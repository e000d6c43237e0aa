//! Files of tables that a role may not open: the supervisor opens those that the configuration names.

use std::os::fd::OwnedFd;
use std::path::Path;

use ipc::roles::Answer;

use super::Supervisor;
use crate::table_files::{self, Asker};

impl Supervisor {
    /// Opens `path` for `asker`, for reading. A descriptor comes with [`Answer::Done`].
    pub(super) fn open_table(&self, asker: Asker, path: &Path) -> (Answer, Vec<OwnedFd>) {
        let is_of_hosts = || asker == Asker::Front && table_files::is_of_hosts_access(path);
        if !self.table_files.may_open(asker, path) && !is_of_hosts() {
            if asker == Asker::Front {
                // It asks for what it was told of; only a front that serves the configuration before may ask for something else.
                let text = format!(
                    "the front asks for {}, which is the file of no table: refused",
                    path.display()
                );
                self.log.warning("master", &text);
            }
            return (
                Answer::Refused("the configuration names no such table".to_owned()),
                Vec::new(),
            );
        }
        match table_files::open(path) {
            Ok(file) => (Answer::Done, vec![file.into()]),
            Err(error) => match error.raw_os_error() {
                Some(number) => (Answer::Failed(number), Vec::new()),
                None => (Answer::Refused(os::words(&error)), Vec::new()),
            },
        }
    }
}
