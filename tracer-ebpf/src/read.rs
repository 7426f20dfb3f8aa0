//! Ways to read kernel memory, behind one trait, so that the code for the kernel structures exists
//! only once.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};

use crate::globals::has_socket_helpers;

/// Types for which any bit pattern is a valid value.
///
/// # Safety
/// Any bit pattern must be a valid value, and there must be no padding.
pub(crate) unsafe trait AnyBits: Copy {}

macro_rules! any_bits {
    ($($type:ty),*) => {
        $(
            // SAFETY: integers, raw pointers and arrays of integers have no invalid values.
            unsafe impl AnyBits for $type {}
        )*
    };
}

any_bits!(u8, u16, u32, u64, i64, *const u8, [u32; 4]);

/// A way to read kernel memory.
pub(crate) trait Read {
    /// Reads the `T` at `offset` bytes from `base`; `None` if the memory cannot be read.
    ///
    /// # Safety
    /// `base` must be what the implementation requires.
    unsafe fn read<T: AnyBits>(base: *const u8, offset: usize) -> Option<T>;
}

/// Plain loads through pointers whose BTF type the verifier knows: tracepoint arguments, return
/// values of helpers, and pointer fields of those. Such a load yields zero instead of faulting.
pub(crate) struct Direct;

impl Read for Direct {
    /// # Safety `base` must be a pointer whose BTF type the verifier knows; it refuses the program
    /// otherwise.
    #[inline(always)]
    unsafe fn read<T: AnyBits>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the verifier has checked type and bounds; the field is aligned as in the kernel.
        Some(unsafe { base.add(offset).cast::<T>().read_volatile() })
    }
}

/// Loads by `bpf_probe_read_kernel`, which checks the address: for pointers whose type the verifier
/// does not know. Each takes about 18ns; a plain load takes almost no time.
pub(crate) struct Probed;

impl Read for Probed {
    /// # Safety
    /// `base` may be any address.
    #[inline(always)]
    unsafe fn read<T: AnyBits>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the helper fails on an address that cannot be read.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast::<T>()) }.ok()
    }
}

/// Copies kernel memory. Returns false if it cannot be read.
///
/// # Safety
/// `length` bytes may be written to `target`; the verifier checks it. `source` may be any address.
#[inline(always)]
pub(crate) unsafe fn copy<T>(target: *mut T, length: u32, source: *const u8) -> bool {
    // SAFETY: the caller guarantees it.
    unsafe { generated::bpf_probe_read_kernel(target.cast::<c_void>(), length, source.cast()) == 0 }
}

/// [`Direct`] if the kernel has the socket helpers: it then also has `bpf_get_current_task_btf`
/// (Linux 5.11), whose result has a BTF type. Otherwise [`Probed`]. The choice is a constant to the
/// verifier, which does not check the other branch.
pub(crate) struct DirectOrProbed;

impl Read for DirectOrProbed {
    /// # Safety
    /// As for [`Direct`].
    #[inline(always)]
    unsafe fn read<T: AnyBits>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the caller guarantees what `Direct` requires; `Probed` accepts any address.
        unsafe {
            if has_socket_helpers() {
                Direct::read(base, offset)
            } else {
                Probed::read(base, offset)
            }
        }
    }
}
