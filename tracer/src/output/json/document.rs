//! The wire types, in the order of the contract.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;
use tracer_core::{
    CallSiteReason, Connection, Counted, Coverage, Finding, Goroutines, Options, Owner,
    ProcessSummary, Report,
};

use super::{
    CONNECTIONS_MAX,
    coded::Coded,
    coverage::{ProbeObject, call_site_reason, note},
    evidence::{caveat, evidence},
    scope::{OBSERVED_MAX, ObservedObject, RecentlyClosedObject, SelectionObject},
};
use crate::{
    output::{Context, coverage, quantity::Thousandths, words},
    wall_clock::WallClock,
};

/// Version of the schema; raised when a field changes its meaning or is removed.
pub(super) const SCHEMA: u32 = 2;

#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema: u32,
    tool: String,
    host: &'a str,
    kernel: &'a str,
    started_at: String,
    at: String,
    observed_ms: u64,
    thresholds: ThresholdsObject,
    selection: Option<SelectionObject<'a>>,
    findings: Vec<FindingObject<'a>>,
    processes: Vec<ProcessObject<'a>>,
    coverage: CoverageObject<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connections: Vec<ConnectionObject<'a>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(report: &'a Report, context: &'a Context) -> Self {
        let clock = context.clock;
        Self {
            schema: SCHEMA,
            tool: format!("tracer {}", context.version),
            host: &context.host,
            kernel: &context.kernel,
            started_at: clock.rfc3339(report.started_at),
            at: clock.rfc3339(report.at),
            observed_ms: report.at.ms_since(report.started_at),
            thresholds: ThresholdsObject::new(&report.options),
            selection: report.coverage.selection.as_ref().map(SelectionObject::new),
            findings: findings(report, clock),
            processes: report.processes.iter().map(|it| ProcessObject::new(it, clock)).collect(),
            coverage: CoverageObject::new(&report.coverage, clock),
            connections: connections(&report.unflagged, clock),
        }
    }
}

/// The thresholds in force, named like the options that set them.
#[derive(Serialize)]
struct ThresholdsObject {
    idle_s: Thousandths,
    min_count: usize,
    pool_size: usize,
    pool_idle_s: Thousandths,
    min_unread_bytes: u64,
    growth_for_s: Thousandths,
}

impl ThresholdsObject {
    fn new(options: &Options) -> Self {
        Self {
            idle_s: Thousandths::from_ms(options.idle_ms),
            min_count: options.count_min,
            pool_size: options.pool_size,
            pool_idle_s: Thousandths::from_ms(options.pool_idle_ms),
            min_unread_bytes: options.unread_min_bytes,
            growth_for_s: Thousandths::from_ms(options.growth_for_ms()),
        }
    }
}

fn findings(report: &Report, clock: WallClock) -> Vec<FindingObject<'_>> {
    let object = |finding| FindingObject::new(finding, &report.options, clock);
    report.findings.iter().map(object).collect()
}

#[derive(Serialize)]
struct FindingObject<'a> {
    id: String,
    key: String,
    verdict: &'static str,
    confidence: &'static str,
    pid: u32,
    start_time: String,
    comm: &'a str,
    exe: Option<&'a str>,
    script: Option<&'a str>,
    cmdline: Option<&'a str>,
    uid: Option<u32>,
    container: Option<&'a str>,
    container_runtime: Option<&'a str>,
    pod_uid: Option<&'a str>,
    inner_pid: Option<u32>,
    netns: u32,
    direction: &'static str,
    remote: Option<SocketAddr>,
    remote_port: Option<u16>,
    remotes: usize,
    local_port: Option<u16>,
    count: usize,
    peak_count: usize,
    peak_confidence: &'static str,
    oldest_age_s: Thousandths,
    oldest_age_is_lower_bound: bool,
    growth_per_min: Option<Thousandths>,
    responses: usize,
    unread_bytes: u64,
    held_bytes: u64,
    reader: &'static str,
    call_site: Option<&'a str>,
    call_site_reason: Option<Coded>,
    call_site_reasons: Vec<CountedReason>,
    request: Option<&'a str>,
    evidence: Vec<Coded>,
    caveats: Vec<Coded>,
    /// `None` for a retracted finding.
    next_step: Option<String>,
    retracted_at: Option<String>,
    stood_s: Thousandths,
    connections: Vec<ConnectionObject<'a>>,
    connections_omitted: usize,
}

impl<'a> FindingObject<'a> {
    fn new(finding: &'a Finding, options: &Options, clock: WallClock) -> Self {
        let listed = finding.connections.len().min(CONNECTIONS_MAX);
        let container = finding.container.as_ref();
        Self {
            id: format!("f{}", finding.id),
            key: finding.key.to_string(),
            verdict: finding.verdict.name(),
            confidence: finding.confidence.name(),
            pid: finding.process.pid,
            start_time: clock.start_time(finding.process),
            comm: &finding.comm.0,
            exe: finding.exe.as_deref(),
            script: finding.script.as_deref(),
            cmdline: finding.cmdline.as_deref(),
            uid: finding.uid,
            container: container.map(|it| &*it.id),
            container_runtime: container.and_then(|it| it.runtime.as_deref()),
            pod_uid: container.and_then(|it| it.pod_uid.as_deref()),
            inner_pid: finding.inner_pid,
            netns: finding.netns,
            direction: finding.direction.name(),
            remote: finding.remote,
            remote_port: finding.remote_port,
            remotes: finding.remotes,
            local_port: finding.local_port,
            count: finding.count,
            peak_count: finding.peak_count,
            peak_confidence: finding.peak_confidence.name(),
            oldest_age_s: Thousandths::from_ms(finding.oldest_age_ms),
            oldest_age_is_lower_bound: finding.oldest_age_is_lower_bound,
            growth_per_min: finding.growth_per_min_milli.map(Thousandths::from_milli),
            responses: finding.responses,
            unread_bytes: finding.unread_bytes,
            held_bytes: finding.held_bytes,
            reader: finding.reader.name(),
            call_site: finding.call_site.as_deref(),
            call_site_reason: finding.call_site_reason.as_ref().map(call_site_reason),
            call_site_reasons: finding.call_site_reasons.iter().map(CountedReason::new).collect(),
            request: finding.request.as_deref(),
            evidence: finding.evidence.iter().map(evidence).collect(),
            caveats: finding.caveats.iter().map(caveat).collect(),
            next_step: finding.retracted_at.is_none().then(|| words::next_step(finding, options)),
            retracted_at: finding.retracted_at.map(|at| clock.rfc3339(at)),
            stood_s: Thousandths::from_ms(finding.active_ms),
            connections: connections(&finding.connections[..listed], clock),
            connections_omitted: finding.connections.len() - listed,
        }
    }
}

/// Why the call sites of that many connections are unknown.
#[derive(Serialize)]
struct CountedReason {
    count: usize,
    reason: Coded,
}

impl CountedReason {
    fn new(counted: &Counted<CallSiteReason>) -> Self {
        Self { count: counted.count, reason: call_site_reason(&counted.value) }
    }
}

#[derive(Serialize)]
struct ConnectionObject<'a> {
    id: String,
    /// The file descriptor of the owning process; `null` only for a socket to which no file
    /// descriptor refers any longer.
    fd: Option<u32>,
    owners: Vec<OwnerObject<'a>>,
    inode: u64,
    state: &'static str,
    local: SocketAddr,
    remote: SocketAddr,
    age_s: Thousandths,
    age_is_lower_bound: bool,
    idle_s: Thousandths,
    unread_bytes: u64,
    unsent_bytes: u64,
    rx_bytes: u64,
    tx_bytes: u64,
    reader: &'static str,
    responses: usize,
    held_bytes: u64,
    call_site: Option<&'a str>,
    call_site_reason: Option<Coded>,
    request: Option<&'a str>,
    origin: &'static str,
}

fn connections(connections: &[Connection], clock: WallClock) -> Vec<ConnectionObject<'_>> {
    connections.iter().map(|connection| ConnectionObject::new(connection, clock)).collect()
}

impl<'a> ConnectionObject<'a> {
    fn new(connection: &'a Connection, clock: WallClock) -> Self {
        Self {
            id: connection.id.to_string(),
            fd: connection.owners.first().map(|owner| owner.fd),
            owners: connection.owners.iter().map(|it| OwnerObject::new(it, clock)).collect(),
            inode: connection.inode,
            state: connection.state.name(),
            local: connection.local,
            remote: connection.remote,
            age_s: Thousandths::from_ms(connection.age_ms),
            age_is_lower_bound: connection.age_is_lower_bound,
            idle_s: Thousandths::from_ms(connection.idle_ms),
            unread_bytes: connection.unread_bytes,
            unsent_bytes: connection.unsent_bytes,
            rx_bytes: connection.rx_bytes,
            tx_bytes: connection.tx_bytes,
            reader: connection.reader.name(),
            responses: connection.responses,
            held_bytes: connection.held_bytes,
            call_site: connection.call_site.as_deref(),
            call_site_reason: connection.call_site_reason.as_ref().map(call_site_reason),
            request: connection.request.as_deref(),
            origin: connection.origin.name(),
        }
    }
}

#[derive(Serialize)]
struct OwnerObject<'a> {
    pid: u32,
    start_time: String,
    comm: &'a str,
    fd: u32,
}

impl<'a> OwnerObject<'a> {
    fn new(owner: &'a Owner, clock: WallClock) -> Self {
        Self {
            pid: owner.key.pid,
            start_time: clock.start_time(owner.key),
            comm: &owner.comm.0,
            fd: owner.fd,
        }
    }
}

#[derive(Serialize)]
struct ProcessObject<'a> {
    pid: u32,
    start_time: String,
    comm: &'a str,
    tcp_fds: u64,
    fds_not_connected: u64,
    open_fds: Option<u64>,
    fd_limit: Option<u64>,
    growth_per_min: Option<Thousandths>,
    growth_is_reconstructed: bool,
    seconds_to_fd_limit: Option<u64>,
    goroutines: Option<GoroutinesObject>,
}

#[derive(Serialize)]
struct GoroutinesObject {
    total: u64,
    read_loops: u64,
    write_loops: u64,
}

impl GoroutinesObject {
    const fn new(goroutines: Goroutines) -> Self {
        let Goroutines { total, read_loops, write_loops } = goroutines;
        Self { total, read_loops, write_loops }
    }
}

impl<'a> ProcessObject<'a> {
    fn new(process: &'a ProcessSummary, clock: WallClock) -> Self {
        Self {
            pid: process.key.pid,
            start_time: clock.start_time(process.key),
            comm: &process.comm.0,
            tcp_fds: process.tcp_fds,
            fds_not_connected: process.fds_not_connected,
            open_fds: process.open_fds,
            fd_limit: process.fd_limit,
            growth_per_min: process.growth_per_min_milli.map(Thousandths::from_milli),
            growth_is_reconstructed: process.growth_is_reconstructed,
            seconds_to_fd_limit: process.seconds_to_fd_limit,
            goroutines: process.goroutines.map(GoroutinesObject::new),
        }
    }
}

#[derive(Serialize)]
struct CoverageObject<'a> {
    complete: bool,
    events_lost: u64,
    events_lost_unhealed: u64,
    map_full: u64,
    processes_unreadable: u64,
    not_judged: &'a BTreeMap<String, u64>,
    fds_not_connected: u64,
    recently_closed: Option<RecentlyClosedObject<'a>>,
    sockets: u64,
    processes: u64,
    snapshots: u64,
    snapshot_interval_ms: Option<u64>,
    snapshot_interval_max_ms: Option<u64>,
    probes: Vec<ProbeObject>,
    notes: Vec<Coded>,
    observed: Vec<ObservedObject<'a>>,
    observed_omitted: usize,
}

impl<'a> CoverageObject<'a> {
    fn new(coverage: &'a Coverage, clock: WallClock) -> Self {
        // Those that started last: a comparison asks which processes are new.
        let observed = coverage.observed.iter().rev().take(OBSERVED_MAX);
        Self {
            complete: coverage.complete,
            events_lost: coverage::events_lost(&coverage.loss),
            events_lost_unhealed: coverage::events_lost(&coverage.uncorrected),
            map_full: coverage.loss.map_full,
            processes_unreadable: coverage.processes_unreadable,
            not_judged: &coverage.not_judged,
            fds_not_connected: coverage.fds_not_connected,
            recently_closed: coverage.recently_closed.as_ref().map(RecentlyClosedObject::new),
            sockets: coverage.sockets,
            processes: coverage.processes,
            snapshots: coverage.snapshots,
            snapshot_interval_ms: coverage.snapshot_interval.map(|it| it.median_ms),
            snapshot_interval_max_ms: coverage.snapshot_interval.map(|it| it.max_ms),
            probes: coverage.probes.iter().map(ProbeObject::new).collect(),
            notes: coverage.notes.iter().chain(&coverage.gaps()).map(note).collect(),
            observed: observed.map(|it| ObservedObject::new(it, clock)).collect(),
            observed_omitted: coverage.observed.len().saturating_sub(OBSERVED_MAX),
        }
    }
}
