//! Every map and its limit.
//!
//! All have their memory from the start. To allocate in a probe is safe from Linux 6.1 on only, and
//! before it the kernel writes a warning, which on some hosts is a panic.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf, StackTrace},
};
use tracer_common::{Counter, Identity, LedgerKey, LedgerRecord, StackTop};

/// Room for about 80,000 events; the user side may ask for another size when it loads.
const EVENTS_BYTES: u32 = 8 << 20;

/// More processes than anyone names on a command line, descendants included.
const PIDS_MAX: u32 = 4096;

/// More sockets than the processes that are named have open on all but a few hosts.
const TRACKED_MAX: u32 = 1 << 17;

/// More sockets than most hosts have.
const IDENTITIES_MAX: u32 = 1 << 18;

/// More places than programs ask for connections from. Where a stack is kept follows from its hash,
/// so that of a thousand different ones some sixty find theirs taken.
const STACKS_MAX: u32 = 1 << StackTop::PLACE_BITS;

/// More responses than are out at a time; a descriptor each, or a stream.
const LEDGER_MAX: u32 = 1 << 16;

/// Lifecycle events, one [`EventRecord`](tracer_common::EventRecord) each.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);

/// What was lost, indexed by [`Counter`].
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::COUNT, 0);

/// The processes in scope, by the pid that the tracer's pid namespace gives them.
#[map]
pub(crate) static PIDS: HashMap<u32, u8> = HashMap::with_max_entries(PIDS_MAX, 0);

/// The sockets in scope, by cookie. The user side makes room for one only if all are.
#[map]
pub(crate) static TRACKED: HashMap<u64, u8> = HashMap::with_max_entries(TRACKED_MAX, 0);

/// Numbers for sockets, by the address of the `struct sock`. The user side makes room for one only
/// if it wants none.
#[map]
pub(crate) static IDENTITIES: HashMap<u64, Identity> = HashMap::with_max_entries(IDENTITIES_MAX, 0);

/// User stacks, by number. The user side makes room for one only if it wants none.
#[map]
pub(crate) static STACKS: StackTrace = StackTrace::with_max_entries(STACKS_MAX, 0);

/// The tops of those of which a system call began, by the whole number.
#[map]
pub(crate) static STACK_TOPS: HashMap<u32, StackTop> = HashMap::with_max_entries(STACKS_MAX, 0);

/// The responses that are out.
#[map]
pub(crate) static LEDGER: HashMap<LedgerKey, LedgerRecord> =
    HashMap::with_max_entries(LEDGER_MAX, 0);
