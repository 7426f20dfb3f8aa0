//! Readings of the kernel's clocks. Deadlines and time budgets use `Instant` instead.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracer_core::Timestamp;

/// Now, on `CLOCK_MONOTONIC`, the clock of the kernel programs' records.
pub fn now() -> Timestamp {
    Timestamp::from_ns(read_ns(ClockId::Monotonic))
}

/// How long the host was suspended since it booted, in nanoseconds: `CLOCK_BOOTTIME` is ahead of
/// `CLOCK_MONOTONIC` by that.
pub fn suspended_ns() -> u64 {
    // Two readings are never simultaneous, and no suspension is as short as this.
    const LEAST_NS: u64 = 1_000_000;
    let monotonic_ns = read_ns(ClockId::Monotonic);
    read_ns(ClockId::Boottime).saturating_sub(monotonic_ns).saturating_sub(LEAST_NS)
}

/// CPU time that this process has used.
pub fn processor_time() -> Duration {
    Duration::from_nanos(read_ns(ClockId::ProcessCPUTime))
}

/// A clock's reading in nanoseconds since its epoch; 0 if it is set to before that.
pub fn read_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
