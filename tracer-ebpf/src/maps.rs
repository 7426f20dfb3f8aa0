//! Every map and its size limit.
//!
//! All maps are preallocated. Allocation in tracing programs is safe only since Linux 6.1; before
//! that the kernel prints a warning, which is a panic on hosts with `panic_on_warn`.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf, StackTrace},
};
use tracer_common::{Counter, Identity, LedgerKey, LedgerRecord, StackTop};

/// Room for about 75,000 events of 112 bytes each, header included. The user side may set another
/// size when it loads the programs.
const EVENTS_BYTES: u32 = 8 << 20;

/// More processes than a command line names, including their descendants.
const PIDS_MAX: u32 = 4096;

/// More sockets than the processes in scope have open, on all but a few hosts.
const TRACKED_MAX: u32 = 1 << 17;

/// More sockets than most hosts have.
const IDENTITIES_MAX: u32 = 1 << 18;

/// More stacks than programs open connections from. The slot of a stack follows from its hash, so
/// of 1,000 different stacks about 60 find theirs occupied.
const STACKS_MAX: u32 = 1 << StackTop::PLACE_BITS;

/// More responses than are in flight at a time: each needs a file descriptor or an HTTP/2 stream.
const LEDGER_MAX: u32 = 1 << 16;

/// Lifecycle events, one [`EventRecord`](tracer_common::EventRecord) each.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);

/// Counts of losses, indexed by [`Counter`].
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// The processes in scope, by their pid in the tracer's pid namespace. Filled by the user side.
#[map]
pub(crate) static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(PIDS_MAX, 0);

/// The sockets in scope, by cookie. Resized to one entry if every socket is in scope.
#[map]
pub(crate) static TRACKED: HashMap<u64, u8> = HashMap::with_max_entries(TRACKED_MAX, 0);

/// Assigned identities, by the address of the `struct sock`. Resized to one entry if sockets are
/// identified by cookie.
#[map]
pub(crate) static IDENTITIES: HashMap<u64, Identity> = HashMap::with_max_entries(IDENTITIES_MAX, 0);

/// User stacks: the slot is the low part of a stack id. Resized to one entry if stacks are not
/// kept.
#[map]
pub(crate) static STACKS: StackTrace = StackTrace::with_max_entries(STACKS_MAX, 0);

/// Tops of the stacks of system calls, by the whole stack id ([`StackTop`]).
#[map]
pub(crate) static STACK_TOPS: HashMap<u32, StackTop> = HashMap::with_max_entries(STACKS_MAX, 0);

/// The HTTP responses in flight of Go programs.
#[map]
pub(crate) static LEDGER: HashMap<LedgerKey, LedgerRecord> =
    HashMap::with_max_entries(LEDGER_MAX, 0);
