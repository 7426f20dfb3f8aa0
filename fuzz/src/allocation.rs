//! An allocator that counts, so that a parser that allocates too much for its input is a finding,
//! even if it frees the memory again.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Maximum number of bytes allocated at a time for an input: this many, and [`PER_BYTE`] for each
/// byte of it. The constant is for the budget of the parser and for buffers of constant size.
const BYTES_MAX: usize = 32 << 20;
/// See [`BYTES_MAX`]. An entry of a parsed list is larger than its text.
const PER_BYTE: usize = 256;

thread_local! {
    /// Bytes allocated now by this thread, and their maximum since the latest [`check`] began.
    static ALLOCATED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(size: usize) {
    // A thread that is exiting no longer has a count.
    let _ = ALLOCATED.try_with(|allocated| {
        let (now, most) = allocated.get();
        let now = now.saturating_add(size);
        allocated.set((now, most.max(now)));
    });
}

fn subtract(size: usize) {
    let _ = ALLOCATED.try_with(|allocated| {
        let (now, most) = allocated.get();
        // Another thread may have allocated it.
        allocated.set((now.saturating_sub(size), most));
    });
}

// SAFETY: every call is passed to the system's allocator; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both exist while it is copied.
        add(size);
        subtract(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs a parser on an input.
///
/// # Panics
/// It has allocated more than an input of this length justifies, or has panicked itself.
pub fn check(parse: impl FnOnce(&[u8]), bytes: &[u8]) {
    let before = ALLOCATED.with(|allocated| {
        let (now, _) = allocated.get();
        allocated.set((now, now));
        now
    });
    parse(bytes);
    let most = ALLOCATED.with(|allocated| allocated.get().1.saturating_sub(before));
    let limit = bytes.len().saturating_mul(PER_BYTE).saturating_add(BYTES_MAX);
    assert!(most <= limit, "{most} bytes were allocated for an input of {} bytes", bytes.len());
}
