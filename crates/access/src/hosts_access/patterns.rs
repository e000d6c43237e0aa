//! Lists of daemons and clients with `EXCEPT`, and what each pattern matches (hosts_access(5), "PATTERNS").

use std::net::IpAddr;

use settings::Network;

use super::{Caller, Included, Name};

/// `list EXCEPT list EXCEPT …`: each list takes from the one before it.
#[derive(Debug, Clone)]
pub(super) struct List {
    patterns: Vec<Pattern>,
    except: Option<Box<List>>,
}

#[derive(Debug, Clone)]
enum Pattern {
    All,
    Known,
    Unknown,
    Local,
    Paranoid,
    /// A name or an address, with `*` and `?`, a dot before it or behind it. Lower case, no brackets.
    Text(String),
    Network(Network),
    /// `daemon@host`, of which the second part is our address.
    DaemonAt(Box<Pattern>, Box<Pattern>),
    /// What can match nobody.
    Nobody,
    /// A file of patterns that cannot be read.
    Unreadable,
}

impl List {
    pub(super) fn of_daemons(text: &str) -> List {
        List::of(&words(text), &mut |word| {
            let daemon = |word: &str| match word.eq_ignore_ascii_case("ALL") {
                true => Pattern::All,
                false => Pattern::Text(word.to_ascii_lowercase()),
            };
            vec![match word.split_once('@') {
                Some((name, host)) => {
                    DaemonAt(Box::new(daemon(name)), Box::new(host_pattern(host, &mut |_| {})))
                }
                None => daemon(word),
            }]
        })
    }

    pub(super) fn of_clients(
        text: &str,
        include: &mut dyn FnMut(&str) -> Included,
        told: &mut dyn FnMut(String),
    ) -> List {
        List::of(&words(text), &mut |word| {
            if !word.starts_with('/') {
                return client_pattern(word, told).into_iter().collect();
            }
            match include(word) {
                // Only patterns stand in a file: `EXCEPT` is a name there, and no further file is read.
                Included::Text(text) => {
                    let patterns = words(&text).into_iter();
                    patterns.filter_map(|word| client_pattern(&word, told)).collect()
                }
                Included::Missing => {
                    told(format!("{word}: no such file: the pattern matches nobody"));
                    Vec::new()
                }
                Included::Unreadable(why) => {
                    told(format!(
                        "{word}: {why}: the rule refuses until the file can be read"
                    ));
                    vec![Pattern::Unreadable]
                }
            }
        })
    }

    fn of(words: &[String], patterns: &mut dyn FnMut(&str) -> Vec<Pattern>) -> List {
        let mut lists = words
            .split(|word| word.eq_ignore_ascii_case("EXCEPT"))
            .map(|words| List {
                patterns: words.iter().flat_map(|word| patterns(word)).collect(),
                except: None,
            });
        let mut lists: Vec<List> = lists.by_ref().collect();
        let mut whole: Option<Box<List>> = None;
        while let Some(mut list) = lists.pop() {
            list.except = whole.take();
            whole = Some(Box::new(list));
        }
        whole.map_or_else(
            || List {
                patterns: Vec::new(),
                except: None,
            },
            |list| *list,
        )
    }

    pub(super) fn has_daemon(&self, caller: &Caller<'_>) -> bool {
        self.has(&|pattern| match pattern {
            DaemonAt(name, host) => {
                is_daemon(name, caller.daemons) && is_client(host, caller.local, Name::Unknown)
            }
            pattern => is_daemon(pattern, caller.daemons),
        })
    }

    /// Whether a file that one of the patterns names cannot be read: nobody knows whom the list means.
    pub(super) fn is_unreadable(&self) -> bool {
        self.patterns
            .iter()
            .any(|pattern| matches!(pattern, Pattern::Unreadable))
            || self.except.as_ref().is_some_and(|list| list.is_unreadable())
    }

    pub(super) fn has_client(&self, caller: &Caller<'_>) -> bool {
        self.has(&|pattern| is_client(pattern, caller.address, caller.name))
    }

    /// Whether a pattern asks for a client's name.
    pub(super) fn needs_names(&self) -> bool {
        let asks = |pattern: &Pattern| match pattern {
            Pattern::Known | Pattern::Unknown | Pattern::Local | Pattern::Paranoid => true,
            Pattern::Text(text) => text.parse::<IpAddr>().is_err() && !is_prefix_of_address(text),
            Pattern::All | Pattern::Network(_) | DaemonAt(..) | Pattern::Nobody | Pattern::Unreadable => {
                false
            }
        };
        self.patterns.iter().any(asks) || self.except.as_ref().is_some_and(|list| list.needs_names())
    }

    fn has(&self, matches: &dyn Fn(&Pattern) -> bool) -> bool {
        self.patterns.iter().any(matches) && !self.except.as_ref().is_some_and(|list| list.has(matches))
    }
}

use Pattern::DaemonAt;

fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || letter == ',');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `user@host` or a host. There are no users: no client is asked by RFC 1413 who it is.
fn client_pattern(word: &str, told: &mut dyn FnMut(String)) -> Option<Pattern> {
    if word.starts_with('@') {
        told(format!(
            "{word}: netgroups are not there: the pattern matches nobody"
        ));
        return None;
    }
    match word.split_once('@') {
        Some((user, host))
            if ["ALL", "UNKNOWN"]
                .iter()
                .any(|word| word.eq_ignore_ascii_case(user)) =>
        {
            Some(host_pattern(host, told))
        }
        Some(_) => {
            told(format!(
                "{word}: clients are not asked for their user: the pattern matches nobody"
            ));
            Some(Pattern::Nobody)
        }
        None => Some(host_pattern(word, told)),
    }
}

fn host_pattern(word: &str, told: &mut dyn FnMut(String)) -> Pattern {
    match word.to_ascii_uppercase().as_str() {
        "ALL" => Pattern::All,
        "KNOWN" => Pattern::Known,
        "UNKNOWN" => Pattern::Unknown,
        "LOCAL" => Pattern::Local,
        "PARANOID" => Pattern::Paranoid,
        _ => match word.split_once('/') {
            Some((base, mask)) => network(base, mask).map_or_else(
                || {
                    told(format!("{word}: this is no network: the pattern matches nobody"));
                    Pattern::Nobody
                },
                Pattern::Network,
            ),
            // What is no address stays in its brackets, and matches nobody.
            None => match unbracketed(word).parse::<IpAddr>() {
                Ok(_) => Pattern::Text(unbracketed(word).to_ascii_lowercase()),
                Err(_) => Pattern::Text(word.to_ascii_lowercase()),
            },
        },
    }
}

fn unbracketed(word: &str) -> &str {
    let inner = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(word)
}

/// `192.0.2.0/255.255.255.0`, `192.0.2.0/24`, `[2001:db8::]/32`.
fn network(base: &str, mask: &str) -> Option<Network> {
    let base: IpAddr = unbracketed(base).parse().ok()?;
    let length = match (base, mask.parse::<std::net::Ipv4Addr>()) {
        (IpAddr::V4(_), Ok(mask)) => {
            let bits = u32::from(mask);
            // Ones before zeros only.
            (bits.leading_ones() + bits.trailing_zeros() == 32).then(|| bits.leading_ones())?
        }
        _ => mask.parse().ok()?,
    };
    // The type wants no bits behind the prefix; these files do not care.
    let base = match base {
        IpAddr::V4(ip) => {
            let bits = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
            IpAddr::V4((u32::from(ip) & bits).into())
        }
        IpAddr::V6(ip) => {
            let bits = u128::MAX.checked_shl(128_u32.checked_sub(length)?).unwrap_or(0);
            IpAddr::V6((u128::from(ip) & bits).into())
        }
    };
    let text = match base {
        IpAddr::V4(ip) => format!("{ip}/{length}"),
        IpAddr::V6(ip) => format!("[{ip}]/{length}"),
    };
    text.parse().ok()
}

/// Names of daemons are compared as names of hosts are.
fn is_daemon(pattern: &Pattern, daemons: &[&str]) -> bool {
    match pattern {
        Pattern::All => true,
        Pattern::Text(text) => daemons.iter().any(|daemon| matches(text, daemon)),
        _ => false,
    }
}

fn is_client(pattern: &Pattern, address: IpAddr, name: Name<'_>) -> bool {
    match pattern {
        Pattern::All => true,
        Pattern::Known => matches!(name, Name::Known(_)),
        Pattern::Unknown => name == Name::Unknown,
        Pattern::Local => matches!(name, Name::Known(name) if !name.contains('.')),
        Pattern::Paranoid => name == Name::Paranoid,
        Pattern::Network(network) => network.contains(address),
        Pattern::Text(text) => {
            let is_address = match text.parse::<IpAddr>() {
                Ok(named) => named == address,
                Err(_) => matches(text, &address.to_string()),
            };
            is_address || matches!(name, Name::Known(name) if matches(text, &name.to_ascii_lowercase()))
        }
        DaemonAt(..) | Pattern::Nobody | Pattern::Unreadable => false,
    }
}

/// `192.0.2.` and the like.
fn is_prefix_of_address(text: &str) -> bool {
    text.ends_with('.') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn matches(pattern: &str, text: &str) -> bool {
    if pattern.contains(['*', '?']) {
        return matches_wildcards(pattern.as_bytes(), text.as_bytes());
    }
    if pattern.starts_with('.') {
        return text.ends_with(pattern);
    }
    if pattern.ends_with('.') {
        return text.starts_with(pattern);
    }
    pattern == text
}

/// `*` stands for any letters, `?` for one. No recursion: the last `*` is the only one that may take more.
fn matches_wildcards(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut letter) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while letter < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, letter));
                at += 1;
            }
            Some(b'?') => (at, letter) = (at + 1, letter + 1),
            Some(wanted) if *wanted == text[letter] => (at, letter) = (at + 1, letter + 1),
            _ => match star {
                Some((star_at, from)) => {
                    star = Some((star_at, from + 1));
                    (at, letter) = (star_at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|byte| *byte == b'*')
}
