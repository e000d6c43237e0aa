//! Forms of Dovecot 1.x, which 2.3 still reads with a warning: `auth default { }`, `passdb pam { }`, `imaps` and `pop3s`
//! among the protocols. They become what 2.3 writes.

use crate::dovecot_conf::{Block, Entry, Place, Setting};
use crate::{Problem, Severity};

/// Settings of `auth default { }` about processes that are not Yubin's.
const OF_PROCESSES: &[&str] = &[
    "chroot",
    "count",
    "executable",
    "process_size",
    "worker_max_request_count",
];

/// The entries in the forms of 2.3.
pub(crate) fn renewed(entries: Vec<Entry>, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut renewing = Renewing { problems };
    let mut out = Vec::new();
    for entry in entries {
        match entry {
            Entry::Setting(setting) if setting.name == "protocols" => renewing.protocols(setting, &mut out),
            Entry::Block(block) if block.kind == "auth" => renewing.auth(&block, &mut out),
            Entry::Block(block) if matches!(block.kind.as_str(), "passdb" | "userdb") => {
                out.push(Entry::Block(renewing.database(block)));
            }
            other => out.push(other),
        }
    }
    out
}

struct Renewing<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Renewing<'_> {
    fn obsolete(&mut self, place: &Place, name: &str, what: &str) {
        let place = (place.0.as_str(), place.1);
        self.problems
            .push(Problem::new(Severity::Warning, place, name, what));
    }

    /// `imaps` and `pop3s` are listeners now; alone they say that there is no other.
    fn protocols(&mut self, setting: Setting, out: &mut Vec<Entry>) {
        let words = settings::kinds::words(&setting.text);
        let has = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
        let mut list: Vec<String> = Vec::new();
        let mut switched_off = Vec::new();
        for word in &words {
            let plain = match word.to_ascii_lowercase().as_str() {
                "imaps" => "imap".to_owned(),
                "pop3s" => "pop3".to_owned(),
                _ => word.clone(),
            };
            if plain.len() != word.len() {
                let what = if has(&plain) {
                    format!("{word} is no longer necessary: remove it")
                } else {
                    switched_off.push(plain.clone());
                    format!(
                        "{word} is {plain} now, and so it is read; its port without TLS is off: inet_listener {plain} {{ port = 0 }}"
                    )
                };
                self.obsolete(&setting.place, "protocols", &what);
            }
            if !list.contains(&plain) {
                list.push(plain);
            }
        }
        let place = setting.place.clone();
        // What needs no change is shown as it is written.
        let text = match list.len() == words.len() && switched_off.is_empty() {
            true => setting.text.clone(),
            false => list.join(" "),
        };
        out.push(Entry::Setting(Setting {
            shown: text.clone(),
            text,
            ..setting
        }));
        for plain in switched_off {
            let port = vec![written("port", "0", &place)];
            let listener = vec![block("inet_listener", &plain, port, &place)];
            out.push(block("service", &format!("{plain}-login"), listener, &place));
        }
    }

    /// `passdb pam { }` is `passdb { driver = pam }`.
    fn database(&mut self, mut block: Block) -> Block {
        let has_driver = block
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::Setting(setting) if setting.name == "driver"));
        if !block.name.is_empty() && !has_driver {
            let (kind, name) = (block.kind.clone(), std::mem::take(&mut block.name));
            let what = format!("{kind} {name} {{ }} is {kind} {{ driver = {name} }} now");
            self.obsolete(&block.place, &kind, &what);
            block.entries.push(written("driver", &name, &block.place));
        }
        block
    }

    /// What stands in `auth default { }` stands outside now, with `auth_` before the names.
    fn auth(&mut self, auth: &Block, out: &mut Vec<Entry>) {
        let what = "auth { } is gone: its settings stand outside now, with auth_ before their names";
        self.obsolete(&auth.place, "auth", what);
        for entry in &auth.entries {
            match entry {
                Entry::Setting(setting) => self.auth_setting(setting, out),
                Entry::Block(inner) if matches!(inner.kind.as_str(), "passdb" | "userdb") => {
                    out.push(Entry::Block(self.database(inner.clone())));
                }
                Entry::Block(inner) if inner.kind == "socket" => socket(inner, out),
                // Told as unknown at its place.
                Entry::Block(inner) => out.push(Entry::Block(inner.clone())),
            }
        }
    }

    fn auth_setting(&mut self, setting: &Setting, out: &mut Vec<Entry>) {
        let name = setting.name.as_str();
        if name == "user" {
            self.obsolete(&setting.place, name, "it is service auth { user } now");
            let user = vec![Entry::Setting(setting.clone())];
            return out.push(block("service", "auth", user, &setting.place));
        }
        if OF_PROCESSES.contains(&name) {
            return self.obsolete(&setting.place, name, "it is gone and has no effect");
        }
        let mut text = setting.text.clone();
        let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if name == "cache_size" && is_bare {
            text.push('M');
            self.obsolete(
                &setting.place,
                name,
                &format!("a bare number is bytes now: write {text}"),
            );
        }
        out.push(Entry::Setting(Setting {
            name: format!("auth_{name}"),
            shown: text.clone(),
            text,
            place: setting.place.clone(),
        }));
    }
}

/// `socket listen { client { path = … mode = … } }` is `service auth { unix_listener … { mode = … } }`.
fn socket(socket: &Block, out: &mut Vec<Entry>) {
    let mut listeners = Vec::new();
    for entry in &socket.entries {
        let Entry::Block(listener) = entry else { continue };
        let is_path = |entry: &&Entry| matches!(entry, Entry::Setting(setting) if setting.name == "path");
        let path = listener
            .entries
            .iter()
            .find(is_path)
            .map_or("", |entry| match entry {
                Entry::Setting(setting) => setting.text.as_str(),
                Entry::Block(_) => "",
            });
        let entries = listener.entries.iter().filter(|entry| !is_path(entry)).cloned();
        listeners.push(block("unix_listener", path, entries.collect(), &listener.place));
    }
    out.push(block("service", "auth", listeners, &socket.place));
}

fn written(name: &str, text: &str, place: &Place) -> Entry {
    Entry::Setting(Setting {
        name: name.to_owned(),
        text: text.to_owned(),
        shown: text.to_owned(),
        place: place.clone(),
    })
}

fn block(kind: &str, name: &str, entries: Vec<Entry>, place: &Place) -> Entry {
    Entry::Block(Block {
        kind: kind.to_owned(),
        name: name.to_owned(),
        entries,
        place: place.clone(),
    })
}
