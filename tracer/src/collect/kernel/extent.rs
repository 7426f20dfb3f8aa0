//! The file descriptors that a pass of the iterator reports, and the program for it.

/// The file descriptors that a pass reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every file descriptor of a TCP socket.
    All,
    /// All those of the processes given to [`Kernel::set_pids`](super::load::Kernel::set_pids);
    /// those of other processes only for sockets in scope and listeners. The same as
    /// [`All`](Self::All) without
    /// [`KernelOptions::only_tracked`](super::object::KernelOptions::only_tracked), or if the
    /// kernel refuses the program.
    InScope,
}

/// The programs of [`Kernel::walk`](super::load::Kernel::walk), by [`Extent`]: with and without the
/// helper `bpf_sock_from_file`.
const SNAPSHOT_PROGRAMS: [[&str; 2]; 2] = [
    ["task_file", "task_file_in_scope"],
    ["task_file_without_helper", "task_file_in_scope_without_helper"],
];

/// The iterator to which all of them belong.
pub(super) const SNAPSHOT_TARGET: &str = "task_file";

/// The name of the program for an extent.
pub(super) fn program(extent: Extent, has_socket_helpers: bool) -> &'static str {
    SNAPSHOT_PROGRAMS[usize::from(!has_socket_helpers)][extent as usize]
}
