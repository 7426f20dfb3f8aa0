//! The read-only globals, which the user side fills in before it loads the programs.
//!
//! The kernel freezes them, so the verifier takes every value read from them for a constant:
//! branches on a setting that is off are removed, and offsets are as good as built in.

use core::mem::MaybeUninit;

use tracer_common::{Offsets, Settings};

/// `MaybeUninit` keeps the compiler from taking the zeros for the values.
#[unsafe(no_mangle)]
static OFFSETS: MaybeUninit<Offsets> = MaybeUninit::zeroed();

#[unsafe(no_mangle)]
static SETTINGS: MaybeUninit<Settings> = MaybeUninit::zeroed();

/// The offset of a kernel structure's field, by its name in [`Offsets`], in bytes.
macro_rules! offset {
    ($field:ident) => {
        $crate::globals::offset_at(core::mem::offset_of!(tracer_common::Offsets, $field))
    };
}
pub(crate) use offset;

/// The entry of `OFFSETS` that lies `position` bytes into it; for the macro `offset`.
#[inline(always)]
pub(crate) fn offset_at(position: usize) -> usize {
    // SAFETY: the macro passes the position of a `u32` field; the global is zeros or what the user
    // side wrote there, both valid.
    unsafe { OFFSETS.as_ptr().cast::<u32>().byte_add(position).read_volatile() as usize }
}

/// [`Settings::pid_namespace_inode`].
#[inline(always)]
pub(crate) fn pid_namespace_inode() -> u32 {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).pid_namespace_inode).read_volatile() }
}

/// [`Settings::only_tracked`].
#[inline(always)]
pub(crate) fn only_tracked() -> bool {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).only_tracked).read_volatile() != 0 }
}

/// [`Settings::wakeup_bytes`].
#[inline(always)]
pub(crate) fn wakeup_bytes() -> u64 {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).wakeup_bytes).read_volatile().into() }
}

/// [`Settings::with_stacks`].
#[inline(always)]
pub(crate) fn with_stacks() -> bool {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).with_stacks).read_volatile() != 0 }
}

/// [`Settings::with_stack_tops`].
#[inline(always)]
pub(crate) fn with_stack_tops() -> bool {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).with_stack_tops).read_volatile() != 0 }
}

/// [`Settings::go_arguments`].
#[inline(always)]
pub(crate) fn go_argument_offset(number: usize) -> usize {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).go_arguments[number]).read_volatile() as usize }
}

/// [`Settings::kernel_arguments`].
#[inline(always)]
pub(crate) fn kernel_argument_offset(number: usize) -> usize {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).kernel_arguments[number]).read_volatile() as usize }
}

/// [`Settings::kernel_result`].
#[inline(always)]
pub(crate) fn kernel_result_offset() -> usize {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).kernel_result).read_volatile() as usize }
}

/// [`Settings::without_socket_helpers`], the other way round.
#[inline(always)]
pub(crate) fn has_socket_helpers() -> bool {
    // SAFETY: the global is zeros or what the user side wrote there, both valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).without_socket_helpers).read_volatile() == 0 }
}
