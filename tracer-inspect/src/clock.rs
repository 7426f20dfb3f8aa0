//! Readings of the kernel's clocks. Deadlines and time budgets use `Instant` instead.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracer_core::Timestamp;

/// The current time of `CLOCK_MONOTONIC`, which the BPF programs use (`bpf_ktime_get_ns`).
pub fn now() -> Timestamp {
    Timestamp::from_ns(read_ns(ClockId::Monotonic))
}

/// Time for which the host was suspended since boot, in nanoseconds: the difference between
/// `CLOCK_BOOTTIME` and `CLOCK_MONOTONIC`.
pub fn suspended_ns() -> u64 {
    // The clocks are read one after the other, so a smaller difference is not a suspension; none is
    // shorter than this.
    const LEAST_NS: u64 = 1_000_000;
    let monotonic_ns = read_ns(ClockId::Monotonic);
    read_ns(ClockId::Boottime).saturating_sub(monotonic_ns).saturating_sub(LEAST_NS)
}

/// CPU time used by this process.
pub fn cpu_time() -> Duration {
    Duration::from_nanos(read_ns(ClockId::ProcessCPUTime))
}

/// Reads a clock, in nanoseconds since its epoch; 0 if the clock is set to an earlier time.
pub fn read_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
