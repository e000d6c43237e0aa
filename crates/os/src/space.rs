//! How much room a file system has (statvfs(3)).

use std::io;
use std::path::Path;

/// How many octets a user who is not root can still write where `path` lies.
///
/// # Errors
/// What the system says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_and_a_missing_place_is_said() {
        assert!(free_bytes(&std::env::temp_dir()).is_ok_and(|free| free > 0));
        assert!(free_bytes(Path::new("/no/such/place")).is_err());
    }
}
