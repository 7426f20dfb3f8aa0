//! The types of other modules that cross the boundary. A new field or variant of one of them is a
//! compile error until it is listed here.

use tracer_common::{LedgerKind, StackTop};
use tracer_core::{
    AccessError, Asked, CallSite, CallSiteReason, ConnectionId, Container, Goroutines, HolderKind,
    HttpConnection, HttpStage, HttpStream, Limit, ProcessFacts, ProcessKey, Reachability, Reader,
    ReaderFacts, Readers, ResponseHolder, StackId, Timestamp,
};

use super::codec::{Bytes, Malformed, Wire};
use crate::{
    go::{Entries, HttpObject, LedgerHook, ResolvedConnection},
    process::user_stack::UserStack,
};

impl Wire for Timestamp {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_ns().write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        // The last nanosecond has no timestamp of its own.
        let ns = u64::read(input)?;
        Some(Self::from_ns(ns)).filter(|at| at.as_ns() == ns).ok_or(Malformed)
    }
}

impl Wire for ConnectionId {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        u64::read(input).map(Self)
    }
}

impl Wire for StackId {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        u32::read(input).map(Self)
    }
}

wire_struct!(ProcessKey { start_time_ns, pid });
wire_struct!(Asked { id, fd, inode });
wire_struct!(UserStack { addresses, top });
wire_struct!(StackTop { instruction, words });

wire_struct!(Container { id, runtime, pod_uid });
wire_struct!(ProcessFacts {
    key,
    exe,
    cmdline,
    script,
    uid,
    container,
    inner_pid,
    open_fds,
    fd_limit,
    stopped,
    has_executed,
});

wire_enum!(Reader {
    0 = Unknown,
    1 = None,
    2 = Goroutine,
    3 = Thread,
    4 = Epoll,
    5 = Mixed,
});
wire_enum!(Reachability {
    0 = Unknown,
    1 = NotOnStack,
    2 = Dropped,
    3 = Held(holder),
});
wire_enum!(HolderKind {
    0 = Goroutine,
    1 = Closure,
    2 = Channel,
    3 = Map,
    4 = Slice,
    5 = Timer,
    6 = Global,
    7 = Object,
});

impl Wire for ResponseHolder {
    fn write(&self, out: &mut Vec<u8>) {
        let Self { kind, name } = self;
        kind.write(out);
        let name = name.as_deref().map(|name| &name[..name.floor_char_boundary(Self::NAME_MAX)]);
        name.map(str::to_owned).write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let (kind, name) = (HolderKind::read(input)?, Option::<String>::read(input)?);
        let is_short = name.as_ref().is_none_or(|name| name.len() <= Self::NAME_MAX);
        if is_short { Ok(Self { kind, name }) } else { Err(Malformed) }
    }
}

wire_enum!(HttpStage {
    0 = AwaitingBody,
    1 = Idle,
});
wire_struct!(HttpConnection { stage, transport, request, reachability });
wire_struct!(ReaderFacts { id, reader, is_registered, http });
wire_struct!(Goroutines { total, read_loops, write_loops });
wire_struct!(Readers { process, at, found, goroutines, limits });

wire_struct!(CallSite { process, stack, location, reason });
wire_enum!(CallSiteReason {
    0 = OpenedBeforeTracing,
    1 = StackNotRecorded,
    2 = NotResolved,
    3 = StackNotKept,
    4 = StackEmpty,
    5 = StackTooDeep { frames_max },
    6 = FramePointersMissing { module, explanation },
    7 = SymbolsMissing { module },
    8 = HiddenByRuntime { explanation },
    9 = HiddenFrame,
    10 = NoApplicationFrame,
    11 = PerfMapUntrusted,
    12 = PerfMapTooLarge { bytes_max },
    13 = PerfMapUnreadable { detail },
    14 = GoLinesInconsistent,
    15 = SeveralCallSites,
    16 = Recorded { text },
    17 = Process(limit),
});

wire_enum!(AccessError {
    0 = PermissionDenied { detail },
    1 = YamaPtraceScope,
    2 = NotInKernel,
    3 = Failed { detail },
});
wire_enum!(Limit {
    0 = FdsUnreadable { error },
    1 = ThreadsUnreadable { error },
    2 = MemoryUnreadable { error },
    3 = EpollsTruncated { fds_max, registrations_max },
    4 = ThreadsTruncated { threads_max },
    5 = PolledFdsTruncated,
    6 = ThirtyTwoBitProgram,
    7 = NotGo,
    8 = GoOtherArchitecture,
    9 = GoroutinesNotOnArchitecture,
    10 = GoTooOld { minor, oldest_minor },
    11 = GoTooNew { minor, newest_minor },
    12 = NothingVerified,
    13 = GoFunctionTableMissing,
    14 = GoroutineListMissing,
    15 = GoroutineListMoved,
    16 = GoroutinesTruncated { scanned, total },
    17 = StacksTruncated { scanned_bytes },
    18 = ReferencesIncomplete,
    19 = GoFunctionMissing { function },
    20 = UprobesRefused { detail },
    21 = ProcessEnded,
    22 = ResponsesTruncated { resolved, total },
    23 = ConnectionsNotFound { missing, total },
    24 = Recorded { text },
    25 = InspectionTooLarge { bytes_max },
    26 = InspectionTooLong { steps_max },
    27 = FileNotLocal { filesystem },
});

wire_enum!(LedgerHook {
    0 = RoundTrip,
    1 = PutIdle,
    2 = Close,
    3 = StreamRoundTrip,
    4 = StreamStart,
    5 = StreamEnd,
});
wire_struct!(Entries { hooks, limits });

wire_enum!(LedgerKind {
    1 = Connection,
    2 = Stream,
    3 = Request,
});
wire_struct!(HttpObject { kind, address });
wire_struct!(HttpStream { id, held_bytes, read_mark });
wire_struct!(ResolvedConnection { fd, stream, is_awaited });
