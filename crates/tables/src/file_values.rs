//! Values that are the content of files, as `postmap -F` keeps them: in base64, because it has lines.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The most bytes of one value.
pub const VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The content of files, `a, b`, one behind the other with a line end between two.
///
/// # Errors
/// What could not be read, and why.
pub fn content(names: &str) -> Result<Vec<u8>, String> {
    let mut content: Vec<u8> = Vec::new();
    let names = names.split(|c: char| c == ',' || c.is_whitespace());
    for name in names.filter(|name| !name.is_empty()) {
        let failed = |error: std::io::Error| format!("open {name}: {}", os::words(&error));
        let mut file = os::files::open_text(Path::new(name)).map_err(failed)?;
        let room = (VALUE_BYTES_MAX.saturating_sub(content.len())) as u64;
        if !content.is_empty() {
            content.push(b'\n');
        }
        let mut limited = std::io::Read::take(&mut file, room);
        std::io::Read::read_to_end(&mut limited, &mut content).map_err(failed)?;
        if content.len() >= VALUE_BYTES_MAX {
            return Err(failed(std::io::Error::other("the file is too large")));
        }
    }
    Ok(content)
}

/// As [`content`], as a database keeps it.
///
/// # Errors
/// As [`content`].
pub fn encoded(names: &str) -> Result<String, String> {
    content(names).map(|content| STANDARD.encode(content))
}

/// What a database keeps, as it was; `None` when it is no base64.
pub fn decoded(value: &str) -> Option<Vec<u8>> {
    STANDARD.decode(value).ok()
}
