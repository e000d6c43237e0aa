//! The commands administrators and users type, one file each.
