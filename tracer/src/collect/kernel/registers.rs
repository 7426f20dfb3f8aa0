//! Offsets of arguments and results in `struct pt_regs`
//! (`arch/*/include/uapi/asm/ptrace.h`), in bytes.

/// The first two arguments of a Go function
/// ([`Settings::go_arguments`](tracer_common::Settings::go_arguments)), by Go's `ABIInternal`.
pub(super) const GO_ARGUMENTS: [u32; 2] = if cfg!(target_arch = "aarch64") {
    // R0 and R1.
    [0, 8]
} else {
    // AX and BX.
    [80, 40]
};

/// The first two arguments of a kernel function, and its result.
pub(super) const KERNEL_REGISTERS: ([u32; 2], u32) = if cfg!(target_arch = "aarch64") {
    // X0 and X1; X0.
    ([0, 8], 0)
} else {
    // DI and SI; AX.
    ([112, 104], 80)
};
