//! From the tree of dovecot.conf to typed settings; what is wrong or not there is told.

mod databases;
mod quota;
mod sql_file;

use std::collections::BTreeMap;

use settings::kinds::{Count, Interval, Kind, List, Mode, YesNo};
use settings::{
    Condition, Dovecot, Error, Filter, InetListener, ListenerService, MailboxAuto, MailboxSetting, Namespace,
    Support, UnixListener, params,
};

use crate::dovecot_conf::{Block, Entry, Place, Setting, Tree};
use crate::dovecot_names::{Renamed, rename, variables};
use crate::{Problem, Severity, text_of};

/// What names in `plugin { }` begin with, and what they belong to.
const PLUGINS: &[(&str, &str)] = &[
    ("sieve", "Sieve"),
    ("quota", "this part of quota"),
    ("acl", "shared mailboxes and access lists"),
    ("fts", "full-text search"),
    ("zlib", "compressed mailboxes"),
    ("mail_log", "the mail log"),
    ("trash", "trash"),
    ("welcome", "welcome messages"),
    ("expire", "expiry"),
    ("imapsieve", "Sieve in IMAP"),
    ("antispam", "spam training"),
    ("mail_crypt", "encrypted mailboxes"),
    ("notify", "notification"),
    ("push_notification", "notification"),
    ("last_login", "the last login"),
    ("replication", "replication"),
    ("mail_replica", "replication"),
];

/// Makes the typed settings.
pub(crate) fn lower(tree: &Tree, problems: &mut Vec<Problem>) -> Dovecot {
    let mut lowering = Lowering {
        dovecot: Dovecot::defaults(),
        newer: tree.is_newer_dialect(),
        mail: BTreeMap::new(),
        layout_place: None,
        namespaces: Vec::new(),
        problems,
    };
    for entry in &tree.entries {
        match entry {
            Entry::Setting(setting) => lowering.setting(setting),
            Entry::Block(block) => lowering.block(block),
        }
    }
    lowering.finish()
}

struct Lowering<'p> {
    dovecot: Dovecot,
    newer: bool,
    /// `mail_driver`, `mail_path` … of the 2.4 dialect.
    mail: BTreeMap<String, String>,
    /// Where `mailbox_list_layout` stands.
    layout_place: Option<Place>,
    namespaces: Vec<(Namespace, Place)>,
    problems: &'p mut Vec<Problem>,
}

impl Lowering<'_> {
    fn tell(&mut self, severity: Severity, place: &Place, name: &str, text: impl Into<String>) {
        self.problems
            .push(Problem::new(severity, (&place.0, place.1), name, text));
    }

    fn wrong(&mut self, setting: &Setting, error: &Error) {
        self.tell(Severity::Error, &setting.place, &setting.name, error.to_string());
    }

    fn setting(&mut self, setting: &Setting) {
        if is_mail_part(&setting.name) {
            let text = self.text(&setting.text);
            if setting.name == "mailbox_list_layout" {
                self.layout_place = Some(setting.place.clone());
            }
            self.mail.insert(setting.name.clone(), text);
            return;
        }
        if self.quota_setting(setting) {
            return;
        }
        if let Some((name, text)) = self.settled(setting) {
            if name == "protocols" {
                self.protocols(&text, &setting.place);
            } else if let Err(error) = self.dovecot.set(&name, &text) {
                self.wrong(setting, &error);
            }
        }
    }

    /// The text with 2.4 variables in 2.3's form.
    fn text(&self, text: &str) -> String {
        if self.newer {
            variables(text)
        } else {
            text.to_owned()
        }
    }

    /// The 2.3 name and text of a setting, `<file` read; nothing when it says nothing to Yubin.
    fn settled(&mut self, setting: &Setting) -> Option<(String, String)> {
        let (name, text) = match rename(&setting.name, &setting.text) {
            Renamed::To(name, text) => {
                if !self.newer {
                    self.tell(
                        Severity::Warning,
                        &setting.place,
                        &setting.name,
                        format!("its name is {name} now"),
                    );
                }
                (name.to_owned(), text)
            }
            Renamed::Dropped("") => return None,
            Renamed::Dropped(reason) => {
                self.tell(
                    Severity::Note,
                    &setting.place,
                    &setting.name,
                    format!("it has no effect: {reason}"),
                );
                return None;
            }
            Renamed::Wrong(error) => {
                self.wrong(setting, &error);
                return None;
            }
            Renamed::Not => (setting.name.clone(), setting.text.clone()),
        };
        match params::dovecot(&name).map(|parameter| (parameter.support, parameter.default)) {
            Some((Support::NotSupported(reason), default)) if default != text => {
                self.tell(
                    Severity::Note,
                    &setting.place,
                    &name,
                    format!("it is not honoured: {reason}"),
                );
            }
            Some(_) => {}
            None => {
                self.unknown(setting);
                return None;
            }
        }
        let text = self.content(&text, setting)?;
        self.words_not_there(&name, &text, &setting.place);
        Some((name, self.text(&text)))
    }

    /// Dovecot does not start with a name that it does not know. The names of 2.4 are not all in the table, and its
    /// minor versions add some.
    fn of_unknown(&self) -> Severity {
        match self.newer {
            true => Severity::Warning,
            false => Severity::Error,
        }
    }

    fn unknown(&mut self, setting: &Setting) {
        let place = (setting.place.0.as_str(), setting.place.1);
        let problem = Problem::new(
            self.of_unknown(),
            place,
            &setting.name,
            "there is no such setting",
        );
        let names = params::dovecot_all().iter().map(|parameter| parameter.name);
        self.problems.push(match params::nearest(&setting.name, names) {
            Some(near) => problem.with_hint(format!("Did you mean {near}?")),
            None => problem,
        });
    }

    /// `<file` becomes what is in the file.
    fn content(&mut self, text: &str, setting: &Setting) -> Option<String> {
        let Some(file) = text.strip_prefix('<') else {
            return Some(text.to_owned());
        };
        match text_of(std::path::Path::new(file)) {
            Ok(content) => Some(content),
            Err(error) if is_left_for_later(&setting.name, &error) => {
                self.tell(
                    Severity::Warning,
                    &setting.place,
                    &setting.name,
                    error.to_string(),
                );
                Some(text.to_owned())
            }
            Err(error) => {
                self.tell(Severity::Error, &setting.place, &setting.name, error.to_string());
                None
            }
        }
    }

    fn words_not_there(&mut self, name: &str, text: &str, place: &Place) {
        let there: &[&str] = match name {
            "auth_mechanisms" => return self.mechanisms(text, place),
            "mail_plugins" => &["quota", "imap_zlib"],
            "pop3_client_workarounds" => &["outlook-no-nuls", "oe-ns-eoh"],
            "mbox_md5" => &["apop3d", "all"],
            // Every session would fail.
            "mail_location" if has_other_layout(text) => {
                let what = "mailboxes in directories (LAYOUT=fs) are not there yet for Maildir";
                return self.tell(Severity::Error, place, name, what);
            }
            "pop3_uidl_format" if pop3::uidl::UidlFormat::parse(text).is_none() => {
                let what = format!(
                    "\"{text}\" cannot be used: write %u, %f, %g or %m, so that messages are told apart"
                );
                return self.tell(Severity::Error, place, name, what);
            }
            _ => return,
        };
        for word in settings::kinds::words(text) {
            if !there.contains(&word.to_ascii_lowercase().as_str()) {
                self.tell(Severity::Note, place, name, format!("{word} is not there yet"));
            }
        }
    }

    /// Mechanisms that nobody will be offered: those of Dovecot that are not there, and words that are none.
    fn mechanisms(&mut self, text: &str, place: &Place) {
        for word in settings::kinds::words(text) {
            let is_of_dovecot = || {
                let mut missing = sasl::mechanism::NOT_THERE.into_iter();
                missing.any(|known| known.eq_ignore_ascii_case(&word))
            };
            if sasl::mechanism::known(&word).is_some() {
                continue;
            }
            if is_of_dovecot() {
                let text = format!("{word} is not there yet: nobody is offered it");
                self.tell(Severity::Warning, place, "auth_mechanisms", text);
            } else {
                let text = format!("there is no mechanism {word}");
                self.tell(Severity::Error, place, "auth_mechanisms", text);
            }
        }
    }

    fn protocols(&mut self, text: &str, place: &Place) {
        let words = settings::kinds::words(&text.to_ascii_lowercase());
        let mut list: Vec<String> = Vec::new();
        for word in &words {
            let plain = match word.as_str() {
                "managesieve" => "sieve",
                "none" => continue,
                other => other,
            };
            match plain {
                "imap" | "pop3" | "lmtp" => {}
                "sieve" | "submission" => {
                    self.tell(
                        Severity::Note,
                        place,
                        "protocols",
                        format!("{plain} is not there yet"),
                    );
                }
                other => {
                    let what =
                        format!("there is no protocol {other}: write imap, pop3, lmtp, sieve or submission");
                    self.tell(Severity::Error, place, "protocols", what);
                    continue;
                }
            }
            if !list.iter().any(|known| known == plain) {
                list.push(plain.to_owned());
            }
        }
        self.dovecot.protocols = list;
    }

    fn block(&mut self, block: &Block) {
        match block.kind.as_str() {
            "passdb" => self.passdb(block),
            "userdb" => self.userdb(block),
            "namespace" => self.namespace(block),
            "service" => self.service(block),
            "plugin" => {
                for (name, text) in self.plugin(block) {
                    self.dovecot.plugin.insert(name, text);
                }
            }
            "quota" if self.newer => self.quota_block(block),
            "protocol" | "local" | "local_name" | "remote" => self.filter(block, Vec::new()),
            "protocols" | "mail_plugins" | "auth_mechanisms" => self.boolean_list(block),
            "dict" => {
                self.tell(
                    Severity::Note,
                    &block.place,
                    "dict",
                    "it is not honoured: not yet: dictionaries",
                );
            }
            kind => {
                let what = if self.newer {
                    "this block is not there yet"
                } else {
                    "there is no such block"
                };
                let severity = if self.newer {
                    Severity::Note
                } else {
                    Severity::Error
                };
                self.tell(severity, &block.place, kind, what);
            }
        }
    }

    /// `protocols { imap = yes }` of the 2.4 dialect.
    fn boolean_list(&mut self, block: &Block) {
        let words: Vec<&str> = settings_of(block)
            .filter(|s| s.text == "yes")
            .map(|s| s.name.as_str())
            .collect();
        let setting = Setting {
            name: block.kind.clone(),
            text: words.join(" "),
            shown: words.join(" "),
            place: block.place.clone(),
        };
        self.setting(&setting);
    }

    fn plugin(&mut self, block: &Block) -> Vec<(String, String)> {
        let mut list = Vec::new();
        for setting in settings_of(block) {
            if let Some((_, subject)) = PLUGINS
                .iter()
                .find(|(prefix, _)| setting.name.starts_with(prefix))
                .filter(|(prefix, _)| *prefix != "quota" || quota::is_missing(&setting.name))
            {
                let what = format!("it is not honoured: not yet: {subject}");
                self.tell(Severity::Note, &setting.place, &setting.name, what);
            }
            if setting.name == "quota" {
                self.quota_backend(setting.text.split(':').next().unwrap_or_default(), block);
            }
            list.push((setting.name.clone(), self.text(&setting.text)));
        }
        list
    }

    fn filter(&mut self, block: &Block, outer: Vec<Condition>) {
        let mut conditions = outer;
        match condition(block) {
            Ok(condition) => conditions.push(condition),
            Err(error) => return self.tell(Severity::Error, &block.place, &block.kind, error.to_string()),
        }
        let mut filter = Filter {
            conditions: conditions.clone(),
            settings: Vec::new(),
            place: block.place.clone(),
        };
        let mut inner = Vec::new();
        for entry in &block.entries {
            match entry {
                Entry::Setting(setting) => {
                    if let Some((name, text)) = self.settled(setting) {
                        if let Err(error) = Dovecot::defaults().set(&name, &text) {
                            self.wrong(setting, &error);
                        } else {
                            filter.settings.push((name, text));
                        }
                    }
                }
                Entry::Block(block) => match block.kind.as_str() {
                    "plugin" => {
                        let list = self.plugin(block);
                        filter.settings.extend(
                            list.into_iter()
                                .map(|(name, text)| (format!("plugin/{name}"), text)),
                        );
                    }
                    "protocol" | "local" | "local_name" | "remote" => inner.push(block),
                    "mail_plugins" => {
                        let words: Vec<&str> = settings_of(block).map(|s| s.name.as_str()).collect();
                        filter.settings.push(("mail_plugins".to_owned(), words.join(" ")));
                        self.words_not_there("mail_plugins", &words.join(" "), &block.place);
                    }
                    kind => self.tell(
                        Severity::Note,
                        &block.place,
                        kind,
                        "it is not honoured inside a filter",
                    ),
                },
            }
        }
        self.dovecot.filters.push(filter);
        for block in inner {
            self.filter(block, conditions.clone());
        }
    }

    fn unknown_in(&mut self, block: &Block, setting: &Setting) {
        let place = (setting.place.0.as_str(), setting.place.1);
        let what = format!("there is no such setting in {} {{ }}", block.kind);
        let problem = Problem::new(self.of_unknown(), place, &setting.name, what);
        self.problems.push(
            match params::nearest(&setting.name, params::dovecot_block_names(&block.kind)) {
                Some(near) => problem.with_hint(format!("Did you mean {near}?")),
                None => problem,
            },
        );
    }

    fn namespace(&mut self, block: &Block) {
        // Blocks of one name are one namespace.
        let known = self
            .namespaces
            .iter()
            .position(|(known, _)| known.name == block.name && !block.name.is_empty());
        let mut namespace = match known {
            Some(at) => self.namespaces.remove(at).0,
            None => Namespace::named(&block.name),
        };
        let mut mail = BTreeMap::new();
        for entry in &block.entries {
            match entry {
                Entry::Setting(setting) => {
                    let text = self.text(&setting.text);
                    if is_mail_part(&setting.name) {
                        mail.insert(setting.name.clone(), text);
                    } else if !self.namespace_setting(&mut namespace, setting, text) {
                        self.unknown_in(block, setting);
                    }
                }
                Entry::Block(inner) if inner.kind == "mailbox" => self.mailbox(&mut namespace, inner),
                Entry::Block(inner) => {
                    self.tell(
                        Severity::Note,
                        &inner.place,
                        &inner.kind,
                        "this block is not there yet",
                    );
                }
            }
        }
        if let Some(location) = location_of(&mail) {
            namespace.location = location;
        }
        let at = known.unwrap_or(self.namespaces.len());
        self.namespaces.insert(at, (namespace, block.place.clone()));
    }

    /// Whether the setting is one of a namespace.
    fn namespace_setting(&mut self, namespace: &mut Namespace, setting: &Setting, text: String) -> bool {
        let name = setting.name.strip_prefix("namespace_").unwrap_or(&setting.name);
        let flag = match name {
            "inbox" => &mut namespace.inbox,
            "hidden" => &mut namespace.hidden,
            "subscriptions" => &mut namespace.subscriptions,
            "disabled" => &mut namespace.disabled,
            "ignore_on_failure" => &mut namespace.ignore_on_failure,
            "type" => {
                namespace.kind = text;
                return true;
            }
            "prefix" => {
                namespace.prefix = text;
                return true;
            }
            "separator" => {
                namespace.separator = text;
                return true;
            }
            "location" => {
                namespace.location = text;
                return true;
            }
            "list" => {
                namespace.list = text;
                return true;
            }
            "alias_for" => {
                namespace.alias_for = text;
                return true;
            }
            "order" => {
                match Count::read(&text) {
                    Ok(order) => namespace.order = order,
                    Err(error) => self.wrong(setting, &error),
                }
                return true;
            }
            _ => return false,
        };
        match YesNo::read(&text) {
            Ok(yes) => *flag = yes,
            Err(error) => self.wrong(setting, &error),
        }
        true
    }

    fn mailbox(&mut self, namespace: &mut Namespace, block: &Block) {
        let known = namespace
            .mailboxes
            .iter()
            .position(|mailbox| mailbox.name == block.name);
        let mut mailbox = match known {
            Some(at) => namespace.mailboxes.remove(at),
            None => MailboxSetting::named(&block.name),
        };
        for setting in settings_of(block) {
            let name = setting.name.strip_prefix("mailbox_").unwrap_or(&setting.name);
            let outcome = match name {
                "auto" => MailboxAuto::read(&setting.text).map(|auto| mailbox.auto = auto),
                "special_use" => List::read(&setting.text).map(|list| mailbox.special_use = list),
                "comment" => {
                    mailbox.comment.clone_from(&setting.text);
                    Ok(())
                }
                "autoexpunge" => Interval::read(&setting.text).map(|time| mailbox.autoexpunge = time),
                "autoexpunge_max_mails" => {
                    Count::read(&setting.text).map(|n| mailbox.autoexpunge_max_mails = n)
                }
                "driver" => Ok(()),
                _ => {
                    self.unknown_in(block, setting);
                    Ok(())
                }
            };
            if let Err(error) = outcome {
                self.wrong(setting, &error);
            }
        }
        let at = known.unwrap_or(namespace.mailboxes.len());
        namespace.mailboxes.insert(at, mailbox);
    }

    fn service(&mut self, block: &Block) {
        let mut service = self.dovecot.services.remove(&block.name).unwrap_or_default();
        for entry in &block.entries {
            match entry {
                Entry::Setting(setting) => self.service_setting(&mut service, block, setting),
                Entry::Block(inner) => {
                    self.tell_of_listener(&block.name, inner);
                    self.listener(&mut service, inner);
                }
            }
        }
        self.dovecot.services.insert(block.name.clone(), service);
    }

    /// A socket that other programs will look for in vain.
    fn tell_of_listener(&mut self, service: &str, listener: &Block) {
        let is_served = match listener.kind.as_str() {
            "inet_listener" => matches!(service, "imap-login" | "pop3-login" | "lmtp"),
            "unix_listener" => matches!(service, "auth" | "lmtp"),
            _ => false,
        };
        let is_listener =
            ["inet_listener", "unix_listener", "fifo_listener"].contains(&listener.kind.as_str());
        // What switches off penalties by address is obeyed by the auth role.
        let is_asked = listener.name == "anvil-auth-penalty";
        if is_listener && !is_served && !is_asked {
            let name = format!("service {service}");
            let what = format!("{} {}: nobody listens there yet", listener.kind, listener.name);
            self.tell(Severity::Note, &listener.place, &name, what.replace(" :", ":"));
        }
    }

    fn service_setting(&mut self, service: &mut ListenerService, block: &Block, setting: &Setting) {
        let name = setting.name.strip_prefix("service_").unwrap_or(&setting.name);
        let outcome = match name {
            "protocol" => {
                service.protocol.clone_from(&setting.text);
                Ok(())
            }
            "client_limit" => Count::read(&setting.text).map(|limit| service.client_limit = limit),
            "process_limit" => Count::read(&setting.text).map(|limit| service.process_limit = limit),
            name => {
                if !self.newer && params::dovecot_block_names("service").all(|known| known != name) {
                    self.unknown_in(block, setting);
                }
                service.others.insert(name.to_owned(), setting.text.clone());
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.wrong(setting, &error);
        }
    }

    fn listener(&mut self, service: &mut ListenerService, block: &Block) {
        match block.kind.as_str() {
            "inet_listener" => {
                let mut listener = service.inet_listeners.remove(&block.name).unwrap_or_default();
                for setting in settings_of(block) {
                    self.inet_setting(&mut listener, block, setting);
                }
                service.inet_listeners.insert(block.name.clone(), listener);
            }
            "unix_listener" | "fifo_listener" => {
                let list = if block.kind == "unix_listener" {
                    &mut service.unix_listeners
                } else {
                    &mut service.fifo_listeners
                };
                let default = UnixListener {
                    mode: 0o600,
                    ..UnixListener::default()
                };
                let mut listener = list.remove(&block.name).unwrap_or(default);
                for setting in settings_of(block) {
                    let name = setting
                        .name
                        .strip_prefix("unix_listener_")
                        .unwrap_or(&setting.name);
                    match name {
                        "mode" => match Mode::read(&setting.text) {
                            Ok(mode) => listener.mode = mode,
                            Err(error) => self.wrong(setting, &error),
                        },
                        "user" => listener.user.clone_from(&setting.text),
                        "group" => listener.group.clone_from(&setting.text),
                        _ => self.unknown_in(block, setting),
                    }
                }
                list_of(service, &block.kind).insert(block.name.clone(), listener);
            }
            kind => self.tell(
                Severity::Error,
                &block.place,
                kind,
                "there is no such block in service { }",
            ),
        }
    }

    fn inet_setting(&mut self, listener: &mut InetListener, block: &Block, setting: &Setting) {
        let name = setting
            .name
            .strip_prefix("inet_listener_")
            .unwrap_or(&setting.name);
        let outcome = match name {
            "address" | "listen" => List::read(&setting.text).map(|list| listener.address = list),
            "port" => Count::read(&setting.text).and_then(|port| {
                let range = |_| {
                    Error::Shape(format!(
                        "\"{}\" is not a port: write a number up to 65535",
                        setting.text
                    ))
                };
                u16::try_from(port)
                    .map_err(range)
                    .map(|port| listener.port = port)
            }),
            "ssl" => YesNo::read(&setting.text).map(|ssl| listener.ssl = ssl),
            "haproxy" => YesNo::read(&setting.text).map(|haproxy| listener.haproxy = haproxy),
            "reuse_port" => YesNo::read(&setting.text).map(|reuse| listener.reuse_port = reuse),
            "type" => Ok(()),
            _ => {
                self.unknown_in(block, setting);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.wrong(setting, &error);
        }
    }

    fn finish(mut self) -> Dovecot {
        self.complete_databases();
        if let Some(location) = location_of(&self.mail) {
            if let Some(place) = self.layout_place.take() {
                self.words_not_there("mail_location", &location, &place);
            }
            self.dovecot.mail_location = location;
        }
        let used: Vec<&(Namespace, Place)> = self
            .namespaces
            .iter()
            .filter(|(namespace, _)| !namespace.disabled)
            .collect();
        if let Some((_, place)) = used.first()
            && !used.iter().any(|(namespace, _)| namespace.inbox)
        {
            let place = place.clone();
            self.tell(
                Severity::Error,
                &place,
                "namespace",
                "no namespace has inbox = yes, so there is no INBOX",
            );
        }
        if !self.namespaces.is_empty() {
            self.dovecot.namespaces = self
                .namespaces
                .into_iter()
                .map(|(namespace, _)| namespace)
                .collect();
        }
        self.dovecot
    }
}

fn list_of<'s>(service: &'s mut ListenerService, kind: &str) -> &'s mut BTreeMap<String, UnixListener> {
    if kind == "unix_listener" {
        &mut service.unix_listeners
    } else {
        &mut service.fifo_listeners
    }
}

fn settings_of(block: &Block) -> impl Iterator<Item = &Setting> {
    block.entries.iter().filter_map(|entry| match entry {
        Entry::Setting(setting) => Some(setting),
        Entry::Block(_) => None,
    })
}

fn condition(block: &Block) -> Result<Condition, Error> {
    let networks = || {
        settings::kinds::words(&block.name)
            .iter()
            .map(|word| word.parse())
            .collect::<Result<Vec<_>, _>>()
    };
    if block.name.is_empty() {
        return Err(Error::Shape(format!(
            "{} {{ }} says not for what: write {} NAME {{",
            block.kind, block.kind
        )));
    }
    Ok(match block.kind.as_str() {
        "protocol" => Condition::Protocol(
            block.name.trim_start_matches('!').to_owned(),
            block.name.starts_with('!'),
        ),
        "local_name" => Condition::LocalName(block.name.clone()),
        "local" => Condition::Local(networks()?),
        _ => Condition::Remote(networks()?),
    })
}

/// Whether the folders of a Maildir are to lie otherwise than Maildir++ has them.
fn has_other_layout(location: &str) -> bool {
    let mut parts = location.split(':');
    parts.next() == Some("maildir")
        && parts
            .filter_map(|part| part.strip_prefix("LAYOUT="))
            .any(|layout| !layout.eq_ignore_ascii_case("maildir++"))
}

/// The settings of the 2.4 dialect that are parts of `mail_location`.
fn is_mail_part(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "mail_driver",
        "mail_path",
        "mail_inbox_path",
        "mail_index_path",
        "mail_control_path",
        "mailbox_list_layout",
        "mailbox_list_utf8",
    ];
    PARTS.contains(&name)
}

/// `mail_driver = maildir`, `mail_path = ~/Maildir` → `maildir:~/Maildir`.
fn location_of(parts: &BTreeMap<String, String>) -> Option<String> {
    let part = |name: &str| parts.get(name).filter(|text| !text.is_empty());
    let mut location = format!(
        "{}:{}",
        part("mail_driver")?,
        part("mail_path").map_or("", String::as_str)
    );
    for (name, key) in [
        ("mail_inbox_path", "INBOX"),
        ("mail_index_path", "INDEX"),
        ("mail_control_path", "CONTROL"),
        ("mailbox_list_layout", "LAYOUT"),
    ] {
        if let Some(text) = part(name) {
            location.push_str(&format!(":{key}={text}"));
        }
    }
    if part("mailbox_list_utf8").is_some_and(|text| text == "yes") {
        location.push_str(":UTF-8");
    }
    Some(location)
}

/// Whether a value stays `<file`, for whoever needs it to try. At a reload root is gone and the private key is closed
/// to us: the certificates that were read at the start stay in use then, and the rest of the file counts.
fn is_left_for_later(name: &str, error: &crate::Error) -> bool {
    let closed = matches!(error, crate::Error::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied);
    closed && matches!(name, "ssl_cert" | "ssl_key")
}

#[cfg(test)]
mod tests {
    use super::is_left_for_later;

    #[test]
    fn a_key_that_only_root_may_read_does_not_stop_a_reload() {
        let error = |kind: std::io::ErrorKind| crate::Error::Read {
            path: "/etc/key.pem".into(),
            source: kind.into(),
        };
        let closed = error(std::io::ErrorKind::PermissionDenied);
        assert!(is_left_for_later("ssl_key", &closed));
        assert!(!is_left_for_later(
            "ssl_key",
            &error(std::io::ErrorKind::NotFound)
        ));
        assert!(!is_left_for_later("login_greeting", &closed));
    }
}
