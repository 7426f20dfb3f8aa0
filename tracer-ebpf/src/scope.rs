//! Which processes and sockets events are wanted of.

use aya_ebpf::bindings::BPF_ANY;
use tracer_common::Counter;

use crate::{
    emit::count,
    globals::only_tracked,
    maps::{PIDS, TRACKED},
};

/// Whether connections that the process opens are in scope.
#[inline(always)]
pub(crate) fn has_process(pid: u32) -> bool {
    !only_tracked() || PIDS.get_ptr(pid).is_some()
}

/// Whether what happens to the socket is in scope.
#[inline(always)]
pub(crate) fn has_socket(cookie: u64) -> bool {
    !only_tracked() || TRACKED.get_ptr(cookie).is_some()
}

/// Brings a socket that a process in scope opened into scope.
#[inline(always)]
pub(crate) fn enter(cookie: u64) {
    if only_tracked() && TRACKED.insert(cookie, 1, u64::from(BPF_ANY)).is_err() {
        count(Counter::MapFull);
    }
}

/// Takes a destroyed socket out of scope; whether it was in.
#[inline(always)]
pub(crate) fn leave(cookie: u64) -> bool {
    !only_tracked() || TRACKED.remove(cookie).is_ok()
}
