//! Which processes and connections the user asked for.

use std::{collections::BTreeSet, net::SocketAddr};

use ipnet::IpNet;
use tracer_core::Comm;

/// The user's selection; an empty part selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Process ids in the tracer's pid namespace.
    pub(crate) pids: BTreeSet<u32>,
    /// The descendants of `pids` too.
    pub(crate) children: bool,
    /// Names as in `/proc/PID/comm`.
    pub(crate) comms: BTreeSet<String>,
    /// Path of a cgroup as in `/proc/PID/cgroup`.
    pub(crate) cgroup: Option<String>,
    /// What the id of a container begins with.
    pub(crate) container: Option<String>,
    pub(crate) local_ports: BTreeSet<u16>,
    pub(crate) remote_ports: BTreeSet<u16>,
    pub(crate) remotes: Vec<IpNet>,
}

impl Filter {
    /// Who was asked for is known by the cgroups of a process.
    pub(crate) const fn is_by_cgroup(&self) -> bool {
        self.cgroup.is_some() || self.container.is_some()
    }

    /// No process was chosen.
    pub(crate) fn is_everybody(&self) -> bool {
        self.pids.is_empty() && self.comms.is_empty() && !self.is_by_cgroup()
    }

    /// A process of this name was asked for, its pid and cgroup aside.
    pub(crate) fn admits_name(&self, comm: &Comm) -> bool {
        self.comms.is_empty() || self.comms.contains(comm.0.as_str())
    }

    /// The connection was asked for, by its ends.
    pub(crate) fn admits_ends(&self, local: SocketAddr, remote: SocketAddr) -> bool {
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
    fn an_empty_scope_admits_all() {
        let scope = Filter::default();
        assert!(scope.admits_name(&comm("api")));
        assert!(scope.admits_ends(([127, 0, 0, 1], 1).into(), ([10, 0, 0, 1], 443).into()));
    }

    #[test]
    fn every_part_that_is_given_must_fit() {
        let scope = Filter {
            comms: ["api".to_owned()].into(),
            remote_ports: [443].into(),
            remotes: vec!["10.0.0.0/8".parse().unwrap()],
            ..Filter::default()
        };
        assert!(scope.admits_name(&comm("api")));
        assert!(!scope.admits_name(&comm("web")));
        let local = ([127, 0, 0, 1], 1).into();
        assert!(scope.admits_ends(local, ([10, 0, 0, 1], 443).into()));
        assert!(!scope.admits_ends(local, ([10, 0, 0, 1], 80).into()));
        assert!(!scope.admits_ends(local, ([11, 0, 0, 1], 443).into()));
    }
}
