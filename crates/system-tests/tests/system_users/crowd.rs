//! Many users of the system, with homes.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::chown;

/// The name of one.
pub(crate) fn user(number: u32) -> String {
    format!("crowd{number}")
}

/// Makes so many.
pub(crate) fn make(count: u32) {
    let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
    let mut group = fs::read_to_string("/etc/group").unwrap();
    for number in 0..count {
        let (name, id) = (user(number), 5000 + number);
        let _ = writeln!(passwd, "{name}:x:{id}:{id}::/home/{name}:/bin/sh");
        let _ = writeln!(group, "{name}:x:{id}:");
        let home = format!("/home/{name}");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(id), Some(id)).unwrap();
    }
    fs::write("/etc/passwd", passwd).unwrap();
    fs::write("/etc/group", group).unwrap();
}
