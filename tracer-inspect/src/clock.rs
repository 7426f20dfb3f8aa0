//! The only place that asks what time it is.

use std::time::Duration;

use tracer_core::Timestamp;

/// Now, on `CLOCK_MONOTONIC`, the clock of everything the kernel side tells.
pub fn now() -> Timestamp {
    let reading = read(libc::CLOCK_MONOTONIC);
    Timestamp::from_ns(u64::try_from(reading.as_nanos()).unwrap_or(u64::MAX))
}

/// How long the host was suspended since it booted, in nanoseconds: by so much `CLOCK_BOOTTIME`
/// is ahead.
pub fn suspended_ns() -> u64 {
    let monotonic = read(libc::CLOCK_MONOTONIC);
    let suspended = read(libc::CLOCK_BOOTTIME).saturating_sub(monotonic);
    // Two readings are never at the same moment; no suspension is that short.
    let suspended = suspended.saturating_sub(Duration::from_millis(1));
    u64::try_from(suspended.as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time that this process has used.
pub fn processor_time() -> Duration {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local that outlives the call. These clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
