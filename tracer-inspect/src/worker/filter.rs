//! The system calls that the worker may make: an allow-list (seccomp(2)). All others return EPERM.
//!
//! A process that has compromised the worker can read the files and processes that the worker can
//! read, and send bytes to the tracer. It cannot write to a file or a process, execute a program,
//! open a socket, or signal another process.

use std::{collections::BTreeMap, slice};

use anyhow::{Context as _, Result};
use rustix::{fs::OFlags, process::getpid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// Calls that are allowed with any arguments.
const ALLOWED: &[i64] = &[
    // Reading files and directories.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_readlinkat,
    // The protocol of a socket (`system.sockprotoname`).
    libc::SYS_getxattr,
    libc::SYS_getdents64,
    libc::SYS_fadvise64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_dup,
    // Reading processes.
    libc::SYS_process_vm_readv,
    libc::SYS_kcmp,
    // The socket to the tracer, and standard error. Files are opened for reading only.
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    // Passes the open file of a program, to which the tracer attaches uprobes.
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_ppoll,
    // Memory. A mapped file was opened for reading.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    // Time and identity.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getcwd,
    libc::SYS_getrandom,
    libc::SYS_getrlimit,
    // The runtimes of Rust and C: locks, panics, exit.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The commands of fcntl(2) that are allowed.
const FCNTL: [i32; 5] =
    [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL];

/// `PR_GET_AUXV` of `include/uapi/linux/prctl.h`, since Linux 6.4.
const PR_GET_AUXV: u64 = 0x4155_5856;

/// Allowed older system calls, which only some architectures have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_LEGACY: &[i64] =
    &[libc::SYS_stat, libc::SYS_lstat, libc::SYS_readlink, libc::SYS_access, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_LEGACY: &[i64] = &[];

/// Installs the filter, which cannot be removed.
///
/// # Errors
/// The kernel refused, for example because it was built without seccomp filters.
pub fn filter_system_calls() -> Result<()> {
    let program = program().context("the filter of system calls is not valid")?;
    apply_filter(&program).context("cannot filter the system calls of the inspection worker")
}

fn program() -> Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_LEGACY).map(|call| (*call, Vec::new())).collect();
    // For reading only, or not even for that (O_PATH).
    let writing = OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::TMPFILE;
    let writing = u64::from(writing.bits() & !OFlags::DIRECTORY.bits());
    rules.insert(libc::SYS_openat, when(&[none_of(2, writing)?])?);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, when(&[none_of(1, writing)?])?);
    // Memory is never executable.
    let not_executable = none_of(2, bits(libc::PROT_EXEC))?;
    rules.insert(libc::SYS_mprotect, when(slice::from_ref(&not_executable))?);
    // Shared anonymous memory does not count toward `RLIMIT_DATA`, so only files may be shared.
    let from_file = [not_executable.clone(), none_of(3, bits(libc::MAP_ANONYMOUS))?];
    let private = [not_executable, none_of(3, bits(libc::MAP_SHARED))?];
    rules.insert(libc::SYS_mmap, [when(&from_file)?, when(&private)?].concat());
    // Duplicates and flags. `F_SETOWN` and `F_SETSIG` would let the kernel send signals to others.
    let commands = FCNTL.iter().map(|command| when(&[is(1, bits(*command))?]));
    rules.insert(libc::SYS_fcntl, commands.collect::<Result<Vec<_>>>()?.concat());
    // Signals to this process only: `abort`.
    let own = u64::from(getpid().as_raw_pid().cast_unsigned());
    rules.insert(libc::SYS_tgkill, when(&[is(0, own)?])?);
    // Signal 0 only asks whether a process exists, so that one that has exited is not reported as
    // unreadable.
    rules.insert(libc::SYS_kill, when(&[is(1, 0)?])?);
    // A library reads the auxiliary vector.
    rules.insert(libc::SYS_prctl, when(&[is(0, PR_GET_AUXV)?])?);
    // Limits are read, not set.
    rules.insert(libc::SYS_prlimit64, when(&[is_null(2)?])?);
    let architecture = std::env::consts::ARCH.try_into()?;
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, architecture)?;
    Ok(filter.try_into()?)
}

fn when(conditions: &[SeccompCondition]) -> Result<Vec<SeccompRule>> {
    Ok(vec![SeccompRule::new(conditions.to_vec())?])
}

/// A condition that none of these bits of an argument of 32 bits is set.
fn none_of(argument: u8, bits: u64) -> Result<SeccompCondition> {
    condition(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), 0)
}

/// An argument of 32 bits has this value.
fn is(argument: u8, value: u64) -> Result<SeccompCondition> {
    condition(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// A pointer is null.
fn is_null(argument: u8) -> Result<SeccompCondition> {
    condition(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

fn condition(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition> {
    Ok(SeccompCondition::new(argument, length, operator, value)?)
}

/// An argument of 32 bits.
const fn bits(argument: i32) -> u64 {
    argument.cast_unsigned() as u64
}

#[cfg(test)]
mod tests;
