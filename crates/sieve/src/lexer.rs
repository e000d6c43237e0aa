//! Words of a script (RFC 5228 §2, §8.1): tokens with their places.

use crate::diagnostics::Position;

/// The longest string of a script, in bytes.
pub const STRING_BYTES_MAX: usize = 1 << 20;
/// The longest identifier, in bytes.
pub const IDENTIFIER_BYTES_MAX: usize = 32;

/// A word of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    End,
    Identifier(String),
    /// Without its colon.
    Tag(String),
    Number(u64),
    Text(String),
    ListOpen,
    ListClose,
    BlockOpen,
    BlockClose,
    TestsOpen,
    TestsClose,
    Comma,
    Semicolon,
    Slash,
    /// Characters that mean nothing here; told already.
    Unknown,
    /// The text could not be read on; told already.
    Broken,
}

impl Token {
    /// What messages call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Token::End => "end of file",
            Token::Identifier(_) => "identifier",
            Token::Tag(_) => "tag",
            Token::Number(_) => "number",
            Token::Text(_) => "string",
            Token::ListOpen => "'['",
            Token::ListClose => "']'",
            Token::BlockOpen => "'{'",
            Token::BlockClose => "'}'",
            Token::TestsOpen => "'('",
            Token::TestsClose => "')'",
            Token::Comma => "','",
            Token::Semicolon => "';'",
            Token::Slash => "'/'",
            Token::Unknown => "unknown characters",
            Token::Broken => "(lexer error)",
        }
    }
}

/// Reads tokens.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// `column` is that of this character.
    counted_to: usize,
    column: u32,
    /// What could not be read.
    pub(crate) complaints: Vec<(Position, String)>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer {
            text: text.as_bytes(),
            at: 0,
            line: 1,
            line_start: 0,
            counted_to: 0,
            column: 1,
            complaints: Vec::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn advance(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line += 1;
            self.line_start = self.at + 1;
        }
        self.at += 1;
    }

    /// Where the next character is. Counted on from where it was asked last: lines may be long.
    pub(crate) fn position(&mut self) -> Position {
        if self.counted_to < self.line_start {
            (self.counted_to, self.column) = (self.line_start, 1);
        }
        let passed = self.text.get(self.counted_to..self.at).unwrap_or_default();
        let characters = passed.iter().filter(|&&b| b & 0xc0 != 0x80).count();
        self.column = self
            .column
            .saturating_add(u32::try_from(characters).unwrap_or(u32::MAX));
        self.counted_to = self.counted_to.max(self.at);
        Position {
            line: self.line,
            column: self.column,
        }
    }

    fn complain(&mut self, text: String) {
        let position = self.position();
        self.complaints.push((position, text));
    }

    /// The next token and where it starts.
    pub(crate) fn next(&mut self) -> (Token, Position) {
        if !self.skip_space() {
            return (Token::Broken, self.position());
        }
        let position = self.position();
        let Some(first) = self.peek() else {
            return (Token::End, position);
        };
        let single = match first {
            b'[' => Some(Token::ListOpen),
            b']' => Some(Token::ListClose),
            b'{' => Some(Token::BlockOpen),
            b'}' => Some(Token::BlockClose),
            b'(' => Some(Token::TestsOpen),
            b')' => Some(Token::TestsClose),
            b',' => Some(Token::Comma),
            b';' => Some(Token::Semicolon),
            b'/' => Some(Token::Slash),
            _ => None,
        };
        if let Some(token) = single {
            self.advance();
            return (token, position);
        }
        let token = match first {
            b'"' => self.quoted(),
            b'0'..=b'9' => self.number(),
            b':' => {
                self.advance();
                self.tag()
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            _ => self.unknown(),
        };
        (token, position)
    }

    /// White space and comments; `false` when a comment has no end.
    fn skip_space(&mut self) -> bool {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.advance(),
                Some(b'#') => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.advance();
                    }
                }
                Some(b'/') if self.text.get(self.at + 1) == Some(&b'*') => {
                    let start = self.line;
                    self.advance();
                    self.advance();
                    while self.peek().is_some() && !self.text[self.at..].starts_with(b"*/") {
                        self.advance();
                    }
                    if self.peek().is_none() {
                        self.complain(format!(
                            "end of file before end of bracket comment ('/* ... */') started at line {start}"
                        ));
                        return false;
                    }
                    self.advance();
                    self.advance();
                }
                _ => return true,
            }
        }
    }

    fn identifier(&mut self) -> Option<String> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            self.at += 1;
        }
        let name = &self.text[start..self.at];
        if name.len() > IDENTIFIER_BYTES_MAX {
            self.complain(format!(
                "encountered impossibly long {} '{}...'",
                "identifier",
                String::from_utf8_lossy(&name[..IDENTIFIER_BYTES_MAX])
            ));
            return None;
        }
        Some(String::from_utf8_lossy(name).into_owned())
    }

    fn tag(&mut self) -> Token {
        if !self.peek().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') {
            self.complain("expecting an identifier after ':' for a tag".to_owned());
            return Token::Unknown;
        }
        match self.identifier() {
            Some(name) => Token::Tag(name),
            None => Token::Broken,
        }
    }

    fn word(&mut self) -> Token {
        let Some(name) = self.identifier() else {
            return Token::Broken;
        };
        if name.eq_ignore_ascii_case("text") && self.peek() == Some(b':') {
            self.advance();
            return self.multi_line();
        }
        Token::Identifier(name)
    }

    fn number(&mut self) -> Token {
        let mut value: Option<u64> = Some(0);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value
                .and_then(|v| v.checked_mul(10))
                .and_then(|v| v.checked_add(u64::from(digit - b'0')));
            self.advance();
        }
        let shift = match self.peek().map(|b| b.to_ascii_uppercase()) {
            Some(b'K') => 10,
            Some(b'M') => 20,
            Some(b'G') => 30,
            Some(b'T') => 40,
            _ => 0,
        };
        if shift > 0 {
            self.advance();
        }
        match value.and_then(|v| v.checked_mul(1 << shift)) {
            Some(value) => Token::Number(value),
            None => {
                self.complain(format!("number exceeds integer limits (max {})", u64::MAX));
                Token::Broken
            }
        }
    }

    fn quoted(&mut self) -> Token {
        let start = self.line;
        self.advance();
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None => {
                    self.complain(format!(
                        "end of file before end of quoted string started at line {start}"
                    ));
                    return Token::Broken;
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    self.advance();
                    if let Some(byte) = self.peek() {
                        bytes.push(byte);
                        self.advance();
                    }
                }
                // A line end in a string is CRLF, however the file ends its lines (RFC 5228 §2.4.2).
                Some(b'\r') => self.advance(),
                Some(b'\n') => {
                    bytes.extend_from_slice(b"\r\n");
                    self.advance();
                }
                Some(0) => {
                    self.complain("encountered NUL character in quoted string".to_owned());
                    return Token::Broken;
                }
                Some(byte) => {
                    bytes.push(byte);
                    self.advance();
                }
            }
        }
        self.advance();
        self.string(bytes, start)
    }

    fn string(&mut self, bytes: Vec<u8>, start: u32) -> Token {
        if bytes.len() > STRING_BYTES_MAX {
            self.complain(format!(
                "string started at line {start} is too long (longer than {STRING_BYTES_MAX} bytes)"
            ));
            return Token::Broken;
        }
        Token::Text(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What follows `text:`.
    fn multi_line(&mut self) -> Token {
        let start = self.line;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.advance();
        }
        if self.peek() == Some(b'#') {
            while self.peek().is_some_and(|b| b != b'\n') {
                self.advance();
            }
        }
        match self.peek() {
            Some(b'\n') => self.advance(),
            Some(byte) => {
                self.complain(format!(
                    "invalid character '{}' after 'text:' in multiline string",
                    byte as char
                ));
                return Token::Broken;
            }
            None => {}
        }
        let mut bytes = Vec::new();
        while self.peek().is_some() {
            let rest = &self.text[self.at..];
            let end = memchr::memchr(b'\n', rest);
            let line = end.map_or(rest, |end| &rest[..end]);
            let content = line.strip_suffix(b"\r").unwrap_or(line);
            for _ in 0..line.len() + usize::from(end.is_some()) {
                self.advance();
            }
            if content == b"." {
                return self.string(bytes, start);
            }
            // `..` at the start of a line stands for a dot (RFC 5228 §2.4.2.1).
            let stuffed = content.starts_with(b"..");
            bytes.extend_from_slice(&content[usize::from(stuffed)..]);
            bytes.extend_from_slice(b"\r\n");
        }
        self.complain("end of file before end of multi-line string".to_owned());
        Token::Broken
    }

    fn unknown(&mut self) -> Token {
        let first = self.text[self.at];
        let shown = if first.is_ascii_graphic() {
            format!("'{}'", first as char)
        } else {
            format!("0x{first:02x}")
        };
        self.complain(format!("unexpected character(s) starting with {shown}"));
        while self.peek().is_some_and(|b| {
            !b" \t\r\n#\"/[]{}(),;:0123456789".contains(&b) && !b.is_ascii_alphabetic() && b != b'_'
        }) {
            self.advance();
        }
        Token::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut lexer = Lexer::new(text);
        std::iter::from_fn(|| match lexer.next().0 {
            Token::End => None,
            token => Some(token),
        })
        .take(50)
        .collect()
    }

    #[test]
    fn words_are_read() {
        let text = |t: &str| Token::Text(t.to_owned());
        assert_eq!(
            tokens("if :over 2K \"a\\\"b\\c\" # x\n/* y */ text: # z\r\na\r\n..b\r\n.\r\n;"),
            [
                Token::Identifier("if".into()),
                Token::Tag("over".into()),
                Token::Number(2048),
                text("a\"bc"),
                text("a\r\n.b\r\n"),
                Token::Semicolon,
            ]
        );
        assert_eq!(tokens("\"a\nb\""), [text("a\r\nb")]);
    }

    #[test]
    fn places_are_known() {
        let mut lexer = Lexer::new("keep;\n  \"é\" x");
        lexer.next();
        lexer.next();
        assert_eq!(lexer.next().1, Position { line: 2, column: 3 });
        assert_eq!(lexer.next().1, Position { line: 2, column: 7 });
    }
}
