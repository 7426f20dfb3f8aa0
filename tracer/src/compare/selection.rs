//! What a report covers: the user's selection, and the processes that it included.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tracer_core::{ObservedProcess, Selection as CoreSelection};

use super::finding::Finding;
use crate::wall_clock::WallClock;

/// The processes and connections that the user selected, as in the JSON schema. An empty field
/// selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Selection {
    pub(crate) pids: Vec<u32>,
    pub(crate) children: bool,
    pub(crate) comms: Vec<String>,
    pub(crate) cgroup: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) local_ports: Vec<u16>,
    pub(crate) remote_ports: Vec<u16>,
    pub(crate) remotes: Vec<String>,
}

impl Selection {
    pub(super) fn of(selection: &CoreSelection) -> Self {
        Self {
            pids: selection.pids.clone(),
            children: selection.children,
            comms: selection.comms.iter().map(|comm| comm.0.to_string()).collect(),
            cgroup: selection.cgroup.clone(),
            container: selection.container.clone(),
            local_ports: selection.local_ports.clone(),
            remote_ports: selection.remote_ports.clone(),
            remotes: selection.remotes.clone(),
        }
    }

    /// Whether every process with this name is selected.
    pub(super) fn has_all_named(&self, comm: &str) -> bool {
        let is_by_instance =
            !self.pids.is_empty() || self.cgroup.is_some() || self.container.is_some();
        let is_named = self.comms.is_empty() || self.comms.iter().any(|name| name == comm);
        is_named && !is_by_instance
    }

    /// Whether the connections of a finding are selected; false if the finding does not show it.
    pub(super) fn has_connections_of(&self, finding: &Finding) -> bool {
        let among = |ports: &[u16], port: Option<u16>| {
            ports.is_empty() || port.is_some_and(|port| ports.contains(&port))
        };
        let address = finding.remote.as_deref().and_then(|it| it.parse::<SocketAddr>().ok());
        let is_in = |network: &String| {
            let network = network.parse::<IpNet>().ok();
            network.zip(address).is_some_and(|(network, address)| network.contains(&address.ip()))
        };
        among(&self.local_ports, finding.local_port)
            && among(&self.remote_ports, finding.remote_port)
            && (self.remotes.is_empty() || self.remotes.iter().any(is_in))
    }

    /// Whether this selection has the same addresses as the other one.
    pub(super) fn has_addresses_of(&self, other: &Self) -> bool {
        self.local_ports == other.local_ports
            && self.remote_ports == other.remote_ports
            && self.remotes == other.remotes
    }
}

/// A process that a run observed, as in the JSON schema.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Observed {
    pub(super) pid: u32,
    /// RFC 3339.
    pub(super) start_time: String,
    pub(super) comm: String,
    /// File name of the script that an interpreter runs, if known.
    #[serde(default)]
    pub(super) script: Option<String>,
}

impl Observed {
    pub(super) fn of(process: &ObservedProcess, clock: WallClock) -> Self {
        let ObservedProcess { key, comm, script } = process;
        Self {
            pid: key.pid,
            start_time: clock.start_time(*key),
            comm: comm.0.to_string(),
            script: script.clone(),
        }
    }
}
