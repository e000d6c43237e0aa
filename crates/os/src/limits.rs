//! Limits the system sets on this process (getrlimit(2), prctl(2)).

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

/// Keeps the kernel from backing this process (and what it starts) with huge pages, 2 MiB at a time: many small idle
/// sessions would each pay for what only a few need.
///
/// # Errors
/// [`Error::Call`] when the system refuses; all there is to lose is memory.
pub fn use_small_pages() -> Result<()> {
    rustix::thread::disable_transparent_huge_pages(true)
        .map_err(|error| Error::call("turn off huge pages", error))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_never_falls() {
        let before = super::raise_open_files(0).unwrap();
        assert!(super::raise_open_files(before).unwrap() >= before);
    }
}
