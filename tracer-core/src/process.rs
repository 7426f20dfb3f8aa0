//! Processes: identity, name and what `/proc` says about them.

use alloc::string::String;

use compact_str::CompactString;

use crate::Timestamp;

/// Identity of a process: the start time distinguishes it from an earlier one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// When the process started, in nanoseconds since boot (`task_struct.start_boottime` of the
    /// thread group leader). The first field, so that keys are ordered by start time.
    pub start_time_ns: u64,
    /// Process (thread group) id in the tracer's pid namespace.
    pub pid: u32,
}

impl ProcessKey {
    /// When the process started on `CLOCK_MONOTONIC`, which does not count the `suspended_ns` for
    /// which the host was suspended since it booted.
    pub(crate) const fn started_at(self, suspended_ns: u64) -> Timestamp {
        Timestamp::from_ns(self.start_time_ns.saturating_sub(suspended_ns))
    }
}

/// A kernel `comm`: up to 15 bytes, chosen by the process itself.
///
/// Stored inline, because every file descriptor of every socket has one. Decoding replaces invalid
/// UTF-8 and nothing else: each output escapes what its medium cannot represent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm(pub CompactString);

impl Comm {
    /// Reads a NUL-padded kernel `comm`.
    pub fn from_kernel(bytes: &[u8]) -> Self {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Self(CompactString::from_utf8_lossy(&bytes[..end]))
    }
}

/// A container, as named by the path of its cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The container's id.
    pub id: String,
    /// The container runtime: `docker`, `containerd`, `cri-o` or `podman`.
    pub runtime: Option<String>,
    /// The UID of its Kubernetes pod.
    pub pod_uid: Option<String>,
}

/// What `/proc` says about a process: the answer to
/// [`Question::Process`](crate::Question::Process).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFacts {
    /// The process and its start time.
    pub key: ProcessKey,
    /// Target of `/proc/PID/exe`.
    pub exe: Option<String>,
    /// `/proc/PID/cmdline` with spaces between the arguments; only if the user asked for it.
    pub cmdline: Option<String>,
    /// Name of the program that an interpreter runs: the file name of a script or jar
    /// (`billing.py`), a Python module or a Java class. `None` if the process is not a known
    /// interpreter, or it is uncertain what it runs.
    pub script: Option<String>,
    /// Real user id.
    pub uid: Option<u32>,
    /// The container of the process, if the cgroup path names one.
    pub container: Option<Container>,
    /// The pid of the process in its innermost pid namespace (`NStgid` in `/proc/PID/status`), if
    /// that differs from the pid in [`key`](Self::key).
    pub inner_pid: Option<u32>,
    /// Open file descriptors of every type (entries of `/proc/PID/fd`).
    pub open_fds: Option<u64>,
    /// Soft limit of open files (`RLIMIT_NOFILE`).
    pub fd_limit: Option<u64>,
    /// Whether the process is stopped by a signal, a debugger or the cgroup freezer, so that it
    /// cannot read or close anything.
    pub stopped: bool,
    /// Whether the process has called `execve` since it was forked, so that it runs a different
    /// program than its parent (`PF_FORKNOEXEC` is clear in the flags of `/proc/PID/stat`). `None`
    /// if unknown.
    pub has_executed: Option<bool>,
}
