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

/// Where the header of `text` ends: at the empty line, or at the first line that is no header line. `None` while
/// that is still to come. `known`: how much of `text` was looked at before.
pub fn end(text: &[u8], known: usize) -> Option<usize> {
    // Complete lines before `known` were found to be header lines.
    let mut start = text[..known]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    while let Some(length) = text[start..].iter().position(|&byte| byte == b'\n') {
        let line = &text[start..start + length + 1];
        let folded = start > 0 && (line.starts_with(b" ") || line.starts_with(b"\t"));
        let mbox_line = start == 0 && (line.starts_with(b"From ") || line.starts_with(b">From "));
        if line == b"\n" || !(folded || mbox_line || field_name_length(line).is_some()) {
            return Some(start);
        }
        start += length + 1;
    }
    None
}
