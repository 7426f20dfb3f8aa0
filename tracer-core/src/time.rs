//! Points in time. The core never reads a clock: every [`Input`](crate::Input) carries its time.
//! Durations are plain integers named by their unit (`idle_ms`).

use core::{fmt, num::NonZeroU64};

/// Margin for times in jiffies: a jiffy is at most 10 ms, and its rate is about as exact.
pub(crate) const JIFFIES_MARGIN_MS: u64 = 1_000;

/// A point in time on the kernel's `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Nanoseconds plus one, so that `Option<Timestamp>` takes 8 bytes: each socket has eight of them.
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// After each action.
    pub(crate) const END: Self = Self(NonZeroU64::MAX);

    /// `nanoseconds` after the clock's start; saturates at 584 years.
    pub const fn from_ns(nanoseconds: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanoseconds))
    }

    /// The time `milliseconds` after the clock's start; saturates at 584 years.
    pub const fn from_ms(milliseconds: u64) -> Self {
        Self::from_ns(milliseconds.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the clock's start.
    pub const fn as_ns(self) -> u64 {
        self.0.get() - 1
    }

    /// The time `milliseconds` earlier; saturates at the clock's start.
    #[must_use]
    pub const fn before_ms(self, milliseconds: u64) -> Self {
        Self::from_ns(self.as_ns().saturating_sub(milliseconds.saturating_mul(1_000_000)))
    }

    /// The time `milliseconds` later; saturates.
    #[must_use]
    pub const fn after_ms(self, milliseconds: u64) -> Self {
        Self::from_ns(self.as_ns().saturating_add(milliseconds.saturating_mul(1_000_000)))
    }

    /// Whole milliseconds from `earlier` to this; 0 if `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.as_ns().saturating_sub(earlier.as_ns()) / 1_000_000
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_ns(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Timestamp").field(&self.as_ns()).finish()
    }
}

/// A point in time that is known to lie between two others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The point in time is not before this.
    pub earliest: Timestamp,
    /// The point in time is not after this.
    pub latest: Timestamp,
}

impl Interval {
    /// The intersection of two intervals for the same point in time; `self` if they contradict each
    /// other.
    #[must_use]
    pub(crate) fn within(self, other: Self) -> Self {
        let (earliest, latest) = (self.earliest.max(other.earliest), self.latest.min(other.latest));
        if earliest <= latest { Self { earliest, latest } } else { self }
    }

    /// A point in time that is known exactly.
    pub const fn exact(at: Timestamp) -> Self {
        Self { earliest: at, latest: at }
    }
}
