//! Sample values that differ from each other, so that swapped fields are detected.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use compact_str::CompactString;
use smallvec::SmallVec;

use crate::recording::{
    list_delta::ListStep,
    time_delta::TimeDelta,
    wire::{Count, head::ClockAnchor, socket_change::OptionalTimeDelta, time::Time, v3::InputV3},
};

/// Gives each part of a sample a number of its own.
#[derive(Default)]
pub(in crate::recording) struct Counter(u8);

impl Counter {
    fn next(&mut self) -> u8 {
        self.0 = self.0 % 100 + 1;
        self.0
    }
}

/// A type of the file.
pub(in crate::recording) trait Sample: Sized {
    /// One value of each variant.
    fn samples(next: &mut Counter) -> Vec<Self>;

    /// One value, of the first variant. It does not depend on other variants, so a new variant at
    /// the end leaves every other sample unchanged.
    fn sample(next: &mut Counter) -> Self {
        let mut numbers = Counter(next.next().wrapping_mul(37) % 100);
        Self::samples(&mut numbers).swap_remove(0)
    }
}

macro_rules! samples {
    ($($type:ty: $sample:expr,)*) => {$(
        impl Sample for $type {
            fn samples(next: &mut Counter) -> Vec<Self> {
                let sample: fn(&mut Counter) -> $type = $sample;
                vec![sample(next)]
            }
        }
    )*};
}

samples! {
    bool: |next| next.next() % 2 == 1,
    // A `u8` is one byte; other numbers take two if they are 128 or more.
    u8: |next| 150 + next.next(),
    u16: |next| 150 + u16::from(next.next()),
    u32: |next| 150 + u32::from(next.next()),
    u64: |next| 150 + u64::from(next.next()),
    i64: |next| 150 + i64::from(next.next()),
    Count: |next| Count(150 + u64::from(next.next())),
    String: |next| format!("s{}", next.next()),
    CompactString: |next| format!("c{}", next.next()).into(),
    SocketAddr: |next| match next.next() {
        number if number % 2 == 0 => SocketAddr::from(([10, 0, 0, number], 443)),
        number => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, u16::from(number)], 443)),
    },
    Time: |next| Time::from_ns(u64::from(next.next()) * 1_000_000),
    TimeDelta: |next| TimeDelta::between(0, u64::from(next.next()) * 1_000),
    ClockAnchor: |next| ClockAnchor {
        unix_ns: -i128::from(next.next()),
        monotonic: Sample::sample(next),
        boot_ns: Sample::sample(next),
    },
}

impl Sample for OptionalTimeDelta {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![Self::Shifted(Sample::sample(next)), Self::Replaced(Sample::sample(next))]
    }
}

impl<T: Sample, D: Sample> Sample for ListStep<T, D> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![
            Self::Same { skip: Sample::sample(next), count: Sample::sample(next) },
            Self::Changed { skip: Sample::sample(next), delta: Sample::sample(next) },
            Self::New(Sample::sample(next)),
        ]
    }
}

impl Sample for InputV3 {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![
            Self::Host(Sample::sample(next)),
            Self::Event(Sample::sample(next)),
            Self::Process(Sample::sample(next)),
            Self::ProcessUnreadable(Sample::sample(next)),
            Self::CallSite(Sample::sample(next)),
            Self::Unanswered(Sample::sample(next)),
            Self::Note(Sample::sample(next)),
            Self::Loss(Sample::sample(next)),
            Self::Tick(Sample::sample(next)),
        ]
    }
}

impl<T: Sample> Sample for Option<T> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![Some(T::sample(next))]
    }
}

impl<T: Sample> Sample for Box<T> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![Self::new(T::sample(next))]
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![vec![T::sample(next), T::sample(next)]]
    }
}

impl<T: Sample> Sample for SmallVec<[T; 1]> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![[T::sample(next)].into()]
    }
}

impl<T: Sample + Ord> Sample for BTreeSet<T> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![[T::sample(next)].into()]
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![[(K::sample(next), V::sample(next))].into()]
    }
}

impl<A: Sample, B: Sample> Sample for (A, B) {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![(A::sample(next), B::sample(next))]
    }
}

impl<A: Sample, B: Sample, C: Sample> Sample for (A, B, C) {
    fn samples(next: &mut Counter) -> Vec<Self> {
        vec![(A::sample(next), B::sample(next), C::sample(next))]
    }
}
