//! What the user selected.

use super::process::Comm;

wire_struct! {
    Selection mirrors tracer_core::Selection {
        pids: Vec<u32>,
        children: bool,
        comms: Vec<Comm>,
        cgroup: Option<String>,
        container: Option<String>,
        local_ports: Vec<u16>,
        remote_ports: Vec<u16>,
        remotes: Vec<String>,
    }
}
