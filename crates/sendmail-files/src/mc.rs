//! `sendmail.mc`: the calls of macros in it. Of m4 there is what such files use: quotes, `dnl`, comments, arguments, `divert`, which
//! drops text but none of the calls in it.

/// How many statements are read.
pub const STATEMENTS_MAX: usize = 100_000;
/// How deep quotes and parentheses may stand in each other.
pub const DEPTH_MAX: usize = 100;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it begins, from 1.
    pub line: usize,
    /// What it is.
    pub what: What,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `NAME(`a', `b')`, or `NAME` alone.
    Call(String, Vec<String>),
    /// A line that goes into sendmail.cf as it is.
    Raw(String),
}

/// The statements of a file, in order.
pub fn read(text: &str) -> Vec<Statement> {
    let mut reader = Reader {
        text: text.as_bytes(),
        at: 0,
        line: 1,
        is_diverted: false,
        knows_sendmail: !has_include(text),
        statements: Vec::new(),
    };
    while reader.at < reader.text.len() && reader.statements.len() < STATEMENTS_MAX {
        reader.item();
    }
    reader.statements
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    /// Behind `divert(-1)`: text is dropped.
    is_diverted: bool,
    /// Sendmail's macros are known: behind the include of cf.m4, or everywhere, where m4 is given cf.m4 before the file.
    knows_sendmail: bool,
    statements: Vec<Statement>,
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        if octet == b'\n' {
            self.line += 1;
        }
        Some(octet)
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(is_word) {
            self.at += 1;
        }
        self.text_from(start)
    }

    fn text_from(&self, start: usize) -> String {
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn rest_of_line(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|octet| octet != b'\n') {
            self.at += 1;
        }
        let text = self.text_from(start);
        self.bump();
        text
    }

    /// White space, a comment, a call, or a line of sendmail.cf.
    fn item(&mut self) {
        match self.peek() {
            Some(octet) if octet.is_ascii_whitespace() => {
                self.bump();
            }
            Some(b'#') => {
                self.rest_of_line();
            }
            Some(octet) if is_word(octet) => {
                let (start, line) = (self.at, self.line);
                let name = self.word();
                if name == "dnl" {
                    self.rest_of_line();
                } else if self.is_diverted && !self.is_defined(&name) {
                    // Text.
                } else if self.peek() == Some(b'(') {
                    let arguments = self.arguments();
                    self.call(name, arguments, line);
                } else if is_macro(&name) {
                    self.call(name, Vec::new(), line);
                } else {
                    self.at = start;
                    self.raw();
                }
            }
            // The end of a call's quotes, and what stands for nothing.
            Some(b'\'' | b'`' | b')' | b',') => {
                self.bump();
            }
            _ if self.is_diverted => {
                self.bump();
            }
            _ => self.raw(),
        }
    }

    /// Whether m4 knows the macro here.
    fn is_defined(&self, name: &str) -> bool {
        BUILT_IN.contains(&name) || self.knows_sendmail && (SENDMAILS.contains(&name) || is_macro(name))
    }

    fn call(&mut self, name: String, arguments: Vec<String>, line: usize) {
        if name == "divert" {
            let number = arguments.first().map(|text| text.trim());
            self.is_diverted = number.is_some_and(|number| number.starts_with('-'));
            return;
        }
        self.knows_sendmail |= is_include(&name) && arguments.iter().any(|file| file.ends_with("cf.m4"));
        // Sections go where their lines are not dropped.
        self.is_diverted &= !(is_macro(&name) && arguments.is_empty()) || name == "changequote";
        let what = What::Call(name, arguments);
        self.statements.push(Statement { line, what });
    }

    fn raw(&mut self) {
        let line = self.line;
        let text = self.rest_of_line();
        let text = text.split(" dnl").next().unwrap_or_default().trim_end();
        let text = text.strip_suffix("dnl").unwrap_or(text).trim_end();
        if !self.is_diverted && !text.is_empty() {
            let what = What::Raw(text.to_owned());
            self.statements.push(Statement { line, what });
        }
    }

    /// What stands between `(` and `)`, without the outer quotes.
    fn arguments(&mut self) -> Vec<String> {
        self.bump();
        let (mut all, mut current) = (Vec::new(), Vec::new());
        let (mut parentheses, mut quotes) = (0usize, 0usize);
        let mut is_blank = true;
        while let Some(octet) = self.peek() {
            if quotes == 0 {
                if is_blank && octet.is_ascii_whitespace() {
                    self.bump();
                    continue;
                }
                if self.text[self.at..].starts_with(b"dnl")
                    && !self.text.get(self.at + 3).copied().is_some_and(is_word)
                {
                    self.rest_of_line();
                    continue;
                }
            }
            self.bump();
            is_blank = false;
            match octet {
                b'`' if quotes < DEPTH_MAX => {
                    quotes += 1;
                    if quotes > 1 {
                        current.push(octet);
                    }
                }
                b'\'' if quotes > 0 => {
                    quotes -= 1;
                    if quotes > 0 {
                        current.push(octet);
                    }
                }
                b'(' if quotes == 0 => {
                    parentheses += 1;
                    current.push(octet);
                }
                b')' if quotes == 0 && parentheses == 0 => {
                    all.push(current);
                    return all
                        .into_iter()
                        .map(|text| String::from_utf8_lossy(&text).into_owned())
                        .collect();
                }
                b')' if quotes == 0 => {
                    parentheses -= 1;
                    current.push(octet);
                }
                b',' if quotes == 0 && parentheses == 0 => {
                    all.push(std::mem::take(&mut current));
                    is_blank = true;
                }
                octet => current.push(octet),
            }
        }
        all.push(current);
        all.into_iter()
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }
}

/// What m4 itself has, as far as such files use it.
const BUILT_IN: [&str; 9] = [
    "changequote",
    "define",
    "divert",
    "errprint",
    "ifdef",
    "ifelse",
    "include",
    "sinclude",
    "undefine",
];

/// Sendmail's macros, besides those that [`is_macro`] knows.
const SENDMAILS: [&str; 33] = [
    "CANONIFY_DOMAIN",
    "CANONIFY_DOMAIN_FILE",
    "CLIENT_OPTIONS",
    "DAEMON_OPTIONS",
    "DOMAIN",
    "EXPOSED_USER",
    "EXPOSED_USER_FILE",
    "FEATURE",
    "GENERICS_DOMAIN",
    "GENERICS_DOMAIN_FILE",
    "HACK",
    "INPUT_MAIL_FILTER",
    "LDAPROUTE_DOMAIN",
    "LDAPROUTE_DOMAIN_FILE",
    "MAILER",
    "MAIL_FILTER",
    "MASQUERADE_AS",
    "MASQUERADE_DOMAIN",
    "MASQUERADE_DOMAIN_FILE",
    "MASQUERADE_EXCEPTION",
    "MASQUERADE_EXCEPTION_FILE",
    "MODIFY_MAILER_FLAGS",
    "OSTYPE",
    "QUEUE_GROUP",
    "RELAY_DOMAIN",
    "RELAY_DOMAIN_FILE",
    "SITE",
    "SITECONFIG",
    "TRUST_AUTH_MECH",
    "UUCPSMTP",
    "VERSIONID",
    "VIRTUSER_DOMAIN",
    "VIRTUSER_DOMAIN_FILE",
];

fn is_include(name: &str) -> bool {
    name == "include" || name == "sinclude"
}

/// Whether the file asks for Sendmail's macros itself.
fn has_include(text: &str) -> bool {
    let mut calls = text.lines().map(str::trim_start);
    calls
        .any(|line| (line.starts_with("include(") || line.starts_with("sinclude(")) && line.contains("cf.m4"))
}

/// Macros that are called without arguments.
fn is_macro(name: &str) -> bool {
    name == "MAILER_DEFINITIONS" || name.starts_with("LOCAL_") || name == "changequote"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let shown = |statement: Statement| match statement.what {
            What::Call(name, arguments) => format!("{} {name}({})", statement.line, arguments.join("|")),
            What::Raw(text) => format!("{} {text}", statement.line),
        };
        read(text).into_iter().map(shown).collect()
    }

    #[test]
    fn calls_are_found() {
        let text = "divert(-1)\nFEATURE(`no')\ndivert(0)dnl\ninclude(`/usr/share/cf.m4')dnl\n\
            dnl # define(`confNO', `x')dnl\ndefine(`confA', `a, b')dnl and more\ndefine(`confB',dnl\n`x,y')dnl\n\
            FEATURE(access_db, `hash -T<TMPF> -o /etc/mail/access.db')dnl\nMAILER(smtp)dnl\n\
            INPUT_MAIL_FILTER(`x', `S=local:/run/x, F=T')\nLOCAL_CONFIG\nCwexample.jp example2.jp\n# a comment\n\
            FEATURE(`dnsbl', `a.test', `\"550 no `quoted' (really)\"')dnl\nLOCAL_DOMAIN(`localhost.localdomain')dnl\n";
        assert_eq!(
            shown(text),
            [
                "4 include(/usr/share/cf.m4)",
                "6 define(confA|a, b)",
                "7 define(confB|x,y)",
                "9 FEATURE(access_db|hash -T<TMPF> -o /etc/mail/access.db)",
                "10 MAILER(smtp)",
                "11 INPUT_MAIL_FILTER(x|S=local:/run/x, F=T)",
                "12 LOCAL_CONFIG()",
                "13 Cwexample.jp example2.jp",
                "15 FEATURE(dnsbl|a.test|\"550 no `quoted' (really)\")",
                "16 LOCAL_DOMAIN(localhost.localdomain)",
            ]
        );
    }

    #[test]
    fn what_is_diverted_loses_its_text_only() {
        // Before the include FEATURE is a word like others.
        let text = "divert(-1)dnl\n# FEATURE(`comment')\nSome text (with a parenthesis, FEATURE(`early')\n\
            include(`/usr/share/sendmail-cf/m4/cf.m4')dnl\nVERSIONID(`x')dnl\nmore text (\n\
            FEATURE(`redirect')dnl\nLOCAL_CONFIG\nCwa.test\ndivert(-1)\nCwb.test\n";
        assert_eq!(
            shown(text),
            [
                "4 include(/usr/share/sendmail-cf/m4/cf.m4)",
                "5 VERSIONID(x)",
                "7 FEATURE(redirect)",
                "8 LOCAL_CONFIG()",
                "9 Cwa.test",
            ]
        );
        assert_eq!(
            shown("divert(-1)\nFEATURE(`redirect')\n"),
            ["2 FEATURE(redirect)"]
        );
    }

    #[test]
    fn what_does_not_end_is_no_reason_to_hang() {
        assert_eq!(shown("define(`a', `b"), ["1 define(a|b)"]);
        assert_eq!(shown("`'),\n"), [""; 0]);
        shown(&"(`".repeat(10_000));
    }
}
