//! Names of addresses as the system's name service knows them (getnameinfo(3)). These calls wait for other hosts.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::net::{IpAddr, ToSocketAddrs};

/// Room for a name, in octets with the zero behind it (NI_MAXHOST).
const NAME_BYTES_MAX: usize = 1025;

/// What an address is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// By this name, which has the address.
    Verified(String),
    /// By this name, which does not have it.
    Falsely(String),
    /// By none, or nobody could be asked.
    Nothing,
}

/// Looks the name of an address up, and the addresses of that name.
pub fn of_address(address: IpAddr) -> Called {
    let Some(name) = name_of(address) else {
        return Called::Nothing;
    };
    let has_it = (name.as_str(), 0)
        .to_socket_addrs()
        .is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == address.to_canonical()));
    match has_it {
        true => Called::Verified(name),
        false => Called::Falsely(name),
    }
}

fn name_of(address: IpAddr) -> Option<String> {
    let mut room = [0_u8; NAME_BYTES_MAX];
    let length = libc::socklen_t::try_from(room.len()).ok()?;
    let ask = |address: *const libc::sockaddr, size: usize, room: &mut [u8]| {
        let size = libc::socklen_t::try_from(size).unwrap_or_default();
        // SAFETY: `address` points to a socket address of `size` octets, and `room` has `length` octets to write to.
        unsafe {
            libc::getnameinfo(
                address,
                size,
                room.as_mut_ptr().cast(),
                length,
                std::ptr::null_mut(),
                0,
                libc::NI_NAMEREQD,
            )
        }
    };
    let answer = match address.to_canonical() {
        IpAddr::V4(ip) => {
            let asked = libc::sockaddr_in {
                sin_family: libc::sa_family_t::try_from(libc::AF_INET).ok()?,
                sin_port: 0,
                sin_addr: libc::in_addr {
                    s_addr: u32::from(ip).to_be(),
                },
                sin_zero: [0; 8],
            };
            ask((&raw const asked).cast(), size_of_val(&asked), &mut room)
        }
        IpAddr::V6(ip) => {
            let asked = libc::sockaddr_in6 {
                sin6_family: libc::sa_family_t::try_from(libc::AF_INET6).ok()?,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
                sin6_scope_id: 0,
            };
            ask((&raw const asked).cast(), size_of_val(&asked), &mut room)
        }
    };
    if answer != 0 {
        return None;
    }
    let name = CStr::from_bytes_until_nul(&room).ok()?.to_str().ok()?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_a_name_where_the_system_says_so() {
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        if !hosts
            .lines()
            .any(|line| line.split_whitespace().eq(["127.0.0.1", "localhost"]))
        {
            println!("skipped: needs localhost in /etc/hosts");
            return;
        }
        let found = of_address(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(found, Called::Verified("localhost".to_owned()));
    }
}
