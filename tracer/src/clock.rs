//! The only place that asks what time it is.

use tracer_core::Timestamp;

/// Now, on `CLOCK_MONOTONIC`, the clock of everything the kernel side tells.
pub(crate) fn now() -> Timestamp {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call. The clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Timestamp::from_ns(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}
