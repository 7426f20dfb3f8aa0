//! Every attach method reports the same events of the same connections.

use std::collections::BTreeMap;

use super::*;

/// If it is set, every method must work; without it, methods that the kernel does not allow are
/// skipped.
const ALL_VARIABLE: &str = "TRACER_TEST_ALL_ATTACH_METHODS";

/// What happened to a socket, one line per event.
type Life = Vec<String>;

/// The events of each connection of [`workload`]: one that is established and closed by its client
/// first, seen from both ends, and one that is refused.
const CLIENT: [&str; 3] =
    ["connect 7>2 to the server, by us, with a stack", "state 2>1 to the server", "destroy 7>7"];
const SERVER: [&str; 3] = [
    "accept 0>1 to the client, by us, with a stack, as its fd",
    "state 1>8 to the client",
    "destroy 7>7",
];
const REFUSED: [&str; 3] =
    ["connect 7>2 to nobody, by us, with a stack", "state 2>7 to nobody", "destroy 7>7"];

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the test harness shows it")]
async fn every_mechanism_reports_the_same() {
    let must = env::var_os(ALL_VARIABLE).is_some();
    let mut compared = 0;
    for attach_family in AttachFamily::ALL {
        let mut watch = match Watch::start_by(Some(attach_family), &[process::id()], None) {
            Ok(watch) => watch,
            Err(reason) if !must => {
                eprintln!("skipped: {attach_family:?}: {reason}");
                continue;
            }
            Err(reason) => panic!("{attach_family:?}: {reason}"),
        };
        for addresses in LOOPBACKS {
            assert_eq!(
                workload(&mut watch, addresses),
                expected(),
                "{attach_family:?} {addresses:?}"
            );
        }
        let losses = watch.kernel.losses().unwrap();
        assert_eq!(
            KernelLosses { missed_runs: 0, ..losses },
            KernelLosses::default(),
            "{attach_family:?}"
        );
        compared += 1;
    }
    assert_ne!(compared, 0, "nothing can be attached here");
}

#[tokio::test]
async fn without_the_socket_helpers_the_same_is_reported() {
    let without = |kernel: &mut Kernel| drop(kernel.load_without_helpers().unwrap());
    let mut watch = Watch::start_with(None, &[process::id()], None, without).unwrap();
    for addresses in LOOPBACKS {
        assert_eq!(workload(&mut watch, addresses), expected(), "{addresses:?}");
    }
    // The highest bit marks a number that the programs assigned.
    assert!(watch.seen.iter().all(|event| event.cookie >> 63 == 1), "{:#?}", watch.seen);
    let losses = watch.kernel.losses().unwrap();
    assert_eq!(KernelLosses { missed_runs: 0, ..losses }, KernelLosses::default());
}

fn expected() -> Vec<Life> {
    let lives = [&CLIENT[..], &SERVER, &REFUSED];
    lives.map(|life| life.iter().map(ToString::to_string).collect()).into()
}

/// Makes the connections and returns the events of the client's socket, the server's, and the
/// refused one.
fn workload(watch: &mut Watch, addresses: (&str, &str)) -> Vec<Life> {
    watch.seen.clear();
    let unused = TcpListener::bind(addresses.0).unwrap().local_addr().unwrap();
    let nobody = format!("{}:{}", addresses.1, unused.port()).parse::<SocketAddr>().unwrap();
    let (listener, client, server) = connection(addresses);
    let names = Names {
        server: client.peer_addr().unwrap(),
        client: server.peer_addr().unwrap(),
        nobody,
        fd: server.as_raw_fd(),
    };
    let [client_record, server_record] = [&client, &server].map(|stream| watch.walk_to(stream));
    drop(client);
    // Once the FIN has arrived, this side cannot close first.
    assert_eq!(server.peek(&mut [0]).unwrap(), 0);
    drop((server, listener));
    TcpStream::connect(nobody).unwrap_err();
    let mut destroyed = 0;
    while destroyed < 3 {
        watch.expect("ends of three sockets", |_| true);
        let is_end = |record: &&EventRecord| record.kind == EventKind::Destroy as u32;
        destroyed = watch.seen.iter().filter(is_end).count();
    }

    let mut lives: BTreeMap<u64, Life> = BTreeMap::new();
    for record in &watch.seen {
        lives.entry(record.cookie).or_default().push(names.describe(record));
    }
    // The iterator and the events identify a socket in the same way.
    let known = [client_record, server_record].map(|record| lives.remove(&record.cookie));
    let lives =
        known.map(|life| life.expect("events of it")).into_iter().chain(lives.into_values());
    lives.collect()
}

impl Watch {
    fn walk_to(&mut self, stream: &TcpStream) -> SocketRecord {
        let fd = stream.as_raw_fd().cast_unsigned();
        *self.records().iter().find(|record| record.fd == fd).unwrap()
    }
}

/// Names for values that differ from run to run.
struct Names {
    server: SocketAddr,
    client: SocketAddr,
    nobody: SocketAddr,
    fd: RawFd,
}

impl Names {
    fn describe(&self, record: &EventRecord) -> String {
        let kinds = [
            (EventKind::Connect, "connect"),
            (EventKind::Accept, "accept"),
            (EventKind::State, "state"),
            (EventKind::Destroy, "destroy"),
        ];
        let (_, kind) = kinds.iter().find(|(kind, _)| *kind as u32 == record.kind).unwrap();
        let mut text = format!("{kind} {}>{}", record.old_state, record.new_state);
        // When a socket is destroyed, which addresses remain depends on how it was closed.
        if *kind != "destroy" {
            text += " to ";
            text += self.of(remote(record));
        }
        if record.pid != 0 {
            text += if record.pid == process::id() { ", by us" } else { ", by another" };
        }
        if record.stack != NO_STACK {
            text += ", with a stack";
        }
        if record.fd >= 0 {
            text += if record.fd == self.fd { ", as its fd" } else { ", as another" };
        }
        text
    }

    fn of(&self, address: SocketAddr) -> &'static str {
        let names =
            [(self.server, "the server"), (self.client, "the client"), (self.nobody, "nobody")];
        names.into_iter().find(|(known, _)| *known == address).map_or("someone", |(_, name)| name)
    }
}
