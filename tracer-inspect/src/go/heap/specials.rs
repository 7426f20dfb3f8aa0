//! What the runtime has attached to objects (`runtime.special` in `runtime/mheap.go`): finalizers,
//! cleanups, weak pointers, samples of the memory profile. The records are not in the heap, and those
//! of finalizers and cleanups refer to functions, which are alive.

use super::{
    super::allocator::metadata::{Heap, Span},
    pass::Ended,
};
use crate::{
    go::layout::heap::{HeapLayout, SPECIAL_NEXT, SPECIAL_OFFSET},
    process::pages::Pages,
};

/// Maximum number of records of a span that are followed.
const RECORDS_MAX: usize = 1 << 16;
/// Number of words of a record, and perhaps of the next one.
const WORDS: u64 = 8;

impl Heap<'_> {
    /// Whether something is attached to one of these objects by which it may be used again.
    pub(super) fn have_specials<'a>(
        &self,
        mut objects: impl Iterator<Item = &'a u64>,
        pages: &mut Pages,
    ) -> bool {
        objects.any(|object| {
            let span = self.span(*object, pages);
            span.is_some_and(|span| has_special(self.layout, &span, *object, pages))
        })
    }

    /// The words of all records of some spans.
    ///
    /// # Errors
    /// They cannot be read, or there are too many.
    pub(super) fn words_of_specials(
        &self,
        spans: &[Span],
        mut each: impl FnMut(u64),
    ) -> Result<(), Ended> {
        let mut pages = Pages::new(self.memory);
        for span in spans.iter().filter(|span| span.specials != 0) {
            for record in specials(span, &mut pages)? {
                let words = (1..WORDS).map_while(|it| record.checked_add(8 * it));
                words.filter_map(|it| pages.word(it)).for_each(&mut each);
            }
        }
        Ok(())
    }
}

/// The addresses of the records of a span.
///
/// # Errors
/// They cannot be read, or there are too many.
fn specials(span: &Span, pages: &mut Pages) -> Result<Vec<u64>, Ended> {
    let (mut next, mut all) = (span.specials, Vec::new());
    while next != 0 {
        if all.len() >= RECORDS_MAX {
            return Err(Ended::Incomplete);
        }
        all.push(next);
        let place = next.checked_add(SPECIAL_NEXT).ok_or(Ended::Incomplete)?;
        next = pages.word(place).ok_or(Ended::Incomplete)?;
    }
    Ok(all)
}

/// Whether something by which it may be used again is attached to an object: anything but a sample
/// of the memory profile. `true` if that is unknown.
pub(super) fn has_special(
    layout: &HeapLayout,
    span: &Span,
    object: u64,
    pages: &mut Pages,
) -> bool {
    let Ok(all) = specials(span, pages) else { return true };
    all.into_iter().any(|record| {
        let offset = record.checked_add(SPECIAL_OFFSET).and_then(|it| pages.word(it));
        // In a span of several objects, offsets have 16 bits.
        let is_in = |offset: u64| {
            let place = span.start + (offset & 0xffff);
            (object..object.saturating_add(span.element)).contains(&place)
        };
        let kind = record.checked_add(layout.special_kind).and_then(|it| pages.bytes(it, 1));
        let is_sample = kind.is_some_and(|it| *it == [layout.profile_kind]);
        offset.is_none_or(is_in) && !is_sample
    })
}
