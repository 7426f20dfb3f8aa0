//! What the user selected, and which processes that includes.

use alloc::{string::String, vec::Vec};

use crate::{Comm, ProcessKey};

/// The processes and connections that the user selected. An empty field selects everything.
///
/// The judge does not use it: it says what a report covers, for a comparison with another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Process ids in the pid namespace of `tracer` (`--pid`).
    pub pids: Vec<u32>,
    /// Whether the descendants of these processes are also selected (`--children`).
    pub children: bool,
    /// Names as in `/proc/PID/comm` (`--comm`).
    pub comms: Vec<Comm>,
    /// Path of a cgroup as in `/proc/PID/cgroup` (`--cgroup`).
    pub cgroup: Option<String>,
    /// The first digits of a container ID (`--container`).
    pub container: Option<String>,
    /// Local ports of connections (`--local-port`).
    pub local_ports: Vec<u16>,
    /// Remote ports of connections (`--remote-port`).
    pub remote_ports: Vec<u16>,
    /// Remote networks in CIDR notation (`--remote`).
    pub remotes: Vec<String>,
}

/// A process in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedProcess {
    /// Which process.
    pub key: ProcessKey,
    /// The name of the process.
    pub comm: Comm,
    /// File name of the script that it runs, if it is an interpreter and was inspected.
    pub script: Option<String>,
}
