//! Address lists of header fields (RFC 5322 §3.4 with the obsolete forms of §4.4), parsed without ever failing.
//!
//! Header fields hold bytes, not text: names and addresses are given back as the bytes that stand there, with
//! quotes, escapes and folding undone, encoded words (RFC 2047) left as they are.

use crate::{Address, Domain};

/// How many entries of a list are kept, group members counted; what follows is passed over.
pub const ENTRIES_MAX: usize = 50_000;

/// One entry of an address list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An address.
    Mailbox(Mailbox),
    /// `name: members;`
    Group {
        /// Its display name.
        name: Vec<u8>,
        /// Its members, perhaps none.
        members: Vec<Mailbox>,
    },
}

/// An address with its display name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mailbox {
    /// The display name; without one the comment after the address, as old mailers write names.
    pub name: Option<Vec<u8>>,
    /// The source route, `@a,@b`.
    pub route: Option<Vec<u8>>,
    /// The local part, unquoted. Empty when there is none.
    pub local: Vec<u8>,
    /// The domain.
    pub domain: Option<Vec<u8>>,
    /// The words that were taken for the local part or the name, when there are several and no brackets tell what they
    /// are: `bob smith`, `bob smith@x`.
    pub words: Vec<Vec<u8>>,
}

impl Mailbox {
    /// The address, if it is one that mail can be sent to.
    pub fn address(&self) -> Option<Address> {
        let local = std::str::from_utf8(&self.local)
            .ok()
            .filter(|l| !l.is_empty() && l.len() <= crate::LOCAL_BYTES_MAX)?;
        let domain = match &self.domain {
            Some(domain) => Some(Domain::parse(std::str::from_utf8(domain).ok()?).ok()?),
            None => None,
        };
        Some(Address::new(local, domain))
    }

    /// The addresses, as a mail system that is to deliver reads them (sendmail(1)): of several words without brackets
    /// each is one, and the domain belongs to the last. `None` for one that mail cannot be sent to.
    pub fn recipients(&self) -> Vec<Option<Address>> {
        let Some((last, others)) = self.words.split_last() else {
            return vec![self.address()];
        };
        let alone = |local: &Vec<u8>, domain: Option<Vec<u8>>| {
            let word = Mailbox {
                local: local.clone(),
                domain,
                ..Mailbox::default()
            };
            word.address()
        };
        let mut recipients: Vec<_> = others.iter().map(|word| alone(word, None)).collect();
        recipients.push(alone(last, self.domain.clone()));
        recipients
    }
}

/// All mailboxes of a list, those in groups too, in order.
pub fn mailboxes(entries: &[Entry]) -> impl Iterator<Item = &Mailbox> {
    entries.iter().flat_map(|entry| match entry {
        Entry::Mailbox(mailbox) => std::slice::from_ref(mailbox),
        Entry::Group { members, .. } => members.as_slice(),
    })
}

/// The entries of an address list. Never fails: what is not an address at all gives no entry, what is broken gives
/// what can be made out.
pub fn parse(field: &[u8]) -> Vec<Entry> {
    let mut parser = Parser {
        input: field,
        at: 0,
        comment: None,
    };
    let mut entries = Vec::new();
    let mut group: Option<(Vec<u8>, Vec<Mailbox>)> = None;
    let mut kept = 0;
    while parser.at < parser.input.len() && kept < ENTRIES_MAX {
        let (item, end) = parser.item(group.is_some());
        match item {
            Item::Nothing => {}
            Item::Mailbox(mailbox) => {
                kept += 1;
                match &mut group {
                    Some((_, members)) => members.push(mailbox),
                    None => entries.push(Entry::Mailbox(mailbox)),
                }
            }
            Item::GroupStart(name) => {
                kept += 1;
                group = Some((name, Vec::new()));
            }
        }
        if end == End::Semicolon
            && let Some((name, members)) = group.take()
        {
            entries.push(Entry::Group { name, members });
        }
    }
    if let Some((name, members)) = group {
        entries.push(Entry::Group { name, members });
    }
    entries
}

enum Item {
    Nothing,
    Mailbox(Mailbox),
    GroupStart(Vec<u8>),
}

#[derive(PartialEq)]
enum End {
    Comma,
    Semicolon,
}

/// More than one word.
fn several(words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if words.len() > 1 { words } else { Vec::new() }
}

struct Parser<'a> {
    input: &'a [u8],
    at: usize,
    /// The last comment of the current item.
    comment: Option<Vec<u8>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    /// One entry up to and including the `,` or `;` after it, or the start of a group up to its `:`.
    fn item(&mut self, in_group: bool) -> (Item, End) {
        self.comment = None;
        // The words so far, with the space between them (a display name) and without (a local part).
        let (mut phrase, mut local) = (Vec::new(), Vec::new());
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut add = |text: &[u8], space: bool| match words.last_mut() {
            Some(word) if !space || word.ends_with(b".") || text.starts_with(b".") => {
                word.extend_from_slice(text)
            }
            _ => words.push(text.to_vec()),
        };
        loop {
            let space = self.skip_space();
            let Some(byte) = self.peek() else {
                return (self.bare(&phrase, local, several(words)), End::Comma);
            };
            if space && !phrase.is_empty() {
                phrase.push(b' ');
            }
            match byte {
                b',' | b';' => {
                    self.at += 1;
                    let end = if byte == b';' { End::Semicolon } else { End::Comma };
                    return (self.bare(&phrase, local, several(words)), end);
                }
                b':' if !in_group && !phrase.is_empty() => {
                    self.at += 1;
                    trim_end(&mut phrase);
                    return (Item::GroupStart(phrase), End::Comma);
                }
                b'<' => {
                    self.at += 1;
                    trim_end(&mut phrase);
                    return self.angle(phrase);
                }
                b'@' => {
                    self.at += 1;
                    let domain = self.domain();
                    let end = self.rest_of_item();
                    let name = self.comment.take();
                    return (
                        Item::Mailbox(Mailbox {
                            name,
                            route: None,
                            local,
                            domain,
                            words: several(words),
                        }),
                        end,
                    );
                }
                b'"' => {
                    let text = self.quoted();
                    phrase.extend_from_slice(&text);
                    local.extend_from_slice(&text);
                    add(&text, space);
                }
                _ => {
                    let start = self.at;
                    self.at += 1;
                    while self.peek().is_some_and(|b| !is_special(b)) {
                        self.at += 1;
                    }
                    phrase.extend_from_slice(&self.input[start..self.at]);
                    local.extend_from_slice(&self.input[start..self.at]);
                    add(&self.input[start..self.at], space);
                }
            }
        }
    }

    /// An entry without `@` and without brackets: one word is a local part, several are a name that lacks its address.
    fn bare(&mut self, phrase: &[u8], local: Vec<u8>, words: Vec<Vec<u8>>) -> Item {
        if local.is_empty() {
            return Item::Nothing;
        }
        let phrase = phrase.trim_ascii_end();
        if phrase != local {
            return Item::Mailbox(Mailbox {
                name: Some(phrase.to_vec()),
                words,
                ..Mailbox::default()
            });
        }
        Item::Mailbox(Mailbox {
            name: self.comment.take(),
            route: None,
            local,
            domain: None,
            words,
        })
    }

    /// `@route:local@domain>` after a `<`, to the end of the entry.
    fn angle(&mut self, phrase: Vec<u8>) -> (Item, End) {
        let mut mailbox = Mailbox::default();
        let mut route = Vec::new();
        self.skip_space();
        while let Some(b'@' | b',') = self.peek() {
            let byte = self.input[self.at];
            self.at += 1;
            if byte == b'@' {
                if !route.is_empty() {
                    route.push(b',');
                }
                route.push(b'@');
                route.extend_from_slice(&self.domain().unwrap_or_default());
            }
            self.skip_space();
            if self.peek() == Some(b':') {
                self.at += 1;
                break;
            }
        }
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(b',' | b';') => break,
                Some(b'>') => {
                    self.at += 1;
                    break;
                }
                Some(b'@') => {
                    self.at += 1;
                    mailbox.domain = self.domain();
                }
                Some(b'"') => {
                    let text = self.quoted();
                    mailbox.local.extend_from_slice(&text);
                }
                Some(byte) => {
                    self.at += 1;
                    if mailbox.domain.is_none() {
                        mailbox.local.push(byte);
                    }
                }
            }
        }
        if mailbox.local.is_empty() && mailbox.domain.is_none() && !route.contains(&b',') {
            // `<@x>` is an address without a local part, no route.
            mailbox.domain = route.strip_prefix(b"@").map(<[u8]>::to_vec);
            route.clear();
        }
        let end = self.rest_of_item();
        mailbox.name = if phrase.is_empty() {
            self.comment.take()
        } else {
            Some(phrase)
        };
        mailbox.route = Some(route).filter(|r| !r.is_empty());
        if mailbox.local.is_empty() && mailbox.domain.is_none() && mailbox.name.is_none() {
            return (Item::Nothing, end);
        }
        (Item::Mailbox(mailbox), end)
    }

    /// Passes over what follows an address, up to and including the `,` or `;`.
    fn rest_of_item(&mut self) -> End {
        loop {
            self.skip_space();
            match self.peek() {
                None => return End::Comma,
                Some(b'"') => drop(self.quoted()),
                Some(byte) => {
                    self.at += 1;
                    match byte {
                        b',' => return End::Comma,
                        b';' => return End::Semicolon,
                        _ => {}
                    }
                }
            }
        }
    }

    /// A domain or literal, spaces and comments inside it dropped; `None` when there is none.
    fn domain(&mut self) -> Option<Vec<u8>> {
        let mut domain = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'[') {
            while let Some(byte) = self.peek() {
                self.at += 1;
                if !matches!(byte, b'\r' | b'\n') {
                    domain.push(byte);
                }
                if byte == b']' {
                    break;
                }
            }
            return Some(domain);
        }
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| !is_special(b) || b == b'.') {
                self.at += 1;
            }
            domain.extend_from_slice(&self.input[start..self.at]);
            let dot_before = domain.last() == Some(&b'.');
            let gap = self.skip_space();
            // Obsolete syntax allows space around the dots; elsewhere a space ends the domain.
            let goes_on = gap && (dot_before || self.peek() == Some(b'.'));
            if !goes_on || self.peek().is_none_or(|b| is_special(b) && b != b'.') {
                break;
            }
        }
        Some(domain).filter(|d| !d.is_empty())
    }

    /// The content of a quoted string, unescaped; the end of the field ends it too.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some(escaped) = self.peek() {
                        self.at += 1;
                        text.push(escaped);
                    }
                }
                b'\r' | b'\n' => {}
                byte => text.push(byte),
            }
        }
        text
    }

    /// Passes over white space and comments; tells whether there were any. The last comment is kept.
    fn skip_space(&mut self) -> bool {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'(' => self.comment(),
                _ => break,
            }
        }
        self.at > start
    }

    /// A comment; nested ones are part of its text.
    fn comment(&mut self) {
        let mut text = Vec::new();
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => {
                    depth += 1;
                    if depth > 1 {
                        text.push(byte);
                    }
                }
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                    text.push(byte);
                }
                b'\\' => {
                    if let Some(escaped) = self.peek() {
                        self.at += 1;
                        text.push(escaped);
                    }
                }
                b'\r' | b'\n' => {}
                byte => text.push(byte),
            }
        }
        let text = text.trim_ascii();
        if !text.is_empty() {
            self.comment = Some(text.to_vec());
        }
    }
}

fn trim_end(text: &mut Vec<u8>) {
    while text.last() == Some(&b' ') {
        text.pop();
    }
}

/// What ends a run of atom characters and dots. `[`, `]`, `\` and `>` outside their places are taken as text.
fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'(' | b',' | b';' | b':' | b'<' | b'>' | b'@' | b'"'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `name|route|local|domain`, groups as `name{…}`.
    fn shown(field: &str) -> String {
        let mailbox = |m: &Mailbox| {
            let text = |b: &Option<Vec<u8>>| b.as_ref().map(|b| String::from_utf8_lossy(b).into_owned());
            let local = String::from_utf8_lossy(&m.local).into_owned();
            [text(&m.name), text(&m.route), Some(local), text(&m.domain)]
                .map(|p| p.unwrap_or("-".into()))
                .join("|")
        };
        let entry = |e: &Entry| match e {
            Entry::Mailbox(m) => mailbox(m),
            Entry::Group { name, members } => {
                let members: Vec<_> = members.iter().map(mailbox).collect();
                format!("{}{{{}}}", String::from_utf8_lossy(name), members.join(" "))
            }
        };
        parse(field.as_bytes())
            .iter()
            .map(entry)
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn lists_as_mailers_write_them() {
        for (field, expected) in [
            ("a@b", "-|-|a|b"),
            ("a@b, c@d", "-|-|a|b, -|-|c|d"),
            ("Full Name <a@b>", "Full Name|-|a|b"),
            ("\"Last, First\" <a@b>", "Last, First|-|a|b"),
            ("John Q. Public <jqp@x>", "John Q. Public|-|jqp|x"),
            ("a@b (Full Name)", "Full Name|-|a|b"),
            ("root (Cron Daemon)", "Cron Daemon|-|root|-"),
            ("undisclosed-recipients:;", "undisclosed-recipients{}"),
            (
                "A Group: a@b, Joe <c@d>; e@f",
                "A Group{-|-|a|b Joe|-|c|d}, -|-|e|f",
            ),
            ("<@x,@y:a@b>", "-|@x,@y|a|b"),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|-|pete|silly.test",
            ),
            ("\"quoted local\"@h", "-|-|quoted local|h"),
            ("joe@[127.0.0.1]", "-|-|joe|[127.0.0.1]"),
            ("a . b @ c . d", "-|-|a.b|c.d"),
            ("=?UTF-8?Q?x?= <a@b>", "=?UTF-8?Q?x?=|-|a|b"),
            (",,a@b,,", "-|-|a|b"),
            ("<>", ""),
            ("", ""),
            ("a@b <c@d", "-|-|a|b"),
            ("Name <a@b", "Name|-|a|b"),
            ("root", "-|-|root|-"),
            ("日本 <a@b>", "日本|-|a|b"),
            ("one\r\n two <a@b>", "one two|-|a|b"),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    #[test]
    fn addresses_for_sending_are_found() {
        let entries = parse(b"g: \"a b\"@c;, x@y, bad@[, <>");
        let found: Vec<_> = mailboxes(&entries)
            .filter_map(Mailbox::address)
            .map(|a| a.to_string())
            .collect();
        assert_eq!(found, ["\"a b\"@c", "x@y"]);
    }

    proptest! {
        #[test]
        fn never_panics(field in proptest::collection::vec(any::<u8>(), 0..60), odd in "[<>@,:;\"\\\\\\[\\]() a.\r\n]{0,40}") {
            for field in [field.as_slice(), odd.as_bytes()] {
                mailboxes(&parse(field)).for_each(|m| drop(m.address()));
            }
        }

        #[test]
        fn a_quoted_name_comes_back(name in "[a-zA-Z ,.<>@]{0,20}[a-z]", local in "[a-z.]{1,8}", domain in "[a-z]{1,8}") {
            let field = format!("\"{name}\" <{local}@{domain}>");
            let expected = Mailbox { name: Some(name.into_bytes()), route: None, local: local.into_bytes(), domain: Some(domain.into_bytes()), words: Vec::new() };
            prop_assert_eq!(parse(field.as_bytes()), vec![Entry::Mailbox(expected)]);
        }
    }
}
