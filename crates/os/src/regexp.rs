//! POSIX regular expressions as the C library has them, regcomp(3): what Postfix's `regexp:` tables are written for.
//!
//! Leftmost-longest, in octets: the program never sets a locale, so that characters are those of the "C" locale.
//! Limits: [`GROUPS_MAX`]. An expression comes from an administrator; it can be slow on purpose, as it can be in Postfix.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ops::Range;

/// The most groups whose places are told, the whole match among them.
pub const GROUPS_MAX: usize = 100;

/// How an expression is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Whether it is an extended one (`REG_EXTENDED`).
    pub is_extended: bool,
    /// Whether case does not matter (`REG_ICASE`).
    pub folds: bool,
    /// Whether `^` and `$` stand for line ends and `.` for none (`REG_NEWLINE`).
    pub is_multi_line: bool,
}

/// A compiled expression.
pub struct Regexp {
    // Boxed, because the C library may keep addresses within it.
    compiled: Box<libc::regex_t>,
    pattern: String,
    groups: usize,
}

// SAFETY: regexec(3) takes the expression as const and locks what it changes within (POSIX wants it usable by threads);
// regfree(3) is called once, by the owner.
#[allow(unsafe_code, reason = "the C library's expressions may be shared, see above")]
unsafe impl Send for Regexp {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "the C library's expressions may be shared, see above")]
unsafe impl Sync for Regexp {}

impl std::fmt::Debug for Regexp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Regexp").field(&self.pattern).finish()
    }
}

impl Regexp {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, in the C library's words.
    #[allow(unsafe_code, reason = "regcomp(3) and regerror(3)")]
    pub fn new(pattern: &str, meaning: Meaning) -> Result<Regexp, String> {
        let text = CString::new(pattern).map_err(|_| "it holds a zero octet".to_owned())?;
        let flag = |is_set: bool, flag: libc::c_int| if is_set { flag } else { 0 };
        let flags = flag(meaning.is_extended, libc::REG_EXTENDED)
            | flag(meaning.folds, libc::REG_ICASE)
            | flag(meaning.is_multi_line, libc::REG_NEWLINE);
        let mut room: Box<MaybeUninit<libc::regex_t>> = Box::new(MaybeUninit::zeroed());
        // SAFETY: `room` is writable and as large as a regex_t, `text` ends with a zero octet.
        let code = unsafe { libc::regcomp(room.as_mut_ptr(), text.as_ptr(), flags) };
        if code != 0 {
            let mut words = [0u8; 256];
            // SAFETY: regerror writes at most the length that it is told, with a zero octet at the end.
            unsafe { libc::regerror(code, room.as_ptr(), words.as_mut_ptr().cast(), words.len()) };
            let end = words.iter().position(|octet| *octet == 0).unwrap_or(words.len());
            return Err(String::from_utf8_lossy(&words[..end]).into_owned());
        }
        // SAFETY: regcomp succeeded, so it has filled the room; the box stays the same.
        let compiled = unsafe { Box::from_raw(Box::into_raw(room).cast::<libc::regex_t>()) };
        Ok(Regexp {
            groups: groups_in(&compiled),
            compiled,
            pattern: pattern.to_owned(),
        })
    }

    /// How many groups in parentheses there are.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Where the expression and its groups fit; `None` when it does not.
    ///
    /// # Errors
    /// When the C library runs out of memory.
    #[allow(unsafe_code, reason = "regexec(3)")]
    pub fn find(&self, text: &str) -> Result<Option<Vec<Option<Range<usize>>>>, String> {
        const NONE: libc::regmatch_t = libc::regmatch_t { rm_so: -1, rm_eo: -1 };
        let mut places = vec![NONE; (self.groups + 1).min(GROUPS_MAX)];
        // A text with a zero octet ends there, as it does for Postfix.
        let before_zero = text.split('\0').next().unwrap_or_default();
        let subject = CString::new(before_zero).map_err(|_| "it holds a zero octet".to_owned())?;
        // SAFETY: the expression was compiled, `subject` ends with a zero octet, `places` has as many as are told.
        let code = unsafe {
            libc::regexec(
                std::ptr::from_ref(&*self.compiled),
                subject.as_ptr(),
                places.len(),
                places.as_mut_ptr(),
                0,
            )
        };
        match code {
            0 => {
                let range = |place: &libc::regmatch_t| {
                    let (start, end) = (usize::try_from(place.rm_so), usize::try_from(place.rm_eo));
                    Some(start.ok()?..end.ok()?)
                };
                Ok(Some(places.iter().map(range).collect()))
            }
            libc::REG_NOMATCH => Ok(None),
            _ => Err("the expression needs more memory than there is".to_owned()),
        }
    }
}

/// `re_nsub`, which POSIX has in every regex_t and the libc crate keeps to itself: behind two pointers' worth of
/// buffer, three lengths, and two pointers in the GNU C library.
#[allow(unsafe_code, reason = "reads a field that POSIX guarantees")]
fn groups_in(compiled: &libc::regex_t) -> usize {
    // The GNU C library: buffer, allocated, used, syntax, fastmap, translate, re_nsub; each of the size of a pointer.
    const OFFSET: usize = 6 * size_of::<usize>();
    const { assert!(size_of::<libc::regex_t>() >= OFFSET + size_of::<usize>()) };
    // SAFETY: the field lies within the structure, as asserted, and is aligned as a pointer is.
    unsafe {
        std::ptr::from_ref(compiled)
            .cast::<u8>()
            .add(OFFSET)
            .cast::<usize>()
            .read_unaligned()
    }
}

impl Drop for Regexp {
    #[allow(unsafe_code, reason = "regfree(3)")]
    fn drop(&mut self) {
        // SAFETY: compiled once, freed once.
        unsafe { libc::regfree(std::ptr::from_mut(&mut *self.compiled)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENDED: Meaning = Meaning {
        is_extended: true,
        folds: true,
        is_multi_line: false,
    };

    #[test]
    fn the_longest_match_and_its_groups() {
        let found = |pattern: &str, text: &str| Regexp::new(pattern, EXTENDED).and_then(|it| it.find(text));
        assert_eq!(
            found("(a|ab)(c|bcd)?", "xABCD"),
            Ok(Some(vec![Some(1..5), Some(1..2), Some(2..5)]))
        );
        assert_eq!(
            found("(a)|(b)", "b"),
            Ok(Some(vec![Some(0..1), None, Some(0..1)]))
        );
        assert_eq!(found("[[]", "x[y"), Ok(Some(vec![Some(1..2)])));
        assert_eq!(found("^b", "a\nb"), Ok(None));
        assert_eq!(found("a", "\0a"), Ok(None));
        assert_eq!(found("(", "a"), Err("Unmatched ( or \\(".to_owned()));
    }

    #[test]
    fn the_number_of_groups() {
        for (pattern, groups) in [("a", 0), ("(a)(b(c))", 3), ("[(]", 0)] {
            assert_eq!(
                Regexp::new(pattern, EXTENDED).map(|it| it.groups()),
                Ok(groups),
                "{pattern}"
            );
        }
    }

    #[test]
    fn lines_and_basic_expressions() {
        let meaning = Meaning {
            is_extended: false,
            folds: false,
            is_multi_line: true,
        };
        let found = |pattern: &str, text: &str| Regexp::new(pattern, meaning).and_then(|it| it.find(text));
        assert_eq!(found("^b", "a\nb"), Ok(Some(vec![Some(2..3)])));
        assert_eq!(found("B", "b"), Ok(None));
        assert_eq!(found("(", "("), Ok(Some(vec![Some(0..1)])));
    }
}
