//! Why a process could not be inspected completely, as data.

use alloc::string::String;

/// Why a file or the memory of a process could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum AccessError {
    /// EACCES or EPERM: this requires root in the process's user namespace, or CAP_SYS_PTRACE.
    /// `detail` is the operating system's text, if it says more.
    PermissionDenied { detail: Option<String> },
    /// `kernel.yama.ptrace_scope` is 3: no process may read another process's memory until reboot.
    YamaPtraceScope,
    /// ENOSYS: the kernel was built without CONFIG_CROSS_MEMORY_ATTACH.
    NotInKernel,
    /// Any other error; `detail` is the operating system's text.
    Failed { detail: String },
}

impl AccessError {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PermissionDenied { .. } => "permission-denied",
            Self::YamaPtraceScope => "yama-ptrace-scope",
            Self::NotInKernel => "not-in-kernel",
            Self::Failed { .. } => "failed",
        }
    }
}

/// Why an inspection of a process found less than it could have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum Limit {
    /// `/proc/PID/fd` or `/proc/PID/fdinfo` could not be read.
    FdsUnreadable { error: AccessError },
    /// `/proc/PID/task/*/syscall` could not be read.
    ThreadsUnreadable { error: AccessError },
    /// The process's memory could not be read.
    MemoryUnreadable { error: AccessError },
    /// The process's epoll instances have more than `fds_max` file descriptors or
    /// `registrations_max` registrations; the rest were not read.
    EpollsTruncated { fds_max: usize, registrations_max: usize },
    /// No more than `threads_max` of its threads were inspected.
    ThreadsTruncated { threads_max: usize },
    /// The process's threads poll more file descriptors than were read.
    PolledFdsTruncated,
    /// The process runs a 32-bit program: the arguments of its system calls are not decoded.
    ThirtyTwoBitProgram,
    /// The process does not run a Go program.
    NotGo,
    /// The process runs a Go program for another machine architecture.
    GoOtherArchitecture,
    /// Goroutine stacks are decoded on amd64 only.
    GoroutinesNotOnArchitecture,
    /// The program was built with Go 1.`minor`; the oldest supported is 1.`oldest_minor`.
    GoTooOld { minor: u32, oldest_minor: u32 },
    /// The program was built with Go 1.`minor`, which is newer than the newest tested,
    /// 1.`newest_minor`, and something did not match the known layouts.
    GoTooNew { minor: u32, newest_minor: u32 },
    /// Nothing that was read passed verification.
    NothingVerified,
    /// The function table of the program (gopclntab) was not found.
    GoFunctionTableMissing,
    /// The runtime's list of goroutines (`runtime.allgs`) was not found.
    GoroutineListMissing,
    /// The runtime's list of goroutines moved while it was being read.
    GoroutineListMoved,
    /// `scanned` of `total` goroutines were scanned.
    GoroutinesTruncated { scanned: u64, total: u64 },
    /// No more than `scanned_bytes` of goroutine stacks were scanned.
    StacksTruncated { scanned_bytes: u64 },
    /// It is unknown which responses goroutines reference: stacks were too large, or moved too
    /// often.
    ReferencesIncomplete,
    /// `function` is not in the program, so uprobes cannot track its HTTP responses.
    GoFunctionMissing { function: String },
    /// The kernel refused the uprobes; `detail` is its error.
    UprobesRefused { detail: String },
    /// The process has exited.
    ProcessEnded,
    /// The `resolved` oldest of `total` open responses were matched to connections.
    ResponsesTruncated { resolved: usize, total: usize },
    /// For `missing` of `total` open responses the connection was not found.
    ConnectionsNotFound { missing: usize, total: usize },
    /// The text of a recording of format 3, which did not keep limits as data.
    Recorded { text: String },
    /// What was read of the process takes more than `bytes_max` of memory.
    InspectionTooLarge { bytes_max: u64 },
    /// The inspection takes more than `steps_max` steps of a few nanoseconds.
    InspectionTooLong { steps_max: u64 },
    /// The program of the process, or another of its files, is on a network file system or on FUSE,
    /// which may never respond, and was not opened. `filesystem` is the type in
    /// `/proc/PID/mountinfo`.
    FileNotLocal { filesystem: String },
}

impl Limit {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FdsUnreadable { .. } => "fds-unreadable",
            Self::ThreadsUnreadable { .. } => "threads-unreadable",
            Self::MemoryUnreadable { .. } => "memory-unreadable",
            Self::EpollsTruncated { .. } => "epolls-truncated",
            Self::ThreadsTruncated { .. } => "threads-truncated",
            Self::PolledFdsTruncated => "polled-fds-truncated",
            Self::ThirtyTwoBitProgram => "thirty-two-bit-program",
            Self::NotGo => "not-go",
            Self::GoOtherArchitecture => "go-other-architecture",
            Self::GoroutinesNotOnArchitecture => "goroutines-not-on-architecture",
            Self::GoTooOld { .. } => "go-too-old",
            Self::GoTooNew { .. } => "go-too-new",
            Self::NothingVerified => "nothing-verified",
            Self::GoFunctionTableMissing => "go-function-table-missing",
            Self::GoroutineListMissing => "goroutine-list-missing",
            Self::GoroutineListMoved => "goroutine-list-moved",
            Self::GoroutinesTruncated { .. } => "goroutines-truncated",
            Self::StacksTruncated { .. } => "stacks-truncated",
            Self::ReferencesIncomplete => "references-incomplete",
            Self::GoFunctionMissing { .. } => "go-function-missing",
            Self::UprobesRefused { .. } => "uprobes-refused",
            Self::ProcessEnded => "process-ended",
            Self::ResponsesTruncated { .. } => "responses-truncated",
            Self::ConnectionsNotFound { .. } => "connections-not-found",
            Self::Recorded { .. } => "recorded",
            Self::InspectionTooLarge { .. } => "inspection-too-large",
            Self::InspectionTooLong { .. } => "inspection-too-long",
            Self::FileNotLocal { .. } => "file-not-local",
        }
    }
}
