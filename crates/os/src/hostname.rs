//! The host's name (uname(2)).

/// The name the kernel has for this host, as `gethostname(2)` gives it; may lack a domain.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
