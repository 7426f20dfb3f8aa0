//! Which file descriptors a pass of the iterator reports, and by which program.

/// Which file descriptors a pass reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every file descriptor of a TCP socket.
    All,
    /// Those of the processes given to [`Kernel::set_pids`](super::load::Kernel::set_pids); of
    /// other processes those of sockets in scope and of listeners. The same as [`All`](Self::All)
    /// without [`KernelOptions::only_tracked`](super::object::KernelOptions::only_tracked), and
    /// where the kernel refuses the program for it.
    InScope,
}

/// The programs of [`Kernel::walk`](super::load::Kernel::walk), by [`Extent`]: with and without the
/// helper `bpf_sock_from_file`.
const SNAPSHOT_PROGRAMS: [[&str; 2]; 2] = [
    ["task_file", "task_file_in_scope"],
    ["task_file_without_helper", "task_file_in_scope_without_helper"],
];

/// The iterator that all of them belong to.
pub(super) const SNAPSHOT_TARGET: &str = "task_file";

/// The name of the program for an extent.
pub(super) fn program(extent: Extent, has_socket_helpers: bool) -> &'static str {
    SNAPSHOT_PROGRAMS[usize::from(!has_socket_helpers)][extent as usize]
}
