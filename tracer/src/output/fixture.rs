//! Hand-made reports for the golden tests of all outputs.

use std::net::SocketAddr;

use tracer_core::{
    CallSiteReason, Caveat, Comm, Confidence, Connection, ConnectionId, Container, CountOf,
    Counted, Destination, Direction, DurationRange, Evidence, Finding, FindingFamily, FindingKey,
    Occurrence, Origin, Owner, ProcessKey, Reader, Recurrence, TcpState, Timestamp, Verdict,
};

mod reports;

pub(crate) use reports::{
    change, coverage, grown, history, hostile, incident, incomplete, mixed, refused, report,
};

use super::Context;
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
        boot_id: Some("8a1f2c3d-4b5e-4f60-9172-83a4b5c6d7e8".to_owned()),
        arguments: vec!["--pid".to_owned(), "4711".to_owned()],
        recorded_with: None,
        clock: WallClock::new(wall, now(), 1_000_000_000_000_000),
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(1_000_000_000)
}

/// A process that started the given number of seconds before [`now`].
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

/// An outbound connection of `api`, opened while tracing, with a number that makes it unique.
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
        call_site_reason: Some(CallSiteReason::StackNotRecorded),
        request: None,
        origin: Origin::Traced,
    }
}

pub(crate) fn connections(count: u32, state: TcpState, remote: &str) -> Vec<Connection> {
    (0..count).map(|number| connection(number, state, remote)).collect()
}

/// A range of minutes.
pub(crate) const fn minutes(min: u64, max: u64) -> DurationRange {
    DurationRange { min_ms: min * MINUTE, max_ms: max * MINUTE }
}

/// A key of an outbound finding, or of an inbound one if the family is of accepted connections.
fn key(family: FindingFamily, destination: Destination, comm: &str) -> FindingKey {
    let direction = match family {
        FindingFamily::Accepted => Direction::Inbound,
        FindingFamily::Response | FindingFamily::ClientConnection | FindingFamily::Inherited => {
            Direction::Outbound
        }
    };
    FindingKey { family, direction, destination, comm: Comm(comm.into()) }
}

/// A finding of these connections: a likely close-wait of `api`.
pub(crate) fn finding(id: u64, connections: Vec<Connection>) -> Finding {
    let first = &connections[0];
    Finding {
        id,
        key: key(FindingFamily::ClientConnection, Destination::Remote(first.remote), "api"),
        verdict: Verdict::CloseWait,
        confidence: Confidence::Likely,
        process: first.owners[0].key,
        comm: first.owners[0].comm.clone(),
        exe: Some("/usr/local/bin/api".to_owned()),
        cmdline: None,
        script: None,
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
        call_site_reason: Some(CallSiteReason::StackNotRecorded),
        call_site_reasons: vec![Counted {
            value: CallSiteReason::StackNotRecorded,
            count: connections.len(),
        }],
        request: None,
        evidence: vec![
            Evidence::PeerClosed { count: connections.len(), ago: minutes(1, 50) },
            Evidence::Rising {
                recurrence: Recurrence {
                    occurrence: Occurrence::PeerClosed,
                    times: 37,
                    span_ms: 49 * MINUTE,
                },
                since_last_ms: MINUTE,
            },
        ],
        caveats: Vec::new(),
        retracted_at: None,
        active_ms: 49 * MINUTE,
        connections,
    }
}

/// A leak of one worker of a server, with the given number of connections.
pub(crate) fn worker(id: u64, process: ProcessKey, count: u32) -> Finding {
    let mut connections = connections(count, TcpState::CloseWait, "10.0.0.7:443");
    for (number, connection) in (0..).zip(&mut connections) {
        connection.id = ConnectionId((u64::from(process.pid) << 16) + number);
        connection.owners[0] = owner(process, "python3", 7 + u32::try_from(number).unwrap_or(0));
    }
    Finding {
        comm: Comm("python3".into()),
        exe: Some("/usr/bin/python3.13".to_owned()),
        script: Some("billing.py".to_owned()),
        ..finding(id, connections)
    }
}

/// Ghosts of a server: inbound, IPv6, open before tracing, shared with a worker, growth unknown.
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
        key: key(FindingFamily::Accepted, Destination::LocalPort(8_080), "nginx"),
        verdict: Verdict::Ghost,
        confidence: Confidence::Possible,
        remote: None,
        remote_port: None,
        remotes: 0,
        local_port: Some(8_080),
        growth_per_min_milli: None,
        exe: Some("/usr/sbin/nginx".to_owned()),
        uid: Some(33),
        call_site_reason: Some(CallSiteReason::OpenedBeforeTracing),
        call_site_reasons: vec![
            Counted { value: CallSiteReason::OpenedBeforeTracing, count: 11 },
            Counted { value: CallSiteReason::StackNotRecorded, count: 1 },
        ],
        evidence: vec![
            Evidence::Dead { count: 12, dead: minutes(50, 50), is_lower_bound: true },
            Evidence::DeathUnnoticed { count: 12 },
        ],
        caveats: vec![Caveat::SingleCausePossible],
        ..finding(id, connections)
    }
}

/// Responses without a reader, with call site and request.
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
        key: key(FindingFamily::Response, Destination::Remote(connections[0].remote), "api"),
        verdict: Verdict::BodyNotClosed,
        confidence: Confidence::Certain,
        growth_per_min_milli: Some(400),
        growth_is_reconstructed: true,
        reader: Reader::None,
        call_site: Some("main.(*Client).doSomething billing.go:23".to_owned()),
        call_site_reason: None,
        call_site_reasons: Vec::new(),
        request: Some("GET http://billing/charge".to_owned()),
        container: Some(Container {
            id: "4f3c2b1a09182736455463728190".to_owned(),
            runtime: Some("containerd".to_owned()),
            pod_uid: Some("6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5".to_owned()),
        }),
        inner_pid: Some(7),
        cmdline: Some("/usr/local/bin/api --config /etc/api.toml".to_owned()),
        evidence: vec![
            Evidence::OpenResponses { count: 23, age: minutes(50, 50) },
            Evidence::ResponseUnreferenced(CountOf { count: 23, total: 23 }),
            requests("GET http://billing/charge", 23),
        ],
        ..finding(id, connections)
    }
}

pub(crate) fn requests(request: &str, count: usize) -> Evidence {
    Evidence::Requests { top: vec![Counted { value: request.to_owned(), count }], others: 0 }
}

/// Unread HTTP/2 streams, all on one connection.
pub(crate) fn multiplexed(id: u64) -> Finding {
    let mut connections = connections(1, TcpState::Established, "10.0.0.7:443");
    connections[0].responses = 14;
    connections[0].held_bytes = 56_000_000;
    connections[0].reader = Reader::Goroutine;
    connections[0].call_site = Some("main.export report.go:40".to_owned());
    Finding {
        key: key(FindingFamily::Response, Destination::Remote(connections[0].remote), "api"),
        verdict: Verdict::BodyNotClosed,
        growth_per_min_milli: None,
        reader: Reader::Goroutine,
        call_site: Some("main.export report.go:40".to_owned()),
        call_site_reason: None,
        call_site_reasons: Vec::new(),
        evidence: vec![Evidence::StreamsUnread {
            streams: 14,
            connections: 1,
            buffered_bytes: 56_000_000,
            unread: minutes(50, 50),
        }],
        caveats: vec![Caveat::ReaderUnknown(CountOf { count: 1, total: 1 })],
        ..finding(id, connections)
    }
}

/// Connections that a pool keeps: *info*.
pub(crate) fn stale_pool(id: u64) -> Finding {
    let connections = connections(2, TcpState::CloseWait, "10.0.9.9:5432");
    Finding {
        verdict: Verdict::StalePool,
        confidence: Confidence::Info,
        growth_per_min_milli: Some(0),
        evidence: vec![Evidence::PeerClosed { count: 2, ago: minutes(50, 50) }],
        ..finding(id, connections)
    }
}

/// Undrained responses, retracted twelve seconds ago.
pub(crate) fn retracted(id: u64) -> Finding {
    let connections = connections(5, TcpState::Established, "10.0.0.8:443");
    Finding {
        verdict: Verdict::Undrained,
        retracted_at: Some(now().before_ms(12 * SECOND)),
        active_ms: 3 * MINUTE,
        connections: Vec::new(),
        ..finding(id, connections)
    }
}
