/// A moment on the kernel's `CLOCK_MONOTONIC`, in nanoseconds.
///
/// The core never asks for the time: every [`Input`](crate::Input) brings its own.
/// Durations are plain integers named by unit (`idle_ms`, `age_s`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `nanoseconds` after the clock's start.
    pub const fn from_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The moment `milliseconds` after the clock's start, the latest there is if that overflows.
    pub const fn from_ms(milliseconds: u64) -> Self {
        Self(milliseconds.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the clock's start.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// The moment `milliseconds` before this one, not before the clock's start.
    #[must_use]
    pub const fn before_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_sub(milliseconds.saturating_mul(1_000_000)))
    }

    /// Whole milliseconds from `earlier` to this; 0 if `earlier` is in fact later.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}

/// A moment that is only known to lie between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Not before this.
    pub earliest: Timestamp,
    /// Not after this.
    pub latest: Timestamp,
}

impl Interval {
    /// A moment that is known exactly.
    pub const fn exact(at: Timestamp) -> Self {
        Self { earliest: at, latest: at }
    }
}
