//! What a process gives up for good: setuid programs (no_new_privs), files (Landlock), other programs, the network, and
//! system calls that no mail server needs (seccomp). Sources: prctl(2), landlock(7), seccomp(2).

use std::collections::BTreeMap;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::{Error, Result};

/// What a process keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Which files.
    pub files: Files,
    /// Whether it may make connections to other hosts or listen to them. Sockets that it was given stay usable.
    pub network: Allowed,
    /// Whether it may start programs, or copies of itself.
    pub programs: Allowed,
}

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Allowed {
    Yes,
    No,
}

/// Which files a process may open, besides what its uid may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// All that its uid may.
    OfUid,
    /// Only what is below these places; what is not there is passed over.
    Below {
        /// To be read.
        read: Vec<PathBuf>,
        /// To be read, written, made and removed.
        write: Vec<PathBuf>,
    },
}

/// What came of the request to be locked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// Everything holds.
    Fully,
    /// This kernel has no Landlock, or an older one: files are guarded by the uid alone.
    WithoutFiles,
}

/// Locks the calling thread, and all that it will start, in. To be called before other threads are there.
///
/// # Errors
/// When the system refuses; the process must not go on.
pub fn enter(profile: &Profile) -> Result<Locked> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Error::call("give up setuid programs (no_new_privs)", error))?;
    let locked = match &profile.files {
        Files::OfUid => Locked::Fully,
        Files::Below { read, write } => restrict_files(read, write)?,
    };
    apply(never_needed(), libc::EPERM)?;
    if profile.network == Allowed::No {
        apply(network_calls(), libc::EACCES)?;
    }
    if profile.programs == Allowed::No {
        // What cannot be looked into must look as if it were not there: the C library then uses clone(2) for threads.
        apply(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
        apply(program_calls()?, libc::EPERM)?;
    }
    Ok(locked)
}

fn restrict_files(read: &[PathBuf], write: &[PathBuf]) -> Result<Locked> {
    const WANTED: ABI = ABI::V5;
    let refused = |error: landlock::RulesetError| Error::Sandbox(format!("restrict files: {error}"));
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))
        .map_err(refused)?
        .create()
        .map_err(refused)?
        .add_rules(path_beneath_rules(read, AccessFs::from_read(WANTED)))
        .map_err(refused)?
        .add_rules(path_beneath_rules(write, AccessFs::from_all(WANTED)))
        .map_err(refused)?
        .restrict_self()
        .map_err(refused)?;
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => Locked::WithoutFiles,
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Locked::Fully,
    })
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn always(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// What no mail server does, whatever its role.
fn never_needed() -> Rules {
    always(&[
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_setns,
        libc::SYS_unshare,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_add_key,
        libc::SYS_keyctl,
        libc::SYS_request_key,
    ])
}

/// New sockets of the internet, and what would bring them in otherwise.
fn network_calls() -> Rules {
    let domains = [libc::AF_INET, libc::AF_INET6, libc::AF_PACKET, libc::AF_NETLINK];
    let rules = domains.iter().filter_map(|domain| {
        let domain = u64::try_from(*domain).ok()?;
        let is_domain = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, domain).ok()?;
        SeccompRule::new(vec![is_domain]).ok()
    });
    let mut calls = BTreeMap::from([(libc::SYS_socket, rules.collect())]);
    calls.extend(always(&[libc::SYS_io_uring_setup]));
    calls
}

/// New programs and processes; threads are not meant.
fn program_calls() -> Result<Rules> {
    let thread = u64::try_from(libc::CLONE_THREAD).unwrap_or(0);
    let refused = |error: seccompiler::BackendError| Error::Sandbox(format!("restrict programs: {error}"));
    let is_no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)
        .map_err(refused)?;
    let mut calls = always(&[libc::SYS_execve, libc::SYS_execveat]);
    #[cfg(target_arch = "x86_64")]
    calls.extend(always(&[libc::SYS_fork, libc::SYS_vfork]));
    calls.insert(
        libc::SYS_clone,
        vec![SeccompRule::new(vec![is_no_thread]).map_err(refused)?],
    );
    Ok(calls)
}

/// Has the calls of `rules` fail with `errno`.
fn apply(rules: Rules, errno: i32) -> Result<()> {
    let refused = |error: &dyn std::fmt::Display| Error::Sandbox(format!("restrict system calls: {error}"));
    let errno = u32::try_from(errno).unwrap_or(1);
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(|error: seccompiler::BackendError| refused(&error))?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch)
        .map_err(|error| refused(&error))?;
    let program = BpfProgram::try_from(filter).map_err(|error| refused(&error))?;
    seccompiler::apply_filter(&program).map_err(|error| refused(&error))
}
