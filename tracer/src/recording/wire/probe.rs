//! How the kernel events of a run are observed.

wire_enum! {
    #[derive(Copy)]
    Hook mirrors tracer_core::Hook {
        InetSockSetState,
        TcpDestroySock,
        Accept,
        Accept4,
        Snapshot,
    }
}

wire_enum! {
    #[derive(Copy)]
    AttachMethod mirrors tracer_core::AttachMethod {
        TpBtf,
        Tracepoint,
        Fentry,
        Fexit,
        Kprobe,
        Kretprobe,
    }
}

wire_enum! {
    AttachError mirrors tracer_core::AttachError {
        FexitUnsafe,
        TracefsUnreadable { detail: String },
        TracefsUnavailable { detail: String },
        ProgramInvalid { program: String },
        Refused { detail: String },
    }
}

wire_struct! {
    AttachFailure mirrors tracer_core::AttachFailure {
        method: AttachMethod,
        error: AttachError,
    }
}

wire_enum! {
    FallbackReason mirrors tracer_core::FallbackReason {
        Requested,
        ProgramsNotLoaded { detail: String },
    }
}

wire_enum! {
    AttachState mirrors tracer_core::AttachState {
        Attached { method: AttachMethod, failures: Vec<AttachFailure> },
        NotAttached { failures: Vec<AttachFailure> },
        SockDiag { reason: FallbackReason },
        Recorded { is_attached: bool, text: String },
    }
}

wire_struct! {
    Probe mirrors tracer_core::Probe {
        hook: Hook,
        state: AttachState,
    }
}
