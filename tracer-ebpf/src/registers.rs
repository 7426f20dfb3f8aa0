//! Arguments and results of kernel functions where the kernel hands over nothing but registers.

use aya_ebpf::programs::{ProbeContext, RetProbeContext};

use crate::{
    globals::{kernel_argument_offset, kernel_result_offset},
    read::{Probed, Read},
};

/// The function's argument with this number, from 0.
#[inline(always)]
pub(crate) fn argument(context: &ProbeContext, number: usize) -> Option<u64> {
    // As for Go's functions, the user side knows where registers are, and the verifier would want
    // to know in the program.
    // SAFETY: the context is a `struct pt_regs`, and `Probed` reads anything.
    unsafe { Probed::read(context.regs.cast_const().cast(), kernel_argument_offset(number)) }
}

/// What the function returned.
#[inline(always)]
pub(crate) fn result(context: &RetProbeContext) -> Option<i64> {
    // SAFETY: as above.
    unsafe { Probed::read(context.regs.cast_const().cast(), kernel_result_offset()) }
}
