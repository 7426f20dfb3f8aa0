//! Processes.

use compact_str::CompactString;

use crate::recording::list_delta::whole_list_item;

wire_struct! {
    #[derive(Copy, PartialOrd, Ord, Hash)]
    ProcessKey mirrors tracer_core::ProcessKey {
        start_time_ns: u64,
        pid: u32,
    }
}

wire_newtype! {
    /// A kernel `comm`. Stored inline, as in the core, because every owner of every socket has
    /// one.
    Comm(CompactString) mirrors tracer_core::Comm
}

wire_struct! {
    Container mirrors tracer_core::Container {
        id: String,
        runtime: Option<String>,
        pod_uid: Option<String>,
    }
}

wire_struct! {
    ProcessFacts mirrors tracer_core::ProcessFacts {
        key: ProcessKey,
        exe: Option<String>,
        cmdline: Option<String>,
        script: Option<String>,
        uid: Option<u32>,
        container: Option<Container>,
        inner_pid: Option<u32>,
        open_fds: Option<u64>,
        fd_limit: Option<u64>,
        stopped: bool,
        has_executed: Option<bool>,
    }
}

wire_struct! {
    Holder mirrors tracer_core::Holder {
        key: ProcessKey,
        comm: Comm,
        tcp_fds: u64,
    }
}

whole_list_item!(Holder, ProcessKey, |holder| holder.key);
