/// The settings that user space chooses before it loads the programs: the read-only global
/// `SETTINGS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Settings {
    /// Inode number of the tracer's pid namespace (`ns_common.inum`; `stat /proc/self/ns/pid`),
    /// which is unique among the live namespaces of the host.
    pub pid_namespace_inode: u32,
    /// 1: report only sockets that a process in the map `PIDS` opened or accepted, or that user
    /// space added to the map `TRACKED`. 0: report every socket.
    pub only_tracked: u32,
    /// An event wakes user space once the ring buffer `EVENTS` holds at least this many unread
    /// bytes; below that, user space polls. 0: every event wakes it.
    pub wakeup_bytes: u32,
    /// 1: keep the user stack of every reported `connect` and `accept`.
    pub with_stacks: u32,
    /// 1: also keep the top of every kept stack ([`StackTop`](crate::StackTop)), by means of the
    /// `struct pt_regs` of x86-64. On arm64 it is not needed: a call leaves the return address in a
    /// register, and system libraries keep frame pointers.
    pub with_stack_tops: u32,
    /// Offsets in `struct pt_regs`, in bytes, of the registers that hold a Go function's first two
    /// arguments at its entry. Go passes arguments in registers since 1.17 (`ABIInternal`).
    pub go_arguments: [u32; 2],
    /// Offsets in `struct pt_regs`, in bytes, of the registers that hold a kernel function's first
    /// two arguments in a kprobe.
    pub kernel_arguments: [u32; 2],
    /// Offset in `struct pt_regs`, in bytes, of the register that holds a kernel function's result
    /// in a kretprobe.
    pub kernel_result: u32,
    /// 0: the programs call the kernel's socket helpers and identify sockets by cookie.
    /// 1: the helpers are missing (`bpf_sock_from_file` before Linux 5.11, `bpf_get_socket_cookie`
    /// in tracing programs before 5.12 and in kprobes always), so the programs find sockets by
    /// reading kernel memory and identify them by numbers of their own
    /// ([`Identity`](crate::Identity)).
    pub without_socket_helpers: u32,
    /// A random number, lower half first, for hashes that nobody can predict.
    pub seed: [u32; 2],
}

const _: () = assert!(size_of::<Settings>() == 52);
