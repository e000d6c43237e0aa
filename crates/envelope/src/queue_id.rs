//! Queue ids in Postfix's short and long forms.

/// The name of a message in the queue: capital hexadecimal (short form), or Postfix's base 52 (long form,
/// `enable_long_queue_ids`). Letters, digits, nothing else; never longer than [`QueueId::BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(String);

impl QueueId {
    /// The longest queue id that is accepted.
    pub const BYTES_MAX: usize = 32;

    /// `text` as a queue id, if it can be one.
    pub fn parse(text: &str) -> Option<QueueId> {
        let fits = (6..=QueueId::BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| QueueId(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
