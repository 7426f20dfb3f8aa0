//! How much a walk of the iterator shows, and by which program.

/// What a walk shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every descriptor.
    All,
    /// The descriptors of the processes given to [`Kernel::set_pids`](super::load::Kernel::set_pids); of other processes, those of
    /// sockets that are in scope and of such as listen. Everything without
    /// [`KernelOptions::only_tracked`](super::object::KernelOptions::only_tracked), and where the kernel refuses the program for it.
    InScope,
}

/// The iterators behind [`Kernel::walk`](super::load::Kernel::walk), by [`Extent`], and those where the kernel has no helper
/// that knows a socket's file.
const SNAPSHOT_PROGRAMS: [[&str; 2]; 2] = [
    ["task_file", "task_file_in_scope"],
    ["task_file_without_helper", "task_file_in_scope_without_helper"],
];

/// What all of them go through.
pub(super) const SNAPSHOT_TARGET: &str = "task_file";

/// The name of the iterator that shows this.
pub(super) fn program(extent: Extent, has_socket_helpers: bool) -> &'static str {
    SNAPSHOT_PROGRAMS[usize::from(!has_socket_helpers)][extent as usize]
}
