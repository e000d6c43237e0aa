//! `Content-Type` and `Content-Disposition` values with their parameters (RFC 2045 §5.1, 2183, 2231).

use crate::{charset, encoded_word};

/// How many parameters of one field are kept.
pub const PARAMETERS_MAX: usize = 1_000;
/// How many pieces of one continued parameter (RFC 2231 §3) are joined.
pub const PIECES_MAX: usize = 1_000;

/// Parameters as they stand: names as written, values unquoted, RFC 2231 not undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters(pub Vec<(Vec<u8>, Vec<u8>)>);

/// A media type (RFC 2045 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// `text`, as written.
    pub kind: Vec<u8>,
    /// `plain`, as written.
    pub subtype: Vec<u8>,
    /// What follows.
    pub parameters: Parameters,
}

/// A disposition (RFC 2183).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment` …, as written.
    pub kind: Vec<u8>,
    /// What follows.
    pub parameters: Parameters,
}

impl ContentType {
    /// What a part without Content-Type is: `text/plain; charset=us-ascii` (RFC 2045 §5.2).
    pub fn text_plain() -> ContentType {
        let parameters = Parameters(vec![(b"charset".to_vec(), b"us-ascii".to_vec())]);
        ContentType {
            kind: b"text".to_vec(),
            subtype: b"plain".to_vec(),
            parameters,
        }
    }

    /// `kind/subtype` without parameters.
    pub fn plain(kind: &str, subtype: &str) -> ContentType {
        ContentType {
            kind: kind.into(),
            subtype: subtype.into(),
            parameters: Parameters::default(),
        }
    }

    /// The value of a Content-Type field; `None` when it is not one.
    pub fn parse(value: &[u8]) -> Option<ContentType> {
        let mut scan = Scan { input: value, at: 0 };
        let kind = scan.token();
        scan.skip_space();
        if kind.is_empty() || !scan.take(b'/') {
            return None;
        }
        let subtype = scan.token();
        if subtype.is_empty() {
            return None;
        }
        Some(ContentType {
            kind,
            subtype,
            parameters: scan.parameters(),
        })
    }

    /// Whether this is `kind/subtype`; case does not matter.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.is_kind(kind) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether this is `kind/…`; case does not matter.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
    }
}

/// The value of a Content-Transfer-Encoding field, comments left out; `None` when it is not one word.
pub(crate) fn transfer_encoding(value: &[u8]) -> Option<Vec<u8>> {
    let mut scan = Scan { input: value, at: 0 };
    let encoding = scan.token();
    scan.skip_space();
    (!encoding.is_empty() && scan.at == value.len()).then_some(encoding)
}

/// The tags of a Content-Language field, `max` at most, comments left out; what follows the first that is none is passed
/// over.
pub(crate) fn languages(value: &[u8], max: usize) -> Vec<Vec<u8>> {
    let mut scan = Scan { input: value, at: 0 };
    let mut tags = Vec::new();
    while tags.len() < max {
        let tag = scan.atom();
        if tag.is_empty() {
            break;
        }
        tags.push(tag);
        scan.skip_space();
        if !scan.take(b',') {
            break;
        }
    }
    tags
}

impl Disposition {
    /// The value of a Content-Disposition field; `None` when it is not one.
    pub fn parse(value: &[u8]) -> Option<Disposition> {
        let mut scan = Scan { input: value, at: 0 };
        let kind = scan.token();
        (!kind.is_empty()).then(|| Disposition {
            kind,
            parameters: scan.parameters(),
        })
    }
}

impl Parameters {
    /// The value of the first parameter that is written exactly so; case does not matter.
    pub fn find(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.as_slice())
    }

    /// The value of a parameter as people read it: continuations joined, percent coding and charset undone
    /// (RFC 2231), and, as many mailers send them, RFC 2047 words decoded.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.merged().into_iter().find(|(n, _)| {
            n.strip_suffix(b"*")
                .unwrap_or(n)
                .eq_ignore_ascii_case(name.as_bytes())
        })? {
            (n, value) if n.ends_with(b"*") => Some(extended(&value)),
            (_, value) => Some(encoded_word::decode(&value)),
        }
    }

    /// The parameters with continuations joined (`name*0`, `name*1` become `name`; pieces of which any is percent
    /// coded become `name*`), in the order of the first pieces.
    pub fn merged(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut merged: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, value) in &self.0 {
            let Some((base, 0, _)) = piece(name) else {
                if piece(name).is_none() {
                    merged.push((name.clone(), value.clone()));
                }
                continue;
            };
            let pieces: Vec<(bool, &[u8])> = self.pieces(base);
            let any_coded = pieces.iter().any(|&(coded, _)| coded);
            let mut whole = Vec::new();
            for (coded, text) in pieces {
                if any_coded && !coded {
                    // A plain piece among coded ones: its own percent signs must not be read as coding.
                    text.iter().for_each(|&b| {
                        if b == b'%' {
                            whole.extend_from_slice(b"%25")
                        } else {
                            whole.push(b)
                        }
                    });
                } else {
                    whole.extend_from_slice(text);
                }
            }
            let mut full = base.to_vec();
            if any_coded {
                full.push(b'*');
            }
            merged.push((full, whole));
        }
        merged
    }

    /// The pieces 0, 1, 2 … of a continued parameter, each with whether it is percent coded.
    fn pieces(&self, base: &[u8]) -> Vec<(bool, &[u8])> {
        let of_base: Vec<_> = self
            .0
            .iter()
            .filter_map(|(name, value)| piece(name).map(|p| (p, value)))
            .filter(|((b, ..), _)| b.eq_ignore_ascii_case(base))
            .take(PIECES_MAX)
            .collect();
        let mut by_number = std::collections::BTreeMap::new();
        for ((_, number, coded), value) in of_base {
            by_number.entry(number).or_insert((coded, value.as_slice()));
        }
        (0..)
            .map_while(|number| by_number.get(&number).copied())
            .collect()
    }
}

/// `name*3` or `name*3*` as base, number, whether it is percent coded.
fn piece(name: &[u8]) -> Option<(&[u8], u32, bool)> {
    let (text, coded) = match name.strip_suffix(b"*") {
        Some(text) => (text, true),
        None => (name, false),
    };
    let star = text.iter().rposition(|&b| b == b'*')?;
    let number = std::str::from_utf8(&text[star + 1..]).ok()?.parse().ok()?;
    (star > 0).then_some((&text[..star], number, coded))
}

/// The text of an extended value, `charset'language'percent-coded` (RFC 2231 §4).
fn extended(value: &[u8]) -> String {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let (Some(label), Some(_language), Some(coded)) = (parts.next(), parts.next(), parts.next()) else {
        return charset::guess(&percent_decoded(value));
    };
    let bytes = percent_decoded(coded);
    let label = String::from_utf8_lossy(label);
    charset::to_utf8(&label, &bytes).unwrap_or_else(|_| charset::guess(&bytes))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = |b: Option<&u8>| b.and_then(|&b| (b as char).to_digit(16));
        match (text[at], hex(text.get(at + 1)), hex(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

struct Scan<'a> {
    input: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// White space, line ends and comments.
    fn skip_space(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.at += 1,
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ if depth > 0 => {}
                _ => break,
            }
            self.at += 1;
        }
        self.at = self.at.min(self.input.len());
    }

    /// An atom (RFC 822): also what a MIME token may not hold.
    fn atom(&mut self) -> Vec<u8> {
        self.skip_space();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b > b' ' && !b"()<>@,;:\\\".[]".contains(&b))
        {
            self.at += 1;
        }
        self.input[start..self.at].to_vec()
    }

    fn token(&mut self) -> Vec<u8> {
        self.skip_space();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b > b' ' && !b"()<>@,;:\\\"/[]?=".contains(&b))
        {
            self.at += 1;
        }
        self.input[start..self.at].to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                b'\r' | b'\n' => {}
                byte => text.push(byte),
            }
        }
        self.at = self.at.min(self.input.len());
        text
    }

    /// `; name=value` to the end. Unquoted values may hold what the grammar forbids (spaces in file names).
    fn parameters(&mut self) -> Parameters {
        let mut parameters = Vec::new();
        while self.at < self.input.len() && parameters.len() < PARAMETERS_MAX {
            while self.peek().is_some_and(|b| b != b';') {
                if self.peek() == Some(b'"') {
                    self.quoted();
                } else {
                    self.at += 1;
                }
            }
            self.take(b';');
            let name = self.token();
            self.skip_space();
            // A value without a name is kept: Dovecot shows it as it stands.
            if !self.take(b'=') {
                continue;
            }
            self.skip_space();
            let value = if self.peek() == Some(b'"') {
                self.quoted()
            } else {
                self.bare_value()
            };
            parameters.push((name, value));
        }
        Parameters(parameters)
    }

    fn bare_value(&mut self) -> Vec<u8> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| !matches!(b, b';' | b'(' | b'\r' | b'\n'))
        {
            self.at += 1;
        }
        self.input[start..self.at].trim_ascii_end().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_types_as_mailers_write_them() {
        let ct = ContentType::parse(
            b" Text/HTML; charset=\"utf-8\" (comment);\r\n\tname = a file.txt; x=\"a\\\"b\"",
        )
        .unwrap();
        assert!(ct.is("text", "html"));
        assert_eq!(ct.parameters.find("CHARSET"), Some(&b"utf-8"[..]));
        assert_eq!(ct.parameters.find("name"), Some(&b"a file.txt"[..]));
        assert_eq!(ct.parameters.find("x"), Some(&b"a\"b"[..]));
        for bad in ["", "text", "/plain", "text/", ";x=y"] {
            assert!(ContentType::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn small_fields_as_dovecot_reads_them() {
        let languages = |value: &str| {
            let tags = languages(value.as_bytes(), 9);
            tags.iter()
                .map(|tag| String::from_utf8_lossy(tag).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(languages(" en-us,\r\n de (x)"), ["en-us", "de"]);
        assert_eq!(languages("en (x), \"de\", fr"), ["en"]);
        assert_eq!(languages("en de"), ["en"]);
        assert!(languages("\"a b\"").is_empty() && languages("(only)").is_empty());
        let encoding =
            |value: &str| transfer_encoding(value.as_bytes()).map(|e| String::from_utf8(e).unwrap());
        assert_eq!(encoding(" base64 (c)").as_deref(), Some("base64"));
        assert_eq!(encoding("foo-bar").as_deref(), Some("foo-bar"));
        for none in ["\"base64\"", "(c) 8bit x", "", "(c)"] {
            assert_eq!(encoding(none), None, "{none}");
        }
        let ct = ContentType::parse(b"text/plain; =c; d=e; f").unwrap();
        let pairs = [(b"".to_vec(), b"c".to_vec()), (b"d".to_vec(), b"e".to_vec())];
        assert_eq!(ct.parameters.0, pairs);
    }

    #[test]
    fn rfc_2231_values_are_read() {
        let text = |value: &str| {
            Disposition::parse(value.as_bytes())
                .unwrap()
                .parameters
                .text("filename")
        };
        assert_eq!(
            text("attachment; filename*=utf-8'ja'%E3%81%82.txt").as_deref(),
            Some("あ.txt")
        );
        assert_eq!(
            text("attachment; filename*0=ab; filename*1=\"cd\"").as_deref(),
            Some("abcd")
        );
        assert_eq!(
            text("attachment; filename*1=50%.txt; filename*0*=iso-2022-jp''%1B%24B%24%22%1B%28B").as_deref(),
            Some("あ50%.txt")
        );
        assert_eq!(
            text("attachment; filename=\"=?UTF-8?B?44GC?=\"").as_deref(),
            Some("あ")
        );
        assert_eq!(text("attachment"), None);
    }

    proptest! {
        #[test]
        fn never_panics(value in "[a/;=\"\\\\*0'%(\\) \r\n]{0,60}") {
            if let Some(ct) = ContentType::parse(value.as_bytes()) {
                let _ = (ct.parameters.text("a"), ct.parameters.merged());
            }
            let _ = Disposition::parse(value.as_bytes()).map(|d| d.parameters.text("a"));
        }
    }
}
