use super::{
    example::{ExampleHeap, GENERATION, HEAP, NewSpan},
    metadata::{PAGE, Slot, Span},
};
use crate::{
    go::layout::{NEWEST, OLDEST, heap::SPAN},
    process::pages::Pages,
};

const SWEPT: NewSpan = NewSpan {
    element: 64,
    free_index: 4,
    state: 0,
    allocated: 0b10_0011,
    marked: 0b1,
    pointers: 0b1000_0110,
};

#[test]
fn the_state_of_an_object_depends_on_whether_its_span_was_swept() {
    for minor in OLDEST..=NEWEST {
        for (state, expected) in [
            // Allocation bits 0, 1 and 5; objects before index 4 were allocated since.
            (0, [Slot::Marked, Slot::Marked, Slot::New, Slot::New, Slot::Free, Slot::Marked]),
            (3, [Slot::Marked, Slot::Marked, Slot::New, Slot::New, Slot::Free, Slot::Marked]),
            // Mark bit 0.
            (-2, [Slot::Marked, Slot::Dead, Slot::Dead, Slot::Dead, Slot::Free, Slot::Dead]),
            (1, [Slot::Marked, Slot::Dead, Slot::Dead, Slot::Dead, Slot::Free, Slot::Dead]),
            (-1, [Slot::Unknown; 6]),
        ] {
            let mut example = ExampleHeap::new(minor);
            let start = example.add(NewSpan { state, ..SWEPT });
            let heap = example.heap();
            let slots = (0..6).map(|index| heap.slot(start + 64 * index + 8).0);
            assert_eq!(slots.collect::<Vec<_>>(), expected, "1.{minor} {state}");
            assert_eq!(heap.slot(start + PAGE).0, Slot::Free, "no span");
        }
    }
}

#[test]
fn a_heap_is_recognized_by_objects_that_must_be_in_it() {
    for minor in OLDEST..=NEWEST {
        let mut example = ExampleHeap::new(minor);
        assert_eq!(example.find(&[HEAP]), None, "no span");
        example.add(SWEPT);
        assert!(example.find(&[HEAP, HEAP + 64]).is_some());
        assert_eq!(example.find(&[HEAP, HEAP + PAGE]), None, "1.{minor}");
        assert_eq!(example.find(&[]), None);
        let place = super::example::ARENAS - example.layout.generation_distance();
        for other in [GENERATION + 1, GENERATION + 100] {
            example.memory.put(place, &[other.into()]);
            assert_eq!(example.find(&[HEAP]), None, "1.{minor} {other}");
        }
    }
}

#[test]
fn words_that_are_pointers_are_known_by_the_map() {
    for minor in OLDEST..=NEWEST {
        let mut example = ExampleHeap::new(minor);
        let start = example.add(SWEPT);
        let heap = example.heap();
        let mut pages = Pages::new(&example.memory);
        let span = heap.span(start, &mut pages).unwrap();
        for index in [0, 3, 90] {
            let words = (0..8)
                .filter(|word| heap.is_pointer(&span, start + 64 * index + 8 * word, &mut pages));
            assert_eq!(words.collect::<Vec<_>>(), [1, 2, 7], "1.{minor} {index}");
        }
    }
}

#[test]
fn an_invalid_span_is_none() {
    let mut example = ExampleHeap::new(NEWEST);
    example.add(SWEPT);
    let layout = example.layout;
    let span = example.heap().span(HEAP, &mut Pages::new(&example.memory)).unwrap();
    let bytes = crate::process::memory::Memory::read_one(&example.memory, span.address, SPAN);
    let bytes = bytes.unwrap();
    assert_eq!(Span::parse(span.address, &bytes, &layout), Some(span));
    for (offset, value) in [
        (super::super::layout::heap::SPAN_START, 1_u64),
        (super::super::layout::heap::SPAN_START, u64::MAX - PAGE + 1),
        (super::super::layout::heap::SPAN_PAGES, u64::MAX),
        (layout.span_element, 0),
        (layout.span_element, 1 << 40),
        (layout.span_element, 65),
        (layout.span_limit, HEAP + PAGE + 8),
    ] {
        let mut bytes = bytes.clone();
        let offset = usize::try_from(offset).unwrap();
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        assert_eq!(Span::parse(span.address, &bytes, &layout), None, "{offset} {value:#x}");
    }
    assert_eq!(Span::parse(0, &bytes[..SPAN - 40], &layout), None);
}

/// Each word of the metadata has each of several values in turn.
#[test]
fn corrupt_metadata_do_not_hang_or_panic() {
    for minor in [OLDEST, 21, NEWEST] {
        let mut example = ExampleHeap::new(minor);
        let start = example.add(SWEPT);
        example.add(NewSpan { element: 1024, state: 1, ..SWEPT });
        let is_used = |(place, word): (&u64, &u64)| {
            (*place >= HEAP + 2 * PAGE && *word != 0).then_some(*place)
        };
        let places: Vec<u64> = example.memory.0.iter().filter_map(is_used).collect();
        assert!(places.len() > 20);
        for place in places {
            let before = example.memory.0[&place];
            for value in [0, 1, 7, 0xffff, start, start + 8, 1 << 47, u64::MAX - 8191, u64::MAX] {
                example.memory.0.insert(place, value);
                let addresses = super::metadata::HeapAddresses {
                    arenas: example.memory.0[&super::example::ARENAS],
                    generation: super::example::ARENAS - example.layout.generation_distance(),
                };
                example.find(&[HEAP, HEAP + PAGE]);
                let (memory, layout) = (&example.memory, &example.layout);
                let heap = super::metadata::Heap { memory, layout, addresses };
                let mut pages = Pages::new(memory);
                for address in [start, start + 72, start + PAGE + 1032, start + 2 * PAGE - 8] {
                    if let Some(span) = heap.span(address, &mut pages) {
                        span.object(address);
                        heap.is_pointer(&span, address & !7, &mut pages);
                        heap.slot_in(&span, address, GENERATION);
                    }
                }
            }
            example.memory.0.insert(place, before);
        }
    }
}
