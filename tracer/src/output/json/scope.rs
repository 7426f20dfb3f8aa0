//! What a run was about, in JSON: the user's selection, and the processes that it includes.

use serde::Serialize;
use tracer_core::{ObservedProcess, RecentlyClosed, Selection};

use crate::wall_clock::WallClock;

/// The maximum number of processes listed as observed.
pub(super) const OBSERVED_MAX: usize = 1_000;

/// The selection, named like the options that make it.
#[derive(Serialize)]
pub(super) struct SelectionObject<'a> {
    pids: &'a [u32],
    children: bool,
    comms: Vec<&'a str>,
    cgroup: Option<&'a str>,
    container: Option<&'a str>,
    local_ports: &'a [u16],
    remote_ports: &'a [u16],
    remotes: &'a [String],
}

impl<'a> SelectionObject<'a> {
    pub(super) fn new(selection: &'a Selection) -> Self {
        Self {
            pids: &selection.pids,
            children: selection.children,
            comms: selection.comms.iter().map(|comm| &*comm.0).collect(),
            cgroup: selection.cgroup.as_deref(),
            container: selection.container.as_deref(),
            local_ports: &selection.local_ports,
            remote_ports: &selection.remote_ports,
            remotes: &selection.remotes,
        }
    }
}

/// The process with the most connections that are too young to be judged.
#[derive(Serialize)]
pub(super) struct RecentlyClosedObject<'a> {
    pid: u32,
    comm: &'a str,
    count: u64,
    total: u64,
}

impl<'a> RecentlyClosedObject<'a> {
    pub(super) fn new(recently_closed: &'a RecentlyClosed) -> Self {
        let RecentlyClosed { process, comm, count, total } = recently_closed;
        Self { pid: process.pid, comm: &comm.0, count: *count, total: *total }
    }
}

/// A process in scope.
#[derive(Serialize)]
pub(super) struct ObservedObject<'a> {
    pid: u32,
    start_time: String,
    comm: &'a str,
    script: Option<&'a str>,
}

impl<'a> ObservedObject<'a> {
    pub(super) fn new(process: &'a ObservedProcess, clock: WallClock) -> Self {
        let ObservedProcess { key, comm, script } = process;
        let start_time = clock.start_time(*key);
        Self { pid: key.pid, start_time, comm: &comm.0, script: script.as_deref() }
    }
}
