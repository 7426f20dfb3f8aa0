//! Offsets of fields in the structures of Go's runtime and standard library, in bytes.
//!
//! Fields that move between versions are in `Layout`, with a table by version. The table was taken
//! from the debug information of programs built with each version (1.19 and 1.21 to 1.27, for amd64
//! and arm64, which do not differ). The debug information of the inspected program takes precedence.
//! Fields that are the same in all of these versions are constants.

pub(super) mod heap;

use std::fs::File;

use self::heap::HeapLayout;
use super::debug_info::Structures;
use crate::budget::Budget;

/// `runtime.g`: `stack.lo`, `stack.hi`, `sched.sp`, `sched.pc`.
pub(super) const GOROUTINE_STACK_LOW: u64 = 0;
pub(super) const GOROUTINE_STACK_HIGH: u64 = 8;
pub(super) const GOROUTINE_SP: u64 = 56;
pub(super) const GOROUTINE_PC: u64 = 64;

/// `runtime.g`: `_defer`. `runtime._defer`: `fn`.
pub(super) const GOROUTINE_DEFERRED: u64 = 40;
pub(super) const DEFERRED_FUNCTION: u64 = 24;

/// `runtime.pollDesc`: `fd`, and `fdseq` where there is one.
pub(super) const POLL_DESCRIPTOR_FD: u64 = 8;
pub(super) const POLL_DESCRIPTOR_SEQUENCE: u64 = 16;

/// `bufio.Reader`: the data word of `rd`, and `r` and `w`, the read and write positions.
pub(super) const BUFFER_SOURCE: u64 = 32;
pub(super) const BUFFER_READ: u64 = 40;
pub(super) const BUFFER_WRITTEN: u64 = 48;

/// `net/http.Request`: `Method`, `URL`.
pub(super) const REQUEST_METHOD: u64 = 0;
pub(super) const REQUEST_URL: u64 = 16;

/// `net/url.URL`: `Scheme`, `Host`, `Path`.
pub(super) const URL_SCHEME: u64 = 0;
pub(super) const URL_HOST: u64 = 40;
pub(super) const URL_PATH: u64 = 56;

/// `net/http.Response`: `StatusCode`, `ProtoMajor`, `ProtoMinor`, `Body` (an interface), `Request`.
pub(super) const RESPONSE_STATUS: u64 = 16;
pub(super) const RESPONSE_MAJOR: u64 = 40;
pub(super) const RESPONSE_MINOR: u64 = 48;
pub(super) const RESPONSE_BODY: u64 = 64;
pub(super) const RESPONSE_REQUEST: u64 = 128;

/// `net/http.bodyEOFSignal`: `body` (an interface), and `fn`, which is nil once the body was read to
/// its end or closed.
pub(super) const BODY_INNER: u64 = 0;
pub(super) const BODY_SIGNAL: u64 = 48;

/// `net/http.body`: `src` (an interface).
pub(super) const INNER_SOURCE: u64 = 0;

/// `runtime.hchan`: `dataqsiz`, `elemsize` (two bytes).
pub(super) const CHANNEL_CAPACITY: u64 = 8;
pub(super) const CHANNEL_ELEMENT_SIZE: u64 = 24;

/// Size of `net/http.responseAndError`: a pointer and an interface.
pub(super) const RESPONSE_AND_ERROR_SIZE: u64 = 24;

/// `runtime.itab` (`internal/abi.ITab`): `Type`, the type of the value in an interface.
pub(super) const ITAB_TYPE: u64 = 8;

/// `internal/abi.Type`: `Kind_` (one byte). `internal/abi.PtrType`: `Elem`. `Size_` is at offset 0.
pub(super) const TYPE_KIND: u64 = 23;
pub(super) const TYPE_TARGET: u64 = 48;
/// `internal/abi.KindMask`, `Pointer` and `Struct`.
pub(super) const KIND_MASK: u8 = 31;
pub(super) const KIND_POINTER: u8 = 22;
pub(super) const KIND_STRUCT: u8 = 25;

/// `runtime.moduledata`: `pcHeader`, the length of `ftab`, `minpc`, `maxpc`, `text`, `etext`.
pub(super) const MODULE_FUNCTIONS_LENGTH: usize = 136;
pub(super) const MODULE_LOWEST: usize = 160;
pub(super) const MODULE_HIGHEST: usize = 168;
pub(super) const MODULE_TEXT: usize = 176;
pub(super) const MODULE_TEXT_END: usize = 184;
/// Number of bytes read of `runtime.moduledata`.
pub const MODULE: usize = 352;

/// `moduledata.gofunc` of Go 1.`minor`. It moved when `covctrs` was added in 1.20, and `typedesclen`
/// and the fields about itabs in 1.27.
pub(super) const fn module_function_data(minor: u32) -> usize {
    match minor {
        ..20 => 304,
        20..27 => 320,
        27.. => 344,
    }
}

/// `runtime._Gscan`: the garbage collector is scanning the stack. Statuses are in
/// `runtime/runtime2.go`.
pub(super) const STATUS_SCAN: u32 = 0x1000;
/// `_Gidle`: just allocated.
pub(super) const STATUS_IDLE: u32 = 0;
/// `_Grunnable`.
pub(super) const STATUS_RUNNABLE: u32 = 1;
/// `_Grunning`.
pub(super) const STATUS_RUNNING: u32 = 2;
/// `_Gsyscall`.
pub(super) const STATUS_SYSCALL: u32 = 3;
/// `_Gwaiting`.
pub(super) const STATUS_WAITING: u32 = 4;
/// `_Gdead`: it has exited, or has not started.
pub(super) const STATUS_DEAD: u32 = 6;
/// `_Gcopystack`: its stack is being moved.
pub(super) const STATUS_COPYING: u32 = 8;
/// `_Gpreempted`.
pub(super) const STATUS_PREEMPTED: u32 = 9;
/// `_Gleaked`, since 1.26: waiting, and found leaked by the garbage collector.
pub(super) const STATUS_LEAKED: u32 = 10;
/// `_Gdeadextra`, since 1.26: dead, and reserved for a thread not created by Go. The highest status of
/// any version.
pub(super) const STATUS_MAX: u32 = 11;

/// The newest supported minor version of Go 1.
pub(super) const NEWEST: u32 = 27;
/// The oldest supported minor version of Go 1.
pub(super) const OLDEST: u32 = 19;

/// The offsets that differ between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `g.sched.bp`. `gobuf.ret` was removed in 1.25.
    pub(super) goroutine_bp: u64,
    /// `g.atomicstatus`. `syscallbp` was added in 1.23.
    pub(super) goroutine_status: u64,
    /// `g.goid`.
    pub(super) goroutine_id: u64,
    /// `g.startpc`.
    pub(super) goroutine_function: u64,
    /// `_defer.link`. `_panic` was removed in 1.22.
    pub(super) deferred_next: u64,
    /// Whether `epoll_event.data` is a tagged pointer and `pollDesc` has `fdseq`: since 1.20.
    pub(super) poll_is_tagged: bool,
    /// `pollDesc.rg`.
    pub(super) poll_reader: u64,
    /// `netFD.pfd.Sysfd`.
    pub(super) net_fd_number: u64,
    /// `netFD.pfd.pd.runtimeCtx`. `SysFile` was added before it in 1.20.
    pub(super) net_fd_poll: u64,
    pub(super) connection: ConnectionLayout,
    /// Whether `requestAndChan` has a `*transportRequest` instead of the request: since 1.23.
    pub(super) request_is_indirect: bool,
    /// `requestAndChan.ch`.
    pub(super) request_channel: u64,
    /// HTTP/2 in each package of [`STREAM_PACKAGES`].
    pub(super) streams: [StreamLayout; STREAM_PACKAGES.len()],
    pub(super) heap: HeapLayout,
}

/// `net/http.persistConn`, a connection of the HTTP/1 client (`net/http/transport.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionLayout {
    /// `alt`, which is not nil if the connection uses HTTP/2.
    pub(super) alternative: u64,
    /// `t`.
    pub(super) transport: u64,
    /// `conn`, an interface: the second word is the data word.
    pub(super) conn: u64,
    /// `br`.
    pub(super) reader: u64,
    /// `readLimit`. `availch` was added in 1.26.
    pub(super) limit: u64,
}

/// `clientStream`, a request of the HTTP/2 client, and `ClientConn`, its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamLayout {
    /// `clientStream.cc`.
    pub(super) connection: u64,
    /// `clientStream.ID`, 32 bits.
    pub(super) id: u64,
    /// `clientStream.res`, not nil once the headers have arrived.
    pub(super) response: u64,
    /// `clientStream.bufPipe.c.notify.wait` and `.notify`, 32 bits: the number of waits for more of the
    /// body, and how many of them have ended.
    pub(super) waiting: u64,
    pub(super) notified: u64,
    /// `clientStream.bufPipe.b`, an interface.
    pub(super) buffer: u64,
    /// `dataBuffer.size`, the number of unread bytes.
    pub(super) buffer_size: u64,
    /// `dataBuffer.expected`, the number of bytes that have not been received.
    pub(super) buffer_expected: u64,
    /// `ClientConn.tconn`, an interface.
    pub(super) conn: u64,
}

/// Prefixes of the type names of HTTP/2: in the standard library up to 1.26, since 1.27, and in the
/// module `golang.org/x/net` of which those are copies.
pub(super) const STREAM_PACKAGES: [&str; 3] =
    ["net/http.http2", "net/http/internal/http2.", "golang.org/x/net/http2."];

/// Fields whose offset is not needed, but whose presence is.
const TELLING: [&str; 3] =
    ["runtime.pollDesc.fd", "runtime.pollDesc.fdseq", "net/http.requestAndChan.treq"];

impl Layout {
    /// The layout of Go 1.`minor`; for newer versions, that of the newest supported one.
    pub(super) const fn of(minor: u32) -> Self {
        let goroutine_status = if minor == 23 || minor == 24 { 152 } else { 144 };
        Self {
            goroutine_bp: if minor < 25 { 104 } else { 96 },
            goroutine_status,
            goroutine_id: goroutine_status + 8,
            goroutine_function: match minor {
                ..21 => 312,
                21 | 22 | 25 => 296,
                _ => 304,
            },
            deferred_next: if minor < 22 { 40 } else { 32 },
            poll_is_tagged: minor >= 20,
            poll_reader: if minor < 20 { 24 } else { 32 },
            net_fd_number: 16,
            net_fd_poll: if minor < 20 { 24 } else { 32 },
            connection: ConnectionLayout {
                alternative: 0,
                transport: 16,
                conn: 80,
                reader: 104,
                limit: if minor < 26 { 160 } else { 168 },
            },
            request_is_indirect: minor >= 23,
            request_channel: if minor < 23 { 16 } else { 8 },
            streams: [StreamLayout {
                connection: 0,
                id: 40,
                response: 256,
                waiting: 72,
                notified: 76,
                buffer: 112,
                buffer_size: 40,
                buffer_expected: 48,
                conn: 8,
            }; STREAM_PACKAGES.len()],
            heap: HeapLayout::of(minor),
        }
    }

    /// The layout of a program built with Go 1.`minor`, corrected by its debug information if it has
    /// any.
    pub(super) fn read(minor: u32, file: File, budget: &Budget) -> Self {
        let mut layout = Self::of(minor);
        let offsets = layout.offsets().into_iter().map(|(path, _)| path);
        let paths: Vec<String> = offsets.chain(TELLING.map(str::to_owned)).collect();
        match Structures::read(file, &paths, budget) {
            Ok(structures) => layout.corrected(&structures),
            Err(error) => {
                log::debug!("debug information of a Go program: {error}");
                layout
            }
        }
    }

    /// The layout with the offsets of the debug information.
    fn corrected(mut self, structures: &Structures) -> Self {
        for (path, offset) in self.offsets() {
            let Some(actual) = structures.offset(&path) else { continue };
            if actual != *offset {
                log::debug!("{path} is at {actual}, not at {offset} as in this version of Go");
                *offset = actual;
            }
        }
        let has = |path| structures.offset(path).is_some();
        let [poll, tag, indirect_request] = TELLING;
        if has(poll) {
            self.poll_is_tagged = has(tag);
        }
        if has("net/http.requestAndChan.ch") {
            self.request_is_indirect = has(indirect_request);
        }
        self
    }

    /// The distinct layouts of streams: usually one.
    pub(super) fn distinct_streams(&self) -> impl Iterator<Item = &StreamLayout> {
        let all = self.streams.iter().enumerate();
        all.filter(|(number, it)| !self.streams.iter().take(*number).any(|before| before == *it))
            .map(|(_, stream)| stream)
    }

    /// Every offset with the path of its field for [`Structures::offset`].
    pub(super) fn offsets(&mut self) -> Vec<(String, &mut u64)> {
        let connection = &mut self.connection;
        let fixed = [
            ("runtime.g.sched + runtime.gobuf.bp", &mut self.goroutine_bp),
            ("runtime.g.atomicstatus", &mut self.goroutine_status),
            ("runtime.g.goid", &mut self.goroutine_id),
            ("runtime.g.startpc", &mut self.goroutine_function),
            ("runtime._defer.link", &mut self.deferred_next),
            ("runtime.pollDesc.rg", &mut self.poll_reader),
            ("net.netFD.pfd + internal/poll.FD.Sysfd", &mut self.net_fd_number),
            (
                "net.netFD.pfd + internal/poll.FD.pd + internal/poll.pollDesc.runtimeCtx",
                &mut self.net_fd_poll,
            ),
            ("net/http.persistConn.alt", &mut connection.alternative),
            ("net/http.persistConn.t", &mut connection.transport),
            ("net/http.persistConn.conn", &mut connection.conn),
            ("net/http.persistConn.br", &mut connection.reader),
            ("net/http.persistConn.readLimit", &mut connection.limit),
            ("net/http.requestAndChan.ch", &mut self.request_channel),
        ];
        let fixed = fixed.into_iter().map(|(path, offset)| (path.to_owned(), offset));
        let streams = STREAM_PACKAGES.iter().zip(&mut self.streams);
        fixed
            .chain(streams.flat_map(|(package, stream)| stream.offsets(package)))
            .chain(self.heap.offsets())
            .collect()
    }
}

impl StreamLayout {
    fn offsets(&mut self, package: &str) -> Vec<(String, &mut u64)> {
        let pipe = format!("{package}clientStream.bufPipe + {package}pipe");
        let waiting = format!("{pipe}.c + sync.Cond.notify + sync.notifyList");
        let own = |path: &str| format!("{package}{path}");
        vec![
            (own("clientStream.cc"), &mut self.connection),
            (own("clientStream.ID"), &mut self.id),
            (own("clientStream.res"), &mut self.response),
            (format!("{waiting}.wait"), &mut self.waiting),
            (format!("{waiting}.notify"), &mut self.notified),
            (format!("{pipe}.b"), &mut self.buffer),
            (own("dataBuffer.size"), &mut self.buffer_size),
            (own("dataBuffer.expected"), &mut self.buffer_expected),
            (own("ClientConn.tconn"), &mut self.conn),
        ]
    }
}
