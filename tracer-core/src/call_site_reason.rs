//! Why the line of code behind a connection is unknown, as data.

use alloc::string::String;

use crate::Limit;

/// Why a call site is unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum CallSiteReason {
    /// The connection was open before tracing began, so no stack was recorded when it was opened.
    OpenedBeforeTracing,
    /// No stack was recorded when the connection was opened or the response requested: this run
    /// records none, the event was lost, or the kernel's stack map was full.
    StackNotRecorded,
    /// The stack was recorded, and its symbols have not been resolved yet.
    NotResolved,
    /// The kernel's stack map no longer holds the stack.
    StackNotKept,
    /// The recorded stack has no frames.
    StackEmpty,
    /// The stack has more than the `frames_max` frames that the kernel records, and the
    /// application's frame is not among them.
    StackTooDeep { frames_max: usize },
    /// The stack cannot be unwound past `module`, which was built without frame pointers; `None` is
    /// JIT-compiled code. `explanation` is what the frame rules say about the runtime.
    FramePointersMissing { module: Option<String>, explanation: Option<String> },
    /// `module` has no function names; `None` is JIT-compiled code without a perf map.
    SymbolsMissing { module: Option<String> },
    /// The runtime hides the application's frames; `explanation` is what the frame rules say about
    /// it.
    HiddenByRuntime { explanation: String },
    /// The caller of the innermost known function cannot be determined, and the frame rules do not
    /// say why.
    HiddenFrame,
    /// No frame of the stack belongs to the application.
    NoApplicationFrame,
    /// `/tmp/perf-PID.map` belongs neither to root nor to the process's user, so it is not trusted.
    PerfMapUntrusted,
    /// `/tmp/perf-PID.map` is larger than `bytes_max`.
    PerfMapTooLarge { bytes_max: u64 },
    /// `/tmp/perf-PID.map` could not be read; `detail` is the operating system's text.
    PerfMapUnreadable { detail: String },
    /// The line table of a Go program does not match its code.
    GoLinesInconsistent,
    /// The connections of a finding were opened at several call sites.
    SeveralCallSites,
    /// The text of a recording of format 3, which did not keep reasons as data.
    Recorded { text: String },
    /// The process could not be inspected.
    Process(Limit),
}

impl CallSiteReason {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OpenedBeforeTracing => "opened-before-tracing",
            Self::StackNotRecorded => "stack-not-recorded",
            Self::NotResolved => "not-resolved",
            Self::StackNotKept => "stack-not-kept",
            Self::StackEmpty => "stack-empty",
            Self::StackTooDeep { .. } => "stack-too-deep",
            Self::FramePointersMissing { .. } => "frame-pointers-missing",
            Self::SymbolsMissing { .. } => "symbols-missing",
            Self::HiddenByRuntime { .. } => "hidden-by-runtime",
            Self::HiddenFrame => "hidden-frame",
            Self::NoApplicationFrame => "no-application-frame",
            Self::PerfMapUntrusted => "perf-map-untrusted",
            Self::PerfMapTooLarge { .. } => "perf-map-too-large",
            Self::PerfMapUnreadable { .. } => "perf-map-unreadable",
            Self::GoLinesInconsistent => "go-lines-inconsistent",
            Self::SeveralCallSites => "several-call-sites",
            Self::Recorded { .. } => "recorded",
            Self::Process(limit) => limit.code(),
        }
    }

    /// Whether a stack was recorded and resolved, without finding the call site.
    pub(crate) const fn is_about_a_stack(&self) -> bool {
        !matches!(self, Self::OpenedBeforeTracing | Self::StackNotRecorded | Self::NotResolved)
    }
}
