//! Records of zeros.

use core::mem::MaybeUninit;

/// Fills a record with zeros. The compiler's own `memset` of so many bytes is a loop over single ones,
/// which was a tenth of the time of the iterator and more of an event's; volatile, because it else
/// makes that of this one too.
///
/// # Safety
/// Zeros must be a valid `T`.
#[inline(always)]
pub(crate) unsafe fn zeroed<T>(record: &mut MaybeUninit<T>) -> &mut T {
    const { assert!(size_of::<T>().is_multiple_of(size_of::<u64>())) };
    const { assert!(align_of::<T>() == align_of::<u64>()) };
    let words = record.as_mut_ptr().cast::<u64>();
    for index in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: the record is whole words long, and aligned to them.
        unsafe { words.add(index).write_volatile(0) };
    }
    // SAFETY: the caller says so.
    unsafe { record.assume_init_mut() }
}
