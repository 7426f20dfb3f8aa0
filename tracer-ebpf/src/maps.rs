//! Every map and its size limit.
//!
//! All maps are preallocated. Allocation in tracing programs is safe only since Linux 6.1; before
//! that the kernel prints a warning, which is a panic on hosts with `panic_on_warn`.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use tracer_common::{
    Counter, Identity, LedgerKey, LedgerRecord, RAW_PROCESSES_MAX, RAW_RECORDS_MAX, RawProcess,
    RawSocketRecord, SEEN_MAX, SeenSocket, StackKey, StackRecord, TableChunk, TableProgress,
};

use crate::scratch::Scratch;

/// Room for about 75,000 events of 112 bytes each, including the header. User space may set another
/// size when it loads the programs.
const EVENTS_BYTES: u32 = 8 << 20;

/// Maximum number of processes in scope: more than a command line names, including their
/// descendants.
const PIDS_MAX: u32 = 4096;

/// Maximum number of sockets in scope: more than the processes in scope have open, on all but a few
/// hosts.
const TRACKED_MAX: u32 = 1 << 17;

/// Maximum number of assigned identities: more than most hosts have sockets.
const IDENTITIES_MAX: u32 = 1 << 18;

/// Maximum number of different stacks: more than there are between two readings by user space,
/// which removes them. The ring buffer [`EVENTS`] wakes user space after about 4,700 events, each
/// with at most one stack.
const STACKS_MAX: u32 = 1 << 13;

/// Number of slots per CPU. A program that preempts another one on the same CPU uses a second slot;
/// nothing preempts the second program.
pub(crate) const SCRATCH_PLACES: u32 = 2;

/// Maximum number of open responses: more than most hosts have at the same time, because each
/// requires a file descriptor or an HTTP/2 stream.
const LEDGER_MAX: u32 = 1 << 16;

/// Maximum number of file tables noted: more than are visited between two threads of a process, on
/// nearly all hosts.
const SHARED_TABLES_MAX: u32 = 1 << 10;

/// Lifecycle events, one [`EventRecord`](tracer_common::EventRecord) each.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);

/// Counts of losses, indexed by [`Counter`].
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// The processes in scope, by their pid in the tracer's pid namespace. Filled by user space.
#[map]
pub(crate) static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(PIDS_MAX, 0);

/// The sockets in scope, by cookie. Resized to one entry if every socket is in scope.
#[map]
pub(crate) static TRACKED: HashMap<u64, u8> = HashMap::with_max_entries(TRACKED_MAX, 0);

/// Assigned identities, by the address of the `struct sock`. Resized to one entry if sockets are
/// identified by cookie.
#[map]
pub(crate) static IDENTITIES: HashMap<u64, Identity> = HashMap::with_max_entries(IDENTITIES_MAX, 0);

/// User stacks, by their content. User space removes what it has read. Resized to one entry if
/// stacks are not kept.
///
/// A map of the type `BPF_MAP_TYPE_STACK_TRACE` is not suitable. The slot of a stack is determined
/// by its hash, so slots collide long before the map is full; and if an id is freed while an event
/// with it is still queued, the event then refers to another stack.
#[map]
pub(crate) static STACKS: HashMap<StackKey, StackRecord> = HashMap::with_max_entries(STACKS_MAX, 0);

/// Memory for assembling a stack record, which does not fit on the stack of a BPF program.
#[map]
pub(crate) static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(SCRATCH_PLACES, 0);

/// The open HTTP responses of Go programs.
#[map]
pub(crate) static LEDGER: HashMap<LedgerKey, LedgerRecord> =
    HashMap::with_max_entries(LEDGER_MAX, 0);

/// How far a pass over the file tables has advanced. User space maps it into its memory.
#[map]
pub(crate) static PROGRESS: Array<TableProgress> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The records of a pass over the file tables, which do not fit into the buffer of an iterator.
/// User space maps it into its memory.
#[map]
pub(crate) static RECORDS: Array<RawSocketRecord> =
    Array::with_max_entries(RAW_RECORDS_MAX, BPF_F_MMAPABLE);

/// The processes of a pass over the file tables. User space maps it into its memory.
#[map]
pub(crate) static PROCESSES: Array<RawProcess> =
    Array::with_max_entries(RAW_PROCESSES_MAX, BPF_F_MMAPABLE);

/// What this pass over the file tables and the previous one have seen, each in one half. Resized to
/// one entry if file tables are not read.
#[map]
pub(crate) static SEEN: Array<SeenSocket> = Array::with_max_entries(2 * SEEN_MAX, 0);

/// Memory for a pass over the file tables.
#[map]
pub(crate) static CHUNK: Array<TableChunk> = Array::with_max_entries(1, 0);

/// The pass and the thread for which a file table was visited, by its address: tables of threads
/// that do not share that of the main thread.
#[map]
pub(crate) static SHARED_TABLES: LruHashMap<u64, [u64; 2]> =
    LruHashMap::with_max_entries(SHARED_TABLES_MAX, 0);

/// Whether the run is over (not 0): the uprobes then have no effect. User space sets it, because it
/// takes the kernel a long time to remove them.
#[map]
pub(crate) static LEDGER_OFF: Array<u32> = Array::with_max_entries(1, 0);
