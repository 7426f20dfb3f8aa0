//! Puts events into the ring buffer and counts those that do not get there.

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

/// Why an event was not sent.
#[derive(Clone, Copy)]
pub(crate) enum Lost {
    RingFull,
    ReadFailed,
}

impl Lost {
    /// The reason in words, for the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::RingFull => "the ring is full",
            Self::ReadFailed => "a read failed",
        }
    }
}

/// Sends an event: reserves room, has the rest of the record filled in by `fill`, which gives
/// `None` if a read failed, and submits it. A loss is counted.
#[inline(always)]
pub(crate) fn emit(
    kind: EventKind,
    cookie: u64,
    fill: impl FnOnce(&mut EventRecord) -> Option<()>,
) -> Result<(), Lost> {
    let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
        count(Counter::RingFull);
        // Were this constant known to it, the compiler would derive which of the two errors it is
        // from a second comparison of the entry with null, and verifiers before 5.13 then look for
        // the entry on a path where it is null after it was not.
        return Err(black_box(Lost::RingFull));
    };
    // The room holds an older record, and not every event fills every field.
    // SAFETY: zeros are a valid record.
    let record = unsafe { zeroed(&mut entry) };
    // SAFETY: the helper has no preconditions.
    record.at_ns = unsafe { bpf_ktime_get_ns() };
    record.kind = kind as u32;
    record.cookie = cookie;
    record.fd = -1;
    record.stack = -1;
    if fill(record).is_none() {
        entry.discard(u64::from(BPF_RB_NO_WAKEUP));
        count(Counter::ReadFailed);
        return Err(Lost::ReadFailed);
    }
    // A wake-up costs more than the event, so a few events wait for the user side to come by.
    let wakes = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= wakeup_bytes();
    entry.submit(u64::from(if wakes { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP }));
    Ok(())
}

/// Counts a loss.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // A program can be interrupted by another on the same processor, so the addition is atomic.
        // The intrinsic is what `AtomicU64::fetch_add` is made of; the type itself lacks the method
        // for a target without compare-and-swap in its first versions.
        // SAFETY: map values are aligned to 8 bytes and live as long as the program runs.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value, 1) };
    }
}
