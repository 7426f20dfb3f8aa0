//! Why less is known of a process than could be.

use super::Count;

wire_enum! {
    AccessError mirrors tracer_core::AccessError {
        PermissionDenied { detail: Option<String> },
        YamaPtraceScope,
        NotInKernel,
        Failed { detail: String },
    }
}

wire_enum! {
    Limit mirrors tracer_core::Limit {
        FdsUnreadable { error: AccessError },
        ThreadsUnreadable { error: AccessError },
        MemoryUnreadable { error: AccessError },
        EpollsTruncated { fds_max: Count, registrations_max: Count },
        ThreadsTruncated { threads_max: Count },
        PolledFdsTruncated,
        ThirtyTwoBitProgram,
        NotGo,
        GoOtherArchitecture,
        GoroutinesNotOnArchitecture,
        GoTooOld { minor: u32, oldest_minor: u32 },
        GoTooNew { minor: u32, newest_minor: u32 },
        NothingVerified,
        GoFunctionTableMissing,
        GoroutineListMissing,
        GoroutineListMoved,
        GoroutinesTruncated { scanned: u64, total: u64 },
        StacksTruncated { scanned_bytes: u64 },
        ReferencesIncomplete,
        GoFunctionMissing { function: String },
        UprobesRefused { detail: String },
        ProcessEnded,
        ResponsesTruncated { resolved: Count, total: Count },
        ConnectionsNotFound { missing: Count, total: Count },
        Recorded { text: String },
        InspectionTooLarge { bytes_max: u64 },
        InspectionTooLong { steps_max: u64 },
        FileNotLocal { filesystem: String },
    }
}
