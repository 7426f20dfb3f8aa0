/// What the user side decides before it loads the programs; the read-only global `SETTINGS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// Inode number of the tracer's pid namespace (`stat /proc/self/ns/pid`, `ns_common.inum`).
    /// The kernel gives every live namespace of the host its own.
    pub pid_namespace_inode: u32,
    /// 1: only events of sockets that a process in the map `PIDS` opened or accepted, or that the
    /// user side put into the map `TRACKED`. 0: events of every socket.
    pub only_tracked: u32,
    /// An event wakes the user side once this many bytes wait in the ring buffer `EVENTS`; below
    /// that it waits to be fetched. 0: every event wakes.
    pub wakeup_bytes: u32,
    /// 1: keep the user's stack of every `connect` and `accept` that there is an event of.
    pub with_stacks: u32,
    /// 1: and the top of it, read from the `struct pt_regs` of amd64. Elsewhere a call leaves the
    /// return address in a register, and libraries keep frame pointers.
    pub with_stack_tops: u32,
    /// Where a Go function's first two arguments are in the `struct pt_regs` of a uprobe at its
    /// entry, in bytes; they are in registers since Go 1.17 (`ABIInternal`).
    pub go_arguments: [u32; 2],
    /// Where a kernel function's first two arguments are in the `struct pt_regs` of a kprobe, in
    /// bytes.
    pub kernel_arguments: [u32; 2],
    /// Where its result is in that of a kretprobe, in bytes.
    pub kernel_result: u32,
    /// 0: programs use the kernel's helpers for sockets, and sockets go by the kernel's cookies.
    /// 1: the helpers are not there (`bpf_sock_from_file` is of Linux 5.11, `bpf_get_socket_cookie`
    /// in these programs of 5.12, and in kprobes of none), so sockets are found by reading alone and
    /// go by numbers of the programs' own.
    pub without_socket_helpers: u32,
}

const _: () = assert!(size_of::<Settings>() == 44);
