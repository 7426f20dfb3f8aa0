//! User stacks: where in a program's code something was asked for.

use aya_ebpf::{bindings::BPF_F_USER_STACK, programs::tracing::StackIdContext};
use tracer_common::Counter;

use crate::{
    emit::count,
    globals::{with_stack_tops, with_stacks},
    maps::STACKS,
};

/// What a record says that has no stack.
pub(crate) const NONE: i32 = -1;

/// The number of the current task's user stack. Equal stacks have one number, and none is ever
/// given to another: a stack whose place is taken is counted and not kept.
#[inline(always)]
pub(crate) fn of_caller(context: &impl StackIdContext) -> i32 {
    match context.get_stackid(&STACKS, u64::from(BPF_F_USER_STACK)) {
        Ok(number) => number as i32,
        Err(_) => {
            count(Counter::StackLost);
            NONE
        }
    }
}

/// The same in a system call, where the user side may not want any. Who called the C library's
/// function that made it is not among the frames, so the top of the stack is kept too.
#[inline(always)]
pub(crate) fn of_system_call(context: &impl StackIdContext) -> i32 {
    if !with_stacks() {
        return NONE;
    }
    let number = of_caller(context);
    if number == NONE || !with_stack_tops() { number } else { top::keep(number) }
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

    /// `THREAD_SIZE` of amd64, without KASAN.
    const KERNEL_STACK: usize = 16 << 10;
    /// Size of `pt_regs`.
    const REGISTERS: usize = 21 * 8;
    /// `TOP_OF_KERNEL_STACK_PADDING`: none, or that of kernels built with `CONFIG_X86_FRED`.
    const PADDINGS: [usize; 2] = [0, 16];
    /// `pt_regs.ip`, `pt_regs.cs` and `pt_regs.sp`.
    const INSTRUCTION: usize = 16 * 8;
    const CODE_SEGMENT: usize = 17 * 8;
    const STACK_POINTER: usize = 19 * 8;
    /// `__USER_CS`.
    const USER_CODE: u64 = 0x33;

    /// Keeps the top of the stack with this number, and gives the number of both.
    #[inline(always)]
    pub(super) fn keep(number: i32) -> i32 {
        let Some(top) = read() else { return number };
        // Different callers have different words, so this tells them apart.
        let mix = |hash: u64, word: &u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = top.words.iter().fold(0, mix) >> (u64::BITS - StackTop::TOP_BITS);
        let whole = number as u32 | (hash as u32) << StackTop::PLACE_BITS;
        if STACK_TOPS.get_ptr(whole).is_none()
            && STACK_TOPS.insert(whole, top, u64::from(BPF_ANY)).is_err()
        {
            count(Counter::StackLost);
            return super::NONE;
        }
        whole as i32
    }

    #[inline(always)]
    fn read() -> Option<StackTop> {
        // SAFETY: the helper has no preconditions, and `Probed` reads anything.
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
