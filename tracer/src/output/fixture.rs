//! Reports made by hand, for the golden tests of all sinks.

use std::net::SocketAddr;

use tracer_core::{
    Change, ChangeKind, Comm, Confidence, Connection, ConnectionId, Container, Coverage, Direction,
    Finding, Flag, Goroutines, Interval, Loss, Options, Origin, Owner, ProcessKey, ProcessSummary,
    Reader, Report, TcpState, Timestamp, Verdict,
};

use super::history::History;
use super::{
    Context,
    incident::{Incident, Provenance},
};
use crate::wall_clock::WallClock;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// On 2026-03-01 at 12:00:00 UTC the host was up for 1,000,000 s, never suspended.
pub(crate) fn context() -> Context {
    let wall = jiff::Timestamp::from_second(1_772_366_400).unwrap();
    Context {
        version: "0.1.0".to_owned(),
        host: "web1".to_owned(),
        kernel: "6.18.0-amd64".to_owned(),
        clock: WallClock::new(wall, now(), 1_000_000_000_000_000),
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(1_000_000_000)
}

/// A process that started so many seconds before [`now`].
pub(crate) fn process(pid: u32, seconds_ago: u64) -> ProcessKey {
    ProcessKey { pid, start_time_ns: (1_000_000 - seconds_ago) * 1_000_000_000 }
}

pub(crate) fn api() -> ProcessKey {
    process(4_711, 4_000)
}

pub(crate) fn owner(key: ProcessKey, comm: &str, fd: u32) -> Owner {
    Owner { key, fd, comm: Comm(comm.into()), in_scope: true }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An outbound connection of `api`, traced, with a number that tells it from others.
pub(crate) fn connection(number: u32, state: TcpState, remote: &str) -> Connection {
    let remote = address(remote);
    let local = if remote.is_ipv6() { "[2001:db8::5]:0" } else { "10.0.0.5:0" };
    let mut local = address(local);
    local.set_port(u16::try_from(40_000 + number).unwrap());
    Connection {
        id: ConnectionId(0x1000 + u64::from(number)),
        owners: vec![owner(api(), "api", 7 + number)],
        inode: 90_000 + u64::from(number),
        netns: 4_026_531_840,
        direction: Direction::Outbound,
        state,
        local,
        remote,
        age_ms: 51 * MINUTE - u64::from(number) * 2_000,
        age_is_lower_bound: false,
        idle_ms: 50 * MINUTE - u64::from(number) * 2_000,
        peer_closed: None,
        died: None,
        unread_bytes: 0,
        unsent_bytes: 0,
        rx_bytes: 1_311,
        tx_bytes: 240,
        reader: Reader::Unknown,
        responses: 0,
        held_bytes: 0,
        call_site: None,
        request: None,
        origin: Origin::Traced,
    }
}

pub(crate) fn connections(count: u32, state: TcpState, remote: &str) -> Vec<Connection> {
    (0..count).map(|number| connection(number, state, remote)).collect()
}

/// What the connections have in common, as a likely close-wait of `api`.
pub(crate) fn finding(id: u64, connections: Vec<Connection>) -> Finding {
    let first = &connections[0];
    Finding {
        id,
        verdict: Verdict::CloseWait,
        confidence: Confidence::Likely,
        process: first.owners[0].key,
        comm: first.owners[0].comm.clone(),
        exe: Some("/usr/local/bin/api".to_owned()),
        cmdline: None,
        uid: Some(1_000),
        container: None,
        inner_pid: None,
        netns: first.netns,
        direction: first.direction,
        remote: Some(first.remote),
        remote_port: Some(first.remote.port()),
        remotes: 1,
        local_port: None,
        count: connections.len(),
        peak_count: connections.len(),
        peak_confidence: Confidence::Likely,
        oldest_age_ms: first.age_ms,
        oldest_age_is_lower_bound: first.age_is_lower_bound,
        growth_per_min_milli: Some(23_000),
        growth_is_reconstructed: false,
        responses: connections.iter().map(|connection| connection.responses).sum(),
        unread_bytes: connections.iter().map(|connection| connection.unread_bytes).sum(),
        held_bytes: connections.iter().map(|connection| connection.held_bytes).sum(),
        reader: Reader::Unknown,
        call_site: None,
        request: None,
        evidence: vec![
            "The peer closed them between 50m and 1m ago; the application did not.".to_owned(),
            "Their number rose in each of the last 5 minutes.".to_owned(),
        ],
        retracted_at: None,
        stood_ms: 49 * MINUTE,
        connections,
    }
}

/// Ghosts of a server: inbound, IPv6, seeded, shared with a worker, of unknown growth.
pub(crate) fn inbound(id: u64) -> Finding {
    let mut connections = connections(12, TcpState::Closed, "[2001:db8:85a3::8a2e:370:7334]:50123");
    for (number, connection) in (0..).zip(&mut connections) {
        connection.direction = Direction::Inbound;
        connection.owners = vec![
            owner(process(801, 90_000), "nginx", 20 + number),
            owner(process(802, 89_999), "nginx-worker", 20 + number),
        ];
        connection.local.set_port(8_080);
        connection.age_is_lower_bound = true;
        connection.origin = if number == 3 { Origin::Traced } else { Origin::Seeded };
    }
    Finding {
        verdict: Verdict::Ghost,
        confidence: Confidence::Possible,
        remote: None,
        remote_port: None,
        remotes: 0,
        local_port: Some(8_080),
        growth_per_min_milli: None,
        exe: Some("/usr/sbin/nginx".to_owned()),
        uid: Some(33),
        evidence: vec![
            "They are dead; their descriptors are open. ss does not show them.".to_owned(),
        ],
        ..finding(id, connections)
    }
}

/// Responses that nobody reads, of which the line of code and the request are known.
pub(crate) fn with_call_site(id: u64) -> Finding {
    let mut connections =
        connections(23, TcpState::Established, "[2001:db8:85a3::8a2e:370:7334]:443");
    for connection in &mut connections {
        connection.unread_bytes = 5_000;
        connection.reader = Reader::None;
        connection.responses = 1;
        connection.call_site = Some("main.(*Client).doSomething billing.go:23".to_owned());
        connection.request = Some("GET http://billing/charge".to_owned());
    }
    Finding {
        verdict: Verdict::BodyNotClosed,
        confidence: Confidence::Certain,
        growth_per_min_milli: Some(400),
        growth_is_reconstructed: true,
        reader: Reader::None,
        call_site: Some("main.(*Client).doSomething billing.go:23".to_owned()),
        request: Some("GET http://billing/charge".to_owned()),
        container: Some(Container {
            id: "4f3c2b1a09182736455463728190".to_owned(),
            runtime: Some("containerd".to_owned()),
            pod_uid: Some("6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5".to_owned()),
        }),
        inner_pid: Some(7),
        cmdline: Some("/usr/local/bin/api --config /etc/api.toml".to_owned()),
        evidence: vec![
            "23 responses requested 50m ago, neither read to the end nor closed".to_owned(),
            "responses to GET http://billing/charge (23)".to_owned(),
        ],
        ..finding(id, connections)
    }
}

/// Streams of HTTP/2 that nobody reads, all on one connection.
pub(crate) fn multiplexed(id: u64) -> Finding {
    let mut connections = connections(1, TcpState::Established, "10.0.0.7:443");
    connections[0].responses = 14;
    connections[0].held_bytes = 56_000_000;
    connections[0].reader = Reader::Goroutine;
    connections[0].call_site = Some("main.export report.go:40".to_owned());
    Finding {
        verdict: Verdict::BodyNotClosed,
        growth_per_min_milli: None,
        reader: Reader::Goroutine,
        call_site: Some("main.export report.go:40".to_owned()),
        evidence: vec![
            "14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody \
             has read them for 50m"
                .to_owned(),
        ],
        ..finding(id, connections)
    }
}

/// What a pool keeps: for information.
pub(crate) fn stale_pool(id: u64) -> Finding {
    let connections = connections(2, TcpState::CloseWait, "10.0.9.9:5432");
    Finding {
        verdict: Verdict::StalePool,
        confidence: Confidence::Info,
        growth_per_min_milli: Some(0),
        evidence: vec!["Few and not rising, as in a pool until its next use.".to_owned()],
        ..finding(id, connections)
    }
}

/// Undrained responses, taken back twelve seconds ago.
pub(crate) fn retracted(id: u64) -> Finding {
    let connections = connections(5, TcpState::Established, "10.0.0.8:443");
    Finding {
        verdict: Verdict::Undrained,
        retracted_at: Some(now().before_ms(12 * SECOND)),
        stood_ms: 3 * MINUTE,
        connections: Vec::new(),
        ..finding(id, connections)
    }
}

pub(crate) fn report(findings: Vec<Finding>) -> Report {
    Report {
        started_at: now().before_ms(3 * SECOND),
        at: now(),
        findings,
        processes: Vec::new(),
        unflagged: Vec::new(),
        coverage: coverage(),
    }
}

pub(crate) fn coverage() -> Coverage {
    Coverage {
        complete: true,
        sockets: 10_234,
        snapshots: 3,
        probes: vec!["inet_sock_set_state: tp_btf".to_owned()],
        ..Coverage::default()
    }
}

/// Something of everything, the order as the core gives it.
pub(crate) fn mixed() -> Report {
    let mut leak = connections(1_204, TcpState::CloseWait, "10.0.0.7:443");
    for connection in &mut leak[1_190..] {
        connection.state = TcpState::Established;
        connection.unread_bytes = 2_048;
        connection.origin = Origin::Seeded;
    }
    let mut report = report(vec![finding(1, leak), stale_pool(3), inbound(2), retracted(4)]);
    report.processes = vec![ProcessSummary {
        key: api(),
        comm: Comm("api".into()),
        tcp_fds: 1_211,
        open_fds: Some(1_240),
        fd_limit: Some(65_536),
        growth_per_min_milli: Some(23_000),
        growth_is_reconstructed: false,
        seconds_to_fd_limit: Some(46 * 3_600),
        goroutines: Some(Goroutines { total: 3_630, read_loops: 1_204, write_loops: 1_203 }),
    }];
    report
}

/// Whatever the host chose is meant to do harm.
pub(crate) fn hostile() -> Report {
    let mut connections = connections(1, TcpState::CloseWait, "10.0.0.7:443");
    let comm = Comm::from_kernel(b"=\x1b[2J\n\"x\",\xff\xe2\x80\xae\0");
    connections[0].owners =
        vec![owner(api(), &comm.0, 7), owner(process(666, 10), "\u{9b}31m\u{200b}\r", 8)];
    connections[0].request = Some("-GET http://h/\r\nSet-Cookie: a".to_owned());
    connections[0].call_site = Some("@main\ttab evil.go:1".to_owned());
    let mut finding = finding(1, connections);
    finding.exe = Some("/tmp/\u{202e}gpj.exe\n/bin/sh".to_owned());
    finding.cmdline = Some("sh -c \x1b]0;owned\x07".to_owned());
    let hostile = || "\x1b[31mdeadbeef".to_owned();
    finding.container =
        Some(Container { id: hostile(), runtime: Some(hostile()), pod_uid: Some(hostile()) });
    finding.call_site.clone_from(&finding.connections[0].call_site);
    finding.request.clone_from(&finding.connections[0].request);
    finding.evidence = vec!["A sentence with \x1b[8m hidden text.".to_owned()];
    report(vec![finding])
}

/// Nothing found, but much unseen.
pub(crate) fn incomplete() -> Report {
    let mut report = report(Vec::new());
    report.coverage = Coverage {
        complete: false,
        loss: Loss {
            ring_full: 1_200,
            map_full: 30,
            unreadable: 4,
            snapshots_failed: 1,
            stacks_lost: 7,
            ledger_full: 3,
        },
        table_full: 5,
        responses_full: 2,
        processes_unreadable: 2,
        not_judged: [("mptcp".to_owned(), 2), ("smc".to_owned(), 1)].into(),
        probes: vec!["accept: not attached (no BTF)".to_owned()],
        notes: vec!["Only processes of this container are visible.".to_owned()],
        ..coverage()
    };
    report
}

/// A leak that grew over an hour beside others, with all connections and a forecast.
pub(crate) fn grown() -> Report {
    let mut pool = stale_pool(3);
    for (number, connection) in (500..).zip(&mut pool.connections) {
        connection.id = ConnectionId(number);
        let earliest = now().before_ms(40 * MINUTE);
        connection.peer_closed = Some(Interval { earliest, latest: now().before_ms(30 * MINUTE) });
    }
    let mut dead = inbound(2);
    for (number, connection) in (600..).zip(&mut dead.connections) {
        connection.id = ConnectionId(number);
        connection.died = Some(Interval::exact(now().before_ms((number - 580) * MINUTE)));
    }
    let mut report = report(vec![with_call_site(1), dead, pool, retracted(4)]);
    for (number, connection) in (0..).zip(&mut report.findings[0].connections) {
        connection.age_ms = 51 * MINUTE - number * 2 * MINUTE;
        connection.idle_ms = connection.age_ms - (number % 5) * 6 * SECOND;
    }
    report.started_at = now().before_ms(51 * MINUTE);
    report.unflagged = connections(7, TcpState::Established, "10.0.0.7:443");
    for (number, connection) in (700..).zip(&mut report.unflagged) {
        connection.id = ConnectionId(number);
    }
    report.processes = mixed().processes;
    report
}

/// How [`grown`] came about: the same, with ever fewer leaks the longer ago.
pub(crate) fn history(end: &Report) -> History {
    let mut history = History::default();
    for minutes_ago in (0..=51).rev() {
        let mut report = end.clone();
        report.at = now().before_ms(minutes_ago * MINUTE);
        if let Some(leak) = report.findings.first_mut() {
            leak.connections.retain(|it| it.age_ms >= minutes_ago * MINUTE);
            // Whoever was silent for less than a minute had no verdict yet.
            let is_leak = |it: &Connection| it.age_ms >= (minutes_ago + 1) * MINUTE;
            let (leaked, young) = leak.connections.drain(..).partition(is_leak);
            leak.connections = leaked;
            report.unflagged.extend::<Vec<_>>(young);
        }
        for summary in &mut report.processes {
            // By 23 a minute, as the headline says.
            summary.tcp_fds -= 23 * minutes_ago;
            summary.open_fds = summary.open_fds.map(|count| count - 23 * minutes_ago);
        }
        history.look(|| report);
    }
    history
}

pub(crate) fn incident<'a>(
    report: &'a Report,
    history: &'a History,
    context: &'a Context,
) -> Incident<'a> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let provenance = Provenance {
        file: "night.rec".to_owned(),
        recorded_with: words("record night.rec --pid 4711"),
        recorder: "0.1.0".to_owned(),
        arguments: words("night.rec --at 2026-03-01T12:00:00Z"),
        options: Options::default(),
    };
    Incident { report, history, context, provenance }
}

pub(crate) fn change(kind: ChangeKind) -> Change {
    let mut connection = connection(0, TcpState::CloseWait, "10.0.0.7:443");
    connection.unread_bytes = 512;
    connection.idle_ms = 61_250;
    connection.call_site = Some("main.dial dial.go:9".to_owned());
    Change {
        at: now().before_ms(1_500),
        kind,
        connection,
        flag: Flag {
            verdict: Verdict::CloseWait,
            confidence: Confidence::Possible,
            since: now().before_ms(MINUTE),
        },
    }
}
