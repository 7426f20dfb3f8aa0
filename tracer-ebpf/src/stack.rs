//! User stacks: which code of a program opened a connection or made a request.

use aya_ebpf::{bindings::BPF_F_USER_STACK, programs::tracing::StackIdContext};
use tracer_common::Counter;

use crate::{
    emit::count,
    globals::{with_stack_tops, with_stacks},
    maps::STACKS,
};

/// The stack id of a record without a stack.
pub(crate) const NONE: i32 = -1;

/// The id of the current task's user stack: its slot in the map `STACKS`. Equal stacks have the
/// same id. A stack is never replaced: another one with the same slot is counted and not kept.
#[inline(always)]
pub(crate) fn of_caller(context: &impl StackIdContext) -> i32 {
    let slot = context.get_stackid(&STACKS, u64::from(BPF_F_USER_STACK));
    slot.ok().and_then(|slot| i32::try_from(slot).ok()).unwrap_or_else(|| {
        count(Counter::StackLost);
        NONE
    })
}

/// The same in a system call, if the user side wants stacks. The frames do not include the caller
/// of the C library's wrapper, so the top of the stack is kept as well
/// ([`tracer_common::StackTop`]).
#[inline(always)]
pub(crate) fn of_system_call(context: &impl StackIdContext) -> i32 {
    if !with_stacks() {
        return NONE;
    }
    let slot = of_caller(context);
    if slot == NONE || !with_stack_tops() { slot } else { top::store(slot) }
}

mod top {
    use aya_ebpf::{
        bindings::BPF_ANY,
        helpers::{bpf_get_current_task, bpf_probe_read_user},
    };
    use tracer_common::{Counter, StackTop};

    use crate::{
        emit::count,
        globals::offset,
        maps::STACK_TOPS,
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

    /// Stores the top of the stack in this slot of `STACKS`, and returns the id of both. Without a
    /// top the id is the slot.
    #[inline(always)]
    pub(super) fn store(slot: i32) -> i32 {
        let Some(top) = read() else { return slot };
        // Different callers leave different words, so the hash distinguishes them.
        let mix = |hash: u64, word: &u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = top.words.iter().fold(0, mix) >> (u64::BITS - StackTop::TOP_BITS);
        let id = slot.cast_unsigned() | (hash as u32) << StackTop::PLACE_BITS;
        if STACK_TOPS.get_ptr(id).is_none()
            && STACK_TOPS.insert(id, top, u64::from(BPF_ANY)).is_err()
        {
            count(Counter::StackLost);
            return super::NONE;
        }
        id.cast_signed()
    }

    /// The user's registers and stack. `None` if a read failed, or if neither place for the
    /// registers holds those of 64-bit user code.
    #[inline(always)]
    fn read() -> Option<StackTop> {
        // SAFETY: `bpf_get_current_task` has no preconditions. `Probed` and `bpf_probe_read_user`
        // accept any address, and any bytes are a valid integer.
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
            let stack_pointer: u64 = Probed::read(registers, STACK_POINTER)?;
            Some(StackTop {
                instruction: Probed::read(registers, INSTRUCTION)?,
                stack_pointer,
                words: bpf_probe_read_user(stack_pointer as *const [u64; StackTop::WORDS])
                    .unwrap_or([0; StackTop::WORDS]),
            })
        }
    }
}
