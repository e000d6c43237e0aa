//! Maildir as it lies on disk.
