//! The host's name and its NIS domain (uname(2)).

/// The name the kernel has for this host, as `gethostname(2)` gives it; may lack a domain.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The NIS domain that this host is in, if any (setdomainname(2)).
pub fn nis_domain() -> Option<String> {
    let domain = rustix::system::uname()
        .domainname()
        .to_string_lossy()
        .into_owned();
    (!domain.is_empty() && domain != "(none)").then_some(domain)
}
