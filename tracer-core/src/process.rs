use alloc::string::String;

use compact_str::CompactString;

use crate::Timestamp;

/// One process, told apart from an earlier one with the same pid by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ProcessKey {
    /// When the process started, in nanoseconds since boot (`task_struct.start_boottime` of the
    /// thread group leader). First, so that the order of keys is the order of births.
    pub start_time_ns: u64,
    /// Process (thread group) id in the tracer's pid namespace.
    pub pid: u32,
}

impl ProcessKey {
    /// When the process started on the clock of all other moments, which does not count the
    /// `suspended_ns` for which the host was suspended since it booted.
    pub(crate) const fn began_at(self, suspended_ns: u64) -> Timestamp {
        Timestamp::from_ns(self.start_time_ns.saturating_sub(suspended_ns))
    }
}

/// A kernel `comm`: up to 15 bytes that the process chose itself.
///
/// Kept in place: every descriptor of every socket has one.
/// Invalid UTF-8 is replaced when it is decoded. Nothing else is: sinks escape what their medium
/// cannot take.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Comm(pub CompactString);

impl Comm {
    /// Reads a NUL-padded kernel `comm`.
    pub fn from_kernel(bytes: &[u8]) -> Self {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Self(CompactString::from_utf8_lossy(&bytes[..end]))
    }
}

/// A container, as far as the path of its cgroup tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Who runs it: `docker`, `containerd`, `cri-o` or `podman`.
    pub runtime: Option<String>,
    /// The uid of its pod in Kubernetes.
    pub pod_uid: Option<String>,
}

/// What `/proc` says of a process, asked for by the core for the processes it suspects
/// ([`Detector::questions`](crate::Detector::questions)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ProcessFacts {
    /// Which process.
    pub key: ProcessKey,
    /// Target of `/proc/PID/exe`.
    pub exe: Option<String>,
    /// `/proc/PID/cmdline` with spaces between the arguments; only if the user asked for it.
    pub cmdline: Option<String>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Its container, where the cgroup path names one.
    pub container: Option<Container>,
    /// Its number in the innermost pid namespace that it is in (`NStgid` in `/proc/PID/status`), if
    /// that is another one than in [`key`](Self::key).
    pub inner_pid: Option<u32>,
    /// Open descriptors of every kind (entries of `/proc/PID/fd`).
    pub open_fds: Option<u64>,
    /// Soft limit of open files (`RLIMIT_NOFILE`).
    pub fd_limit: Option<u64>,
    /// Stopped by a signal, a debugger or the freezer: it cannot read whatever it wants.
    pub stopped: bool,
    /// It has called `execve` since it was forked, so it runs another program than its parent did
    /// (`PF_FORKNOEXEC` is clear in `/proc/PID/stat`).
    pub has_executed: Option<bool>,
}
