//! How the kernel events of a run are observed.

use alloc::{string::String, vec::Vec};

/// What is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// State changes of TCP sockets. Without it, connections that open and close between two
    /// snapshots are not seen, and ages are lower bounds.
    InetSockSetState,
    /// Destruction of TCP sockets. Without it, a close is noticed only at the second snapshot after
    /// it.
    TcpDestroySock,
    /// Returns of `accept`. Without it, the accepting process is known only from the next snapshot.
    Accept,
    /// Returns of `accept4`. Without it, the accepting process is known only from the next
    /// snapshot.
    Accept4,
    /// The snapshots of all open sockets.
    Snapshot,
}

impl Hook {
    /// The name of the hook in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InetSockSetState => "inet_sock_set_state",
            Self::TcpDestroySock => "tcp_destroy_sock",
            Self::Accept => "accept",
            Self::Accept4 => "accept4",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A way to attach a program to a kernel event, as the kernel's documentation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttachMethod {
    /// A raw tracepoint with typed arguments (`tp_btf`).
    TpBtf,
    /// A tracepoint of tracefs.
    Tracepoint,
    /// The entry of a kernel function, with typed arguments.
    Fentry,
    /// The return from a kernel function, with typed arguments and result.
    Fexit,
    /// The entry of a kernel function.
    Kprobe,
    /// The return from a kernel function. The kernel tracks a limited number of calls at a time, so
    /// calls are missed while many threads are blocked in the function.
    Kretprobe,
}

impl AttachMethod {
    /// The name of the attach method in every output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::Tracepoint => "tracepoint",
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
        }
    }
}

/// Why an attach method did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum AttachError {
    /// Before Linux 5.12, the kernel could free the program of an `fexit` while a call was still
    /// blocked in the function.
    FexitUnsafe,
    /// tracefs is mounted and could not be read; `detail` is the operating system's text.
    TracefsUnreadable { detail: String },
    /// tracefs is not mounted and could not be mounted; `detail` is the operating system's text.
    TracefsUnavailable { detail: String },
    /// The embedded object has no such program, or the program has another type.
    ProgramInvalid { program: String },
    /// The kernel refused to load or to attach the program; `detail` is its error.
    Refused { detail: String },
}

impl AttachError {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FexitUnsafe => "fexit-unsafe",
            Self::TracefsUnreadable { .. } => "tracefs-unreadable",
            Self::TracefsUnavailable { .. } => "tracefs-unavailable",
            Self::ProgramInvalid { .. } => "program-invalid",
            Self::Refused { .. } => "refused",
        }
    }
}

/// An attach method that did not work, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachFailure {
    /// The method.
    pub method: AttachMethod,
    /// Why it did not work.
    pub error: AttachError,
}

/// Why snapshots are taken without BPF programs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum FallbackReason {
    /// The user chose `--source sock-diag`.
    Requested,
    /// The BPF programs could not be loaded; `detail` is the error.
    ProgramsNotLoaded { detail: String },
}

impl FallbackReason {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::ProgramsNotLoaded { .. } => "programs-not-loaded",
        }
    }
}

/// Whether and how a hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum AttachState {
    /// Attached by `method`; the preferred methods in `failures` did not work.
    Attached { method: AttachMethod, failures: Vec<AttachFailure> },
    /// The probe is not attached: no method worked, or none was allowed.
    NotAttached { failures: Vec<AttachFailure> },
    /// Snapshots come from sock_diag(7) and `/proc` in place of the iterator.
    SockDiag { reason: FallbackReason },
    /// The text of a recording of format 3, which did not keep the state as data.
    Recorded { is_attached: bool, text: String },
}

/// One hook of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is observed.
    pub hook: Hook,
    /// Whether and how it is attached.
    pub state: AttachState,
}

impl Probe {
    /// Whether events of the hook reach this run. Snapshots without BPF programs count as attached.
    pub const fn is_attached(&self) -> bool {
        match &self.state {
            AttachState::Attached { .. } | AttachState::SockDiag { .. } => true,
            AttachState::NotAttached { .. } => false,
            AttachState::Recorded { is_attached, .. } => *is_attached,
        }
    }
}
