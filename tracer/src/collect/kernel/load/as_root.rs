//! Tests on the real kernel, with connections of this process.

use std::{
    collections::BTreeSet,
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::fs::MetadataExt as _,
    },
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tracer_common::{EventKind, EventRecord, FAMILY_INET, NO_STACK, SocketRecord};
use zerocopy::FromBytes;

use super::*;
use crate::collect::kernel::{hooks::AttachFamily, iterator::Reading, losses::KernelLosses};

mod attach_methods;
mod delivery;
mod extent;
mod file_tables;
mod limits;
#[cfg(target_arch = "x86_64")]
mod stacks;

/// Names the mechanism by which tests attach; without it, they use the best one.
const MECHANISM_VARIABLE: &str = "TRACER_TEST_ATTACH_METHOD";

/// Numbers of `include/net/tcp_states.h`.
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;

/// The addresses that a listener and a client use for each kind of connection.
const LOOPBACKS: [(&str, &str); 3] =
    [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("[::]:0", "[::ffff:127.0.0.1]")];

/// The loaded and attached programs, with only this process in scope. Tests that have one run one
/// after another, because they share the process.
struct Watch {
    kernel: Kernel,
    events: EventRing,
    seen: Vec<EventRecord>,
    _turn: MutexGuard<'static, ()>,
}

impl Watch {
    /// Attaches by the mechanism that [`MECHANISM_VARIABLE`] names, otherwise by the best.
    fn start(pids: &[u32], ring_bytes: Option<u32>) -> Self {
        let attach_family = env::var(MECHANISM_VARIABLE).ok();
        let attach_family = attach_family.map(|name| AttachFamily::named(&name).unwrap());
        Self::start_by(attach_family, pids, ring_bytes).unwrap()
    }

    /// Attaches by one mechanism only; an error if that is impossible for one of the hooks.
    fn start_by(
        attach_family: Option<AttachFamily>,
        pids: &[u32],
        ring_bytes: Option<u32>,
    ) -> Result<Self, String> {
        Self::start_with(attach_family, pids, ring_bytes, |_| {})
    }

    /// The same with a change to the loaded programs before they are attached.
    fn start_with(
        attach_family: Option<AttachFamily>,
        pids: &[u32],
        ring_bytes: Option<u32>,
        change: impl FnOnce(&mut Kernel),
    ) -> Result<Self, String> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let options = KernelOptions {
            only_tracked: true,
            with_stacks: true,
            verbose: false,
            ring_bytes,
            reads_file_tables: false,
            attach_family,
        };
        let mut kernel = Kernel::load(options).map_err(|error| format!("{error:#}"))?;
        change(&mut kernel);
        kernel.set_pids(pids).unwrap();
        let events = kernel.take_events().unwrap();
        match kernel.attach().into_iter().find(|probe| !probe.is_attached()) {
            Some(probe) => Err(format!("{probe:?}")),
            None => Ok(Self { kernel, events, seen: Vec::new(), _turn: turn }),
        }
    }

    /// Takes events until one matches.
    fn expect(&mut self, what: &str, matches: impl Fn(&EventRecord) -> bool) -> EventRecord {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let Self { events, seen, .. } = self;
            events.drain(usize::MAX, |bytes| {
                seen.push(EventRecord::read_from_bytes(bytes).unwrap());
            });
            if let Some(record) = self.seen.iter().find(|record| matches(record)) {
                return *record;
            }
            assert!(Instant::now() < deadline, "no {what} in {:#?}", self.seen);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn records(&mut self) -> Vec<SocketRecord> {
        let mut records = Vec::new();
        let stats = self
            .kernel
            .walk(Extent::All, Reading::Overlapped, &mut |record: &SocketRecord| {
                records.push(*record);
            })
            .unwrap();
        assert_eq!(stats.records, records.len() as u64);
        assert_eq!(stats.truncated, 0);
        records.retain(|record| record.pid == process::id());
        records
    }
}

/// A listener, a connection to it, and the same connection as accepted.
fn connection((listen, connect): (&str, &str)) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(listen).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(format!("{connect}:{port}")).unwrap();
    let (server, _) = listener.accept().unwrap();
    (listener, client, server)
}

fn local(record: &EventRecord) -> SocketAddr {
    address(record.family, record.local_address, record.local_port)
}

fn remote(record: &EventRecord) -> SocketAddr {
    address(record.family, record.remote_address, record.remote_port)
}

fn address(family: u16, bytes: [u8; 16], port: u16) -> SocketAddr {
    let [a, b, c, d, ..] = bytes;
    if family == FAMILY_INET {
        SocketAddr::from(([a, b, c, d], port))
    } else {
        SocketAddr::from((bytes, port))
    }
}

/// The target of the file descriptor's link in `/proc`: `socket:[1234]`.
fn link(fd: RawFd) -> String {
    fs::read_link(format!("/proc/self/fd/{fd}")).unwrap().to_string_lossy().into_owned()
}

#[tokio::test]
async fn a_connection_is_seen_from_connect_to_destroy() {
    let mounts = fs::read("/proc/self/mountinfo").unwrap();
    let mut watch = Watch::start(&[process::id()], None);
    assert_eq!(fs::read("/proc/self/mountinfo").unwrap(), mounts);
    let comm = fs::read_to_string("/proc/self/comm").unwrap();

    for addresses in LOOPBACKS {
        let (listener, client, server) = connection(addresses);
        let (client_address, server_address) =
            (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let check_actor = |record: &EventRecord| {
            assert_eq!(record.pid, process::id());
            assert!(record.start_time_ns > 0);
            // This runs on a thread with a name of its own.
            let name = String::from_utf8_lossy(&record.comm);
            assert_eq!(name.trim_end_matches('\0'), comm.trim_end());
        };

        let connect = watch.expect("connect", |record| {
            record.kind == EventKind::Connect as u32 && remote(record) == server_address
        });
        check_actor(&connect);
        assert_eq!((connect.old_state, connect.new_state), (CLOSE, SYN_SENT));
        assert_eq!((connect.local_port, connect.fd), (0, -1));

        let established = watch.expect("established", |record| {
            record.cookie == connect.cookie && record.new_state == ESTABLISHED
        });
        assert_eq!(established.kind, EventKind::State as u32);
        assert_eq!((local(&established), remote(&established)), (client_address, server_address));
        assert_eq!((established.pid, established.start_time_ns), (0, 0));
        assert_eq!(established.comm, [0; 16]);
        assert!(established.at_ns > connect.at_ns);

        let accept = watch.expect("accept", |record| {
            record.kind == EventKind::Accept as u32 && remote(record) == client_address
        });
        check_actor(&accept);
        assert_eq!(local(&accept), server_address);
        assert_eq!(accept.fd, server.as_raw_fd());
        assert_eq!(accept.new_state, ESTABLISHED);
        assert_eq!(accept.netns, connect.netns);
        let netns = fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert_eq!(u64::from(accept.netns), netns);

        drop(client);
        watch.expect("peer's close", |record| {
            record.cookie == accept.cookie && record.new_state == CLOSE_WAIT
        });
        drop((listener, server));
        for cookie in [connect.cookie, accept.cookie] {
            watch.expect("destroy", |record| {
                record.cookie == cookie && record.kind == EventKind::Destroy as u32
            });
        }
    }
    let losses = watch.kernel.losses().unwrap();
    assert_eq!(KernelLosses { missed_runs: 0, ..losses }, KernelLosses::default());
}

#[tokio::test]
async fn a_refused_connection_ends_in_a_destroy() {
    let mut watch = Watch::start(&[process::id()], None);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    TcpStream::connect(unused).unwrap_err();
    let connect = watch.expect("connect", |record| {
        record.kind == EventKind::Connect as u32 && remote(record) == unused
    });
    watch.expect("close", |record| {
        record.cookie == connect.cookie && (record.old_state, record.new_state) == (SYN_SENT, CLOSE)
    });
    watch.expect("destroy", |record| {
        record.cookie == connect.cookie && record.kind == EventKind::Destroy as u32
    });
}

#[tokio::test]
async fn a_pass_reports_each_file_descriptor_once() {
    let mut watch = Watch::start(&[], None);
    let open: Vec<_> = LOOPBACKS.into_iter().map(connection).collect();
    let duplicate = open[0].1.try_clone().unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut expected: BTreeSet<RawFd> = open
        .iter()
        .flat_map(|(listener, client, server)| {
            [listener.as_raw_fd(), client.as_raw_fd(), server.as_raw_fd()]
        })
        .collect();
    expected.insert(duplicate.as_raw_fd());

    let records = watch.records();
    for fd in expected {
        let fd_records: Vec<_> =
            records.iter().filter(|record| record.fd == fd.cast_unsigned()).collect();
        let [record] = fd_records[..] else { panic!("fd {fd}: {fd_records:?}") };
        assert_eq!(format!("socket:[{}]", record.inode), link(fd));
    }
    assert!(records.iter().all(|record| record.fd != datagrams.as_raw_fd().cast_unsigned()));

    let by_fd = |fd: RawFd| *records.iter().find(|record| record.fd == fd.cast_unsigned()).unwrap();
    let (first, second) = (by_fd(open[0].1.as_raw_fd()), by_fd(duplicate.as_raw_fd()));
    assert_eq!((first.cookie, first.inode), (second.cookie, second.inode));
    assert_ne!(first.cookie, by_fd(open[1].1.as_raw_fd()).cookie);
    assert!(super::super::jiffies::fit(first.jiffies, first.at_ns).is_some());
}

#[tokio::test]
async fn other_processes_are_out_of_scope_until_a_socket_is_tracked() {
    // Process 1 opens no connection while this runs, and is not this one.
    let mut watch = Watch::start(&[1], None);
    let (listener, client, server) = connection(LOOPBACKS[0]);
    let records = watch.records();
    let cookie_of = |fd: RawFd| {
        let record = records.iter().find(|record| record.fd == fd.cast_unsigned());
        record.unwrap().cookie
    };
    let tracked = cookie_of(server.as_raw_fd());
    watch.kernel.track(tracked).unwrap();
    drop((client, server, listener));
    watch.expect("destroy", |record| {
        record.cookie == tracked && record.kind == EventKind::Destroy as u32
    });
    assert!(watch.seen.iter().all(|record| record.cookie == tracked), "{:#?}", watch.seen);

    // From now on this process is in scope, and the other is not.
    watch.kernel.set_pids(&[process::id()]).unwrap();
    let (_listener, client, _server) = connection(LOOPBACKS[0]);
    let server_address = client.peer_addr().unwrap();
    watch.expect("connect", |record| remote(record) == server_address);
}

#[tokio::test]
async fn what_the_ring_cannot_take_is_counted() {
    const CONNECTIONS: usize = 23;
    // Connect, ESTABLISHED, accept, CLOSE_WAIT, and both ends destroyed.
    const EVENTS: u64 = 6 * CONNECTIONS as u64;
    let mut watch = Watch::start(&[process::id()], Some(4096));
    for _ in 0..CONNECTIONS {
        let (_listener, client, server) = connection(LOOPBACKS[0]);
        drop(client);
        // Once the FIN has arrived, this side cannot close first.
        assert_eq!(server.peek(&mut [0]).unwrap(), 0);
    }
    let room = 4096 / (size_of::<EventRecord>() as u64 + 8);
    let deadline = Instant::now() + Duration::from_secs(10);
    while watch.kernel.losses().unwrap().ring_full < EVENTS - room {
        assert!(Instant::now() < deadline, "{:?}", watch.kernel.losses());
        thread::sleep(Duration::from_millis(5));
    }
    // No more events arrive.
    thread::sleep(Duration::from_millis(100));
    let losses = watch.kernel.losses().unwrap();
    assert_eq!(losses.ring_full, EVENTS - room);
    assert_eq!(watch.events.drain(usize::MAX, |_| {}) as u64, room);
    assert_eq!((losses.map_full, losses.read_failed), (0, 0));
}

#[tokio::test]
async fn a_full_ring_wakes_and_an_empty_one_waits() {
    let mut watch = Watch::start(&[process::id()], Some(4096));
    let waits = tokio::time::timeout(Duration::from_millis(50), watch.events.readable()).await;
    assert!(waits.is_err());
    // A sixteenth of the ring is three events.
    let open: Vec<_> = (0..3).map(|_| connection(LOOPBACKS[0])).collect();
    let wakes = tokio::time::timeout(Duration::from_secs(10), watch.events.readable()).await;
    wakes.unwrap().unwrap();
    // It stays ready until the ring is empty.
    assert_eq!(watch.events.drain(1, |_| {}), 1);
    let still = tokio::time::timeout(Duration::from_secs(10), watch.events.readable()).await;
    still.unwrap().unwrap();
    assert!(watch.events.drain(usize::MAX, |_| {}) >= 8);
    let waits = tokio::time::timeout(Duration::from_millis(50), watch.events.readable()).await;
    assert!(waits.is_err());
    drop(open);
}
