//! Conversion of the kernel's timestamps to wall time.

use rustix::time::ClockId;
use tracer_core::{ProcessKey, Timestamp};
use tracer_inspect::clock;

/// One point in time, read from three clocks: the anchor that converts the kernel's timestamps to
/// wall time.
///
/// It is read once at the start of a run, so that the start time of a process is the same in every
/// report even if the wall clock is adjusted in the meantime. As a consequence, events after a
/// suspend, which stops only `CLOCK_MONOTONIC`, are shown too early by the length of the suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallClock {
    /// `CLOCK_REALTIME`.
    pub(crate) wall: jiff::Timestamp,
    /// `CLOCK_MONOTONIC`, the clock of the kernel's event timestamps.
    pub(crate) monotonic: Timestamp,
    /// `CLOCK_BOOTTIME` in nanoseconds, the clock of process start times.
    pub(crate) boot_ns: u64,
}

impl WallClock {
    /// An anchor from three readings of the same point in time.
    pub(crate) const fn new(wall: jiff::Timestamp, monotonic: Timestamp, boot_ns: u64) -> Self {
        Self { wall, monotonic, boot_ns }
    }

    /// An anchor for now. The three clocks are read within microseconds.
    pub(crate) fn now() -> Self {
        let monotonic_ns = clock::read_ns(ClockId::Monotonic);
        let wall_ns = clock::read_ns(ClockId::Realtime);
        let boot_ns = clock::read_ns(ClockId::Boottime);
        Self::from_unix_ns(wall_ns.into(), Timestamp::from_ns(monotonic_ns), boot_ns)
    }

    /// An anchor with the wall time in nanoseconds since 1970.
    pub(crate) fn from_unix_ns(unix_ns: i128, monotonic: Timestamp, boot_ns: u64) -> Self {
        Self::new(clamped(unix_ns), monotonic, boot_ns)
    }

    /// The wall time of a `CLOCK_MONOTONIC` timestamp.
    pub(crate) fn wall_time(self, at: Timestamp) -> jiff::Timestamp {
        let after_anchor_ns = i128::from(at.as_ns()) - i128::from(self.monotonic.as_ns());
        clamped(self.wall.as_nanosecond() + after_anchor_ns)
    }

    /// A `CLOCK_MONOTONIC` timestamp as RFC 3339 in UTC with milliseconds.
    pub(crate) fn rfc3339(self, at: Timestamp) -> String {
        format!("{:.3}", self.wall_time(at))
    }

    /// The start time of a process as RFC 3339 in UTC with milliseconds.
    pub(crate) fn start_time(self, process: ProcessKey) -> String {
        let after_anchor_ns = i128::from(process.start_time_ns) - i128::from(self.boot_ns);
        format!("{:.3}", clamped(self.wall.as_nanosecond() + after_anchor_ns))
    }
}

/// The wall time in nanoseconds since 1970, clamped to the range of the calendar.
fn clamped(unix_ns: i128) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(unix_ns).unwrap_or(if unix_ns < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> WallClock {
        // 2026-03-01T12:00:00Z, 1,000 s after boot of which 100 s were suspended.
        let wall = jiff::Timestamp::from_second(1_772_366_400).unwrap();
        WallClock::new(wall, Timestamp::from_ms(900_000), 1_000_000_000_000)
    }

    #[test]
    fn monotonic_and_boot_time_are_converted_separately() {
        assert_eq!(clock().rfc3339(Timestamp::from_ms(900_000)), "2026-03-01T12:00:00.000Z");
        assert_eq!(clock().rfc3339(Timestamp::from_ms(899_999)), "2026-03-01T11:59:59.999Z");
        assert_eq!(clock().rfc3339(Timestamp::from_ms(903_250)), "2026-03-01T12:00:03.250Z");
        let process = ProcessKey { pid: 1, start_time_ns: 1_000_000_000 };
        assert_eq!(clock().start_time(process), "2026-03-01T11:43:21.000Z");
    }

    #[test]
    fn times_outside_the_calendar_are_clamped() {
        let late = WallClock::new(jiff::Timestamp::MAX, Timestamp::from_ns(0), 0);
        assert_eq!(
            late.rfc3339(Timestamp::from_ns(u64::MAX)),
            format!("{:.3}", jiff::Timestamp::MAX)
        );
        let early = WallClock::new(jiff::Timestamp::MIN, Timestamp::from_ns(u64::MAX), 0);
        assert_eq!(early.rfc3339(Timestamp::from_ns(0)), format!("{:.3}", jiff::Timestamp::MIN));
    }

    #[test]
    fn boot_time_is_never_behind_monotonic() {
        let now = WallClock::now();
        assert!(now.boot_ns >= now.monotonic.as_ns());
        assert!(now.wall > jiff::Timestamp::UNIX_EPOCH);
    }
}
