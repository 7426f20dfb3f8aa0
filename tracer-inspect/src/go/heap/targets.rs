//! The address ranges that a search looks for, so arranged that a word that is in none of them takes
//! about a nanosecond.

use std::collections::{BTreeMap, BTreeSet};

use crate::budget::{Budget, Reservation};

/// Number of bits of the filter: 128 KiB.
const FILTER_BITS: usize = 1 << 20;
/// Bytes of address space for each bit.
const GRANULE: u64 = 64;
/// Maximum number of granules of an object that are entered one by one.
const GRANULES_MAX: u64 = 1024;
/// Bytes that an object takes in the maps.
const OBJECT: usize = 192;

/// Objects of responses, each with the responses to which it belongs.
#[derive(Debug)]
pub(super) struct Targets<'a> {
    /// By start: the end, and the numbers of the responses.
    objects: BTreeMap<u64, (u64, BTreeSet<usize>)>,
    /// A sorted copy of the starts and ends.
    ranges: Vec<(u64, u64)>,
    low: u64,
    length: u64,
    filter: Box<[u64]>,
    _reservation: Reservation<'a>,
}

impl<'a> Targets<'a> {
    /// The objects of each response, by start, with their ends. `None` if the budget is exceeded.
    pub(super) fn of<'b>(
        responses: impl Iterator<Item = (usize, &'b BTreeMap<u64, u64>)>,
        budget: &'a Budget,
    ) -> Option<Self> {
        let mut reservation = budget.reserve(FILTER_BITS / 8)?;
        let mut objects: BTreeMap<u64, (u64, BTreeSet<usize>)> = BTreeMap::new();
        for (number, own) in responses {
            for (start, end) in own {
                if !reservation.grow(OBJECT) {
                    return None;
                }
                objects.entry(*start).or_insert_with(|| (*end, BTreeSet::new())).1.insert(number);
            }
        }
        let ranges: Vec<_> = objects.iter().map(|(start, (end, _))| (*start, *end)).collect();
        let low = ranges.first()?.0;
        let high = ranges.iter().map(|(_, end)| *end).max()?;
        let mut filter = vec![0; FILTER_BITS / 64].into_boxed_slice();
        for &(start, end) in &ranges {
            let (first, last) = (start / GRANULE, end.saturating_sub(1) / GRANULE);
            if last.saturating_sub(first) > GRANULES_MAX {
                filter.fill(u64::MAX);
                break;
            }
            for granule in first..=last {
                let (index, bit) = place(granule);
                if let Some(word) = filter.get_mut(index) {
                    *word |= bit;
                }
            }
        }
        Some(Self {
            objects,
            ranges,
            low,
            length: high.saturating_sub(low),
            filter,
            _reservation: reservation,
        })
    }

    /// Whether a word may be in one of the ranges: `false` is certain.
    #[inline]
    pub(super) fn may_contain(&self, word: u64) -> bool {
        if word.wrapping_sub(self.low) >= self.length {
            return false;
        }
        let (index, bit) = place(word / GRANULE);
        self.filter.get(index).is_some_and(|it| it & bit != 0)
    }

    /// The responses to whose objects an address belongs.
    pub(super) fn owners(&self, address: u64) -> Option<&BTreeSet<usize>> {
        let after = self.ranges.partition_point(|(start, _)| *start <= address);
        let (start, end) = *self.ranges.get(after.checked_sub(1)?)?;
        if address >= end {
            return None;
        }
        self.objects.get(&start).map(|(_, owners)| owners)
    }
}

/// The index and the bit of a granule in the filter.
const fn place(granule: u64) -> (usize, u64) {
    // A multiplicative hash: adjacent objects get bits that are far apart.
    let hash = granule.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS.trailing_zeros());
    ((hash / 64) as usize, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_within_objects_are_found() {
        let one = BTreeMap::from([(0xc000_1000, 0xc000_1040), (0xc000_2000, 0xc000_2090)]);
        let two = BTreeMap::from([(0xc000_2000, 0xc000_2090)]);
        let budget = Budget::default();
        let targets = Targets::of([(0, &one), (7, &two)].into_iter(), &budget).unwrap();
        let owners = |address| {
            let owners = targets.owners(address).map(|it| it.iter().copied().collect::<Vec<_>>());
            assert!(owners.is_none() || targets.may_contain(address), "{address:#x}");
            owners
        };
        assert_eq!(owners(0xc000_1000), Some(vec![0]));
        assert_eq!(owners(0xc000_103f), Some(vec![0]));
        assert_eq!(owners(0xc000_208f), Some(vec![0, 7]));
        for address in [0, 0xc000_0fff, 0xc000_1040, 0xc000_1fff, 0xc000_2090, u64::MAX] {
            assert_eq!(owners(address), None, "{address:#x}");
        }
        assert!(!targets.may_contain(0) && !targets.may_contain(0xc000_2090));
    }

    #[test]
    fn the_number_of_objects_is_limited_by_the_budget() {
        let many: BTreeMap<u64, u64> = (0..1000).map(|it| (64 * it, 64 * it + 64)).collect();
        let allowance = crate::budget::Allowance { bytes_max: 200_000, ..Default::default() };
        let budget = Budget::new(allowance);
        assert!(Targets::of([(0, &many)].into_iter(), &budget).is_none());
        assert!(!budget.is_exceeded());
    }
}
