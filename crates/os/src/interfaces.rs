//! The addresses of this host's network interfaces, with the networks they are in (getifaddrs(3)).

#![allow(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Error, Result};

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// Name of the interface (`lo`).
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix in bits, from the netmask.
    pub prefix_bits: u8,
    /// Whether the interface is the loopback.
    pub loopback: bool,
    /// Whether the interface is up.
    pub up: bool,
}

/// Every IPv4 and IPv6 address of this host, in the system's order.
///
/// # Errors
/// [`Error::Call`] when the system does not tell.
pub fn addresses() -> Result<Vec<InterfaceAddress>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: a valid place to write to; the list is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(Error::last("list the network interfaces"));
    }
    let mut found = Vec::new();
    let mut at = first;
    while !at.is_null() {
        // SAFETY: `at` is an element of the list that getifaddrs made and that is not freed yet.
        let entry = unsafe { &*at };
        at = entry.ifa_next;
        // SAFETY: both are null or lead to a socket address of the family it names.
        let (address, mask) = unsafe { (ip_of(entry.ifa_addr), ip_of(entry.ifa_netmask)) };
        let Some(address) = address else { continue };
        // SAFETY: the name is a C string in the list.
        let name = unsafe { std::ffi::CStr::from_ptr(entry.ifa_name) };
        found.push(InterfaceAddress {
            interface: name.to_string_lossy().into_owned(),
            address,
            prefix_bits: prefix_bits(address, mask),
            loopback: entry.ifa_flags & libc::IFF_LOOPBACK as libc::c_uint != 0,
            up: entry.ifa_flags & libc::IFF_UP as libc::c_uint != 0,
        });
    }
    // SAFETY: `first` came from getifaddrs and nothing points into it any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(found)
}

fn prefix_bits(address: IpAddr, mask: Option<IpAddr>) -> u8 {
    let ones = match mask {
        Some(IpAddr::V4(mask)) => u32::from(mask).leading_ones(),
        Some(IpAddr::V6(mask)) => u128::from(mask).leading_ones(),
        None if address.is_ipv4() => 32,
        None => 128,
    };
    ones as u8
}

/// # Safety
/// `address` is null or leads to a socket address of the family it names.
unsafe fn ip_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; reads are unaligned-safe.
    unsafe {
        match libc::c_int::from((*address).sa_family) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr))))
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there() {
        let addresses = addresses().unwrap();
        let lo = addresses
            .iter()
            .find(|a| a.address == IpAddr::V4(Ipv4Addr::LOCALHOST))
            .expect("lo");
        assert_eq!((lo.prefix_bits, lo.loopback), (8, true));
    }
}
