//! A header as a list of fields, kept octet for octet; and where a header ends.

/// One field with its continuation lines and its last line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    bytes: Vec<u8>,
    name_length: usize,
}

impl Field {
    /// A field of its name and value; the value may have folded lines (`\n\t`).
    pub fn new(name: &str, value: &str) -> Field {
        Field {
            bytes: format!("{name}: {value}\n").into_bytes(),
            name_length: name.len(),
        }
    }

    /// A field of its line, continuation lines and all, without the last line end; `None` when it is none.
    pub fn of_line(line: &[u8]) -> Option<Field> {
        let name_length = field_name_length(line)?;
        let bytes = [line, b"\n"].concat();
        Some(Field { bytes, name_length })
    }

    /// All of it without the last line end.
    pub fn line(&self) -> &[u8] {
        self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes)
    }

    /// Whether it has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.bytes[..self.name_length]
            .trim_ascii_end()
            .eq_ignore_ascii_case(name.as_bytes())
    }

    /// The name as it was written.
    pub fn name(&self) -> &[u8] {
        self.bytes[..self.name_length].trim_ascii_end()
    }

    /// The value with its folds, without white space at its ends.
    pub fn value(&self) -> &[u8] {
        self.bytes
            .get(self.name_length + 1..)
            .unwrap_or_default()
            .trim_ascii()
    }
}

/// The fields in their order. An mbox `From ` line at the top is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Top to bottom.
    pub fields: Vec<Field>,
}

impl Header {
    /// The fields of `text`, whose lines end in LF.
    pub fn parse(text: &[u8]) -> Header {
        let mut header = Header::default();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let continues = line.starts_with(b" ") || line.starts_with(b"\t");
            match header.fields.last_mut() {
                Some(field) if continues => field.bytes.extend_from_slice(line),
                _ => {
                    if let Some(name_length) = field_name_length(line) {
                        header.fields.push(Field {
                            bytes: line.to_vec(),
                            name_length,
                        });
                    }
                }
            }
        }
        header
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.is(name))
    }

    /// The first field of this name.
    pub fn find(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// Adds a field at the end.
    pub fn append(&mut self, name: &str, value: &str) {
        self.fields.push(Field::new(name, value));
    }

    /// Appends all fields to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.fields
            .iter()
            .for_each(|field| out.extend_from_slice(&field.bytes));
    }
}

/// The length of the field's name, up to the colon (RFC 5322 §2.2; white space before the colon is obsolete syntax).
fn field_name_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(|&byte| (33..=126).contains(&byte))).then_some(colon)
}

/// How much of a line is looked at to tell whether it is one of a header.
const LINE_LOOKED_AT_BYTES: usize = 2048;

/// How a header is collected.
#[derive(Debug, Clone, Copy)]
pub struct Collecting {
    /// `header_size_limit`: what a field has beyond is thrown away.
    pub field_bytes_max: usize,
    /// An mbox `From ` line at the top becomes `X-Mailbox-Line:`; otherwise it is thrown away.
    pub keeps_mbox_line: bool,
}

/// Collects a header line by line and finds its end: the empty line, or the first line that is no header line.
#[derive(Debug, Default)]
pub struct Collector {
    text: Vec<u8>,
    /// A line's start, as long as it is not known what it is.
    undecided: Vec<u8>,
    /// The current line goes on with the current field.
    inside_line: bool,
    /// Where the current field starts.
    field_start: usize,
    /// Nothing more of the current field is kept.
    is_cut: bool,
    /// Something was read.
    has_begun: bool,
    has_ended: bool,
}

impl Collector {
    /// The fields so far, lines ending in LF.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// A line's start that is not in the text yet.
    pub fn undecided(&self) -> &[u8] {
        &self.undecided
    }

    /// Whether the end was found.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes a piece, lines ending in LF. At the end of the header: what follows it, from its empty line on.
    pub fn feed(&mut self, piece: &[u8], how: &Collecting) -> Option<Vec<u8>> {
        let mut rest = piece;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (part, behind) = rest.split_at(end);
            rest = behind;
            if self.inside_line {
                self.add(part, how);
                continue;
            }
            self.undecided.extend_from_slice(part);
            let is_enough = self.undecided.ends_with(b"\n") || self.undecided.len() > LINE_LOOKED_AT_BYTES;
            if is_enough && !self.line(how) {
                self.has_ended = true;
                let mut body = std::mem::take(&mut self.undecided);
                body.extend_from_slice(rest);
                return Some(body);
            }
        }
        None
    }

    /// Takes the undecided line, if it is one of a header.
    fn line(&mut self, how: &Collecting) -> bool {
        let line = std::mem::take(&mut self.undecided);
        let folded = self.has_begun && (line.starts_with(b" ") || line.starts_with(b"\t"));
        let mbox_line = self.text.is_empty() && is_mbox_line(&line);
        if folded {
            self.add(&line, how);
        } else if mbox_line {
            self.begin_field();
            if how.keeps_mbox_line {
                self.add(b"X-Mailbox-Line: ", how);
                self.add(&line, how);
            } else {
                self.inside_line = !line.ends_with(b"\n");
                self.is_cut = true;
            }
        } else if let Some(colon) = field_name_length(&line) {
            self.begin_field();
            // White space before the colon is obsolete (RFC 5322 §4.5), and not everybody reads it.
            self.add(line[..colon].trim_ascii_end(), how);
            self.add(&line[colon..], how);
        } else {
            self.undecided = line;
            return false;
        }
        true
    }

    fn begin_field(&mut self) {
        self.field_start = self.text.len();
        self.is_cut = false;
        self.has_begun = true;
    }

    /// Adds to the current field what there is room for. A NUL ends it: nobody reads on behind one.
    fn add(&mut self, part: &[u8], how: &Collecting) {
        let (content, ends) = match part.strip_suffix(b"\n") {
            Some(content) => (content, true),
            None => (part, false),
        };
        let was_cut = self.is_cut;
        if !was_cut {
            let nul = memchr::memchr(0, content).unwrap_or(content.len());
            let room = how
                .field_bytes_max
                .saturating_sub(self.text.len() - self.field_start);
            let kept = nul.min(room);
            self.text.extend_from_slice(&content[..kept]);
            self.is_cut = kept < content.len();
        }
        self.inside_line = !ends;
        let is_open = self.text.len() > self.field_start && !self.text.ends_with(b"\n");
        if ends && is_open {
            self.text.push(b'\n');
        }
    }
}

/// `From ` at the top of a message, `>` before it or not.
fn is_mbox_line(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
    line[quotes..].starts_with(b"From ")
}
