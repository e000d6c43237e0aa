//! Limits the system sets on this process (getrlimit(2)).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Error, Result};

/// Raises the number of descriptors this process may open as far as it is allowed to, at most to `wanted`;
/// returns what it is now.
///
/// # Errors
/// [`Error::Call`] when the system refuses.
pub fn raise_open_files(wanted: u64) -> Result<u64> {
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(u64::MAX);
    let target = wanted.min(now.maximum.unwrap_or(u64::MAX));
    if current >= target {
        return Ok(current);
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(target),
            maximum: now.maximum,
        },
    )
    .map_err(|error| Error::call("raise the limit of open files", error))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_never_falls() {
        let before = super::raise_open_files(0).unwrap();
        assert!(super::raise_open_files(before).unwrap() >= before);
    }
}
