//! Submits events to the ring buffer and counts the lost ones.

use core::{
    hint::black_box,
    intrinsics::{AtomicOrdering, atomic_xadd},
};

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::bpf_ktime_get_ns,
};
use tracer_common::{Counter, EventKind, EventRecord};

use crate::{
    globals::wakeup_bytes,
    maps::{COUNTERS, EVENTS},
    zeroed::zeroed,
};

/// Why an event was lost.
#[derive(Clone, Copy)]
pub(crate) enum Lost {
    RingFull,
    ReadFailed,
}

impl Lost {
    /// The reason in words, for the programs' log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::RingFull => "the ring is full",
            Self::ReadFailed => "a read failed",
        }
    }
}

/// Reserves a record in the ring buffer, calls `fill` to complete it, and submits it. If `fill`
/// returns `None` because a read failed, the record is discarded.
///
/// # Errors
/// The event was lost, which has been counted.
#[inline(always)]
pub(crate) fn emit(
    kind: EventKind,
    cookie: u64,
    fill: impl FnOnce(&mut EventRecord) -> Option<()>,
) -> Result<(), Lost> {
    let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
        count(Counter::RingFull);
        // Without `black_box`, the compiler distinguishes the two errors by comparing `entry` with
        // null a second time. Verifiers before Linux 5.13 then explore a path on which `entry` is
        // null after it was not, and report a leaked reference.
        return Err(black_box(Lost::RingFull));
    };
    // The reserved memory contains an older record, and not every event sets every field.
    // SAFETY: zeros are a valid `EventRecord`, which consists of integers.
    let record = unsafe { zeroed(&mut entry) };
    // SAFETY: the helper has no preconditions.
    record.at_ns = unsafe { bpf_ktime_get_ns() };
    record.kind = kind as u32;
    record.cookie = cookie;
    record.fd = -1;
    if fill(record).is_none() {
        entry.discard(u64::from(BPF_RB_NO_WAKEUP));
        count(Counter::ReadFailed);
        return Err(Lost::ReadFailed);
    }
    // A wakeup costs more than the event, so a few events remain in the buffer until user space
    // polls.
    let wakes = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= wakeup_bytes();
    entry.submit(u64::from(if wakes { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP }));
    Ok(())
}

/// Increments a counter of losses on this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // An interrupt may run another of these programs on the same CPU.
        // SAFETY: the pointer is to a map value, which is aligned to 8 bytes and outlives the run
        // of the program.
        unsafe { add(value, 1) };
    }
}

/// Adds to a number atomically, wrapping. This is the intrinsic behind `AtomicU64::fetch_add`,
/// because `core` does not offer that method on a target whose first versions lack
/// compare-and-swap. For the same reason the result is not returned.
///
/// # Safety
/// The pointer is valid, aligned to 8 bytes, and only accessed atomically.
#[inline(always)]
pub(crate) unsafe fn add(value: *mut u64, addend: u64) {
    // SAFETY: the caller guarantees what an atomic addition requires.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value, addend) };
}
