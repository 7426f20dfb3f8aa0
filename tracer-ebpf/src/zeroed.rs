//! Zeroing of records.

use core::mem::MaybeUninit;

/// Fills a record with zeros, a word at a time. The `memset` that the compiler emits for this
/// target is a loop over single bytes; it took a tenth of the iterator's time, and a larger part of
/// an event's. The writes are volatile, because the compiler otherwise turns this loop into that
/// `memset`.
///
/// # Safety
/// Zeros must be a valid `T`.
#[inline(always)]
pub(crate) unsafe fn zeroed<T>(record: &mut MaybeUninit<T>) -> &mut T {
    const { assert!(size_of::<T>().is_multiple_of(size_of::<u64>())) };
    const { assert!(align_of::<T>() == align_of::<u64>()) };
    let words = record.as_mut_ptr().cast::<u64>();
    for index in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: the record consists of whole words and is aligned to them, as was checked above.
        unsafe { words.add(index).write_volatile(0) };
    }
    // SAFETY: every byte is 0, and the caller guarantees that zeros are a valid `T`.
    unsafe { record.assume_init_mut() }
}
