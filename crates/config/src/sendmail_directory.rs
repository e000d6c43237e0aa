//! `yubin_sendmail_directory`: which of Sendmail's files are there, and what becomes of their words.

use std::path::Path;

use sendmail_files::class_file;
use settings::{Postfix, SendmailFiles, TableRef};

use crate::text_of;

/// Names the tables that are there and adds the words of the lists to the settings that they stand for. `wrong` hears the
/// parameter and what is wrong.
pub(crate) fn read_in(postfix: &mut Postfix, wrong: &mut dyn FnMut(&str, String)) {
    let directory = postfix.yubin_sendmail_directory.clone();
    if directory.as_os_str().is_empty() {
        return;
    }
    if !directory.is_dir() {
        let cause = format!("there is no directory {}", directory.display());
        return wrong("yubin_sendmail_directory", cause);
    }
    let table = |name: &str| {
        let file = directory.join(name);
        let database = directory.join(format!("{name}.db"));
        let name = file.to_string_lossy().into_owned();
        (file.exists() || database.exists()).then(|| TableRef::new(SendmailFiles::KIND, &name))
    };
    let mut words = |name: &str| words_of(&directory.join(name), wrong);
    let relay_domains = words("relay-domains").unwrap_or_default();
    // The networks among them are no domains; clients are compared with all of them.
    let domains = relay_domains
        .iter()
        .filter(|word| word.contains(char::is_alphabetic));
    postfix.relay_domains.extend(domains.cloned());
    postfix
        .mydestination
        .extend(words("local-host-names").unwrap_or_default());
    let virtuser_domains = words("virtuser-domains").unwrap_or_default();
    postfix
        .virtual_alias_domains
        .extend(virtuser_domains.iter().cloned());
    postfix.sendmail = SendmailFiles {
        access: table("access"),
        mailertable: table("mailertable"),
        virtusertable: table("virtusertable"),
        domaintable: table("domaintable"),
        genericstable: table("genericstable"),
        relay_domains,
        generics_domains: words("generics-domains").unwrap_or_default(),
        virtuser_domains,
        trusted_users: words("trusted-users"),
    };
    add_aliases(&directory.join("aliases"), postfix);
}

/// The words of a list, if it is there.
fn words_of(file: &Path, wrong: &mut dyn FnMut(&str, String)) -> Option<Vec<String>> {
    if !file.exists() {
        return None;
    }
    match text_of(file) {
        Ok(text) => Some(class_file::words(&text)),
        Err(error) => {
            wrong("yubin_sendmail_directory", error.to_string());
            None
        }
    }
}

/// The aliases beside the other files, unless they are those of `alias_maps` already (often one is a link to the other).
/// Where the recipients of this host are those of `alias_maps`, they are those of this table too.
fn add_aliases(file: &Path, postfix: &mut Postfix) {
    let Ok(own) = file.canonicalize() else { return };
    let recipients = &mut postfix.local_recipient_maps;
    let knows_aliases = postfix.alias_maps.iter().all(|table| recipients.contains(table));
    let mut lists = vec![&mut postfix.alias_maps, &mut postfix.alias_database];
    if !recipients.is_empty() && knows_aliases {
        lists.push(recipients);
    }
    for list in lists {
        let is_there = list.iter().any(|table| {
            Path::new(&table.name)
                .canonicalize()
                .is_ok_and(|there| there == own)
        });
        if !is_there {
            list.push(TableRef::new("hash", &file.to_string_lossy()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Surroundings;

    #[test]
    fn what_is_there_is_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
        write("access", "spam.test REJECT\n");
        write("virtusertable.db", "");
        write("local-host-names", "# ours\nexample.jp\n");
        write("relay-domains", "relay.test\n192.0.2\n");
        write("aliases", "a: b\n");
        let mut postfix = Postfix::defaults(&Surroundings::default());
        postfix.yubin_sendmail_directory = dir.path().to_owned();
        postfix.alias_maps = vec![TableRef::new("hash", "/no/such/aliases")];
        let mut told = Vec::new();
        read_in(&mut postfix, &mut |name, text| {
            told.push(format!("{name}: {text}"))
        });
        assert_eq!(told, [""; 0]);
        assert!(postfix.mydestination.iter().any(|word| word == "example.jp"));
        assert!(postfix.relay_domains.iter().any(|word| word == "relay.test"));
        assert!(!postfix.relay_domains.iter().any(|word| word == "192.0.2"));
        assert_eq!(postfix.sendmail.relay_domains.len(), 2);
        assert!(postfix.sendmail.access.is_some() && postfix.sendmail.virtusertable.is_some());
        assert!(postfix.sendmail.mailertable.is_none() && postfix.sendmail.trusted_users.is_none());
        assert_eq!(postfix.alias_maps.len(), 2);
        // Not in a list of recipients that has other tables than the aliases.
        assert!(!postfix.local_recipient_maps.contains(&postfix.alias_maps[1]));
        let mut none = Postfix::defaults(&Surroundings::default());
        none.yubin_sendmail_directory = dir.path().to_owned();
        none.alias_maps = Vec::new();
        read_in(&mut none, &mut |name, text| panic!("{name}: {text}"));
        assert!(none.local_recipient_maps.contains(&none.alias_maps[0]));
        postfix.yubin_sendmail_directory = dir.path().join("no");
        read_in(&mut postfix, &mut |name, text| {
            told.push(format!("{name}: {text}"))
        });
        assert!(
            told[0].starts_with("yubin_sendmail_directory: there is no directory "),
            "{told:?}"
        );
    }
}
