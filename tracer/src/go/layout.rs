//! Where Go keeps what, by version: read from the debugging information of programs that each
//! version built (1.19, 1.21 to 1.27) for amd64.
//!
//! What has had the same place in all of them is a constant; the rest is in [`Layout`]. Offsets are
//! in bytes.

/// `runtime.g`: `stack.lo`, `stack.hi`, `sched.sp`, `sched.pc`.
pub(super) const GOROUTINE_STACK_LOW: usize = 0;
pub(super) const GOROUTINE_STACK_HIGH: usize = 8;
pub(super) const GOROUTINE_SP: usize = 56;
pub(super) const GOROUTINE_PC: usize = 64;

/// `runtime.pollDesc`: `fd`, and `fdseq` where there is one.
pub(super) const POLL_DESCRIPTOR_FD: usize = 8;
pub(super) const POLL_DESCRIPTOR_SEQUENCE: usize = 16;

/// `net.netFD`: `pfd.Sysfd`.
pub(super) const NET_FD_NUMBER: u64 = 16;

/// `net/http.persistConn`: `alt`, `t`, `conn` (an interface: the word after is the data), `br`.
pub(super) const CONNECTION_ALTERNATIVE: u64 = 0;
pub(super) const CONNECTION_TRANSPORT: u64 = 16;
pub(super) const CONNECTION_CONN: u64 = 80;
pub(super) const CONNECTION_READER: u64 = 104;

/// `bufio.Reader`: the data of `rd`, and `r`, `w`, how much of the buffer was read and written.
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

/// `net/http.Response`: `StatusCode`, `ProtoMajor`, `ProtoMinor`, `Request`.
pub(super) const RESPONSE_STATUS: u64 = 16;
pub(super) const RESPONSE_MAJOR: u64 = 40;
pub(super) const RESPONSE_MINOR: u64 = 48;
pub(super) const RESPONSE_REQUEST: u64 = 128;

/// `net/http.bodyEOFSignal`: `body`, an interface.
pub(super) const BODY_INNER: u64 = 0;

/// `net/http.body`: `src`, an interface.
pub(super) const INNER_SOURCE: u64 = 0;

/// `runtime.hchan`: `dataqsiz`, `elemsize` (two bytes).
pub(super) const CHANNEL_CAPACITY: u64 = 8;
pub(super) const CHANNEL_ELEMENT_SIZE: u64 = 24;

/// Size of `net/http.responseAndError`: a pointer and an interface.
pub(super) const RESPONSE_AND_ERROR_SIZE: u64 = 24;

/// `runtime.itab`: `_type`. It describes what an interface holds.
pub(super) const ITAB_TYPE: u64 = 8;

/// `internal/abi.Type`: `Kind_` (one byte), and of a pointer's (`PtrType`) the type that it points
/// to. The size comes first.
pub(super) const TYPE_KIND: u64 = 23;
pub(super) const TYPE_TARGET: u64 = 48;
/// The bits of `Kind_` that are the kind, and two kinds.
pub(super) const KIND_MASK: u8 = 31;
pub(super) const KIND_POINTER: u8 = 22;
pub(super) const KIND_STRUCT: u8 = 25;

/// `runtime.moduledata`: `pcHeader`, the length of `ftab`, `minpc`, `maxpc`, `text`, `etext`.
pub(super) const MODULE_FUNCTIONS_LENGTH: usize = 136;
pub(super) const MODULE_LOWEST: usize = 160;
pub(super) const MODULE_HIGHEST: usize = 168;
pub(super) const MODULE_TEXT: usize = 176;
pub(super) const MODULE_TEXT_END: usize = 184;
/// As many bytes of it as are looked at.
pub(super) const MODULE: usize = 352;

/// `runtime._Gscan`: the collector has the goroutine's stack just now.
pub(super) const STATUS_SCAN: u32 = 0x1000;
/// `_Grunnable`.
pub(super) const STATUS_RUNNABLE: u32 = 1;
/// `_Grunning`.
pub(super) const STATUS_RUNNING: u32 = 2;
/// `_Gsyscall`.
pub(super) const STATUS_SYSCALL: u32 = 3;
/// `_Gwaiting`.
pub(super) const STATUS_WAITING: u32 = 4;
/// `_Gcopystack`: its stack is being moved.
pub(super) const STATUS_COPYING: u32 = 8;
/// `_Gpreempted`.
pub(super) const STATUS_PREEMPTED: u32 = 9;
/// `_Gleaked`, from 1.26: as waiting, and found to be so for ever.
pub(super) const STATUS_LEAKED: u32 = 10;
/// The highest status of any version (`_Gdeadextra`).
pub(super) const STATUS_MAX: u32 = 11;

/// The newest minor version whose layout was looked at.
pub(super) const NEWEST: u32 = 27;
/// The oldest one.
pub(super) const OLDEST: u32 = 19;

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `g.sched.bp`: `gobuf.ret` went in 1.25.
    pub(super) goroutine_bp: usize,
    /// `g.atomicstatus`: `syscallbp` came in 1.23.
    pub(super) goroutine_status: usize,
    /// `g.goid`.
    pub(super) goroutine_id: usize,
    /// The data of an epoll registration is a tagged pointer and `pollDesc` has `fdseq`, from 1.20.
    pub(super) poll_is_tagged: bool,
    /// `pollDesc.rg`.
    pub(super) poll_reader: usize,
    /// `netFD.pfd.pd.runtimeCtx`: `SysFile` came before it in 1.20.
    pub(super) net_fd_poll: u64,
    /// `persistConn.readLimit`: `availch` came in 1.26.
    pub(super) connection_limit: u64,
    /// `requestAndChan` has the request behind a `*transportRequest`, from 1.23.
    pub(super) request_is_indirect: bool,
    /// `requestAndChan.ch`.
    pub(super) request_channel: u64,
    /// `moduledata.gofunc`: `covctrs` came before it in 1.20, `typedesclen` and what is about
    /// itabs in 1.27.
    pub(super) module_function_data: usize,
}

impl Layout {
    /// The layout of Go 1.`minor`; that of the newest known version for newer ones.
    pub(super) const fn of(minor: u32) -> Self {
        let goroutine_status = if minor == 23 || minor == 24 { 152 } else { 144 };
        Self {
            goroutine_bp: if minor < 25 { 104 } else { 96 },
            goroutine_status,
            goroutine_id: goroutine_status + 8,
            poll_is_tagged: minor >= 20,
            poll_reader: if minor < 20 { 24 } else { 32 },
            net_fd_poll: if minor < 20 { 24 } else { 32 },
            connection_limit: if minor < 26 { 160 } else { 168 },
            request_is_indirect: minor >= 23,
            request_channel: if minor < 23 { 16 } else { 8 },
            module_function_data: match minor {
                ..20 => 304,
                20..27 => 320,
                27.. => 344,
            },
        }
    }
}
