//! Offsets of fields in the structures of Go's memory allocator, in bytes.
//!
//! The table was taken from the debug information of programs built with 1.19 and 1.21 to 1.27; that
//! of 1.20 follows from its source. The debug information of the inspected program takes precedence.

/// `runtime.mspan`: `startAddr`, `npages`, `freeindex`. The same in all versions.
pub(in crate::go) const SPAN_START: u64 = 24;
pub(in crate::go) const SPAN_PAGES: u64 = 32;
pub(in crate::go) const SPAN_FREE_INDEX: u64 = 48;
/// `mspan.largeType`, since 1.22.
pub(in crate::go) const SPAN_LARGE_TYPE: u64 = 152;
/// Number of bytes read of an `mspan`.
pub(in crate::go) const SPAN: usize = 160;

/// `runtime.special`: `next`, and the lower 16 bits of `offset`.
pub(in crate::go) const SPECIAL_NEXT: u64 = 0;
pub(in crate::go) const SPECIAL_OFFSET: u64 = 8;

/// `heapArena.pageUseSpanInlineMarkBits`, since 1.25.
pub(in crate::go) const ARENA_INLINE_MARKS: u64 = 68_608;
/// `runtime.spanInlineMarkBits`: its size, and where its marks begin. It is at the end of the span.
pub(in crate::go) const INLINE_MARKS: u64 = 128;
pub(in crate::go) const INLINE_MARKS_BITS: u64 = 64;

/// `moduledata`: `data`, `edata`, `bss`, `ebss`.
pub(in crate::go) const MODULE_DATA: usize = 208;
pub(in crate::go) const MODULE_DATA_END: usize = 216;
pub(in crate::go) const MODULE_ZEROED: usize = 224;
pub(in crate::go) const MODULE_ZEROED_END: usize = 232;

/// `internal/abi.Type`: `PtrBytes`, `TFlag`, `GCData`, `Str`.
pub(in crate::go) const TYPE_POINTER_BYTES: usize = 8;
pub(in crate::go) const TYPE_FLAGS: usize = 20;
pub(in crate::go) const TYPE_KIND: usize = 23;
pub(in crate::go) const TYPE_POINTERS: usize = 32;
/// Number of bytes read of a type.
pub(in crate::go) const TYPE: usize = 48;

/// How the allocator records which words of an object are pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) enum PointerMaps {
    /// Two bits for each word in `heapArena.bitmap`: 1.19.
    TwoBits,
    /// One bit for each word in `heapArena.bitmap`: 1.20 and 1.21.
    OneBit,
    /// One bit for each word at the end of a span of small objects, and the type of other objects:
    /// since 1.22.
    InSpan,
}

/// The offsets that differ between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) struct HeapLayout {
    /// `g.waiting`.
    pub(in crate::go) goroutine_waiting: u64,
    /// `sudog.waitlink`.
    pub(in crate::go) waiter_next: u64,
    /// `sudog.c`.
    pub(in crate::go) waiter_channel: u64,
    /// Where the pointer is in `sudog.c`, which is a structure since 1.26.
    pub(in crate::go) waiter_channel_word: u64,
    /// `mspan.nelems`.
    pub(in crate::go) span_count: u64,
    /// Whether `mspan.freeindex` and `nelems` have two bytes, not eight: since 1.22.
    pub(in crate::go) has_short_indexes: bool,
    /// `mspan.allocBits`.
    pub(in crate::go) span_allocated: u64,
    /// `mspan.gcmarkBits`.
    pub(in crate::go) span_marked: u64,
    /// `mspan.sweepgen`.
    pub(in crate::go) span_generation: u64,
    /// `mspan.spanclass`.
    pub(in crate::go) span_class: u64,
    /// `mspan.state`.
    pub(in crate::go) span_state: u64,
    /// `mspan.elemsize`.
    pub(in crate::go) span_element: u64,
    /// `mspan.limit`.
    pub(in crate::go) span_limit: u64,
    /// `mspan.specials`.
    pub(in crate::go) span_specials: u64,
    /// `heapArena.spans`.
    pub(in crate::go) arena_spans: u64,
    /// `mheap.arenas`.
    pub(in crate::go) heap_arenas: u64,
    /// `mheap.sweepgen`.
    pub(in crate::go) heap_generation: u64,
    /// `special.kind`.
    pub(in crate::go) special_kind: u64,
    /// `_KindSpecialProfile`.
    pub(in crate::go) profile_kind: u8,
    /// `moduledata.next`.
    pub(in crate::go) module_next: u64,
    pub(in crate::go) pointer_maps: PointerMaps,
    /// Whether `spanInlineMarkBits` may exist: since 1.25.
    pub(in crate::go) has_inline_marks: bool,
    /// Whether `TFlagGCMaskOnDemand` replaced `KindGCProg`: since 1.24.
    pub(in crate::go) has_masks_on_demand: bool,
}

impl HeapLayout {
    /// The layout of Go 1.`minor`; for newer versions, that of the newest supported one.
    pub(in crate::go) const fn of(minor: u32) -> Self {
        let has_short_indexes = minor >= 22;
        // `pinnerBits` was added in 1.21, and 1.22 shortened the indexes before it.
        let shift = if minor == 21 { 8 } else { 0 };
        let has_new_channel = minor >= 26;
        Self {
            goroutine_waiting: match minor {
                ..21 => 328,
                21 | 22 | 25 => 312,
                _ => 320,
            },
            waiter_next: if has_new_channel { 72 } else { 64 },
            waiter_channel: if has_new_channel { 88 } else { 80 },
            waiter_channel_word: if has_new_channel { 8 } else { 0 },
            span_count: if has_short_indexes { 50 } else { 56 },
            has_short_indexes,
            span_allocated: if has_short_indexes { 64 } else { 72 },
            span_marked: if has_short_indexes { 72 } else { 80 },
            span_generation: 88 + shift,
            span_class: 98 + shift,
            span_state: 99 + shift,
            span_element: 104 + shift,
            span_limit: 112 + shift,
            span_specials: 128 + shift,
            arena_spans: match minor {
                ..20 => 2 << 20,
                20 | 21 => 1_064_960,
                _ => 0,
            },
            heap_arenas: match minor {
                ..21 => 65_936,
                21 => 65_944,
                _ => 66_008,
            },
            heap_generation: if minor < 21 { 65_848 } else { 65_856 },
            special_kind: if minor < 24 { 10 } else { 16 },
            profile_kind: match minor {
                ..23 => 2,
                23 | 24 => 3,
                25..=27 => 4,
                // Another kind may have this number: none is taken for it.
                _ => u8::MAX,
            },
            module_next: match minor {
                ..20 => 544,
                20 | 27.. => 560,
                21 | 22 | 26 => 584,
                _ => 576,
            },
            pointer_maps: match minor {
                ..20 => PointerMaps::TwoBits,
                20 | 21 => PointerMaps::OneBit,
                _ => PointerMaps::InSpan,
            },
            has_inline_marks: minor >= 25,
            has_masks_on_demand: minor >= 24,
        }
    }

    /// Every offset that the debug information of each version has, with the path of its field.
    pub(in crate::go) fn offsets(&mut self) -> Vec<(String, &mut u64)> {
        let all = [
            ("runtime.g.waiting", &mut self.goroutine_waiting),
            ("runtime.sudog.waitlink", &mut self.waiter_next),
            ("runtime.sudog.c", &mut self.waiter_channel),
            ("runtime.mspan.nelems", &mut self.span_count),
            ("runtime.mspan.allocBits", &mut self.span_allocated),
            ("runtime.mspan.gcmarkBits", &mut self.span_marked),
            ("runtime.mspan.sweepgen", &mut self.span_generation),
            ("runtime.mspan.spanclass", &mut self.span_class),
            ("runtime.mspan.state", &mut self.span_state),
            ("runtime.mspan.elemsize", &mut self.span_element),
            ("runtime.mspan.limit", &mut self.span_limit),
            ("runtime.mspan.specials", &mut self.span_specials),
            ("runtime.heapArena.spans", &mut self.arena_spans),
            ("runtime.mheap.arenas", &mut self.heap_arenas),
            ("runtime.mheap.sweepgen", &mut self.heap_generation),
            ("runtime.special.kind", &mut self.special_kind),
            ("runtime.moduledata.next", &mut self.module_next),
        ];
        all.into_iter().map(|(path, offset)| (path.to_owned(), offset)).collect()
    }

    /// Bytes from `mheap.sweepgen` to `mheap.arenas`.
    pub(in crate::go) const fn generation_distance(&self) -> u64 {
        self.heap_arenas.saturating_sub(self.heap_generation)
    }
}
