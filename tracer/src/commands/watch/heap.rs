//! Huge pages for a large heap.
//!
//! Each snapshot reads most of the heap once, and not in the order of addresses. With pages of 4 KiB,
//! nearly every connection causes a TLB miss, which is most expensive in a virtual machine.

/// The size of a huge page on x86-64, and on arm64 with pages of 4 KiB, in bytes. With another size,
/// the kernel rounds.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Huge pages are not requested for less: it has few pages.
const GROWTH_BYTES: usize = 4 * HUGE_PAGE_BYTES;
/// `MADV_COLLAPSE` of `include/uapi/asm-generic/mman-common.h`, since Linux 6.1. Before that,
/// khugepaged does the same after some time.
const COLLAPSE: i32 = 25;

/// The part of the heap (`brk`) for which huge pages were requested.
#[derive(Debug)]
pub(super) struct Heap {
    /// The address at which it ends.
    end: usize,
}

impl Heap {
    /// Begins at the present end of the heap, which is small at the start of a run.
    pub(super) fn new() -> Self {
        Self { end: program_break() }
    }

    /// Requests huge pages for what was added to the heap, if it is large enough. They do not
    /// change the contents of memory, so a failure has no consequence.
    pub(super) fn use_huge_pages(&mut self) {
        let begin = self.end.next_multiple_of(HUGE_PAGE_BYTES);
        let end = program_break() / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        if end < begin.saturating_add(GROWTH_BYTES) {
            return;
        }
        self.end = end;
        for advice in [libc::MADV_HUGEPAGE, COLLAPSE] {
            let address = std::ptr::with_exposed_provenance_mut(begin);
            // SAFETY: neither advice changes the contents of memory.
            unsafe { libc::madvise(address, end - begin, advice) };
        }
    }
}

/// The end of the heap.
fn program_break() -> usize {
    // SAFETY: an increment of 0 changes nothing.
    unsafe { libc::sbrk(0) }.expose_provenance()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_heap_is_unchanged_by_it() {
        let mut heap = Heap::new();
        let before = heap.end;
        let blocks: Vec<Box<[usize; 1 << 10]>> =
            (0..4_096).map(|it| Box::new([it; 1 << 10])).collect();
        heap.use_huge_pages();
        assert!(heap.end >= before);
        assert!(blocks.iter().zip(0..).all(|(block, it)| block.iter().all(|word| *word == it)));
    }
}
