//! Why a call site is unknown.

use super::{Count, limit::Limit};

wire_enum! {
    CallSiteReason mirrors tracer_core::CallSiteReason {
        OpenedBeforeTracing,
        StackNotRecorded,
        NotResolved,
        StackNotKept,
        StackEmpty,
        StackTooDeep { frames_max: Count },
        FramePointersMissing { module: Option<String>, explanation: Option<String> },
        SymbolsMissing { module: Option<String> },
        HiddenByRuntime { explanation: String },
        HiddenFrame,
        NoApplicationFrame,
        PerfMapUntrusted,
        PerfMapTooLarge { bytes_max: u64 },
        PerfMapUnreadable { detail: String },
        GoLinesInconsistent,
        SeveralCallSites,
        Recorded { text: String },
        Process(limit: Limit),
    }
}
