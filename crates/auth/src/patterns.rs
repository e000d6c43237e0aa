//! Patterns of user names: `*` is any text, `?` any byte.

/// Dovecot's `username_filter`: patterns with `*` and `?`; one after `!` excludes.
pub(crate) fn passes(filter: &str, user: &str) -> bool {
    let (mut is_in, mut has_positive) = (false, false);
    for pattern in filter.split([' ', ',']).filter(|pattern| !pattern.is_empty()) {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches_pattern(pattern.as_bytes(), user.as_bytes()) => return false,
            Some(_) => {}
            None => {
                has_positive = true;
                is_in |= matches_pattern(pattern.as_bytes(), user.as_bytes());
            }
        }
    }
    is_in || !has_positive
}

/// Whether a user name fits a pattern in which `*` is any text and `?` any byte (`doveadm user 'a*'`).
pub fn matches(pattern: &str, user: &str) -> bool {
    matches_pattern(pattern.as_bytes(), user.as_bytes())
}

/// `*` is any text, `?` any byte. Linear in memory; time is the product of the lengths, both bounded.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
