//! User stacks: where in a program's code something was asked for.

use aya_ebpf::{bindings::BPF_F_USER_STACK, programs::tracing::StackIdContext};
use tracer_common::Counter;

use crate::{emit::count, globals::with_stacks, maps::STACKS};

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

/// As [`of_caller`], where the user side may not want any.
#[inline(always)]
pub(crate) fn if_wanted(context: &impl StackIdContext) -> i32 {
    if with_stacks() { of_caller(context) } else { NONE }
}
