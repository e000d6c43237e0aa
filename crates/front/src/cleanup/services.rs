//! The rows of master.cf whose command is cleanup: through which of them a service's mail goes into the queue
//! (`cleanup_service_name`), and which settings hold for it there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use maillog::Log;
use route::Router;
use settings::{Postfix, Service};

use super::addresses::Cleanup;

/// The row that is asked where master.cf has none of that name: it does as main.cf says.
const USUAL: &str = "cleanup";

/// Where the mail of a service goes into the queue.
#[derive(Clone)]
pub struct Entry {
    /// What holds for that mail.
    pub(super) settings: Arc<Postfix>,
    pub(super) cleanup: Arc<Cleanup>,
    /// The name that no row of master.cf has: nothing goes in.
    pub(super) missing: Option<String>,
}

/// The rows, opened.
pub struct Services {
    rows: BTreeMap<String, Arc<Cleanup>>,
    usual: Arc<Cleanup>,
    /// The way in for mail of the system itself, by main.cf.
    pub main: Entry,
    /// The same for what `pickup` takes in.
    pub pickup: Entry,
}

impl Services {
    /// Opens the tables of `rows`; `main` is main.cf, `pickup` what holds for mail of users. What is wrong with one is told to `log` now, once; every question to it fails.
    pub fn open(
        (main, pickup): (&Arc<Postfix>, &Postfix),
        rows: &[Service],
        router: &Arc<Router>,
        log: &Log,
    ) -> Services {
        let mut told = BTreeSet::new();
        let mut open = |settings: &Arc<Postfix>| Arc::new(Cleanup::open(settings, router, (log, &mut told)));
        let (own, plain): (Vec<&Service>, Vec<&Service>) =
            rows.iter().partition(|row| !row.overrides.is_empty());
        let mut opened: BTreeMap<String, Arc<Cleanup>> = own
            .into_iter()
            .map(|row| (row.name.clone(), open(&Arc::new(row.settings.clone()))))
            .collect();
        // The tables of main.cf are opened once, and not where nobody asks them.
        let usual = opened.get(USUAL).cloned().unwrap_or_else(|| open(main));
        let of_main = match plain.is_empty() || !opened.contains_key(USUAL) {
            true => Arc::clone(&usual),
            false => open(main),
        };
        opened.extend(
            plain
                .into_iter()
                .map(|row| (row.name.clone(), Arc::clone(&of_main))),
        );
        Services {
            main: entry(main, &opened, &usual),
            pickup: entry(pickup, &opened, &usual),
            rows: opened,
            usual,
        }
    }

    /// The way in for the mail of a service with these settings (`-o` overrides applied). What is done to a message is up to the
    /// row of cleanup; of its own the service has what it says itself in the Received field, and what it wants to be left out.
    pub fn entry(&self, own: &Postfix) -> Entry {
        entry(own, &self.rows, &self.usual)
    }
}

fn entry(own: &Postfix, rows: &BTreeMap<String, Arc<Cleanup>>, usual: &Arc<Cleanup>) -> Entry {
    let name = &own.cleanup_service_name;
    let row = rows.get(name);
    let cleanup = row.unwrap_or(usual);
    let mut settings = Postfix::clone(cleanup.settings());
    settings.content_filter.clone_from(&own.content_filter);
    settings
        .receive_override_options
        .clone_from(&own.receive_override_options);
    settings
        .internal_mail_filter_classes
        .clone_from(&own.internal_mail_filter_classes);
    settings.mail_name.clone_from(&own.mail_name);
    settings.myhostname.clone_from(&own.myhostname);
    settings.yubin_log_rules = own.yubin_log_rules;
    Entry {
        settings: Arc::new(settings),
        cleanup: Arc::clone(cleanup),
        missing: Some(name.clone()).filter(|name| row.is_none() && name != USUAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{ServiceType, Surroundings};
    use std::time::Duration;

    struct Nobody;

    impl route::Directory for Nobody {
        fn has_user(&self, _: &str) -> Result<bool, String> {
            Ok(false)
        }
    }

    fn defaults() -> Postfix {
        Postfix::defaults(&Surroundings::default())
    }

    /// A row that sets `always_bcc`, or nothing.
    fn row(name: &str, always_bcc: Option<&str>) -> Service {
        let overrides = always_bcc.map(|copy| ("always_bcc".to_owned(), copy.to_owned()));
        Service {
            name: name.to_owned(),
            service_type: ServiceType::Unix,
            private: false,
            unprivileged: false,
            chroot: false,
            wakeup: Duration::ZERO,
            wakeup_if_used: false,
            process_limit: None,
            command: "cleanup".to_owned(),
            args: Vec::new(),
            settings: Postfix {
                always_bcc: always_bcc.unwrap_or("main").to_owned(),
                ..defaults()
            },
            overrides: overrides.into_iter().collect(),
            line: 0,
        }
    }

    /// Who gets copies of mail that goes in by the row of this name.
    fn copy(rows: &[Service], name: &str) -> String {
        let main = Arc::new(Postfix {
            always_bcc: "main".to_owned(),
            ..defaults()
        });
        let (router, _) = Router::new(Arc::clone(&main), Vec::new(), Arc::new(Nobody));
        let services = Services::open((&main, &main), rows, &Arc::new(router), &Log::to_memory().0);
        let entry = services.entry(&Postfix {
            cleanup_service_name: name.to_owned(),
            always_bcc: "smtpd".to_owned(),
            content_filter: "scan:".to_owned(),
            ..defaults()
        });
        assert_eq!(entry.settings.content_filter, "scan:");
        match entry.missing {
            Some(name) => format!("no {name}"),
            None => entry.settings.always_bcc.clone(),
        }
    }

    #[test]
    fn the_row_that_a_service_names_counts() {
        let own = [
            row("cleanup", Some("usual")),
            row("pre", Some("pre")),
            row("plain", None),
        ];
        for (name, wanted) in [
            ("cleanup", "usual"),
            ("pre", "pre"),
            ("plain", "main"),
            ("x", "no x"),
        ] {
            assert_eq!(copy(&own, name), wanted, "{name}");
        }
        let plain = [row("cleanup", None), row("pre", Some("pre"))];
        assert_eq!([copy(&plain, "cleanup"), copy(&plain, "pre")], ["main", "pre"]);
        // A master.cf that is only about ports.
        assert_eq!([copy(&[], "cleanup"), copy(&[], "pre")], ["main", "no pre"]);
    }
}
