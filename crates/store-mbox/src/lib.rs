//! mbox as it lies on disk.
