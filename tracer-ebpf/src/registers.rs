//! Arguments and results of kernel functions in kprobes and kretprobes, whose context is a
//! `struct pt_regs`.

use aya_ebpf::programs::{ProbeContext, RetProbeContext};

use crate::{
    globals::{kernel_argument_offset, kernel_result_offset},
    read::{Probed, Read},
};

/// The function's argument with this number, from 0; `None` if it could not be read.
#[inline(always)]
pub(crate) fn argument(context: &ProbeContext, number: usize) -> Option<u64> {
    // The verifier accepts a load from the context only at an offset in the instruction itself.
    // This offset is a setting, because it depends on the architecture, so the helper reads the
    // register.
    // SAFETY: `Probed` accepts any address.
    unsafe { Probed::read(context.regs.cast_const().cast(), kernel_argument_offset(number)) }
}

/// The function's return value; `None` if it could not be read.
#[inline(always)]
pub(crate) fn result(context: &RetProbeContext) -> Option<i64> {
    // SAFETY: `Probed` accepts any address.
    unsafe { Probed::read(context.regs.cast_const().cast(), kernel_result_offset()) }
}
