//! What a finding is about, in words: process, number of connections, destination and call site.

use tracer_core::{Direction, Finding, ProcessKey, Verdict};

use crate::output::{escape, listing::Row, quantity::counted};

/// `api[4711]`.
pub(crate) fn process(finding: &Finding) -> String {
    named(finding.process, &finding.comm.0)
}

/// `api[4711]`.
pub(crate) fn named(process: ProcessKey, comm: &str) -> String {
    format!("{}[{}]", escape::visible(comm), process.pid)
}

/// `api[4711]`, `40 processes of nginx`.
pub(crate) fn processes(row: &Row<'_>) -> String {
    match row.parts.len() {
        0 | 1 => process(&row.finding),
        count => {
            let comm = escape::visible(&row.finding.comm.0);
            format!("{} of {comm}", counted(count as u64, "process", "processes"))
        }
    }
}

/// `1,204 connections`, or `14 responses on 1 connection` if a connection has several.
pub(crate) fn amount(finding: &Finding, count: usize) -> String {
    let connections = counted(count as u64, "connection", "connections");
    if finding.verdict == Verdict::BodyNotClosed && finding.responses > count {
        let responses = counted(finding.responses as u64, "response", "responses");
        return format!("{responses} on {connections}");
    }
    connections
}

/// `to 10.0.3.7:443`, `to port 443 of 200 addresses`, `accepted on port 8080`.
pub(crate) fn destination(finding: &Finding) -> String {
    match (finding.direction, finding.remote, finding.remote_port, finding.local_port) {
        (_, Some(remote), ..) => format!("to {remote}"),
        (Direction::Outbound, None, Some(port), _) => {
            let addresses = counted(finding.remotes as u64, "address", "addresses");
            format!("to port {port} of {addresses}")
        }
        (Direction::Inbound, None, _, Some(port)) => format!("accepted on port {port}"),
        (Direction::Inbound, None, _, None) => "accepted".to_owned(),
        (Direction::Outbound, None, None, _) => "to several destinations".to_owned(),
    }
}

/// `requested at main.doSomething billing.go:23`.
pub(super) fn call_site(finding: &Finding) -> Option<String> {
    let done = match (finding.verdict, finding.direction) {
        (Verdict::BodyNotClosed, _) => "requested",
        (_, Direction::Outbound) => "opened",
        (_, Direction::Inbound) => "accepted",
    };
    finding.call_site.as_deref().map(|site| format!("{done} at {}", escape::visible(site)))
}
