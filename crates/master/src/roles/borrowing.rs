//! Tables that a role may not open itself: the supervisor opens them for it.

use std::fs::File;
use std::io;
use std::path::Path;

use ipc::roles::{Answer, Question};

use super::line::Line;

/// From now on. Answers must be taken in by another thread than those that ask tables.
pub(super) fn borrow_tables(line: &Line) {
    let line = line.clone();
    tables::files::borrow_from(Box::new(move |path| borrowed(&line, path)));
}

fn borrowed(line: &Line, path: &Path) -> io::Result<File> {
    let (answer, mut descriptors) = line.ask(Question::OpenTable(path.to_owned()), Vec::new());
    match (answer, descriptors.pop()) {
        (Answer::Done, Some(file)) => Ok(File::from(file)),
        (Answer::Failed(number), _) => Err(io::Error::from_raw_os_error(number)),
        (Answer::Refused(why) | Answer::Busy(why), _) => Err(denied(&why)),
        _ => Err(denied("the supervisor answers something else")),
    }
}

fn denied(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("Permission denied ({why})"),
    )
}
