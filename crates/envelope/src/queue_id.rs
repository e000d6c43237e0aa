//! Queue ids in Postfix's short and long forms.

/// The name of a message in the queue: capital hexadecimal (short form), or Postfix's base 52 (long form,
/// `enable_long_queue_ids`). Letters, digits, nothing else; never longer than [`QueueId::BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(String);

/// Digits and consonants: no id spells a word. `z` divides time from number, so the number goes without it.
const BASE52: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

impl QueueId {
    /// The longest queue id that is accepted.
    pub const BYTES_MAX: usize = 32;

    /// `text` as a queue id, if it can be one.
    pub fn parse(text: &str) -> Option<QueueId> {
        let fits =
            (6..=QueueId::BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| QueueId(text.to_owned()))
    }

    /// The short form: the microseconds of the second in five hexadecimal digits, then `serial`, which must be
    /// unique among the messages in the queue (in Postfix it is the queue file's inode). `now` is in microseconds
    /// since the Unix epoch.
    pub fn short(now: i64, serial: u64) -> QueueId {
        QueueId(format!("{:05X}{serial:X}", now.rem_euclid(1_000_000)))
    }

    /// The long form: seconds and microseconds in base 52, `z`, and `serial` in base 51. Never used again while
    /// the clock does not go back over the same `serial`.
    pub fn long(now: i64, serial: u64) -> QueueId {
        let mut text = String::with_capacity(20);
        let seconds = u64::try_from(now.div_euclid(1_000_000)).unwrap_or(0);
        digits(seconds, 52, 6, &mut text);
        digits(now.rem_euclid(1_000_000).unsigned_abs(), 52, 4, &mut text);
        text.push('z');
        digits(serial, 51, 1, &mut text);
        QueueId(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends `number` in at least `width` digits of `base`.
fn digits(mut number: u64, base: u64, width: usize, into: &mut String) {
    let mut reversed = Vec::with_capacity(12);
    while number > 0 || reversed.len() < width {
        reversed.push(BASE52[(number % base) as usize]);
        number /= base;
    }
    into.extend(reversed.iter().rev().map(|&b| char::from(b)));
}

impl std::fmt::Display for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_look_as_postfix_prints_them() {
        assert_eq!(
            QueueId::short(1_608_816_324_588_562, 0x10D2D2C).as_str(),
            "8FB1210D2D2C"
        );
        assert_eq!(QueueId::short(1_000_000_831_886, 0xA00EB).as_str(), "CB18EA00EB");
        assert_eq!(QueueId::short(1, 1).as_str(), "000011");
        // 52^5 seconds and one microsecond.
        assert_eq!(
            QueueId::long(52i64.pow(5) * 1_000_000 + 1, 51).as_str(),
            "1000000001z10"
        );
    }

    proptest! {
        #[test]
        fn ids_are_unique_and_parse(a in (0i64..1 << 52, any::<u64>()), b in (0i64..1 << 52, any::<u64>())) {
            let long = |(now, serial)| QueueId::long(now, serial);
            prop_assert_eq!(a == b, long(a) == long(b));
            for id in [long(a), QueueId::short(a.0, a.1)] {
                prop_assert_eq!(QueueId::parse(id.as_str()), Some(id));
            }
            prop_assert!(a.1 == b.1 || QueueId::short(a.0, a.1) != QueueId::short(b.0, b.1));
        }
    }
}
