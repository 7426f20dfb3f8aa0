use std::cell::Cell;

use super::*;
use crate::budget::Budget;

/// An address space in which every word has one value, and the number of bytes read so far; or one
/// in which nothing is mapped.
struct Uniform {
    word: Option<u64>,
    read: Cell<u64>,
    budget: Budget,
}

impl Uniform {
    fn of(word: Option<u64>) -> Self {
        Self { word, read: Cell::new(0), budget: Budget::default() }
    }
}

impl Memory for Uniform {
    fn budget(&self) -> &Budget {
        &self.budget
    }

    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let length = ranges.iter().map(|(_, length)| *length as u64).sum::<u64>();
        self.read.set(self.read.get() + length);
        let content = |length: usize| {
            Some(self.word?.to_le_bytes().into_iter().cycle().take(length).collect())
        };
        ranges.iter().map(|(_, length)| content(*length)).collect()
    }
}

#[test]
fn segments_of_any_size_are_searched_up_to_a_limit() {
    let all = [Segment::at(0, u64::MAX), Segment::at(1 << 40, 1 << 62)];
    let unmapped = Uniform::of(None);
    assert_eq!(find_words(&unmapped, &all, 0, &[7]), [0; 0]);
    assert!(unmapped.read.get() <= SEARCHED_MAX + CHUNK);

    let matching = Uniform::of(Some(7));
    assert_eq!(find_words(&matching, &all, 0x1000, &[7]).len(), MATCHES_MAX);
    assert_eq!(matching.read.get(), CHUNK);

    // The last words of the address space, and a segment that a load address moves beyond it.
    let end = [Segment::at(u64::MAX - 100, u64::MAX)];
    assert_eq!(find_words(&matching, &end, 0, &[7]).len(), 11);
    assert_eq!(find_words(&matching, &end, 200, &[7]).len(), 11);
    assert_eq!(find_words(&matching, &end, 50, &[7]).len(), 0, "it wraps around");
    assert_eq!(find_words(&matching, &[Segment::at(8, 4)], 0, &[7]), [0; 0]);
}
