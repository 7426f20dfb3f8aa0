//! Where in `struct pt_regs` the programs find arguments and results. The layout is that of
//! `arch/*/include/uapi/asm/ptrace.h`.

/// Where in `struct pt_regs` the first two arguments of a Go function are, in bytes
/// ([`Settings::go_arguments`](tracer_common::Settings::go_arguments)). The layout is that of
/// `arch/*/include/uapi/asm/ptrace.h`; the registers are those of Go's `ABIInternal`.
pub(super) const GO_ARGUMENTS: [u32; 2] = if cfg!(target_arch = "aarch64") {
    // R0 and R1.
    [0, 8]
} else {
    // AX and BX.
    [80, 40]
};

/// Where in `struct pt_regs` the first two arguments of a kernel function are, and its result, in
/// bytes. The layout is that of `arch/*/include/uapi/asm/ptrace.h`.
pub(super) const KERNEL_REGISTERS: ([u32; 2], u32) = if cfg!(target_arch = "aarch64") {
    // X0 and X1; X0.
    ([0, 8], 0)
} else {
    // DI and SI; AX.
    ([112, 104], 80)
};
