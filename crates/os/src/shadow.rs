//! Stored passwords of system users: shadow(5) by getspnam_r(3), and the field of passwd(5).

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use crate::users::ENTRY_BYTES_MAX;
use crate::{Error, Result};

/// What shadow(5) holds of a user. Days are counted from 1970-01-01; negative: not set.
#[derive(Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The hash as crypt(5) writes it; `*` and `!` begin one that nothing fits.
    pub password: String,
    /// The day on which the account ends.
    pub expires_day: i64,
}

impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shadow")
            .field("expires_day", &self.expires_day)
            .finish_non_exhaustive()
    }
}

/// The shadow entry of `name`; `None` when there is none.
///
/// # Errors
/// [`Error::Call`] when the file cannot be read (only root and group `shadow` may), [`Error::EntryTooLarge`].
pub fn shadow_by_name(name: &str) -> Result<Option<Shadow>> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    let what = format!("shadow entry of {name:?}");
    let mut buffer = vec![0u8; 1024];
    loop {
        // SAFETY: `spwd` is plain data for which all-zero bytes are a value.
        let mut entry: libc::spwd = unsafe { std::mem::zeroed() };
        let mut result: *mut libc::spwd = std::ptr::null_mut();
        // SAFETY: `c_name` is a C string, the other pointers are valid for writes, and the length is the buffer's.
        let answer = unsafe {
            libc::getspnam_r(
                c_name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut result,
            )
        };
        match answer {
            libc::ERANGE if buffer.len() < ENTRY_BYTES_MAX => buffer.resize(buffer.len() * 4, 0),
            libc::ERANGE => return Err(Error::EntryTooLarge(what)),
            libc::EINTR => {}
            // The name service says by these that there is no such entry.
            0 | libc::ENOENT | libc::ESRCH if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: the call succeeded, so the pointer is a C string inside `buffer`, which still lives.
                let password = unsafe { text(entry.sp_pwdp) };
                return Ok(Some(Shadow {
                    password,
                    expires_day: entry.sp_expire,
                }));
            }
            error => {
                return Err(Error::call(
                    format!("look up {what}"),
                    std::io::Error::from_raw_os_error(error),
                ));
            }
        }
    }
}

/// The password field of passwd(5): `x` where shadow(5) has the hash. `None` when there is no such user.
///
/// # Errors
/// [`Error::Call`] when the name service fails, [`Error::EntryTooLarge`].
pub fn passwd_field(name: &str) -> Result<Option<String>> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    let what = format!("user {name:?}");
    let mut buffer = vec![0u8; 1024];
    loop {
        // SAFETY: `passwd` is plain data for which all-zero bytes are a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result: *mut libc::passwd = std::ptr::null_mut();
        // SAFETY: `c_name` is a C string, the other pointers are valid for writes, and the length is the buffer's.
        let answer = unsafe {
            libc::getpwnam_r(
                c_name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut result,
            )
        };
        if crate::users::again_with_more_room(&what, answer, &mut buffer)? {
            continue;
        }
        if result.is_null() {
            return Ok(None);
        }
        // SAFETY: the call succeeded, so the pointer is a C string inside `buffer`, which still lives.
        return Ok(Some(unsafe { text(entry.pw_passwd) }));
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text(text: *const libc::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_without_an_entry_are_no_error() {
        assert_eq!(passwd_field("no-such-user-here").unwrap(), None);
        assert_eq!(passwd_field("zero\0byte").unwrap(), None);
        assert!(passwd_field("root").unwrap().is_some());
        if crate::is_root() {
            assert_eq!(shadow_by_name("no-such-user-here").unwrap(), None);
        }
    }
}
