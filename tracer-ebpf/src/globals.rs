//! The read-only globals, which user space sets before it loads the programs.
//!
//! Their map is frozen, so the verifier treats every value read from them as a constant: it removes
//! branches that a setting rules out, and treats an offset as if it were built into the program.

use core::mem::MaybeUninit;

use tracer_common::{Offsets, Settings, SocketBlock, SocketBlocks};

/// `MaybeUninit` and volatile reads keep the compiler from assuming that the values are zero.
#[unsafe(no_mangle)]
static OFFSETS: MaybeUninit<Offsets> = MaybeUninit::zeroed();

#[unsafe(no_mangle)]
static SETTINGS: MaybeUninit<Settings> = MaybeUninit::zeroed();

#[unsafe(no_mangle)]
static BLOCKS: MaybeUninit<SocketBlocks> = MaybeUninit::zeroed();

/// An entry of [`SocketBlocks::blocks`].
#[inline(always)]
pub(crate) fn block(number: usize) -> SocketBlock {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*BLOCKS.as_ptr()).blocks[number]).read_volatile() }
}

/// [`SocketBlocks::net_position`].
#[inline(always)]
pub(crate) fn net_position() -> usize {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*BLOCKS.as_ptr()).net_position).read_volatile() as usize }
}

/// The offset of a kernel structure's field, by its name in [`Offsets`], in bytes.
macro_rules! offset {
    ($field:ident) => {
        $crate::globals::offset_at::<{ core::mem::offset_of!(tracer_common::Offsets, $field) }>()
    };
}
pub(crate) use offset;

/// The entry of `OFFSETS` that begins at byte `POSITION`, which the macro `offset` computes.
#[inline(always)]
pub(crate) fn offset_at<const POSITION: usize>() -> usize {
    const {
        assert!(POSITION.is_multiple_of(align_of::<u32>()));
        assert!(POSITION + size_of::<u32>() <= size_of::<Offsets>());
    }
    // SAFETY: the position is within the global and aligned, as was checked at compile time. Every
    // byte of the global is initialized: with zeros, or by user space.
    unsafe { OFFSETS.as_ptr().cast::<u32>().byte_add(POSITION).read_volatile() as usize }
}

/// [`Settings::pid_namespace_inode`].
#[inline(always)]
pub(crate) fn pid_namespace_inode() -> u32 {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).pid_namespace_inode).read_volatile() }
}

/// [`Settings::only_tracked`].
#[inline(always)]
pub(crate) fn only_tracked() -> bool {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).only_tracked).read_volatile() != 0 }
}

/// [`Settings::wakeup_bytes`].
#[inline(always)]
pub(crate) fn wakeup_bytes() -> u64 {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).wakeup_bytes).read_volatile().into() }
}

/// [`Settings::with_stacks`].
#[inline(always)]
pub(crate) fn with_stacks() -> bool {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).with_stacks).read_volatile() != 0 }
}

/// [`Settings::with_stack_tops`].
#[inline(always)]
pub(crate) fn with_stack_tops() -> bool {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).with_stack_tops).read_volatile() != 0 }
}

/// [`Settings::go_arguments`].
#[inline(always)]
pub(crate) fn go_argument_offset(number: usize) -> usize {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).go_arguments[number]).read_volatile() as usize }
}

/// [`Settings::kernel_arguments`].
#[inline(always)]
pub(crate) fn kernel_argument_offset(number: usize) -> usize {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).kernel_arguments[number]).read_volatile() as usize }
}

/// [`Settings::kernel_result`].
#[inline(always)]
pub(crate) fn kernel_result_offset() -> usize {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).kernel_result).read_volatile() as usize }
}

/// [`Settings::seed`].
#[inline(always)]
pub(crate) fn seed() -> u64 {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    let [low, high] = unsafe { (&raw const (*SETTINGS.as_ptr()).seed).read_volatile() };
    u64::from(low) | u64::from(high) << 32
}

/// The opposite of [`Settings::without_socket_helpers`].
#[inline(always)]
pub(crate) fn has_socket_helpers() -> bool {
    // SAFETY: a field of a global whose bytes are all initialized; any value of it is valid.
    unsafe { (&raw const (*SETTINGS.as_ptr()).without_socket_helpers).read_volatile() == 0 }
}
