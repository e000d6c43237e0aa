//! CRLF becomes LF while the message passes; a CR that ends no line stays, or becomes a space
//! (`cleanup_replace_stray_cr_lf`).

/// The converter. The last line gets an end if it has none.
#[derive(Debug, Default)]
pub struct LineEnds {
    /// The last piece ended in a CR whose fate is open.
    pending_cr: bool,
    /// The last octet that was written.
    last: Option<u8>,
}

impl LineEnds {
    /// Appends `piece` to `out` with LF line ends, and `stray` for a CR that ends no line.
    pub fn convert(&mut self, piece: &[u8], stray: u8, out: &mut Vec<u8>) {
        let mut rest = piece;
        if self.pending_cr && !rest.is_empty() {
            self.pending_cr = false;
            if rest[0] != b'\n' {
                out.push(stray);
            }
        }
        out.reserve(rest.len());
        while let Some(at) = memchr::memchr(b'\r', rest) {
            out.extend_from_slice(&rest[..at]);
            match rest.get(at + 1) {
                Some(b'\n') => {}
                Some(_) => out.push(stray),
                None => self.pending_cr = true,
            }
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        self.last = out.last().copied().or(self.last);
    }

    /// Ends the last line.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.pending_cr) {
            out.push(b'\n');
            return;
        }
        let last = out.last().copied().or(self.last);
        if last.is_some_and(|byte| byte != b'\n') {
            out.push(b'\n');
        }
    }
}
