//! User stacks: the code of a program that opened a connection or made a request.

use aya_ebpf::{
    bindings::{BPF_F_USER_STACK, BPF_NOEXIST},
    helpers::generated::bpf_get_stack,
    programs::tracing::StackIdContext,
};
use tracer_common::{Counter, NO_STACK, StackHash, StackKey, StackRecord, StackTop};

use crate::{
    emit::{add, count},
    globals::{with_stack_tops, with_stacks},
    maps::{SCRATCH, SCRATCH_PLACES, STACKS},
    scratch::Scratch,
};

/// `EEXIST` of `include/uapi/asm-generic/errno-base.h`.
const ALREADY_EXISTS: i32 = 17;

/// The part of a stack that is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Frames,
    FramesAndTop,
}

/// Keeps the current task's user stack, and returns the hash in its key. `pid` is the process in
/// the tracer's pid namespace; the stack of a process that is not visible there is not kept.
#[inline(always)]
pub(crate) fn of_caller(context: &impl StackIdContext, pid: u32) -> u64 {
    keep(context, pid, Extent::Frames)
}

/// Keeps the current task's user stack in a system call, if user space wants stacks, and returns
/// the hash in its key. The frames do not include the caller of the C library's wrapper, so the top
/// of the stack is kept as well ([`tracer_common::StackTop`]).
#[inline(always)]
pub(crate) fn of_system_call(context: &impl StackIdContext, pid: u32) -> u64 {
    if !with_stacks() {
        return NO_STACK;
    }
    keep(context, pid, if with_stack_tops() { Extent::FramesAndTop } else { Extent::Frames })
}

#[inline(always)]
fn keep(context: &impl StackIdContext, pid: u32, extent: Extent) -> u64 {
    if pid == 0 {
        return NO_STACK;
    }
    let kept = acquire().and_then(|scratch| {
        // SAFETY: the pointer is to a map value, which outlives the run of the program, and
        // `acquire` has excluded all others from it.
        let kept = unsafe { assemble(context, &mut (*scratch).record, extent) }
            .and_then(|record| store(pid, record));
        release(scratch);
        kept
    });
    kept.unwrap_or_else(|| {
        count(Counter::StackLost);
        NO_STACK
    })
}

/// A slot of this CPU that no other program is using; `None` if all are in use.
///
/// A program that may be preempted (fentry, uprobes) shares the CPU with others while it runs. Of
/// the programs that increment `users`, only one can see it become 1; while that program uses the
/// slot, all others see a higher number.
#[inline(always)]
fn acquire() -> Option<*mut Scratch> {
    for place in 0..SCRATCH_PLACES {
        let scratch = SCRATCH.get_ptr_mut(place)?;
        // SAFETY: the pointer is to a map value, which is aligned to 8 bytes and outlives the run
        // of the program. `users` is only accessed here and in `release`.
        unsafe {
            let users = &raw mut (*scratch).users;
            add(users, 1);
            if users.read_volatile() == 1 {
                return Some(scratch);
            }
        }
        release(scratch);
    }
    None
}

#[inline(always)]
fn release(scratch: *mut Scratch) {
    // SAFETY: as in `acquire`.
    unsafe { add(&raw mut (*scratch).users, u64::MAX) };
}

/// Fills in the current task's user stack, and returns it with its hash. `None` if it cannot be
/// read.
#[inline(always)]
fn assemble<'a>(
    context: &impl StackIdContext,
    record: &'a mut StackRecord,
    extent: Extent,
) -> Option<(&'a StackRecord, u64)> {
    #[expect(clippy::cast_possible_truncation, reason = "it is below 2 KiB")]
    let size = size_of_val(&record.addresses) as u32;
    let addresses = record.addresses.as_mut_ptr();
    // SAFETY: the kernel writes at most `size` bytes, and any bytes are valid addresses.
    let bytes = unsafe {
        bpf_get_stack(context.as_ptr(), addresses.cast(), size, u64::from(BPF_F_USER_STACK))
    };
    #[expect(clippy::cast_possible_truncation, reason = "it is 8")]
    let depth = u32::try_from(bytes).ok()? / size_of::<u64>() as u32;
    record.depth = depth;
    let mut hash = hash_of(addresses, depth);
    record.has_top = u32::from(extent == Extent::FramesAndTop && top::read(&mut record.top));
    if record.has_top == 1 {
        for word in &record.top.words {
            hash = hash.with(*word);
        }
    }
    Some((record, hash.finish()))
}

/// The hash of `depth` addresses, as in [`StackRecord::hash`].
#[inline(always)]
fn hash_of(addresses: *const u64, depth: u32) -> StackHash {
    // The verifier must see that the loop ends, and the compiler must not conclude from the size of
    // the buffer that the first condition is sufficient.
    let depth = core::hint::black_box(depth as usize);
    let mut hash = StackHash::default();
    for index in 0..StackRecord::DEPTH_MAX {
        if index >= depth {
            break;
        }
        // SAFETY: the index is within the array.
        hash = hash.with(unsafe { addresses.add(index).read_volatile() });
    }
    hash
}

/// Adds the stack to the map unless it is already there. `None` if the map is full.
#[inline(always)]
fn store(pid: u32, (record, hash): (&StackRecord, u64)) -> Option<u64> {
    let key = StackKey { hash, pid, padding: 0 };
    if STACKS.get_ptr(key).is_none()
        && let Err(error) = STACKS.insert(key, record, u64::from(BPF_NOEXIST))
        && error != -ALREADY_EXISTS
    {
        return None;
    }
    Some(hash)
}

mod top {
    use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_user_buf};

    use super::StackTop;
    use crate::{
        globals::offset,
        read::{Probed, Read as _},
    };

    /// `THREAD_SIZE` of x86-64 without KASAN, in bytes.
    const KERNEL_STACK: usize = 16 << 10;
    /// Size of `struct pt_regs` of x86-64, in bytes.
    const REGISTERS: usize = 21 * 8;
    /// `TOP_OF_KERNEL_STACK_PADDING` without and with `CONFIG_X86_FRED`, in bytes.
    const PADDINGS: [usize; 2] = [0, 16];
    /// Offsets of `pt_regs.ip`, `pt_regs.cs` and `pt_regs.sp`, in bytes.
    const INSTRUCTION: usize = 16 * 8;
    const CODE_SEGMENT: usize = 17 * 8;
    const STACK_POINTER: usize = 19 * 8;
    /// `__USER_CS`, the code segment of 64-bit user code.
    const USER_CODE: u64 = 0x33;

    /// Reads the top of the current task's stack. Returns false, with an undefined top, if a read
    /// failed, or if neither place for the registers holds those of 64-bit user code.
    #[inline(always)]
    pub(super) fn read(top: &mut StackTop) -> bool {
        registers_and_words(top).is_some()
    }

    #[inline(always)]
    fn registers_and_words(top: &mut StackTop) -> Option<()> {
        // SAFETY: `bpf_get_current_task` has no preconditions. `Probed` and
        // `bpf_probe_read_user_buf` accept any address, and any bytes are a valid integer.
        unsafe {
            let task = bpf_get_current_task() as *const u8;
            let stack: *const u8 = Probed::read(task, offset!(task_stack))?;
            let end = stack.wrapping_add(KERNEL_STACK - REGISTERS);
            let is_user = |registers: *const u8| {
                Probed::read::<u64>(registers, CODE_SEGMENT) == Some(USER_CODE)
            };
            let mut registers = end.wrapping_sub(PADDINGS[0]);
            if !is_user(registers) {
                registers = end.wrapping_sub(PADDINGS[1]);
                if !is_user(registers) {
                    return None;
                }
            }
            top.instruction = Probed::read(registers, INSTRUCTION)?;
            let stack_pointer: u64 = Probed::read(registers, STACK_POINTER)?;
            let words = top.words.as_mut_ptr().cast::<u8>();
            let words = core::slice::from_raw_parts_mut(words, size_of_val(&top.words));
            // The helper leaves zeros if it fails.
            let _ = bpf_probe_read_user_buf(stack_pointer as *const u8, words);
            Some(())
        }
    }
}
