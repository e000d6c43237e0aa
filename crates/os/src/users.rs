//! Users and groups as the system's name service knows them (getpwnam_r(3), getgrnam_r(3), getgrouplist(3)).

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::{Error, Result};

/// The largest user or group entry that is read, in bytes (a group with ten thousands of members).
pub const ENTRY_BYTES_MAX: usize = 1 << 20;

/// The most groups a user may be in (Linux: NGROUPS_MAX).
pub const GROUPS_MAX: usize = 65536;

/// The most users that are listed.
pub const USERS_MAX: usize = 1_000_000;

/// A user of the system (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
    /// Full name and the like.
    pub gecos: String,
}

/// A group of the system (group(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Names of the members that are listed with it.
    pub members: Vec<String>,
}

/// The user called `name`, `None` when there is none. A failing name service is an error, never "no such user".
///
/// # Errors
/// [`Error::Call`] when the name service fails, [`Error::EntryTooLarge`].
pub fn user_by_name(name: &str) -> Result<Option<User>> {
    // A name with a zero byte cannot be anyone's.
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    lookup_user(&format!("user {name:?}"), |entry, buffer, result| {
        // SAFETY: `c_name` is a C string, `entry` and `result` are valid for writes, and `buffer` is as long as is said.
        unsafe {
            libc::getpwnam_r(
                c_name.as_ptr(),
                entry,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                result,
            )
        }
    })
}

/// The user with this id, `None` when there is none.
///
/// # Errors
/// As [`user_by_name`].
pub fn user_by_uid(uid: u32) -> Result<Option<User>> {
    lookup_user(&format!("user id {uid}"), |entry, buffer, result| {
        // SAFETY: `entry` and `result` are valid for writes, and `buffer` is as long as is said.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), result) }
    })
}

/// The group called `name`, `None` when there is none.
///
/// # Errors
/// As [`user_by_name`].
pub fn group_by_name(name: &str) -> Result<Option<Group>> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    lookup_group(&format!("group {name:?}"), |entry, buffer, result| {
        // SAFETY: `c_name` is a C string, `entry` and `result` are valid for writes, and `buffer` is as long as is said.
        unsafe {
            libc::getgrnam_r(
                c_name.as_ptr(),
                entry,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                result,
            )
        }
    })
}

/// The group with this id, `None` when there is none.
///
/// # Errors
/// As [`user_by_name`].
pub fn group_by_gid(gid: u32) -> Result<Option<Group>> {
    lookup_group(&format!("group id {gid}"), |entry, buffer, result| {
        // SAFETY: `entry` and `result` are valid for writes, and `buffer` is as long as is said.
        unsafe { libc::getgrgid_r(gid, entry, buffer.as_mut_ptr().cast(), buffer.len(), result) }
    })
}

/// All groups of a user, the primary one included.
///
/// # Errors
/// [`Error::ZeroByte`]; [`Error::EntryTooLarge`] for more than [`GROUPS_MAX`].
pub fn groups_of(user: &User) -> Result<Vec<u32>> {
    let name = CString::new(user.name.as_str()).map_err(|_| Error::ZeroByte(user.name.clone()))?;
    let mut room = 64;
    loop {
        let mut groups: Vec<libc::gid_t> = vec![0; room];
        let mut count = room as libc::c_int;
        // SAFETY: `name` is a C string and `groups` has room for `count` ids.
        let fits =
            unsafe { libc::getgrouplist(name.as_ptr(), user.gid, groups.as_mut_ptr(), &raw mut count) };
        if fits >= 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups);
        }
        if room >= GROUPS_MAX {
            return Err(Error::EntryTooLarge(format!(
                "the groups of user {:?}",
                user.name
            )));
        }
        room = (room * 4).min(GROUPS_MAX);
    }
}

/// Who walks through the user database: the walk's position belongs to the process.
static WALK: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Name and uid of every user that the name service lists (getpwent(3)); a network service may list none.
///
/// # Errors
/// [`Error::EntryTooLarge`] for more than [`USERS_MAX`].
pub fn all_users() -> Result<Vec<(String, u32)>> {
    let _walk = WALK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut users = Vec::new();
    // SAFETY: the lock keeps other walks of this program out, nothing else in it calls these functions, and an entry is copied
    // before the next call.
    unsafe {
        libc::setpwent();
        loop {
            let entry = libc::getpwent();
            if entry.is_null() {
                break;
            }
            let name = String::from_utf8_lossy(&bytes((*entry).pw_name)).into_owned();
            users.push((name, (*entry).pw_uid));
            if users.len() > USERS_MAX {
                break;
            }
        }
        libc::endpwent();
    }
    if users.len() > USERS_MAX {
        return Err(Error::EntryTooLarge("the list of users".to_owned()));
    }
    Ok(users)
}

fn lookup_user(
    what: &str,
    ask: impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int,
) -> Result<Option<User>> {
    let mut buffer = vec![0u8; 1024];
    loop {
        // SAFETY: `passwd` is plain data for which all-zero bytes are a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result: *mut libc::passwd = std::ptr::null_mut();
        let answer = ask(&raw mut entry, &mut buffer, &raw mut result);
        if again_with_more_room(what, answer, &mut buffer)? {
            continue;
        }
        if result.is_null() {
            return Ok(None);
        }
        // SAFETY: the call succeeded, so every pointer is a C string inside `buffer`, which still lives.
        let (name, gecos, home, shell) = unsafe {
            (
                bytes(entry.pw_name),
                bytes(entry.pw_gecos),
                bytes(entry.pw_dir),
                bytes(entry.pw_shell),
            )
        };
        return Ok(Some(User {
            name: String::from_utf8_lossy(&name).into_owned(),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            home: path(home),
            shell: path(shell),
            gecos: String::from_utf8_lossy(&gecos).into_owned(),
        }));
    }
}

fn lookup_group(
    what: &str,
    ask: impl Fn(*mut libc::group, &mut [u8], *mut *mut libc::group) -> libc::c_int,
) -> Result<Option<Group>> {
    let mut buffer = vec![0u8; 1024];
    loop {
        // SAFETY: `group` is plain data for which all-zero bytes are a value.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut result: *mut libc::group = std::ptr::null_mut();
        let answer = ask(&raw mut entry, &mut buffer, &raw mut result);
        if again_with_more_room(what, answer, &mut buffer)? {
            continue;
        }
        if result.is_null() {
            return Ok(None);
        }
        // SAFETY: the call succeeded, so the pointers lead to C strings and a null-ended array inside `buffer`.
        let (name, members) = unsafe { (bytes(entry.gr_name), string_array(entry.gr_mem)) };
        return Ok(Some(Group {
            name: String::from_utf8_lossy(&name).into_owned(),
            gid: entry.gr_gid,
            members,
        }));
    }
}

/// Judges the answer of a `get…_r` call: true when it has to be asked again, `buffer` having grown.
pub(crate) fn again_with_more_room(what: &str, answer: libc::c_int, buffer: &mut Vec<u8>) -> Result<bool> {
    match answer {
        libc::ERANGE if buffer.len() < ENTRY_BYTES_MAX => {
            buffer.resize(buffer.len() * 4, 0);
            Ok(true)
        }
        libc::ERANGE => Err(Error::EntryTooLarge(what.to_owned())),
        libc::EINTR => Ok(true),
        // getpwnam_r(3): these four are ways in which name services say that there is no such entry.
        0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => Ok(false),
        error => Err(Error::call(
            format!("look up {what}"),
            std::io::Error::from_raw_os_error(error),
        )),
    }
}

fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// # Safety
/// `text` is null or a C string.
unsafe fn bytes(text: *const libc::c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

/// # Safety
/// `array` is null or an array of C strings that ends with a null pointer.
unsafe fn string_array(array: *const *mut libc::c_char) -> Vec<String> {
    let mut strings = Vec::new();
    let mut at = array;
    // SAFETY: the caller's promise; the walk stops at the null pointer.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            strings.push(String::from_utf8_lossy(&bytes(*at)).into_owned());
            at = at.add(1);
        }
    }
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_id() {
        let root = user_by_name("root").unwrap().expect("every system has root");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(
            user_by_uid(0).unwrap().expect("every system has root").home,
            root.home
        );
        assert!(groups_of(&root).unwrap().contains(&0));
        assert!(all_users().unwrap().contains(&("root".to_owned(), 0)));
    }

    #[test]
    fn nobody_by_that_name_is_no_error() {
        assert_eq!(user_by_name("no-such-user-here").unwrap(), None);
        assert_eq!(user_by_name("zero\0byte").unwrap(), None);
        assert_eq!(group_by_name("no-such-group-here").unwrap(), None);
    }

    #[test]
    fn a_group_is_found_by_name_and_by_id() {
        let group = group_by_gid(0).unwrap().expect("every system has group 0");
        assert_eq!(group_by_name(&group.name).unwrap().expect("just seen").gid, 0);
    }
}
