//! Readings of the kernel's clocks. Deadlines and time budgets use `Instant` instead.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracer_core::Timestamp;

/// Now, on `CLOCK_MONOTONIC`, the clock of the kernel programs' records.
pub(crate) fn now() -> Timestamp {
    let reading = read(ClockId::Monotonic);
    Timestamp::from_ns(u64::try_from(reading.as_nanos()).unwrap_or(u64::MAX))
}

/// How long the host was suspended since it booted, in nanoseconds: `CLOCK_BOOTTIME` is ahead of
/// `CLOCK_MONOTONIC` by that.
pub(crate) fn suspended_ns() -> u64 {
    let monotonic = read(ClockId::Monotonic);
    let suspended = read(ClockId::Boottime).saturating_sub(monotonic);
    // Two readings are never simultaneous, and no suspension is as short as this.
    let suspended = suspended.saturating_sub(Duration::from_millis(1));
    u64::try_from(suspended.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time that this process has used.
pub(crate) fn processor_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// A clock's reading since its epoch; 0 if it is set to before that.
pub(crate) fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
