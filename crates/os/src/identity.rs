//! Taking another identity for good: groups, then group, then user; checked afterwards (setresuid(2)).

#![allow(unsafe_code)]

use crate::users::{self, User};
use crate::{Error, Result};

/// Who a process is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// The identity of a user with all groups the system gives it.
    ///
    /// # Errors
    /// As [`users::groups_of`].
    pub fn of(user: &User) -> Result<Identity> {
        Ok(Identity {
            uid: user.uid,
            gid: user.gid,
            groups: users::groups_of(user)?,
        })
    }

    /// The identity that this process has now (effective ids).
    pub fn current() -> Identity {
        let groups = rustix::process::getgroups().unwrap_or_default();
        Identity {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: groups.iter().map(|g| g.as_raw()).collect(),
        }
    }

    /// Makes the whole process, all its threads, this identity, with no way back; then checks that it is so.
    ///
    /// # Errors
    /// [`Error::Call`] when the system refuses, [`Error::IdentityNotTaken`] when it only seemed to agree. After an
    /// error the process must end: it may be half of each.
    pub fn take(&self) -> Result<()> {
        let groups: Vec<libc::gid_t> = self.groups.clone();
        // SAFETY: `groups` has as many ids as is said.
        if unsafe { libc::setgroups(groups.len(), groups.as_ptr()) } != 0 {
            return Err(Error::last("set the supplementary groups"));
        }
        // SAFETY: plain numbers; the C library applies the call to every thread.
        if unsafe { libc::setresgid(self.gid, self.gid, self.gid) } != 0 {
            return Err(Error::last(format!("become group id {}", self.gid)));
        }
        // SAFETY: as above.
        if unsafe { libc::setresuid(self.uid, self.uid, self.uid) } != 0 {
            return Err(Error::last(format!("become user id {}", self.uid)));
        }
        self.verify()
    }

    /// Has `command` run as this identity from its first instruction on.
    pub fn give_to(self, command: &mut std::process::Command) {
        use std::os::unix::process::CommandExt;
        let take = move || {
            let last = std::io::Error::last_os_error;
            // SAFETY: the groups are as many as is said; the others are plain numbers.
            let is_taken = unsafe {
                libc::setgroups(self.groups.len(), self.groups.as_ptr()) == 0
                    && libc::setresgid(self.gid, self.gid, self.gid) == 0
                    && libc::setresuid(self.uid, self.uid, self.uid) == 0
            };
            if is_taken { Ok(()) } else { Err(last()) }
        };
        // SAFETY: between fork and exec the closure makes three system calls, and neither allocates nor locks.
        unsafe {
            command.pre_exec(take);
        }
    }

    fn verify(&self) -> Result<()> {
        let not_taken = Error::IdentityNotTaken {
            uid: self.uid,
            gid: self.gid,
        };
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        // SAFETY: three valid places to write to.
        let users = unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) };
        if users != 0 || [real, effective, saved] != [self.uid; 3] {
            return Err(not_taken);
        }
        // SAFETY: three valid places to write to.
        let groups = unsafe { libc::getresgid(&raw mut real, &raw mut effective, &raw mut saved) };
        if groups != 0 || [real, effective, saved] != [self.gid; 3] {
            return Err(not_taken);
        }
        // SAFETY: plain number. Succeeding would be the defect: root must be out of reach.
        if self.uid != 0 && unsafe { libc::setuid(0) } == 0 {
            return Err(not_taken);
        }
        Ok(())
    }
}

/// Whether this process acts as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_an_identity_is_for_good() {
        // In a child of its own: this test program, told to change. Only root can.
        if std::env::var_os("OS_TEST_TAKE_IDENTITY").is_some() {
            let nobody = Identity {
                uid: 65534,
                gid: 65534,
                groups: vec![65534],
            };
            nobody.take().unwrap();
            assert!(!is_root());
            assert_eq!(Identity::current(), nobody);
            assert!(
                Identity {
                    uid: 0,
                    gid: 0,
                    groups: vec![]
                }
                .take()
                .is_err()
            );
            return;
        }
        if !is_root() {
            println!("skipped: needs root");
            return;
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "identity::tests::taking_an_identity_is_for_good"])
            .env("OS_TEST_TAKE_IDENTITY", "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}
