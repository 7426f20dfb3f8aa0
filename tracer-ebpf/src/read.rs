//! Ways to read kernel memory, behind one trait, so that the code that knows the structures is
//! written once.

use aya_ebpf::helpers::bpf_probe_read_kernel;

use crate::globals::has_socket_helpers;

/// A way to read kernel memory.
pub(crate) trait Read {
    /// Reads the `T` that is `offset` bytes into the structure at `base`; `None` if the memory
    /// cannot be read.
    ///
    /// # Safety
    /// The implementation says what `base` must be. Any bit pattern must be a valid `T`.
    unsafe fn read<T: Copy>(base: *const u8, offset: usize) -> Option<T>;
}

/// Plain loads, through pointers whose type the verifier knows: tracepoint arguments by BTF, what
/// helpers return, and pointers found in those. Such a load yields zero instead of faulting.
pub(crate) struct Direct;

impl Read for Direct {
    /// # Safety
    /// `base` must be a pointer whose BTF type the verifier knows; it refuses the program otherwise.
    #[inline(always)]
    unsafe fn read<T: Copy>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the verifier checked type and bounds; the field is aligned as the kernel's is.
        Some(unsafe { base.add(offset).cast::<T>().read_volatile() })
    }
}

/// Loads through a helper, which checks the address: for pointers that the verifier knows nothing
/// about. Some 18 ns each, where a plain load costs nothing.
pub(crate) struct Probed;

impl Read for Probed {
    /// # Safety
    /// `base` may be anything.
    #[inline(always)]
    unsafe fn read<T: Copy>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the helper fails on an address that cannot be read.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast::<T>()) }.ok()
    }
}

/// Plain loads where the kernel's helpers for sockets are there, which are younger than the one that
/// gives the current task with its type; else through the helper. The verifier knows which, and does
/// not look at the other.
pub(crate) struct Helped;

impl Read for Helped {
    /// # Safety
    /// As of [`Direct`].
    #[inline(always)]
    unsafe fn read<T: Copy>(base: *const u8, offset: usize) -> Option<T> {
        // SAFETY: the caller's.
        unsafe {
            if has_socket_helpers() {
                Direct::read(base, offset)
            } else {
                Probed::read(base, offset)
            }
        }
    }
}
