//! Reading the grammar's smallest words from a command: atoms, strings, literals, numbers (RFC 3501 §9).

use super::Error;

/// Where reading stands in a command.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Result<T> = std::result::Result<T, Error>;

impl<'a> Cursor<'a> {
    /// Starts at the first octet.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next octet.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether nothing is left.
    pub fn at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Takes `octet` if it is the next one.
    pub fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    /// Takes `octet`, which must be next.
    pub fn expect(&mut self, octet: u8, what: &'static str) -> Result<()> {
        if self.eat(octet) {
            Ok(())
        } else {
            Err(Error::Expected(what))
        }
    }

    /// Takes the space between arguments. Several are accepted: real clients send them.
    pub fn space(&mut self) -> Result<()> {
        self.expect(b' ', "a space")?;
        while self.eat(b' ') {}
        Ok(())
    }

    /// Nothing may be left (trailing spaces are accepted).
    pub fn end(&mut self) -> Result<()> {
        while self.eat(b' ') {}
        if self.at_end() {
            Ok(())
        } else {
            Err(Error::Expected("the end of the command"))
        }
    }

    /// Takes octets while `accept` holds; may be empty.
    pub fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let count = rest.iter().position(|&b| !accept(b)).unwrap_or(rest.len());
        self.at += count;
        &rest[..count]
    }

    /// Takes at least one octet while `accept` holds.
    pub fn word(&mut self, accept: impl Fn(u8) -> bool, what: &'static str) -> Result<&'a str> {
        let word = self.take_while(accept);
        match std::str::from_utf8(word) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(Error::Expected(what)),
        }
    }

    /// An atom.
    pub fn atom(&mut self, what: &'static str) -> Result<&'a str> {
        self.word(is_atom_octet, what)
    }

    /// Takes `word` (any case) if it is next and ends there.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.len() >= word.len()
            && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes())
            && !rest.get(word.len()).is_some_and(|&b| is_atom_octet(b));
        if found {
            self.at += word.len();
        }
        found
    }

    /// A number of up to 64 bits.
    pub fn number(&mut self) -> Result<u64> {
        let digits = self.word(|b| b.is_ascii_digit(), "a number")?;
        digits.parse().map_err(|_| Error::NumberTooLarge)
    }

    /// A number of up to 32 bits.
    pub fn number32(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| Error::NumberTooLarge)
    }

    /// A quoted string or a literal.
    pub fn string(&mut self) -> Result<Vec<u8>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => Err(Error::Expected("a string")),
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>> {
        self.expect(b'"', "a quoted string")?;
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0)));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(octet @ (b'"' | b'\\')) => text.push(octet),
                        _ => return Err(Error::Expected("\" or \\ after a backslash")),
                    }
                    self.at += 1;
                }
                _ => return Err(Error::Expected("a closing quote")),
            }
        }
    }

    fn literal(&mut self) -> Result<Vec<u8>> {
        self.expect(b'{', "a literal")?;
        let size = usize::try_from(self.number()?).map_err(|_| Error::NumberTooLarge)?;
        self.eat(b'+');
        self.expect(b'}', "a closing brace")?;
        let rest = self
            .rest()
            .strip_prefix(b"\r\n")
            .ok_or(Error::Expected("a line end after a literal"))?;
        let content = rest.get(..size).ok_or(Error::Expected("the whole literal"))?;
        if content.contains(&0) {
            return Err(Error::NulInString);
        }
        self.at += 2 + size;
        Ok(content.to_vec())
    }

    /// An astring: an atom that may hold `]`, or a string.
    pub fn astring(&mut self) -> Result<Vec<u8>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let atom = self.take_while(|b| is_atom_octet(b) || b == b']');
                if atom.is_empty() {
                    Err(Error::Expected("a string"))
                } else {
                    Ok(atom.to_vec())
                }
            }
        }
    }

    /// A string or NIL.
    pub fn nstring(&mut self) -> Result<Option<Vec<u8>>> {
        if self.eat_word("NIL") {
            Ok(None)
        } else {
            self.string().map(Some)
        }
    }
}

/// ATOM-CHAR of RFC 3501, and octets above ASCII, which UTF-8 names of real clients hold.
pub fn is_atom_octet(octet: u8) -> bool {
    !matches!(
        octet,
        0..=b' ' | 0x7f | b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']'
    )
}
