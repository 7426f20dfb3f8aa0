//! One run of a case, with one server and one toolchain.

use super::case::Case;
use super::need::GoToolchain;
use super::server::ServerName;

/// One run of a case.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) case: Case,
    pub(crate) server: Option<ServerName>,
    pub(crate) go: Option<GoToolchain>,
}

impl Trial {
    /// Every run of the chosen cases.
    pub(crate) fn all(cases: &[Case], reduced: bool, filter: &str) -> Vec<Self> {
        let chosen = cases.iter().filter(|case| case.reduced || !reduced);
        let mut trials = Vec::new();
        for case in chosen.filter(|case| case.name.contains(filter)) {
            let servers: Vec<_> = if case.servers.is_empty() {
                vec![None]
            } else {
                case.servers.iter().copied().map(Some).collect()
            };
            let toolchains = case.go_toolchains(reduced);
            let toolchains: Vec<_> = if toolchains.is_empty() {
                vec![None]
            } else {
                toolchains.into_iter().map(Some).collect()
            };
            for &go in &toolchains {
                for &server in &servers {
                    trials.push(Self { case: case.clone(), server, go });
                }
            }
        }
        trials
    }

    /// The name of the trial, unique among all runs: the case, the server, and the version if there
    /// are several.
    pub(crate) fn name(&self, version: Option<&str>) -> String {
        let server = self.server.map(ServerName::word);
        let words = [Some(self.case.name.as_str()), server, version];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
