//! The beginning of every segment.

use serde::{Deserialize, Serialize};

use super::{Count, Wire, time::Time};
use crate::{recording::Head as RecordingHead, wall_clock::WallClock};

wire_struct! {
    Head mirrors RecordingHead {
        segment: u64,
        version: String,
        host: String,
        kernel: String,
        clock: ClockAnchor,
        options: Options,
        fail_on: Confidence,
        arguments: Vec<String>,
    }
}

/// One point in time on three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) struct ClockAnchor {
    /// `CLOCK_REALTIME`, in nanoseconds since 1970.
    pub(in crate::recording) unix_ns: i128,
    /// `CLOCK_MONOTONIC`.
    pub(in crate::recording) monotonic: Time,
    /// `CLOCK_BOOTTIME`, in nanoseconds.
    pub(in crate::recording) boot_ns: u64,
}

impl Wire for ClockAnchor {
    type Core = WallClock;

    fn from_core(core: &WallClock) -> Self {
        let WallClock { wall, monotonic, boot_ns } = core;
        let monotonic = Time::from_core(monotonic);
        Self { unix_ns: wall.as_nanosecond(), monotonic, boot_ns: *boot_ns }
    }

    /// A time outside the range of the calendar becomes its first or last time.
    fn to_core(&self) -> WallClock {
        WallClock::from_unix_ns(self.unix_ns, self.monotonic.to_core(), self.boot_ns)
    }
}

wire_struct! {
    Options mirrors tracer_core::Options {
        idle_ms: u64,
        count_min: Count,
        pool_size: Count,
        unread_min_bytes: u64,
        pool_idle_ms: u64,
        window_ms: u64,
        connections_max: Count,
        responses_max: Count,
        retracted_max: Count,
        all: bool,
        scoped: bool,
    }
}

wire_enum! {
    #[derive(Copy)]
    Confidence mirrors tracer_core::Confidence {
        Info,
        Possible,
        Likely,
        Certain,
    }
}
