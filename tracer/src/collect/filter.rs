//! The user's selection of processes and connections.

use std::{collections::BTreeSet, net::SocketAddr};

use ipnet::IpNet;
use tracer_core::{Comm, Selection};

/// The user's selection. An empty field selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Process ids in the tracer's pid namespace.
    pub(crate) pids: BTreeSet<u32>,
    /// Whether the descendants of `pids` are also selected.
    pub(crate) children: bool,
    /// Names as in `/proc/PID/comm`.
    pub(crate) comms: BTreeSet<String>,
    /// Path of a cgroup as in `/proc/PID/cgroup`; also selects the cgroups below it.
    pub(crate) cgroup: Option<String>,
    /// The first digits of a container ID.
    pub(crate) container: Option<String>,
    pub(crate) local_ports: BTreeSet<u16>,
    pub(crate) remote_ports: BTreeSet<u16>,
    /// Remote addresses.
    pub(crate) remotes: Vec<IpNet>,
}

impl Filter {
    /// The selection, for outputs and recordings.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            pids: self.pids.iter().copied().collect(),
            children: self.children,
            comms: self.comms.iter().map(|comm| Comm(comm.as_str().into())).collect(),
            cgroup: self.cgroup.clone(),
            container: self.container.clone(),
            local_ports: self.local_ports.iter().copied().collect(),
            remote_ports: self.remote_ports.iter().copied().collect(),
            remotes: self.remotes.iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether the selection depends on the cgroups of processes.
    pub(crate) const fn is_by_cgroup(&self) -> bool {
        self.cgroup.is_some() || self.container.is_some()
    }

    /// Whether the selection includes every process.
    pub(crate) fn has_all_processes(&self) -> bool {
        self.pids.is_empty() && self.comms.is_empty() && !self.is_by_cgroup()
    }

    /// Whether processes with this name are selected, if their pid and cgroup are.
    pub(crate) fn admits_name(&self, comm: &Comm) -> bool {
        self.comms.is_empty() || self.comms.contains(comm.0.as_str())
    }

    /// Whether connections with these addresses are selected.
    pub(crate) fn admits_addresses(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let among = |ports: &BTreeSet<u16>, port| ports.is_empty() || ports.contains(&port);
        among(&self.local_ports, local.port())
            && among(&self.remote_ports, remote.port())
            && (self.remotes.is_empty()
                || self.remotes.iter().any(|network| network.contains(&remote.ip())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comm(name: &str) -> Comm {
        Comm(name.into())
    }

    #[test]
    fn an_empty_filter_admits_everything() {
        let filter = Filter::default();
        assert!(filter.admits_name(&comm("api")));
        assert!(filter.admits_addresses(([127, 0, 0, 1], 1).into(), ([10, 0, 0, 1], 443).into()));
    }

    #[test]
    fn every_given_field_must_match() {
        let filter = Filter {
            comms: ["api".to_owned()].into(),
            remote_ports: [443].into(),
            remotes: vec!["10.0.0.0/8".parse().unwrap()],
            ..Filter::default()
        };
        assert!(filter.admits_name(&comm("api")));
        assert!(!filter.admits_name(&comm("web")));
        let local = ([127, 0, 0, 1], 1).into();
        assert!(filter.admits_addresses(local, ([10, 0, 0, 1], 443).into()));
        assert!(!filter.admits_addresses(local, ([10, 0, 0, 1], 80).into()));
        assert!(!filter.admits_addresses(local, ([11, 0, 0, 1], 443).into()));
    }
}
