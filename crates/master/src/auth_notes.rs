//! What the auth role tells of log-ins (`auth_debug`, master users), as lines of the log.

use maillog::{Log, Severity, lines};

/// Where the notes of [`auth::Auth::telling`] go.
pub fn to(log: Log) -> auth::Sink {
    Box::new(move |note| {
        log.write(&lines::auth::Noted {
            database: note.database,
            user: note.user,
            remote: note.remote,
            is_master: note.is_master,
            text: note.text,
            severity: match note.level {
                auth::Level::Debug => Severity::Debug,
                auth::Level::Info => Severity::Info,
            },
        });
    })
}
