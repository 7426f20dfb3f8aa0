//! Times in the file.

use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Wire;
use crate::recording::time_delta::TimeDelta;

/// A time on the kernel's `CLOCK_MONOTONIC`, written as nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Nanoseconds plus one, so that an `Option` of it takes no extra memory: the recorder keeps four of
// those for every open socket.
pub(in crate::recording) struct Time(NonZeroU64);

impl Time {
    /// The time for a number of nanoseconds; the largest number is treated as the one before it.
    pub(in crate::recording) const fn from_ns(ns: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(ns))
    }

    /// Nanoseconds.
    pub(in crate::recording) const fn as_ns(self) -> u64 {
        self.0.get() - 1
    }

    /// The difference from an earlier or later time to this.
    pub(in crate::recording) const fn since(self, other: Self) -> TimeDelta {
        TimeDelta::between(other.as_ns(), self.as_ns())
    }

    /// The time that differs from this by `delta`.
    pub(in crate::recording) const fn plus(self, delta: TimeDelta) -> Self {
        Self::from_ns(delta.after(self.as_ns()))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::from_ns(0)
    }
}

impl Wire for Time {
    type Core = tracer_core::Timestamp;

    fn from_core(core: &tracer_core::Timestamp) -> Self {
        Self::from_ns(core.as_ns())
    }

    fn to_core(&self) -> tracer_core::Timestamp {
        tracer_core::Timestamp::from_ns(self.as_ns())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ns().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::from_ns)
    }
}
