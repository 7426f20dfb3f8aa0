//! How single values change. Of a moment it is by how much: what happens again and again does so
//! after much the same time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracer_core::Timestamp;

/// What of a socket can change.
pub(super) trait Varying {
    type Change;

    /// How it differs from what it was before; `None` if it does not.
    fn change_since(&self, before: &Self) -> Option<Self::Change>;

    fn change(&mut self, change: Self::Change);
}

/// A difference between two moments in nanoseconds, written in the largest of three units in which
/// it is a whole number: most clocks are coarser than what they are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(i64);

const UNITS_NS: [i64; 3] = [1_000_000, 1_000, 1];

impl Span {
    /// From one moment to another.
    pub(super) const fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(to.as_ns().wrapping_sub(from.as_ns()).cast_signed())
    }

    /// The moment that lies so far from another.
    pub(super) const fn after(self, from: Timestamp) -> Timestamp {
        Timestamp::from_ns(from.as_ns().wrapping_add_signed(self.0))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_whole = |(_, unit): &(i128, i64)| self.0 % unit == 0;
        let (number, unit) = (0..).zip(UNITS_NS).find(is_whole).unwrap_or((2, 1));
        serializer.serialize_i128((i128::from(self.0 / unit) << 2) | number)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = i128::deserialize(deserializer)?;
        let unit = usize::try_from(written & 3).ok().and_then(|number| UNITS_NS.get(number));
        let count = i64::try_from(written >> 2).ok();
        let span = unit.zip(count).and_then(|(unit, count)| count.checked_mul(*unit));
        span.map(Self).ok_or_else(|| serde::de::Error::custom("no span of time"))
    }
}

impl Varying for Timestamp {
    type Change = Span;

    fn change_since(&self, before: &Self) -> Option<Span> {
        (self != before).then(|| Span::between(*before, *self))
    }

    fn change(&mut self, change: Span) {
        *self = change.after(*self);
    }
}

/// How a moment changes that there need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Maybe {
    /// There was one, and is one so much later.
    Later(Span),
    /// There was none, or is none.
    Otherwise(Option<Timestamp>),
}

impl Varying for Option<Timestamp> {
    type Change = Maybe;

    fn change_since(&self, before: &Self) -> Option<Maybe> {
        (self != before).then(|| match (*before, *self) {
            (Some(before), Some(now)) => Maybe::Later(Span::between(before, now)),
            (_, now) => Maybe::Otherwise(now),
        })
    }

    fn change(&mut self, change: Maybe) {
        *self = match change {
            Maybe::Later(span) => self.map(|before| span.after(before)),
            Maybe::Otherwise(now) => now,
        };
    }
}

// Read as a list for the sake of what is said of its length.
impl Varying for tracer_core::Owners {
    type Change = Vec<tracer_core::Owner>;

    fn change_since(&self, before: &Self) -> Option<Self::Change> {
        (self != before).then(|| self.to_vec())
    }

    fn change(&mut self, change: Self::Change) {
        *self = change.into_iter().collect();
    }
}

/// Values that are written anew.
macro_rules! written_anew {
    ($($type:ty),* $(,)?) => {$(
        impl Varying for $type {
            type Change = Self;

            fn change_since(&self, before: &Self) -> Option<Self> {
                (self != before).then(|| self.clone())
            }

            fn change(&mut self, change: Self) {
                *self = change;
            }
        }
    )*};
}

written_anew! {
    u8, u32, u64, bool, Option<bool>, std::net::SocketAddr, tracer_core::TcpState, tracer_core::Timer,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_span_is_read_as_it_was_written(from: u64, to: u64, unit in 0..3_usize) {
            let unit = UNITS_NS[unit].unsigned_abs();
            let (from, to) = (Timestamp::from_ns(from / unit * unit), Timestamp::from_ns(to / unit * unit));
            let bytes = postcard::to_allocvec(&Span::between(from, to)).unwrap();
            let span: Span = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(span.after(from), to);
        }
    }

    #[test]
    fn milliseconds_take_few_bytes() {
        for (ns, bytes) in
            [(0, 1), (7_000_000, 1), (15_000_000_000, 3), (1_000, 1), (15_000_000_001, 6)]
        {
            let span = Span::between(Timestamp::default(), Timestamp::from_ns(ns));
            assert_eq!(postcard::to_allocvec(&span).unwrap().len(), bytes, "{ns}");
        }
        assert!(postcard::from_bytes::<Span>(&[6]).is_err(), "there is no fourth unit");
    }
}
