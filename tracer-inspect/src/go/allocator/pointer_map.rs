//! Which words of an object the garbage collector takes for pointers (`runtime/mbitmap.go`). Other
//! words may contain an address by accident, or one that does not keep an object alive.

use super::metadata::{ARENA, Heap, PAGE, Span};
use crate::go::layout::heap::{
    INLINE_MARKS, PointerMaps, SPAN_LARGE_TYPE, TYPE, TYPE_FLAGS, TYPE_KIND, TYPE_POINTER_BYTES,
    TYPE_POINTERS,
};
use crate::process::{memory::u64_at, pages::Pages};

/// Objects up to this size have their pointer map at the end of their span: since 1.22.
const SMALL_MAX: u64 = 512;
/// `abi.TFlagGCMaskOnDemand`, and `abi.KindGCProg` before 1.24.
const MASK_ON_DEMAND: u8 = 16;
const KIND_PROGRAM: u8 = 64;
/// Maximum number of words of an object whose map of 1.19 is followed from its start.
const WORDS_MAX: u64 = 1 << 13;

impl Heap<'_> {
    /// Whether the word at an address in a span is a pointer of its object. A map that cannot be
    /// read says that it is one, so that more objects count as referenced.
    pub(in crate::go) fn is_pointer(&self, span: &Span, address: u64, pages: &mut Pages) -> bool {
        let is_pointer = match self.layout.pointer_maps {
            PointerMaps::TwoBits => self.by_two_bits(span, address, pages),
            PointerMaps::OneBit => self.by_bit(address, pages),
            PointerMaps::InSpan if span.element <= SMALL_MAX => self.in_span(span, address, pages),
            PointerMaps::InSpan => self.by_type(span, address, pages),
        };
        is_pointer.unwrap_or(true)
    }

    /// In each byte, the lower four bits say which words are pointers, and the upper four bits
    /// whether the object has pointers in or after that word.
    fn by_two_bits(&self, span: &Span, address: u64, pages: &mut Pages) -> Option<bool> {
        let mut bits = |address: u64| {
            let arena = self.arena(address, pages)?;
            let byte = arena.checked_add(address % ARENA / 32)?;
            Some(pages.bytes(byte, 1)?.first()? >> (address / 8 % 4))
        };
        if bits(address)? & 1 == 0 {
            return Some(false);
        }
        let start = span.object(address)?;
        if (address - start) / 8 > WORDS_MAX {
            return Some(true);
        }
        for word in (start..=address).step_by(8) {
            if bits(word)? & 16 == 0 {
                return Some(false);
            }
        }
        Some(true)
    }

    fn by_bit(&self, address: u64, pages: &mut Pages) -> Option<bool> {
        let arena = self.arena(address, pages)?;
        let byte = pages.bytes(arena.checked_add(address % ARENA / 64)?, 1)?;
        Some(byte.first()? >> (address / 8 % 8) & 1 == 1)
    }

    fn in_span(&self, span: &Span, address: u64, pages: &mut Pages) -> Option<bool> {
        let inline = if self.has_inline_marks(span, pages) { INLINE_MARKS } else { 0 };
        let size = span.size();
        let start = (span.start + size).checked_sub(size / 64 + inline)?;
        let word = (address - span.start) / 8;
        let byte = pages.bytes(start.checked_add(word / 8)?, 1)?;
        Some(byte.first()? >> (word % 8) & 1 == 1)
    }

    fn by_type(&self, span: &Span, address: u64, pages: &mut Pages) -> Option<bool> {
        let (type_, start) = self.type_of(span, address, pages)?;
        let Some(offset) = address.checked_sub(start) else { return Some(false) };
        let bytes = pages.bytes(type_, TYPE)?;
        let size = u64_at(&bytes, 0).filter(|size| *size > 0)?;
        let offset = offset % size;
        if offset >= u64_at(&bytes, TYPE_POINTER_BYTES)? {
            return Some(false);
        }
        let mut mask = u64_at(&bytes, TYPE_POINTERS)?;
        if self.layout.has_masks_on_demand {
            if bytes.get(TYPE_FLAGS)? & MASK_ON_DEMAND != 0 {
                mask = pages.word(mask).filter(|it| *it != 0)?;
            }
        } else if bytes.get(TYPE_KIND)? & KIND_PROGRAM != 0 {
            return None;
        }
        let byte = pages.bytes(mask.checked_add(offset / 64)?, 1)?;
        Some(byte.first()? >> (offset / 8 % 8) & 1 == 1)
    }

    /// The type of an object and the start of its value; `None` if there is none, as for small
    /// objects and before 1.22.
    pub(in crate::go) fn type_of(
        &self,
        span: &Span,
        address: u64,
        pages: &mut Pages,
    ) -> Option<(u64, u64)> {
        if self.layout.pointer_maps != PointerMaps::InSpan || span.element <= SMALL_MAX {
            return None;
        }
        let (place, start) = if span.is_large() {
            (span.address.checked_add(SPAN_LARGE_TYPE)?, span.start)
        } else {
            let object = span.object(address)?;
            (object, object + 8)
        };
        pages.word(place).filter(|type_| *type_ >= PAGE).map(|type_| (type_, start))
    }
}
