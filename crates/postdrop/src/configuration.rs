//! The few parameters of main.cf that postdrop needs, read with as little code as can be.
//!
//! Comments, continued lines, the last definition and `$name`, `${name}`, `$(name)` are understood as postconf(5) says; a value with
//! more than that (`${name?…}`) is an error here, not a guess. The file itself, not a copy made at the installation,
//! because a copy would be a second truth that a changed main.cf leaves behind.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::{Path, PathBuf};

use os::elevated::Caller;

/// The largest main.cf that is read, in octets.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How deep values may refer to each other.
const DEPTH_MAX: usize = 20;
/// How long a value may become, in octets.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Where main.cf lies when nobody names a directory, in order of preference; the same as in the other commands.
const DIRECTORIES: [&str; 2] = ["/etc/yubin", "/etc/postfix"];
/// Defaults of the parameters here; a test compares them with the table of all parameters.
const DEFAULTS: [(&str, &str); 6] = [
    ("alternate_config_directories", ""),
    ("authorized_submit_users", "static:anyone"),
    ("mail_owner", "yubin"),
    ("message_size_limit", "10240000"),
    ("multi_instance_directories", ""),
    ("queue_directory", "/var/spool/yubin"),
];

/// What main.cf says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// Where the queue lies.
    pub(crate) queue_directory: PathBuf,
    /// The largest content, in octets; 0: no limit.
    pub(crate) message_size_limit: u64,
    /// Who may leave mail: names, `!`, `/file`, `static:…`.
    pub(crate) authorized_submit_users: Vec<String>,
}

/// The directory of main.cf. Somebody whose rights this program extends may only name one that the usual main.cf lists.
///
/// # Errors
/// In words, when it lists no such directory or cannot be read.
pub(crate) fn directory(named: Option<PathBuf>, caller: Caller) -> Result<PathBuf, String> {
    let usual = DIRECTORIES
        .iter()
        .find(|directory| Path::new(directory).join("main.cf").exists());
    let usual = PathBuf::from(usual.unwrap_or(&DIRECTORIES[1]));
    match named {
        None => Ok(usual),
        Some(named) if named == usual || !caller.is_elevated => Ok(named),
        Some(named) => check(named, &usual),
    }
}

fn check(named: PathBuf, usual: &Path) -> Result<PathBuf, String> {
    let parameters = Parameters::read(&usual.join("main.cf"))?;
    for name in ["alternate_config_directories", "multi_instance_directories"] {
        if words(&parameters.value(name)?).any(|word| Path::new(word) == named) {
            return Ok(named);
        }
    }
    let named = named.display();
    Err(format!(
        "unauthorized configuration directory name: {named}. Specify \"alternate_config_directories = {named}\" in {}",
        usual.join("main.cf").display()
    ))
}

impl Configuration {
    /// What `directory/main.cf` says.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn read(directory: &Path) -> Result<Configuration, String> {
        let file = directory.join("main.cf");
        let parameters = Parameters::read(&file)?;
        let queue_directory = PathBuf::from(parameters.value("queue_directory")?);
        if !queue_directory.is_absolute() {
            return Err(format!(
                "{}: queue_directory is not an absolute path",
                file.display()
            ));
        }
        let limit = parameters.value("message_size_limit")?;
        let message_size_limit = limit.parse().map_err(|_| {
            format!(
                "{}: message_size_limit: \"{limit}\" is not a number",
                file.display()
            )
        })?;
        let users = parameters.value("authorized_submit_users")?;
        Ok(Configuration {
            queue_directory,
            message_size_limit,
            authorized_submit_users: words(&users).map(str::to_owned).collect(),
        })
    }
}

/// The words of a list.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\r', '\n', ','])
        .filter(|word| !word.is_empty())
}

/// A text file of limited size.
///
/// # Errors
/// In words.
pub(crate) fn text_of(path: &Path) -> Result<String, String> {
    let told = |error: &std::io::Error| format!("open {}: {}", path.display(), os::words(error));
    let file = os::files::open_regular(path, OpenOptions::new().read(true)).map_err(|error| told(&error))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| told(&error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{}: larger than {FILE_BYTES_MAX} octets", path.display()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The definitions of a main.cf as they stand there.
struct Parameters {
    file: PathBuf,
    defined: HashMap<String, String>,
}

impl Parameters {
    fn read(file: &Path) -> Result<Parameters, String> {
        let mut defined = HashMap::new();
        for line in logical_lines(&text_of(file)?) {
            // What is no definition is the business of `postfix check`.
            if let Some((name, value)) = line.split_once('=') {
                defined.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(Parameters {
            file: file.to_owned(),
            defined,
        })
    }

    fn value(&self, name: &str) -> Result<String, String> {
        self.expanded(self.raw(name), DEPTH_MAX)
            .map_err(|why| format!("{}: {name}: {why}", self.file.display()))
    }

    fn raw(&self, name: &str) -> &str {
        let default = DEFAULTS.iter().find(|(known, _)| *known == name);
        let default = default.map_or("", |(_, value)| value);
        self.defined.get(name).map_or(default, String::as_str)
    }

    fn expanded(&self, text: &str, depth_left: usize) -> Result<String, String> {
        let (mut value, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            value.push_str(&rest[..at]);
            let (name, behind) = reference(&rest[at + 1..])?;
            if name == "$" {
                value.push('$');
            } else {
                let is_known =
                    self.defined.contains_key(name) || DEFAULTS.iter().any(|(known, _)| *known == name);
                if !is_known {
                    return Err(format!("${name} is too elaborate here: write the value itself"));
                }
                let depth_left = depth_left.checked_sub(1).ok_or("it refers to itself")?;
                value.push_str(&self.expanded(self.raw(name), depth_left)?);
            }
            if value.len() > VALUE_BYTES_MAX {
                return Err("it is too long".to_owned());
            }
            rest = behind;
        }
        value.push_str(rest);
        Ok(value)
    }
}

/// The name behind a `$`, and what follows it.
fn reference(text: &str) -> Result<(&str, &str), String> {
    let name_end = |text: &str| {
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    if let Some(behind) = text.strip_prefix('$') {
        return Ok((&text[..1], behind));
    }
    let close = match text.chars().next() {
        Some('{') => Some('}'),
        Some('(') => Some(')'),
        _ => None,
    };
    let start = usize::from(close.is_some());
    let (name, behind) = text[start..].split_at(name_end(&text[start..]));
    let behind = match close {
        Some(close) => behind.strip_prefix(close),
        None => Some(behind),
    };
    match behind {
        Some(behind) if !name.is_empty() => Ok((name, behind)),
        _ => Err(format!(
            "${text:.40} is too elaborate here: write the value itself"
        )),
    }
}

/// Lines without comments; a line that begins with white space continues the one before.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(bare);
            }
            _ => lines.push(bare.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main_cf(text: &str) -> (tempfile::TempDir, Result<Configuration, String>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("main.cf"), text).unwrap();
        let read = Configuration::read(directory.path());
        (directory, read)
    }

    #[test]
    fn what_main_cf_says_is_understood() {
        let text = "# queue_directory = /no\nqueue_directory = ${top}/spool/$name\n\ntop=/var\n\
            name = first\nname = yubin\nauthorized_submit_users = !bob,\n# between\n    ann, $more\n\
            more = static:anyone\nmessage_size_limit=20000\nother = ${x?{a}:{b}}\n";
        let (_directory, read) = main_cf(text);
        assert_eq!(
            read,
            Ok(Configuration {
                queue_directory: "/var/spool/yubin".into(),
                message_size_limit: 20_000,
                authorized_submit_users: ["!bob", "ann", "static:anyone"].map(str::to_owned).to_vec(),
            })
        );
        let (_directory, read) = main_cf("");
        assert_eq!(read.unwrap().queue_directory, Path::new("/var/spool/yubin"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, why) in [
            ("queue_directory = ${x?{/a}:{/b}}\n", "too elaborate"),
            ("queue_directory = $data_directory\n", "too elaborate"),
            ("queue_directory = spool\n", "not an absolute path"),
            ("queue_directory = $queue_directory\n", "refers to itself"),
            ("message_size_limit = many\n", "not a number"),
            ("queue_directory = /a$\n", "too elaborate"),
        ] {
            let (_directory, read) = main_cf(text);
            let told = read.unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
        let doubling: String = (0..20)
            .map(|n| format!("a{n} = $a{m}$a{m}\n", m = n + 1))
            .collect();
        let (_directory, read) = main_cf(&format!("{doubling}a20 = x\nqueue_directory = /$a0\n"));
        assert!(read.is_err());
        let (_directory, read) = main_cf(&"#".repeat(2_000_000));
        assert!(read.unwrap_err().contains("larger than"));
    }

    #[test]
    fn another_directory_is_believed_only_when_the_usual_main_cf_lists_it() {
        let (usual, _) = main_cf("alternate_config_directories = /a, /b\nmulti_instance_directories = /c\n");
        for listed in ["/a", "/b", "/c"] {
            assert!(check(listed.into(), usual.path()).is_ok(), "{listed}");
        }
        for unlisted in ["/d", "/a/../d", ""] {
            let told = check(unlisted.into(), usual.path()).unwrap_err();
            assert!(
                told.starts_with("unauthorized configuration directory name: "),
                "{told}"
            );
        }
        let elevated = |is_elevated| Caller {
            uid: 1000,
            is_elevated,
        };
        assert!(directory(Some("/no/such".into()), elevated(true)).is_err());
        assert!(directory(Some("/no/such".into()), elevated(false)).is_ok());
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let surroundings = settings::Surroundings::default();
        let postfix = settings::Postfix::defaults(&surroundings);
        let (_directory, read) = main_cf("");
        let read = read.unwrap();
        assert_eq!(read.queue_directory, postfix.queue_directory);
        assert_eq!(read.message_size_limit, postfix.message_size_limit);
        assert_eq!(read.authorized_submit_users, postfix.authorized_submit_users);
        assert_eq!(DEFAULTS[2].1, postfix.mail_owner);
    }
}
