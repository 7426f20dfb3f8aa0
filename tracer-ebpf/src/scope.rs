//! The processes and sockets in scope: only their events are reported.

use aya_ebpf::bindings::BPF_ANY;
use tracer_common::Counter;

use crate::{
    emit::count,
    globals::only_tracked,
    identity,
    maps::{PIDS, TRACKED},
    read::Read,
    sock::{STATE_LISTEN, Sock},
};

/// The file descriptors of TCP sockets that a snapshot reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    /// All those of processes in scope; those of other processes only for sockets in scope and
    /// listeners.
    InScope,
}

/// Whether connections that the process opens or accepts are in scope.
#[inline(always)]
pub(crate) fn includes_process(pid: u32) -> bool {
    !only_tracked() || PIDS.get_ptr(pid).is_some()
}

/// Whether events of the socket are in scope.
#[inline(always)]
pub(crate) fn includes_socket(cookie: u64) -> bool {
    !only_tracked() || TRACKED.get_ptr(cookie).is_some()
}

/// Whether the process or the socket is in scope, or the socket is a listener: user space derives
/// the direction of connections from all listeners. `None` if a read failed.
#[inline(always)]
pub(crate) fn includes<R: Read>(pid: u32, sock: &Sock<R>) -> Option<bool> {
    Some(
        includes_process(pid)
            || sock.state()? == STATE_LISTEN
            || includes_socket(identity::existing(sock)?),
    )
}

/// Brings a socket that a process in scope opened or accepted into scope.
#[inline(always)]
pub(crate) fn add_socket(cookie: u64) {
    if only_tracked() && TRACKED.insert(cookie, 1, u64::from(BPF_ANY)).is_err() {
        count(Counter::MapFull);
    }
}

/// Takes a destroyed socket out of scope. Returns whether it was in scope.
#[inline(always)]
pub(crate) fn remove_socket(cookie: u64) -> bool {
    !only_tracked() || TRACKED.remove(cookie).is_ok()
}
