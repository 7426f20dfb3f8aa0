//! The difference between two times. Periodic events, such as keepalive probes, have nearly
//! constant intervals, so differences compress better than times.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A difference between two times in nanoseconds, positive or negative. It is written in the
/// largest of three units in which it is a whole number, because most clocks are coarser than the
/// unit in which they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeDelta(i64);

/// Milliseconds, microseconds, nanoseconds. The two lowest bits of a written number are the index.
const UNITS_NS: [i64; 3] = [1_000_000, 1_000, 1];

impl TimeDelta {
    /// The difference from one time to another, both in nanoseconds. Wraps like
    /// [`after`](Self::after).
    pub(super) const fn between(from_ns: u64, to_ns: u64) -> Self {
        Self(to_ns.wrapping_sub(from_ns).cast_signed())
    }

    /// The time in nanoseconds that differs by this from `from_ns`.
    pub(super) const fn after(self, from_ns: u64) -> u64 {
        from_ns.wrapping_add_signed(self.0)
    }
}

impl Serialize for TimeDelta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_whole = |(_, unit_ns): &(i128, i64)| self.0 % unit_ns == 0;
        let (index, unit_ns) = (0..).zip(UNITS_NS).find(is_whole).unwrap_or((2, 1));
        serializer.serialize_i128((i128::from(self.0 / unit_ns) << 2) | index)
    }
}

impl<'de> Deserialize<'de> for TimeDelta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = i128::deserialize(deserializer)?;
        let unit_ns = usize::try_from(written & 3).ok().and_then(|index| UNITS_NS.get(index));
        let count = i64::try_from(written >> 2).ok();
        let delta_ns = unit_ns.zip(count).and_then(|(unit, count)| count.checked_mul(*unit));
        delta_ns.map(Self).ok_or_else(|| serde::de::Error::custom("not a time delta"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delta_is_read_as_it_was_written(from: u64, to: u64, unit in 0..3_usize) {
            let unit_ns = UNITS_NS[unit].unsigned_abs();
            let (from, to) = (from / unit_ns * unit_ns, to / unit_ns * unit_ns);
            let bytes = postcard::to_allocvec(&TimeDelta::between(from, to)).unwrap();
            let delta: TimeDelta = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(delta.after(from), to);
        }
    }

    #[test]
    fn whole_milliseconds_take_few_bytes() {
        for (ns, bytes) in
            [(0, 1), (7_000_000, 1), (15_000_000_000, 3), (1_000, 1), (15_000_000_001, 6)]
        {
            let delta = TimeDelta::between(0, ns);
            assert_eq!(postcard::to_allocvec(&delta).unwrap().len(), bytes, "{ns}");
        }
        assert!(postcard::from_bytes::<TimeDelta>(&[6]).is_err(), "there is no fourth unit");
    }
}
